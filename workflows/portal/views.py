"""Pages for everybody: home, cases, records, receipts, files."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.functional import SimpleLazyObject
from django.utils.http import quote_etag, url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import condition, require_GET, require_POST, require_safe
from django_ratelimit.core import is_ratelimited
from django_ratelimit.exceptions import Ratelimited

from sanwen import faults

from .. import clock, records
from .. import procedure as procedures
from ..models.case import Case, Community, StepRun
from ..models.log import LogKey
from ..models.record import Attachment, Record
from ..parties import directory
from ..steps.base import Step, look_at
from . import chart, paging, places, plain, readers, words
from .downloads import Download
from .origin import from_our_pages
from .viewer import Viewer, capacities_to_open

PER_PAGE = 20
SEARCHES = "120/m"
"""How often one address may search by words; a staircase may share one."""


def context(request: HttpRequest, nav: str = "", **more: Any) -> dict[str, Any]:
    """What every page's template is given."""
    return {
        "nav": nav,
        **more,
    }


def _page(request: HttpRequest, rows: Any, size: int = PER_PAGE) -> Any:
    return Paginator(rows, size).get_page(request.GET.get("page"))


def find_case(number: str) -> Case:
    """The case with that public number, or 404."""
    found = Case.objects.select_related("community", "parent__process__community")
    return get_object_or_404(found, number=number)


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What is open now, which terms are coming, what was decided lately."""
    return render(request, "portal/home.html", context(request, "home", **readers.home()))


def limit_searching(request: HttpRequest, query: str) -> None:
    """Raise `Ratelimited` when one address searches by words more often than people do: it is the
    dearest of the public questions."""
    if query and is_ratelimited(request, group="search", key="ip", rate=SEARCHES, increment=True):
        raise Ratelimited


@require_GET
def case_list(request: HttpRequest) -> HttpResponse:
    """All cases, searched and filtered; also the search page."""
    query = request.GET.get("q", "").strip()[:80]
    limit_searching(request, query)
    chosen = {name: request.GET.get(name, "")[:40] for name in ("procedure", "state", "community")}
    before = request.GET.get("before", "")

    def rows(common: bool = False) -> QuerySet[Case]:
        found = readers.search(query, *chosen.values(), common=common)
        return paging.older(found, before) if before else found

    many = partial(rows, common=True) if query else None
    page = paging.pages(rows(), request.GET.get("page"), PER_PAGE, many)
    shown = list(page.object_list)
    return render(
        request,
        "portal/cases.html",
        context(
            request,
            "cases",
            q=query,
            before=before,
            older=shown[-1].number if paging.ends(page) else "",
            chosen=chosen,
            page=page,
            cards=[readers.card(case) for case in shown],
            procedures=procedures.catalogue(clock.today()),
            communities=places.offered(Community.objects.all(), chosen["community"], used=True),
        ),
    )


@require_GET
def case_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One case: where it stands, what one can do, the whole course with its records."""
    case = find_case(number)
    viewer = Viewer(request.user, case)
    page = readers.case_page(case, viewer)
    page["plain"] = plain.text(page)
    return render(request, "portal/case.html", context(request, "cases", viewer=viewer, **page))


