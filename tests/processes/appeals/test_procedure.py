"""Appeals from receipt to rating, through the one door; terms and cards by dated cases."""

from __future__ import annotations

import datetime as dt

import pytest

from processes.appeals import alike, reading, rules
from processes.appeals.models import Appeal, Link
from workflows import acts, calendars, records
from workflows.models import Record
from workflows.steps import handling
from workflows.terms import WorkingDays, end_of

from .conftest import ANSWER, ASSIGNED

D = dt.date.fromisoformat

# assigned, working days, last day, yellow card, red card. 2026: New Year 1 to 3 January with the
# 4th worked; spring festival 15 to 23 February with the 14th and 28th worked; May 1 to 5 with
# the 9th worked; national day 1 to 7 October with 20 September and 10 October worked.
CARDS = [
    ("2026-03-03", 5, "2026-03-10", "2026-03-09", "2026-03-11"),
    ("2026-03-06", 5, "2026-03-13", "2026-03-12", "2026-03-16"),
    ("2026-03-07", 5, "2026-03-13", "2026-03-12", "2026-03-16"),
    ("2026-03-03", 3, "2026-03-06", "2026-03-05", "2026-03-09"),
    ("2026-03-03", 2, "2026-03-05", "2026-03-04", "2026-03-06"),
    ("2026-02-12", 5, "2026-02-26", "2026-02-25", "2026-02-27"),
    ("2026-02-13", 2, "2026-02-24", "2026-02-14", "2026-02-25"),
    ("2026-04-30", 2, "2026-05-07", "2026-05-06", "2026-05-08"),
    ("2026-05-06", 3, "2026-05-09", "2026-05-08", "2026-05-11"),
    ("2026-09-30", 2, "2026-10-09", "2026-10-08", "2026-10-10"),
]


@pytest.mark.parametrize(("start", "days", "last", "yellow", "red"), CARDS)
def test_terms_and_cards(db, start, days, last, yellow, red):
    calendars.seed()
    calendar = calendars.current()
    due = end_of(WorkingDays(days), D(start), calendar)
    assert due.ends_on == D(last)
    assert handling.yellow_on(due.ends_on, calendar) == D(yellow)
    assert handling.red_on(due.ends_on, calendar) == D(red)


@pytest.mark.parametrize(
    ("assigned", "today", "before", "why"),
    [
        ("2026-03-03", "2026-03-03", False, ""),
        ("2026-03-03", "2026-03-05", False, ""),
        ("2026-03-03", "2026-03-06", False, "late"),
        ("2026-03-06", "2026-03-10", False, ""),
        ("2026-03-06", "2026-03-11", False, "late"),
        ("2026-03-03", "2026-03-03", True, "again"),
    ],
)
def test_returned_once_within_two_working_days(db, assigned, today, before, why):
    calendars.seed()
    assert rules.return_refused(D(assigned), D(today), before, calendars.current()) == why


def test_the_closed_loop(town):
    case, author, receipt = town.submit()
    assert receipt
    assert town.at(case) == "classify"
    town.do(case, "classify", "office", ASSIGNED)
    town.do(case, "handle", "first", ANSWER)
    acts.perform(case, "rate", "task.done", author, {"rating": "satisfied"})
    assert town.at(case) == "settled"
    assert records.first_fault(town.now(case)) is None


def test_nothing_of_the_author_is_public(town):
    case, _author = town.assigned()
    said = "".join(
        record.canonical + "".join(record.published) + str(record.body)
        for record in Record.objects.filter(case=case).prefetch_related("disclosures")
    )
    assert "王小明" not in said
    assert "楼道灯" not in said


def test_another_persons_appeal_is_nobody_elses(town):
    case, _author = town.assigned()
    _other, stranger, _receipt = town.submit()
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, "handle", "task.withdrawn", stranger)
    assert refused.value.code == "wrong_party"


def test_the_author_withdraws(town):
    case, author = town.assigned()
    acts.perform(case, "handle", "task.withdrawn", author)
    assert town.at(case) == "withdrawn"


def test_returned_once_and_not_twice(town):
    case, _author = town.assigned()
    town.do(case, "handle", "first", {"decision": "returned", "reason": "属于城管职责"})
    assert town.at(case) == "classify"
    town.do(case, "classify", "office", {**ASSIGNED, "unit": "city"})
    with pytest.raises(acts.Refused, match="已经退回过一次"):
        town.do(case, "handle", "city", {"decision": "returned", "reason": "不属于我们"})


def test_only_the_unit_that_it_was_given_to(town):
    case, _author = town.assigned(joint=["city"])
    with pytest.raises(acts.Refused) as refused:
        town.do(case, "handle", "city", ANSWER)
    assert refused.value.code == "wrong_party"
    town.do(case, "handle", "city", {"note": "已清理"}, act="part.done")
    with pytest.raises(acts.Refused):
        town.do(case, "handle", "first", {"note": "牵头"}, act="part.done")


def test_yellow_then_red_then_a_supervision_sheet(town):
    case, _author = town.assigned()
    run = case.runs.get(name="handle")
    town.day("2026-03-08")
    run.refresh_from_db()
    assert run.phase == ""
    town.day("2026-03-09")
    run.refresh_from_db()
    assert run.phase == "yellow"
    town.day("2026-03-10", 23)
    assert town.at(case) == "handle"
    town.day("2026-03-11")
    run.refresh_from_db()
    assert (run.phase, run.outcome) == ("red", "overdue")
    assert town.at(case) == "supervised"
    sheet = {name: value for name, value in ANSWER.items() if name != "decision"}
    town.do(case, "supervised", "first", sheet)
    town.do(case, "inspect", "overseer", {"decision": "settled", "finding": "已到现场核查"})
    assert town.at(case) == "supervised_settled"


