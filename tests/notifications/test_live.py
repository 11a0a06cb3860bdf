"""Sockets on the site's own ASGI application: who hears, and that a hint says nothing."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.testing import WebsocketCommunicator

from notifications import fanout
from tests.notifications.conftest import OFFICE
from tests.sandbox.core_procedures import Errand
from workflows import acts, calendars
from workflows.models import Community

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]

ORIGIN = [(b"origin", b"http://localhost"), (b"host", b"localhost")]


def socket(query: str, headers=ORIGIN) -> WebsocketCommunicator:
    from config.asgi import application

    return WebsocketCommunicator(application, f"/live/?{query}", headers=headers)


@pytest.fixture
def cases(transactional_db):
    calendars.seed()
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    return [acts.open_case(Errand, estate, OFFICE, title=title) for title in "甲乙"]


def test_who_looks_at_a_case_hears_that_it_changed_and_nothing_more(cases):
    async def scene() -> None:
        one, other = socket(f"case={cases[0].number}"), socket(f"case={cases[1].number}")
        messages = socket("messages=1")
        for each in (one, other, messages):
            assert (await each.connect(timeout=30))[0]
        await sync_to_async(acts.perform, thread_sensitive=True)(
            cases[0], "write", "task.done", OFFICE, {"text": "写好了"}
        )
        assert await one.receive_from(timeout=30) == "changed"
        assert await other.receive_nothing(timeout=0.3)
        await sync_to_async(fanout.run_waiting, thread_sensitive=True)()
        assert await messages.receive_from(timeout=30) == "changed"
        for each in (one, other, messages):
            await each.disconnect()

    async_to_sync(scene)()


@pytest.mark.parametrize("query", ["", "case=", "case=news", "case=ERR-2026-0001.x", "case=../x"])
def test_a_socket_of_nothing_is_refused(query):
    async def scene() -> bool:
        return (await socket(query).connect(timeout=30))[0]

    assert not async_to_sync(scene)()


def test_another_site_may_not_open_sockets():
    async def scene() -> bool:
        headers = [(b"origin", b"https://evil.example"), (b"host", b"localhost")]
        return (await socket("messages=1", headers).connect(timeout=30))[0]

    assert not async_to_sync(scene)()
