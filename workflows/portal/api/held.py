"""Reading what steps hold: opinions with their replies, notices, objections, ballots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from ... import clock
from ...models import case as cases_of
from ...steps.ballot import Ballot as BallotStep
from ...steps.base import Step
from ...steps.opinion import Answering, feedback_book, late_book
from ...steps.publicity import Publicity as PublicityStep
from ...steps.publicity_rows import objections
from . import schemas
from .answers import Cursor, Key, Limit, Number, answers, api, cursor_of, parts_of, whole
from .read import Row, file_row, fresh_case


def _run_of(case: cases_of.Case, key: int, kind: type[Step]) -> cases_of.StepRun:
    run = get_object_or_404(cases_of.StepRun, process=case, pk=key)
    run.process = case
    if not isinstance(run.flow_task, kind):
        raise Http404
    return run


def _book(
    book: QuerySet[Any, Mapping[str, Any]], menu: Mapping[str, Any], cursor: str, limit: int
) -> Row:
    after = parts_of(cursor, 1)
    if after is not None:
        book = book.filter(record__seq__gt=whole(after[0]))
    rows = list(book[: limit + 1])
    return {
        "items": [
            {
                "seq": row["seq"],
                "item": row["item"],
                "item_title": str(menu[row["item"]].title) if row["item"] in menu else "",
                "stance": row["stance"],
                "state": row["life"],
                "late": row["late"],
                "erased": row["erased_at"] is not None,
                "submitted_at": row["submitted_at"],
                "wording": row["wording"] or "",
                "outcome": row["outcome"] or "",
                "reason": row["reason"] or "",
                "replied_at": row["replied_at"],
                "reply_seq": row["reply_seq"],
            }
            for row in rows[:limit]
        ],
        "next": cursor_of(rows[limit - 1]["seq"]) if len(rows) > limit else None,
    }


@api.get("/cases/{number}/runs/{run}/opinions", response=answers(schemas.Opinions), tags=["steps"])
def list_opinions(
    request: HttpRequest,
    response: HttpResponse,
    number: Number,
    run: Key,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Any:
    """The opinions of a step without who wrote them, with their replies, in order of arrival."""
    case = fresh_case(request, response, number)
    found = _run_of(case, run, Answering)
    return _book(feedback_book(found), getattr(found.flow_task, "items", {}), cursor, limit)


@api.get("/cases/{number}/late-opinions", response=answers(schemas.Opinions), tags=["steps"])
def list_late_opinions(
    request: HttpRequest,
    response: HttpResponse,
    number: Number,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Any:
    """The opinions that came to the case as a whole, after the step that they are about."""
    case = fresh_case(request, response, number)
    return _book(late_book(case), {}, cursor, limit)


@api.get(
    "/cases/{number}/runs/{run}/publicity", response=answers(schemas.Publicity), tags=["steps"]
)
def read_publicity(request: HttpRequest, response: HttpResponse, number: Number, run: Key) -> Any:
    """A notice: its period, where it hangs, its files."""
    case = fresh_case(request, response, number)
    found = _run_of(case, run, PublicityStep)
    page = found.step.page(found)
    notice = page["notice"]
    return {
        "run": found.pk,
        "title": str(notice["title"]),
        "phase": found.phase,
        "starts_on": notice["starts_on"],
        "ends_on": notice["ends_on"],
        "provisional": notice["provisional"],
        "postings": [
            {
                "place": row.label,
                "posted_at": row.posted_at,
                "photo": row.photo.get_absolute_url() if row.photo and row.photo.public else None,
            }
            for row in page["postings"]
        ],
        "files": [file_row(file) for file in notice["files"] if file.public],
    }


@api.get(
    "/cases/{number}/runs/{run}/objections", response=answers(schemas.Objections), tags=["steps"]
)
def list_objections(
    request: HttpRequest,
    response: HttpResponse,
    number: Number,
    run: Key,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Any:
    """The objections to a notice without who raised them, with what was decided."""
    after = parts_of(cursor, 1)
    case = fresh_case(request, response, number)
    found = objections(_run_of(case, run, PublicityStep), clock.now())
    if after is not None:
        found = found.filter(record__seq__gt=whole(after[0]))
    rows = list(found[: limit + 1])
    return {
        "items": [
            {
                "seq": row["seq"],
                "ground": row["ground"],
                "state": row["life"],
                "erased": row["erased_at"] is not None,
                "raised_at": row["raised_at"],
                "due_on": row["due_on"],
                "wording": row["wording"] or "",
                "decision": row["decision"] or "",
                "reason": row["why"] or "",
                "decided_at": row["decided_at"],
                "decision_seq": row["decision_seq"],
            }
            for row in rows[:limit]
        ],
        "next": cursor_of(rows[limit - 1]["seq"]) if len(rows) > limit else None,
    }


@api.get("/cases/{number}/runs/{run}/ballot", response=answers(schemas.Ballot), tags=["steps"])
def read_ballot(request: HttpRequest, response: HttpResponse, number: Number, run: Key) -> Any:
    """A ballot: its questions, how many have voted, and the count once it is published."""
    case = fresh_case(request, response, number)
    found = _run_of(case, run, BallotStep)
    page = found.step.page(found)
    shown = {row["number"]: row["tally"] is not None for row in page["questions"]}
    return {
        "run": found.pk,
        "phase": found.phase,
        "opens_on": str(page["opens_on"] or ""),
        "item": found.data.get("item", ""),
        "matter": found.data.get("matter", ""),
        "electorate": found.step.electorate,
        "questions": [
            {
                "number": question.number,
                "text": question.text,
                "tally": question.tally if shown[question.number] else None,
            }
            for question in found.questions.all()
        ],
        "turnout": page["turnout"],
    }