def test_late_before_the_red_card_is_late(town):
    late, _author = town.assigned()
    prompt, _author = town.assigned()
    town.do(prompt, "handle", "first", ANSWER)
    town.day("2026-03-06")
    friday, _author = town.assigned(kind="repair")  # last day: Friday 13, red card: Monday 16
    town.day("2026-03-10", 23)
    town.do(late, "handle", "first", ANSWER)  # in the last hour
    town.day("2026-03-14", 10)
    assert town.at(friday) == "handle"
    town.do(friday, "handle", "first", ANSWER)  # on Saturday
    runs = {case.pk: case.runs.get(name="handle") for case in (late, prompt, friday)}
    assert runs[late.pk].broken_at is runs[prompt.pk].broken_at is None
    assert runs[friday.pk].broken_at is not None
    done = Record.objects.get(case=friday, step="handle", act="step.completed")
    assert done.body == {"outcome": "replied", "late": True}
    for _each in range(3):
        case, _author = town.assigned()
        town.do(case, "handle", "first", ANSWER)
    [row] = reading.figures()
    assert (row["n"], row["in_time"], row["overdue"]) == (6, 5, 1)
    red, _author = town.assigned()
    town.day("2026-03-24")
    assert red.runs.get(name="handle").broken_at is not None
    [row] = reading.figures()
    assert (row["n"], row["in_time"], row["overdue"]) == (7, 5, 2)


def test_extended_once_with_a_reason(town):
    case, _author = town.assigned()
    with pytest.raises(acts.Refused):
        town.do(case, "handle", "first", {"days": 11, "reason": "需要立项"}, act="term.extended")
    town.do(case, "handle", "first", {"days": 10, "reason": "需要立项"}, act="term.extended")
    run = case.runs.get(name="handle")
    assert run.ends_on == D("2026-03-24")
    with pytest.raises(acts.Refused, match="只能延期一次"):
        town.do(case, "handle", "first", {"days": 1, "reason": "还要再等"}, act="term.extended")
    town.day("2026-03-11")
    assert town.at(case) == "handle"
    town.day("2026-03-23")
    run.refresh_from_db()
    assert run.phase == "yellow"
    town.day("2026-03-25")
    assert town.at(case) == "supervised"


def test_not_satisfied_is_done_again_by_another(town):
    case, author = town.assigned()
    town.do(case, "handle", "first", ANSWER)
    acts.perform(case, "rate", "task.done", author, {"rating": "unsatisfied"})
    again = {name: value for name, value in ANSWER.items() if name != "decision"}
    with pytest.raises(acts.Refused, match="另一人"):
        town.do(case, "rework", "first", again)
    town.do(case, "rework", "second", again)
    acts.perform(case, "rate_again", "task.done", author, {"rating": "unsatisfied"})
    assert town.at(case) == "supervised"


def test_an_author_who_does_not_rate(town):
    case, _author = town.assigned()
    town.do(case, "handle", "first", ANSWER)
    town.day("2026-03-18")
    assert town.at(case) == "unrated"


def test_referred_with_the_door_named(town):
    case, _author, _receipt = town.submit()
    choice = {"decision": "referred", "kind": "other", "door": "petition"}
    town.do(case, "classify", "office", choice)
    assert town.at(case) == "referred"
    record = Record.objects.get(case=case, step="classify", act="task.done")
    assert record.body["door"] == "petition"


def test_what_looks_like_spam_waits_for_a_person(town):
    case, _author, receipt = town.submit(held="flood")
    assert receipt
    assert town.at(case) == "screen"
    town.do(case, "screen", "office", {"decision": "genuine", "reason": "电话核实"})
    assert town.at(case) == "classify"
    assert Appeal.objects.get(case=case).held == ""


def test_kinds_have_terms_of_their_own(town):
    case, _author = town.assigned(kind="safety")
    assert case.runs.get(name="handle").ends_on == D("2026-03-05")


def test_alike_are_proposed_and_linked_by_a_person(town):
    first, _a, _r = town.submit()
    second, _a, _r = town.submit(text="3号楼楼道的灯坏了！王小明来报修。")
    third, _a, _r = town.submit(text="广场舞每天晚上十点还在放音乐")
    appeal = Appeal.objects.get(case=second)
    assert [row.case_id for row in alike.proposals(appeal)] == [first.pk]
    assert alike.proposals(Appeal.objects.get(case=third)) == []
    town.do(second, "case", "office", {"number": first.number}, act="appeal.linked")
    assert Link.objects.get().other.case_id == first.pk
    assert town.at(first) == town.at(second) == "classify"


def test_the_wording_is_published_only_with_consent_and_without_the_name(town):
    case, _author, _receipt = town.submit(may_show="on", name="李测试")
    with pytest.raises(acts.Refused):
        town.do(case, "classify", "office", {**ASSIGNED, "wording": "李测试反映楼道灯坏"})
    town.do(case, "classify", "office", {**ASSIGNED, "wording": "楼道灯坏了"})
    assert Appeal.objects.get(case=case).wording == "楼道灯坏了"
    silent, _author, _receipt = town.submit(text="另外一件完全不同的事情")
    town.do(silent, "classify", "office", {**ASSIGNED, "wording": "不该公开"})
    assert Appeal.objects.get(case=silent).wording == ""
