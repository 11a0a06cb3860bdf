"""Consultation: every opinion gets a reply with a reason (件件有回应、可查询), without names."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import (
    COMMITTEE,
    OFFICE,
    Needs,
    Plans,
    Results,
    household,
    photo,
)
from workflows import acts, calendars, clock, records, sweep
from workflows.models import Attachment, Case, Community, Disclosure, Record
from workflows.parties import Member, Party
from workflows.soundness import faults
from workflows.steps.consultation import Consultation, HouseholdReturn, SurveyAnswer
from workflows.steps.consultation_rows import satisfaction
from workflows.steps.opinion import feedback_book, of_party
from workflows.steps.opinion_forms import says_something
from workflows.steps.opinion_rows import Opinion, Reply

OPENED = dt.datetime(2026, 9, 14, 12, tzinfo=clock.SHANGHAI)
HOMES = 4
TEXT = "三楼照明坏了,请修,电话13812345678"
REASON = "已列入本次改造的照明工程。"


@pytest.fixture(autouse=True)
def _fresh(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    calendars.seed()
    SandboxDirectory.reset()
    SandboxDirectory.groups["households"] = [
        Member(f"household:{n}", f"1号楼1单元{n}01室", f"1号楼1单元***室 {n}")
        for n in range(1, HOMES + 1)
    ]
    with clock.at(OPENED):
        yield


@pytest.fixture
def estate():
    return Community.objects.create(code="demo", name="示范小区", kind="estate")


@pytest.fixture
def needs(estate):
    return acts.open_case(Needs, estate, OFFICE, title="问需")


@pytest.fixture
def plans(estate):
    return acts.open_case(Plans, estate, OFFICE, title="问计")


@pytest.fixture
def results(estate):
    return acts.open_case(Results, estate, OFFICE, title="问效")


def day(number, month=9, hour=12):
    return clock.at(dt.datetime(2026, month, number, hour, tzinfo=clock.SHANGHAI))


def open_run(case):
    return case.runs.get(name="ask", finished__isnull=True)


def say(case, who, payload=None, files=None, **kwargs):
    payload = {"text": TEXT} if payload is None else payload
    return acts.perform(case, "ask", "opinion.submitted", who, payload, files, **kwargs).fact


def answer(case, *opinions, who=COMMITTEE, **changes):
    payload = {
        "opinions": [opinion.pk for opinion in opinions],
        "outcome": "adopted",
        "public_text": "楼道照明损坏。",
        "reason": REASON,
        **changes,
    }
    return acts.perform(case, "ask", "opinion.replied", who, payload)


def visit(case, number, result, on="2026-09-14", who=COMMITTEE, **kwargs):
    payload = {"household": f"household:{number}", "result": result, "on": on}
    return acts.perform(case, "ask", "household.visited", who, payload, **kwargs)


def refused(call, *args, **kwargs):
    with pytest.raises(acts.Refused) as caught:
        call(*args, **kwargs)
    return caught.value


def account_for_all(case, numbers=range(1, HOMES + 1)):
    for number in numbers:
        visit(case, number, "returned")


# --- opinions


def test_the_record_of_an_opinion_holds_item_class_stance_and_number_of_files_only(needs):
    files = {"photos": [photo(1), photo(2)]}
    payload = {"item": "lifts", "stance": "want", "text": TEXT}
    done = acts.perform(needs, "ask", "opinion.submitted", household(1), payload, files)
    assert done.record.body == {
        "item": "lifts",
        "class": "upgrading",
        "stance": "want",
        "files": 2,
    }
    assert len(done.record.content["_sd"]) == 1
    assert Disclosure.objects.get(record=done.record).name == "text"
    assert not Attachment.objects.filter(record=done.record, public=True).exists()


def test_free_words_need_no_item_and_are_digested(needs):
    opinion = Opinion.objects.get(pk=say(needs, household(1)).pk)
    assert opinion.record.body == {"files": 0}
    assert (opinion.text, opinion.life, opinion.channel) == (TEXT, "submitted", "online")


def test_no_record_ever_holds_a_text_a_key_a_room_or_a_phone(needs):
    first = say(needs, household(1))
    say(needs, household(2), {"item": "roof", "stance": "not_want"}, {"photos": [photo(3)]})
    visit(needs, 3, "refused")
    answer(needs, first)
    mine = say(needs, household(1), {"text": "再说一句"})
    acts.perform(needs, "ask", "opinion.withdrawn", household(1), {"opinion": mine.pk})
    trail = "".join(Record.objects.values_list("canonical", flat=True))
    for secret in ("household:", "person:", "照明坏了", "13812345678", "再说", "01室", "张三"):
        assert secret not in trail
    assert records.first_fault(Case.objects.get(pk=needs.pk)) is None


def test_an_item_and_a_stance_are_enough_and_several_opinions_are_welcome(needs):
    say(needs, household(1), {"item": "roof", "stance": "want"})
    say(needs, household(1), {"item": "lifts", "stance": "not_want"})
    say(needs, household(1), {"item": "roof", "text": "先修北面"})
    assert Opinion.objects.filter(run=open_run(needs)).count() == 3


def test_the_same_words_twice_are_a_duplicate_but_not_from_another_party(needs):
    say(needs, household(1))
    assert refused(say, needs, household(1), {"text": f" {TEXT}\n"}).code == "duplicate"
    say(needs, household(2))
    assert Opinion.objects.count() == 2


def test_one_stance_an_item_until_it_is_withdrawn(needs):
    first = say(needs, household(1), {"item": "roof", "stance": "want"})
    change = {"item": "roof", "stance": "not_want"}
    assert refused(say, needs, household(1), change).code == "duplicate"
    acts.perform(needs, "ask", "opinion.withdrawn", household(1), {"opinion": first.pk})
    say(needs, household(1), change)
    row = Needs.ask.counts(open_run(needs))[0]
    assert (row["item"].code, row["want"], row["not_want"]) == ("roof", 0, 1)


def test_the_database_keeps_duplicates_out_too(needs):
    opinion = say(needs, household(1))
    opinion.pk = None
    opinion.record = None
    with pytest.raises(IntegrityError), transaction.atomic():
        opinion.save(force_insert=True)


def test_a_paper_form_counts_as_the_households_opinion(needs):
    paper = Party("household", "household:1", label="", via="paper")
    say(needs, paper, happened_at=OPENED - dt.timedelta(hours=1))
    opinion = Opinion.objects.get()
    assert opinion.channel == "paper"
    assert opinion.record.content["party"]["via"] == "paper"
    assert Needs.ask.progress(open_run(needs))["accounted"] == 1


def test_opinions_end_with_the_term(needs):
    with day(29, hour=23):
        say(needs, household(1))
    with clock.at(dt.datetime(2026, 9, 30, tzinfo=clock.SHANGHAI)):
        assert refused(say, needs, household(2)).code == "late"


def test_only_its_author_withdraws_an_opinion_and_only_before_the_reply(needs):
    opinion = say(needs, household(1))
    call = (acts.perform, needs, "ask", "opinion.withdrawn")
    assert refused(*call, household(2), {"opinion": opinion.pk}).code == "invalid"
    answer(needs, opinion)
    assert refused(*call, household(1), {"opinion": opinion.pk}).code == "closed_step"
    assert refused(answer, needs, opinion).code == "duplicate"


def test_a_withdrawn_opinion_stays_counted_with_its_record(needs):
    opinion = say(needs, household(1))
    done = acts.perform(needs, "ask", "opinion.withdrawn", household(1), {"opinion": opinion.pk})
    opinion = Opinion.objects.get(pk=opinion.pk)
    assert opinion.life == "withdrawn"
    assert done.record.body == {"opinion": opinion.record.seq}
    progress = Needs.ask.progress(open_run(needs))
    assert (progress["opinions"], progress["withdrawn"], progress["unanswered"]) == (1, 1, 0)
    assert refused(answer, needs, opinion).code == "duplicate"


# --- replies


def test_one_reply_answers_several_like_opinions_and_names_each(needs):
    opinions = [say(needs, household(n)) for n in (1, 2, 3)]
    other = say(needs, household(4), {"text": "想要电梯"})
    done = answer(needs, *opinions)
    seqs = sorted(o.record.seq for o in Opinion.objects.filter(pk__in=[o.pk for o in opinions]))
    assert done.record.body == {
        "opinions": seqs,
        "outcome": "adopted",
        "reason": REASON,
        "public_text": "楼道照明损坏。",
    }
    reply = Reply.objects.get()
    assert reply.record == done.record
    for n in (1, 2, 3):
        own = of_party(open_run(needs), household(n)).get()
        assert (own.life, own.reply, own.outcome, own.reason) == (
            "replied",
            reply,
            "adopted",
            REASON,
        )
    other.refresh_from_db(fields=["reply"])
    assert other.reply is None


def test_a_reply_takes_the_same_queries_for_one_opinion_as_for_fifty(needs):
    def cost(opinions):
        with CaptureQueriesContext(connection) as found:
            answer(needs, *opinions)
        return len(found)

    cost([say(needs, household(2))])  # the officer's first act also draws a pseudonym
    one = cost([say(needs, household(1))])
    fifty = cost([say(needs, household(1000 + n)) for n in range(50)])
    assert fifty == one


@pytest.mark.parametrize("field", ["reason", "public_text"])
def test_no_answer_names_anybody_of_the_roll(needs, field):
    opinion = say(needs, household(1))
    SandboxDirectory.people = ["王建业", "安全"]
    for said in ("王建业已经同意这样做", "隔壁王阿姨已经同意这样做"):
        assert field in refused(answer, needs, opinion, **{field: said}).errors
    answer(needs, opinion, **{field: "消防安全通道要保持畅通"})


def test_out_of_scope_says_who_has_it_now(needs):
    opinion = say(needs, household(1))
    assert "referral" in refused(answer, needs, opinion, outcome="out_of_scope").errors
    done = answer(needs, opinion, outcome="out_of_scope", referral="已转区供热集团办理")
    assert done.record.body["referral"] == "已转区供热集团办理"


def test_the_draft_of_a_reply_is_masked(needs):
    opinion = say(needs, household(1))
    draft = Needs.ask.draft([opinion])
    assert draft == {"opinions": [opinion.pk], "public_text": "三楼照明坏了,请修,电话138****5678"}
    answer(needs, opinion, public_text=draft["public_text"])


@pytest.mark.parametrize("field", ["public_text", "reason"])
@pytest.mark.parametrize(
    "personal",
    [
        "电话13812345678请修",
        "住3号楼2单元501室",
        "370202199001011234的房主",
        "a@b.cn来信说",
        "鲁B12345占位",
    ],
)
def test_nothing_personal_is_published_with_a_reply(needs, field, personal):
    opinion = say(needs, household(1))
    found = refused(answer, needs, opinion, **{field: personal})
    assert (found.code, list(found.errors)) == ("invalid", [field])
    assert not Reply.objects.exists()


def test_the_authors_name_is_not_published_either(needs, monkeypatch):
    monkeypatch.setattr(SandboxDirectory, "names", lambda self, keys: dict.fromkeys(keys, "张小三"))
    opinion = say(needs, household(1), {"text": "我是张小三,要车位"})
    assert Needs.ask.draft([opinion])["public_text"] == "我是张**,要车位"
    assert "public_text" in refused(answer, needs, opinion, public_text="张小三要车位").errors
    assert "reason" in refused(answer, needs, opinion, reason="张小三已经同意不建。").errors


def test_photos_stay_private_until_an_officer_clears_them(needs):
    opinion = say(needs, household(1), {"text": TEXT}, {"photos": [photo(1)]})
    say(needs, household(2), {"text": TEXT}, {"photos": [photo(2)]})
    done = answer(needs, opinion, publish_photos="on")
    assert done.record.body["photos_public"] is True
    cleared = Attachment.objects.filter(public=True)
    assert [file.record.seq for file in cleared] == [Opinion.objects.get(pk=opinion.pk).record.seq]


def test_a_correction_is_a_new_reply_that_names_the_old(needs):
    opinion = say(needs, household(1))
    old = answer(needs, opinion, outcome="not_adopted")
    payload = {
        "reply": old.fact.pk,
        "outcome": "adopted",
        "public_text": "楼道照明损坏。",
        "reason": REASON,
        "why": "原答复选错了处理结果。",
    }
    done = acts.perform(needs, "ask", "reply.corrected", OFFICE, payload)
    assert done.record.content["corrects"] == old.record.seq
    assert done.record.body["why"] == "原答复选错了处理结果。"
    assert Opinion.objects.get(pk=opinion.pk).outcome == "adopted"
    assert Reply.objects.get(pk=old.fact.pk).outcome == "not_adopted"
    again = refused(acts.perform, needs, "ask", "reply.corrected", OFFICE, payload)
    assert again.code == "duplicate"
    payload["why"] = "无"
    newest = {**payload, "reply": done.fact.pk}
    assert "why" in refused(acts.perform, needs, "ask", "reply.corrected", OFFICE, newest).errors


def test_an_opinion_of_another_case_is_not_answered_here(needs, plans):
    opinion = say(plans, household(1))
    assert refused(answer, needs, opinion).code == "invalid"
    assert Opinion.objects.get(pk=opinion.pk).life == "submitted"


@pytest.mark.parametrize(
    ("reason", "is_one"),
    [
        ("无", False),
        ("同上", False),
        ("。。。。。。", False),
        ("_ _ _ _", False),
        ("哈哈哈哈哈哈", False),
        ("不予采纳。", False),
        ("占用消防登高场地。", True),
        ("资金不足", True),
    ],
)
def test_a_reason_says_something(reason, is_one):
    assert says_something(reason) is is_one


# --- bad input, each with its error

LONG = "长" * 2001
BAD_OPINIONS = [
    ({}, "text"),
    ({"text": "   "}, "text"),
    ({"text": "。。。!!!"}, "text"),
    ({"text": LONG}, "text"),
    ({"text": "a\x00b"}, "text"),
    ({"stance": "want"}, "item"),
    ({"stance": "want", "text": TEXT}, "item"),
    ({"item": "roof"}, "text"),
    ({"item": "roof", "stance": "other"}, "text"),
    ({"item": "swimming_pool", "stance": "want"}, "item"),
    ({"item": "roof", "stance": "perhaps"}, "stance"),
]
BAD_REPLIES = [
    ({"opinions": []}, "opinions"),
    ({"opinions": ["x"]}, "opinions"),
    ({"opinions": [10**30]}, "opinions"),
    ({"opinions": [999_999]}, "opinions"),
    ({"opinions": list(range(1, 502))}, "opinions"),
    ({"outcome": ""}, "outcome"),
    ({"outcome": "ignored"}, "outcome"),
    ({"reason": ""}, "reason"),
    ({"reason": "  "}, "reason"),
    ({"reason": "无"}, "reason"),
    ({"reason": "——————"}, "reason"),
    ({"reason": "长理由" * 400}, "reason"),
    ({"public_text": ""}, "public_text"),
    ({"public_text": "拨打 0532-88881234"}, "public_text"),
    ({"outcome": "out_of_scope", "referral": "转13812345678"}, "referral"),
]
BAD_VISITS = [
    ({"household": "household:77"}, "household"),
    ({"household": ""}, "household"),
    ({"result": "asleep"}, "result"),
    ({"on": "2026-09-15"}, "on"),
    ({"on": "2026-09-13"}, "on"),
    ({"on": "昨天"}, "on"),
]


@pytest.mark.parametrize(("payload", "field"), BAD_OPINIONS)
def test_bad_opinions_change_nothing_and_say_what_is_wrong(needs, payload, field):
    found = refused(say, needs, household(1), payload)
    assert (found.code, list(found.errors)) == ("invalid", [field])
    assert found.errors[field][0]
    assert not Opinion.objects.exists()


@pytest.mark.parametrize(("changes", "field"), BAD_REPLIES)
def test_bad_replies_change_nothing_and_say_what_is_wrong(needs, changes, field):
    opinion = say(needs, household(1))
    found = refused(answer, needs, opinion, **changes)
    assert (found.code, list(found.errors)) == ("invalid", [field])
    assert Opinion.objects.get(pk=opinion.pk).life == "submitted"


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
        assert [str(line) for line in Plans.ask.unmet(run)] == ["尚未选择办理结果"]
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


def test_the_feedback_book_has_everything_but_the_author(needs):
    answer(needs, say(needs, household(1)))
    say(needs, household(2), {"item": "roof", "stance": "want", "text": TEXT})
    rows = list(feedback_book(open_run(needs)))
    assert [(r["life"], r["outcome"], r["wording"]) for r in rows] == [
        ("replied", "adopted", "楼道照明损坏。"),
        ("submitted", None, None),
    ]
    assert set(rows[0]) == {
        "erased_at",
        "seq",
        "item",
        "stance",
        "late",
        "life",
        "submitted_at",
        "outcome",
        "reason",
        "referral",
        "wording",
        "replied_at",
        "reply_pk",
        "reply_seq",
    }
    assert TEXT not in str(rows)


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


def own_queries(found):
    """Without the marks of the test's own transaction."""
    return [q["sql"] for q in found if "SAVEPOINT" not in q["sql"]]


