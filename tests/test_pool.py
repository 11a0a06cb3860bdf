"""A server lends its requests a few connections to PostgreSQL, however many come at once."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.test_tasks import free_port
from tests.workflows.test_concurrency import ROOT, database_address

CITY = os.environ.get("SANWEN_TEST_STACK") == "city"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CITY, reason="SQLite has no connections to lend"),
]
NAME, MOST = "sanwen-pool-test", 3


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    env = {
        **os.environ,
        "SANWEN_DATABASE": database_address(),
        "SANWEN_POOL": str(MOST),
        "PGAPPNAME": NAME,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    server = subprocess.Popen(
        [
            sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port),
            "--lifespan", "off", "--log-level", "error", "--no-access-log",
        ],
        cwd=ROOT,
        env=env,
    )  # fmt: skip
    yield port
    server.terminate()
    server.wait(timeout=60)


def status(port: int) -> int:
    """What the list of cases answers."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        link.request("GET", "/cases/", headers={"Host": f"127.0.0.1:{port}"})
        return link.getresponse().status
    finally:
        link.close()


def connections() -> int:
    """How many the server holds now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [NAME])
        return int(cursor.fetchone()[0])


def test_many_requests_share_few_connections_and_outlive_lost_ones(port: int) -> None:
    end = time.monotonic() + 120
    while True:
        try:
            assert status(port) == 200
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.3)
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(status, port) for _n in range(48)]
        held = [connections() for _n in range(5)]
        assert {answer.result() for answer in answers} == {200}
    assert 1 <= max([*held, connections()]) <= MOST
    with connection.cursor() as cursor:  # as when PostgreSQL was started anew
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            [NAME],
        )
    assert [status(port) for _n in range(4)] == [200] * 4
