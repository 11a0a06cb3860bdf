"""Meetings, selections and ledgers through the door."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.panel_procedures import Books
from workflows import acts, calendars, clock, records, sweep
from workflows.models import Candidate, Case, Community, LedgerEntry, SignUp
from workflows.parties import Member, Party

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
OFFICE = Party("office", "person:1", 1)
CONTRACTOR = Party("contractor", "person:2", 2)


def household(number: int) -> Party:
    return Party("household", f"household:{number}", 10 + number)


def judge(number: int) -> Party:
    return Party("reviewer", f"person:{30 + number}", 30 + number)


@pytest.fixture
def case(db, django_user_model):
    calendars.seed()
    SandboxDirectory.reset()
    SandboxDirectory.groups["households"] = [
        Member(f"household:{n}", f"1号楼1单元{n}室", "1号楼1单元***室") for n in range(1, 4)
    ]
    for pk in (1, 2, *range(11, 15), *range(31, 34)):
        django_user_model.objects.create(pk=pk, username=f"u{pk}")
    with clock.at(NOON):
        estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
        yield acts.open_case(Books, estate, OFFICE, title="台账")


def call(case, days=3, places="", **more):
    starts = (NOON + dt.timedelta(days=days)).strftime("%Y-%m-%dT19:00")
    data = {"starts_at": starts, "place": "活动室", "agenda": "听取改造意见", "places": places}
    acts.perform(case, "meeting", "meeting.called", OFFICE, {**data, **more})
    return case.runs.get(name="meeting").sessions.latest("pk")


def refused(case, step, act, party, data=None) -> str:
    with pytest.raises(acts.Refused) as found:
        acts.perform(case, step, act, party, data or {})
    return found.value.code


def held(case, session):
    clock.set_now(session.starts_at + dt.timedelta(hours=2))
    acts.perform(case, "meeting", "meeting.held", OFFICE, {"session": session.pk, "attendance": 9})
    data = {"session": session.pk, "minutes": "逐项讨论，记录意见。"}
    acts.perform(case, "meeting", "meeting.minuted", OFFICE, data)


BAD_CALLS = [
    {"starts_at": ""},
    {"starts_at": "2020-01-01T10:00"},
    {"starts_at": "明天"},
    {"place": ""},
    {"agenda": "无"},
    {"places": "0"},
    {"places": "-1"},
    {"place": "王某家，电话13812345678"},
]


@pytest.mark.parametrize("wrong", BAD_CALLS)
def test_a_call_with_a_fault_is_refused(case, wrong):
    with pytest.raises(acts.Refused):
        call(case, **wrong)


def test_meetings_end_only_when_enough_are_held_and_minuted(case):
    assert refused(case, "meeting", "meetings.closed", OFFICE) == "unmet"
    session = call(case)
    assert refused(case, "meeting", "meetings.closed", OFFICE) == "unmet"
    early = {"session": session.pk, "attendance": 3}
    assert refused(case, "meeting", "meeting.held", OFFICE, early) == "early"
    held(case, session)
    acts.perform(case, "meeting", "meetings.closed", OFFICE)
    assert case.runs.filter(name="selection").exists()


def test_places_are_kept_and_the_next_moves_up(case):
    session = call(case, places="1")
    data = {"session": session.pk}
    acts.perform(case, "meeting", "meeting.signed_up", household(1), data)
    acts.perform(case, "meeting", "meeting.signed_up", household(2), data)
    assert refused(case, "meeting", "meeting.signed_up", household(1), data) == "duplicate"
    assert list(SignUp.objects.values_list("life", flat=True)) == ["coming", "waiting"]
    acts.perform(case, "meeting", "signup.cancelled", household(1), data)
    assert list(SignUp.objects.order_by("pk").values_list("life", flat=True)) == [
        "cancelled",
        "coming",
    ]
    assert refused(case, "meeting", "signup.cancelled", household(3), data) == "invalid"


@pytest.fixture
def choosing(case):
    held(case, call(case))
    acts.perform(case, "meeting", "meetings.closed", OFFICE)
    return case


def enrol(case, number, **more):
    data = {"name": f"示范{number}", "statement": "愿意服务。", "consent": "on", **more}
    return acts.perform(case, "selection", "candidate.enrolled", household(number), data)


def due(case):
    run = case.runs.get(name="selection")
    clock.set_now(run.scheduled)
    sweep.sweep()


def test_the_best_by_mean_are_chosen_and_ties_go_to_who_came_first(choosing):
    for number in (1, 2, 3):
        done = enrol(choosing, number)
        assert "示范" not in done.record.canonical
    due(choosing)
    points = {1: (80, 90), 2: (85, 85), 3: (99, 70)}
    for candidate in Candidate.objects.all():
        for at, given in enumerate(points[candidate.number], start=1):
            data = {"candidate": candidate.pk, "points": given}
            acts.perform(choosing, "selection", "mark.given", judge(at), data)
    due(choosing)
    lives = dict(Candidate.objects.values_list("number", "life"))
    assert lives == {1: "chosen", 2: "chosen", 3: "reserve"}
    ranking = choosing.records.get(act="step.completed", step="selection").body["ranking"]
    assert [row["number"] for row in ranking] == [1, 2, 3]
    assert ranking[0]["tied"]


def test_too_few_candidates_run_the_enrolment_again(choosing):
    enrol(choosing, 1)
    due(choosing)
    run = choosing.runs.get(name="selection")
    assert (run.phase, run.is_open) == ("enrol", True)
    enrol(choosing, 2)
    due(choosing)
    run.refresh_from_db()
    assert run.phase == "mark"


def test_enrolment_refuses_what_it_must(choosing):
    enrol(choosing, 1)
    step, act = "selection", "candidate.enrolled"
    full = {"name": "示范", "statement": "愿意。", "consent": "on"}
    assert refused(choosing, step, act, household(1), full) == "duplicate"
    assert refused(choosing, step, act, household(2), {**full, "consent": ""}) == "invalid"
    assert refused(choosing, step, act, household(2), {**full, "name": "长" * 41}) == "invalid"
    assert refused(choosing, step, act, OFFICE, full) == "wrong_party"
    candidate = Candidate.objects.get()
    early = {"candidate": candidate.pk, "points": 50}
    assert refused(choosing, step, "mark.given", judge(1), early) == "early"


def test_a_judge_who_stands_back_never_counts(choosing):
    for number in (1, 2):
        enrol(choosing, number)
    due(choosing)
    first, second = Candidate.objects.order_by("number")
    for candidate in (first, second):
        data = {"candidate": candidate.pk, "points": 60}
        acts.perform(choosing, "selection", "mark.given", judge(1), data)
    acts.perform(
        choosing, "selection", "mark.given", judge(2), {"candidate": first.pk, "points": 0}
    )
    acts.perform(choosing, "selection", "mark.recused", judge(2), {"candidate": first.pk})
    again = {"candidate": first.pk, "points": 100}
    assert refused(choosing, "selection", "mark.given", judge(2), again) == "wrong_party"
    for points in (101, -1, ""):
        bad = {"candidate": first.pk, "points": points}
        assert refused(choosing, "selection", "mark.given", judge(3), bad) == "invalid"
    due(choosing)
    first = Candidate.objects.get(pk=first.pk)
    assert (first.points, first.marked) == (60, 1)


@pytest.fixture
def ledger(choosing):
    for number in (1, 2):
        enrol(choosing, number)
    due(choosing)
    for candidate in Candidate.objects.all():
        data = {"candidate": candidate.pk, "points": 60}
        acts.perform(choosing, "selection", "mark.given", judge(1), data)
    due(choosing)
    return choosing


def add(case, party=OFFICE, **more):
    on = clock.today().isoformat()
    data = {"kind": "fault", "on": on, "fen": 100, "text": "灯不亮", **more}
    return acts.perform(case, "ledger", "entry.added", party, data)


def test_a_ledger_closes_when_nothing_waits_in_it(ledger):
    entry = add(ledger).fact
    acts.perform(ledger, "ledger", "dues.set", OFFICE, {"amount": "500.00"})
    assert refused(ledger, "ledger", "dues.set", OFFICE, {"amount": "1"}) == "duplicate"
    closing = {"reason": "全部办结。"}
    assert refused(ledger, "ledger", "ledger.closed", OFFICE, closing) == "unmet"
    fixed = {"entry": entry.pk, "to": "fixed", "note": "已经更换。"}
    assert refused(ledger, "ledger", "entry.moved", OFFICE, fixed) == "wrong_party"
    acts.perform(ledger, "ledger", "entry.moved", CONTRACTOR, fixed)
    assert refused(ledger, "ledger", "entry.moved", CONTRACTOR, fixed) == "duplicate"
    for due_entry in LedgerEntry.objects.filter(kind="dues"):
        paid = {"entry": due_entry.pk, "to": "paid", "note": "已经到账。"}
        acts.perform(ledger, "ledger", "entry.moved", OFFICE, paid)
    acts.perform(ledger, "ledger", "ledger.closed", OFFICE, closing)
    case = Case.objects.get(pk=ledger.pk)
    assert case.outcome == "done"
    assert records.first_fault(case) is None


def test_who_has_not_paid_is_never_public(ledger, client):
    acts.perform(ledger, "ledger", "dues.set", OFFICE, {"amount": "500.00"})
    first = LedgerEntry.objects.filter(kind="dues").first()
    paid = {"entry": first.pk, "to": "paid", "note": "已经到账。"}
    acts.perform(ledger, "ledger", "entry.moved", OFFICE, paid)
    run = ledger.runs.get(name="ledger")
    shown = run.step.page(run)
    assert [entry.pk for entry in shown["entries"]] == [first.pk]
    page = client.get(f"/cases/{ledger.number}/steps/{run.pk}/").content.decode()
    assert page.count("1号楼1单元***室") == 1
    assert "1号楼1单元2室" not in page


BAD_ENTRIES = [
    {"kind": "nothing"},
    {"kind": ""},
    {"on": ""},
    {"on": "2026-02-30"},
    {"on": "2099-01-01"},
    {"fen": "0"},
    {"fen": "1.5"},
    {"fen": "很多"},
    {"text": ""},
    {"text": "长" * 51},
]


@pytest.mark.parametrize("wrong", BAD_ENTRIES)
def test_a_bad_entry_is_refused(ledger, wrong):
    with pytest.raises(acts.Refused):
        add(ledger, **wrong)
    assert not LedgerEntry.objects.exists()


def test_a_wrong_entry_is_struck_and_stays_visible(ledger):
    entry = add(ledger).fact
    done = acts.perform(
        ledger, "ledger", "entry.corrected", OFFICE, {"entry": entry.pk, "reason": "金额登记有误。"}
    )
    entry = LedgerEntry.objects.get(pk=entry.pk)
    assert entry.standing == "struck"
    assert done.record.content["corrects"] == entry.seq
    run = ledger.runs.get(name="ledger")
    assert run.step.page(run)["entries"].count() == 1


def test_nobody_marks_themselves_and_all_are_marked_before_it_is_decided(choosing):
    for number in (1, 2):
        enrol(choosing, number)
    due(choosing)
    first, second = Candidate.objects.order_by("number")
    points = {"candidate": first.pk, "points": 100}
    as_judge = Party("reviewer", "person:11", 11)  # the account that stands for household 1
    assert refused(choosing, "selection", "mark.given", as_judge, points) == "wrong_party"
    reason = {"reason": "提前汇总评议结果。"}
    acts.perform(choosing, "selection", "mark.given", judge(1), points)
    assert refused(choosing, "selection", "selection.decided", OFFICE, reason) == "unmet"
    data = {"candidate": second.pk, "points": 50}
    acts.perform(choosing, "selection", "mark.given", judge(1), data)
    acts.perform(choosing, "selection", "selection.decided", OFFICE, reason)
    assert Candidate.objects.get(pk=first.pk).rank == 1


def test_whoever_is_refused_or_has_left_is_not_marked(choosing):
    for number in (1, 2, 3):
        enrol(choosing, number)
    first = Candidate.objects.order_by("number").first()
    why = {"candidate": first.pk, "reason": "不符合公布的报名条件。"}
    assert refused(choosing, "selection", "candidate.refused", judge(1), why) == "wrong_party"
    acts.perform(choosing, "selection", "candidate.refused", OFFICE, why)
    acts.perform(choosing, "selection", "candidate.withdrawn", household(2))
    lives = dict(Candidate.objects.values_list("number", "life"))
    assert lives == {1: "refused", 2: "withdrawn", 3: "enrolled"}
    assert refused(choosing, "selection", "candidate.withdrawn", household(2)) == "invalid"
    due(choosing)
    run = choosing.runs.get(name="selection")
    assert run.phase == "enrol"  # one is left of the two places at least: enrolment again


def test_a_session_that_has_begun_or_is_cancelled_takes_no_one(case):
    session = call(case)
    data = {"session": session.pk}
    clock.set_now(session.starts_at)
    assert refused(case, "meeting", "meeting.signed_up", household(1), data) == "late"
    cancelled = {**data, "reason": "场地临时不能使用。"}
    acts.perform(case, "meeting", "meeting.cancelled", OFFICE, cancelled)
    assert refused(case, "meeting", "meeting.held", OFFICE, {**data, "attendance": 1}) == "invalid"
    assert refused(case, "meeting", "meeting.cancelled", OFFICE, cancelled) == "invalid"
    assert refused(case, "meeting", "meetings.closed", OFFICE) == "unmet"
