"""Supervision (监督): terms kept and broken, answers, objections, satisfaction; for everybody in
figures without names, for those who oversee a place as lists of what is overdue there."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django_ratelimit.decorators import ratelimit

from .. import clock
from .. import procedure as procedures
from ..models.case import Community, StepRun
from ..parties import directory, holder_title
from ..records import export
from . import readers
from .figures import GROUPS, MEASURES, Scope, following, undecided
from .open_data import CSV, stream
from .places import offered
from .sums import Counts, count
from .views import context

LEAST_SHOWN = 5
"""How content people are is said of five answers and more: fewer would tell who said what."""
BACK = 36
"""So many months can be asked for; the page begins with the last `SHOWN` of them."""
SHOWN = 12
PER_PAGE = 50


def _months() -> list[dt.date]:
    """The first days of the months that can be asked for, the newest first."""
    found = [clock.today().replace(day=1)]
    while len(found) < BACK:
        found.append((found[-1] - dt.timedelta(days=1)).replace(day=1))
    return found


def holders() -> dict[str, Any]:
    """Who may hold a term, by any procedure, with what people read."""
    found = {
        holder: holder_title(holder)
        for declared in procedures.all_declared()
        for step in declared.steps()
        for holder in step.charged
    }
    return dict(sorted(found.items()))


def _titles() -> dict[str, Any]:
    codes = sorted({declared.code for declared in procedures.all_declared()})
    return {code: procedures.versions(code)[0].title for code in codes}


def month_words(month: dt.date) -> str:
    """``2026年3月``."""
    return date_format(month, "YEAR_MONTH_FORMAT")


class ScopeFilter(forms.Form):
    """Of what the figures are: a place, a procedure, who holds the step, the months."""

    place = forms.ChoiceField(label=gettext_lazy("街道或小区"), required=False)
    procedure = forms.ChoiceField(label=gettext_lazy("程序"), required=False)
    office = forms.ChoiceField(label=gettext_lazy("责任单位"), required=False)
    since = forms.ChoiceField(label=gettext_lazy("自"), required=False)
    until = forms.ChoiceField(label=gettext_lazy("至"), required=False)

    def __init__(self, data: Any, places: Collection[int] | None = None) -> None:
        months = _months()
        given = data.copy()
        given.setdefault("since", f"{months[SHOWN - 1]:%Y-%m}")
        given.setdefault("until", f"{months[0]:%Y-%m}")
        super().__init__(given)
        known: Any = self.fields
        found = Community.objects.exclude(kind="site").order_by("kind", "code")
        if places is not None:
            found = found.filter(pk__in=places)
            del known["since"], known["until"]
        self.places = {place.code: place for place in offered(found, given.get("place", ""))}
        every = [("", _("全部"))]
        known["place"].choices = every + [(each.code, each.name) for each in self.places.values()]
        known["procedure"].choices = every + list(_titles().items())
        known["office"].choices = every + list(holders().items())
        for name in ("since", "until"):
            if name in known:
                known[name].choices = [(f"{month:%Y-%m}", month_words(month)) for month in months]

    def clean(self) -> dict[str, Any]:
        """The first month comes first."""
        found: dict[str, Any] = super().clean() or {}
        if found.get("since") and found.get("until") and found["until"] < found["since"]:
            self.add_error("until", _("结束月份不能早于开始月份。"))
        return found

    @property
    def scope(self) -> Scope:
        """What was asked for; the form is valid."""
        chosen = self.cleaned_data
        months = _months()
        first, last = (
            dt.date.fromisoformat(f"{chosen[name]}-01") if chosen.get(name) else default
            for name, default in (("since", months[SHOWN - 1]), ("until", months[0]))
        )
        found = self.places.get(chosen["place"])
        place = Community(pk=found.pk, code=found.code, name=found.name) if found else None
        return Scope(first, last, chosen["procedure"], chosen["office"], place)


def query(scope: Scope, **more: str) -> str:
    """The query string of a scope, narrowed by `more`."""
    chosen = {
        "place": scope.place.code if scope.place else "",
        "procedure": scope.procedure,
        "office": scope.office,
        "since": f"{scope.first:%Y-%m}",
        "until": f"{scope.last:%Y-%m}",
        **more,
    }
    return urlencode({name: value for name, value in chosen.items() if value})


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


def _cells(
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
    titles = _titles()
    by_office = _folded(counts, 0)
    by_procedure = _folded(counts, 1)
    by_month = _folded(counts, 2)
    rows = [
        (
            "office",
            _("按责任单位"),
            [
                (holder_title(code), _cells(by_office[code], scope, office=code))
                for code in sorted(by_office)
            ],
        ),
        (
            "procedure",
            _("按程序"),
            [
                (titles.get(code, code), _cells(by_procedure[code], scope, procedure=code))
                for code in sorted(by_procedure)
            ],
        ),
        (
            "month",
            _("按月份"),
            [
                (
                    month_words(scope.months[place]),
                    _cells(by_month[place], scope, True, since=months[place], until=months[place]),
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


@require_GET
@ratelimit(key="ip", rate="60/m", block=True)
def figures(request: HttpRequest) -> HttpResponse:
    """The figures, for everybody: no names, and each number leads to the steps behind it."""
    form = ScopeFilter(request.GET)
    shown: dict[str, Any] = {}
    if form.is_valid():
        scope = form.scope
        counts = count(scope)
        sums = total(counts)
        shown = {
            "scope": scope,
            "tables": tables(counts, scope),
            "sums": grouped(_cells(sums, scope)) if any(sums.values()) else [],
            "plots": plots(counts, scope),
            "query": query(scope),
            "months": (month_words(scope.first), month_words(scope.last)),
        }
    return render(
        request,
        "portal/supervision.html",
        context(request, "supervision", form=form, oversees=bool(_overseen(request)), **shown),
    )


@require_GET
@ratelimit(key="ip", rate="30/m", block=True)
def table(request: HttpRequest) -> HttpResponseBase:
    """The figures as a table for spreadsheet programs: a line a month, office and procedure."""
    form = ScopeFilter(request.GET)
    if not form.is_valid():
        raise Http404
    rows = export.table(_lines(form.scope))
    return stream(request, rows, CSV, "supervision.csv", get_language())


def _lines(scope: Scope) -> Iterator[list[Any]]:
    counts = count(scope)
    keys = sorted({key for rows in counts.values() for key in rows})
    titles, months = _titles(), scope.months
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


@require_GET
@ratelimit(key="ip", rate="60/m", block=True)
def steps(request: HttpRequest) -> HttpResponse:
    """The steps behind a number."""
    form = ScopeFilter(request.GET)
    what = request.GET.get("what", "")
    if what not in MEASURES or not form.is_valid():
        raise Http404
    measure, scope, now = MEASURES[what], form.scope, clock.now()
    sums = sum(n for source in measure.sources for _h, _p, _m, n in source.grouped(scope, now))
    # Who was content is not listed, and who answered only where the number is shown.
    if what == "content" or (what == "rated" and sums < LEAST_SHOWN):
        raise Http404
    behind = Q(pk__in=())
    for source in measure.sources:
        behind |= Q(pk__in=source.found(scope, now).order_by().values(f"{source.run}pk"))
    found = StepRun.objects.filter(behind).select_related("process__community").order_by("-pk")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    runs = list(page.object_list)
    numbers: Counter[int] = Counter()
    for source in measure.sources:
        numbers.update(source.by_run(scope, now, [run.pk for run in runs]))
    return render(
        request,
        "portal/supervision_steps.html",
        context(
            request,
            "supervision",
            title=measure.title,
            chosen=list(_chosen(scope, measure.now)),
            sums=sums,
            page=page,
            back=query(scope),
            rows=[{**_row(run), "n": numbers[run.pk]} for run in runs],
            several=any(numbers[run.pk] != 1 for run in runs),
        ),
    )


def _chosen(scope: Scope, now: bool) -> Iterator[tuple[str, Any]]:
    """What narrows a list, in words."""
    if scope.place is not None:
        yield _("街道或小区"), scope.place.name
    if scope.procedure:
        yield _("程序"), _titles().get(scope.procedure, scope.procedure)
    if scope.office:
        yield _("责任单位"), holder_title(scope.office)
    if now:
        yield _("月份"), _("现在")
    elif scope.first == scope.last:
        yield _("月份"), month_words(scope.first)
    else:
        between = {"first": month_words(scope.first), "last": month_words(scope.last)}
        yield _("月份"), _("%(first)s至%(last)s") % between


def _row(run: StepRun) -> dict[str, Any]:
    """A step as a line of a list."""
    case = run.process
    node = case.declared._nodes_by_name.get(run.name)
    return {
        "case": case,
        "procedure": case.declared.title,
        "step": node.task_title if node is not None else run.name,
        "url": f"/cases/{case.number}/steps/{run.pk}/",
        "office": holder_title(run.held_by) if run.held_by else "",
        "last_day": run.ends_on,
        "done": run.finished,
        "state": readers._run_state(case, run),
    }


def _overseen(request: HttpRequest) -> Collection[int]:
    """The communities whose overdue matters the user may see as a list."""
    if not request.user.is_authenticated:
        return ()
    return directory().overseen(request.user, clock.now())


def late_runs(now: dt.datetime) -> QuerySet[StepRun]:
    """The open steps whose term is broken, or in which an objection should have been decided."""
    waiting = undecided(now).filter(run=OuterRef("pk"))
    late = Q(overdue_at__isnull=False, broken_at__isnull=False) | Q(Exists(waiting))
    return StepRun.objects.filter(
        late,
        finished__isnull=True,
        process__finished__isnull=True,
        process__suspended_at__isnull=True,
    ).exclude(held_by="")


@login_required
@require_GET
def overdue(request: HttpRequest) -> HttpResponse:
    """What is overdue where the user oversees, the longest overdue first."""
    places = _overseen(request)
    if not places:
        raise PermissionDenied
    form = ScopeFilter(request.GET, places)
    now, today = clock.now(), clock.today()
    found = late_runs(now).filter(process__community__in=places)
    if form.is_valid():
        scope = form.scope
        if scope.procedure:
            found = found.filter(process__procedure=scope.procedure)
        if scope.office:
            found = found.filter(held_by=scope.office)
        if scope.place is not None:
            here = Q(process__community=scope.place) | Q(process__community__parent=scope.place)
            found = found.filter(here)
    else:
        found = found.none()
    found = found.select_related("process__community").order_by("ends_at", "pk")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    runs = list(page.object_list)
    keys = [run.pk for run in runs]
    everywhere = Scope(following(today.replace(day=1)), following(today.replace(day=1)))
    numbers = {
        code: MEASURES[code].sources[0].by_run(everywhere, now, keys)
        for code in ("unanswered", "undecided")
    }
    return render(
        request,
        "portal/supervision_overdue.html",
        context(
            request,
            "supervision",
            form=form,
            page=page,
            rows=[
                {
                    **_row(run),
                    "days": (today - run.ends_on).days if run.ends_on else None,
                    "unanswered": numbers["unanswered"].get(run.pk, 0),
                    "undecided": numbers["undecided"].get(run.pk, 0),
                }
                for run in runs
            ],
        ),
    )
