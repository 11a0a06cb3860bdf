"""The demo: an appeal at every stage, every chain holding, whatever day it is loaded."""

from __future__ import annotations

import datetime as dt

import pytest

from processes.appeals import demo, reading
from processes.appeals.models import Appeal, Link
from workflows import calendars, clock, records
from workflows.models import Case, Record, StepRun
from workflows.parties import directory

STAGES = {"classify", "screen", "handle", "rate", "rework", "supervised", "inspect"}
ENDS = {"settled", "unrated", "supervised_settled", "referred", "withdrawn", "set_aside"}


@pytest.fixture(autouse=True)
def _ground(db, settings):
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    directory.cache_clear()
    calendars.seed()
    yield
    directory.cache_clear()
    clock.set_now(None)


# A working day, a Saturday, the day after the national holiday, a Monday evening.
@pytest.mark.parametrize(
    "day", ["2026-11-24T12:00", "2026-11-28T09:30", "2026-10-08T08:00", "2026-06-01T22:00"]
)
def test_the_demo_has_every_stage(day):
    today = dt.datetime.fromisoformat(day).replace(tzinfo=clock.SHANGHAI)
    assert len(list(demo.load(today))) == 1
    cases = list(Case.objects.filter(procedure="appeals"))
    assert len(cases) == len(demo.SCENES)
    assert all(case.demo and records.first_fault(case) is None for case in cases)
    assert not Record.objects.filter(at__gt=today).exists()
    runs = StepRun.objects.filter(finished__isnull=True)
    assert {run.name for run in runs} == STAGES
    assert {case.outcome for case in cases} == {"", *ENDS}
    assert {run.phase for run in runs.filter(name="handle")} >= {"", "yellow"}
    assert StepRun.objects.filter(name="handle", phase="red", outcome="overdue").exists()
    assert StepRun.objects.filter(name="handle", outcome="returned").exists()
    assert Record.objects.filter(act="term.extended").exists()
    assert Appeal.objects.exclude(joint=[]).exists()
    assert Link.objects.exists()
    [housing] = [row for row in reading.figures() if str(row["unit"]) == "住建部门"]
    assert housing["in_time"] == housing["n"] >= 5
    before = Record.objects.count()
    assert list(demo.load(today)) == []
    assert Record.objects.count() == before
