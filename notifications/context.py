"""What every page knows of news."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from . import outlets
from .models import PAGE, Delivery


def news(request: HttpRequest) -> dict[str, Any]:
    """`unread`: how many messages the reader has not seen; `keeps_outlets`: whether the reader may
    see what waits to be published. Asked only where a page uses them."""
    user = getattr(request, "user", None)

    def count() -> int:
        if user is None or not user.is_authenticated:
            return 0
        rows = Delivery.objects.filter(channel__reader__user=user.pk, channel__kind=PAGE)
        return rows.filter(read_at=None)[:100].count()

    return {
        "unread": SimpleLazyObject(count),
        "keeps_outlets": SimpleLazyObject(lambda: bool(outlets.kept_places(user))),
    }
