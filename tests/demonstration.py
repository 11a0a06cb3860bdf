"""The demo as a test's ground: every procedure at every stage, on a day that stays the same."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from processes.community import demo
from workflows import calendars, clock
from workflows.models import Disclosure
from workflows.parties import directory
from workflows.records import log

TODAY = dt.datetime(2026, 9, 15, 10, tzinfo=clock.SHANGHAI)
"""An ordinary Tuesday, in office hours."""


@pytest.fixture
def demonstration(transactional_db: None, settings: Any) -> Iterator[None]:
    """The demo's cases and people, as they stand on `TODAY`, which goes on."""
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    settings.DEMO = True
    directory.cache_clear()
    calendars.seed()
    for _line in demo.load(TODAY):
        pass
    log.integrate_now()
    with clock.at(TODAY):
        yield
    directory.cache_clear()


def written() -> tuple[set[str], str]:
    """What people wrote, and what the demo named: every text of the database; and all as one."""
    found: set[str] = set()
    for model in apps.get_models():
        fields = [
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField | models.JSONField)
        ]
        for row in model._base_manager.values_list(*fields) if fields else ():
            found.update(str(value) for value in row if value)
    for encoded in Disclosure.objects.values_list("encoded", flat=True):
        words = json.loads(base64.urlsafe_b64decode(encoded + "==="))[-1]
        found.add(words if isinstance(words, str) else json.dumps(words, ensure_ascii=False))
    return found, "\n".join(found)


def chinese(text: str) -> list[str]:
    """The runs of Chinese characters in a text."""
    return re.findall("[\u4e00-\u9fff]+", text)
