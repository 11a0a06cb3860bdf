"""Consultations: every household, the end of the step, satisfaction, what pages read."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import COMMITTEE, OFFICE, Needs, Plans, Results, household
from workflows import acts, clock, sweep
from workflows.parties import Member, Party
from workflows.soundness import faults
from workflows.steps.consultation import Consultation, HouseholdReturn, SurveyAnswer
from workflows.steps.consultation_rows import satisfaction
from workflows.steps.opinion_rows import Opinion

from .consultation_cases import (  # noqa: F401 - fixtures
    HOMES,
    _fresh,
    answer,
    day,
    estate_fixture,
    needs_fixture,
    open_run,
    plans_fixture,
    refused,
    results_fixture,
    say,
    visit,
)


def account_for_all(case, numbers=range(1, HOMES + 1)):
    for number in numbers:
        visit(case, number, "returned")


# --- bad input, each with its error

BAD_VISITS = [
    ({"household": "household:77"}, "household"),
    ({"household": ""}, "household"),
    ({"result": "asleep"}, "result"),
    ({"on": "2026-09-15"}, "on"),
    ({"on": "2026-09-13"}, "on"),
    ({"on": "昨天"}, "on"),
]


@pytest.mark.parametrize(("changes", "field"), BAD_VISITS)
def test_bad_visits_change_nothing_and_say_what_is_wrong(needs, changes, field):
    payload = {"household": "household:1", "result": "not_met", "on": "2026-09-14", **changes}
    found = refused(acts.perform, needs, "ask", "household.visited", COMMITTEE, payload)
    assert (found.code, list(found.errors)) == ("invalid", [field])


@pytest.mark.parametrize(
    ("act", "who"),
    [
        ("opinion.submitted", OFFICE),
        ("opinion.replied", household(1)),
        ("reply.corrected", household(1)),
        ("household.visited", household(1)),
        ("opinion.withdrawn", COMMITTEE),
        ("consultation.closed", household(1)),
        ("survey.answered", household(1)),  # this consultation has none
        ("term.ended", OFFICE),
    ],
)
def test_each_act_has_its_parties(needs, act, who):
    assert refused(acts.perform, needs, "ask", act, who, {}).code == "wrong_party"


def test_a_party_that_the_directory_denies_is_refused(needs):
    SandboxDirectory.denied = {"household:1"}
    assert refused(say, needs, household(1)).code == "wrong_party"


# --- every household (逐户)


def test_a_household_is_accounted_for_in_four_ways(needs):
    run = open_run(needs)
    say(needs, household(1))
    visit(needs, 2, "returned")
    visit(needs, 3, "refused")
    with day(16):
        for on in ("2026-09-14", "2026-09-15", "2026-09-16"):
            assert Needs.ask.progress(run)["accounted"] == 3
            done = visit(needs, 4, "not_met", on)
    assert done.record.body == {"result": "not_met", "visits": 3, "on": "2026-09-16"}
    assert Needs.ask.progress(run)["accounted"] == 4
    assert not Needs.ask.unaccounted(run).exists()


def test_knocking_three_times_in_one_day_is_one_visit(needs):
    visit(needs, 1, "not_met")
    assert refused(visit, needs, 1, "not_met").code == "duplicate"
    assert HouseholdReturn.objects.get(party_key="household:1").visits == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("returned", "returned"),
        ("returned", "refused"),
        ("returned", "not_met"),
        ("refused", "refused"),
        ("refused", "not_met"),
    ],
)
def test_what_came_of_a_household_is_not_undone_by_a_later_visit(needs, first, second):
    visit(needs, 1, first)
    with day(15):
        assert refused(visit, needs, 1, second, "2026-09-15").code == "duplicate"


def test_who_refused_may_still_return_the_form_or_give_an_opinion(needs):
    visit(needs, 1, "refused")
    visit(needs, 1, "returned")
    visit(needs, 2, "refused")
    say(needs, household(2))
    assert set(HouseholdReturn.objects.values_list("life", flat=True)) == {
        "returned",
        "answered",
        "waiting",
    }


def test_an_estate_without_registered_households_has_not_been_asked(estate):
    SandboxDirectory.groups["households"] = []
    case = acts.open_case(Needs, estate, OFFICE, title="问需")
    with day(30):
        sweep.sweep()
        run = open_run(case)
        assert run.overdue_at is not None
        assert [str(line) for line in Needs.ask.unmet(run)] == ["小区尚未登记住户"]
        SandboxDirectory.groups["households"] = [Member("household:1", "101室", "***室")]
        visit(case, 1, "returned", "2026-09-20")
    assert not case.runs.filter(name="ask", finished__isnull=True).exists()


# --- completion


def test_it_ends_by_itself_when_the_term_is_over_and_nothing_is_missing(needs):
    account_for_all(needs)
    answer(needs, say(needs, household(1)))
    with day(29, hour=23):
        assert sweep.sweep() == 0
    with day(30, hour=0):
        assert sweep.sweep() == 1
    needs.refresh_from_db()
    assert needs.outcome == "asked"
    body = needs.records.get(act="step.completed").body
    assert body["opinions"] == {"adopted": 1}
    assert body["households"] == {"answered": 1, "returned": 3}


def test_with_something_missing_it_stays_open_overdue_and_the_last_reply_ends_it(needs):
    first, second = say(needs, household(1)), say(needs, household(2))
    account_for_all(needs, (3, 4))
    with day(30):
        sweep.sweep()
        run = open_run(needs)
        assert run.overdue_at is not None
        assert [str(line) for line in Needs.ask.unmet(run)] == ["还有2条意见未答复"]
        assert refused(say, needs, household(3)).code == "late"
        answer(needs, first)
        assert open_run(needs) == run
        answer(needs, second, outcome="not_adopted")
    needs.refresh_from_db()
    assert needs.outcome == "asked"


def test_the_last_household_ends_it_too(needs):
    account_for_all(needs, (1, 2, 3))
    with day(30):
        sweep.sweep()
        assert [str(line) for line in Needs.ask.unmet(open_run(needs))] == ["还有1户没有征求记录"]
        visit(needs, 4, "refused", "2026-09-30")
    needs.refresh_from_db()
    assert needs.finished is not None


def test_withdrawing_the_last_unanswered_opinion_ends_it_after_the_term(results):
    opinion = say(results, household(1))
    with day(30):
        sweep.sweep()
        assert open_run(results).overdue_at is not None
        acts.perform(results, "ask", "opinion.withdrawn", household(1), {"opinion": opinion.pk})
    results.refresh_from_db()
    assert results.finished is not None


def test_all_answered_before_the_term_ends_nothing(needs):
    account_for_all(needs)
    answer(needs, say(needs, household(1)))
    assert open_run(needs).phase == ""


CLOSE = {"reason": "各户均已征求,意见均已答复。"}


def test_the_office_may_close_after_the_minimum_and_not_before(needs):
    account_for_all(needs)
    with day(21, hour=23):  # seven days from 14 September end on the 21st at midnight
        assert (
            refused(acts.perform, needs, "ask", "consultation.closed", OFFICE, CLOSE).code
            == "early"
        )
    with day(22, hour=0):
        done = acts.perform(needs, "ask", "consultation.closed", OFFICE, CLOSE)
    assert done.record.body == {**CLOSE, "outcome": "done", "early": True}
    needs.refresh_from_db()
    assert needs.outcome == "asked"


def test_closed_with_something_missing_it_takes_no_more_opinions_and_waits_for_replies(needs):
    account_for_all(needs, (2, 3, 4))
    opinion = say(needs, household(1))
    with day(22):
        acts.perform(needs, "ask", "consultation.closed", OFFICE, CLOSE)
        assert refused(say, needs, household(2)).code == "late"
        again = refused(acts.perform, needs, "ask", "consultation.closed", OFFICE, CLOSE)
        assert again.code == "duplicate"
        answer(needs, opinion)
    needs.refresh_from_db()
    assert needs.outcome == "asked"


def test_without_a_minimum_it_is_not_closed_before_its_term(results):
    with day(28):
        found = refused(acts.perform, results, "ask", "consultation.closed", OFFICE, CLOSE)
        assert found.code == "early"


def test_with_two_outcomes_the_office_chooses_when_the_term_is_over(plans):
    opinion = say(plans, household(1))
    with day(22):  # seven days, to 21 September
        sweep.sweep()
        answer(plans, opinion)
        run = open_run(plans)
        assert [str(line) for line in Plans.ask.unmet(run)] == ["办理方还没有决定下一步"]
        missing = refused(acts.perform, plans, "ask", "consultation.closed", OFFICE, CLOSE)
        assert "outcome" in missing.errors
        choice = {**CLOSE, "outcome": "revise"}
        acts.perform(plans, "ask", "consultation.closed", OFFICE, choice)
        assert open_run(plans).round == 2
        say(plans, household(1))  # the same words are no duplicate on another plan
    with day(30):
        answer(plans, Opinion.objects.get(run=open_run(plans)))
        acts.perform(plans, "ask", "consultation.closed", OFFICE, {**CLOSE, "outcome": "done"})
    plans.refresh_from_db()
    assert plans.outcome == "settled"


def test_a_choice_may_be_changed_while_replies_are_missing(plans):
    opinion = say(plans, household(1))
    with day(22):
        for outcome in ("revise", "done"):
            acts.perform(plans, "ask", "consultation.closed", OFFICE, {**CLOSE, "outcome": outcome})
        answer(plans, opinion)
    plans.refresh_from_db()
    assert plans.outcome == "settled"


def test_a_term_over_national_day_ends_after_the_holiday(estate):
    with day(18):
        case = acts.open_case(Results, estate, OFFICE, title="问效")
    assert open_run(case).ends_on == dt.date(2026, 10, 8)  # 3 October rests, 8 October works


def test_a_provisional_term_closes_nothing(estate):
    with day(25, month=12):
        case = acts.open_case(Results, estate, OFFICE, title="问效")
    assert open_run(case).provisional
    with clock.at(dt.datetime(2027, 1, 20, 12, tzinfo=clock.SHANGHAI)):
        sweep.sweep()
        assert open_run(case).finished is None
        assert (
            refused(acts.perform, case, "ask", "consultation.closed", OFFICE, CLOSE).code == "early"
        )


# --- satisfaction


def rate(case, number, degree):
    payload = {"answer": degree}
    return acts.perform(case, "ask", "survey.answered", household(number), payload)


def test_the_last_answer_of_a_household_counts_and_each_has_its_record(results):
    rate(results, 1, "dissatisfied")
    done = rate(results, 1, "satisfied")
    assert SurveyAnswer.objects.get().answer == "satisfied"
    assert SurveyAnswer.objects.get().record == done.record
    assert [r.body for r in results.records.filter(act="survey.answered").order_by("seq")] == [
        {"changed": False},
        {"changed": True},
    ]


def test_fewer_than_five_answers_are_not_published(results):
    run = open_run(results)
    for n, degree in enumerate(["very_satisfied", "satisfied", "basically", "dissatisfied"]):
        rate(results, n, degree)
    assert satisfaction(run) == {"answers": 4, "totals": None, "rate": None}
    rate(results, 9, "satisfied")
    found = satisfaction(run)
    assert found["rate"] == Fraction(3, 5)
    assert found["totals"] == {
        "very_satisfied": 1,
        "satisfied": 2,
        "basically": 1,
        "dissatisfied": 1,
    }


def test_the_closing_record_has_the_exact_rate_or_nothing(results):
    rate(results, 1, "satisfied")
    with day(30):
        sweep.sweep()
    assert results.records.get(act="step.completed").body["survey"] == {"answers": "<5"}


@pytest.mark.parametrize(
    ("payload", "who", "code"),
    [
        ({"answer": "great"}, household(1), "invalid"),
        ({}, household(1), "invalid"),
        ({"answer": "satisfied"}, Party("owner", "person:3"), "wrong_party"),
        ({"answer": "satisfied"}, OFFICE, "wrong_party"),
    ],
)
def test_bad_answers_to_the_survey(results, payload, who, code):
    assert refused(acts.perform, results, "ask", "survey.answered", who, payload).code == code


def test_the_survey_ends_with_the_term(results):
    say(results, household(2))
    with day(30):
        assert refused(rate, results, 1, "satisfied").code == "late"


# --- what pages read


def test_the_page_takes_the_same_queries_however_many_opinions(needs):
    def cost():
        with CaptureQueriesContext(connection) as found:
            page = Needs.ask.page(open_run(needs))
            list(page["book"][:50])
        return len(found)

    say(needs, household(1))
    few = cost()
    for n in range(30):
        say(needs, household(100 + n))
    assert cost() == few <= 6


def test_progress_is_exact(needs):
    opinions = [say(needs, household(n)) for n in (1, 2, 3)]
    answer(needs, opinions[0])
    progress = Needs.ask.progress(open_run(needs))
    assert progress == {
        "opinions": 3,
        "replied": 1,
        "unanswered": 2,
        "withdrawn": 0,
        "answered": Fraction(1, 3),
        "households": 4,
        "accounted": 3,
    }


def test_what_the_pages_offer_follows_the_run(needs):
    def offered(act):
        return Needs.ask.offered(Needs.ask.acts[act], open_run(needs))

    say(needs, household(1))
    assert offered("opinion.submitted")
    assert not offered("consultation.closed")
    with day(22):
        assert offered("consultation.closed")
        acts.perform(needs, "ask", "consultation.closed", OFFICE, CLOSE)
        assert Needs.ask.over(open_run(needs), clock.now())  # what is in_term is late


# --- declaring


def test_the_procedures_are_sound():
    assert [list(faults(p)) for p in (Needs, Plans, Results)] == [[], [], []]


def test_a_wrongly_declared_consultation_says_why():
    item = next(iter(Needs.ask.items.values()))
    step = Consultation(title="问", items=(item, item), visits_needed=0)
    assert set(step.faults()) == {
        "the outcome 'done' leads nowhere",
        "nobody handles it",
        "nobody is consulted",
        "no term",
        "an item of the menu stands twice",
        "visits_needed is below one",
    }
