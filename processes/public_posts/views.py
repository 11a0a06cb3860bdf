"""Pages of the posts of a call: the list, and the five openings of each post."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from workflows import printing
from workflows.models import Case, StepRun
from workflows.portal.viewer import Viewer
from workflows.portal.views import context, find_case

from . import reading
from .models import Applicant, Holder, Post
from .people import handed_in_by

PER_PAGE = 30
HANDLERS = frozenset({"office", "residents_committee"})


def _case(number: str) -> Case:
    case = find_case(number)
    if case.procedure != "public_posts":
        raise Http404
    return case


@require_GET
def post_list(request: HttpRequest, number: str) -> HttpResponse:
    """The posts of a call, by village or title."""
    case = _case(number)
    village, find = request.GET.get("village", "")[:40], request.GET.get("find", "")[:40]
    page = Paginator(reading.posts(case, village=village, find=find), PER_PAGE)
    return render(
        request,
        "public_posts/posts.html",
        context(
            request,
            "cases",
            case=case,
            page=page.get_page(request.GET.get("page")),
            villages=reading.villages(case),
            village=village,
            find=find,
        ),
    )


@require_GET
def post_detail(request: HttpRequest, number: str, post: int) -> HttpResponse:
    """One post: the post, its duties, the procedure, the result, the management (五公开)."""
    case = _case(number)
    found = get_object_or_404(Post, case=case, number=min(post, 2**31 - 1))
    found.case = case
    page = Paginator(reading.results(found), PER_PAGE).get_page(request.GET.get("page"))
    people = [(row, reading.mean_words(row.points, row.sheets)) for row in page.object_list]
    return render(
        request,
        "public_posts/post.html",
        context(
            request,
            "cases",
            case=case,
            post=found,
            page=page,
            people=people,
            **reading.may_do(found),
            **reading.openings(found),
        ),
    )


@login_required
@require_GET
@never_cache
def application_list(request: HttpRequest, number: str) -> HttpResponse:
    """The applications of a call, in clear, for those who handle it."""
    case = _case(number)
    if not HANDLERS & Viewer(request.user, case).roles:
        raise PermissionDenied
    chosen = {name: request.GET.get(name, "").strip()[:40] for name in ("find", "life", "village")}
    page = Paginator(reading.applications(case, **chosen), PER_PAGE)
    return render(
        request,
        "public_posts/applications.html",
        context(
            request,
            "cases",
            case=case,
            page=page.get_page(request.GET.get("page")),
            lives=Applicant.STATES,
            villages=reading.villages(case),
            **chosen,
        ),
    )


@login_required
@require_GET
@never_cache
def application(request: HttpRequest, number: str, applicant: int) -> HttpResponse:
    """One application with its papers: for those who handle it, and who handed it in online."""
    case = _case(number)
    viewer = Viewer(request.user, case)
    rows = Applicant.objects.filter(case=case, number=min(applicant, 2**31 - 1))
    row = rows.select_related("post", "record").first()
    handles = bool(HANDLERS & viewer.roles)
    if row is None or not (handles or row.party_key == f"person:{request.user.pk}"):
        raise Http404  # whether there is one is not said either
    row.case = case
    return render(
        request,
        "public_posts/application.html",
        context(
            request,
            "my",
            case=case,
            row=row,
            handles=handles,
            offers=_offers(viewer, row),
            **reading.application(row),
        ),
    )


def _offers(viewer: Viewer, row: Applicant) -> list[tuple[Any, str]]:
    """What the viewer may do about one application now."""
    wanted = {
        "applied": ("application.withdrawn", "application.refused"),
        "refused": ("refusal.decided",) if row.objection else ("refusal.objected",),
    }.get(row.life, ("place.declined",))
    found = []
    for run in StepRun.objects.filter(process=row.case, name__in=("apply", "check", "train")):
        run.process = row.case
        for offer in viewer.offers(run, run.step):
            mine = any(handed_in_by(row, party) for party in offer.parties)
            own = getattr(run.step, "of_own", {}).get(offer.spec.name)
            if offer.spec.name in wanted and (own is None or (mine and row.life in own)):
                found.append((offer.title, f"{offer.url}?number={row.number}"))
    return found


@require_GET
@never_cache
def agreement(request: HttpRequest, number: str, applicant: int) -> HttpResponse:
    """The agreement of a holder as PDF, in clear, for the office to have it signed."""
    case = _case(number)
    if "office" not in Viewer(request.user, case).roles:
        raise PermissionDenied
    rows = Holder.objects.filter(applicant__case=case, applicant__number=min(applicant, 2**31 - 1))
    holder = get_object_or_404(rows.select_related("applicant__post"))
    announced = StepRun.objects.filter(process=case, name="announce").order_by("-pk").first()
    with translation.override("zh-hans"):
        chapter = render_to_string(
            "print/agreement.html",
            {
                "case": case,
                "person": holder.applicant,
                "starts": holder.starts,
                "until": holder.until,
                "subsidy_until": holder.subsidy_until,
                "announced": announced.data if announced else {},
            },
        )
        paper = printing.numbered([chapter], title=_("公益性岗位协议"), language="zh-Hans")
    return HttpResponse(
        paper,
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{case.number}-{applicant}.pdf"'},
    )