def test_an_opinion_costs_few_queries_also_beside_five_hundred_others(needs):
    def cost(number):
        with CaptureQueriesContext(connection) as found:
            say(needs, household(number), {"item": "lifts", "stance": "want", "text": TEXT})
        return own_queries(found)

    alone = cost(1)
    run = open_run(needs)
    Opinion.objects.bulk_create(
        Opinion(
            run=run,
            case=needs,
            party_key=f"household:{n}",
            text="x",
            fingerprint=str(n),
            created=OPENED,
        )
        for n in range(1000, 1500)
    )
    assert len(cost(2)) == len(alone) <= 12, alone


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


# --- paper that is typed in after the term ------------------------------------------------------

PAPER = Party("household", "household:1", via="paper")
LAST = dt.datetime(2026, 9, 29, 12, tzinfo=clock.SHANGHAI)
"""The last day of the consultation, as an officer dates a form: its noon."""


def late_refusal(act, code="late"):
    with pytest.raises(acts.Refused) as refused:
        act()
    assert refused.value.code == code
    return str(refused.value)


def test_a_paper_form_of_within_the_term_counts_though_it_is_typed_in_after_it(needs):
    say(needs, household(2))  # it stays open: this one has no answer yet
    assert open_run(needs).ends_on == LAST.date()
    with day(30):
        sweep.sweep()
        late_refusal(lambda: say(needs, household(1)))
        said = late_refusal(lambda: say(needs, PAPER))
        assert "填表日期" in said
        say(needs, PAPER, happened_at=LAST)
    opinion = Opinion.objects.get(channel="paper")
    content = opinion.record.content
    assert content["at"].startswith("2026-09-30")
    assert content["happened_at"].startswith("2026-09-29")
    assert opinion.record.body["entered_late"] is True
    assert HouseholdReturn.objects.get(party_key="household:1").life == "answered"


