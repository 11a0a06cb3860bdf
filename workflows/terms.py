"""Statutory terms (时限): when a period ends, by the Civil Code and the days off of each year.

Pure: no input or output; the calendar is handed in. Articles are those of the Civil Code
(民法典, 2021-01-01), which govern civil periods; for publicity (公示) and the like we follow them
as a house rule. Calendar days and working days are two types and are never converted.
"""

from __future__ import annotations

import datetime as dt
import re
from calendar import monthrange
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .clock import SHANGHAI

ONE_DAY = dt.timedelta(days=1)
LONGEST = 9999
"""The largest number in a term; more is a slip of the pen."""


class TermError(ValueError):
    """A term that cannot be counted or read; the message is for people."""


class PrintedEndTooEarly(TermError):
    """A posted end date that lies before the one the law gives."""


@dataclass(frozen=True)
class _Term:
    n: int
    letter: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int):
            raise TypeError("a term is a whole number")
        if not 1 <= self.n <= LONGEST:
            raise TermError(_("期限应为1至%(most)s的整数。") % {"most": LONGEST})

    @property
    def code(self) -> str:
        """The term as stored, e.g. ``20d``; `parse` reads it."""
        return f"{self.n}{self.letter}"


@dataclass(frozen=True)
class Days(_Term):
    """Calendar days (日)."""

    letter: ClassVar[str] = "d"

    def __str__(self) -> str:
        return ngettext("%(n)s日", "%(n)s日", self.n) % {"n": self.n}


@dataclass(frozen=True)
class WorkingDays(_Term):
    """Working days (工作日); weekends on which the State Council has people work are among them."""

    letter: ClassVar[str] = "w"

    def __str__(self) -> str:
        return ngettext("%(n)s个工作日", "%(n)s个工作日", self.n) % {"n": self.n}


@dataclass(frozen=True)
class Months(_Term):
    """Months by the Gregorian calendar (月, article 200)."""

    letter: ClassVar[str] = "m"

    def __str__(self) -> str:
        return ngettext("%(n)s个月", "%(n)s个月", self.n) % {"n": self.n}


AnyTerm = Days | WorkingDays | Months
_TYPES: dict[str, type[Days] | type[WorkingDays] | type[Months]] = {
    "d": Days,
    "w": WorkingDays,
    "m": Months,
}


def parse(code: str) -> AnyTerm:
    """The term written as ``20d``, ``5w`` or ``3m``; TermError for anything else."""
    match = re.fullmatch(r"([1-9][0-9]{0,3})([dwm])", code)
    if match is None:
        raise TermError(_("期限应写作20d（日）、5w（工作日）或3m（月）的形式。"))
    return _TYPES[match[2]](int(match[1]))


# --- calendars
def fixed_holidays(year: int) -> frozenset[dt.date]:
    """The statutory holidays of a year that stand on a fixed date.

    全国年节及纪念日放假办法, article 2: New Year's Day, Labour Day (two days since 2025, State
    Council decree 795), the first three days of October. Those by the moon or the sun (Spring
    Festival, Qingming, Dragon Boat, Mid-Autumn) are left out: only the yearly notice is relied on.
    """
    days = {(1, 1), (5, 1), (10, 1), (10, 2), (10, 3)} | ({(5, 2)} if year >= 2025 else set())
    return frozenset(dt.date(year, month, day) for month, day in days)


def is_weekend(day: dt.date) -> bool:
    """Whether a day is a Saturday or Sunday."""
    return day.weekday() >= 5


class Calendar(Protocol):
    """Which days are worked."""

    def is_workday(self, day: dt.date) -> bool:
        """Whether people work on that day; a guess unless it `is_settled`."""

    def is_rest_day(self, day: dt.date) -> bool:
        """The opposite: a weekend or a day off (法定休假日), and no swapped working day."""

    def is_loaded(self, year: int) -> bool:
        """Whether the State Council's notice for the year is known."""

    def is_settled(self, day: dt.date) -> bool:
        """Whether the announced calendar says what that day is, so that nothing can change it."""

    def version(self, year: int) -> int:
        """Which version of the year's table is used; 0 where none is loaded."""


