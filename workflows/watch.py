"""What those who run the site watch: figures, whether it is ready, slow queries. Nothing personal.

All figures are read from the database, so that every worker tells the same, whichever is asked.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.backends.signals import connection_created
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min, Q, Sum
from django.dispatch import Signal

from . import clock, tracing
from .models.case import Case, StepRun
from .models.job import Job
from .models.record import Record, Refusal
from .records import log as public_log
from .records import seen

slow_log = logging.getLogger("sanwen.slow")

LATE = 60.0
"""Seconds after which what waits for the clock process means that it stands still."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing counted: its name, what it means, and its values by label (``""``: the only one).

    `label` names what tells the values apart. `total`: it only ever grows. `title` is what people
    read on the page of operators, for figures of other rooms.
    """

    name: str
    meaning: str
    values: dict[str, float] = field(default_factory=dict)
    label: str = ""
    total: bool = False
    title: Any = ""


collecting = Signal()
"""Other rooms return the `Figure`s that they keep (deliveries that failed)."""


def figures() -> list[Figure]:
    """Everything that is counted; a constant number of queries."""
    now = clock.now()
    cases = Case.objects.aggregate(
        open=Count("pk", filter=Q(finished=None, suspended_at=None)),
        suspended=Count("pk", filter=Q(finished=None, suspended_at__isnull=False)),
        done=Count("pk", filter=Q(finished__isnull=False)),
        records=Sum("length"),
    )
    waiting, lag = _log_waits(now)
    unfired, behind = _clock_waits(now)
    overdue = StepRun.objects.filter(finished=None, process__finished=None)
    newest = public_log.latest()
    jobs = dict(Job.objects.order_by().values_list("state").annotate(n=Count("pk")))
    refused = Refusal.objects.filter(at__gt=now - dt.timedelta(hours=1))
    refusals = dict(refused.order_by().values_list("code").annotate(n=Count("pk")))
    records = cases.pop("records") or 0
    found = [
        Figure("records", "records of acts", {"": records}, total=True),
        Figure("cases", "cases by state", cases, "state"),
        Figure(
            "steps_overdue",
            "open steps whose term has run out",
            {"": overdue.filter(overdue_at__isnull=False).count()},
        ),
        Figure("terms_unfired", "terms that the clock should have fired", {"": unfired}),
        Figure("clock_lag_seconds", "since when the longest of them waits", {"": behind}),
        Figure("log_size", "records in the log", {"": newest.size if newest else 0}, total=True),
        Figure("log_waiting", "records without a place in the log", {"": waiting}),
        Figure("log_lag_seconds", "since when the oldest of them waits", {"": lag}),
        Figure("jobs", "background work by state", jobs, "state"),
        Figure("refusals_last_hour", "acts that the door refused, by reason", refusals, "code"),
    ]
    for _receiver, more in collecting.send(Figure):
        kept: Any = more
        found += kept or ()
    return found


def _log_waits(now: dt.datetime) -> tuple[int, float]:
    """How many records wait for their place in the log, and the oldest one's wait in seconds."""
    found = Record.objects.filter(log_index=None).aggregate(n=Count("pk"), oldest=Min("at"))
    return found["n"], _age(found["oldest"], now)


def _clock_waits(now: dt.datetime) -> tuple[int, float]:
    """How many terms are due and not fired, and since when in seconds."""
    found = StepRun.objects.filter(
        finished=None,
        scheduled__lte=now,
        provisional=False,
        process__suspended_at=None,
        process__finished=None,
    ).aggregate(n=Count("pk"), oldest=Min("scheduled"))
    return found["n"], _age(found["oldest"], now)


def _age(at: dt.datetime | None, now: dt.datetime) -> float:
    return max(0.0, (now - at).total_seconds()) if at else 0.0


# --- ready -------------------------------------------------------------------------------------


def readiness() -> dict[str, bool]:
    """Whether the site can do its work, part by part; a part that is not ready is False.

    ``database``: it answers; ``migrations``: it is of this release; ``cache``: it keeps what it is
    given; ``log``: the database holds all that the public log has signed for;
    ``clock``: terms are fired, and records brought into the log, within a minute.
    """
    parts: dict[str, Callable[[], bool]] = {
        "database": _database,
        "migrations": _migrated,
        "cache": _caches,
        "clock": _ticks,
        "log": _whole,
    }
    found = {}
    for name, ready in parts.items():
        try:
            found[name] = ready()
        except (DatabaseError, OSError):
            found[name] = False
    return found


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


_migrated_before = threading.Event()


def _migrated() -> bool:
    if _migrated_before.is_set():  # reading all migrations takes long, and none is taken back
        return True
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    _migrated_before.set()
    return True


def _caches() -> bool:
    mark = f"{time.time_ns()}"
    cache.set("ready", mark, 10)
    return cache.get("ready") is not None


def _ticks() -> bool:
    now = clock.now()
    return _log_waits(now)[1] < LATE and _clock_waits(now)[1] < LATE


def _whole() -> bool:
    return seen.lost(public_log.origin()) is None


# --- slow queries ------------------------------------------------------------------------------


def _timed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    began = time.monotonic()
    try:
        return execute(sql, params, many, context)
    finally:
        took = (time.monotonic() - began) * 1000
        if took >= settings.SANWEN_SLOW_QUERY_MS:
            # Never the parameters: they hold what people wrote.
            slow_log.warning("%.0f ms: %s", took, " ".join(sql.split())[:2000])


def _watch(sender: Any, connection: Any, **_more: Any) -> None:
    wanted = ((settings.SANWEN_SLOW_QUERY_MS, _timed), (settings.SANWEN_TRACING, tracing.traced))
    for on, wrapper in wanted:
        if on and wrapper not in connection.execute_wrappers:
            connection.execute_wrappers.append(wrapper)


def watch_queries() -> None:
    """Log every query that takes longer than ``SANWEN_SLOW_QUERY_MS``, where that is set, and trace
    all where tracing is on."""
    connection_created.connect(_watch, dispatch_uid="slow queries")
