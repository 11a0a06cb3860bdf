"""The directory of people and places, and time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workflows import calendars, clock
from workflows.parties import directory


@pytest.fixture(autouse=True)
def _ground(db, settings) -> Iterator[None]:
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    directory.cache_clear()
    calendars.seed()
    yield
    directory.cache_clear()
    clock.set_now(None)
