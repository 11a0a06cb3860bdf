"""Objections to a notice: raised, decided, withdrawn, late, on paper, while the case is halted."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.sandbox.opinion_procedures import OFFICE, Design, Shortlist, household, photo
from workflows import acts, clock, records, sweep
from workflows.models import Attachment, Case, Record
from workflows.parties import Party
from workflows.steps.opinion import feedback_book
from workflows.steps.opinion_rows import Opinion, Reply
from workflows.steps.publicity import Objection
from workflows.steps.publicity_rows import objections

from .publicity_cases import (  # noqa: F401 - fixtures
    OPENED,
    PLACES,
    REASON,
    TEXT,
    WORDING,
    _fresh,
    day,
    decide,
    design_fixture,
    estate_fixture,
    hanging_fixture,
    object_to,
    open_run,
    post,
    refused,
    shortlist_fixture,
)


def reply(case, opinion, **changes):
    payload = {
        "opinions": [opinion.pk],
        "outcome": "not_adopted",
        "public_text": WORDING,
        "reason": REASON,
        **changes,
    }
    return acts.perform(case, "stand", "opinion.replied", OFFICE, payload)


# --- objections


def test_an_objection_leaves_no_words_and_no_name_in_the_record(design):
    done = object_to(design, household(1), {"papers": [photo(90)]})
    assert done.record.body == {"ground": "interest", "files": 1, "due_on": "2026-09-20"}
    decide(design, done.fact)
    trail = "".join(Record.objects.values_list("canonical", flat=True))
    for secret in ("household:", "person:", "stairwell:", "501室", "我家", "张三"):
        assert secret not in trail
    assert not Attachment.objects.filter(field="papers", public=True).exists()
    assert records.first_fault(Case.objects.get(pk=design.pk)) is None


def test_a_decision_publishes_the_masked_wording_and_the_reason(design):
    first, second = object_to(design, household(1)), object_to(design, household(2))
    done = decide(design, first.fact, second.fact)
    assert done.record.body == {
        "objections": [first.record.seq, second.record.seq],
        "outcome": "dismissed",
        "reason": REASON,
        "public_text": WORDING,
    }
    rows = list(objections(open_run(design), OPENED))
    assert [(r["life"], r["decision"], r["why"], r["wording"]) for r in rows] == [
        ("dismissed", "dismissed", REASON, WORDING)
    ] * 2
    assert Reply.objects.get().record == done.record
    assert Objection.objects.get(pk=first.fact.pk).record == first.record


def test_objections_are_raised_while_the_notice_stands(hanging):
    assert refused(object_to, hanging, household(1)).code == "early"
    post(hanging, *PLACES)
    with day(8, month=10, hour=23):
        object_to(hanging, household(1))
    with day(9, month=10):
        found = refused(object_to, hanging, household(2))
    assert (found.code, list(found.errors)) == ("late", ["as_opinion"])
    assert "作为意见提交" in str(found)


def test_the_same_objection_twice_is_a_duplicate(design):
    first = object_to(design, household(1))
    assert refused(object_to, design, household(1)).code == "duplicate"
    object_to(design, household(2))
    acts.perform(design, "stand", "objection.withdrawn", household(1), {"objection": first.fact.pk})
    object_to(design, household(1))


def test_an_undecided_objection_holds_the_end_and_shows_as_overdue(design):
    objection = object_to(design, household(1)).fact
    run = open_run(design)
    with day(20, hour=23):
        assert not objections(run, clock.now())[0]["overdue"]
    with day(21, hour=0):
        assert objections(run, clock.now())[0]["overdue"]
    with day(9, month=10):
        sweep.sweep()
        run = open_run(design)
        assert run.overdue_at is not None
        assert [str(line) for line in Design.stand.unmet(run)] == ["还有1件异议未核查"]
        decide(design, objection)
    design.refresh_from_db()
    assert design.outcome == "agreed"


def test_an_upheld_objection_leads_back_to_a_new_full_term_at_its_end(design):
    decide(design, object_to(design, household(1)).fact, decision="upheld")
    assert open_run(design).round == 1
    with day(9, month=10):
        sweep.sweep()
        run = open_run(design)
        assert (run.round, run.phase) == (2, "posting")
        post(design, *PLACES, first=200)
        assert open_run(design).ends_on == dt.date(2026, 10, 29)
    assert design.records.get(act="step.completed").body["outcome"] == "upheld"


def test_the_office_may_take_it_down_once_an_objection_is_upheld(design):
    stop = (acts.perform, design, "stand", "publicity.withdrawn", OFFICE)
    why = {"reason": "方案将按成立的异议修改。"}
    assert refused(*stop, why).code == "early"
    upheld, other = object_to(design, household(1)).fact, object_to(design, household(2)).fact
    decide(design, upheld, decision="upheld")
    assert refused(*stop, why).code == "unmet"
    decide(design, other)
    assert refused(*stop, {"reason": "无"}).code == "invalid"
    acts.perform(design, "stand", "publicity.withdrawn", OFFICE, why)
    assert open_run(design).round == 2
    assert design.records.get(act="step.completed").body == {
        "outcome": "upheld",
        "objections": {"dismissed": 1, "upheld": 1},
        "late": 0,
    }


def test_a_dismissed_objection_does_not_let_the_office_stop(design):
    decide(design, object_to(design, household(1)).fact)
    found = refused(
        acts.perform, design, "stand", "publicity.withdrawn", OFFICE, {"reason": "方案需要修改。"}
    )
    assert found.code == "early"


def test_only_its_author_withdraws_an_objection_and_only_before_the_decision(design):
    objection = object_to(design, household(1)).fact
    payload = {"objection": objection.pk}
    call = (acts.perform, design, "stand", "objection.withdrawn")
    assert refused(*call, household(2), payload).code == "invalid"
    decide(design, objection)
    assert refused(*call, household(1), payload).code == "closed_step"
    assert refused(decide, design, objection).code == "duplicate"


def test_withdrawing_the_last_objection_ends_it_after_the_term(shortlist):
    objection = object_to(shortlist, household(1)).fact
    with day(22):
        sweep.sweep()
        acts.perform(
            shortlist, "stand", "objection.withdrawn", household(1), {"objection": objection.pk}
        )
    shortlist.refresh_from_db()
    assert shortlist.outcome == "agreed"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ground": ""}, "ground"),
        ({"ground": "envy"}, "ground"),
        ({"text": ""}, "text"),
        ({"text": "  \n "}, "text"),
        ({"text": "!!!"}, "text"),
        ({"text": "长" * 2001}, "text"),
        ({"text": "a\x00b"}, "text"),
    ],
)
def test_bad_objections_change_nothing_and_say_what_is_wrong(design, changes, field):
    found = refused(object_to, design, household(1), **changes)
    assert (found.code, list(found.errors)) == ("invalid", [field])
    assert not Objection.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"objections": []}, "objections"),
        ({"objections": ["x"]}, "objections"),
        ({"objections": [424242]}, "objections"),
        ({"decision": "partly"}, "decision"),
        ({"decision": ""}, "decision"),
        ({"reason": ""}, "reason"),
        ({"reason": "同上"}, "reason"),
        ({"reason": "住户13812345678不同意"}, "reason"),
        ({"public_text": ""}, "public_text"),
        ({"public_text": TEXT}, "public_text"),
    ],
)
def test_bad_decisions_change_nothing_and_say_what_is_wrong(design, changes, field):
    objection = object_to(design, household(1)).fact
    found = refused(decide, design, objection, **changes)
    assert (found.code, list(found.errors)) == ("invalid", [field])
    assert Objection.objects.get().life == "raised"


def test_an_objection_of_another_case_is_not_decided_here(design, shortlist):
    objection = object_to(shortlist, household(1)).fact
    assert refused(decide, design, objection).code == "invalid"


@pytest.mark.parametrize(
    ("act", "who"),
    [
        ("objection.raised", OFFICE),
        ("objection.withdrawn", OFFICE),
        ("objection.decided", household(1)),
        ("notice.posted", household(1)),
        ("publicity.withdrawn", household(1)),
        ("opinion.replied", household(1)),
    ],
)
def test_each_act_has_its_parties(design, act, who):
    assert refused(acts.perform, design, "stand", act, who, {}).code == "wrong_party"


def test_nothing_is_posted_where_nothing_hangs(shortlist):
    assert refused(post, shortlist, PLACES[0]).code == "wrong_party"


# --- what comes late


def test_a_late_objection_becomes_an_opinion_and_holds_the_end_until_it_is_answered(design):
    objection = object_to(design, household(1)).fact
    with day(9, month=10):
        sweep.sweep()
        done = object_to(design, household(2), as_opinion="on")
        assert done.record.body == {"ground": "interest", "files": 0, "late": True}
        opinion = Opinion.objects.get()
        assert (opinion.late, opinion.text, opinion.life) == (True, TEXT, "submitted")
        decide(design, objection)
        run = open_run(design)
        assert [str(line) for line in Design.stand.unmet(run)] == [
            "还有1条逾期异议转为的意见未答复"
        ]
        reply(design, opinion)
    design.refresh_from_db()
    assert design.outcome == "agreed"
    assert Objection.objects.count() == 1
    row = feedback_book(run).get()
    assert (row["late"], row["outcome"], row["wording"]) == (True, "not_adopted", WORDING)


def test_within_the_term_it_is_an_objection_whatever_is_ticked(design):
    done = object_to(design, household(1), as_opinion="on")
    assert isinstance(done.fact, Objection)


def test_the_same_late_opinion_twice_is_a_duplicate(design):
    object_to(design, household(1))
    with day(9, month=10):
        object_to(design, household(2), as_opinion="on")
        assert refused(object_to, design, household(2), as_opinion="on").code == "duplicate"


def test_an_upheld_objection_stays_upheld_whatever_comes_late(shortlist):
    first, second = (object_to(shortlist, household(n)).fact for n in (1, 2))
    decide(shortlist, first, decision="upheld")
    with day(22):
        sweep.sweep()
        object_to(shortlist, household(3), as_opinion="on")
        decide(shortlist, second)
        reply(shortlist, Opinion.objects.get(), outcome="adopted")
    shortlist.refresh_from_db()
    assert shortlist.outcome == "overturned"


def test_a_provisional_term_ends_nothing(estate):
    with day(29, month=12):
        case = acts.open_case(Shortlist, estate, OFFICE, title="入围")
    assert open_run(case).provisional
    with clock.at(dt.datetime(2027, 1, 20, 12, tzinfo=clock.SHANGHAI)):
        sweep.sweep()
        assert open_run(case).overdue_at is None


# --- what pages read


def test_an_objection_costs_few_queries(design):
    with CaptureQueriesContext(connection) as found:
        object_to(design, household(1))
    own = [q["sql"] for q in found if "SAVEPOINT" not in q["sql"]]
    assert len(own) <= 13, own


def test_readers_show_no_author(design):
    object_to(design, household(1))
    rows = list(objections(open_run(design), OPENED))
    assert set(rows[0]) == {
        "seq",
        "ground",
        "life",
        "raised_at",
        "due_on",
        "overdue",
        "decision",
        "why",
        "wording",
        "decided_at",
        "decision_seq",
        "erased_at",
    }
    assert "household" not in str(rows)
    assert "501室" not in str(rows)


# --- paper that is typed in after the term ------------------------------------------------------

PAPER = Party("household", "household:5", via="paper")


def test_an_objection_on_paper_of_within_the_term_is_one_though_typed_in_after_it(shortlist):
    object_to(shortlist, household(1))  # undecided: the notice stays open
    last = open_run(shortlist).ends_on
    dated = dt.datetime.combine(last, dt.time(12), clock.SHANGHAI)
    payload = {"ground": "fact", "text": "打分表与公布的不一致。"}

    def paper(happened_at, who=PAPER):
        return acts.perform(
            shortlist, "stand", "objection.raised", who, payload, happened_at=happened_at
        )

    with clock.at(dated + dt.timedelta(days=1)):
        sweep.sweep()
        for who, moment in (
            (PAPER, dated + dt.timedelta(hours=20)),  # the day after the last
            (PAPER, None),
            (household(5), dated),
        ):
            with pytest.raises(acts.Refused) as refused:
                paper(moment, who)
            assert refused.value.code == "late"
        done = paper(dated)
    assert isinstance(done.fact, Objection)
    assert done.record.body["entered_late"] is True
    assert done.record.content["happened_at"].startswith(last.isoformat())
    assert open_run(shortlist).step.undecided(open_run(shortlist)).count() == 2


# --- suspension ---------------------------------------------------------------------------------


def halt(case, act):
    return acts.perform(case, "case", f"case.{act}", OFFICE, {"reason": "汛期"})


def test_the_time_to_decide_an_objection_stands_still_with_the_case(design):
    """Five working days from Monday 14 September; suspended from Wednesday to Wednesday."""
    object_to(design, household(1))
    assert Objection.objects.get().due_on == dt.date(2026, 9, 20)  # a Sunday that is worked
    with day(16):
        halt(design, "suspended")
    with day(23):
        said = halt(design, "resumed").record.body["terms"]
    objection = Objection.objects.get()
    # Tuesday had passed: four working days are left, counted after the 23rd; the 25th to the 27th
    # are Mid-Autumn.
    assert objection.due_on == dt.date(2026, 9, 30)
    assert (said[0]["step"], said[0]["objections"]) == ("stand", 1)
    assert said[0]["due_on"] == objection.due_on.isoformat()
    with day(28):
        halt(design, "suspended")
    with day(20, month=10):
        halt(design, "resumed")
    assert Objection.objects.get().due_on == dt.date(2026, 10, 23)  # three were left


def test_what_was_overdue_before_the_suspension_stays_so(shortlist):
    object_to(shortlist, household(1))
    before = Objection.objects.get().due_on
    term = open_run(shortlist).ends_on
    with clock.at(dt.datetime.combine(before, dt.time(9), clock.SHANGHAI) + dt.timedelta(days=3)):
        halt(shortlist, "suspended")
    with day(20, month=10):
        assert halt(shortlist, "resumed").record.body["terms"] == []
    assert (Objection.objects.get().due_on, open_run(shortlist).ends_on) == (before, term)


def test_an_objection_raised_late_in_the_term_moves_although_the_term_is_over(shortlist):
    last = open_run(shortlist).ends_on
    with clock.at(dt.datetime.combine(last, dt.time(9), clock.SHANGHAI)):
        object_to(shortlist, household(1))
    due = Objection.objects.get().due_on
    with clock.at(dt.datetime.combine(last, dt.time(9), clock.SHANGHAI) + dt.timedelta(days=1)):
        sweep.sweep()
        halt(shortlist, "suspended")
    with day(20, month=10):
        (said,) = halt(shortlist, "resumed").record.body["terms"]
    assert Objection.objects.get().due_on > due
    assert open_run(shortlist).ends_on == last
    assert "ends_on" not in said
