"""How the API answers: errors, conditional requests, limits, cursors."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date, quote_etag
from django_ratelimit.core import is_ratelimited
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, Throttled, ValidationError
from ninja.throttling import BaseThrottle
from pydantic import Field, StringConstraints

from ...models.record import Record

FORMAT = 1
"""Raised when the same rows come out otherwise."""
LARGEST = 2**63 - 1

Number = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,10}-[0-9]{4}-[0-9]{1,9}$")]
"""The public number of a case: ``RENO-2026-0007``."""
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,60}$")]
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]{0,80}$")]
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,200}$")]
Key = Annotated[int, Field(ge=1, le=LARGEST)]
Seq = Annotated[int, Field(ge=0, le=2**31 - 1)]
Limit = Annotated[int, Field(ge=1, le=200)]


class Problem(Schema):
    """Why there is no answer. `errors`: messages by field, where fields are to blame."""

    code: str
    detail: str
    errors: dict[str, list[str]] = {}


class Limited(BaseThrottle):
    """So many requests a minute from one address; counted where all processes see it."""

    def __init__(self, group: str, rate: str, key: str = "ip") -> None:
        self.group, self.rate, self.key = group, rate, key

    def allow_request(self, request: HttpRequest) -> bool:
        """Count it, and say whether it was too many."""
        limited: bool = is_ratelimited(
            request, group=self.group, key=self.key, rate=self.rate, increment=True
        )
        return not limited

    def wait(self) -> float:
        """Seconds after which to ask again."""
        return 60.0


class Described(NinjaAPI):
    """Operations go by the names of their functions."""

    def get_openapi_operation_id(self, operation: Any) -> str:
        """The name that generated clients give to the operation."""
        name: str = operation.view_func.__name__
        return name


api = Described(
    title="三问 Sanwen",
    version="1",
    description=(
        "The public record of participatory procedures. Everything that is read without a token is "
        "public and holds no personal data. Words (`title`, `…_title`) are in the language of "
        "Accept-Language (zh-hans, en); codes are the same in every language. Lists end with "
        "`next`, the cursor of what follows, or null. Answers carry an ETag and a Last-Modified."
    ),
    urls_namespace="api",
    docs_url=None,
    throttle=Limited("api", "600/m"),
)


def answers(schema: Any, *more: int) -> dict[Any, Any]:
    """What an operation may answer, for its declaration."""
    return {200: schema, 304: None, frozenset({404, 422, 429, *more}): Problem}


def problem(
    request: HttpRequest,
    status: int,
    code: str,
    detail: str,
    errors: Mapping[str, Iterable[str]] | None = None,
) -> HttpResponse:
    """A `Problem` as an answer."""
    told = {name: [str(line) for line in lines] for name, lines in (errors or {}).items()}
    return api.create_response(
        request, {"code": code, "detail": detail, "errors": told}, status=status
    )


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, exc: Http404) -> HttpResponse:
    return problem(request, 404, "not_found", "There is nothing at this address.")


@api.exception_handler(HttpError)
def _failed(request: HttpRequest, exc: HttpError) -> HttpResponse:
    codes = {401: "unauthorised", 403: "forbidden"}
    return problem(request, exc.status_code, codes.get(exc.status_code, "failed"), str(exc))


@api.exception_handler(Throttled)
def _too_many(request: HttpRequest, exc: Throttled) -> HttpResponse:
    answer = problem(request, 429, "too_many", "Too many requests; wait a minute.")
    answer["Retry-After"] = "60"
    return answer


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, exc: ValidationError) -> HttpResponse:
    errors: dict[str, list[str]] = {}
    for error in exc.errors:
        errors.setdefault(".".join(str(part) for part in error["loc"]), []).append(error["msg"])
    return problem(request, 422, "invalid", "The request is not as described.", errors)


# --- conditional requests ----------------------------------------------------------------------


class _Unchanged(Exception):
    """The client has it already."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__()
        self.answer = answer


@api.exception_handler(_Unchanged)
def _unchanged(request: HttpRequest, exc: _Unchanged) -> HttpResponse:
    return exc.answer


def fresh(
    request: HttpRequest, response: HttpResponse, mark: str, modified: dt.datetime | None
) -> None:
    """Mark an answer with what it shows, so that a client can ask whether that still holds; one
    that has it is told so (304), and nothing is read. `mark` changes whenever the answer does."""
    parts = (FORMAT, request.get_full_path(), translation.get_language(), mark)
    etag = quote_etag(hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32])
    last = int(modified.timestamp()) if modified else None
    known = get_conditional_response(request, etag=etag, last_modified=last)
    for answer in (response, known):
        if answer is None:
            continue
        answer["ETag"] = etag
        if last is not None:
            answer["Last-Modified"] = http_date(last)
        answer["Access-Control-Allow-Origin"] = "*"
        # Words may be withdrawn: no copy is shown again without asking whether it still holds.
        patch_cache_control(answer, public=True, no_cache=True)
    if known is not None:
        raise _Unchanged(known)


def whole_site() -> tuple[str, dt.datetime | None]:
    """How far the whole record has come: the mark of lists. Whatever a list shows leaves a record;
    one query."""
    newest = Record.objects.order_by("-pk").values_list("pk", "at").first()
    return (str(newest[0]), newest[1]) if newest else ("0", None)


# --- cursors -----------------------------------------------------------------------------------


def cursor_of(*parts: Any) -> str:
    """Where a page ended, as a word that says nothing to clients."""
    text = "\t".join(
        part.isoformat() if hasattr(part, "isoformat") else str(part) for part in parts
    )
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parts_of(cursor: str, n: int) -> list[str] | None:
    """The `n` parts of a cursor; None at the beginning. 404 for one that is none of ours."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_cursor() from error
    parts = text.split("\t")
    if len(parts) != n:
        raise bad_cursor()
    return parts


def whole(text: str) -> int:
    """A part of a cursor that is a number."""
    if not text.isascii() or not text.isdecimal() or int(text) > LARGEST:
        raise bad_cursor()
    return int(text)


def bad_cursor() -> Http404:
    """Says that a cursor is none of ours: no page begins there."""
    return Http404("no cursor of this list")
