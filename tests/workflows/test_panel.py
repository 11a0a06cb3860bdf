"""Panels: who signs, what it comes to, exactly."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.panel_procedures import SHEET, Review
from workflows import acts, calendars, clock, sweep
from workflows.models import Case, Community
from workflows.parties import Party
from workflows.steps.panel_rules import Said, Score, judged, needed, quorate, shown

MEAN = Score(SHEET, mean_at_least=70)
WEIGHTED = Score(SHEET, weighted_at_least=80)
NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)


def said(*rows):
    return [Said(*row) for row in rows]


VERDICTS = [
    (said(("approve", 70)), MEAN, False, "approved"),
    (said(("approve", 69)), MEAN, False, "rejected"),
    (said(("approve", 69), ("approve", 71)), MEAN, False, "approved"),
    (said(("approve", 70), ("approve", 69), ("approve", 70)), MEAN, False, "rejected"),
    (said(("approve", 100), ("reject", 100)), MEAN, False, "rejected"),
    (said(("approve", 100), ("approve", 90), ("reject", 20)), MEAN, False, "approved"),
    (said(("approve", 100), ("return", 100)), MEAN, False, "returned"),
    (said(("approve", 80, 1)), WEIGHTED, True, "approved"),
    (said(("approve", 79, 1)), WEIGHTED, True, "returned"),
    (said(("approve", 100, 1), ("approve", 76, 5)), WEIGHTED, True, "approved"),
    (said(("approve", 99, 1), ("approve", 76, 5)), WEIGHTED, True, "returned"),
    (said(("approve", 100, 9), ("return", 100, 1)), WEIGHTED, True, "returned"),
    (said(("approve", 0)), None, True, "approved"),
]


@pytest.mark.parametrize(("rows", "score", "every", "outcome"), VERDICTS)
def test_what_signatures_come_to(rows, score, every, outcome):
    assert judged(rows, score, every_must_pass=every).outcome == outcome


ROWS = st.lists(
    st.builds(
        Said,
        st.sampled_from(["approve", "return", "reject"]),
        st.integers(0, 100),
        st.integers(1, 20),
    ),
    min_size=1,
    max_size=9,
)


@given(ROWS, st.booleans(), st.sampled_from([MEAN, WEIGHTED, None]), st.randoms())
def test_the_order_of_signatures_changes_nothing(rows, every, score, random):
    first = judged(rows, score, every_must_pass=every)
    random.shuffle(rows)
    assert judged(rows, score, every_must_pass=every) == first


@given(ROWS)
def test_one_failure_is_never_approved_where_all_must_pass(rows):
    found = judged([*rows, Said("return", 100, 20)], WEIGHTED, every_must_pass=True)
    assert found.outcome == "returned"


@given(st.integers(1, 50), st.integers(0, 50))
def test_a_quorum_of_two_thirds_is_exact(seats, signed):
    assert quorate(signed, seats, Fraction(2, 3)) == (
        signed > 0 and Fraction(signed, seats) >= Fraction(2, 3)
    )
    assert needed(seats, Fraction(2, 3)) * 3 >= seats * 2


@pytest.mark.parametrize(
    ("number", "words"),
    [(Fraction(165, 2), "82.5"), (Fraction(247, 3), "82.33"), (Fraction(239999, 3000), "79.99")],
)
def test_a_score_is_cut_never_rounded_up(number, words):
    assert shown(number) == words


# --- through the door


@pytest.fixture
def case(db, django_user_model):
    calendars.seed()
    SandboxDirectory.reset()
    for pk in range(1, 6):
        django_user_model.objects.create(pk=pk, username=f"u{pk}")
    with clock.at(NOON):
        estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
        yield acts.open_case(Review, estate, Party("office", "person:1", 1), title="审查")


def sign(case, person: int, seat: str, decision="approve", points=(45, 30), **more):
    party = Party("reviewer", f"person:{person}", person)
    data = {"seat": seat, "decision": decision, "score_a": points[0], "score_b": points[1], **more}
    return acts.perform(case, "panel", "panel.signed", party, data)


def test_a_panel_is_decided_when_every_seat_has_signed(case):
    sign(case, 2, "x")
    sign(case, 3, "y")
    assert Case.objects.get().finished is None
    sign(case, 4, "z", "reject", (10, 10), reason="条件不成熟。")
    result = case.records.get(act="step.completed").body
    assert result["outcome"] == "rejected"  # (75 + 75 + 20) / 3 is below 70
    assert result["exact"] == "170/3"


def test_two_thirds_decide_when_the_term_has_run_out(case):
    sign(case, 2, "x")
    sign(case, 3, "y")
    with clock.at(NOON + dt.timedelta(days=20)):
        sweep.sweep()
    assert Case.objects.get().outcome == "approved"


def test_one_seat_alone_leaves_it_overdue(case):
    sign(case, 2, "x")
    with clock.at(NOON + dt.timedelta(days=20)):
        sweep.sweep()
    run = case.runs.get(name="panel")
    assert run.overdue_at
    assert len(run.step.unmet(run)) >= 2


BAD = [
    (2, "x", {"decision": "approve", "points": (61, 0)}, "invalid"),
    (2, "x", {"decision": "approve", "points": (-1, 0)}, "invalid"),
    (2, "x", {"decision": "approve", "points": ("", 0)}, "invalid"),
    (2, "x", {"decision": "approve", "points": ("4.5", 0)}, "invalid"),
    (2, "x", {"decision": "maybe"}, "invalid"),
    (2, "x", {"decision": "reject"}, "invalid"),
    (2, "x", {"decision": "return", "reason": "无"}, "invalid"),
    (2, "w", {}, "invalid"),
    (2, "x", {"decision": "reject", "reason": "电话13812345678联系。"}, "invalid"),
]


@pytest.mark.parametrize(("person", "seat", "more", "code"), BAD)
def test_a_bad_signature_is_refused(case, person, seat, more, code):
    with pytest.raises(acts.Refused) as refused:
        sign(case, person, seat, **more)
    assert refused.value.code == code


def test_one_person_signs_one_seat_once(case):
    sign(case, 2, "x")
    for person, seat, code in (
        (2, "x", "duplicate"),
        (2, "y", "wrong_party"),
        (3, "x", "duplicate"),
    ):
        with pytest.raises(acts.Refused) as refused:
            sign(case, person, seat)
        assert refused.value.code == code


def test_who_stands_back_does_not_count(case):
    sign(case, 2, "x")
    party = Party("reviewer", "person:4", 4)
    data = {"seat": "z", "reason": "与申请方有利害关系。"}
    acts.perform(case, "panel", "panel.recused", party, data)
    sign(case, 3, "y")
    assert Case.objects.get().outcome == "approved"


@pytest.mark.parametrize(("key", "account"), [("person:4", 5), ("firm:9", 4)])
def test_who_stood_back_signs_no_other_seat_by_another_name_either(case, key, account):
    first = Party("reviewer", "person:4", 4)
    acts.perform(
        case, "panel", "panel.recused", first, {"seat": "z", "reason": "与申请方有亲属关系。"}
    )
    data = {"seat": "y", "decision": "approve", "score_a": 45, "score_b": 30}
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, "panel", "panel.signed", Party("reviewer", key, account), data)
    assert refused.value.code == "wrong_party"
    assert "已经回避" in str(refused.value)
    sign(case, 5, "y")


def test_a_signature_is_corrected_before_the_end_and_the_former_stays(case):
    first = sign(case, 2, "x", "reject", (10, 10), reason="条件不成熟。")
    party = Party("reviewer", "person:2", 2)
    data = {"decision": "approve", "score_a": 50, "score_b": 30, "why": "补充材料已核实。"}
    again = acts.perform(case, "panel", "panel.resigned", party, data)
    assert again.record.content["corrects"] == first.record.seq
    sign(case, 3, "y")
    sign(case, 4, "z")
    assert Case.objects.get().outcome == "approved"


def test_its_convener_does_not_close_it_before_every_required_seat_has_signed(case):
    sign(case, 1, "x")
    sign(case, 2, "y")  # two thirds: enough when the term is over, and not before
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, "panel", "panel.closed", Party("office", "person:1", 1))
    assert refused.value.code == "unmet"
    assert Case.objects.get(pk=case.pk).open
