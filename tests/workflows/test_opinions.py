"""Opinions of a consultation: who gives them, what is answered, paper that is typed in late."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import COMMITTEE, OFFICE, Needs, household, photo
from workflows import acts, clock, records, sweep
from workflows.models import Attachment, Case, Disclosure, Record
from workflows.parties import Party
from workflows.steps.consultation import HouseholdReturn, SurveyAnswer
from workflows.steps.opinion import feedback_book, of_party
from workflows.steps.opinion_forms import says_something
from workflows.steps.opinion_rows import Opinion, Reply

from .consultation_cases import (  # noqa: F401 - fixtures
    OPENED,
    REASON,
    TEXT,
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
