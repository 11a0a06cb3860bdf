"""A case whose records grow, and the log of them."""

from __future__ import annotations

import datetime as dt

import pytest

from sanwen import note
from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars, clock
from workflows.models import Case, Community
from workflows.parties import Party
from workflows.records import log

OFFICE = Party("office", "person:1")
NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)


@pytest.fixture(autouse=True)
def _key(settings, tmp_path):
    settings.SANWEN_LOG_KEY = ""
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "log.key"
    settings.SANWEN_LOG_ORIGIN = "log.example"
    log.write_key(note.Signer.make("log.example"), tmp_path / "log.key")


@pytest.fixture(name="case")
def case_fixture(transactional_db):
    calendars.seed()
    SandboxDirectory.reset()
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    with clock.at(NOON):
        return acts.open_case(Errand, estate, OFFICE, title="甲")


def grow(case: Case, count: int, at: dt.datetime = NOON) -> None:
    """`count` more records."""
    with clock.at(at):
        for _ in range(count):
            acts.perform(case.pk, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正"})
