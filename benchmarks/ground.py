"""The ground of a benchmark: a PostgreSQL (or SQLite) of its own, with the tests' procedures.

    .venv/bin/python -m benchmarks.acts            on PostgreSQL
    .venv/bin/python -m benchmarks.acts --sqlite

`prepare` comes before anything of Django is imported.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping


def prepare() -> None:
    """Servers, settings, a migrated database."""
    if "--sqlite" not in sys.argv:
        os.environ["SANWEN_TEST_STACK"] = "city"
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.db import connection
    from django.test.utils import setup_databases

    setup_databases(verbosity=0, interactive=False)
    if connection.vendor == "postgresql":
        # As in production: what is committed is on disk. The tests' server does without.
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET fsync = on")
            cursor.execute("ALTER SYSTEM SET synchronous_commit = on")
            cursor.execute("SELECT pg_reload_conf()")
    print(f"on {connection.vendor}, Python {sys.version.split()[0]}")


def paired(
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    warm: int = 20,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """The median seconds of each way, taken in turn so that all see the same machine."""
    for _ in range(warm):
        for way in ways.values():
            way()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = clock()
            way()
            taken[name].append(clock() - begun)
    return {name: statistics.median(times) for name, times in taken.items()}


def stages(
    sides: Mapping[str, Callable[[], Iterator[Callable[[], object]]]],
    rounds: int,
    warm: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """The median seconds of one stage of each side, whose stages are taken in turn; what a side
    does between its stages is not timed. The sides have equally many."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + warm):
        for stage in zip(*(side() for side in sides.values()), strict=True):
            for name, do in zip(sides, stage, strict=True):
                begun = clock()
                do()
                if number >= warm:
                    taken[name].append(clock() - begun)
    return {name: statistics.median(times) for name, times in taken.items()}


def line(what: str, ratio: float, wanted: str, met: bool) -> None:
    """One result."""
    print(f"{what:<58} {ratio:6.2f}   wanted {wanted:<8} {'met' if met else 'NOT MET'}")
