"""Consultations to be tested, and what people do in them."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import COMMITTEE, OFFICE, Needs, Plans, Results
from workflows import acts, calendars, clock
from workflows.models import Community
from workflows.parties import Member

OPENED = dt.datetime(2026, 9, 14, 12, tzinfo=clock.SHANGHAI)
HOMES = 4
TEXT = "三楼照明坏了,请修,电话13812345678"
REASON = "已列入本次改造的照明工程。"


@pytest.fixture(autouse=True)
def _fresh(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    calendars.seed()
    SandboxDirectory.reset()
    SandboxDirectory.groups["households"] = [
        Member(f"household:{n}", f"1号楼1单元{n}01室", f"1号楼1单元***室 {n}")
        for n in range(1, HOMES + 1)
    ]
    with clock.at(OPENED):
        yield


@pytest.fixture(name="estate")
def estate_fixture():
    return Community.objects.create(code="demo", name="示范小区", kind="estate")


@pytest.fixture(name="needs")
def needs_fixture(estate):
    return acts.open_case(Needs, estate, OFFICE, title="问需")


@pytest.fixture(name="plans")
def plans_fixture(estate):
    return acts.open_case(Plans, estate, OFFICE, title="问计")


@pytest.fixture(name="results")
def results_fixture(estate):
    return acts.open_case(Results, estate, OFFICE, title="问效")


def day(number, month=9, hour=12):
    return clock.at(dt.datetime(2026, month, number, hour, tzinfo=clock.SHANGHAI))


def open_run(case):
    return case.runs.get(name="ask", finished__isnull=True)


def say(case, who, payload=None, files=None, **kwargs):
    payload = {"text": TEXT} if payload is None else payload
    return acts.perform(case, "ask", "opinion.submitted", who, payload, files, **kwargs).fact


def answer(case, *opinions, who=COMMITTEE, **changes):
    payload = {
        "opinions": [opinion.pk for opinion in opinions],
        "outcome": "adopted",
        "public_text": "楼道照明损坏。",
        "reason": REASON,
        **changes,
    }
    return acts.perform(case, "ask", "opinion.replied", who, payload)


def visit(case, number, result, on="2026-09-14", who=COMMITTEE, **kwargs):
    payload = {"household": f"household:{number}", "result": result, "on": on}
    return acts.perform(case, "ask", "household.visited", who, payload, **kwargs)


def refused(call, *args, **kwargs):
    with pytest.raises(acts.Refused) as caught:
        call(*args, **kwargs)
    return caught.value
