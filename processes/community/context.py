"""What every page knows of who reads it."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from workflows import clock
from workflows.procedure import entrances
from workflows.steps.privacy import MODERATORS

from .directory import TYPISTS
from .middleware import NEIGHBOURS, served


def people(request: HttpRequest) -> dict[str, Any]:
    """Who reads, asked only where a page uses it, and once.

    `serves`: whether in a role; `audits`, `moderates`: whether as an auditor, as a moderator;
    `keeps_rolls`: whether in one that keeps the rolls of a place. `entrances`: where anybody may
    come in.
    """
    user = getattr(request, "user", None)

    @cache
    def roles() -> set[str]:
        return served(user.pk) if user and user.is_authenticated else set()

    return {
        "serves": SimpleLazyObject(lambda: bool(roles() - NEIGHBOURS)),
        "audits": SimpleLazyObject(lambda: "auditor" in roles()),
        "moderates": SimpleLazyObject(lambda: not roles().isdisjoint(MODERATORS)),
        "keeps_rolls": SimpleLazyObject(lambda: not roles().isdisjoint(TYPISTS)),
        "entrances": entrances(clock.today()),
        "demo": settings.DEMO,
        "supervision_contact": settings.SANWEN_SUPERVISION_CONTACT,
    }
