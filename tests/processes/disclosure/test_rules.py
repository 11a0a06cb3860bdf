"""The terms and outcomes of the Regulations, case by case.

Days of 2026 as the State Council announced them: off 15 to 23 February, 4 to 6 April, 1 to 5 May,
19 to 21 June, 25 to 27 September, 1 to 7 October; worked 4 January, 14 and 28 February, 9 May,
20 September, 10 October. 2027 is not announced. The ends were counted by hand.
"""

from __future__ import annotations

import datetime as dt

import chinese_calendar
import pytest

from processes.disclosure import rules
from processes.disclosure.rules import Span
from workflows import terms
from workflows.terms import TableCalendar

CALENDAR = TableCalendar(
    {day: False for day in chinese_calendar.holidays if day.year in (2025, 2026)}
    | {day: True for day in chinese_calendar.workdays if day.year in (2025, 2026)},
    {2025, 2026},
)
day = dt.date.fromisoformat

# received, days consulted, working days of extension, last day, provisional
REPLIES = [
    (
        "2026-01-04",
        "",
        0,
        "2026-01-30",
        False,
    ),  # received on a working Sunday: that day is not counted all the same
    ("2026-01-05", "", 0, "2026-02-02", False),
    ("2026-01-30", "", 0, "2026-03-05", False),
    ("2026-02-09", "", 0, "2026-03-13", False),
    ("2026-02-13", "", 0, "2026-03-19", False),  # the working Saturday 14 February is the first day
    ("2026-02-14", "", 0, "2026-03-20", False),  # received on a working Saturday before the holiday
    (
        "2026-02-15",
        "",
        0,
        "2026-03-20",
        False,
    ),  # received in the Spring Festival: counted from 24 February
    ("2026-02-20", "", 0, "2026-03-20", False),
    ("2026-02-28", "", 0, "2026-03-27", False),
    ("2026-03-02", "", 0, "2026-03-30", False),
    ("2026-03-07", "", 0, "2026-04-03", False),
    ("2026-04-03", "", 0, "2026-05-07", False),
    ("2026-04-06", "", 0, "2026-05-07", False),
    ("2026-04-30", "", 0, "2026-06-01", False),  # May Day, and the working Saturday 9 May counts
    ("2026-05-09", "", 0, "2026-06-05", False),
    ("2026-05-20", "", 0, "2026-06-17", False),
    ("2026-06-18", "", 0, "2026-07-17", False),
    ("2026-07-01", "", 0, "2026-07-29", False),
    (
        "2026-09-18",
        "",
        0,
        "2026-10-22",
        False,
    ),  # the working Sunday 20 September counts, two holidays do not
    ("2026-09-20", "", 0, "2026-10-23", False),
    ("2026-09-24", "", 0, "2026-10-29", False),
    ("2026-09-30", "", 0, "2026-11-03", False),
    ("2026-10-03", "", 0, "2026-11-03", False),
    ("2026-10-10", "", 0, "2026-11-06", False),
    ("2026-11-27", "", 0, "2026-12-25", False),
    (
        "2026-11-30",
        "",
        0,
        "2026-12-28",
        True,
    ),  # ends on 28 December, of which the next notice may still decide
    ("2026-12-04", "", 0, "2027-01-04", True),  # ends in a year not announced
    ("2026-03-02", "2026-03-06..2026-03-20", 0, "2026-04-15", False),
    ("2026-03-02", "2026-03-02..2026-03-20", 0, "2026-04-20", False),
    ("2026-03-02", "2026-03-06..2026-03-20 2026-03-25..2026-04-10", 0, "2026-05-06", False),
    ("2026-03-02", "2026-03-06..2026-03-20 2026-03-16..2026-04-10", 0, "2026-05-08", False),
    ("2026-03-02", "2026-03-06..2026-03-20 2026-03-21..2026-04-10", 0, "2026-05-08", False),
    (
        "2026-03-02",
        "2026-03-30..2026-04-17",
        0,
        "2026-04-20",
        False,
    ),  # sent on the last day: that day is left
    (
        "2026-03-02",
        "2026-03-31..2026-04-17",
        0,
        "2026-03-30",
        False,
    ),  # a letter sent after the term moves nothing
    ("2026-04-20", "2026-04-30..2026-05-09", 0, "2026-05-27", False),
    ("2026-09-14", "2026-09-21..2026-10-20", 0, "2026-11-10", False),
    ("2026-03-02", "", 20, "2026-04-28", False),
    ("2026-03-02", "", 10, "2026-04-14", False),
    ("2026-03-02", "", 1, "2026-03-31", False),
    ("2026-09-14", "", 20, "2026-11-13", False),
    ("2026-11-10", "", 20, "2027-01-06", True),
    ("2026-03-02", "2026-03-06..2026-03-20", 20, "2026-05-15", False),
    ("2026-03-02", "2026-04-06..2026-04-20", 20, "2026-05-14", False),
    ("2026-02-09", "2026-02-12..2026-03-10", 15, "2026-04-27", False),
    (
        "2026-03-02",
        "2026-04-06..2026-04-20",
        0,
        "2026-03-30",
        False,
    ),  # the same letter without the extension comes too late
]


