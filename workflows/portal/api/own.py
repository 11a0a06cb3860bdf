"""What a token's owner reads of their own: capacities, inbox, cases, what they did and its receipt.
Nothing of it is public, and no cache keeps it."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from ... import records
from ...models.case import Case, Community
from ...models.record import Trace
from ...models.token import ApiToken
from ...parties import own_roles, role_title
from ...steps.answers import following
from .. import desk, mine, readers, words
from . import schemas
from .answers import Cursor, Limit, Number, Problem, Seq, api, cursor_of, parts_of, whole
from .read import case_row
from .tokens import ACT_STAFF, OFTEN, READ, READ_STAFF, bearer, need, parties_everywhere, scopes_of

PLACES_MOST = 200


def own(schema: Any, *more: int) -> dict[Any, Any]:
    """What an operation that reads with a token may answer, for its declaration."""
    return {200: schema, frozenset({401, 403, 404, 422, 429, *more}): Problem}


def token_of(request: HttpRequest) -> ApiToken:
    """The token of a request that `bearer` has let in."""
    token: ApiToken = request.auth  # type: ignore[attr-defined]
    return token


READING: dict[str, Any] = {
    "auth": bearer,
    "throttle": OFTEN,
    "tags": ["mine"],
    "by_alias": True,
}


@api.get("/me", response=own(schemas.Me), **READING)
def read_me(request: HttpRequest) -> Any:
    """The capacities of the token's owner that it goes for, and what it may do."""
    token = token_of(request)
    everywhere = parties_everywhere(token)
    codes = dict(Community.objects.filter(pk__in=everywhere).values_list("pk", "code"))
    found: dict[str, dict[str, Any]] = {}
    for place, held in everywhere.items():
        for party in held:
            code = desk.party_code(party)
            row = found.setdefault(
                code,
                {
                    "as": code,
                    "role": party.role,
                    "role_title": str(party.label or role_title(party.role)),
                    "places": [],
                    "more_places": 0,
                },
            )
            if len(row["places"]) < PLACES_MOST:
                row["places"].append(codes[place])
            else:
                row["more_places"] += 1
    return {
        "token": token.name,
        "scopes": sorted(scopes_of(token)),
        "ends_on": token.ends_on,
        "capacities": list(found.values()),
    }


@api.get("/me/inbox", response=own(schemas.Inbox), **READING)
def list_inbox(request: HttpRequest) -> Any:
    """What waits for the owner, overdue first: in their own matters, and in their offices' where
    the token goes for those. What may be done there: ``GET /cases/{number}/acts``."""
    token = token_of(request)
    need(token, READ, READ_STAFF, ACT_STAFF)
    rows = mine.inbox(token.user, parties_everywhere(token))
    return {
        "items": [
            {
                "number": row["case_number"],
                "case_title": row["case_title"],
                "place_name": str(row["estate"]),
                "title": str(row["title"]),
                "state": row["state"],
                "ends_on": row["ends"],
                "days_left": row["days_left"],
                "provisional": row["provisional"],
                "note": str(row["note"]),
                "url": row["url"],
            }
            for row in rows
        ]
    }


@api.get("/me/cases", response=own(schemas.Cases), **READING)
def list_my_cases(request: HttpRequest, cursor: Cursor = "", limit: Limit = 50) -> Any:
    """Open cases where the owner lives or serves, and those that they opened, newest first."""
    token = token_of(request)
    need(token, READ)
    after = parts_of(cursor, 1)
    concerns = mine.concerning(token.user, parties_everywhere(token))
    found = readers.cases().filter(concerns, finished__isnull=True).order_by("-pk")
    if after is not None:
        found = found.filter(pk__lt=whole(after[0]))
    rows = list(found[: limit + 1])
    return {
        "items": [case_row(case, case.open_runs) for case in rows[:limit]],
        "next": cursor_of(rows[limit - 1].pk) if len(rows) > limit else None,
    }


def receipt_of(case: Case, trace: Trace) -> str:
    """The code on the receipt of what somebody did; empty where it was made under another key."""
    code = records.receipt_code(case, trace.record.seq)
    return code if records.receipt_hash(code) == bytes(trace.receipt or b"") else ""


def _act(trace: Trace, answers: list[dict[str, Any]]) -> dict[str, Any]:
    record, case = trace.record, trace.record.case
    code = receipt_of(case, trace)
    return {
        "number": case.number,
        "case_title": case.title,
        "seq": record.seq,
        "at": record.at,
        "step": record.step,
        "act": record.act,
        "act_title": str(words.act_title(case, record.step, record.act)),
        "role": record.role,
        "url": f"/cases/{case.number}/records/{record.seq}/",
        "receipt": code,
        "receipt_url": f"/r/{code}/" if code else "",
        "answers": [
            {
                "outcome": str(each.get("outcome") or each.get("state") or ""),
                "reason": str(each.get("reason") or ""),
                "at": each.get("at"),
            }
            for each in answers
        ],
    }


def _mine(token: ApiToken) -> QuerySet[Trace]:
    """What the owner did, as far as the token goes: for themselves with `read`; with `read.staff`
    in an office, also what they typed in there for others, whose receipts open what is theirs."""
    scopes = scopes_of(token)
    typed = Q(record__canonical__contains='"via":"paper"')
    own = Q(record__role__in=own_roles()) & ~typed
    found = mine.my_acts(token.user)
    if READ not in scopes:
        found = found.exclude(own)
    return found if READ_STAFF in scopes else found.filter(own)


@api.get("/me/acts", response=own(schemas.MyActs), **READING)
def list_my_acts(request: HttpRequest, cursor: Cursor = "", limit: Limit = 50) -> Any:
    """Everything that the owner did, newest first, with its receipt and what became of it."""
    token = token_of(request)
    need(token, READ, READ_STAFF)
    after = parts_of(cursor, 1)
    found = _mine(token)
    if after is not None:
        found = found.filter(record__lt=whole(after[0]))
    rows = list(found[: limit + 1])
    became = following([trace.record for trace in rows[:limit]])
    return {
        "items": [_act(trace, became[trace.record_id].answers) for trace in rows[:limit]],
        "next": cursor_of(rows[limit - 1].record_id) if len(rows) > limit else None,
    }


@api.get("/me/acts/{number}/{seq}", response=own(schemas.MyReceipt), **READING)
def read_receipt(request: HttpRequest, number: Number, seq: Seq) -> Any:
    """The receipt of one thing that the owner did, with the copy to keep: the record with its
    inclusion proof, which proves without this site that it was in the log."""
    token = token_of(request)
    need(token, READ, READ_STAFF)
    trace = get_object_or_404(_mine(token), record__case__number=number, record__seq=seq)
    became = following([trace.record])
    copy = records.copy_to_keep(trace.record)
    return {**_act(trace, became[trace.record_id].answers), "copy_to_keep": copy}
