"""Typing in paper: a page for the keyboard alone (code, answers, next), a second person's check of
a tenth, and what differs."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django_ratelimit.decorators import ratelimit

from .. import acts, clock, doors
from ..doors import Kind
from ..models.case import StepRun
from ..models.door import DoorForm
from ..parties import Party
from ..steps import doors as issuing
from ..steps.base import Step
from ..uploads import UploadField
from .desk import tell
from .doors import blank
from .notices import capacity
from .viewer import Viewer
from .views import context, find_case

DATED = "typed_paper_dated"
"""Where the session keeps the date of the last paper: a stack is mostly of one day."""


def _found(request: HttpRequest, number: str, run_id: int, act: str) -> tuple[StepRun, Kind, Party]:
    """The run, the kind of form, and the reader as one who types in for others; 403, 404."""
    case = find_case(number)
    run = get_object_or_404(StepRun, process=case, pk=run_id)
    run.process = case
    kind = doors.kinds(run).get(act) if isinstance(run.flow_task, Step) else None
    typist = Viewer(request.user, case).typist
    if typist is None:
        raise PermissionDenied
    if kind is None:
        raise Http404
    return run, kind, typist


def _form(request: HttpRequest, run: StepRun, row: DoorForm, typist: Party, *, bound: bool) -> Any:
    """The form of a household as the paper has it, with its number as that of the paper."""
    party = replace(typist, role=row.role, key=row.party_key, via=doors.ON_PAPER, label="", seat="")
    doing = acts.Act(run.process, run, run.step.acts[row.act], party, clock.now())
    form_class = acts.form_of(run.step, doing)
    data, files = (_answers(request, row), request.FILES) if bound else (None, None)
    form = form_class(data, files, act=doing, prefix=None)
    if "serial" in form.fields:
        form.fields["serial"].widget = forms.HiddenInput()
        form.fields["serial"].initial = str(row.serial)
    return form


def _answers(request: HttpRequest, row: DoorForm) -> Any:
    sent = request.POST.copy()
    sent["serial"] = str(row.serial)
    return sent


@login_required
@never_cache
@ratelimit(key="user", rate="600/m", method="POST", block=True)
def type_in(request: HttpRequest, number: str, run_id: int, act: str) -> HttpResponse:
    """Scan the code, type, send; then the next. The code is never in an address."""
    run, kind, typist = _found(request, number, run_id, act)
    case = run.process
    here = f"/cases/{number}/forms/{run.pk}/{act}/type/"
    given = request.POST.get("code", "")
    row = form = None
    wrong = ""
    if request.method == "POST":
        row = issuing.by_number(DoorForm.objects.filter(run=run, act=act), given)
        wrong = _wrong(row)
        # A paper that is scanned once more is the same paper, until somebody sends it again.
        twice = row is not None and row.used_at is not None
        if row is not None and twice and (row.via == doors.BY_CODE or "save" in request.POST):
            doors.tried(run, act, row.party_key, clock.now())
    if row is not None and not wrong:
        form = _form(request, run, row, typist, bound="save" in request.POST)
        if "save" in request.POST:
            refused = _save(request, run, row, typist)
            if refused is None:
                said = _("第%(n)s号已登记，请录下一份。") % {"n": row.serial}
                messages.success(request, said)
                return redirect(here)
            if refused.message is doors.TWICE:
                wrong, form = str(refused), None
            else:
                tell(form, refused)
    page = context(
        request,
        "inbox",
        case=case,
        run=run,
        kind=kind,
        title=kind.title,
        row=row,
        given=given if form is not None else "",
        form=form,
        wrong=wrong,
        dated=request.POST.get("dated") or request.session.get(DATED) or str(clock.today()),
        today=clock.today(),
        typed=issuing.typed_in(run, act).count(),
        forms_url=f"/cases/{number}/forms/",
    )
    failed = bool(wrong or (form is not None and form.is_bound))
    return render(request, "portal/type_in.html", page, status=422 if failed else 200)


def _wrong(row: DoorForm | None) -> str:
    """Why nothing can be typed in for a code, or nothing."""
    if row is None:
        return _("没有这个码或者表号，请重新扫码。")
    if row.used_at is not None:
        return str(doors.TWICE)
    if row.withdrawn_at is not None:
        return _("这份表的码已作废，这一户另发了新表；请核对后用新表录入。")
    return ""


def _save(request: HttpRequest, run: StepRun, row: DoorForm, typist: Party) -> acts.Refused | None:
    """Type in one paper through the one door; why it was refused, if it was."""
    try:
        day = parse_date(request.POST["dated"]) if request.POST.get("dated") else clock.today()
    except ValueError:  # there is no such day
        day = None
    if day is None or day > clock.today():
        return acts.Refused("invalid", _("填表日期不对，不能晚于今天。"))
    happened = None
    if day < clock.today():
        happened = timezone.make_aware(dt.datetime.combine(day, dt.time(12)))
    party = replace(typist, role=row.role, key=row.party_key, via=doors.ON_PAPER, label="", seat="")
    try:
        acts.perform(
            run.process,
            run.name,
            row.act,
            party,
            _answers(request, row),
            request.FILES,
            happened_at=happened,
        )
    except acts.Refused as refused:
        return refused
    request.session[DATED] = day.isoformat()
    return None


# --- the second person -------------------------------------------------------------------------


@login_required
@require_POST
@ratelimit(key="user", rate="30/m", block=True)
def draw(request: HttpRequest, number: str, run_id: int, act: str) -> HttpResponse:
    """Draw the papers to be checked."""
    run, kind, _typist = _found(request, number, run_id, act)
    party = capacity(request, run, run.step.by)
    try:
        done = acts.perform(
            run.process, acts.CASE, "forms.drawn", party, {"run": run.pk, "form": kind.act}
        )
    except acts.Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("抽取了%(n)s份。") % {"n": done.record.body["drawn"]})
    return redirect(f"/cases/{number}/forms/{run.pk}/{act}/check/")


@login_required
@never_cache
@ratelimit(key="user", rate="600/m", method="POST", block=True)
def check(request: HttpRequest, number: str, run_id: int, act: str) -> HttpResponse:
    """Type a drawn paper again, without seeing what the first typed; what differs is reported."""
    run, kind, typist = _found(request, number, run_id, act)
    here = f"/cases/{number}/forms/{run.pk}/{act}/check/"
    given = request.POST.get("code", "")
    row = form = None
    wrong = ""
    if request.method == "POST":
        row = issuing.drawn_form(run, act, given)
        if row is None:
            wrong = _("这份表没有被抽中，或者已经复核。")
        elif issuing.typist_of(row) == request.user.pk:
            wrong = _("须由另一人复核：这份表是您录入的。")
        else:
            form = _form(request, run, row, typist, bound="save" in request.POST)
            for name in [n for n, f in form.fields.items() if isinstance(f, UploadField)]:
                del form.fields[name]
    if row is not None and form is not None and "save" in request.POST:
        payload = {
            "run": run.pk,
            "form": act,
            "serial": str(row.serial),
            "answers": _answers(request, row),
        }
        try:
            done = acts.perform(
                run.process, acts.CASE, "form.checked", capacity(request, run, run.step.by), payload
            )
        except acts.Refused as refused:
            tell(form, refused)
        else:
            n = done.record.body["differing"]
            if n:
                said = _("第%(serial)s号有%(n)s项不一致，已列入差异表。")
                messages.warning(request, said % {"serial": row.serial, "n": n})
            else:
                messages.success(request, _("第%(serial)s号一致。") % {"serial": row.serial})
            return redirect(here)
    page = context(
        request,
        "inbox",
        case=run.process,
        run=run,
        kind=kind,
        title=_("复核：%(form)s") % {"form": kind.title},
        row=row,
        given=given if form is not None else "",
        form=form,
        wrong=wrong,
        checking=True,
        report=issuing.report(run, act, blank(run, kind)),
        forms_url=f"/cases/{number}/forms/",
    )
    failed = bool(wrong or (form is not None and form.is_bound))
    return render(request, "portal/type_in.html", page, status=422 if failed else 200)
