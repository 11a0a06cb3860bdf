"""How long public pages of a generated city take over HTTP, each asked of ever other cases.

    .venv/bin/python -m benchmarks.spread --server FOLDER [--asked 200]

`FOLDER` holds the socket of a PostgreSQL with a database `city`. One server (uvicorn), one reader,
one request after the other; every request is of another case, estate, word, record or filter than
the one before, drawn at random, so that no page profits from itself.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from benchmarks import cities, ground

OPTIONS = argparse.ArgumentParser()
OPTIONS.add_argument("--server", required=True)
OPTIONS.add_argument("--asked", type=int, default=200)
SLOWEST = 100
"""Milliseconds within which 95 of 100 requests are wanted."""


def paths(chance: random.Random, many: int) -> dict[str, Callable[[], str]]:
    """For each kind of page the address of one that is drawn."""
    from django.db.models import Max, Min

    from workflows.models import Case, Community, Record, StepRun

    def drawn(model: Any, found: Any) -> list[Any]:
        """So many rows at random, by their keys."""
        ends = model.objects.aggregate(low=Min("pk"), high=Max("pk"))
        rows: list[Any] = []
        while len(rows) < many:
            keys = [chance.randint(ends["low"], ends["high"]) for _each in range(many)]
            rows += list(found.filter(pk__in=keys))
        return rows[:many]

    cases = drawn(Case, Case.objects.filter(unlisted=False).select_related("community"))
    steps = drawn(StepRun, StepRun.objects.filter(flow_task_type="STEP").select_related("process"))
    books = list(
        StepRun.objects.filter(name="ask_needs", process__pk__lte=cases[0].pk)
        .select_related("process")
        .order_by("-pk")[:many]
    )
    records = drawn(Record, Record.objects.select_related("case"))
    estates = drawn(Community, Community.objects.exclude(kind="site"))
    streets = list(Community.objects.filter(kind="subdistrict"))
    size = Record.objects.aggregate(most=Max("log_index"))["most"] or 1
    procedures = sorted({case.procedure for case in cases})
    states = ("", "open", "suspended", "done")

    def word() -> str:
        title = chance.choice(cases).title
        at = chance.randrange(max(1, len(title) - 3))
        return quote(title[at : at + chance.choice((2, 3, 4))])

    def filters() -> str:
        found = f"procedure={chance.choice(procedures)}&state={chance.choice(states)}"
        return f"{found}&page={chance.randint(1, 20)}"

    def figures() -> str:
        place = chance.choice([*streets, *estates]).code if chance.random() < 0.5 else ""
        procedure = chance.choice([*procedures, ""])
        first = f"2026-{chance.randint(1, 6):02d}"
        return f"/supervision/?place={place}&procedure={procedure}&since={first}"

    def of_case(page: str = "") -> str:
        return f"/cases/{chance.choice(cases).number}/{page}"

    def of_step(rows: list[Any], page: str) -> str:
        run = chance.choice(rows)
        return f"/cases/{run.process.number}/{page}/{run.pk}/"

    def of_record() -> str:
        record = chance.choice(records)
        return f"/cases/{record.case.number}/records/{record.seq}/"

    return {
        "home": lambda: "/",
        "list": lambda: f"/cases/?page={chance.randint(1, 50)}",
        "list, narrowed": lambda: f"/cases/?{filters()}",
        "list of a place": lambda: f"/cases/?community={chance.choice(streets).code}",
        "search, an estate": lambda: f"/search/?q={quote(chance.choice(estates).name)}",
        "search, a word": lambda: f"/search/?q={word()}",
        "search, a number": lambda: f"/search/?q={chance.choice(cases).number}",
        "case": of_case,
        "step": lambda: of_step(steps, "steps"),
        "records": lambda: of_case("records/"),
        "record": of_record,
        "feedback book": lambda: of_step(books, "book"),
        "place": lambda: f"/estates/{chance.choice(estates).code}/",
        "procedures": lambda: "/procedures/",
        "procedure": lambda: f"/procedures/{chance.choice(procedures)}/",
        "appeals": lambda: f"/appeals/?page={chance.randint(1, 50)}",
        "appeals, a word": lambda: f"/appeals/?q={word()}",
        "supervision": figures,
        "log": lambda: "/log/",
        "proof": lambda: f"/log/proof/{chance.randrange(size)}",
        "api, cases": lambda: f"/api/v1/cases?procedure={chance.choice(procedures)}",
        "api, a case": lambda: f"/api/v1/cases/{chance.choice(cases).number}",
    }


@contextmanager
def served(database: str) -> Iterator[int]:
    """One server on the city; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = {"DJANGO_SETTINGS_MODULE": "benchmarks.open_city", "SANWEN_DATABASE": database}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port)),
            *("--no-access-log", "--log-level", "error"),
        ],
        cwd=cities.ROOT,
        env={**os.environ, **settings},
    )
    try:
        for _try in range(240):
            time.sleep(0.5)
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                continue
            break
        yield port
    finally:
        process.terminate()
        process.wait(20)


def main() -> None:
    """Ask, and print."""
    given = OPTIONS.parse_args()
    cities.prepare(given.server, {"city": (1, 1, 1)})
    kinds = paths(random.Random(7), given.asked)
    every: list[float] = []
    with served(f"postgres://postgres@/{given.server}/city") as port:
        reader = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

        def ask(path: str) -> float:
            begun = time.perf_counter()
            reader.request("GET", path, headers={"Accept-Language": "zh-CN"})
            answer = reader.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
            return (time.perf_counter() - begun) * 1000

        for path in kinds.values():
            ask(path())
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _turn in range(given.asked):  # in turn, so that all see the same machine
            for kind, path in kinds.items():
                times[kind].append(ask(path()))
    for kind, found in times.items():
        late = statistics.quantiles(found, n=20)[-1]
        said = f"{kind}: median {statistics.median(found):.0f} ms, p95, ms"
        ground.line(said, late, f"< {SLOWEST}", late < SLOWEST)
        every += found
    late = statistics.quantiles(every, n=20)[-1]
    ground.line("all of them, p95, ms", late, f"< {SLOWEST}", late < SLOWEST)


if __name__ == "__main__":
    main()
