"""Notices for the wall: as papers for everybody, one for each place for those who put them up, and
the page on which whoever did so sends the photo."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django_ratelimit.core import is_ratelimited
from django_ratelimit.decorators import ratelimit
from django_ratelimit.exceptions import Ratelimited

from .. import acts, clock, codes, notices, printing
from ..models.case import Case, StepRun
from ..notices import Notice, Section
from ..parties import Party, directory
from ..steps import walls
from ..steps.base import Step
from ..steps.walls import Drawn
from .desk import qr
from .viewer import Viewer
from .views import context, find_case

NUMBERS = "一二三四五六七八九十"
SIZES = ("a4", "a3")
MISSES = "20/m"
"""How often one address may give a code that does not exist."""


def _run(case: Case, pk: int, code: str) -> StepRun:
    """A run of a case that has come to that notice, or 404."""
    run = get_object_or_404(StepRun, process=case, pk=pk)
    run.process = case
    if not isinstance(run.flow_task, Step) or code not in notices.listed(run):
        raise Http404
    return run


@require_GET
def of_case(request: HttpRequest, number: str) -> HttpResponse:
    """Every notice of a case, newest first: to read, to print, and where it hangs."""
    case = find_case(number)
    viewer = Viewer(request.user, case)
    runs = list(case.runs.order_by("-pk"))
    for run in runs:
        run.process = case
    shown = [run for run in runs if isinstance(run.flow_task, Step)]
    hanging = {(wall.run.pk, wall.notice): wall for wall in walls.walls(case, shown)}
    rows = [
        {
            "run": run,
            "code": code,
            "title": title,
            "url": f"/cases/{case.number}/notices/{run.pk}/{code}",
            "wall": hanging.get((run.pk, code)),
            "prints": bool(viewer.roles.intersection(walls.handlers(run))),
            "checks": bool(viewer.roles.intersection(walls.checkers(run))),
        }
        for run in shown
        for code, title in notices.listed(run).items()
    ]
    for row in rows:
        if row["checks"] and row["wall"]:
            row["alike"] = _alike(row["wall"])
    prints = any(row["prints"] for row in rows)
    boards = prints and bool(directory().members(walls.PLACES, case.community))
    return render(
        request,
        "portal/notices.html",
        context(
            request,
            "cases",
            case=case,
            rows=rows,
            prints=prints,
            boards=boards,
            signs=viewer.typist is not None,
        ),
    )


def _alike(wall: walls.Wall) -> str:
    """Which photos look almost like another's, in words."""
    twins = wall.twins
    pairs = [
        _("%(a)s和%(b)s") % {"a": label, "b": twins[photo.pk]}
        for label, photo in wall.rows
        if photo is not None and photo.pk in twins
    ]
    return "、".join(pairs)


@require_GET
@ratelimit(key="ip", rate="20/m", block=True)
def paper(request: HttpRequest, number: str, run_id: int, code: str) -> HttpResponse:
    """A notice as a paper, for everybody; ``size=a3`` makes it large."""
    run = _run(find_case(number), run_id, code)
    content = printed(run, code, _address(request, run), large=request.GET.get("size") == "a3")
    return _pdf(content, f"{number}-{run.name}-{code}")


@login_required
@require_POST
@ratelimit(key="user", rate="20/m", block=True)
def sheets(request: HttpRequest, number: str, run_id: int, code: str) -> HttpResponse:
    """The same for each place, each with its own code: one PDF, made this once."""
    run = _run(find_case(number), run_id, code)
    party = _handler(request, run)
    wanted = request.POST.getlist("places")
    if "bare" in request.POST:
        wanted = walls.bare(run, code) or [""]  # of none, none
    drawn = walls.draw(run, wanted)
    payload = {"run": run.pk, "notice": code, "sheets": drawn}
    try:
        acts.perform(run.process, acts.CASE, "sheets.printed", party, payload)
    except acts.Refused as refused:
        messages.error(request, str(refused))
        return redirect(f"/cases/{number}/notices/")
    large = request.POST.get("size") == "a3"
    base = request.build_absolute_uri("/p/")
    content = printed(run, code, _address(request, run), large=large, drawn=drawn, base=base)
    response = _pdf(content, f"{number}-{run.name}-{code}-sheets")
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
@ratelimit(key="user", rate="60/m", block=True)
def withdraw(request: HttpRequest, number: str, run_id: int, code: str) -> HttpResponse:
    """End the codes of a notice that nobody has used: a pack of sheets was lost."""
    run = _run(find_case(number), run_id, code)
    party = _handler(request, run)
    try:
        acts.perform(
            run.process, acts.CASE, "sheets.withdrawn", party, {"run": run.pk, "notice": code}
        )
    except acts.Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("还没用的码已作废；已经登记的张贴不受影响。"))
    return redirect(f"/cases/{number}/notices/")


def _handler(request: HttpRequest, run: StepRun) -> Party:
    """The capacity in which the reader prints notices of the run; 403 where there is none."""
    return capacity(request, run, walls.handlers(run))


def capacity(request: HttpRequest, run: StepRun, roles: Collection[str]) -> Party:
    """The reader's capacity in one of the roles; 403 where there is none."""
    for party in Viewer(request.user, run.process).parties:
        if party.role in roles:
            return party
    raise PermissionDenied


