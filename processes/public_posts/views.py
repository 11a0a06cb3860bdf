"""Pages of the posts of a call: the list, and the five openings of each post."""

from __future__ import annotations

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
from .models import Holder, Post

PER_PAGE = 30


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
            **reading.openings(found),
        ),
    )


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
