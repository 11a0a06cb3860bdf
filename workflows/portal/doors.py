"""Forms at the door: printed for every household in walking order, and the page on which one of
them answers online by the code on its form."""

from __future__ import annotations

from typing import Any

from django import forms
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

from .. import acts, clock, codes, doors, notices, printing
from ..doors import Kind
from ..models.case import Case, StepRun
from ..models.door import DoorForm
from ..parties import Party, directory
from ..steps import doors as issuing
from ..steps.base import Step
from ..steps.doors import Issued
from ..uploads import UploadField
from .notices import _pdf, _secret, capacity
from .viewer import Viewer
from .views import context, find_case

MISSES = "20/m"
"""How often one address may give a code that does not exist."""
MOST = 2000
"""The most forms that one printing makes."""
A4, LARGE, A3 = "a4", "large", "a3"
"""How a form is set: on A4; in large print, 18 points on A4, over more pages; or A4 enlarged."""
BOX = printing.Box(157, 230, 32)
"""Where the code of a form stands."""


def _open_runs(case: Case) -> list[StepRun]:
    found = []
    for run in case.runs.filter(finished__isnull=True).order_by("pk"):
        run.process = case
        if isinstance(run.flow_task, Step):
            found.append(run)
    return found


def _kind(case: Case, pk: int, act: str) -> tuple[StepRun, Kind]:
    """A run with a form that it has now, or 404."""
    run = get_object_or_404(StepRun, process=case, pk=pk)
    run.process = case
    kind = doors.kinds(run).get(act) if isinstance(run.flow_task, Step) else None
    if kind is None:
        raise Http404
    return run, kind


@login_required
@never_cache
@require_GET
def of_case(request: HttpRequest, number: str) -> HttpResponse:
    """The forms that a case has for households now: how many are out and came back, to print."""
    case = find_case(number)
    roles = Viewer(request.user, case).roles
    runs = [run for run in _open_runs(case) if roles.intersection(run.step.by)]
    if not roles or not any(roles.intersection(step.by) for step in case.declared.steps()):
        raise PermissionDenied
    counts = issuing.counts(runs)
    nothing = {"out": 0, "by_code": 0, "on_paper": 0, "twice": 0}
    rows = [
        {
            "run": run,
            "kind": kind,
            "url": f"/cases/{case.number}/forms/{run.pk}/{kind.act}",
            **counts.get((run.pk, kind.act), nothing),
        }
        for run in runs
        for kind in doors.kinds(run).values()
    ]
    return render(request, "portal/forms.html", context(request, "inbox", case=case, rows=rows))


@login_required
@require_POST
@ratelimit(key="user", rate="10/m", block=True)
def paper(request: HttpRequest, number: str, run_id: int, act: str) -> HttpResponse:
    """Forms for the households that have none, in walking order: one PDF, made this once."""
    run, kind = _kind(find_case(number), run_id, act)
    party = capacity(request, run, run.step.by)
    again, find = "again" in request.POST, request.POST.get("find", "")[:40]
    members = issuing.wanted(run, kind, again=again, find=find)
    if len(members) > MOST:
        messages.error(request, _("一次最多印%(most)s份，请填写楼号分批印。") % {"most": MOST})
        return redirect(f"/cases/{number}/forms/")
    issued = issuing.draw(run, kind, members)
    payload = {"run": run.pk, "form": act, "issued": issued}
    try:
        acts.perform(run.process, acts.CASE, "forms.issued", party, payload)
    except acts.Refused as refused:
        messages.error(request, str(refused))
        return redirect(f"/cases/{number}/forms/")
    base = request.build_absolute_uri("/f/")
    size = request.POST.get("size", A4)
    response = _pdf(printed(run, kind, issued, base, size=size), f"{number}-{run.name}-forms")
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
@ratelimit(key="user", rate="60/m", block=True)
def withdraw(request: HttpRequest, number: str, run_id: int, act: str) -> HttpResponse:
    """End codes that were not used: a form was lost, or a whole pack of them."""
    run, kind = _kind(find_case(number), run_id, act)
    party = capacity(request, run, run.step.by)
    payload = {"run": run.pk, "form": kind.act, "find": request.POST.get("find", "")[:40]}
    try:
        done = acts.perform(run.process, acts.CASE, "forms.withdrawn", party, payload)
    except acts.Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("已作废%(n)s个码。") % {"n": done.record.body["ended"]})
    return redirect(f"/cases/{number}/forms/")


def blank(run: StepRun, kind: Kind, party: Party | None = None) -> forms.Form | None:
    """The form of a kind, not filled in."""
    spec = run.step.acts[kind.act]
    party = party or Party(kind.role, "", via=doors.BY_CODE)
    doing = acts.Act(run.process, run, spec, party, clock.now())
    form_class = run.step.form_for(spec, doing)
    return form_class(act=doing) if form_class else None


