"""Public pages of open information: the annual report of a sub-district, and its open list."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django_ratelimit.decorators import ratelimit

from workflows import clock
from workflows.models import Community
from workflows.portal.views import context
from workflows.records import export

from . import report
from .forms import APPLICANTS
from .models import OpenItem
from .remedies import RESULTS


def _place(code: str) -> Community:
    return get_object_or_404(Community, code=code, kind="subdistrict")


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The sub-districts, with their reports and open lists; straight to it where there is one."""
    places = list(Community.objects.filter(kind="subdistrict"))
    if len(places) == 1:
        return redirect("disclosure:report", code=places[0].code, year=clock.today().year)
    return render(request, "disclosure/home.html", context(request, "procedures", places=places))


def _year(year: int) -> int:
    if not 2019 <= year <= clock.today().year:
        raise Http404
    return year


@require_GET
def annual(request: HttpRequest, code: str, year: int) -> HttpResponse:
    """The annual report of a year: received and settled by kind of applicant, remedies, terms."""
    place, year = _place(code), _year(year)
    years = sorted({*report.years(place), clock.today().year, year}, reverse=True)
    return render(
        request,
        "disclosure/report.html",
        context(
            request,
            "procedures",
            place=place,
            year=year,
            years=years,
            columns=list(APPLICANTS.values()),
            lines=report.table(place, year),
            results=list(RESULTS.values()),
            remedies=report.remedies(place, year),
            kept=report.kept(place, year),
            running=year == clock.today().year,
        ),
    )


@require_GET
@ratelimit(key="ip", rate="60/m", block=True)
def annual_table(request: HttpRequest, code: str, year: int) -> HttpResponseBase:
    """The same as a table for spreadsheet programs."""
    place, year = _place(code), _year(year)
    heads: list[Any] = [_("事项"), *APPLICANTS.values(), _("总计")]
    rows: list[list[Any]] = [heads]
    for line in report.table(place, year):
        rows.append([line.title, *line.counts, "" if line.total is None else line.total])
    rows += [[], [_("救济途径"), *RESULTS.values(), _("总计")]]
    for title, counts, total in report.remedies(place, year):
        rows.append([title, *counts, total])
    kept = report.kept(place, year)
    rows += [[], [_("按期答复"), kept["in_time"]], [_("逾期答复"), kept["late"]]]
    text = b"".join(export.table([[str(cell) for cell in row] for row in rows]))
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    name = f"disclosure-{place.code}-{year}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_GET
def open_list(request: HttpRequest, code: str) -> HttpResponse:
    """What was opened to everybody because it was wanted (article 44), newest first."""
    place = _place(code)
    items = OpenItem.objects.filter(case__community=place).select_related("case")
    page = Paginator(items, 30).get_page(request.GET.get("page"))
    return render(
        request,
        "disclosure/open_list.html",
        context(request, "procedures", place=place, page=page),
    )
