"""Pages that change while they are looked at: hints over a WebSocket, nothing else.

A hint says that something changed, never what, and nobody's name is in it. The page then asks for
itself again, with its reader's own permissions; where no socket comes about it asks every half
minute. A process hears each hint once, by one subscription, whatever the number of its sockets,
and hands it to those that look at what it is about.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie
from redis.backoff import NoBackoff
from redis.retry import Retry

from workflows import clock
from workflows.parties import directory

log = logging.getLogger("sanwen.news")

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_NUMBER = re.compile(r"[A-Z]{1,10}-[0-9]{4}-[0-9]{1,8}")

QUEUE = "queue"
"""What outlets and gateways wait for, for those who keep an outlet."""
KEEPERS = ("office", "residents_committee")
"""Roles that keep the outlets of a place."""

REST = 0.5
"""Seconds between two hints of the same thing; what comes meanwhile is told once, at their end."""
PAGES = 50
"""Pages a second that the readers of one process ask for after a hint, about."""
SPREAD = 1.5, 60.0
"""Seconds over which they ask, at least and at most."""
PATIENCE = 1.0
"""Seconds that an act waits at most for Redis to take its hint."""
JOINING = 5.0
"""Seconds that a new socket waits for the process to hear hints."""
TRY_LATER = 1013
"""Why a socket is closed that this process cannot serve now (RFC 6455's registry)."""
AT_ONCE = 250
"""Sockets that are told before other work of the process has its turn."""


# --- what a hint is about -----------------------------------------------------------------------


def of_case(number: str) -> str:
    """Those who look at a case."""
    return f"case.{number}"


def of_work(place: int) -> str:
    """Those whose tasks in a place, by its primary key, are on their page."""
    return f"work.{place}"


def of_account(user: int) -> str:
    """One account's messages."""
    return f"account.{user}"


def hint(*topics: str) -> None:
    """Say that these have changed. Hints are a comfort: what goes wrong is logged, not raised."""
    if not topics:
        return
    if not settings.REDIS:  # one process, and perhaps another thread of it
        for hub in list(_hubs.values()):
            hub.tell_soon(topics)
        return
    try:
        _publisher(settings.REDIS).publish(_station(settings.REDIS), json.dumps(topics))
    except redis.RedisError as error:
        log.warning("no hint: %s", type(error).__name__)


@cache
def _publisher(address: str) -> redis.Redis:
    """Connections of this process, kept for the next hint."""
    return redis.Redis.from_url(
        address,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 1),  # a kept connection may have been cut meanwhile
    )


def _station(address: str) -> str:
    """Where hints are published: Redis keeps databases apart, but not what is said in them."""
    parts = redis.connection.parse_url(address)  # type: ignore[no-untyped-call]
    number = parts.get("db", 0)
    return f"sanwen.live.{number}"


# --- who hears it -------------------------------------------------------------------------------


class Socket:
    """One page that is looked at."""

    __slots__ = ("send", "telling", "topics")

    def __init__(self, send: Send, topics: frozenset[str]) -> None:
        self.send, self.topics, self.telling = send, topics, False

    async def tell(self, frame: Message) -> None:
        """Hand the hint on. One that takes none, or is gone, keeps nobody else waiting."""
        try:
            await self.send(frame)
        except Exception as error:
            log.debug("a socket went: %s", type(error).__name__)
        finally:
            self.telling = False


