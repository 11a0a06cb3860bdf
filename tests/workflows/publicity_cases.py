"""Notices to be tested, and what people do about them."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import COMMITTEE, OFFICE, Design, Shortlist, photo
from workflows import acts, calendars, clock
from workflows.models import Community
from workflows.parties import Member

OPENED = dt.datetime(2026, 9, 14, 9, tzinfo=clock.SHANGHAI)
PLACES = ["stairwell:1", "stairwell:2", "stairwell:3"]
TEXT = "车棚挡住我家3号楼2单元501室的窗"
WORDING = "车棚挡住住户的窗。"
REASON = "经现场核查,车棚距窗不足两米。"


@pytest.fixture(autouse=True)
def _fresh(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    calendars.seed()
    SandboxDirectory.reset()
    SandboxDirectory.groups["stairwells"] = [
        Member(key, f"1号楼{n}单元(楼长张三)", f"1号楼{n}单元") for n, key in enumerate(PLACES, 1)
    ]
    with clock.at(OPENED):
        yield


@pytest.fixture(name="estate")
def estate_fixture():
    return Community.objects.create(code="demo", name="示范小区", kind="estate")


@pytest.fixture(name="hanging")
def hanging_fixture(estate):
    """A design, open, not yet posted."""
    return acts.open_case(Design, estate, OFFICE, title="设计方案")


@pytest.fixture(name="design")
def design_fixture(hanging):
    """A design that hangs everywhere since 14 September."""
    post(hanging, *PLACES)
    return hanging


@pytest.fixture(name="shortlist")
def shortlist_fixture(estate):
    return acts.open_case(Shortlist, estate, OFFICE, title="入围")


def day(number, month=9, hour=12):
    return clock.at(dt.datetime(2026, month, number, hour, tzinfo=clock.SHANGHAI))


def open_run(case):
    return case.runs.get(name="stand", finished__isnull=True)


def post(case, *places, first=0, photos=None, **kwargs):
    pictures = photos if photos is not None else [photo(first + n) for n in range(len(places))]
    payload = {"places": list(places)}
    return acts.perform(
        case, "stand", "notice.posted", COMMITTEE, payload, {"photos": pictures}, **kwargs
    )


def object_to(case, who, files=None, **changes):
    payload = {"ground": "interest", "text": TEXT, **changes}
    return acts.perform(case, "stand", "objection.raised", who, payload, files)


def decide(case, *found, **changes):
    payload = {
        "objections": [objection.pk for objection in found],
        "decision": "dismissed",
        "public_text": WORDING,
        "reason": REASON,
        **changes,
    }
    return acts.perform(case, "stand", "objection.decided", OFFICE, payload)


def refused(call, *args, **kwargs):
    with pytest.raises(acts.Refused) as caught:
        call(*args, **kwargs)
    return caught.value
