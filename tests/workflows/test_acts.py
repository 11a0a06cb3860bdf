"""The one door: nothing happens without a record, and no record without its change."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import transaction

from sanwen import disclosure
from tests.sandbox.core_procedures import Errand, ErrandV2
from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import Plans, Results, Shortlist, household
from tests.sandbox.panel_procedures import Review
from workflows import acts, clock, holding, records, refusals, sweep
from workflows import procedure as procedures
from workflows.models import Alias, Case, Community, Disclosure, Record, Refusal, Trace
from workflows.parties import Party

NOON = dt.datetime(2026, 9, 14, 12, tzinfo=clock.SHANGHAI)
OFFICE = Party("office", "person:1")
REVIEWER = Party("reviewer", "person:2")


@pytest.fixture(autouse=True)
def _fresh(db):
    from workflows import calendars

    calendars.seed()
    SandboxDirectory.reset()
    with clock.at(NOON):
        yield


@pytest.fixture
def estate():
    return Community.objects.create(code="demo", name="示范小区", kind="estate")


@pytest.fixture
def case(estate):
    return acts.open_case(Errand, estate, OFFICE, title="甲事")


def acts_of(case):
    return list(case.records.order_by("seq").values_list("step", "act"))


def test_opening_gives_a_number_and_starts_the_first_step(case):
    assert case.number == "ERR-2026-0001"
    assert acts_of(case) == [("", "case.opened"), ("write", "step.opened")]
    run = case.runs.get(name="write")
    assert (run.ends_on, run.round) == (dt.date(2026, 9, 20), 1)


def test_numbers_run_on_within_a_year(case, estate):
    assert acts.open_case(Errand, estate, OFFICE, title="乙").number == "ERR-2026-0002"
    with clock.at(dt.datetime(2027, 1, 1, 0, 0, 1, tzinfo=clock.SHANGHAI)):
        assert acts.open_case(Errand, estate, OFFICE, title="丙").number == "ERR-2027-0001"


def walk(case, *, decision="agreed"):
    acts.perform(case, "write", "task.done", OFFICE, {"text": "甲", "name": "张三"})
    acts.perform(case, "check_b", "task.done", REVIEWER, {"note": "可"})
    acts.perform(case, "check_a", "task.done", OFFICE, {"note": "可"})
    return acts.perform(case, "decide", "task.done", OFFICE, {"note": "可", "chosen": decision})


def test_a_case_runs_to_its_end_with_a_record_of_every_step(case):
    walk(case)
    case.refresh_from_db()
    assert case.finished == NOON
    assert case.outcome == "agreed"
    assert acts_of(case)[-1] == ("", "case.closed")
    assert records.first_fault(case) is None
    assert case.length == case.records.count()


def test_parallel_steps_wait_for_one_another(case):
    acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"})
    acts.perform(case, "check_a", "task.done", OFFICE, {"note": "可"})
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, "decide", "task.done", OFFICE, {"note": "早", "chosen": "agreed"})
    assert refused.value.code == "closed_step"


def test_a_back_edge_opens_a_new_round(case):
    walk(case, decision="again")
    assert list(case.runs.filter(name="write").values_list("round", flat=True)) == [1, 2]
    walk(case)
    case.refresh_from_db()
    assert case.outcome == "agreed"
    assert records.first_fault(case) is None


def test_private_values_are_digests_in_the_record_and_clear_only_beside_it(case):
    acts.perform(case, "write", "task.done", OFFICE, {"text": "甲", "name": "张三"})
    record = case.records.get(act="task.done")
    assert "张三" not in record.canonical
    assert len(record.content["_sd"]) == 1
    disclosure = Disclosure.objects.get(record=record, public=False)
    assert disclosure.digest in record.content["_sd"]
    Disclosure.objects.all().delete()
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None


def test_words_are_published_beside_the_hashed_bytes_and_can_be_withdrawn(case):
    said = "三号楼要一部电梯"
    acts.perform(case, "write", "task.done", OFFICE, {"text": said})
    record = case.records.get(act="task.done")
    assert record.body == {"text": said, "outcome": "done"}
    assert record.content["body"].keys() == {"outcome", "_sd"}
    assert said not in record.canonical
    record.disclosures.filter(public=True).delete()
    again = case.records.get(act="task.done")
    assert (again.body, again.withdrawn) == ({"outcome": "done"}, 1)
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None


@pytest.mark.parametrize("typed", ["13800138000", "wxid_abc123", "2026-03-03", "agreed", "138"])
def test_whatever_a_person_types_stays_out_of_the_hashed_bytes(case, typed):
    acts.perform(case, "write", "task.done", OFFICE, {"text": typed})
    record = case.records.get(act="task.done")
    assert typed not in json.dumps(record.content["body"])
    assert record.body["text"] == typed


def test_the_hashed_bytes_hold_no_words(case):
    walk(case)
    acts.perform(case, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正一处"})
    assert all(record.canonical.isascii() for record in case.records.all())
    opened = case.records.get(seq=0)
    assert opened.body["title"] == case.title


def test_the_words_can_be_downloaded_beside_the_records(case, client):
    walk(case)
    lines = b"".join(client.get(f"/cases/{case.number}/disclosures.jsonl")).splitlines()
    found = {record.seq: record.body for record in case.records.all()}
    contents = {record.seq: record.content for record in case.records.all()}
    by_seq: dict[int, list[str]] = {}
    for line in map(json.loads, lines):
        by_seq.setdefault(line["seq"], []).append(line["disclosure"])
    assert by_seq
    for seq, content in contents.items():
        assert disclosure.opened(content, by_seq.get(seq, [])) == found[seq]
    assert "张三" not in json.dumps(found, ensure_ascii=False)


def test_a_party_whose_alias_is_gone_cannot_be_found_again(case):
    acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"})
    name = case.records.get(act="task.done").content["party"]["id"]
    assert records.pseudonym(case, OFFICE.key) == name
    Alias.objects.filter(case=case).delete()
    assert records.pseudonym(case, OFFICE.key) != name


def test_no_key_of_a_party_enters_a_record(case):
    walk(case)
    assert not any("person:" in row.canonical for row in Record.objects.all())


def test_pseudonyms_are_stable_within_a_case_and_differ_between_cases(case, estate):
    other = acts.open_case(Errand, estate, OFFICE, title="乙")
    assert records.pseudonym(case, "person:1") == records.pseudonym(case, "person:1")
    assert records.pseudonym(case, "person:1") != records.pseudonym(other, "person:1")


REFUSALS = [
    ("write", "task.done", REVIEWER, {"text": "甲"}, "wrong_party"),
    ("check_a", "task.done", OFFICE, {"note": "可"}, "closed_step"),
    ("nowhere", "task.done", OFFICE, {}, "closed_step"),
    ("write", "task.undone", OFFICE, {"text": "甲"}, "invalid"),
    ("write", "task.done", OFFICE, {}, "invalid"),
    ("write", "task.done", OFFICE, {"text": "甲" * 2001}, "invalid"),
    ("write", "term.ended", OFFICE, {}, "wrong_party"),
    ("case", "case.resumed", OFFICE, {"reason": "无"}, "closed_step"),
    ("case", "case.suspended", REVIEWER, {"reason": "无"}, "wrong_party"),
    ("case", "record.corrected", OFFICE, {"seq": 99, "text": "无"}, "invalid"),
]


@pytest.mark.parametrize(("step", "act", "party", "payload", "code"), REFUSALS)
def test_a_refused_act_changes_nothing_and_is_logged(case, step, act, party, payload, code):
    before = (case.length, Record.objects.count(), Trace.objects.count())
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, step, act, party, payload)
    assert refused.value.code == code
    assert str(refused.value)
    case.refresh_from_db()
    assert (case.length, Record.objects.count(), Trace.objects.count()) == before
    assert Refusal.objects.get().code == code


def test_a_party_that_no_longer_holds_its_role_is_refused(case):
    SandboxDirectory.denied = {"person:1"}
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"})
    assert refused.value.code == "wrong_party"


def test_the_same_submission_twice_is_one_act_with_one_receipt(case):
    first = acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"}, key="k1")
    again = acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"}, key="k1")
    assert again.repeated
    assert again.record.pk == first.record.pk
    assert again.receipt == first.receipt
    assert case.records.filter(act="task.done").count() == 1


def test_a_key_of_somebody_else_is_refused(case):
    acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"}, key="k1")
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, "check_b", "task.done", REVIEWER, {"note": "可"}, key="k1")
    assert refused.value.code == "duplicate"


def test_a_receipt_is_found_by_its_hash_and_stored_nowhere(case):
    done = acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"})
    typed = done.receipt.lower().replace("-", " ")
    assert Trace.objects.get(receipt=records.receipt_hash(typed)).record_id == done.record.pk
    assert len(done.receipt.replace("-", "")) == 20


def test_a_suspended_case_takes_no_acts_and_its_terms_stand_still(case):
    acts.perform(case, "case", "case.suspended", OFFICE, {"reason": "汛期"})
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"})
    assert refused.value.code == "suspended"
    with clock.at(dt.datetime(2026, 9, 29, 9, tzinfo=clock.SHANGHAI)):
        assert sweep.sweep() == 0
        acts.perform(case, "case", "case.resumed", OFFICE, {"reason": "汛期已过"})
    run = case.runs.get(name="write")
    # Six of five days... the day count left on 14 September (6, over a weekend day) runs on from
    # 29 September and rolls over National Day.
    assert run.ends_on == dt.date(2026, 10, 8)
    assert case.records.filter(act="case.resumed").get().body["terms"][0]["step"] == "write"


def test_a_term_that_runs_out_on_an_undone_task_is_overdue_once(case):
    with clock.at(dt.datetime(2026, 9, 21, 0, 0, tzinfo=clock.SHANGHAI)):
        assert sweep.sweep() == 1
        assert sweep.sweep() == 0
    run = case.runs.get(name="write")
    assert run.overdue_at is not None
    assert case.records.filter(act="term.ended").count() == 1
    with clock.at(dt.datetime(2026, 9, 22, 9, tzinfo=clock.SHANGHAI)):
        acts.perform(case, "write", "task.done", OFFICE, {"text": "迟"})


def test_parameters_are_kept_within_their_bounds_and_published(estate):
    case = acts.open_case(Errand, estate, OFFICE, title="甲", params={"decide.term": "30d"})
    assert case.params == {"decide.term": "30d"}
    assert case.records.get(seq=0).body["params"] == {"decide.term": "30d"}
    for wrong in ("31d", "9d", "20w", "x", "-3d"):
        with pytest.raises(acts.Refused):
            acts.open_case(Errand, estate, OFFICE, title="甲", params={"decide.term": wrong})


def test_a_case_keeps_the_version_that_it_was_opened_under(estate):
    with clock.at(dt.datetime(2026, 6, 1, 9, tzinfo=clock.SHANGHAI)):
        old = acts.open_case(
            procedures.current("errand", clock.today()), estate, OFFICE, title="旧"
        )
    new = acts.open_case(procedures.current("errand", clock.today()), estate, OFFICE, title="新")
    assert (old.declared, new.declared) == (Errand, ErrandV2)
    walk(Case.objects.get(pk=old.pk))
    acts.perform(new, "write", "task.done", OFFICE, {"text": "新"})
    acts.perform(new, "decide", "task.done", OFFICE, {"note": "可", "chosen": "agreed"})
    assert set(Case.objects.values_list("version", "outcome")) == {
        ("1", "agreed"),
        ("2", "agreed"),
    }


def test_an_act_that_moves_no_token_costs_few_queries(case, django_assert_max_num_queries):
    with django_assert_max_num_queries(9):  # one of them the row of news
        acts.perform(case, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正"})


def test_records_are_canonical_json(case):
    walk(case)
    for record in case.records.all():
        content = json.loads(record.canonical)
        assert list(content) == sorted(content)
        assert content["at"].endswith("+08:00")


def test_a_broken_chain_is_found(case):
    walk(case)
    case.refresh_from_db()
    victim = case.records.get(seq=3)
    Record.objects.filter(pk=victim.pk).update(
        canonical=victim.canonical.replace('"seq":3', '"seq":4')
    )
    assert records.first_fault(case) == 3


def test_a_term_into_a_year_not_announced_fires_nothing_until_it_is_loaded(estate):
    december = dt.datetime(2026, 12, 28, 9, tzinfo=clock.SHANGHAI)
    with clock.at(december):
        case = acts.open_case(Errand, estate, OFFICE, title="跨年")
    run = case.runs.get(name="write")
    assert run.provisional
    with clock.at(dt.datetime(2027, 1, 20, 9, tzinfo=clock.SHANGHAI)):
        assert sweep.sweep() == 0
        _load_2027()
        assert sweep.sweep() == 1
    run.refresh_from_db()
    assert not run.provisional
    assert list(
        case.records.filter(act__startswith="term.").order_by("seq").values_list("act", flat=True)
    ) == ["term.recomputed", "term.ended"]
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None


def _load_2027():
    from workflows.models import CalendarDay, CalendarYear

    CalendarYear.objects.create(year=2027, source="示范")
    for day in (1, 2, 3):
        CalendarDay.objects.create(
            date=dt.date(2027, 1, day), is_workday=False, source="示范", name="元旦"
        )


def test_a_closed_case_takes_no_act_but_a_correction(case):
    walk(case)
    for step, act, data in (
        ("write", "task.done", {"text": "再"}),
        ("decide", "task.done", {"note": "再", "chosen": "again"}),
        ("case", "case.suspended", {"reason": "再"}),
    ):
        with pytest.raises(acts.Refused) as refused:
            acts.perform(case, step, act, OFFICE, data)
        assert refused.value.code == "closed_step"
    acts.perform(case, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正"})
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None


def test_what_happens_tomorrow_has_not_happened(case):
    done = {"text": "甲"}
    with pytest.raises(acts.Refused) as refused:
        acts.perform(
            case, "write", "task.done", OFFICE, done, happened_at=NOON + dt.timedelta(seconds=1)
        )
    assert refused.value.code == "invalid"
    acts.perform(case, "write", "task.done", OFFICE, done, happened_at=NOON)


@pytest.mark.django_db(transaction=True)
def test_who_listens_is_told_once_the_act_stands_and_cannot_undo_it(case):
    told = []

    def listen(sender, number, step, act, moved, record_id, **_more):
        told.append((number, step, act, moved))
        assert Record.objects.get(pk=record_id).act == act

    def fail(sender, **_more):
        raise ValueError("the listener is broken")

    acts.acted.connect(listen)
    acts.acted.connect(fail)
    try:
        with pytest.raises(acts.Refused):
            acts.perform(case, "write", "task.done", OFFICE, {})
        with transaction.atomic():
            acts.perform(case, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正"})
            transaction.set_rollback(True)
        acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"})
    finally:
        acts.acted.disconnect(listen)
        acts.acted.disconnect(fail)
    assert told == [(case.number, "write", "task.done", True)]


def test_what_was_refused_in_a_broken_transaction_is_only_logged(case):
    """The database takes no more rows there; asking it to would hide the refusal."""
    with transaction.atomic():
        transaction.set_rollback(True)
        refusals.log(case, "write", "task.done", OFFICE, "invalid")
    assert not Refusal.objects.exists()


GRAPH = ("steprun_previous", 'INSERT INTO "workflows_steprun"', 'UPDATE "workflows_steprun"')


@pytest.mark.parametrize(
    ("declared", "step", "act", "party", "data"),
    [
        (Errand, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正"}),
        (Plans, "ask", "opinion.submitted", household(1), {"text": "希望增加车位。"}),
        (Results, "ask", "survey.answered", household(1), {"answer": "satisfied"}),
        (
            Shortlist,
            "stand",
            "objection.raised",
            household(1),
            {"ground": "content", "text": "打分有误，请核查。"},
        ),
        (
            Review,
            "panel",
            "panel.signed",
            Party("reviewer", "person:1"),
            {"seat": "x", "decision": "approve", "score_a": 50, "score_b": 30},
        ),
    ],
)
def test_an_act_that_moves_no_token_never_touches_the_graph(
    estate, declared, step, act, party, data, django_assert_max_num_queries
):
    case = acts.open_case(declared, estate, OFFICE, title="甲")
    with django_assert_max_num_queries(20) as asked:
        done = acts.perform(case, step, act, party, data)
    assert done.record.act == act
    touched = [q["sql"] for q in asked.captured_queries if any(part in q["sql"] for part in GRAPH)]
    assert touched == []


def test_records_of_one_act_have_one_name_for_a_party_that_was_not_there_before(case):
    """What the door read of the party holds for the first record alone."""
    stranger = Party("office", "person:404404", None)
    with holding.hold(case):
        found = records.Found(case.length, None, None)
        for _n in range(2):
            records.append(
                case, act="case.noted", at=clock.now(), party=stranger, body={}, found=found
            )
        records.flush(case)
    ids = [json.loads(r.canonical)["party"]["id"] for r in case.records.filter(act="case.noted")]
    assert len(ids) == 2
    assert len(set(ids)) == 1
