"""What may not stand in a log line."""

from __future__ import annotations

import logging
import re

_SECRET = re.compile(r"/(r|p|f|my/terms)/[^/\s\"']+")


class HideReceipts(logging.Filter):
    """Replaces codes of receipts and of printed papers, and the secrets of people's own calendars,
    in addresses: whoever reads the log must not learn them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line; every line passes."""
        text = record.getMessage()
        hidden = _SECRET.sub(r"/\1/…", text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True