class TableCalendar:
    """A calendar by a table of the days that differ from Monday to Friday.

    `days` tells of a day whether it is worked; days not in it follow the week. `loaded_years` are
    the years whose notice is known, as a mapping with their versions. A year not loaded is guessed
    from weekends and `fixed_holidays`, whatever `days` says of it.
    """

    def __init__(
        self, days: Mapping[dt.date, bool], loaded_years: Mapping[int, int] | Collection[int]
    ) -> None:
        self._days = dict(days)
        self._versions = (
            dict(loaded_years)
            if isinstance(loaded_years, Mapping)
            else dict.fromkeys(loaded_years, 1)
        )

    def is_workday(self, day: dt.date) -> bool:
        """Whether people work on that day; a guess unless it `is_settled`."""
        if day.year in self._versions:
            return self._days.get(day, not is_weekend(day))
        return not is_weekend(day) and day not in fixed_holidays(day.year)

    def is_rest_day(self, day: dt.date) -> bool:
        """The opposite of `is_workday`."""
        return not self.is_workday(day)

    def is_loaded(self, year: int) -> bool:
        """Whether the notice for the year is known."""
        return year in self._versions

    def is_settled(self, day: dt.date) -> bool:
        """Whether the year of that day is loaded and, at its very end, the next one too.

        The notice for a year decides about New Year and with it about the days before: that for
        2019 made Monday 2018-12-31 a day off and Saturday 2018-12-29 a working day.
        """
        return self.is_loaded(day.year) and (
            not touches_next_year(day) or self.is_loaded(day.year + 1)
        )

    def version(self, year: int) -> int:
        """The version of the year's table; 0 where none is loaded."""
        return self._versions.get(year, 0)


def touches_next_year(day: dt.date) -> bool:
    """Whether the next year's notice may still decide about that day: 28 to 31 December."""
    return day.month == 12 and day.day >= 28


# --- counting
@dataclass(frozen=True)
class Deadline:
    """When a term ends.

    `start` is the day from which it is counted (itself not counted), `ends_on` its last day;
    `ends_at` is the first moment after it, so that a moment is in time while it is ``< ends_at``.
    `provisional`: a day was counted of which no notice speaks yet; such a deadline fires nothing.
    `rule` says how it was counted, for the record and for counting again; at most 160 characters
    for the terms that the law knows.
    """

    start: dt.date
    ends_on: dt.date
    ends_at: dt.datetime
    provisional: bool
    rule: str

    @property
    def term(self) -> str:
        """The code of the term that was counted, before it was extended or stood still."""
        return self.rule.partition(";")[0]

    def is_over(self, moment: dt.datetime) -> bool:
        """Whether the term has run out at that moment."""
        return moment >= self.ends_at


def end_of(
    term: AnyTerm,
    start: dt.datetime | dt.date,
    calendar: Calendar,
    *,
    by_office_hours: bool = False,
    office_closes: dt.time = dt.time(17, 0),
) -> Deadline:
    """When `term` ends that starts at `start`.

    Article 201: the day it starts is not counted. Article 202: months end on the corresponding
    day, where there is none on the last day of the month. Article 203: a last day that is a rest
    day gives way to the first day after that is none (ordinary weekends too, by custom); a swapped
    working Saturday is no rest day. The end is 24:00, or with `by_office_hours` the close of the
    office. Article 204: what another law says or the parties agreed goes before; it is for the
    caller to know. A `start` with a time must have a time zone, else ValueError.
    """
    day = _day(start)
    closes = office_closes if by_office_hours else None
    return _deadline(term, day, (term,), day, closes, calendar)


