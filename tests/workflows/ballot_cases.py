"""Ballots to be tested, and who votes in them."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.sandbox.ballot_procedures import Vote
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars, clock, sweep
from workflows.counting import RollUnit
from workflows.models import BallotPaper, Community
from workflows.parties import Member, Party

COMMITTEE = Party("residents_committee", "person:1", 1)
OFFICE = Party("office", "person:9", 9)


def at(day: int, month: int = 6, hour: int = 9) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, tzinfo=clock.SHANGHAI)


def unit(number: int, area: int, *owners: str, unsold: bool = False) -> RollUnit:
    return RollUnit(
        f"unit:{number}",
        f"1号楼1单元{number}室",
        "1号楼1单元***室",
        area,
        owners or (f"owner:{number}",),
        developer_unsold=unsold,
        may_vote_via=() if unsold else (f"household:{number}",),
    )


def owner(number: int, **kwargs) -> Party:
    return Party("owner", f"household:{number}", 100 + number, **kwargs)


@pytest.fixture(autouse=True)
def _fresh(db, django_user_model):
    calendars.seed()
    SandboxDirectory.reset()
    for pk in (1, 9, *range(101, 112)):
        django_user_model.objects.create(pk=pk, username=f"u{pk}")
    with clock.at(at(1)):
        yield


def open_ballot(units, opens=17, **call):
    SandboxDirectory.rolls["owners"] = units
    SandboxDirectory.groups["households"] = [
        Member(f"household:{n}", f"1号楼1单元{n}室", "1号楼1单元***室") for n in range(1, 12)
    ]
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Vote, estate, OFFICE, title="表决")
    data = {
        "questions": "是否改造\n由谁出资",
        "matter": "ordinary",
        "reason": "属于其他重大事项",
        "opens_on": f"2026-06-{opens:02d}",
        **call,
    }
    acts.perform(case, "ballot", "ballot.called", COMMITTEE, data)
    return case


def vote(case, party, choice="for", second="for", **more):
    return acts.perform(case, "ballot", "vote.cast", party, {"q1": choice, "q2": second, **more})


def voting(units):
    case = open_ballot(units)
    clock.set_now(at(17, hour=0))
    assert sweep.sweep() == 1
    clock.set_now(at(18))
    return case


FIVE = [unit(n, 10000) for n in range(1, 6)]


def refused(case, act, party, data=None, files=None) -> str:
    before = BallotPaper.objects.count(), case.records.count()
    with pytest.raises(acts.Refused) as found:
        acts.perform(case, "ballot", act, party, data or {}, files or {})
    assert (BallotPaper.objects.count(), case.records.count()) == before
    return found.value.code
