"""The terms of an application: receipt, correction, consulting, extension."""

from __future__ import annotations

import datetime as dt

import pytest

from processes.disclosure.models import Application, Decision
from workflows import acts, clock
from workflows.models import Attachment, LedgerEntry

from .conftest import ends, last

# --- receipt


def test_what_came_over_the_network_is_received_when_both_have_confirmed(told):
    story = told().wait(days=2)
    assert story.run("receive").overdue_at is not None  # D: a working day
    story.receive()
    assert Application.objects.get().received_on == dt.date(2026, 3, 4)
    assert ends(story, "examine") == "2026-03-13"


def test_a_letter_that_was_signed_for_counts_from_the_signature(told):
    story = told(channel="signed_mail").wait(days=3)
    story.do("receive", {"signed_on": "2026-03-03"})
    assert Application.objects.get().received_on == dt.date(2026, 3, 3)
    with pytest.raises(acts.Refused):
        told(channel="signed_mail").do("receive", {"signed_on": "2026-03-01"})


def test_in_person_is_the_day_itself(told):
    story = told(channel="in_person").wait(days=3)
    story.do("receive", {})
    assert last(story).body["received_on"] == "2026-03-02"


# --- correction


def test_a_correction_starts_the_term_anew(told, street):
    story = told().receive().unclear(10)
    assert (story.run("complete").term, ends(story, "complete")) == ("10w", "2026-03-16")
    notice = Attachment.objects.get(label="补正告知书")
    assert street.client("applicant").get(notice.get_absolute_url()).status_code == 200
    story.on("2026-03-13").correct()
    assert ends(story, "handle") == "2026-04-13"


def test_a_correction_is_asked_for_once_and_in_time(told):
    story = told().receive().on("2026-03-12")
    with pytest.raises(acts.Refused) as refused:
        story.unclear()
    assert "7个工作日" in str(refused.value)
    story.clear()


def test_no_correction_is_looked_at_before_it_counts_as_given_up(told):
    story = told().receive().unclear(5).on("2026-03-10")
    assert story.run("lapse")
    told_days = {"chosen": "excused", "reason": "申请人住院。", "days": 5}
    story.do("lapse", told_days)
    assert ends(story, "complete") == "2026-03-17"
    story.on("2026-03-18").do("lapse", {"chosen": "abandoned", "reason": "没有回音。"})
    story.case.refresh_from_db()
    assert story.case.outcome == "abandoned"
    assert Attachment.objects.filter(label="视为放弃申请告知书").exists()


def test_unclear_after_a_correction_is_an_outcome_and_not_a_second_request(told):
    story = told().receive().unclear().correct().handle().decide("unclear").check().deliver()
    assert last(story).body["decision"] == "unclear"
    other = told().receive().clear().handle()
    with pytest.raises(acts.Refused):
        other.decide("unclear")


# --- the term


def test_an_overdue_reply_is_overdue_and_still_given(told):
    story = told().receive().clear().handle().on("2026-03-31")
    assert story.run("decide").overdue_at is not None
    story.decide().check().deliver()
    decision = Decision.objects.get()
    assert decision.delivered_on > decision.due_on == dt.date(2026, 3, 30)


def test_consulting_is_not_counted(told):
    story = told().receive().clear().on("2026-03-06").handle("consult")
    letter = story.send_letter()
    story.on("2026-03-20").answer(letter)
    story.on("2026-03-26").consulted()  # that the office was slow afterwards counts
    assert ends(story, "handle") == "2026-04-15"


def test_silence_ends_after_fifteen_working_days_by_itself(told):
    story = told().receive().clear().handle("consult")
    letter = story.send_letter()
    with pytest.raises(acts.Refused):
        story.consulted()
    with pytest.raises(acts.Refused):
        story.move(letter, "silent")
    for day in ("2026-03-20", "2026-03-24"):
        story.on(day)
    letter = LedgerEntry.objects.get()
    assert (letter.state, letter.public["due_on"]) == ("silent", "2026-03-23")
    story.consulted()
    assert ends(story, "handle") == "2026-04-21"  # 2 to 23 March stand still


def test_an_answered_letter_does_not_fall_silent(told):
    story = told().receive().clear().handle("consult")
    letter = story.send_letter()
    story.on("2026-03-04").answer(letter, "agreed").on("2026-04-10")
    letter = LedgerEntry.objects.get()
    assert letter.state == "agreed"


def test_a_letter_in_a_year_not_announced_does_not_fall_silent_by_a_guess(told):
    start = dt.datetime(2026, 12, 18, 9, tzinfo=clock.SHANGHAI)
    story = told(start=start).receive().clear().handle("consult")
    letter = story.send_letter()
    story.on("2027-02-01")
    letter = LedgerEntry.objects.get()
    assert letter.state == "reached"


def test_an_extension_needs_the_head_and_the_notice(told, street):
    story = told().receive().clear().handle("extend")
    sent = {"chosen": "approved", "days": 10, "reason": "much"}
    with pytest.raises(acts.Refused):
        story.do("extend", sent)  # the office itself
    with pytest.raises(acts.Refused):
        story.do("extend", {**sent, "days": 21}, role="office_head")
    story.do("extend", sent, role="office_head")
    assert ends(story, "notify") == "2026-03-30"  # not yet longer
    story.do("notify", {"on": "2026-03-02", "way": "web"})
    assert ends(story, "handle") == "2026-04-14"
    notice = Attachment.objects.get(label="延期答复告知书")
    assert street.client("applicant").get(notice.get_absolute_url()).status_code == 200
    with pytest.raises(acts.Refused):
        story.handle("extend")  # once


def test_a_notice_after_the_term_extends_nothing(told):
    story = told().receive().clear().handle("extend")
    sent = {"chosen": "approved", "days": 10, "reason": "much"}
    story.do("extend", sent, role="office_head")
    story.on("2026-03-31").do("notify", {"on": "2026-03-31", "way": "web"})
    assert ends(story, "handle") == "2026-03-30"
    assert not Attachment.objects.filter(label="延期答复告知书").exists()


def test_a_provisional_term_says_so_and_is_counted_again(told):
    from workflows import calendars, sweep
    from workflows.models import CalendarDay, CalendarYear

    start = dt.datetime(2026, 12, 7, 9, tzinfo=clock.SHANGHAI)
    story = told(start=start).receive().clear()
    run = story.run("handle")
    assert (run.provisional, run.ends_on) == (True, dt.date(2027, 1, 5))
    for off in (dt.date(2027, 1, 1), dt.date(2027, 1, 4)):
        CalendarDay.objects.create(date=off, is_workday=False, name="元旦", source="t")
    CalendarYear.objects.create(year=2027, source="t")
    calendars.current()
    sweep.recompute_provisional()
    run.refresh_from_db()
    assert (run.provisional, run.ends_on) == (False, dt.date(2027, 1, 6))


def test_the_case_is_not_suspended(told):
    story = told().receive()
    with pytest.raises(acts.Refused) as refused:
        story.act("case", "case.suspended", {"reason": "需要再研究一段时间。"})
    assert refused.value.code == "wrong_party"
