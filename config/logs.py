"""What may not stand in a log line, and log lines for programs."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re

from .requests import request_id

_SECRET = re.compile(r"/(r|p|f|m|my/terms|news/leave|news/why)/[^/\s\"']+")
# Tokens of programs and secrets of their signatures, wherever a line has them.
_TOKEN = re.compile(r"\b(sanwen_|whsec_)[A-Za-z0-9+/=]{8,}")
# PostgreSQL tells the values that broke a constraint.
_VALUES = re.compile(r"^(DETAIL|CONTEXT|详细信息|背景):.*$", re.MULTILINE)


def _hidden(text: str) -> str:
    return _TOKEN.sub(r"\1…", _SECRET.sub(r"/\1/…", text))


class HideReceipts(logging.Filter):
    """Replaces codes of receipts, notices, forms and meetings' doors, and the secrets of people's
    own calendars and messages, in addresses, and tokens: whoever reads the log must not learn
    them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line and name its request; every line passes."""
        text = record.getMessage()
        hidden = _hidden(text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        record.request_id = request_id.get()
        return True


class _WithoutValues(logging.Formatter):
    def formatException(self, ei: object) -> str:
        """A traceback without what the database tells of the values of a row, or addresses that
        are secrets."""
        return _VALUES.sub(r"\1: …", _hidden(super().formatException(ei)))  # type: ignore[arg-type]


class Line(_WithoutValues):
    """A line for people."""


class Json(_WithoutValues):
    """A JSON object a line: ``at``, ``level``, ``logger``, ``request``, ``message``, ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "request": getattr(record, "request_id", "-"),
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)
