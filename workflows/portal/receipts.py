"""Receipts: what became of an act, by the code on its receipt, without an account."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django_ratelimit.core import is_ratelimited
from django_ratelimit.decorators import ratelimit
from django_ratelimit.exceptions import Ratelimited
from viewflow.workflow.status import STATUS

from .. import acts, clock, records
from ..models.record import Attachment, Record, Trace
from ..parties import Party
from ..steps.answers import following
from ..steps.base import Step
from . import readers, words
from .desk import qr
from .views import context, find_case, handed_out

Answer = TypeVar("Answer", bound=HttpResponseBase)

MISSES = "20/m"
"""How often one address may give a code that does not exist. Codes that do are not counted, so
that a whole residents' committee behind one address can look up theirs."""


def _found(request: HttpRequest, code: str) -> Trace | None:
    """Who stands behind a code. Raises `Ratelimited` after too many that do not exist."""

    def missed(count: bool) -> bool:
        return bool(
            is_ratelimited(request, group="receipt", key="ip", rate=MISSES, increment=count)
        )

    if missed(count=False):
        raise Ratelimited
    trace = (
        Trace.objects.filter(receipt=records.receipt_hash(code))
        .select_related("record__case__community", "record__run")
        .first()
    )
    if trace is None:
        missed(count=True)
    return trace


def _secret(response: Answer) -> Answer:
    # The address holds a secret: no referrer, not even our own, and no cache may hold it. (With
    # no-referrer browsers send "Origin: null", which every form of the page would fail on.)
    response["Referrer-Policy"] = "strict-origin"
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


def receipt(request: HttpRequest, code: str = "") -> HttpResponse:
    """The page of a receipt, or where one types its code."""
    if request.method == "POST":
        given = "".join(sign for sign in request.POST.get("code", "").upper() if sign.isalnum())
        grouped = "-".join(given[at : at + 5] for at in range(0, min(len(given), 20), 5))
        return redirect(f"/r/{grouped}/") if grouped else redirect("/r/")
    trace = _found(request, code) if code else None
    page: dict[str, Any] = {"code": code, "found": trace is not None}
    if trace is not None:
        record = trace.record
        case = record.case
        row = readers.record_row(case, record)
        row["title"] = words.deed(case, record)
        became = following([record])
        answered = record.pk in became  # a vote is not
        inside = case.declared.inside(case, [_party(trace)]) if _opened(trace) else {}
        page.update(
            case=case,
            record=record,
            row=row,
            lines=list(words.body_lines(case, record)),
            step=words.step_title(case, record.step),
            answers=became[record.pk].answers,
            sound=records.leaf_hash(record.canonical.encode()) == bytes(record.leaf_hash),
            qr=qr(request.build_absolute_uri(f"/r/{code}/")),
            own=_own_acts(trace),
            files=f"/r/{code}/files/",
            inside=inside,
            awaits=answered and not inside,
        )
    status = 404 if code and trace is None else 200
    return _secret(render(request, "portal/receipt.html", context(request, **page), status=status))


def _opened(trace: Trace) -> bool:
    """Whether the receipt is of somebody who opened the case and may go on in it by that alone."""
    record = trace.record
    return record.role in record.case.declared.opener_only and acts.opened_by(
        record.case, _party(trace)
    )


def _party(trace: Trace) -> Party:
    """Whose receipt it is. Where an officer typed it in, the account is the officer's."""
    typed = trace.record.content["party"].get("via") == "paper"
    return Party(trace.record.role, trace.party_key, None if typed else trace.user_id)


def _own_acts(trace: Trace) -> list[dict[str, Any]]:
    """What who opened the case may do in it now."""
    case, party = trace.record.case, _party(trace)
    if not case.open or case.suspended_at or not _opened(trace):
        return []
    found = []
    for run in case.runs.filter(status=STATUS.STARTED, finished__isnull=True).order_by("pk"):
        run.process = case
        step = run.flow_task
        for spec in step.acts.values() if isinstance(step, Step) else ():
            if not spec.page or party.role not in step.allowed(spec, case):
                continue
            if step.offered(spec, run) and step.able(spec, run, (party,)):
                title = step.act_title(spec, {})
                found.append(
                    {
                        "step": run.name,
                        "name": spec.name,
                        "title": title,
                        "optional": spec.optional,
                    }
                )
    return found


@ratelimit(key="ip", rate="120/m", method="POST", block=True)
def receipt_act(request: HttpRequest, code: str, step: str, act: str) -> HttpResponse:
    """An act by receipt: of who opened the case, with an account or without one."""
    trace = _found(request, code)
    if trace is None:
        raise Http404
    offered = [own for own in _own_acts(trace) if (own["step"], own["name"]) == (step, act)]
    if not offered:
        return _secret(redirect(f"/r/{code}/"))
    case, party = trace.record.case, _party(trace)
    run = case.runs.filter(name=step, status=STATUS.STARTED).order_by("-pk").first()
    assert run is not None
    run.process = case
    spec = run.step.acts[act]
    doing = acts.Act(case, run, spec, party, clock.now(), payload=request.POST)
    form_class = run.step.form_for(spec, doing)
    data, files = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = form_class(data, files, act=doing) if form_class else None
    refused = ""
    if request.method == "POST":
        try:
            acts.perform(case, step, act, party, request.POST, request.FILES)
        except acts.Refused as error:
            refused = str(error)
        else:
            messages.success(request, _("“%(what)s”已登记。") % {"what": offered[0]["title"]})
            return _secret(redirect(f"/r/{code}/"))
    page = context(
        request,
        code=code,
        case=case,
        title=offered[0]["title"],
        form=form,
        refused=refused,
    )
    status = 422 if refused else 200
    return _secret(render(request, "portal/receipt_act.html", page, status=status))


@require_GET
def receipt_file(request: HttpRequest, code: str) -> HttpResponse:
    """The copy to keep of a receipt: the record with its inclusion proof."""
    trace = _found(request, code)
    if trace is None:
        raise Http404
    return _secret(_file(trace.record))


@require_GET
def receipt_attachment(request: HttpRequest, code: str, uid: str) -> HttpResponseBase:
    """A file of the case that who opened it may have, by the receipt."""
    trace = _found(request, code)
    file = get_object_or_404(Attachment.objects.select_related("run__process"), uid=uid)
    if trace is None or file.run is None or file.run.process_id != trace.record.case_id:
        raise Http404
    case = trace.record.case
    if not _opened(trace) or not case.declared.may_read(file, [_party(trace)], False):
        raise Http404
    return _secret(handed_out(file))


@require_GET
def record_file(request: HttpRequest, number: str, seq: int) -> HttpResponse:
    """The same of any record, by its place in the case."""
    case = find_case(number)
    return _file(get_object_or_404(Record.objects.select_related("case"), case=case, seq=seq))


def _file(record: Record) -> HttpResponse:
    response = JsonResponse(records.copy_to_keep(record), json_dumps_params={"ensure_ascii": False})
    name = f"{record.case.number}-{record.seq}.sanwen.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
