"""Codes and secrets in addresses never stand in a log line."""

from __future__ import annotations

import logging

import pytest

from config.logs import HideReceipts


@pytest.mark.parametrize(
    ("message", "args", "line"),
    [
        ("Not Found: %s", ("/r/6VVC5-FCX4M-TPVM5-6WW23/",), "Not Found: /r/…/"),
        ('"GET /r/6VVC5FCX4MTPVM56WW23 HTTP/1.1" 500', (), '"GET /r/… HTTP/1.1" 500'),
        ("Not Found: %s", ("/m/HJBYA8DAAD/",), "Not Found: /m/…/"),
        ("Not Found: %s", ("/p/6VVC5-FCX4M-TPVM5-6WW23/",), "Not Found: /p/…/"),
        ('"POST /f/6VVC5-FCX4M-TPVM5-6WW23/ HTTP/1.1" 422', (), '"POST /f/…/ HTTP/1.1" 422'),
        ("Not Found: %s", ("/my/terms/7-secret.ics",), "Not Found: /my/terms/…"),
        ("Not Found: %s", ("/news/leave/secret/",), "Not Found: /news/leave/…/"),
        ("Bearer %s", ("sanwen_4fT9aBcDeFgHiJkLmNoP",), "Bearer sanwen_…"),
        ("key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", (), "key whsec_…"),
        ("sanwen_news is slow", (), "sanwen_news is slow"),
        ("Not Found: %s", ("/files/5f/",), "Not Found: /files/5f/"),
        ("Not Found: %s", ("/cases/none/",), "Not Found: /cases/none/"),
    ],
)
def test_a_code_is_hidden(message, args, line):
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, message, args, None)
    assert HideReceipts().filter(record)
    assert record.getMessage() == line