def spans(text: str) -> list[Span]:
    return [Span(*map(day, each.split(".."))) for each in text.split()]


@pytest.mark.parametrize(("received", "consulted", "extended", "ends", "provisional"), REPLIES)
def test_a_reply_is_due(received, consulted, extended, ends, provisional):
    due = rules.reply_due(day(received), CALENDAR, consulted=spans(consulted), extended=extended)
    assert (due.ends_on, due.provisional) == (day(ends), provisional)
    assert due.start == day(received)
    assert len(due.rule) <= 160


@pytest.mark.parametrize(("received", "consulted", "extended", "ends", "provisional"), REPLIES)
def test_a_due_day_counted_again_stays(received, consulted, extended, ends, provisional):
    due = rules.reply_due(day(received), CALENDAR, consulted=spans(consulted), extended=extended)
    assert terms.recompute(rules.REPLY.on(due.start), due, CALENDAR) == due


def test_a_year_announced_later_makes_the_term_certain():
    announced = TableCalendar({day("2027-01-01"): False}, {2025, 2026, 2027})
    guess = rules.reply_due(day("2026-12-04"), CALENDAR)
    sure = rules.reply_due(day("2026-12-04"), announced)
    assert guess.provisional
    assert not sure.provisional
    assert guess.ends_on == sure.ends_on == day("2027-01-04")


@pytest.mark.parametrize("days", [-1, 21])
def test_no_longer_extension_than_the_law_knows(days):
    with pytest.raises(ValueError):
        rules.reply_due(day("2026-03-02"), CALENDAR, extended=days)


def test_a_correction_starts_the_term_anew():
    first = rules.reply_due(day("2026-03-02"), CALENDAR)
    anew = rules.reply_due(day("2026-03-18"), CALENDAR)  # the day the correction came in
    assert (first.ends_on, anew.ends_on) == (day("2026-03-30"), day("2026-04-16"))


# --- receipt, article 31


@pytest.mark.parametrize(
    ("channel", "handed_in", "signed", "confirmed", "received"),
    [
        ("in_person", "2026-03-02", None, None, "2026-03-02"),
        ("in_person", "2026-03-07", None, None, "2026-03-07"),  # a Saturday counts as it is
        ("oral", "2026-03-02", None, None, "2026-03-02"),
        ("signed_mail", "2026-03-02", "2026-03-05", None, "2026-03-05"),
        ("signed_mail", "2026-03-02", "2026-03-05", "2026-03-09", "2026-03-05"),
        ("ordinary_mail", "2026-03-02", None, "2026-03-02", "2026-03-02"),
        ("ordinary_mail", "2026-03-02", None, "2026-03-04", "2026-03-04"),
        ("web", "2026-03-01", None, "2026-03-02", "2026-03-02"),
        ("fax", "2026-03-02", None, "2026-03-03", "2026-03-03"),
    ],
)
def test_received_by_its_channel(channel, handed_in, signed, confirmed, received):
    days = {
        "signed": day(signed) if signed else None,
        "confirmed": day(confirmed) if confirmed else None,
    }
    assert rules.received_on(channel, day(handed_in), **days) == day(received)


@pytest.mark.parametrize(
    ("channel", "days"),
    [
        ("signed_mail", {}),
        ("web", {}),
        ("web", {"signed": day("2026-03-02")}),
        ("ordinary_mail", {"confirmed": day("2026-03-01")}),
    ],
)
def test_no_receipt_without_the_day_that_decides(channel, days):
    with pytest.raises(ValueError):
        rules.received_on(channel, day("2026-03-02"), **days)


# --- correction, article 30


@pytest.mark.parametrize(
    ("received", "ends"),
    [
        ("2026-03-02", "2026-03-11"),
        ("2026-02-12", "2026-02-28"),  # 13, 14 worked; holiday; 24 to 27; the working Saturday 28
        ("2026-04-30", "2026-05-13"),  # 6 to 9 May worked, then 11 to 13
        ("2026-09-18", "2026-09-29"),  # 20 September worked, 25 to 27 off
        ("2026-09-30", "2026-10-15"),
    ],
)
def test_a_correction_is_asked_for_within_seven_working_days(received, ends):
    assert rules.correction_notice_due(day(received), CALENDAR).ends_on == day(ends)
    last = day(ends)
    assert rules.correction_refused(day(received), last, False, CALENDAR) == ""
    after = last + dt.timedelta(days=1)
    assert rules.correction_refused(day(received), after, False, CALENDAR) == "late"
    assert rules.correction_refused(day(received), last, True, CALENDAR) == "again"


