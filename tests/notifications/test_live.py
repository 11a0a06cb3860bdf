"""Sockets on the site's own ASGI application: who hears, and that a hint says nothing."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings as site
from django.test import Client

from notifications import fanout, live
from tests.notifications.conftest import OFFICE, follow
from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars
from workflows.models import Community
from workflows.parties import Party

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]

ORIGIN = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
HINT = re.compile(r"changed [0-9]{4,5}")
"""All that is ever said: that something changed, and over how many milliseconds to ask."""


def socket(query: str, user: Any = None, headers=ORIGIN) -> WebsocketCommunicator:
    from config.asgi import application

    if user is not None:
        client = Client()
        client.force_login(user)
        value = client.cookies[site.SESSION_COOKIE_NAME].value
        headers = [*headers, (b"cookie", f"{site.SESSION_COOKIE_NAME}={value}".encode())]
    return WebsocketCommunicator(application, f"/live/?{query}", headers=headers)


async def do(work, *given, **named) -> None:
    """What a page does, on a thread."""
    await sync_to_async(work, thread_sensitive=True)(*given, **named)


async def hears(each: WebsocketCommunicator) -> None:
    assert HINT.fullmatch(await each.receive_from(timeout=30))


async def connected(*sockets: WebsocketCommunicator) -> None:
    for each in sockets:
        assert (await each.connect(timeout=30))[0]


async def gone(*sockets: WebsocketCommunicator) -> None:
    for each in sockets:
        await each.disconnect()


@pytest.fixture
def cases(transactional_db):
    calendars.seed()
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    return [acts.open_case(Errand, estate, OFFICE, title=title) for title in "甲乙"]


@pytest.fixture
def parties(monkeypatch):
    """Sets what each account holds, by place."""

    def hold(held: Any) -> None:
        everywhere = lambda _directory, user, _at: held(user)  # noqa: E731
        monkeypatch.setattr(SandboxDirectory, "parties_everywhere", everywhere)

    return hold


def test_who_looks_at_a_case_hears_that_it_changed_and_nothing_more(cases):
    async def scene() -> None:
        one, other = socket(f"case={cases[0].number}"), socket(f"case={cases[1].number}")
        await connected(one, other)
        await do(acts.perform, cases[0], "write", "task.done", OFFICE, {"text": "写好了"})
        await hears(one)
        assert await other.receive_nothing(timeout=0.3)
        await gone(one, other)

    async_to_sync(scene)()


def test_only_whom_a_message_reached_hears_of_it(cases, account):
    reader, other = account("a"), account("b")
    fanout.run_waiting()
    follow(reader, case=cases[0])

    async def scene() -> None:
        theirs = [socket("messages=1", user) for user in (reader, other)]
        await connected(*theirs)
        await do(acts.perform, cases[0], "write", "task.done", OFFICE, {"text": "写好了"})
        assert await theirs[0].receive_nothing(timeout=0.3)
        await do(fanout.run_waiting)
        await hears(theirs[0])
        assert await theirs[1].receive_nothing(timeout=0.3)
        await gone(*theirs)

    async_to_sync(scene)()


def test_who_serves_in_a_place_hears_that_tasks_there_have_changed(cases, account, parties):
    serving, elsewhere = account("a"), account("b")
    other = Community.objects.create(code="other", name="示范二区", kind="estate")
    held = {serving.pk: cases[0].community_id, elsewhere.pk: other.pk}
    parties(lambda user: {held[user.pk]: [Party("office", f"person:{user.pk}", user.pk)]})

    async def scene() -> None:
        theirs = [socket("work=1", user) for user in (serving, elsewhere)]
        await connected(*theirs)
        await do(acts.perform, cases[0], "write", "task.done", OFFICE, {"text": "写好了"})
        await hears(theirs[0])
        assert await theirs[1].receive_nothing(timeout=0.3)
        await gone(*theirs)

    async_to_sync(scene)()


@pytest.mark.parametrize(
    "query",
    ["", "case=", "case=news", "case=ERR-2026-0001.x", "case=../x",
     "messages=1", "work=1", "queue=1", "messages=1&work=1&queue=1"],
)  # fmt: skip
def test_a_socket_of_nothing_is_refused(query):
    async def scene() -> bool:
        return (await socket(query).connect(timeout=30))[0]

    assert not async_to_sync(scene)()


def test_what_outlets_wait_for_is_for_those_who_keep_one(cases, account, parties):
    async def scene(user: Any) -> bool:
        return (await socket("queue=1", user).connect(timeout=30))[0]

    keeper, resident = account("a"), account("b")
    where, roles = cases[0].community_id, {keeper.pk: "office", resident.pk: "household"}
    parties(lambda user: {where: [Party(roles[user.pk], "x", user.pk)]})
    assert async_to_sync(scene)(keeper)
    assert not async_to_sync(scene)(resident)


def test_a_session_that_has_ended_hears_nothing(account):
    async def scene(query: str) -> bool:
        cookie = (b"cookie", f"{site.SESSION_COOKIE_NAME}=gone".encode())
        return (await socket(query, headers=[*ORIGIN, cookie]).connect(timeout=30))[0]

    assert not async_to_sync(scene)("messages=1")


def test_another_site_may_not_open_sockets():
    async def scene() -> bool:
        headers = [(b"origin", b"https://evil.example"), (b"host", b"localhost")]
        return (await socket("case=ERR-2026-0001", headers=headers).connect(timeout=30))[0]

    assert not async_to_sync(scene)()


def test_many_acts_in_a_moment_are_two_hints_the_last_after_them_all():
    """What comes while a topic rests is told at the end of its rest."""
    heard: list[float] = []

    async def scene() -> None:
        hub, loop = live.hub(), asyncio.get_running_loop()

        async def send(message: Any) -> None:
            heard.append(loop.time())

        hub.add(live.Socket(send, frozenset({"case.A"})))
        for _ in range(20):
            hub.tell(["case.A"])
            await asyncio.sleep(0)
        last = loop.time()
        async with asyncio.timeout(30):
            while len(heard) < 2 or hub.resting:
                await asyncio.sleep(0.05)
        assert len(heard) == 2
        assert heard[1] >= last

    async_to_sync(scene)()


def test_one_that_takes_nothing_keeps_nobody_waiting():
    waits = 0

    async def scene() -> None:
        hub, heard, stuck = live.hub(), asyncio.Queue(), asyncio.Event()

        async def hangs(message: Any) -> None:
            nonlocal waits
            waits += 1
            await stuck.wait()

        async def fails(message: Any) -> None:
            raise ConnectionError

        for send in (hangs, fails, heard.put):
            hub.add(live.Socket(send, frozenset({"case.A"})))
        for _ in range(2):
            hub.tell(["case.A"])
            async with asyncio.timeout(30):
                await heard.get()
            await asyncio.sleep(0)
        assert waits == 1, "a second hint waits behind the first"
        stuck.set()

    async_to_sync(scene)()


def test_the_more_are_told_the_longer_they_take_to_ask():
    assert live.spread(1) == live.spread(75) == 1.5
    assert live.spread(1000) == 20
    assert live.spread(5000) == 60


@pytest.mark.skipif(not site.REDIS, reason="without Redis a process hears itself")
def test_without_redis_sockets_are_closed_and_acts_go_on(cases, monkeypatch):
    """So that pages know it and ask by themselves; with Redis back they are told again."""

    async def scene() -> None:
        one = socket(f"case={cases[0].number}")
        await connected(one)
        server = live._publisher(site.REDIS)
        monkeypatch.setattr(site, "REDIS", "redis://127.0.0.1:1/0")
        await do(acts.perform, cases[0], "write", "task.done", OFFICE, {"text": "写好了"})
        hub = live.hub()
        server.client_kill_filter(_type="pubsub")
        assert (await one.receive_output(timeout=60))["type"] == "websocket.close"
        assert not (await socket(f"case={cases[1].number}").connect(timeout=30))[0]
        monkeypatch.undo()
        async with asyncio.timeout(60):
            await hub.joined.wait()
        again = socket(f"case={cases[0].number}")
        await connected(again)
        await do(acts.perform, cases[0], "check_a", "task.done", OFFICE, {"note": "核对"})
        await hears(again)
        await gone(again)

    async_to_sync(scene)()
