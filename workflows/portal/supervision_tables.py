"""The figures of supervision laid out: tables, plots, and lines for spreadsheet programs."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext as _

from ..parties import holder_title
from ..terms import month_words
from .figures import GROUPS, MEASURES, Scope
from .sums import Counts, count
from .supervision_filter import procedure_titles, query

LEAST_SHOWN = 5
"""How content people are is said of five answers and more: fewer would tell who said what."""


def _folded(counts: Counts, part: int) -> dict[Any, Counter[str]]:
    """The measures by one part of their keys."""
    found: dict[Any, Counter[str]] = {}
    for code, rows in counts.items():
        for key, n in rows.items():
            found.setdefault(key[part], Counter())[code] += n
    return found


def share(part: int, whole: int) -> str:
    """A share in per cent with one decimal, cut off so that it never shows more than there is."""
    if not whole:
        return "—"
    percent, tenth = divmod(part * 1000 // whole, 10)
    return f"{percent}.{tenth}%"


def cells(
    found: Counter[str], scope: Scope, monthly: bool = False, **narrowed: str
) -> list[dict[str, Any]]:
    """A row of the table: each number with the list behind it."""
    return [
        cell
        for _title, codes in GROUPS
        for code in codes
        for cell in _cells_of(code, found, scope, monthly, narrowed)
    ]


def _cells_of(
    code: str, found: Counter[str], scope: Scope, monthly: bool, narrowed: dict[str, str]
) -> Iterator[dict[str, Any]]:
    measure, n = MEASURES[code], found[code]
    if monthly and measure.now:
        yield {"label": measure.title, "short": measure.short, "text": "—", "url": ""}
        return
    url = f"/supervision/steps/?{query(scope, what=code, **narrowed)}" if n else ""
    if code == "rated":
        few = 0 < n < LEAST_SHOWN
        yield {
            "label": _("满意率"),
            "short": _("满意率"),
            "text": _("少于5份") if few else share(found["content"], n),
            "url": "" if few else url,
            "note": "" if few or not n else _("%(n)s份评价") % {"n": n},
        }
        return
    yield {"label": measure.title, "short": measure.short, "text": str(n), "url": url}
    if code == "broken":
        rate = share(found["kept"], found["kept"] + n)
        yield {"label": _("按期率"), "short": _("按期率"), "text": rate, "url": ""}


def grouped(cells: list[dict[str, Any]]) -> list[tuple[Any, list[dict[str, Any]]]]:
    """The cells of a row under the headings of their groups."""
    rest = iter(cells)
    widths = [(title, len(codes) + ("broken" in codes)) for title, codes in GROUPS]
    return [(title, [next(rest) for _cell in range(width)]) for title, width in widths]


def tables(counts: Counts, scope: Scope) -> list[dict[str, Any]]:
    """By office, by procedure, by month: rows with their cells, and the sum."""
    months = [f"{month:%Y-%m}" for month in scope.months]
    titles = procedure_titles()
    by_office = _folded(counts, 0)
    by_procedure = _folded(counts, 1)
    by_month = _folded(counts, 2)
    rows = [
        (
            "office",
            _("按责任单位"),
            [
                (holder_title(code), cells(by_office[code], scope, office=code))
                for code in sorted(by_office)
            ],
        ),
        (
            "procedure",
            _("按程序"),
            [
                (titles.get(code, code), cells(by_procedure[code], scope, procedure=code))
                for code in sorted(by_procedure)
            ],
        ),
        (
            "month",
            _("按月份"),
            [
                (
                    month_words(scope.months[place]),
                    cells(by_month[place], scope, True, since=months[place], until=months[place]),
                )
                for place in sorted(by_month, reverse=True)
                if place >= 0
            ],
        ),
    ]
    return [
        {"code": code, "title": title, "rows": found, "heads": grouped(found[0][1])}
        for code, title, found in rows
        if found
    ]


def total(counts: Counts) -> Counter[str]:
    """Every measure summed up."""
    return Counter({code: sum(rows.values()) for code, rows in counts.items()})


def _plot(
    code: str, title: str, months: list[dt.date], values: Mapping[int, Fraction], words: Any
) -> dict[str, Any] | None:
    """A plot over the months; None where there are fewer than two points to join."""
    if len(values) < 2:
        return None
    most = max(Fraction(1), *values.values())
    last = len(months) - 1
    points = [
        {
            "x": place * 1000 // last,
            "y": int(value / most * 1000),
            "label": month_words(months[place]),
            "value": words(place),
        }
        for place, value in sorted(values.items())
    ]
    return {
        "id": code,
        "title": title,
        "points": points,
        "line": " ".join(f"{point['x']},{point['y']}" for point in points),
        "x_ticks": [month_words(months[0]), month_words(months[-1])],
        "most": most,
    }


def plots(counts: Counts, scope: Scope) -> list[dict[str, Any]]:
    """What goes up and down over the months: terms kept, terms broken, satisfaction."""
    by_month = {place: row for place, row in _folded(counts, 2).items() if place >= 0}
    months = scope.months
    kept = {
        place: Fraction(row["kept"], row["kept"] + row["broken"])
        for place, row in by_month.items()
        if row["kept"] + row["broken"]
    }
    content = {
        place: Fraction(row["content"], row["rated"])
        for place, row in by_month.items()
        if row["rated"] >= LEAST_SHOWN
    }
    broken = {place: Fraction(by_month[place]["broken"]) for place in kept}

    def said(part: str, *whole: str) -> Any:
        return lambda place: share(
            by_month[place][part], sum(by_month[place][name] for name in whole)
        )

    found = [
        _plot("kept", _("各月按期率"), months, kept, said("kept", "kept", "broken")),
        _plot(
            "broken",
            _("各月超过时限的环节"),
            months,
            broken,
            lambda place: by_month[place]["broken"],
        ),
        _plot("content", _("各月满意率"), months, content, said("content", "rated")),
    ]
    for plot in found:
        if plot is not None:
            top = str(plot["most"]) if plot["id"] == "broken" else "100%"
            plot["y_ticks"] = [top, "0"]
    return [plot for plot in found if plot is not None]


def lines(scope: Scope) -> Iterator[list[Any]]:
    """A line a month, office and procedure, below the heads; a share of few answers stays empty."""
    counts = count(scope)
    keys = sorted({key for rows in counts.values() for key in rows})
    titles, months = procedure_titles(), scope.months
    yield [
        _("月份"),
        _("责任单位"),
        _("程序"),
        *(str(measure.title) for measure in MEASURES.values()),
    ]
    for holder, procedure, place in sorted(keys, key=lambda key: (key[2], key[0], key[1])):
        numbers: list[Any] = [counts[code][holder, procedure, place] for code in MEASURES]
        at = list(MEASURES).index("rated")
        if numbers[at] < LEAST_SHOWN:
            numbers[at : at + 2] = ["", ""]
        for index, measure in enumerate(MEASURES.values()):
            if measure.now != (place < 0):
                numbers[index] = ""
        yield [
            f"{months[place]:%Y-%m}" if place >= 0 else _("现在"),
            str(holder_title(holder)),
            str(titles.get(procedure, procedure)),
            *numbers,
        ]
