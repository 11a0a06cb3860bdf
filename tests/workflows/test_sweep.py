"""The sweep: each term fires once, what cannot fire stops nothing else, no guess makes one late."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import COMMITTEE, Plans, Shortlist, household
from workflows import acts, calendars, clock, records, sweep
from workflows.models import CalendarDay, CalendarYear, Case, Community, Record, Refusal
from workflows.parties import Party

OFFICE = Party("office", "person:1")
NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
LATER = NOON + dt.timedelta(days=30)


@pytest.fixture(autouse=True)
def _fresh(db):
    calendars.seed()
    SandboxDirectory.reset()
    with clock.at(NOON):
        yield


@pytest.fixture
def estate():
    return Community.objects.create(code="demo", name="示范小区", kind="estate")


@pytest.fixture
def cases(estate):
    return [acts.open_case(Errand, estate, OFFICE, title=f"甲{n}") for n in range(3)]


def ended() -> int:
    return Record.objects.filter(act="term.ended").count()


def test_nothing_fires_before_its_moment(cases):
    run = cases[0].runs.get(name="write")
    clock.set_now(run.ends_at - dt.timedelta(microseconds=1))
    assert sweep.sweep() == 0
    clock.set_now(run.ends_at)
    assert sweep.sweep() == 3
    assert sweep.sweep() == 0
    assert ended() == 3


def test_two_sweeps_that_saw_the_same_run_fire_it_once(cases, monkeypatch):
    """The second one comes between the first one's look and its act."""
    perform = acts.perform
    first = []

    def interrupted(*args, **kwargs):
        if not first:
            first.append(True)
            assert sweep.sweep() == 3
        return perform(*args, **kwargs)

    monkeypatch.setattr(acts, "perform", interrupted)
    clock.set_now(LATER)
    assert sweep.sweep() == 0
    assert ended() == 3
    assert all(records.first_fault(Case.objects.get(pk=case.pk)) is None for case in cases)


@pytest.mark.parametrize("failure", [ValueError("broken"), acts.Refused("unmet", "尚不能办理")])
def test_what_cannot_fire_stops_no_other_however_much_of_it_there_is(cases, monkeypatch, failure):
    perform = acts.perform

    def broken(case, *args, **kwargs):
        if case in (cases[0].pk, cases[1].pk):
            raise failure
        return perform(case, *args, **kwargs)

    monkeypatch.setattr(acts, "perform", broken)
    monkeypatch.setattr(sweep, "BATCH", 1)
    clock.set_now(LATER)
    assert sweep.sweep() == 1
    monkeypatch.setattr(acts, "perform", perform)
    assert sweep.sweep() == 2


def test_a_suspended_or_finished_case_is_not_due(cases):
    acts.perform(cases[0], "case", "case.suspended", OFFICE, {"reason": "汛期"})
    Case.objects.filter(pk=cases[1].pk).update(finished=NOON)
    assert [case for _run, case, _name, _at in sweep.due(LATER)] == [cases[2].pk]


def test_what_the_clock_is_refused_is_no_attempt_of_anybody(cases):
    acts.perform(cases[0], "case", "case.suspended", OFFICE, {"reason": "汛期"})
    with pytest.raises(acts.Refused):
        acts.perform(cases[0], "write", "term.ended", Party.clock())
    assert not Refusal.objects.exists()
    with pytest.raises(acts.Refused):
        acts.perform(cases[1], "write", "task.done", Party.clock(), {"text": "甲"})
    assert Refusal.objects.get().code == "wrong_party"


# --- years that are not announced yet (28 December 2026 … January 2027)

DECEMBER = dt.datetime(2026, 12, 28, 9, tzinfo=clock.SHANGHAI)


def announce_2027() -> None:
    CalendarYear.objects.create(year=2027, source="示范")
    for day in range(1, 9):
        CalendarDay.objects.create(
            date=dt.date(2027, 1, day), is_workday=False, source="示范", name="元旦"
        )


def test_a_guessed_end_refuses_no_opinion(estate):
    clock.set_now(DECEMBER)
    case = acts.open_case(Plans, estate, OFFICE, title="问计")
    run = case.runs.get(name="ask")
    assert (run.provisional, run.ends_on) == (True, dt.date(2027, 1, 4))
    clock.set_now(dt.datetime(2027, 1, 6, 9, tzinfo=clock.SHANGHAI))
    acts.perform(case, "ask", "opinion.submitted", household(1), {"text": "希望增加车位。"})
    announce_2027()
    sweep.sweep()
    run.refresh_from_db()
    assert (run.provisional, run.ends_on) == (False, dt.date(2027, 1, 11))
    body = case.records.get(act="term.recomputed").body
    assert (body["before"], body["ends_on"]) == ("2027-01-04", "2027-01-11")
    assert "2027@1" in body["rule"]
    clock.set_now(run.ends_at)
    with pytest.raises(acts.Refused) as late:
        acts.perform(case, "ask", "opinion.submitted", household(2), {"text": "希望修路。"})
    assert late.value.code == "late"


def test_a_guessed_end_refuses_no_objection_and_closes_no_publicity(estate):
    clock.set_now(DECEMBER)
    case = acts.open_case(Shortlist, estate, OFFICE, title="公示")
    run = case.runs.get(name="stand")
    assert run.provisional
    clock.set_now(run.ends_at + dt.timedelta(days=1))
    assert sweep.sweep() == 0
    done = acts.perform(
        case,
        "stand",
        "objection.raised",
        household(1),
        {"ground": "content", "text": "打分有误，请核查。"},
    )
    assert "late" not in done.record.body
    decided = {"objections": [run.objections.get().pk], "decision": "dismissed"}
    decided |= {"public_text": "打分有误。", "reason": "经核查无误。"}
    acts.perform(case, "stand", "objection.decided", COMMITTEE, decided)
    run.refresh_from_db()
    assert run.is_open


def test_a_recount_that_fails_stops_neither_the_others_nor_the_sweep(estate, monkeypatch):
    clock.set_now(DECEMBER)
    cases = [acts.open_case(Errand, estate, OFFICE, title=f"跨年{n}") for n in range(2)]
    announce_2027()
    perform = acts.perform

    def broken(case, *args, **kwargs):
        if case == cases[0].pk:
            raise acts.Refused("suspended", "已中止")
        return perform(case, *args, **kwargs)

    monkeypatch.setattr(acts, "perform", broken)
    assert sweep.recompute_provisional() == 1
    assert cases[0].runs.get(name="write").provisional
    assert not cases[1].runs.get(name="write").provisional
