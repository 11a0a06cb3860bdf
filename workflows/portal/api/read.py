"""Reading: what everybody may read, from the readers of the pages."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Literal

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.dateparse import parse_datetime

from ... import clock
from ... import procedure as procedures
from ...models import case as cases_of
from ...models.record import Attachment
from ...models.record import Record as RecordRow
from ...records import export
from ...steps.base import Step
from .. import readers, words
from ..open_data import of_case
from . import schemas
from .answers import (
    Code,
    Cursor,
    Key,
    Limit,
    Number,
    Seq,
    Words,
    answers,
    api,
    bad_cursor,
    cursor_of,
    fresh,
    parts_of,
    whole,
    whole_site,
)

Row = dict[str, Any]


def fresh_case(request: HttpRequest, response: HttpResponse, number: str) -> cases_of.Case:
    """The case, once the client is known not to have it as it stands; two queries."""
    edition = of_case(number)
    fresh(request, response, edition.mark, edition.modified)
    case: cases_of.Case = edition.subject
    return case


# --- procedures and places ---------------------------------------------------------------------


def _procedure(declared: type[procedures.Procedure], open_cases: int) -> Row:
    return {
        "code": declared.code,
        "version": declared.version,
        "title": str(declared.title),
        "summary": str(declared.summary),
        "source": str(declared.source),
        "opened_by": list(declared.opened_by),
        "open_cases": open_cases,
        "url": f"/procedures/{declared.code}/",
    }


@api.get("/procedures", response=answers(schemas.Procedures), tags=["procedures"])
def list_procedures(request: HttpRequest, response: HttpResponse) -> Any:
    """The catalogue of procedures."""
    mark, modified = whole_site()
    fresh(request, response, f"{mark}/{clock.today()}", modified)
    rows = readers.catalogue()
    return {"items": [_procedure(row["procedure"], row["open"]) for row in rows]}


@api.get("/procedures/{code}", response=answers(schemas.ProcedureWhole), tags=["procedures"])
def read_procedure(request: HttpRequest, response: HttpResponse, code: Code) -> Any:
    """A procedure with its steps: who acts, for how long, under which rule, where it leads."""
    try:
        declared = procedures.current(code, clock.today())
    except KeyError as error:
        raise Http404 from error
    mark, modified = whole_site()
    fresh(request, response, f"{mark}/{clock.today()}", modified)
    count = cases_of.Case.objects.filter(procedure=code, finished=None).count()
    steps = [
        {
            "name": row["step"].name,
            "title": str(row["title"]),
            "kind": row["step"].kind,
            "term_title": row["term"],
            "by": list(row["step"].by),
            "participants": list(row["step"].participants),
            "sources": [str(source) for source in row["sources"]],
            "leads": [
                {
                    "outcome": outcome,
                    "outcome_title": str(row["step"].outcome_names.get(outcome, outcome)),
                    "to": node.name,
                }
                for outcome, node in row["step"].outcomes_to.items()
            ],
        }
        for row in readers.declared_steps(declared)
    ]
    return {**_procedure(declared, count), "steps": steps}


def _place(place: cases_of.Community) -> Row:
    return {
        "code": place.code,
        "name": place.name,
        "kind": place.kind,
        "parent": place.parent.code if place.parent else None,
        "url": f"/estates/{place.code}/",
    }


@api.get("/places", response=answers(schemas.Places), tags=["places"])
def list_places(
    request: HttpRequest, response: HttpResponse, cursor: Cursor = "", limit: Limit = 50
) -> Any:
    """Estates, villages and sub-districts, by code."""
    found = cases_of.Community.objects.select_related("parent").order_by("code")
    after = parts_of(cursor, 1)
    # No record tells of a new place: how many there are, does.
    fresh(request, response, f"{found.count()}", None)
    if after is not None:
        found = found.filter(code__gt=after[0].replace("\x00", ""))
    rows = list(found[: limit + 1])
    following = cursor_of(rows[limit - 1].code) if len(rows) > limit else None
    return {"items": [_place(row) for row in rows[:limit]], "next": following}


@api.get("/places/{code}", response=answers(schemas.Place), tags=["places"])
def read_place(request: HttpRequest, response: HttpResponse, code: Code) -> Any:
    """One place."""
    place = get_object_or_404(cases_of.Community.objects.select_related("parent"), code=code)
    shown = _place(place)
    fresh(request, response, repr(shown), None)
    return shown


# --- cases -------------------------------------------------------------------------------------


def case_row(case: cases_of.Case, runs: Iterable[cases_of.StepRun]) -> Row:
    """A case with its open steps."""
    open_runs = [run for run in runs if isinstance(run.flow_task, Step)]
    state, title = readers.case_state(case, open_runs)
    return {
        "number": case.number,
        "title": case.title,
        "procedure": case.procedure,
        "version": case.version,
        "procedure_title": str(case.declared.title),
        "place": case.community.code,
        "place_name": case.community.name,
        "state": state,
        "state_title": str(title),
        "outcome": case.outcome,
        "lot": case.lot,
        "demo": case.demo,
        "opened_at": case.created,
        "closed_at": case.finished,
        "records": case.length,
        "open_steps": [
            {
                "run": run.pk,
                "name": run.name,
                "title": str(run.flow_task.title),
                "ends_on": run.ends_on,
                "provisional": run.provisional,
            }
            for run in open_runs
        ],
        "url": case.get_absolute_url(),
    }


@api.get("/cases", response=answers(schemas.Cases), tags=["cases"])
def list_cases(
    request: HttpRequest,
    response: HttpResponse,
    q: Words = "",
    procedure: Code | None = None,
    place: Code | None = None,
    state: Literal["open", "suspended", "done"] | None = None,
    parts: bool = False,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Any:
    """Cases, newest first. `q`: words of title, number or place; `place` with the places that
    belong to it; `parts`: also cases that are parts of others (lots)."""
    after = parts_of(cursor, 2)
    fresh(request, response, *whole_site())
    found = readers.search(q.strip(), procedure or "", state or "", parts=parts)
    if place:
        found = found.filter(Q(community__code=place) | Q(community__parent__code=place))
    if after is not None:
        moment, key = _moment(after[0]), whole(after[1])
        found = found.filter(Q(created__lt=moment) | Q(created=moment, pk__lt=key))
    rows = list(found[: limit + 1])
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": [case_row(case, case.open_runs) for case in rows[:limit]],
        "next": cursor_of(last.created, last.pk) if last else None,
    }


def _moment(text: str) -> dt.datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise bad_cursor()
    return found


def _run(case: cases_of.Case, run: cases_of.StepRun) -> Row:
    term = None
    if run.ends_on is not None:
        term = {
            "code": run.term,
            "starts_on": run.starts_on,
            "ends_on": run.ends_on,
            "ends_at": run.ends_at,
            "rule": run.term_rule,
            "provisional": run.provisional,
        }
    return {
        "id": run.pk,
        "name": run.name,
        "title": str(run.flow_task.title),
        "kind": run.flow_task.kind,
        "round": run.round,
        "phase": run.phase,
        "state": readers.run_state(case, run),
        "outcome": run.outcome,
        "outcome_title": (
            str(words.outcome_title(case, run.name, run.outcome)) if run.outcome else ""
        ),
        "opened_at": run.started,
        "closed_at": run.finished,
        "term": term,
        "url": f"/cases/{case.number}/steps/{run.pk}/",
    }


@api.get("/cases/{number}", response=answers(schemas.CaseWhole), tags=["cases"])
def read_case(request: HttpRequest, response: HttpResponse, number: Number) -> Any:
    """A case with each of its steps and their terms."""
    case = fresh_case(request, response, number)
    runs = list(case.runs.order_by("pk"))
    for run in runs:
        run.process = case
    steps = [run for run in runs if isinstance(run.flow_task, Step)]
    parent = case.parent.process.number if case.parent_id and case.parent else None
    return {
        **case_row(case, [run for run in steps if run.is_open]),
        "parent": parent,
        "head": bytes(case.head or b"").hex(),
        "params": case.params,
        "runs": [_run(case, run) for run in steps],
    }


# --- records -----------------------------------------------------------------------------------


def file_row(file: Attachment) -> Row:
    """A public file."""
    return {
        "title": str(words.file_title(file.label)),
        "url": file.get_absolute_url(),
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
    }


def _records(case: cases_of.Case, rows: Iterable[RecordRow]) -> list[Row]:
    """Records with what is public of them now; three queries."""
    found = export.with_words(rows)
    files: dict[int | None, list[Row]] = defaultdict(list)
    keys = [record.pk for record in found]
    for file in Attachment.objects.filter(record__in=keys, public=True).order_by("pk"):
        files[file.record_id].append(file_row(file))
    return [record_row(case, record, files[record.pk]) for record in found]


def record_row(case: cases_of.Case, record: RecordRow, files: list[Row]) -> Row:
    """A record as the API shows it: what is public of it now; its words are loaded."""
    content = record.content
    party = content["party"]
    return {
        "seq": record.seq,
        "at": record.at,
        "happened_at": content.get("happened_at"),
        "step": record.step,
        "run": record.run_id,
        "act": record.act,
        "act_title": str(words.act_title(case, record.step, record.act)),
        "role": record.role,
        "party": party.get("id", ""),
        "via": party.get("via", "online"),
        "body": record.body,
        "corrects": content.get("corrects"),
        "withdrawn": record.withdrawn,
        "files": files,
        "leaf_hash": bytes(record.leaf_hash).hex(),
        "log_index": record.log_index,
        "url": f"/cases/{case.number}/records/{record.seq}/",
    }


@api.get("/cases/{number}/records", response=answers(schemas.Records), tags=["records"])
def list_records(
    request: HttpRequest,
    response: HttpResponse,
    number: Number,
    run: Key | None = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Any:
    """The records of a case in order; with `run` those of one step."""
    after = parts_of(cursor, 1)
    case = fresh_case(request, response, number)
    found = case.records.order_by("seq")
    if run is not None:
        found = found.filter(run=run)
    if after is not None:
        found = found.filter(seq__gt=whole(after[0]))
    rows = list(found[: limit + 1])
    following = cursor_of(rows[limit - 1].seq) if len(rows) > limit else None
    return {"items": _records(case, rows[:limit]), "next": following}


@api.get("/cases/{number}/records/{seq}", response=answers(schemas.RecordWhole), tags=["records"])
def read_record(request: HttpRequest, response: HttpResponse, number: Number, seq: Seq) -> Any:
    """One record, with the bytes that are hashed."""
    case = fresh_case(request, response, number)
    record = get_object_or_404(RecordRow, case=case, seq=seq)
    (shown,) = _records(case, [record])
    return {**shown, "canonical": record.canonical, "disclosures": record.published}
