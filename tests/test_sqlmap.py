"""sqlmap against the running server, as production runs it: nothing can be injected.

The pages are those whose parameters reach queries in the most ways: the list of cases, the search,
the feedback book, supervision, the auditors' filter and the API, which also takes JSON. The control
comes first: a page that is made to be injected, in the same tool's hands.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from tests.factories import make_person
from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.test_wapiti import server as server
from workflows.models import Case, StepRun
from workflows.portal.api import tokens

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SQLMAP = Path(sys.executable).parents[1] / "attack" / "bin" / "sqlmap"
LONG = os.environ.get("SANWEN_TEST_SQLMAP") == "long"
LEVEL, RISK = (3, 3) if LONG else (1, 1)
"""How many payloads, and how bold; level 3 also tries the headers User-Agent and Referer."""
MOST = 1500
"""Seconds that sqlmap may take for one page; it is at fault to need more."""

CASES = {"q": "问需", "procedure": "sandbox_needs", "community": "estate", "state": "open"}
PAGES: dict[str, tuple[str, dict[str, str]]] = {
    "cases": ("/cases/", {**CASES, "page": "1"}),
    "search": ("/search/", {**CASES, "page": "1"}),
    "book": ("/cases/{number}/book/{run}/", {"outcome": "adopted", "item": "roof", "page": "1"}),
    "book-path": ("/cases/{number}*/book/{run}*/", {}),
    "records": ("/cases/{number}/records/", {"step": "{run}", "page": "1"}),
    "supervision": (
        "/supervision/steps/",
        {
            "what": "answered",
            "place": "estate",
            "procedure": "sandbox_needs",
            "office": "office",
            "since": "2026-01",
            "until": "2026-06",
            "page": "1",
        },
    ),
    "audit": (
        "/audit/",
        {
            "q": "问需",
            "procedure": "sandbox_needs",
            "place": "estate",
            "state": "open",
            "term": "kept",
            "by": "finished",
            "since": "2026-01-01",
            "until": "2026-12-31",
            "sort": "number",
            "page": "1",
        },
    ),
    "api-cases": (
        "/api/v1/cases",
        {
            "q": "问需",
            "procedure": "sandbox_needs",
            "place": "estate",
            "state": "open",
            "parts": "true",
            "cursor": "x",
            "limit": "5",
        },
    ),
    "api-records": ("/api/v1/cases/{number}/records", {"run": "{run}", "limit": "5"}),
    "api-path": ("/api/v1/cases/{number}*/records/1*", {}),
    "api-acts": ("/api/v1/cases/{number}/acts", {}),
}
SHORT = ("search",)
"""What every run tries; SANWEN_TEST_SQLMAP=long (`make attack`) tries all."""
AS_AUDITOR = ("audit",)
FOUND = "the following injection point"
"""What sqlmap says in the end of a hole, once it has tried it a second time."""


def attack(address: str, folder: Path, *more: str, dbms: str) -> str:
    """What sqlmap says of every parameter of an address."""
    command = [
        *(str(SQLMAP), "-u", address, "--batch", "--flush-session", "--disable-coloring"),
        *("--level", str(LEVEL), "--risk", str(RISK), "--dbms", dbms, "--output-dir", str(folder)),
        *("--threads", "2", "--time-sec", "5", "--timeout", "60", "--retries", "1"),
        # The site refuses most of what is tried; that is an answer like any other.
        *("--ignore-code", "*", "--skip-waf", *more),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=MOST,
        check=False,
        env={**os.environ, "HOME": str(folder), "no_proxy": "*", "NO_PROXY": "*"},
    )
    return done.stdout + done.stderr


# --- the control


class Careless(http.server.BaseHTTPRequestHandler):
    """A page with a hole in it."""

    def do_GET(self) -> None:
        wanted = parse_qs(urlsplit(self.path).query).get("n", ["1"])[0]
        with sqlite3.connect(":memory:") as database:
            database.execute("CREATE TABLE cases (n INTEGER, title TEXT)")
            database.executemany("INSERT INTO cases VALUES (?, ?)", [(1, "one"), (2, "two")])
            try:
                rows = database.execute(f"SELECT title FROM cases WHERE n = {wanted}").fetchall()
            except sqlite3.Error:
                rows = []
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"<h1>cases</h1>{[title for (title,) in rows]}".encode())

    def log_message(self, *_told: Any) -> None:
        """Nothing."""


@pytest.fixture
def careless() -> Iterator[str]:
    """Its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Careless) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{page.server_address[1]}/?n=1"
        page.shutdown()


def test_sqlmap_finds_a_hole_where_one_is(careless: str, tmp_path: Path) -> None:
    said = attack(careless, tmp_path, "--technique=B", dbms="sqlite")
    assert FOUND in said, said[-3000:]


# --- the site


@pytest.mark.timeout(MOST + 120)
@pytest.mark.parametrize("page", PAGES if LONG else SHORT)
def test_sqlmap_finds_nothing(
    place: Place, server: tuple[str, Path], tmp_path: Path, page: str
) -> None:
    address, log = server
    run = StepRun.objects.filter(name="ask").latest("pk")
    case = Case.objects.get(pk=run.process_id)
    more = ["--force-ssl"]
    if page in AS_AUDITOR:
        auditor = make_person("auditor", "auditor", community=place.community.parent)
        client = Client()
        client.force_login(auditor, backend=settings.AUTHENTICATION_BACKENDS[0])
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        more += ["--cookie", f"__Host-sessionid={session}", "--param-exclude", "sessionid"]
    if page == "api-acts":
        token = tokens.give(place.others[0], "attack", tokens.SCOPES, 30, confirmed=True)
        # Without its text it is refused each time, so that the key stays free.
        form = {"item": "roof", "stance": "want"}
        body = {"step": "ask", "act": "opinion.submitted", "as": "x", "form": form}
        more += ["--headers", f"Authorization: Bearer {token}\nIdempotency-Key: attack"]
        more += ["--method", "POST", "--data", json.dumps(body)]
    path, query = PAGES[page]
    asked = (path + "?" * bool(query) + urlencode(query, safe="{}")).format(
        number=case.number, run=run.pk
    )
    began = time.monotonic()
    said = attack(
        f"{address}{asked}",
        tmp_path,
        *more,
        dbms="sqlite" if connection.vendor == "sqlite" else "postgresql",
    )
    tried = re.findall(r"testing for SQL injection on (.*parameter '[^']+')", said)
    print(f"{page}: {len(set(tried))} parameters, {time.monotonic() - began:.0f} s")
    assert FOUND not in said, said[said.index(FOUND) :][:3000]
    # Said once every parameter was tried to its end.
    assert "all tested parameters do not appear to be injectable" in said, said[-3000:]
    faults = log.read_text(errors="replace")
    assert "Internal Server Error" not in faults, faults[-3000:]
