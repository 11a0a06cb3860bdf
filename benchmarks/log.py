"""Tiles and proofs against a Django page that queries one row, over HTTP, on the same server.

The server is uvicorn with `config.asgi`, as in production; one connection is kept open and the
addresses are asked for in turn.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time

from benchmarks import ground

ground.prepare()

from django.core.cache import cache  # noqa: E402
from django.db import connection  # noqa: E402

from sanwen import note  # noqa: E402
from tests.sandbox.core_procedures import Errand  # noqa: E402
from tests.workflows.test_concurrency import database_address  # noqa: E402
from workflows import acts, calendars  # noqa: E402
from workflows.models import Community, Record  # noqa: E402
from workflows.parties import Party  # noqa: E402
from workflows.records import log  # noqa: E402

ROUNDS = 600
RECORDS = 1500


def served() -> tuple[subprocess.Popen[bytes], int]:
    """The site on a free port of this machine."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port)]
    options = ["--lifespan", "off", "--no-access-log", "--log-level", "warning"]
    env = {**os.environ, "SANWEN_DATABASE": database_address()}
    server = subprocess.Popen([*command, *options], env=env)
    for _ in range(200):
        time.sleep(0.1)
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return server, port
    raise SystemExit("the server did not start")


def main() -> None:
    """Time, and print."""
    from django.conf import settings

    cache.clear()
    settings.SANWEN_LOG_KEY = str(note.Signer.make("log.example"))
    calendars.seed()
    estate = Community.objects.create(code="bench", name="示范小区", kind="estate")
    office = Party("office", "person:1")
    case = acts.open_case(Errand, estate, office, title="甲")
    for _ in range(RECORDS):
        acts.perform(case.pk, "case", "record.corrected", office, {"seq": 0, "text": "更正"})
    log.integrate()
    connection.close()
    server, port = served()
    try:
        client = http.client.HTTPConnection("127.0.0.1", port)

        def ask(path: str) -> None:
            client.request("GET", path)
            answer = client.getresponse()
            body = answer.read()
            if answer.status != 200 or not body:
                raise SystemExit(f"{path}: {answer.status}")

        index = iter(range(10**9))
        taken = ground.paired(
            {
                "page": lambda: ask("/log/key"),
                "tile": lambda: ask("/log/tile/0/003"),
                "entries": lambda: ask("/log/tile/entries/003"),
                "proof": lambda: ask(f"/log/proof/{next(index) * 7 % RECORDS}"),
            },
            ROUNDS,
            warm=300,
        )
    finally:
        server.terminate()
        server.wait()
    assert Record.objects.count() > RECORDS
    for name in ("tile", "entries", "proof"):
        ratio = taken["page"] / taken[name]
        what = f"a Django page that queries one row : a page of {name}"
        ground.line(what, ratio, ">= 5", ratio >= 5)


if __name__ == "__main__":
    main()
