"""Kept sums of supervision: whatever was done, and whenever they were brought up, the figures are
those of the facts."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.sandbox.core_procedures import Errand
from tests.sandbox.opinion_procedures import Plans, Results, Shortlist
from workflows import acts, clock, sweep
from workflows.models import Case, Community, MonthSum, Objection, Opinion, Recount, SumsHead
from workflows.portal import figures, sums

from .supervision_cases import (  # noqa: F401 - fixtures
    NOON,
    SECOND,
    _fresh,
    answer,
    ask,
    household,
    opened,
    party,
    run_of,
    survey,
    suspend,
    town_fixture,
    write,
)

SPAN = dt.date(2026, 5, 1), dt.date(2027, 4, 1)


def same(town: SimpleNamespace) -> None:
    """Every scope has the figures that the facts have."""
    scopes = [figures.Scope(*SPAN), figures.Scope(SPAN[0], SPAN[0])]
    scopes += [figures.Scope(*SPAN, place=place) for place in (town.street, town.estate, town.far)]
    scopes += [figures.Scope(*SPAN, procedure="errand"), figures.Scope(*SPAN, office="office")]
    for scope in scopes:
        assert sums.count(scope) == sums.count_anew(scope), scope


# --- what may happen


def opens(town: SimpleNamespace, chance: random.Random) -> None:
    declared = chance.choice((Errand, Plans, Shortlist, Results))
    case = opened(town, declared, far=chance.random() < 0.3)
    if declared is Results:
        survey(case, ["satisfied", "basically", "dissatisfied", "satisfied", "satisfied"])


def some(town: SimpleNamespace, chance: random.Random, declared: Any) -> Case | None:
    cases = Case.objects.filter(procedure=declared.code, community=town.estate)
    return chance.choice(list(cases)) if cases else None


def writes(town: SimpleNamespace, chance: random.Random) -> None:
    if case := some(town, chance, Errand):
        write(town, case)


def asks(town: SimpleNamespace, chance: random.Random) -> None:
    if case := some(town, chance, Plans):
        ask(town, case, chance.randrange(len(town.residents)))


def answers(town: SimpleNamespace, chance: random.Random) -> None:
    waiting = list(Opinion.objects.filter(life="submitted", run__finished=None))
    if waiting:
        opinion = chance.choice(waiting)
        answer(town, opinion.case, opinion)


def corrects(town: SimpleNamespace, chance: random.Random) -> None:
    told = list(Opinion.objects.filter(life="replied"))
    if told:
        opinion = chance.choice(told)
        said = {
            "reply": str(opinion.reply_id),
            "outcome": "partly",
            "public_text": "希望增加休息座椅。",
            "reason": "只能增加两处，其余位置要留作通道。",
            "why": "原答复与图纸不一致。",
        }
        acts.perform(opinion.case, "ask", "reply.corrected", party(town.office), said)


def objects(town: SimpleNamespace, chance: random.Random) -> None:
    if case := some(town, chance, Shortlist):
        said = {"ground": "content", "text": f"离窗太近，影响采光{chance.random()}。"}
        who = household(chance.choice(town.residents))
        acts.perform(case, "stand", "objection.raised", who, said)


def decides(town: SimpleNamespace, chance: random.Random) -> None:
    raised = list(Objection.objects.filter(life="raised"))
    if raised:
        objection = chance.choice(raised)
        said = {
            "objections": [str(objection.pk)],
            "decision": chance.choice(("upheld", "dismissed")),
            "reason": "已与现场核对，距离符合规定。",
            "public_text": "离窗太近，影响采光。",
        }
        acts.perform(objection.case, "stand", "objection.decided", party(town.office), said)


def suspends(town: SimpleNamespace, chance: random.Random) -> None:
    if case := some(town, chance, chance.choice((Errand, Plans, Shortlist))):
        suspend(town, case, "case.resumed" if case.suspended_at else "case.suspended")


def passes(town: SimpleNamespace, chance: random.Random) -> None:
    clock.set_now(clock.now() + dt.timedelta(hours=chance.choice((1, 30, 200, 900))))
    sweep.sweep()


def keeps(town: SimpleNamespace, chance: random.Random) -> None:
    sums.keep()


def hides(town: SimpleNamespace, chance: random.Random) -> None:
    case = chance.choice([*Case.objects.all()] or [None])
    if case:
        case.unlisted = not case.unlisted
        case.save(update_fields=["unlisted"])


def moves(town: SimpleNamespace, chance: random.Random) -> None:
    estate = Community.objects.get(pk=town.estate.pk)
    estate.parent = town.street if estate.parent != town.street else town.other
    estate.save()


LIKELY = {
    opens: 3,
    writes: 2,
    asks: 4,
    answers: 4,
    corrects: 1,
    objects: 2,
    decides: 2,
    suspends: 2,
    passes: 4,
    keeps: 4,
    hides: 1,
}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_the_figures_are_those_of_the_facts(
    town: SimpleNamespace,
    seed: int,
) -> None:
    chance = random.Random(seed)
    town.other = Community.objects.get(code="other")
    write(town, opened(town))
    for _turn in range(40):
        what: Callable[..., None] = chance.choices(*zip(*LIKELY.items(), strict=True))[0]
        try:
            what(town, chance)
        except acts.Refused:
            continue
        same(town)
    moves(town, chance)
    same(town)
    passes(town, chance)
    keeps(town, chance)
    assert not Recount.objects.exists()
    same(town)
    found = sums.count(figures.Scope(*SPAN))
    assert any(found.values())


def test_a_term_that_moves_takes_an_answer_in_time_with_it(town: SimpleNamespace) -> None:
    """An answer that was late by a term that is counted anew is late no longer, at once."""
    case = opened(town, Plans)
    opinion, _open = ask(town, case), ask(town, case, 1)
    with clock.at(run_of(case).ends_at):
        answer(town, case, opinion)
    clock.set_now(run_of(case).ends_at + dt.timedelta(hours=1))
    sums.keep()
    scope = figures.Scope(*SPAN)
    assert sums.count(scope)["answered_late"]
    run = run_of(case)
    run.ends_at += dt.timedelta(days=3)
    run.save()
    assert Recount.objects.count() == 1
    assert not sums.count(scope)["answered_late"]
    same(town)
    assert sums.keep()
    assert not Recount.objects.exists()
    assert sum(sums.count(scope)["answered"].values()) == 1
    same(town)


def test_ordinary_acts_ask_for_no_recount(town: SimpleNamespace) -> None:
    case = opened(town, Plans)
    answer(town, case, ask(town, case))
    write(town, opened(town))
    assert not Recount.objects.exists()


def test_sums_are_brought_up_once(town: SimpleNamespace) -> None:
    write(town, opened(town))
    clock.set_now(NOON + dt.timedelta(hours=2))
    assert sums.keep()
    assert not sums.keep()
    rows = set(MonthSum.objects.filter(code="kept").values_list("level", "place", "n"))
    levels = {(0, town.estate.pk, 1), (1, town.street.pk, 1), (2, 0, 1)}
    assert rows == levels
    write(town, opened(town))
    clock.set_now(NOON + dt.timedelta(hours=4))
    assert sums.keep()
    assert {n for _level, _place, n in MonthSum.objects.values_list("level", "place", "n")} == {2}
    sums.forget()
    assert not MonthSum.objects.exists()
    assert SumsHead.objects.get().until is None
    same(town)


def test_a_reader_does_not_mix_sums_with_newer_ones(
    town: SimpleNamespace,
    monkeypatch: Any,
) -> None:
    """Brought up between the look at how far they are and the reading: it looks again."""
    write(town, opened(town))
    clock.set_now(NOON + dt.timedelta(hours=2))
    sums.keep()
    write(town, opened(town))
    clock.set_now(NOON + dt.timedelta(hours=4) + SECOND)
    read, times = sums._add_kept, []

    def late(*given: Any) -> None:
        if not times:
            sums.keep()
        times.append(1)
        read(*given)

    monkeypatch.setattr(sums, "_add_kept", late)
    found = sums.count(figures.Scope(*SPAN))
    assert len(times) == 2
    assert sum(found["kept"].values()) == 2


def test_kept_sums_ask_little(town: SimpleNamespace) -> None:
    write(town, opened(town))
    clock.set_now(NOON + dt.timedelta(hours=2))
    sums.keep()
    with CaptureQueriesContext(connection) as caught:
        sums.count(figures.Scope(*SPAN))
    assert len(caught) == 10  # three of them what stands now, three what came since