def extend(term: AnyTerm, deadline: Deadline, by: AnyTerm, calendar: Calendar) -> Deadline:
    """The deadline of `term` extended by another term, which runs from the last day of the first.

    E.g. 政府信息公开条例, article 33: twenty working days, extended by at most twenty more.
    """
    plan, origin = _plan(term, deadline)
    return _deadline(term, deadline.start, (*plan, by), origin, _closes(deadline), calendar)


def resume(
    term: AnyTerm,
    deadline: Deadline,
    suspended_from: dt.datetime | dt.date,
    resumed_at: dt.datetime | dt.date,
    calendar: Calendar,
) -> Deadline:
    """The deadline of `term` after a suspension (中止): what was left of it runs on.

    House rule: no day on which the term stood still counts, not even in part; counting goes on
    the day after it is resumed, as article 201 has it for the start. What is left of months is
    counted in days. A deadline that had passed before stays as it is. ValueError if it is resumed
    before it was suspended.
    """
    stopped, resumed = _day(suspended_from), _day(resumed_at)
    if resumed < stopped:
        raise ValueError("resumed before it was suspended")
    if isinstance(suspended_from, dt.datetime):
        passed = deadline.is_over(suspended_from)
    else:
        passed = suspended_from > deadline.ends_on
    if passed:
        return deadline
    plan, origin = _plan(term, deadline)
    begun = origin
    while len(plan) > 1 and (last := _Count(calendar).last_day(plan[0], begun)) < stopped:
        plan, begun = plan[1:], last
    rest = _rest(plan[0], begun, stopped, calendar)
    resumed = max(resumed, begun)
    return _deadline(term, deadline.start, (rest, *plan[1:]), resumed, _closes(deadline), calendar)


def recompute(term: AnyTerm, deadline: Deadline, calendar: Calendar) -> Deadline:
    """The same deadline by today's calendar, with its suspensions, extensions and office hours."""
    plan, origin = _plan(term, deadline)
    return _deadline(term, deadline.start, plan, origin, _closes(deadline), calendar)


def check_printed_end(deadline: Deadline, printed: dt.date) -> None:
    """Raise PrintedEndTooEarly where a notice prints an end before the one that the law gives.

    Many notices count the day of posting as the first; a later printed end only gives more time.
    """
    if printed < deadline.ends_on:
        raise PrintedEndTooEarly(
            _("公布的截止日期%(printed)s早于依法计算的%(computed)s。")
            % {"printed": printed.isoformat(), "computed": deadline.ends_on.isoformat()}
        )


def meeting_not_before(notice_sent: dt.datetime | dt.date, notice: Days) -> dt.date:
    """The first day on which a meeting may be held that needs N days' notice (N日前通知).

    Strict reading: N full days lie between the day of the notice and that of the meeting. Days off
    do not matter, owners meet on weekends.
    """
    return _day(notice_sent) + dt.timedelta(days=notice.n + 1)


def _day(moment: dt.datetime | dt.date) -> dt.date:
    if not isinstance(moment, dt.datetime):
        return moment
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return moment.astimezone(SHANGHAI).date()


class _Count:
    """One counting: remembers which days it asked the calendar about."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.years: set[int] = set()
        self.provisional = False

    def rests(self, day: dt.date) -> bool:
        self.years.add(day.year)
        self.provisional = self.provisional or not self.calendar.is_settled(day)
        return self.calendar.is_rest_day(day)

    def last_day(self, term: AnyTerm, start: dt.date) -> dt.date:
        day = start
        if isinstance(term, WorkingDays):
            left = term.n
            while left:
                day += ONE_DAY
                if not self.rests(day):
                    left -= 1
            return day
        day = _nominal_end(term, start)
        while self.rests(day):
            day += ONE_DAY
        return day

    def tables(self) -> str:
        """Years and versions asked, e.g. ``2026@1,2027@0``; 0 is a year not loaded."""
        return ",".join(f"{year}@{self.calendar.version(year)}" for year in sorted(self.years))


def _nominal_end(term: Days | Months, start: dt.date) -> dt.date:
    """The last day before article 203 moves it."""
    if isinstance(term, Days):
        return start + dt.timedelta(days=term.n)
    return corresponding_day(start, months=term.n)


def month_words(month: dt.date) -> str:
    """The month of a day as people read it: ``2026年3月``."""
    return date_format(month, "YEAR_MONTH_FORMAT")


def corresponding_day(day: dt.date, *, months: int) -> dt.date:
    """Article 202: the same day of another month, or that month's last where it has none."""
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month0 + 1, min(day.day, monthrange(year, month0 + 1)[1]))


