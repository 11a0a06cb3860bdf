"""The trail of a case as a download; long ones are made in the background."""

from __future__ import annotations

from typing import IO

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.views.decorators.http import require_GET, require_http_methods
from django_ratelimit.decorators import ratelimit

from .. import acts, jobs
from ..models.case import Case
from ..models.job import DONE, FAILED, Job
from ..parties import Party
from ..records import log
from ..records.trail import archive, make, seal
from .downloads import Download
from .viewer import Viewer
from .views import context, find_case

AT_ONCE = 400
"""So many records not yet rendered are made while one waits: a second or two."""


@require_GET
@ratelimit(key="ip", rate="30/m", block=True)
def trail(request: HttpRequest, number: str) -> HttpResponseBase:
    """The public trail: kept, made at once, or a page that tells how far it is."""
    case = find_case(number)
    held = make.newest(case)
    if held is None:
        address = _address(request, case)
        log.integrate_now()  # an act of a second ago shall have its proof too
        if make.waiting(case) > AT_ONCE:
            work = jobs.queue("trail", case, language=get_language(), address=address)
            return redirect(work.get_absolute_url())
        try:
            held = make.public(case, address)
        except seal.CannotSign as refused:
            return _cannot(request, case, str(refused))
    return _sent(held, f"{case.number}-trail.pdf", "no-cache")


@login_required
@require_http_methods(["GET", "POST"])
@ratelimit(key="user", rate="20/h", method="POST", block=True)
def full_trail(request: HttpRequest, number: str) -> HttpResponseBase:
    """The full trail for an auditor: asks first, since each download is a record of the case."""
    case = find_case(number)
    party = _auditor(request, case)
    if request.method != "POST":
        return render(
            request,
            "portal/full_trail.html",
            context(request, "cases", case=case),
        )
    try:
        acts.perform(case, acts.CASE, "trail.downloaded", party)
    except acts.Refused as refused:
        return _cannot(request, case, str(refused))
    log.integrate_now()
    case.refresh_from_db(fields=["length", "head"])
    address = _address(request, case)
    if case.length > AT_ONCE:
        work = jobs.queue(
            "full_trail", case, request.user, language=get_language(), address=address
        )
        return redirect(work.get_absolute_url())
    try:
        held = make.full(case, address)
    except seal.CannotSign as refused:
        return _cannot(request, case, str(refused))
    return _sent(held, f"{case.number}-trail-full.pdf", "private, no-store")


@require_GET
def job(request: HttpRequest, uid: str) -> HttpResponse:
    """How far a job is; the page looks again by itself, with or without scripts."""
    work = _job(request, uid)
    response = render(
        request,
        "portal/job.html",
        context(
            request,
            "audit" if work.kind == "archive" else "cases",
            job=work,
            case=work.case,
            archive=work.kind == "archive",
            left_out=work.params.get("left_out", []),
            ended=work.state in (DONE, FAILED),
            failed=work.state == FAILED,
            result=_result_address(work),
        ),
    )
    response["Cache-Control"] = "no-store"
    if work.state not in (DONE, FAILED):
        response["Refresh"] = "2"
    return response


@require_GET
def job_file(request: HttpRequest, uid: str) -> HttpResponseBase:
    """The private result of a job, for the one who asked, while the right lasts."""
    work = _job(request, uid)
    if work.state != DONE or not work.result:
        raise Http404
    if work.kind == "archive":
        inside = work.downloads.values_list("case__community", flat=True)
        if not set(inside) <= archive.auditors(request.user).keys():
            raise PermissionDenied
        name, media_type = f"sanwen-trails-{work.created:%Y%m%d}.zip", "application/zip"
    elif work.case is not None:
        _auditor(request, work.case)
        name, media_type = f"{work.case.number}-trail-full.pdf", "application/pdf"
    else:
        raise Http404
    return _sent(work.result.open("rb"), name, "private, no-store", media_type)


def _job(request: HttpRequest, uid: str) -> Job:
    work = get_object_or_404(Job.objects.select_related("case__community"), uid=uid)
    if work.user_id is not None and work.user_id != request.user.pk:
        raise Http404
    return work


def _result_address(work: Job) -> str:
    if work.state != DONE:
        return ""
    if work.kind == "trail" and work.case is not None:
        return f"/cases/{work.case.number}/trail.pdf"
    return f"{work.get_absolute_url()}file/"


def _auditor(request: HttpRequest, case: Case) -> Party:
    for party in Viewer(request.user, case).parties:
        if party.role == "auditor":
            return party
    raise PermissionDenied


def _address(request: HttpRequest, case: Case) -> str:
    return site(request) + case.get_absolute_url()


def site(request: HttpRequest) -> str:
    """The site's own address, without a slash at its end."""
    return settings.SITE_ADDRESS.rstrip("/") or request.build_absolute_uri("/").rstrip("/")


def _sent(
    held: IO[bytes], name: str, cache: str, media_type: str = "application/pdf"
) -> HttpResponseBase:
    response = Download(held, name, media_type)
    response["Cache-Control"] = cache
    return response


def _cannot(request: HttpRequest, case: Case, why: str) -> HttpResponse:
    return render(
        request, "portal/job.html", context(request, "cases", case=case, why=why), status=503
    )
