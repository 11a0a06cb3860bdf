"""Pages of the posts of a call: the list, and the five openings of each post."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from workflows.models import Case
from workflows.portal.views import context, find_case

from . import reading
from .models import Post

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
