"""The log over HTTP (C2SP tlog-tiles): checkpoint, tiles, keys, proofs, cosignatures."""

from __future__ import annotations

import json

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from django_ratelimit.decorators import ratelimit

from sanwen import note

from ..models.log import LogKey
from ..records import log
from .views import context

FOR_EVER = "public, max-age=31536000, immutable"
BRIEFLY = "public, max-age=1"


def plain(text: str, cache: str, status: int = 200) -> HttpResponse:
    """A text for programs of any origin."""
    response = HttpResponse(text, content_type="text/plain; charset=utf-8", status=status)
    response["Cache-Control"] = cache
    response["Access-Control-Allow-Origin"] = "*"
    return response


@require_GET
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The newest signed checkpoint, with the cosignatures of witnesses."""
    newest = log.latest()
    if newest is None:
        return plain("the log has no checkpoint yet\n", BRIEFLY, status=404)
    return plain(log.signed_note(newest), BRIEFLY)


@require_GET
@ratelimit(key="ip", rate="600/m", block=True)
def checkpoints(request: HttpRequest, start: int = 0) -> HttpResponse:
    """The checkpoints from size `start` on, one JSON object a line: ``size``, ``note``.

    A page of them: the next begins after the last size; behind the newest one it is empty.
    """
    lines = (
        json.dumps({"size": row.size, "note": log.signed_note(row)}, ensure_ascii=False) + "\n"
        for row in log.checkpoints(start)
    )
    response = plain("".join(lines), BRIEFLY)
    response["Content-Type"] = "application/x-ndjson; charset=utf-8"
    return response


@require_GET
def tile(request: HttpRequest, path: str) -> HttpResponse:
    """A tile or an entry bundle; what was served once never changes."""
    found = log.tile(f"tile/{path}")
    if found is None:
        # It may come: nobody is to remember that it was not there.
        return plain("there is no such tile\n", "no-store", status=404)
    response = HttpResponse(found, content_type="application/octet-stream")
    response["Cache-Control"] = FOR_EVER
    response["Access-Control-Allow-Origin"] = "*"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_GET
def key(request: HttpRequest) -> HttpResponse:
    """The verifier key that signs now, as a vkey line."""
    current = LogKey.objects.filter(until=None).first()
    if current is None:
        return plain("the log has no key yet\n", BRIEFLY, status=404)
    return plain(f"{current.vkey}\n", BRIEFLY)


@require_GET
def keys(request: HttpRequest) -> HttpResponse:
    """Every key that ever signed: size of the log from which on, size up to which (or ``-``)."""
    lines = (
        f"{k.since} {'-' if k.until is None else k.until} {k.vkey}\n" for k in LogKey.objects.all()
    )
    return plain("".join(lines), BRIEFLY)


@require_GET
@ratelimit(key="ip", rate="600/m", block=True)
def proof(request: HttpRequest, index: int) -> HttpResponse:
    """The inclusion proof of a record under the newest checkpoint (C2SP tlog-proof)."""
    newest = log.latest()
    if newest is None or index >= newest.size:
        raise Http404
    text = note.format_proof(index, log.inclusion(index, newest.size), log.signed_note(newest))
    return plain(text, BRIEFLY)


@csrf_exempt
@require_POST
@ratelimit(key="ip", rate="60/m", block=True)
def cosignatures(request: HttpRequest) -> HttpResponse:
    """A witness hands in its cosignature: a checkpoint of ours with its signature lines.

    Needs no session: it counts only if it is a configured witness's.
    """
    if int(request.headers.get("Content-Length") or 0) > 64_000:
        return plain("too long\n", "no-store", status=413)
    try:
        log.accept(request.body.decode())
    except (log.BadCosignature, UnicodeDecodeError) as error:
        return plain(f"{error}\n", "no-store", status=422)
    return plain("accepted\n", "no-store")


@require_GET
def log_page(request: HttpRequest) -> HttpResponse:
    """The log for people: how many records, which key, which witnesses, how to check."""
    newest = log.latest()
    return render(
        request,
        "portal/log.html",
        context(
            request,
            newest=newest,
            note=log.signed_note(newest) if newest else "",
            keys=LogKey.objects.all(),
            cosignatures=newest.cosignatures.order_by("name") if newest else (),
            witnesses=sorted(log.witnesses()),
        ),
    )
