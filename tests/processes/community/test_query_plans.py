"""No hot query reads a growing table from end to end: their plans on a generated city, PostgreSQL.

The city is small for a city, yet large enough that the planner has reasons; it is counted (ANALYZE)
before anybody asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from benchmarks.pages import Readers
from notifications import fanout, sending
from processes.appeals import demo as appeals
from processes.community import demo
from processes.community.city import making
from processes.open_days import demo as open_days
from processes.renovation import demo as renovation
from workflows import acts, clock, jobs, sweep
from workflows.models import Case, StepRun
from workflows.parties import Party
from workflows.records import log

pytestmark = [
    pytest.mark.city,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="plans are PostgreSQL's"),
]

GROWING = {
    "workflows_record",
    "workflows_disclosure",
    "workflows_trace",
    "workflows_alias",
    "workflows_attachment",
    "workflows_case",
    "workflows_steprun",
    "workflows_opinion",
    "workflows_reply",
    "workflows_householdreturn",
    "workflows_rollrow",
    "workflows_ballotpaper",
    "workflows_logtile",
    "appeals_appeal",
    "community_person",
    "community_unit",
    "community_household",
    "community_householdmember",
    "community_owner",
    "community_ownership",
    "notifications_news",
    "notifications_delivery",
}
SPARED = {
    ("overdue, of an office", "workflows_case"),
    # What ends within two days is a third of this city: the copies of a case end together.
    ("news", "workflows_case"),
    ("reminders", "workflows_case"),
}
COUNTS = re.compile(r"^SELECT COUNT\(|COUNT\(.+\) FILTER|COUNT\(\*\) AS \"n\"", re.IGNORECASE)
"""How many there are is counted: cases that go on (once a minute), a list up to a thousand."""


@pytest.fixture
def city(site, settings, tmp_path, monkeypatch) -> None:
    """Some thousand cases, some ten thousand records."""
    settings.DEMO = True
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SANWEN_LOG_KEY = ""
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "log.key"
    monkeypatch.setattr(renovation, "SCENES", renovation.SCENES[:3])
    monkeypatch.setattr(demo, "offered", lambda: [renovation, appeals, open_days])
    monkeypatch.setattr(demo, "load", appeals.load)
    making.make(making.Size(20_000, 6000, 72_000), lambda _line: None)


def large() -> set[str]:
    """The growing tables that have grown: a few rows are read at once whatever indexes say."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE reltuples >= 2000 AND relkind = 'r'")
        return GROWING & {name for (name,) in cursor.fetchall()}


def read_whole(plan: dict[str, Any], growing: set[str]) -> Iterator[str]:
    """The growing tables that a plan reads from end to end."""
    if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in growing:
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from read_whole(part, growing)


def faults(what: str, queries: list[dict[str, str]]) -> list[str]:
    """Queries that read a growing table from end to end."""
    found, growing = [], large()
    with connection.cursor() as cursor:
        for sql in dict.fromkeys(query["sql"] for query in queries):
            if not re.match(r"SELECT|WITH|UPDATE|DELETE", sql) or COUNTS.search(sql):
                continue
            cursor.execute("EXPLAIN (FORMAT JSON) " + sql.replace("%", "%%"), ())
            (plan,) = cursor.fetchone()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            read = set(read_whole(plan[0]["Plan"], growing))
            tables = sorted(table for table in read if (what, table) not in SPARED)
            if tables:
                asked = re.sub(r"SELECT .*? FROM ", "SELECT … FROM ", sql)
                found.append(f"{what}: {', '.join(tables)}: {asked[:1500]}")
    return found


def speak() -> None:
    """An opinion of a resident of the city, online."""
    from processes.community.models import HouseholdMember

    run = StepRun.objects.filter(
        name="ask_needs", finished=None, process__community__code__startswith="sample-"
    )[0]
    member = HouseholdMember.objects.filter(
        household__unit__stairwell__building__estate__community=run.process.community, owns=True
    )[0]
    resident = Party("household", f"household:{member.household.unit_id}", member.person_id)
    said = {"text": "希望单元门口加一盏灯。"}
    acts.perform(run.process_id, "ask_needs", "opinion.submitted", resident, said)


def test_hot_queries_go_by_indexes(city, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert Case.objects.count() > 2000
    readers = Readers()
    found, seen = [], 0
    for page in readers.paths:
        with CaptureQueriesContext(connection) as queries:
            readers.ask(page)
        seen += len(queries)
        found += faults(page, queries.captured_queries)
    work = {
        "an act": speak,
        "sweep": lambda: sweep.due(clock.now()),
        "provisional terms": sweep.recompute_provisional,
        "sequencer": log.integrate,
        "news": fanout.run_waiting,
        "reminders": fanout.remind,
        "gateways": sending.due_gateways,
        "jobs": jobs.run_waiting,
        "old jobs": jobs.clear_away,
    }
    for what, do in work.items():
        with CaptureQueriesContext(connection) as queries:
            do()
        assert len(queries) > 0, what
        seen += len(queries)
        found += faults(what, queries.captured_queries)
    assert seen > 150
    assert not found, "\n".join([f"{len(found)} queries", *found])
