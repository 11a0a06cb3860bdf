"""The calendar of working days as the database has it: reading it, seeding it, importing a year.

A row says what its day is where that differs from the rule of the week, or where the day has a
name; all other days follow the week. The State Council's notice for a year also decides about the
last days of December before it (`terms.touches_next_year`), so that a table of a year reaches from
28 December of the year before to 27 December.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import chinese_calendar
from django.db import transaction
from django.utils.translation import gettext as _

from .models.calendar import CalendarDay, CalendarYear
from .statements import Question, Ready
from .terms import TableCalendar, fixed_holidays, is_weekend, touches_next_year

if TYPE_CHECKING:
    from django.apps.registry import Apps

SEED_SOURCE = "chinesecalendar"
YEARS = range(1990, 2101)
LONGEST_FILE = 1_000_000
"""Bytes; a year's table has a few thousand."""

_LOADED = Question(
    lambda: CalendarYear.objects.order_by("year").values_list("year", "version", "loaded_at")
)
_cached: tuple[tuple[Any, ...], TableCalendar] | None = None


def current() -> TableCalendar:
    """The calendar in force; its days are read again only when a year has been loaded since.

    One query. The moment of loading is part of what is compared, so that a load that was rolled
    back is not taken for another one with the same version.
    """
    return _current(_LOADED.ask())


def asked() -> Ready:
    """The statement that asks for the calendar in force, to be sent together with others."""
    sql, values, read = _LOADED.with_values()
    assert read is not None
    return sql, values, lambda rows: _current(read(rows))


def _current(loaded: Iterable[tuple[Any, ...]]) -> TableCalendar:
    global _cached
    state = tuple(loaded)
    cached = _cached
    if cached is None or cached[0] != state:
        days = dict(CalendarDay.objects.values_list("date", "is_workday"))
        versions = {year: version for year, version, _loaded_at in state}
        cached = _cached = (state, TableCalendar(days, versions))
    return cached[1]


def seed(apps: Apps | None = None) -> frozenset[int]:
    """Load the years that the calendar package knows and the table does not; returns those years.

    A data migration hands in its own `apps`. Years that are there stay as they are.
    """
    day_model: Any = apps.get_model("workflows", "CalendarDay") if apps else CalendarDay
    year_model: Any = apps.get_model("workflows", "CalendarYear") if apps else CalendarYear
    off, worked = chinese_calendar.holidays, chinese_calendar.workdays
    known = set(range(min(off).year, max(off).year + 1))
    with transaction.atomic():
        missing = known - set(year_model.objects.values_list("year", flat=True))
        if not missing:
            return frozenset()
        rows = {day: (False, name) for day, name in off.items()}
        rows.update({day: (True, name) for day, name in worked.items()})
        year_model.objects.bulk_create(
            year_model(year=year, source=SEED_SOURCE) for year in sorted(missing)
        )
        day_model.objects.bulk_create(
            (
                day_model(
                    date=day,
                    is_workday=is_workday,
                    name=chinese_calendar.Holiday(name).chinese,
                    source=SEED_SOURCE,
                )
                for day, (is_workday, name) in sorted(rows.items())
                if day.year in missing
            ),
            # A notice imported before the seed has the last word on the days that it names.
            ignore_conflicts=True,
        )
    return frozenset(missing)


# --- importing a year
@dataclass(frozen=True)
class Problem:
    """What is wrong in a file: its row (a line of CSV, a place in a JSON list; 0 the whole)."""

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        if not self.row:
            return self.message
        return _("第%(row)s行 %(column)s：%(message)s") % {
            "row": self.row,
            "column": self.column,
            "message": self.message,
        }


class CalendarRefused(ValueError):
    """A file that was not imported; `problems` has everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Day:
    """One day of a year's table."""

    date: dt.date
    is_workday: bool
    name: str


@dataclass(frozen=True)
class YearTable:
    """A year's table as read from a file, checked."""

    year: int
    source: str
    days: tuple[Day, ...]