@require_GET
def step_detail(request: HttpRequest, number: str, run_id: int) -> HttpResponse:
    """One run of one step: opinions and replies, a count, a ledger … and what one can do."""
    case = find_case(number)
    run = get_object_or_404(StepRun, process=case, pk=run_id)
    run.process = case
    step = run.flow_task
    if not isinstance(step, Step):
        raise Http404
    viewer = Viewer(request.user, case)
    look_at([run])
    shown = step.page(run)
    page = _page(request, shown[step.paged], 30) if step.paged else None
    handles = viewer.may_handle(step) or "auditor" in viewer.roles
    return render(
        request,
        "portal/step.html",
        context(
            request,
            "cases",
            case=case,
            run=run,
            step=step,
            shown=shown,
            page=page,
            viewer=viewer,
            handles=handles,
            answers=bool(viewer.roles.intersection(step.by)),
            desk=step.desk(run, viewer.roles, request.GET) if handles else {},
            buttons=viewer.buttons(run, step),
            mine=step.mine(run, viewer.parties) if viewer.parties else {},
            unmet=step.unmet(run) if run.is_open else [],
            state=readers.run_state(case, run),
            outcome_state=readers.outcome_state(case, run),
            days_left=readers.days_left(run, clock.today()),
            outcome=words.outcome_title(case, run.name, run.outcome) if run.outcome else "",
            result=words.task_lines(run),
            sources=readers.sources(step, step.decided_at(run)),
            documents=[readers.document(file) for file in run.files.filter(public=True)[:100]],
            template=f"steps/{step.kind}.html",
        ),
    )


@require_GET
def record_list(request: HttpRequest, number: str) -> HttpResponse:
    """Every record of a case, in order."""
    case = find_case(number)
    found = case.records.order_by("seq")
    run = None
    if request.GET.get("step", "").isdecimal():
        run = get_object_or_404(StepRun, process=case, pk=int(request.GET["step"][:18]))
        found = found.filter(run=run)
    page = _page(request, found, 50)
    rows = [readers.record_row(case, record) for record in page.object_list]
    for row, record in zip(rows, page.object_list, strict=True):
        row["text"] = words.step_title(case, record.step) if record.step else ""
    return render(
        request,
        "portal/records.html",
        context(
            request,
            "cases",
            case=case,
            page=page,
            rows=rows,
            step=run.flow_task.task_title if run is not None else "",
        ),
    )


@require_GET
def record_detail(request: HttpRequest, number: str, seq: int) -> HttpResponse:
    """One record, in words and as it is hashed."""
    case = find_case(number)
    record = get_object_or_404(Record.objects.select_related("run"), case=case, seq=seq)
    return render(
        request,
        "portal/record.html",
        context(request, "cases", case=case, record=record, **readers.record_page(case, record)),
    )


@require_GET
def verify(request: HttpRequest) -> HttpResponse:
    """Check a file in the browser; or whether the chain of a case holds here, worked out now."""
    number = request.GET.get("case", "").strip()[:40]
    language = 0 if (get_language() or "").startswith("zh") else 1
    found: dict[str, Any] = {
        "number": number,
        "keys": LogKey.objects.all(),
        "words": {code: pair[language] for code, pair in faults.SAID.items()},
    }
    if number:
        case = Case.objects.filter(number=number).first()
        found["case"] = case
        if case is not None:
            found["fault"] = records.first_fault(case)
    return render(request, "portal/verify.html", context(request, **found))


@require_GET
def place(request: HttpRequest, code: str) -> HttpResponse:
    """A place, an estate most often: its cases and those of what belongs to it, newest first."""
    community = get_object_or_404(Community.objects.select_related("parent"), code=code)
    page = _page(request, readers.listed().filter(readers.within(community), parent__isnull=True))
    return render(
        request,
        "portal/place.html",
        context(
            request,
            "cases",
            place=community,
            page=page,
            cards=[readers.card(case) for case in page.object_list],
        ),
    )


@require_GET
def procedure_list(request: HttpRequest) -> HttpResponse:
    """The catalogue of procedures."""
    return render(
        request,
        "portal/procedures.html",
        context(request, "procedures", rows=readers.catalogue()),
    )