def _rest(term: AnyTerm, start: dt.date, stopped: dt.date, calendar: Calendar) -> AnyTerm:
    """What is left of a term stopped on a day. At least one: its last day had not passed."""
    if stopped <= start:
        return term
    if isinstance(term, WorkingDays):
        full_days = (start + ONE_DAY * i for i in range(1, (stopped - start).days))
        counted = sum(calendar.is_workday(day) for day in full_days)
        return WorkingDays(max(1, term.n - counted))
    return Days(max(1, (_nominal_end(term, start) - stopped).days + 1))


def _deadline(
    term: AnyTerm,
    start: dt.date,
    plan: Iterable[AnyTerm],
    origin: dt.date,
    closes: dt.time | None,
    calendar: Calendar,
) -> Deadline:
    """Count the terms of `plan` one after the other from `origin` on."""
    plan = tuple(plan)
    count = _Count(calendar)
    last = origin
    for part in plan:
        last = count.last_day(part, last)
    if closes is None:
        ends_at = dt.datetime.combine(last + ONE_DAY, dt.time(0), tzinfo=SHANGHAI)
    else:
        ends_at = dt.datetime.combine(last, closes, tzinfo=SHANGHAI)
    parts = [term.code, "exclude-start"]
    if not all(isinstance(part, WorkingDays) for part in plan):
        parts.append("roll-to-workday")
    parts.append(f"end={closes:%H:%M}" if closes else "end=24:00")
    if (plan, origin) != ((term,), start):
        parts.append(f"counted={'+'.join(part.code for part in plan)}@{origin.isoformat()}")
    parts.append(f"cal={count.tables()}")
    return Deadline(start, last, ends_at, count.provisional, ";".join(parts))


def _plan(term: AnyTerm, deadline: Deadline) -> tuple[tuple[AnyTerm, ...], dt.date]:
    """What a deadline counted, and from which day: its rule says so where it was moved."""
    counted = _in_rule(deadline, "counted")
    if not counted:
        return (term,), deadline.start
    codes, origin = counted.split("@")
    return tuple(parse(code) for code in codes.split("+")), dt.date.fromisoformat(origin)


def _closes(deadline: Deadline) -> dt.time | None:
    end = _in_rule(deadline, "end")
    return None if end in ("", "24:00") else dt.time.fromisoformat(end)


def _in_rule(deadline: Deadline, key: str) -> str:
    parts = (part.partition("=") for part in deadline.rule.split(";"))
    return next((value for name, _sign, value in parts if name == key), "")


# --- ages
def birth_bounds(
    on: dt.date, *, at_least: int | None = None, at_most: int | None = None
) -> tuple[dt.date | None, dt.date | None]:
    """Earliest and latest date of birth of who is `at_least`…`at_most` full years old on a day.

    "N周岁以下" includes N: not yet N + 1. A year of age is full on the birthday itself (who was
    born on 29 February: on the 28th in a common year, after article 202). Some calls deviate, so a
    call publishes its bounds. None where there is no bound.
    """
    earliest = None if at_most is None else _first_younger_than(at_most + 1, on)
    latest = None if at_least is None else _first_younger_than(at_least, on) - ONE_DAY
    return earliest, latest


def _first_younger_than(years: int, on: dt.date) -> dt.date:
    """The first date of birth of those who are not yet so old on that day."""
    birth = corresponding_day(on, months=-12 * years)
    while corresponding_day(birth, months=12 * years) <= on:
        birth += ONE_DAY
    return birth
