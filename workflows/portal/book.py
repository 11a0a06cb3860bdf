"""The feedback book (意见反馈册): every opinion of a step without names, what became of it and why.

A page that can be filtered, a paper for the committee's room, and a table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django_ratelimit.decorators import ratelimit
from django_ratelimit.exceptions import Ratelimited

from .. import printing
from ..models.case import Case, StepRun
from ..records import export
from ..steps.opinion import Answering, feedback_book
from ..steps.opinion_rows import OUTCOMES, Opinion
from . import words
from .open_data import CSV, Edition, of_case, published, stream
from .views import context, find_case

PER_PAGE = 30
CHAPTER = 400
"""Rows of the paper that are rendered at once."""
PRINTING = "feedback-book-printing"
PRINTING_MOST = 180
"""Seconds after which a printing that never ended is forgotten."""

STANDINGS = [
    ("", gettext_lazy("全部")),
    *OUTCOMES.items(),
    ("waiting", gettext_lazy("等待答复")),
    ("withdrawn", gettext_lazy("已撤回")),
]


class BookFilter(forms.Form):
    """By what became of the opinions, and by the item of the menu where the step has one."""

    outcome = forms.ChoiceField(label=gettext_lazy("处理结果"), choices=STANDINGS, required=False)
    item = forms.ChoiceField(label=gettext_lazy("项目"), required=False)

    def __init__(self, *args: Any, menu: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", gettext_lazy("全部")), *((code, item.title) for code, item in menu.items())]
        if menu:
            self.fields["item"].choices = choices  # type: ignore[attr-defined]
        else:
            del self.fields["item"]

    def of(self, book: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        """The chosen part of a book; all of it where the choice makes no sense."""
        chosen = self.cleaned_data if self.is_valid() else {}
        outcome, item = chosen.get("outcome"), chosen.get("item")
        if outcome == "waiting":
            book = book.filter(life="submitted")
        elif outcome == "withdrawn":
            book = book.filter(life="withdrawn")
        elif outcome:
            book = book.filter(reply__outcome=outcome)
        return book.filter(item=item) if item else book


def _run(case: Case, pk: int) -> StepRun:
    """A run of a step that answers opinions, or 404."""
    run = get_object_or_404(StepRun, process=case, pk=pk)
    run.process = case
    if not isinstance(run.flow_task, Answering):
        raise Http404
    return run


def menu_of(run: StepRun) -> dict[str, Any]:
    """The items that people could choose from, by code; empty where the step has no menu."""
    found: dict[str, Any] = getattr(run.flow_task, "items", {})
    return found


def totals(run: StepRun) -> tuple[list[tuple[Any, int]], dt.datetime | None]:
    """How many opinions there are, and of each standing, with the last entry's moment; a query."""
    counts = {"n": Count("pk"), "last": Max("created"), "replied": Max("reply__at")}
    counts |= {code: Count("pk", filter=Q(reply__outcome=code)) for code in OUTCOMES}
    counts |= {life: Count("pk", filter=Q(life=life)) for life in ("submitted", "withdrawn")}
    found = Opinion.objects.filter(run=run, record__isnull=False).aggregate(**counts)
    lines: list[tuple[Any, int]] = [(_("意见总数"), found["n"])]
    lines += [(words.VALUES[code], found[code]) for code in OUTCOMES if found[code]]
    if found["submitted"]:
        lines.append((_("等待答复"), found["submitted"]))
    if found["withdrawn"]:
        lines.append((_("已撤回"), found["withdrawn"]))
    moments = [at for at in (found["last"], found["replied"]) if at is not None]
    return lines, max(moments, default=None)


@require_GET
def page(request: HttpRequest, number: str, run_id: int) -> HttpResponse:
    """The book, piece by piece."""
    case = find_case(number)
    run = _run(case, run_id)
    menu = menu_of(run)
    chosen = BookFilter(request.GET, menu=menu)
    shown = Paginator(chosen.of(feedback_book(run)), PER_PAGE).get_page(request.GET.get("page"))
    lines, last = totals(run)
    return render(
        request,
        "portal/book.html",
        context(
            request,
            "cases",
            case=case,
            run=run,
            step=run.flow_task,
            menu=list(menu.values()),
            form=chosen,
            page=shown,
            totals=lines,
            last=last,
        ),
    )


def _edition(number: str, run_id: int) -> Edition:
    """A book is as new as its case."""
    whole = of_case(number)
    return Edition(_run(whole.subject, run_id), whole.cases, whole.mark, whole.modified)


@published(_edition)
@ratelimit(key="ip", rate="60/m", block=True)
def table(request: HttpRequest, edition: Edition) -> HttpResponseBase:
    """The whole book as a table for spreadsheet programs."""
    run = edition.subject
    rows = export.book_rows(_in_blocks(feedback_book(run)), menu_of(run))
    return stream(request, export.table(rows), CSV, f"{_name(run)}.csv")


@published(_edition)
@ratelimit(key="ip", rate="10/m", block=True)
def paper(request: HttpRequest, edition: Edition) -> HttpResponseBase:
    """The whole book on A4, as it hangs in the committee's room."""
    run = edition.subject
    # Made anew each time: a kept one would outlive the withdrawal of words that it holds.
    with _in_turn(run):
        content = printed(run)
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{_name(run)}.pdf"'
    return response


@contextmanager
def _in_turn(run: StepRun) -> Iterator[None]:
    """A book of several chapters keeps a processor busy for seconds, up to half a minute: one at a
    time on the whole site. Whoever comes meanwhile is asked to come again (429)."""
    if feedback_book(run).count() <= CHAPTER:
        yield
        return
    if not cache.add(PRINTING, 1, PRINTING_MOST):
        raise Ratelimited
    try:
        yield
    finally:
        cache.delete(PRINTING)


def _in_blocks(book: QuerySet[Any, Any]) -> Iterator[Any]:
    """The rows of a book; a query a block, and no cursor open between them."""
    last = -1
    while block := list(book.filter(record__seq__gt=last)[: export.BLOCK]):
        yield from block
        last = block[-1]["seq"]


def _name(run: StepRun) -> str:
    return f"{run.process.number}-{run.name}-{run.round}-book"


def printed(run: StepRun) -> bytes:
    """The book of a run as a PDF, in the language in use."""
    case = run.process
    title = f"{case.title} · {run.flow_task.task_title} · {_('意见反馈册')}"
    foot = f"{case.number} · {run.flow_task.task_title}"
    return printing.numbered(
        _chapters(run), title=title, language=get_language() or "zh-hans", foot=foot
    )


def _chapters(run: StepRun) -> Iterator[str]:
    menu = menu_of(run)
    lines, last = totals(run)
    about = {"case": run.process, "run": run, "step": run.flow_task, "totals": lines, "last": last}
    pages = Paginator(feedback_book(run), CHAPTER)
    for number in pages.page_range:
        part = pages.page(number)
        rows = [
            {
                **row,
                "item_title": menu[row["item"]].title if row["item"] in menu else row["item"],
                "standing": export.standing(row),
            }
            for row in part.object_list
        ]
        yield render_to_string("print/book.html", {**about, "rows": rows, "first": number == 1})
