"""Supervision (监督): terms kept and broken, answers, objections, satisfaction; for everybody in
figures without names, for those who oversee a place as lists of what is overdue there."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.db.models import (
    DateField,
    DateTimeField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Least
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django_ratelimit.decorators import ratelimit
from viewflow.workflow.status import STATUS

from .. import clock
from ..models.case import StepRun
from ..parties import directory, holder_title
from ..procedure import all_declared
from ..records import export
from ..steps.base import Step
from ..terms import month_words
from . import readers
from .figures import MEASURES, Scope, following, undecided
from .open_data import CSV, stream
from .sums import count
from .supervision_filter import ScopeFilter, procedure_titles, query
from .supervision_tables import LEAST_SHOWN, cells, grouped, lines, plots, tables, total
from .views import context

PER_PAGE = 50
MOST_WITHIN = 500
"""The most steps that are listed for something late within them, the longest late first: each is
named in the query."""


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
            "sums": grouped(cells(sums, scope)) if any(sums.values()) else [],
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
    rows = export.table(lines(form.scope))
    return stream(request, rows, CSV, "supervision.csv", get_language())


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
        yield _("程序"), procedure_titles().get(scope.procedure, scope.procedure)
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
        "state": readers.run_state(case, run),
    }


def _overseen(request: HttpRequest) -> Collection[int]:
    """The communities whose overdue matters the user may see as a list."""
    if not request.user.is_authenticated:
        return ()
    return directory().overseen(request.user, clock.now())


def standing() -> QuerySet[StepRun]:
    """The open steps that somebody holds, in cases that go on."""
    return StepRun.objects.filter(
        finished__isnull=True, process__finished__isnull=True, process__suspended_at__isnull=True
    ).exclude(held_by="")


def late_within(places: Collection[int]) -> dict[int, dt.date]:
    """Of the open steps of these places those in which something else than their own term or an
    objection's is late, and since which day; by the run's key."""
    kinds: dict[type[Step], Q] = {}
    for declared in all_declared():
        for step in declared.steps():
            if type(step).late.__func__ is not Step.late.__func__:  # type: ignore[attr-defined]
                here = Q(
                    process__procedure=declared.code,
                    process__version=declared.version,
                    name=step.name,
                )
                kinds[type(step)] = kinds.get(type(step), Q(pk__in=())) | here
    found: dict[int, dt.date] = {}
    for kind, here in kinds.items():
        runs = standing().filter(here, process__community__in=places, status=STATUS.STARTED)
        found |= kind.late(list(runs.select_related("process__community")))
    return dict(sorted(found.items(), key=lambda each: each[::-1])[:MOST_WITHIN])


def late_runs(now: dt.datetime, within: Collection[int] = ()) -> QuerySet[StepRun]:
    """The open steps whose term is broken, in which an objection should have been decided, and
    those of which it is known that something else `within` them is late."""
    waiting = undecided(now).filter(run=OuterRef("pk"))
    late = Q(overdue_at__isnull=False, broken_at__isnull=False) | Q(Exists(waiting))
    return standing().filter(late | Q(pk__in=within) if within else late)


def _soonest(*days: Any) -> Any:
    """The least of several columns of which some may be empty."""
    return Least(*(Coalesce(day, *days) for day in days))


@login_required
@require_GET
def overdue(request: HttpRequest) -> HttpResponse:
    """What is overdue where the user oversees, the longest overdue first."""
    places = _overseen(request)
    if not places:
        raise PermissionDenied
    form = ScopeFilter(request.GET, places)
    now, today = clock.now(), clock.today()
    within = late_within(places)
    found = late_runs(now, within).filter(process__community__in=places)
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
    # Late since the term of the step, or since that of an objection to it or of something else in
    # it, whichever was before.
    of_run = undecided(now).filter(run=OuterRef("pk")).order_by("due_at")
    own = [
        When(pk=pk, then=Value(dt.datetime.combine(day, dt.time.max, clock.SHANGHAI)))
        for pk, day in within.items()
    ]
    found = found.annotate(
        due_at=Subquery(of_run.values("due_at")[:1]),
        due_on=Subquery(of_run.values("due_on")[:1]),
        own_at=models.Case(*own, default=None, output_field=DateTimeField()),
        own_on=models.Case(
            *(When(pk=pk, then=Value(day)) for pk, day in within.items()),
            default=None,
            output_field=DateField(),
        ),
    ).annotate(
        late_at=_soonest(F("due_at"), F("own_at"), F("ends_at")),
        late_on=_soonest(F("due_on"), F("own_on"), F("ends_on")),
    )
    found = found.select_related("process__community").order_by("late_at", "pk")
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
                    "last_day": run.late_on,
                    "days": (today - run.late_on).days if run.late_on else None,
                    "unanswered": numbers["unanswered"].get(run.pk, 0),
                    "undecided": numbers["undecided"].get(run.pk, 0),
                }
                for run in runs
            ],
        ),
    )