def import_year(
    data: bytes, *, year: int | None = None, source: str = "", no_swapped_days: bool = False
) -> frozenset[int]:
    """Load a year's days off from a CSV or JSON file, all or nothing.

    Returns the years newly loaded or replaced, whose provisional terms can now be counted; the
    empty set where the file says what is loaded already. A table that is there is superseded, its
    version goes up by one. CalendarRefused, and nothing changed, where anything is wrong: see
    `read_year`.
    """
    table = read_year(data, year=year, source=source, no_swapped_days=no_swapped_days)
    first, last = dt.date(table.year - 1, 12, 28), dt.date(table.year, 12, 27)
    with transaction.atomic():
        before = CalendarYear.objects.select_for_update().filter(year=table.year).first()
        there = CalendarDay.objects.filter(date__range=(first, last))
        same_days = {(d.date, d.is_workday, d.name) for d in there} == {
            (d.date, d.is_workday, d.name) for d in table.days
        }
        if before and before.source == table.source and same_days:
            return frozenset()
        version = before.version + 1 if before else 1
        there.delete()
        CalendarDay.objects.bulk_create(
            CalendarDay(
                date=day.date,
                is_workday=day.is_workday,
                name=day.name,
                source=table.source,
                version=version,
            )
            for day in table.days
        )
        if before:
            before.delete()  # made anew, so that its moment of loading is new: see `current`
        CalendarYear.objects.create(year=table.year, version=version, source=table.source)
    return frozenset({table.year})


def read_year(
    data: bytes, *, year: int | None = None, source: str = "", no_swapped_days: bool = False
) -> YearTable:
    """The table in a file; CalendarRefused with every problem by row and column.

    CSV (UTF-8 or GB18030) with the columns 日期, 上班 (是/否), 名称 and, unless handed in, 年份 and
    来源; English headings ``date``, ``workday``, ``name``, ``year``, ``source`` do as well. JSON:
    ``{"year", "source", "days": [{"date", "workday", "name"}]}``; ``papers`` for the source and
    ``isOffDay`` for the opposite of ``workday`` are understood. Only days that differ from the
    week need be listed. A table is refused as incomplete without its fixed holidays or with fewer
    days off than the law gives, and without a single swapped working weekend unless
    `no_swapped_days` says that this year has none.
    """
    given, rows = _rows(data)
    problems: list[Problem] = []
    said_year = {str(value) for value in (year, given.get("year")) if value not in (None, "")}
    said_source = {str(value).strip() for value in (source, given.get("source")) if value}
    said_year |= {text for _row, cells in rows if (text := _text(cells.get("year")))}
    said_source |= {text for _row, cells in rows if (text := _text(cells.get("source")))}
    the_year = _the_year(said_year, problems)
    the_source = _the_source(said_source, problems)
    seen: dict[dt.date, int] = {}
    days: list[Day] = []
    for number, cells in rows:
        day = _day(number, cells, the_year, problems)
        if day is None:
            continue
        if day.date in seen:
            message = _("与第%(row)s行日期重复。") % {"row": seen[day.date]}
            problems.append(Problem(number, _("日期"), message))
            continue
        seen[day.date] = number
        days.append(day)
    if the_year and not problems:
        problems += _incomplete(the_year, days, no_swapped_days)
    if problems or the_year is None:
        raise CalendarRefused(sorted(problems, key=lambda problem: problem.row))
    # Days that are what their place in the week says, and have no name, need no row.
    kept = [d for d in days if d.name or d.is_workday is is_weekend(d.date)]
    kept = [d for d in kept if d.date <= dt.date(the_year, 12, 27)]
    return YearTable(the_year, the_source, tuple(sorted(kept, key=lambda d: d.date)))


_HEADINGS = {
    "date": "date", "日期": "date",
    "workday": "workday", "is_workday": "workday", "上班": "workday", "是否上班": "workday",
    "工作日": "workday",
    "isoffday": "off", "off": "off", "休息": "off", "放假": "off",
    "name": "name", "名称": "name", "节日": "name",
    "year": "year", "年份": "year",
    "source": "source", "来源": "source",
}  # fmt: skip
_YES = {"1", "true", "yes", "是", "班", "上班"}
_NO = {"0", "false", "no", "否", "休", "休息", "放假"}


def _rows(data: bytes) -> tuple[Mapping[str, Any], list[tuple[int, dict[str, Any]]]]:
    """What the file says of the whole, and its rows with their numbers."""
    if len(data) > LONGEST_FILE:
        raise _whole(_("文件过大。"))
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise _whole(_("文件编码应为UTF-8或GB18030。"))
    return _json_rows(text) if text.lstrip().startswith(("{", "[")) else _csv_rows(text)