@require_GET
def procedure_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One procedure: its steps, terms, who acts, where each outcome leads."""
    try:
        declared = procedures.current(code, clock.today())
    except KeyError as error:
        raise Http404 from error
    return render(
        request,
        "portal/procedure.html",
        context(
            request,
            "procedures",
            procedure=declared,
            steps=readers.declared_steps(declared),
            diagram=chart.svg(declared),
            versions=procedures.versions(code),
            opens_with=declared.step(declared.opens_with[0]) if declared.opens_with else None,
            may_open=SimpleLazyObject(lambda: _may_open(request.user, declared)),
        ),
    )


def _may_open(user: Any, declared: type[procedures.Procedure]) -> bool:
    return bool(capacities_to_open(directory().parties_everywhere(user, clock.now()), declared))


def _version(request: HttpRequest, code: str) -> type[procedures.Procedure]:
    """The version that the query names, else the one that cases are opened under today; or 404."""
    wanted = request.GET.get("version")
    if wanted is None:
        try:
            return procedures.current(code, clock.today())
        except KeyError as error:
            raise Http404 from error
    found = [each for each in procedures.versions(code) if each.version == wanted]
    if not found:
        raise Http404
    return found[0]


def _drawn(request: HttpRequest, code: str) -> str:
    declared = _version(request, code)
    return quote_etag(f"{declared.code}@{declared.version}/{get_language()}")


@require_GET
@condition(etag_func=_drawn)
def procedure_chart(request: HttpRequest, code: str) -> HttpResponse:
    """The diagram of a procedure as a picture to download (SVG)."""
    declared = _version(request, code)
    response = HttpResponse(chart.drawing(declared), content_type="image/svg+xml")
    response["Content-Disposition"] = f'attachment; filename="{code}-{declared.version}.svg"'
    return response


@require_GET
@condition(etag_func=_drawn)
def procedure_bpmn(request: HttpRequest, code: str) -> HttpResponse:
    """The course of a procedure as BPMN 2.0, to download."""
    declared = _version(request, code)
    response = HttpResponse(chart.bpmn(declared), content_type="application/xml")
    response["Content-Disposition"] = f'attachment; filename="{code}-{declared.version}.bpmn"'
    return response


@require_GET
def file(request: HttpRequest, uid: str) -> HttpResponseBase:
    """A file that came with an act, as a download; private ones only for those who may see them."""
    found = find_file(uid)
    if not found.public and (
        found.run is None or not Viewer(request.user, found.run.process).may_have(found)
    ):
        raise Http404
    return handed_out(found)


def find_file(uid: object) -> Attachment:
    """A file with its case and who handed it in, or 404; not yet whether one may have it."""
    rows = Attachment.objects.select_related("run__process__community", "record__trace")
    return get_object_or_404(rows, uid=uid)


def handed_out(attachment: Attachment) -> HttpResponseBase:
    """A file for somebody who may have it."""
    if not attachment.file:
        return HttpResponse(_("文件内容已经删除，记录中保留其指纹。"), status=410)
    handle = attachment.file.open("rb")
    response = Download(handle, attachment.name, attachment.media_type)
    if attachment.media_type.startswith("image/"):
        response["Content-Disposition"] = f'inline; filename="{attachment.name}"'
    response["Content-Length"] = str(attachment.size)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = (
        "public, max-age=86400" if attachment.public else "private, no-store"
    )
    return response


@from_our_pages
@require_POST
def text_size(request: HttpRequest) -> HttpResponse:
    """Large or normal text, kept in a cookie; works without JavaScript."""
    following = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(following, {request.get_host()}):
        following = "/"
    response = HttpResponseRedirect(following)
    size = "large" if request.POST.get("text_size") == "large" else "normal"
    response.set_cookie(
        "text_size",
        size,
        max_age=365 * 86400,
        samesite="Lax",
        httponly=True,
        secure=request.is_secure(),
    )
    return response


@require_GET
def accessibility(request: HttpRequest) -> HttpResponse:
    """The accessibility statement."""
    return render(request, "portal/accessibility.html", context(request))


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Whether this worker can answer: the database does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"ok": True})


def too_many(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """What one sees who asked too often, or may not."""
    from django_ratelimit.exceptions import Ratelimited

    if isinstance(exception, Ratelimited):
        return render(request, "429.html", context(request), status=429)
    return render(request, "403.html", context(request), status=403)
