"""Private files for a token's owner: those that the same person may download on the pages, by the
same rule (`Viewer.may_have`), as far as the token goes."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404

from ... import clock
from ...models.case import Case
from ...models.record import Attachment
from ...models.record import Record as RecordRow
from ...models.token import ApiToken
from ...parties import directory, own_roles
from ...uploads import PDF, PICTURES
from .. import words
from ..viewer import Viewer
from ..views import find_case, find_file, handed_out
from . import schemas
from .answers import Number, Seq, Told, api
from .own import READING, own, token_of
from .tokens import FILES_STAFF, READ, need, scopes_of

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_KINDS = sorted({PDF[0], *(media_type for media_type, _extension in PICTURES.values())})
_DOWNLOAD: dict[str, Any] = {
    "responses": {200: {"content": dict.fromkeys(_KINDS, _BINARY)}},
}


class Holder(Viewer):
    """A token's owner as far as a case's files are concerned: for themselves with `read`, as one
    who serves with `files.staff`."""

    def __init__(self, token: ApiToken, case: Case) -> None:
        scopes, mine = scopes_of(token), own_roles()
        held = directory().parties_of(token.user, case.community, clock.now())
        goes_for = {True: READ in scopes, False: FILES_STAFF in scopes}
        super().__init__(token.user, case, [p for p in held if goes_for[p.role in mine]])
        self.own, self.staff = goes_for[True], goes_for[False]


def _file(file: Attachment) -> dict[str, Any]:
    return {
        "title": str(words.file_title(file.label)),
        "url": f"/api/v1{file.get_absolute_url().rstrip('/')}",
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
        "public": file.public,
        "erased": not file.file,
    }


@api.get("/cases/{number}/records/{seq}/files", response=own(schemas.Files), **READING)
def list_files(request: HttpRequest, number: Number, seq: Seq) -> Any:
    """The files that came with a record, of those that the owner may download with the token."""
    token = token_of(request)
    need(token, READ, FILES_STAFF)
    case = find_case(number)
    rows = RecordRow.objects.select_related("trace")
    record = get_object_or_404(rows, case=case, seq=seq)
    holder = Holder(token, case)
    found = list(record.files.select_related("run"))
    for file in found:
        file.record = record  # with who stands behind it
    return {"items": [_file(file) for file in found if holder.may_have(file)]}


@api.get("/files/{uid}", response=own(None, 410), openapi_extra=_DOWNLOAD, **READING)
def read_file(request: HttpRequest, uid: uuid.UUID) -> HttpResponseBase:
    """A file as it is, to download. No cache keeps it. 410 where what it held has been erased."""
    token = token_of(request)
    need(token, READ, FILES_STAFF)
    found = find_file(uid)
    case = found.run.process if found.run is not None else None
    if not found.public and (case is None or not Holder(token, case).may_have(found)):
        if case is not None and (needed := _missing(token, case, found)):
            raise Told("scope", scope=needed)
        raise Http404
    if not found.file:
        raise Told("erased")
    answer = handed_out(found)
    answer["Cache-Control"] = "private, no-store"
    return answer


def _missing(token: ApiToken, case: Case, file: Attachment) -> str:
    """The scope with which the token's owner would have it; empty where they may not."""
    owner = Viewer(token.user, case)
    if not owner.may_have(file):
        return ""
    owner = Viewer(token.user, case, [p for p in owner.parties if p.role in own_roles()])
    owner.staff = False
    return READ if owner.may_have(file) else FILES_STAFF
