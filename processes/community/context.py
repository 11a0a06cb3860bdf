"""What every page knows of who reads it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from .middleware import serves


def people(request: HttpRequest) -> dict[str, Any]:
    """`serves`: whether the reader serves in a role; asked only where a page uses it."""
    user = getattr(request, "user", None)
    return {
        "serves": SimpleLazyObject(
            lambda: bool(user and user.is_authenticated and serves(user.pk))
        ),
        "demo": settings.DEMO,
        "supervision_contact": settings.SANWEN_SUPERVISION_CONTACT,
    }
