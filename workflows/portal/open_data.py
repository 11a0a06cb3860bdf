"""Open data: the addresses from which other programs read the public record. They stay for ever.

Each answer carries an ETag made from how far its cases have come, so that a client that comes back
is told in two or three queries that nothing is new. Long answers are streamed as they are made.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import translation
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date, quote_etag
from django.views.decorators.http import require_GET
from django_ratelimit.decorators import ratelimit

from .. import procedure as procedures
from ..models.case import Case, Community
from ..models.record import Record
from ..records import export, mining
from . import readers

FORMAT = 1
"""Of all exports together: raised when the same records come out otherwise."""
PIECE = 2**16


@dataclass(frozen=True, slots=True)
class Edition:
    """What an address shows now: `subject` (a case, a place, a procedure), the cases whose records
    it holds, and how far they have come. Whatever changes what is shown, also the withdrawal of
    words, leaves a record and so a new `mark`."""

    subject: Any
    cases: QuerySet[Case]
    mark: str
    modified: dt.datetime | None

    @classmethod
    def of(cls, subject: Any, cases: QuerySet[Case]) -> Edition:
        """As it stands now; two queries."""
        far = cases.order_by().aggregate(n=Count("pk"), last=Max("pk"), records=Sum("length"))
        newest = Record.objects.filter(case__in=cases.order_by()).order_by("-pk")
        return cls(
            subject,
            cases,
            f"{far['n']}/{far['last']}/{far['records']}",
            newest.values_list("at", flat=True).first(),
        )


def of_case(number: str) -> Edition:
    """One case; where it has no end its head says how far it has come."""
    found = Case.objects.select_related("community", "parent__process__community")
    case = get_object_or_404(found, number=number)
    newest = case.records.order_by("-seq").values_list("at", flat=True).first()
    mark = f"{number}/{case.length}/{bytes(case.head or b'').hex()}"
    return Edition(case, Case.objects.filter(pk=case.pk), mark, newest)


def of_family(number: str) -> Edition:
    """A case with the cases that its steps opened."""
    case = of_case(number).subject
    return Edition.of(case, Case.objects.filter(Q(pk=case.pk) | Q(parent__process=case)))


def of_place(code: str) -> Edition:
    """All cases of one place; those of a sub-district with those of its estates."""
    place = get_object_or_404(Community, code=code)
    return Edition.of(place, Case.objects.filter(readers.within(place), unlisted=False))


def of_procedure(code: str) -> Edition:
    """All cases of a procedure, under whatever version."""
    return Edition.of(_declared(code), Case.objects.filter(procedure=code, unlisted=False))


def of_procedure_families(code: str) -> Edition:
    """The same with the cases that their steps opened."""
    mine = Q(procedure=code) | Q(parent__process__procedure=code)
    return Edition.of(_declared(code), Case.objects.filter(mine, unlisted=False))


def _declared(code: str) -> type[procedures.Procedure]:
    versions = procedures.versions(code)
    if not versions:
        raise Http404
    return versions[0]


Found = Callable[..., Edition]
View = Callable[..., HttpResponseBase]


def published(find: Found) -> Callable[[View], View]:
    """A view of an `Edition`, which it is given in place of the address's own parts; answers 304
    to those who have it. Language belongs to the edition, since words do."""

    def decorate(view: View) -> View:
        @require_GET
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            edition = find(*args, **kwargs)
            etag = quote_etag(tag(request, edition))
            last = int(edition.modified.timestamp()) if edition.modified else None
            known = get_conditional_response(request, etag=etag, last_modified=last)
            response = view(request, edition) if known is None else known
            response["ETag"] = etag
            if last is not None:
                response["Last-Modified"] = http_date(last)
            # Words may be withdrawn: no copy is shown again without asking whether it still holds.
            patch_cache_control(response, public=True, no_cache=True)
            return response

        return answer

    return decorate


def tag(request: HttpRequest, edition: Edition) -> str:
    """What changes whenever the edition does."""
    parts = (FORMAT, request.path, translation.get_language(), edition.mark)
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


# --- streaming ---------------------------------------------------------------------------------


def stream(
    request: HttpRequest, parts: Iterator[bytes], kind: str, name: str, language: str | None = None
) -> StreamingHttpResponse:
    """`parts` as a download named `name`, sent while they are made, in the language of the request
    or in `language`."""
    pieces = _pieces(_speaking(parts, language or translation.get_language()))
    content: Iterable[bytes] | AsyncIterator[bytes] = pieces
    if isinstance(request, ASGIRequest):
        # Under ASGI Django would make a list of it first, in memory.
        content = _one_by_one(pieces)
    response = StreamingHttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _speaking(parts: Iterator[bytes], language: str | None) -> Iterator[bytes]:
    # For each part anew: by then the middleware's language, or its thread, is another's.
    while True:
        with translation.override(language):
            part = next(parts, None)
        if part is None:
            return
        yield part


def _pieces(parts: Iterator[bytes]) -> Generator[bytes]:
    held = bytearray()
    for part in parts:
        held += part
        if len(held) >= PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def _one_by_one(pieces: Generator[bytes]) -> AsyncIterator[bytes]:
    # In the thread of the request, which is the one that its database connection belongs to.
    following = sync_to_async(lambda: next(pieces, None), thread_sensitive=True)
    try:
        while (piece := await following()) is not None:
            yield piece
    finally:
        await sync_to_async(pieces.close, thread_sensitive=True)()


# --- the addresses -----------------------------------------------------------------------------

JSON_LINES, CSV = "application/x-ndjson", "text/csv; charset=utf-8"
OCEL, XES = "application/json", "application/xml"


@published(of_case)
@ratelimit(key="ip", rate="60/m", block=True)
def records_jsonl(request: HttpRequest, edition: Edition) -> HttpResponseBase:
    """The records of a case, one canonical JSON object a line, as they are hashed."""
    case = edition.subject
    return stream(request, export.canonical_lines(case), JSON_LINES, f"{case.number}-records.jsonl")


@published(of_case)
@ratelimit(key="ip", rate="60/m", block=True)
def disclosures_jsonl(request: HttpRequest, edition: Edition) -> HttpResponseBase:
    """The words that are published beside the records of a case."""
    case = edition.subject
    name = f"{case.number}-disclosures.jsonl"
    return stream(request, export.disclosure_lines(case), JSON_LINES, name)


@published(of_case)
@ratelimit(key="ip", rate="60/m", block=True)
def records_csv(request: HttpRequest, edition: Edition) -> HttpResponseBase:
    """The records of a case as a table for spreadsheet programs."""
    case = edition.subject
    rows = export.table(export.record_rows(case))
    return stream(request, rows, CSV, f"{case.number}-records.csv")


@published(of_family)
@ratelimit(key="ip", rate="60/m", block=True)
def case_ocel(request: HttpRequest, edition: Edition) -> HttpResponseBase:
    """A case, with the cases that its steps opened, as an object-centric event log."""
    return _ocel(request, edition, edition.subject.number)


@published(of_case)
@ratelimit(key="ip", rate="60/m", block=True)
def case_xes(request: HttpRequest, edition: Edition) -> HttpResponseBase:
    """A case as an event log of one trace."""
    return _xes(request, edition, edition.subject.number)


@published(of_procedure_families)
@ratelimit(key="ip", rate="20/h", block=True)
def procedure_ocel(request: HttpRequest, edition: Edition) -> HttpResponseBase:
    """All cases of a procedure, with those that their steps opened."""
    return _ocel(request, edition, edition.subject.code)


@published(of_procedure)
@ratelimit(key="ip", rate="20/h", block=True)
def procedure_xes(request: HttpRequest, edition: Edition) -> HttpResponseBase:
    """All cases of a procedure, a trace each."""
    return _xes(request, edition, edition.subject.code)


# Event logs are for programs: the same for everybody, in the site's own language.


def _ocel(request: HttpRequest, edition: Edition, name: str) -> HttpResponseBase:
    log = mining.ocel(export.Extent.of(edition.cases))
    return stream(request, log, OCEL, f"{name}-ocel.json", settings.LANGUAGE_CODE)


def _xes(request: HttpRequest, edition: Edition, name: str) -> HttpResponseBase:
    log = mining.xes(export.Extent.of(edition.cases), name)
    return stream(request, log, XES, f"{name}.xes", settings.LANGUAGE_CODE)
