"""The ground that the other tests stand on is what they think it is."""

from __future__ import annotations

import os
import socket

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from workflows import clock

CITY = os.environ.get("SANWEN_TEST_STACK") == "city"


@pytest.mark.django_db
def test_database_is_the_one_asked_for():
    with connection.cursor() as cursor:
        if CITY:
            assert connection.vendor == "postgresql"
        else:
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone() == ("wal",)
            assert str(connection.settings_dict["NAME"]).startswith(str(settings.HOME))


def test_redis_is_used_where_asked_for():
    assert bool(settings.REDIS) == CITY
    cache.set("三问", 3)
    assert cache.get("三问") == 3


def test_nothing_reaches_out():
    with pytest.raises(AssertionError, match="reaches out"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_time_stands_still(frozen):
    before = clock.now()
    assert clock.now() is before
    later = before.replace(hour=11)
    frozen(later)
    assert clock.now() == later


@pytest.mark.city
def test_browser_reaches_the_live_server(live_server, page):
    answer = page.goto(f"{live_server.url}/healthz")
    assert answer is not None
    assert answer.json() == {"ok": True}