class Hub:
    """The sockets of one event loop, by what they look at."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.sockets: dict[str, set[Socket]] = {}
        self.resting: dict[str, bool] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.joined = asyncio.Event()
        if settings.REDIS:
            self._begin(self._listen())
        else:
            self.joined.set()

    def _begin(self, work: Any) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _listen(self) -> None:
        """Hear what any process says, by one subscription. Where none comes about, sockets are
        closed, so that their pages know it and ask by themselves."""
        while True:
            try:
                async with (
                    redis.asyncio.Redis.from_url(settings.REDIS, socket_keepalive=True) as server,
                    server.pubsub() as heard,
                ):
                    await heard.subscribe(_station(settings.REDIS))
                    me = asyncio.current_task()
                    if me is not None and me.cancelling():
                        # redis-py forgets a cancel that comes while it connects; a worker that is
                        # told to end would wait for us for ever.
                        raise asyncio.CancelledError
                    async for message in heard.listen():
                        if message["type"] == "subscribe":
                            self.joined.set()
                        else:
                            self.tell(json.loads(message["data"]))
            except (redis.RedisError, OSError, ValueError) as error:
                log.warning("no hints are heard: %s", type(error).__name__)
            self.joined.clear()
            for socket in {each for there in self.sockets.values() for each in there}:
                self._begin(socket.tell({"type": "websocket.close", "code": TRY_LATER}))
            await asyncio.sleep(1 + random.random())  # noqa: S311

    def add(self, socket: Socket) -> None:
        """From now on it is told."""
        for topic in socket.topics:
            self.sockets.setdefault(topic, set()).add(socket)

    def remove(self, socket: Socket) -> None:
        """It is told no more."""
        for topic in socket.topics:
            there = self.sockets[topic]
            there.discard(socket)
            if not there:
                del self.sockets[topic]

    def tell_soon(self, topics: Iterable[str]) -> None:
        """`tell`, from any thread."""
        try:
            self.loop.call_soon_threadsafe(self.tell, topics)
        except RuntimeError:  # the loop has ended, and its sockets with it
            log.debug("a loop has ended")

    def tell(self, topics: Iterable[str]) -> None:
        """Hint at each topic now, or at the end of its rest."""
        found: set[Socket] = set()
        for topic in topics:
            if topic in self.resting:
                self.resting[topic] = True
            elif there := self.sockets.get(topic):
                self.resting[topic] = False
                self.loop.call_later(REST, self._rested, topic)
                found |= there
        if found:
            self._begin(self._tell(found))

    def _rested(self, topic: str) -> None:
        if self.resting.pop(topic):
            self.tell([topic])

    async def _tell(self, sockets: set[Socket]) -> None:
        frame = {"type": "websocket.send", "text": f"changed {spread(len(sockets)) * 1000:.0f}"}
        for number, socket in enumerate(sockets):
            # One that has not taken the last hint yet will ask after that one.
            if not socket.telling:
                socket.telling = True
                self._begin(socket.tell(frame))
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()
_founding = threading.Lock()


def spread(sockets: int) -> float:
    """Over how many seconds so many pages shall ask again: thousands at once would find nobody
    who answers."""
    least, most = SPREAD
    return min(max(sockets / PAGES, least), most)


def hub() -> Hub:
    """The running loop's."""
    loop = asyncio.get_running_loop()
    with _founding:
        if loop not in _hubs:
            _hubs[loop] = Hub()
        return _hubs[loop]


# --- the socket ---------------------------------------------------------------------------------


async def live(scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
    """``/live/?case=NUMBER&messages=1&work=1&queue=1``: an ASGI application. What a page sends is
    ignored."""
    await receive()  # that somebody wants to connect
    here = hub()
    topics = await _topics(scope)
    if topics and not here.joined.is_set():
        try:
            async with asyncio.timeout(JOINING):
                await here.joined.wait()
        except TimeoutError:  # better asked half-minutely than told nothing
            topics = frozenset()
    if not topics:
        await send({"type": "websocket.close"})
        return
    socket = Socket(send, topics)
    here.add(socket)  # before it is accepted: what a page asks for after that is never older
    try:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        here.remove(socket)


async def _topics(scope: Message) -> frozenset[str]:
    """What a socket may hear of among what it asks for. That a case changed is public and needs no
    database; the rest is for the account that is signed in."""
    query = parse_qs(scope["query_string"].decode("ascii", "ignore"))
    number = query.get("case", [""])[0]
    found = {of_case(number)} if _NUMBER.fullmatch(number) else set()
    wanted = query.keys() & {"messages", "work", "queue"}
    cookie = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
    session = parse_cookie(cookie.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
    if wanted and session:
        found |= await _own(session, wanted)
    return frozenset(found)


@database_sync_to_async
def _own(session: str, wanted: set[str]) -> set[str]:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session)
    user = get_user(request)
    if not user.is_authenticated:
        return set()
    found = {of_account(user.pk)} if "messages" in wanted else set()
    if wanted & {"work", "queue"}:
        everywhere = directory().parties_everywhere(user, clock.now())
        if "work" in wanted:
            belongs = (pk for pk, held in everywhere.items() if any(not p.everyone for p in held))
            found |= {of_work(pk) for pk in belongs}
        if "queue" in wanted and any(
            party.role in KEEPERS for held in everywhere.values() for party in held
        ):
            found.add(QUEUE)
    return found