def _json_rows(text: str) -> tuple[Mapping[str, Any], list[tuple[int, dict[str, Any]]]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _whole(_("文件不是有效的JSON。")) from error
    days = content.get("days") if isinstance(content, dict) else None
    if not isinstance(days, list) or not all(isinstance(day, dict) for day in days):
        raise _whole(_("JSON中缺少日期列表“days”。"))
    papers = content.get("papers")
    if "source" not in content and isinstance(papers, list):
        content["source"] = " ".join(str(paper) for paper in papers)
    rows = [
        (number, {_HEADINGS.get(str(key).lower(), ""): value for key, value in day.items()})
        for number, day in enumerate(days, 1)
    ]
    return content, rows


def _csv_rows(text: str) -> tuple[Mapping[str, Any], list[tuple[int, dict[str, Any]]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise _whole(_("文件不是有效的CSV。")) from error
    heads = [_HEADINGS.get(cell.strip().lower(), "") for cell in lines[0][1]] if lines else []
    if "date" not in heads or not {"workday", "off"} & set(heads):
        raise _whole(_("CSV首行应有“日期”“上班”“名称”各列。"))
    return {}, [(number, dict(zip(heads, line, strict=False))) for number, line in lines[1:]]


def _whole(message: str) -> CalendarRefused:
    return CalendarRefused([Problem(0, "", message)])


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _the_year(said: set[str], problems: list[Problem]) -> int | None:
    if not said:
        problems.append(Problem(0, "", _("没有写明年份。")))
    elif len(said) > 1:
        message = _("年份不一致：%(years)s。") % {"years": "、".join(sorted(said))}
        problems.append(Problem(0, "", message))
    elif not re.fullmatch("[0-9]{4}", text := said.pop()) or int(text) not in YEARS:
        problems.append(Problem(0, "", _("年份“%(year)s”无效。") % {"year": text}))
    else:
        return int(text)
    return None


def _the_source(said: set[str], problems: list[Problem]) -> str:
    if len(said) != 1:
        message = _("来源前后不一致。") if said else _("没有写明来源（国务院办公厅通知文号）。")
        problems.append(Problem(0, "", message))
        return ""
    source = said.pop()
    if len(source) > 120 or not source.isprintable():
        problems.append(Problem(0, "", _("来源不得超过120字，不得含控制字符。")))
    return source


def _day(
    row: int, cells: Mapping[str, Any], year: int | None, problems: list[Problem]
) -> Day | None:
    """The day of one row, or None with its problems noted."""
    before = len(problems)
    date = _date(_text(cells.get("date")))
    worked = _worked(cells)
    name = _text(cells.get("name"))
    if date is None:
        problems.append(Problem(row, _("日期"), _("日期应写作2027-01-01的形式。")))
    elif year and not dt.date(year - 1, 12, 28) <= date <= dt.date(year, 12, 31):
        message = _("不在%(year)s年的放假安排之内。") % {"year": year}
        problems.append(Problem(row, _("日期"), message))
    elif year and date.year == year and touches_next_year(date) and worked is is_weekend(date):
        message = _("12月28日以后的调整由下一年的通知规定，请随下一年导入。")
        problems.append(Problem(row, _("日期"), message))
    if worked is None:
        problems.append(Problem(row, _("上班"), _("应填“是”或“否”。")))
    if worked is False and date and not is_weekend(date) and not name:
        problems.append(Problem(row, _("名称"), _("放假的日子应写明节日名称。")))
    if len(name) > 40 or not name.isprintable():
        problems.append(Problem(row, _("名称"), _("名称不得超过40字，不得含控制字符。")))
    if date is None or worked is None or len(problems) > before:
        return None
    return Day(date, worked, name)


def _date(text: str) -> dt.date | None:
    match = re.fullmatch(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})", text)
    try:
        return dt.date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        return None


def _worked(cells: Mapping[str, Any]) -> bool | None:
    """Whether a row says that its day is worked; None where it does not say, or both."""
    if ("workday" in cells) is ("off" in cells):
        return None
    word = _text(cells.get("workday", cells.get("off"))).lower()
    if word not in _YES | _NO:
        return None
    return (word in _YES) is ("workday" in cells)


def _incomplete(year: int, days: list[Day], no_swapped_days: bool) -> list[Problem]:
    """Why the days cannot be the whole notice of a year: a table cut short counts wrongly."""
    off = {day.date for day in days if not day.is_workday and day.name}
    worked = {day.date for day in days if day.is_workday}
    problems = []
    for day in sorted(fixed_holidays(year)):
        if day in worked or (day not in off and not is_weekend(day)):
            message = _("%(day)s是法定节日，应为休息日。") % {"day": day.isoformat()}
            problems.append(Problem(0, "", message))
    # 全国年节及纪念日放假办法: 13 days since 2025, 11 since 2008, 10 before.
    least = 13 if year >= 2025 else 11 if year >= 2008 else 10
    if len(off) < least:
        message = _("只有%(count)s个有名称的放假日，少于法定的%(least)s天，文件不完整。")
        problems.append(Problem(0, "", message % {"count": len(off), "least": least}))
    if not no_swapped_days and not any(is_weekend(day) for day in worked):
        message = _("没有调休上班的周末；如果当年确实没有，请另行确认。")
        problems.append(Problem(0, "", message))
    return problems
