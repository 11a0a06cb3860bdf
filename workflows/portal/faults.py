"""What people are told when the machine fails them: nothing was registered, and what to do."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SQLITE_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE"}
_POSTGRESQL_FULL = "53100"
AGAIN_AFTER = 30
"""Seconds after which a program may try again."""


def broken(request: HttpRequest) -> HttpResponse:
    """The answer to a request that ended in an error: 507 where there is no space left to write,
    503 while the database does not answer, else 500. No page of these needs the database."""
    error = sys.exc_info()[1]
    if is_full(error):
        status, title = 507, _("存储空间已满，暂时不能登记。")
    elif isinstance(error, (OperationalError, InterfaceError)):
        status, title = 503, _("数据库暂时没有应答，请稍后再试。")
    else:
        status, title = 500, _("系统出了故障")
    if request.path.startswith("/api/"):
        answer: HttpResponse = JsonResponse({"detail": title}, status=status)
    else:
        answer = HttpResponse(render_to_string(f"{status}.html"), status=status)
    if status == 503:
        answer["Retry-After"] = str(AGAIN_AFTER)
    return answer


def is_full(error: BaseException | None) -> bool:
    """Whether an error comes of a disk, quota or database that is full, wherever it was noticed."""
    return any(
        (isinstance(each, OSError) and each.errno in _FULL)
        or getattr(each, "sqlite_errorname", "") in _SQLITE_FULL
        or getattr(each, "sqlstate", "") == _POSTGRESQL_FULL
        for each in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