def test_a_form_typed_in_in_time_is_not_said_to_be_late(needs):
    with day(20):
        say(needs, PAPER, happened_at=OPENED)
    assert "entered_late" not in Opinion.objects.get().record.body


@pytest.mark.parametrize(
    "dated",
    [
        LAST + dt.timedelta(days=1),  # after the term
        OPENED - dt.timedelta(days=1),  # before there was a form
    ],
)
def test_a_paper_form_dated_outside_the_term_is_too_late(needs, dated):
    say(needs, household(2))
    with day(2, month=10):
        late_refusal(lambda: say(needs, PAPER, happened_at=dated))


def test_who_acts_online_is_not_helped_by_a_date(needs):
    say(needs, household(2))
    with day(30):
        late_refusal(lambda: say(needs, household(1), happened_at=LAST))


def test_no_form_is_dated_tomorrow(needs):
    with day(20):
        tomorrow = clock.now() + dt.timedelta(days=1)
        late_refusal(lambda: say(needs, PAPER, happened_at=tomorrow), "invalid")


def test_after_the_office_has_closed_it_forms_of_before_that_day_count(needs):
    say(needs, household(2))
    with day(24):
        acts.perform(needs, "ask", "consultation.closed", COMMITTEE, {"reason": "各户均已征求。"})
    with day(26):
        late_refusal(lambda: say(needs, household(1)))
        dated = dt.datetime(2026, 9, 25, 12, tzinfo=clock.SHANGHAI)
        late_refusal(lambda: say(needs, PAPER, happened_at=dated))
        say(needs, PAPER, happened_at=dated - dt.timedelta(days=1))


def test_a_consultation_that_has_ended_takes_no_paper(results):
    with day(30):
        sweep.sweep()  # nothing waited for an answer
        late_refusal(lambda: say(results, PAPER, happened_at=OPENED), "closed_step")


def test_a_later_answer_online_is_not_undone_by_an_older_paper(results):
    say(results, household(2))

    def survey(who, choice, **kwargs):
        return acts.perform(results, "ask", "survey.answered", who, {"answer": choice}, **kwargs)

    with day(20):
        survey(household(1), "satisfied")
    with day(30):
        older = dt.datetime(2026, 9, 19, 12, tzinfo=clock.SHANGHAI)
        late_refusal(lambda: survey(PAPER, "dissatisfied", happened_at=older), "duplicate")
        survey(PAPER, "dissatisfied", happened_at=older + dt.timedelta(days=2))
        between = older + dt.timedelta(days=1, hours=12)  # after the first, before the second
        late_refusal(lambda: survey(PAPER, "satisfied", happened_at=between), "duplicate")
    assert SurveyAnswer.objects.get().answer == "dissatisfied"
