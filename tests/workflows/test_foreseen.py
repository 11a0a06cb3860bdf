"""An act can be looked at before it is done: as the door would do it, and taken back."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars, clock
from workflows.models import Case, Community, Record, Refusal, StepRun
from workflows.parties import Party

NOON = dt.datetime(2026, 9, 14, 12, tzinfo=clock.SHANGHAI)
OFFICE = Party("office", "person:1")


@pytest.fixture
def case(db):
    calendars.seed()
    SandboxDirectory.reset()
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    with clock.at(NOON):
        yield acts.open_case(Errand, estate, OFFICE, title="甲事")


def stands(case):
    fresh = Case.objects.get(pk=case.pk)
    runs = list(StepRun.objects.filter(process=case).values_list("name", "finished", "outcome"))
    return fresh.length, bytes(fresh.head), fresh.finished, runs, Record.objects.count()


def test_within_it_all_stands_as_it_would_and_after_it_nothing_has_happened(case):
    before = stands(case)
    with acts.foreseen(case, "write", "task.done", OFFICE, {"text": "已办"}) as record:
        assert record.body["text"] == "已办"
        assert stands(case) != before
    assert stands(case) == before
    done = acts.perform(case, "write", "task.done", OFFICE, {"text": "已办"})
    assert done.record.seq == record.seq  # as it was foreseen


def test_what_the_door_refuses_is_refused_and_no_attempt_is_logged(case):
    before = stands(case)
    with (
        pytest.raises(acts.Refused) as caught,
        acts.foreseen(case, "write", "task.done", OFFICE, {}),
    ):
        raise AssertionError
    assert caught.value.code == "invalid"
    with (
        pytest.raises(acts.Refused),
        acts.foreseen(case, "write", "task.done", Party("household", "household:1"), {}),
    ):
        raise AssertionError
    assert stands(case) == before
    assert not Refusal.objects.exists()