def printed(run: StepRun, kind: Kind, issued: list[Issued], base: str, *, size: str = A4) -> bytes:
    """The forms as a PDF in the site's first language, one household after another."""
    with translation.override(settings.LANGUAGE_CODE):
        case, step = run.process, run.step
        form: Any = blank(run, kind)
        contacts = directory().contacts(case.community)
        until = (
            _("请于%(day)s24时前交回。") % {"day": notices.day_words(run.ends_on)}
            if run.ends_on
            else _("请及时交回。")
        )
        body = render_to_string(
            "print/door_form.html",
            {
                "case": case,
                "kind": kind,
                "large": size == LARGE,
                "until": until,
                "advice": kind.says or getattr(form, "advice", ""),
                "parts": _parts(form, pledges=not kind.by_hand),
                "contacts": contacts,
                "office": contacts.signer(case.community, step.by),
            },
        )

        def foot(pages: int) -> str:
            numbers = range(1, pages + 1)
            said = {"pages": numbers, "foot": f"{case.number} · {step.title}"}
            return render_to_string("print/numbers.html", said)

        return printing.posters(
            body,
            foot,
            render_to_string(
                "print/door_marks.html", {"kind": kind, "forms": issued, "large": size == LARGE}
            ),
            title=f"{case.title} · {kind.title}",
            large=size == A3,
            addresses=[f"{base}{each.code}/" for each in issued],
            box=BOX,
        )


def _parts(form: Any, *, pledges: bool = True) -> list[dict[str, Any]]:
    """The fields of a form as paper has them: choices in tables, boxes to tick, room to write.
    `pledges`: what must be ticked online, which a signature on paper says as well."""
    parts: list[dict[str, Any]] = []
    for bound in form or ():
        field = bound.field
        if bound.is_hidden or isinstance(field, UploadField):
            continue
        if isinstance(field, forms.ChoiceField):
            listed: Any = field.choices
            choices = [words for value, words in listed if value]
            row = {"label": bound.label, "choices": choices}
            if parts and "rows" in parts[-1]:
                parts[-1]["rows"].append(row)
            else:
                parts.append({"rows": [row]})
        elif isinstance(field, forms.BooleanField):
            if pledges or not field.required:
                parts.append({"tick": bound.label})
        else:
            long = isinstance(field.widget, forms.Textarea)
            parts.append({"label": bound.label, "long": long})
    return parts


# --- by the code -------------------------------------------------------------------------------


def found(request: HttpRequest, code: str) -> DoorForm:
    """The form of a code. Raises 404, and `Ratelimited` after too many that do not exist."""

    def missed(count: bool) -> bool:
        return bool(is_ratelimited(request, group="form", key="ip", rate=MISSES, increment=count))

    if missed(count=False):
        raise Ratelimited
    form = doors.found(code)
    if form is None:
        missed(count=True)
        raise Http404
    return form


@never_cache
def enter(request: HttpRequest) -> HttpResponse:
    """Where one types the code of a form that no camera reads."""
    if request.method == "POST":
        code = codes.grouped(request.POST.get("code", ""))
        return _secret(redirect(f"/f/{code}/" if code else "/f/"))
    return _secret(render(request, "portal/form_code.html", context(request)))


@never_cache
@ratelimit(key="ip", rate="60/m", method="POST", block=True)
def answer(request: HttpRequest, code: str) -> HttpResponse:
    """The form of a household online, by its code alone; nothing here says whose it is."""
    row = found(request, code)
    run, now = row.run, clock.now()
    case = run.process
    state = doors.standing(row, now)
    kind = doors.kinds(run).get(row.act)
    form: Any = None
    refused = ""
    again = False
    if state == "used" and kind is not None and request.method == "POST":
        # Only what is sent is an attempt, and the one door refuses and notes it. A look is none:
        # the household itself opens its code again, and so do programs that preview links.
        party = Party(row.role, row.party_key, via=doors.BY_CODE)
        try:
            acts.perform(case, run.name, row.act, party, request.POST, request.FILES)
        except acts.Refused:
            again = True
    if state == "open" and kind is not None:
        party = Party(row.role, row.party_key, via=doors.BY_CODE)
        spec = run.step.acts[row.act]
        doing = acts.Act(case, run, spec, party, now, payload=request.POST)
        form_class: Any = run.step.form_for(spec, doing)
        data, files = (request.POST, request.FILES) if request.method == "POST" else (None, None)
        form = form_class(data, files, act=doing)
        if request.method == "POST":
            try:
                done = acts.perform(case, run.name, row.act, party, request.POST, request.FILES)
            except acts.Refused as error:
                refused = str(error)
                row.refresh_from_db()
                state = doors.standing(row, now)
            else:
                return _secret(redirect(f"/r/{done.receipt}/"))
    page = context(
        request,
        case=case,
        run=run,
        row=row,
        kind=kind,
        state=state,
        form=form if state == "open" else None,
        title=kind.title if kind else run.flow_task.title,
        refused=refused,
        again=again,
    )
    return _secret(render(request, "portal/form.html", page, status=422 if refused else 200))
