"""What pages cost on a large city, against the same pages on a small one in the same run.

    .venv/bin/python -m benchmarks.pages [--records 100000 --cases 4000 --residents 100000]

Both cities have the same kinds of cases, each as long in one as in the other: what a page takes
longer is what it pays for the rest of the city. Times are medians in one process, by the clock on
the wall, taken in turn; each page is asked for as its readers do, and its queries are counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks import cities, ground

if __name__ == "__main__":
    OPTIONS = cities.options(residents=100_000, cases=4000, records=100_000, rounds=15)
    SIZES = {
        "town": (300, 20, 1000),
        "city": (OPTIONS.residents, OPTIONS.cases, OPTIONS.records),
    }
    cities.prepare(OPTIONS.server, SIZES)

MOST = 1.5
SLOWEST = 0.1
"""Seconds within which 95 of 100 requests of public pages are wanted."""


class Readers:
    """Who reads a city, and what they open: the first of each kind that was generated."""

    def __init__(self) -> None:
        from django.test import Client

        from processes.community.models import HouseholdMember, Role
        from workflows.models import Case, StepRun

        run = (
            StepRun.objects.filter(
                name="ask_needs",
                finished=None,
                process__community__code__startswith="sample-",
            )
            .select_related("process__community")
            .order_by("pk")[0]
        )
        case = run.process
        self.cases, self.records = Case.objects.count(), _records()
        street = case.community.parent
        base = f"/cases/{case.number}/"
        self.public = {
            "home": "/",
            "list": "/cases/",
            "list, second page": "/cases/?page=2",
            "list, open renovations": "/cases/?procedure=renovation&state=open",
            "search, an estate": f"/search/?q={case.community.name}",
            "search, a common word": "/search/?q=改造",
            "search, nothing": "/search/?q=天文台",
            "case": base,
            "step": f"{base}steps/{run.pk}/",
            "records": f"{base}records/",
            "record": f"{base}records/3/",
            "feedback book": f"{base}book/{run.pk}/",
            "place": f"/estates/{case.community.code}/",
            "procedures": "/procedures/",
            "procedure": "/procedures/renovation/",
            "appeals": "/appeals/",
            "appeals, search": "/appeals/?q=路灯",
            "supervision": "/supervision/",
            "log": "/log/",
            "proof": "/log/proof/7",
            "api, cases": "/api/v1/cases",
        }
        office = Role.objects.filter(community=street, role="office").earliest("pk").person
        member = HouseholdMember.objects.filter(
            household__unit__stairwell__building__estate__community=case.community, owns=True
        ).earliest("pk")
        auditor = Role.objects.filter(community=street, role="auditor").earliest("pk").person
        self.own = {
            "inbox of an office": ("/inbox/", office),
            "overdue, of an office": ("/supervision/overdue/", office),
            "my matters of a resident": ("/my/", member.person),
            "case, for a resident": (base, member.person),
            "audit": ("/audit/", auditor),
        }
        self.clients: dict[str, Any] = {name: Client() for name in self.public}
        for name, (_path, person) in self.own.items():
            self.clients[name] = Client()
            self.clients[name].force_login(person)
        self.paths = {**self.public, **{name: path for name, (path, _who) in self.own.items()}}

    def ask(self, name: str) -> Any:
        """One page."""
        answer = self.clients[name].get(self.paths[name])
        if answer.status_code != 200:
            raise RuntimeError(f"{self.paths[name]}: {answer.status_code}")
        return answer


def _records() -> int:
    from workflows.models import Record

    return Record.objects.count()


def taken(page: Callable[[], Any], rounds: int) -> list[float]:
    """Seconds of each of so many requests, the first two not counted."""
    found = []
    for number in range(rounds + 2):
        begun = time.perf_counter()
        page()
        if number > 1:
            found.append(time.perf_counter() - begun)
    return found


def main() -> None:
    """Time, and print."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    readers = {}
    for name in SIZES:
        cities.switch(name)
        readers[name] = Readers()
        print(f"{name}: {readers[name].cases:,} cases, {readers[name].records:,} records")
    slowest: list[float] = []
    for page in readers["town"].paths:
        times: dict[str, list[float]] = {name: [] for name in SIZES}
        queries = {}
        for _turn in range(3):
            for name in SIZES:
                cities.switch(name)
                reader = readers[name]
                times[name] += taken(lambda r=reader: r.ask(page), OPTIONS.rounds // 3)  # noqa: B023
                with CaptureQueriesContext(connection) as seen:
                    reader.ask(page)
                queries[name] = len(seen)
        small, large = (statistics.median(times[name]) for name in SIZES)
        counts = "" if len(set(queries.values())) == 1 else f" ({queries['town']} in the town)"
        said = f"{page}: {large * 1000:.0f} ms, {queries['city']} queries{counts}"
        ground.line(said, large / small, f"<= {MOST}", large / small <= MOST)
        if page in readers["city"].public:
            slowest += times["city"]
    late = statistics.quantiles(slowest, n=20)[-1]
    ground.line("public pages of the city, p95, seconds", late, f"< {SLOWEST}", late < SLOWEST)


if __name__ == "__main__":
    main()
