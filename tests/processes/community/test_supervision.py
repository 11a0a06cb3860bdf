"""Supervision: what counts as kept and broken, answered, content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.sandbox.opinion_procedures import Plans, Results, Shortlist
from workflows import acts, clock, sweep
from workflows.models import Case, StepRun
from workflows.portal import figures, sums, supervision, supervision_tables

from .supervision_cases import (  # noqa: F401 - fixtures
    DAY,
    NOON,
    SECOND,
    _fresh,
    answer,
    ask,
    household,
    opened,
    party,
    run_of,
    signed_in,
    survey,
    suspend,
    town_fixture,
    write,
)


def counted(**chosen: Any) -> dict[str, int]:
    """Every measure that is not nothing, over the last year."""
    scope = figures.Scope(dt.date(2025, 8, 1), dt.date(2026, 12, 1), **chosen)
    return {code: n for code, n in supervision_tables.total(sums.count(scope)).items() if n}


# --- terms: a table of moments -------------------------------------------------------------------


def at_once(town: SimpleNamespace, case: Case) -> None:
    write(town, case)


def on_the_last_second(town: SimpleNamespace, case: Case) -> None:
    with clock.at(run_of(case).ends_at - SECOND):
        write(town, case)


def as_it_ends(town: SimpleNamespace, case: Case) -> None:
    with clock.at(run_of(case).ends_at):
        write(town, case)


def a_day_late(town: SimpleNamespace, case: Case) -> None:
    after = run_of(case).ends_at
    with clock.at(after):
        sweep.sweep()
    with clock.at(after + DAY):
        write(town, case)


def not_at_all(town: SimpleNamespace, case: Case) -> None:
    clock.set_now(run_of(case).ends_at)
    sweep.sweep()


def just_not_yet(town: SimpleNamespace, case: Case) -> None:
    clock.set_now(run_of(case).ends_at - SECOND)
    sweep.sweep()


def suspended_and_still(town: SimpleNamespace, case: Case) -> None:
    with clock.at(NOON + DAY):
        suspend(town, case)
    clock.set_now(run_of(case).ends_at + 30 * DAY)
    sweep.sweep()


def suspended_resumed_and_done(town: SimpleNamespace, case: Case) -> None:
    before = run_of(case).ends_at
    with clock.at(NOON + DAY):
        suspend(town, case)
    with clock.at(NOON + 20 * DAY):
        suspend(town, case, "case.resumed")
        assert run_of(case).ends_at > before
    with clock.at(run_of(case).ends_at - SECOND):
        write(town, case)


def suspended_resumed_and_late(town: SimpleNamespace, case: Case) -> None:
    with clock.at(NOON + DAY):
        suspend(town, case)
    with clock.at(NOON + 20 * DAY):
        suspend(town, case, "case.resumed")
    with clock.at(run_of(case).ends_at):
        write(town, case)


def overdue_then_suspended(town: SimpleNamespace, case: Case) -> None:
    clock.set_now(run_of(case).ends_at)
    sweep.sweep()
    suspend(town, case)


def by_a_guess(town: SimpleNamespace, case: Case) -> None:
    StepRun.objects.filter(pk=run_of(case).pk).update(provisional=True)
    clock.set_now(run_of(case).ends_at + DAY)
    write(town, case)


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        (at_once, {"kept": 1}),
        (on_the_last_second, {"kept": 1}),
        (as_it_ends, {"broken": 1}),
        (a_day_late, {"broken": 1}),
        (not_at_all, {"broken": 1, "overdue": 1}),
        (just_not_yet, {}),
        (suspended_and_still, {}),
        (suspended_resumed_and_done, {"kept": 1}),
        (suspended_resumed_and_late, {"broken": 1}),
        (overdue_then_suspended, {"broken": 1}),
        (by_a_guess, {"kept": 1}),
    ],
)
def test_a_term(town: SimpleNamespace, course: Callable[..., None], expected: Any) -> None:
    case = opened(town)
    course(town, case)
    found = {code: n for code, n in counted().items() if code in ("kept", "broken", "overdue")}
    assert found == expected
    late = [run.process_id for run in supervision.late_runs(clock.now())]
    assert late == ([case.pk] if "overdue" in expected else [])


def test_a_period_that_stood_its_days_is_kept(town: SimpleNamespace) -> None:
    run = run_of(opened(town, Shortlist))
    with clock.at(run.ends_at + 3 * DAY):
        sweep.sweep()
    assert counted() == {"kept": 1}


# --- opinions and objections ---------------------------------------------------------------------


def test_answers_in_time_late_and_missing(town: SimpleNamespace) -> None:
    case = opened(town, Plans)
    first, second, third = (ask(town, case, number) for number in range(3))
    ends = run_of(case).ends_at
    with clock.at(ends - SECOND):
        reply = answer(town, case, first)
        assert counted() == {"answered": 1}
    with clock.at(ends):
        sweep.sweep()
        assert counted() == {"answered": 1, "broken": 1, "overdue": 1, "unanswered": 2}
        answer(town, case, second)
    with clock.at(ends + DAY):
        found = counted()
        assert (found["answered"], found["answered_late"], found["unanswered"]) == (1, 1, 1)
        # A correction is not later than what it corrects.
        said = {
            "reply": str(reply.pk),
            "outcome": "partly",
            "public_text": "希望增加休息座椅。",
            "reason": "只能增加两处，其余位置要留作通道。",
            "why": "原答复与图纸不一致。",
        }
        acts.perform(case, "ask", "reply.corrected", party(town.office), said)
        assert counted() == found
        suspend(town, case)
        assert "unanswered" not in counted()
    assert third.pk


@pytest.mark.parametrize(
    ("decision", "late", "expected"),
    [
        ("upheld", False, {"decided": 1, "upheld": 1}),
        ("dismissed", False, {"decided": 1}),
        ("dismissed", True, {"decided": 1, "decided_late": 1, "broken": 1}),
    ],
)
def test_an_objection(town: SimpleNamespace, decision: str, late: bool, expected: Any) -> None:
    case = opened(town, Shortlist)
    said = {"ground": "content", "text": "离窗太近，影响采光。"}
    who = household(town.residents[0])
    raised = acts.perform(case, "stand", "objection.raised", who, said).fact
    with clock.at(raised.due_at - (dt.timedelta() if late else SECOND)):
        assert counted() == ({"undecided": 1} if late else {})
        assert len(supervision.late_runs(clock.now())) == late
        said = {
            "objections": [str(raised.pk)],
            "decision": decision,
            "reason": "已与现场核对，距离符合规定。",
            "public_text": "离窗太近，影响采光。",
        }
        acts.perform(case, "stand", "objection.decided", party(town.office), said)
        assert counted() == expected


def test_a_step_is_late_since_its_objection_is(town: SimpleNamespace) -> None:
    """The list of what is overdue says the same day as the inbox of who has to decide."""
    case = opened(town, Shortlist)
    said = {"ground": "content", "text": "离窗太近，影响采光。"}
    who = household(town.residents[0])
    raised = acts.perform(case, "stand", "objection.raised", who, said).fact
    run = run_of(case)
    later = {"ends_at": run.ends_at + 10 * DAY, "ends_on": run.ends_on + 10 * DAY}
    StepRun.objects.filter(pk=run.pk).update(**later)
    with clock.at(raised.due_at + DAY):
        (row,) = signed_in(town.office).get("/supervision/overdue/").context["rows"]
        assert (row["last_day"], row["undecided"]) == (raised.due_on, 1)
        assert row["days"] == (clock.today() - raised.due_on).days > 0


# --- satisfaction --------------------------------------------------------------------------------


def test_a_survey_of_five_counts_and_one_of_four_never_does(town: SimpleNamespace) -> None:
    five, four = opened(town, Results), opened(town, Results)
    survey(five, ["very_satisfied", "satisfied", "satisfied", "basically", "dissatisfied"])
    survey(four, ["satisfied"] * 4)
    assert "rated" not in counted()
    StepRun.objects.filter(process__in=(five, four), name="ask").update(
        finished=NOON, status="DONE"
    )
    found = counted()
    assert (found["rated"], found["content"]) == (5, 3)
    page = signed_in().get("/supervision/")
    assert "60.0%" in page.text
    assert "5份评价" in page.text