def test_nobody_is_late_by_a_guess():
    due = rules.correction_notice_due(day("2026-12-25"), CALENDAR)
    assert due.provisional
    assert rules.correction_refused(day("2026-12-25"), day("2027-02-01"), False, CALENDAR) == ""


def test_the_term_for_a_correction_runs_from_the_notice():
    assert rules.correction_due(day("2026-04-28"), 5, CALENDAR).ends_on == day("2026-05-08")


# --- third parties, articles 32 and 33


@pytest.mark.parametrize(
    ("letter", "ends", "provisional"),
    [
        ("2026-03-02", "2026-03-23", False),
        ("2026-02-12", "2026-03-11", False),
        ("2026-04-30", "2026-05-25", False),
        ("2026-09-18", "2026-10-15", False),
        ("2026-12-18", "2027-01-11", True),
    ],
)
def test_a_third_party_has_fifteen_working_days(letter, ends, provisional):
    due = rules.opinion_due(day(letter), CALENDAR)
    assert (due.ends_on, due.provisional) == (day(ends), provisional)


def test_letters_side_by_side_stand_still_once():
    both = spans("2026-03-06..2026-03-20 2026-03-10..2026-03-13 2026-03-21..2026-03-24")
    assert rules.joined(both) == spans("2026-03-06..2026-03-24")
    assert rules.joined(spans("2026-03-06..2026-03-10 2026-03-12..2026-03-13")) == spans(
        "2026-03-06..2026-03-10 2026-03-12..2026-03-13"
    )


def test_every_day_that_was_not_consulted_counts():
    """Between the letter and the answer nothing is counted, before and after everything."""
    received = day("2026-07-01")
    for first in range(1, 15):
        for length in range(1, 15):
            begun = received + dt.timedelta(days=first)
            over = begun + dt.timedelta(days=length)
            due = rules.reply_due(received, CALENDAR, consulted=[Span(begun, over)])
            counted = [
                each
                for each in (received + dt.timedelta(days=n) for n in range(1, 90))
                if each <= due.ends_on and CALENDAR.is_workday(each) and not begun <= each <= over
            ]
            assert len(counted) == 20


# --- extension, article 33


def test_one_extension_before_the_term_is_over():
    due = rules.reply_due(day("2026-03-02"), CALENDAR)
    assert rules.extension_refused(due, day("2026-03-30"), False) == ""
    assert rules.extension_refused(due, day("2026-03-31"), False) == "late"
    assert rules.extension_refused(due, day("2026-03-10"), True) == "again"


# --- outcomes


@pytest.mark.parametrize(
    ("outcome", "ground", "known", "fault"),
    [
        ("granted", "", {}, ""),
        ("granted", "internal", {}, "ground"),
        ("refused", "", {}, "ground"),
        ("refused", "state_secret", {}, ""),
        ("partial", "", {}, "ground"),
        ("partial", "process", {}, ""),
        ("not_exist", "", {}, ""),
        ("unclear", "", {}, "unclear"),
        ("unclear", "", {"asked_correction": True}, ""),
        ("excessive", "", {}, "reasons"),
        ("excessive", "", {"asked_reasons": True}, ""),
        ("refused", "third_party", {}, "third_party"),
        ("refused", "third_party", {"objected": True}, ""),
        ("partial", "third_party", {"objected": True}, ""),
        ("granted", "", {"objected": True}, "overriding"),
        ("granted", "", {"objected": True, "overriding": True}, ""),
    ],
)
def test_outcomes_need_what_their_article_asks(outcome, ground, known, fault):
    facts = dict.fromkeys(("asked_correction", "asked_reasons", "objected", "overriding"), False)
    assert rules.outcome_fault(outcome, ground, **{**facts, **known}) == fault


@pytest.mark.parametrize(
    ("outcome", "on", "first"),
    [
        ("refused", "2026-03-02", True),
        ("partial", "2024-01-01", True),
        ("refused", "2023-12-31", False),
        ("granted", "2026-03-02", False),
    ],
)
def test_reconsideration_comes_first_where_something_is_not_opened(outcome, on, first):
    found = rules.remedies(outcome, day(on))
    assert (found.first, found.days, found.months, found.after) == (first, 60, 6, 15)


def test_wanted_by_many_only_where_it_may_be_opened():
    assert rules.wanted_by_many(True, 2, False)
    assert rules.wanted_by_many(True, 1, True)
    assert not rules.wanted_by_many(True, 1, False)
    assert not rules.wanted_by_many(False, 9, True)