def _address(request: HttpRequest, run: StepRun) -> str:
    return request.build_absolute_uri(run.process.get_absolute_url())


def _pdf(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    return response


def printed(
    run: StepRun,
    code: str,
    address: str,
    *,
    large: bool = False,
    drawn: list[Drawn] | None = None,
    base: str = "",
) -> bytes:
    """A notice as a PDF in the site's first language; with `drawn` a copy for each sheet, whose
    code opens an address under `base`."""
    with translation.override(settings.LANGUAGE_CODE):
        notice = notices.composed(run, code)
        body = render_to_string("print/notice.html", _said(run, notice))
        plain = address.partition("://")[2].rstrip("/")
        shared = {
            "qr": qr(address),
            "address": plain,
            "host": plain.partition("/")[0],
            "number": run.process.number,
            "invite": _("看全部内容、提异议") if notice.objections else _("看全部内容、问进展"),
        }

        def foot(pages: int) -> str:
            numbers = range(1, pages + 1)
            return render_to_string("print/strip.html", {**shared, "pages": numbers, "of": pages})

        marks = ""
        if drawn:
            marks = render_to_string("print/marks.html", {"sheets": drawn})
        return printing.posters(
            body,
            foot,
            marks,
            title=str(notice.title),
            large=large,
            addresses=[f"{base}{sheet.code}/" for sheet in drawn or ()],
            box=printing.Box(128, 11, 25),
        )


def _said(run: StepRun, notice: Notice) -> dict[str, Any]:
    """The parts of a notice numbered, with whom to turn to."""
    step: Any = run.flow_task
    contacts = notice.contacts
    office = contacts.signer(run.process.community, step.by)
    blank = "＿＿＿＿＿＿＿＿"
    calls: list[Any] = []
    if notice.objections:
        calls.append(
            _("如有异议，请在公示期内实名向%(office)s反映，写明事实和理由；也可以扫码在网上提出。")
            % {"office": office}
        )
    telephone = _("受理电话：%(number)s") % {"number": contacts.telephone or blank}
    if contacts.address:
        telephone += _("（%(address)s）") % {"address": contacts.address}
    calls += [telephone, _("监督电话：%(number)s") % {"number": contacts.supervision or blank}]
    title = _("反馈方式") if notice.objections else _("联系方式")
    parts = [*notice.sections, Section(title, calls)]
    return {
        "notice": notice,
        "sections": [
            {
                "number": NUMBERS[at] if at < len(NUMBERS) else at + 1,
                "title": part.title,
                # As in offices' papers: one line stands beside its heading.
                "beside": part.lines[0] if len(part.lines) == 1 else "",
                "lines": part.lines if len(part.lines) > 1 else [],
                "call": at == len(parts) - 1,
            }
            for at, part in enumerate(parts)
        ],
        "office": office,
        "on": notices.day_words(notice.on),
    }


# --- the photo ---------------------------------------------------------------------------------


@never_cache
@ratelimit(key="ip", rate="60/m", method="POST", block=True)
def hang(request: HttpRequest, code: str) -> HttpResponse:
    """Where whoever put up a sheet sends its photo: by the code on it, without an account."""
    sheet = _sheet(request, code)
    if sheet is None:
        raise Http404
    case, now = sheet.run.process, clock.now()
    state = walls.standing(sheet, now)
    posted = request.method == "POST"
    party = _own(request, sheet) or walls.by_sheet(sheet)
    doing = acts.Act(case, None, case.declared.case_acts().acts["notice.hung"], party, now)
    form = walls.PhotoForm(
        request.POST if posted else None, request.FILES if posted else None, act=doing
    )
    refused = ""
    if posted and state == "open":
        try:
            walls.hang(sheet, request.FILES.get("photos"), party, now)
        except acts.Refused as error:
            refused = str(error)
            sheet.refresh_from_db()
            state = walls.standing(sheet, now)
        else:
            return _secret(redirect(f"/p/{codes.grouped(code)}/"))
    title = notices.listed(sheet.run).get(sheet.notice, sheet.run.flow_task.title)
    page = context(
        request,
        code=codes.grouped(code),
        case=case,
        run=sheet.run,
        sheet=sheet,
        state=state,
        title=title,
        form=form if state == "open" else None,
        refused=refused,
    )
    return _secret(render(request, "portal/hang.html", page, status=422 if refused else 200))


def _own(request: HttpRequest, sheet: Any) -> Party | None:
    """The reader's own capacity, where they are signed in and handle the step."""
    roles = walls.handlers(sheet.run)
    parties = Viewer(request.user, sheet.run.process).parties
    return next((party for party in parties if party.role in roles), None)


def _sheet(request: HttpRequest, code: str) -> Any:
    """The sheet with a code. Raises `Ratelimited` after too many that do not exist."""

    def missed(count: bool) -> bool:
        return bool(is_ratelimited(request, group="sheet", key="ip", rate=MISSES, increment=count))

    if missed(count=False):
        raise Ratelimited
    sheet = walls.found(code)
    if sheet is None:
        missed(count=True)
    return sheet


def _secret(response: HttpResponse) -> HttpResponse:
    # The address holds a secret; see `receipts`.
    response["Referrer-Policy"] = "strict-origin"
    response["X-Robots-Tag"] = "noindex"
    return response
