"""The auditor's pages: find cases, take their trails, see who took which."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods
from django_ratelimit.decorators import ratelimit

from .. import clock, jobs
from ..models.case import Case, Community, StepRun
from ..models.download import TrailDownload
from ..models.job import Job
from ..parties import directory
from ..records.trail.archive import MOST, auditors
from ..steps.publicity import Objection
from . import readers, words
from .places import Choices
from .supervision_filter import procedure_titles
from .trails import site
from .views import context

PER_PAGE = 30
ONE_DAY = dt.timedelta(days=1)


class _Dates(forms.Form):
    """From one day to another, both of them included."""

    since = forms.DateField(
        label=_("自"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    until = forms.DateField(
        label=_("至"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )

    def clean(self) -> dict[str, Any]:
        """The first day comes first."""
        cleaned: dict[str, Any] = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", _("结束日期不能早于开始日期。"))
        return cleaned

    def between(self, column: str) -> Q:
        """That a moment lies on one of the days."""
        found = Q()
        if since := self.cleaned_data.get("since"):
            found &= Q(**{f"{column}__gte": _midnight(since)})
        if until := self.cleaned_data.get("until"):
            found &= Q(**{f"{column}__lt": _midnight(until + ONE_DAY)})
        return found


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=clock.SHANGHAI)


class CaseFilter(_Dates):
    """Which cases an auditor wants to see, of those that are theirs to see."""

    q = forms.CharField(label=_("名称或编号"), max_length=80, required=False)
    procedure = forms.ChoiceField(label=_("程序"), required=False)
    place = forms.ChoiceField(label=_("街道或小区"), required=False, widget=Choices)
    term = forms.ChoiceField(
        label=_("时限"),
        required=False,
        choices=[("", _("全部")), ("broken", _("有超期")), ("kept", _("没有超期"))],
    )
    state = forms.ChoiceField(
        label=_("状态"),
        required=False,
        choices=[
            ("", _("全部")),
            ("open", _("进行中")),
            ("suspended", _("已中止")),
            ("done", _("已办结")),
        ],
    )
    by = forms.ChoiceField(
        label=_("日期按"),
        required=False,
        choices=[("", _("立项日期")), ("finished", _("办结日期"))],
    )
    sort = forms.ChoiceField(
        label=_("排序"),
        required=False,
        choices=[
            ("", _("最近立项")),
            ("created", _("最早立项")),
            ("-finished", _("最近办结")),
            ("number", _("编号")),
        ],
    )

    def __init__(self, data: Any, places: Collection[int]) -> None:
        order = ("q", "procedure", "place", "state", "term", "by", "since", "until", "sort")
        super().__init__(data, field_order=order)
        self.places = {place.pk: place for place in Community.objects.filter(pk__in=places)}
        known: Any = self.fields
        known["place"].choices = [("", _("全部"))] + [
            (place.code, place.name)
            for place in sorted(
                self.places.values(), key=lambda place: (place.kind != "subdistrict", place.code)
            )
        ]
        # Also those that are opened by another alone, as a lot's tender.
        known["procedure"].choices = [("", _("全部")), *procedure_titles().items()]

    def found(self) -> QuerySet[Case]:
        """The cases; none while the filter is at fault."""
        if not self.is_valid():
            return Case.objects.none()
        chosen = self.cleaned_data
        found = readers.search(chosen["q"], chosen["procedure"], chosen["state"], parts=True)
        found = found.filter(self.between(chosen["by"] or "created"))
        found = found.filter(community__in=self._within(chosen["place"]))
        if chosen["term"]:
            found = found.filter(term_broken() if chosen["term"] == "broken" else ~term_broken())
        order = chosen["sort"] or "-created"
        if order == "-finished":
            return found.order_by(F("finished").desc(nulls_last=True), "-pk")
        return found.order_by(order, "-pk" if order.startswith("-") else "pk")

    def _within(self, code: str) -> Collection[int]:
        """The audited communities that are, or belong to, the one with that code."""
        if not code:
            return self.places.keys()
        inside = {pk for pk, place in self.places.items() if place.code == code}
        while (
            more := {pk for pk, place in self.places.items() if place.parent_id in inside} - inside
        ):
            inside |= more
        return inside


def term_broken() -> Q:
    """Of cases: that a term of one of their steps was broken, at any time.

    That is: it ran out while what was to be done in it was not done (`StepRun.breaks_term`); or an
    objection was decided after its day, or is now past it. A term that is provisional, or stands
    still with its suspended case, is not broken.
    """
    runs = StepRun.objects.filter(process=OuterRef("pk"), broken_at__isnull=False)
    waiting = Objection.objects.filter(
        run__process=OuterRef("pk"), life="raised", due_at__lte=clock.now(), provisional=False
    )
    return Q(Exists(runs)) | Q(Exists(waiting), suspended_at__isnull=True)


@login_required
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """The cases that the auditor audits, filtered, with their trails."""
    places = _audited(request)
    form = CaseFilter(request.GET, places)
    page = Paginator(_with_broken(form.found()), PER_PAGE).get_page(request.GET.get("page"))
    mine = Job.objects.filter(kind="archive", user_id=request.user.pk).order_by("-pk")
    return render(
        request,
        "portal/audit.html",
        context(
            request,
            "audit",
            form=form,
            page=page,
            rows=[_row(case) for case in page.object_list],
            most=MOST,
            archives=[
                {"job": job, "number": len(job.params["cases"]), "full": job.params["full"]}
                for job in mine[:5]
            ],
        ),
    )


def _with_broken(cases: QuerySet[Case]) -> QuerySet[Case]:
    runs = StepRun.objects.filter(broken_at__isnull=False).order_by("broken_at")
    return cases.prefetch_related(Prefetch("runs", queryset=runs, to_attr="broken_runs"))


def _row(case: Case) -> dict[str, Any]:
    return {
        **readers.card(case),
        "records": case.length,
        "opened": case.created,
        "closed": case.finished,
        "broken": [_broken(case, run) for run in case.broken_runs],
    }


def _broken(case: Case, run: StepRun) -> dict[str, Any]:
    """A run with a broken term; by how many days, where that term was its last."""
    days = None
    if run.ends_on and run.ends_at and run.broken_at and run.broken_at >= run.ends_at:
        until = run.finished or case.suspended_at or clock.now()
        days = (timezone.localdate(until) - run.ends_on).days
    return {
        "title": words.step_title(case, run.name),
        "url": f"/cases/{case.number}/#run-{run.pk}",
        "at": run.broken_at,
        "last_day": run.ends_on,
        "days": days,
        "done": run.finished is not None,
    }


@login_required
@require_http_methods(["GET", "POST"])
@ratelimit(key="user", rate="20/h", method="POST", block=True)
def take(request: HttpRequest) -> HttpResponse:
    """Take several trails: first what it will be, then the archive in the background.

    Asked with ``which=all`` it is what the filter finds; else the cases that were ticked.
    """
    places = _audited(request)
    if request.method == "GET" and request.GET.get("which") == "all":
        found = CaseFilter(request.GET, places).found()
    else:
        sent = request.POST if request.method == "POST" else request.GET
        found = readers.cases().filter(number__in=sent.getlist("case")[: MOST + 1])
        if found.exclude(community__in=places).exists():
            raise PermissionDenied
    count = found.count()
    fits = 0 < count <= MOST
    if request.method == "POST" and fits:
        numbers = sorted(found.values_list("number", flat=True))
        work = jobs.queue(
            "archive",
            None,
            request.user,
            cases=numbers,
            full=request.POST.get("kind") == "full",
            site=site(request),
            language=get_language(),
        )
        return redirect(work.get_absolute_url())
    cases = list(found) if fits else []
    return render(
        request,
        "portal/audit_take.html",
        context(
            request,
            "audit",
            count=count,
            most=MOST,
            fits=fits,
            cases=cases,
            records=sum(case.length for case in cases),
        ),
        status=422 if request.method == "POST" else 200,
    )


class DownloadFilter(_Dates):
    """Whose downloads of which cases."""

    case = forms.CharField(label=_("事项编号"), max_length=40, required=False)
    person = forms.ChoiceField(label=_("下载人"), required=False)
    kind = forms.ChoiceField(
        label=_("案卷"),
        required=False,
        choices=[("", _("全部")), ("full", _("完整案卷")), ("public", _("公开案卷"))],
    )

    def __init__(self, data: Any, rows: QuerySet[TrailDownload]) -> None:
        super().__init__(data, field_order=("case", "person", "kind", "since", "until"))
        self.rows = rows
        people = rows.order_by("user").values_list("user", flat=True).distinct()
        users = [pk for pk in people if pk is not None]
        self.names = _names(users)
        known: Any = self.fields
        known["person"].choices = [("", _("全部")), *((str(pk), self.names[pk]) for pk in users)]

    def found(self) -> QuerySet[TrailDownload]:
        """The downloads, newest first; none while the filter is at fault."""
        if not self.is_valid():
            return self.rows.none()
        chosen = self.cleaned_data
        found = self.rows.filter(self.between("at"))
        if chosen["case"]:
            found = found.filter(case__number__iexact=chosen["case"].strip())
        if chosen["person"]:
            found = found.filter(user=int(chosen["person"]))
        if chosen["kind"]:
            found = found.filter(full=chosen["kind"] == "full")
        return found.order_by("-pk")


@login_required
@require_GET
def downloads(request: HttpRequest) -> HttpResponse:
    """Who took which trail: for auditors, and for those who oversee the cases."""
    places = directory().overseen(request.user, clock.now())
    if not places:
        raise PermissionDenied
    rows = TrailDownload.objects.filter(case__community__in=places)
    form = DownloadFilter(request.GET, rows)
    found = form.found().select_related("case__community", "record")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "portal/audit_downloads.html",
        context(
            request,
            "audit",
            form=form,
            page=page,
            rows=[
                {
                    "case": row.case,
                    "by": form.names.get(row.user_id, ""),
                    "at": row.at,
                    "full": row.full,
                    "archived": row.archived,
                    "record": row.record.seq if row.record else None,
                }
                for row in page.object_list
            ],
        ),
    )


def _audited(request: HttpRequest) -> Collection[int]:
    """The communities that the user audits; who audits none has no business here."""
    places = auditors(request.user).keys()
    if not places:
        raise PermissionDenied
    return places


def _names(users: Iterable[int]) -> dict[int | None, str]:
    named = directory().names(f"person:{pk}" for pk in users)
    return {pk: named.get(f"person:{pk}", str(pk)) for pk in users}
