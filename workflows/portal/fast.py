"""Tiles and proofs ahead of Django: what never changes needs no session, language or database.

An ASGI layer around the site. The same addresses are views of `portal.log` as well, for servers
without this layer; both give the same bytes.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from sanwen import merkle, note

from ..records import log

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

KEPT_BYTES = 64 * 2**20
MOST_NODES = 1 << 18
FRESH = 1.0
"""Seconds for which the newest checkpoint is not looked up again."""

_PROOF = re.compile(r"/log/proof/([0-9]{1,18})")
_COMMON = [(b"access-control-allow-origin", b"*"), (b"x-content-type-options", b"nosniff")]
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
_BRIEFLY = (b"cache-control", b"public, max-age=1")


class Kept:
    """Bytes by name, the least used forgotten beyond a size in all."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self.most, self.size = most, 0
        self.held: OrderedDict[str, bytes] = OrderedDict()

    def get(self, path: str) -> bytes | None:
        """What is kept of it."""
        found = self.held.get(path)
        if found is not None:
            self.held.move_to_end(path)
        return found

    def put(self, path: str, data: bytes) -> None:
        """Keep it."""
        self.size -= len(self.held.pop(path, b""))
        if len(data) <= self.most:
            self.held[path] = data
            self.size += len(data)
            while self.size > self.most:
                _path, gone = self.held.popitem(last=False)
                self.size -= len(gone)


class LogFirst:
    """Answers GET of tiles and proofs; everything else goes on to `app`."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.tiles = Kept()
        self.newest: tuple[float, int, str] | None = None
        # Hashes of complete subtrees never change, whichever checkpoint they are asked for.
        self.nodes: dict[tuple[int, int], bytes] = {}
        self._of_tiles = merkle.nodes_of_tiles(self._kept_tile)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        path = scope.get("path", "")
        if scope["type"] == "http" and scope["method"] == "GET" and path.startswith("/log/"):
            answer = await self._answer(path)
            if answer is not None:
                data, kind, caching = answer
                length = (b"content-length", str(len(data)).encode())
                headers = [*_COMMON, caching, (b"content-type", kind), length]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": data})
                return
        await self.app(scope, receive, send)

    async def _answer(self, path: str) -> tuple[bytes, bytes, tuple[bytes, bytes]] | None:
        if path.startswith("/log/tile/"):
            data = self.tiles.get(path)
            if data is None:
                data = await sync_to_async(_with_database(log.tile))(path.removeprefix("/log/"))
                if data is None:
                    return None
                self.tiles.put(path, data)
            return data, b"application/octet-stream", _FOR_EVER
        match = _PROOF.fullmatch(path)
        if match is None:
            return None
        size, signed = await self._checkpoint()
        index = int(match[1])
        if index >= size:
            return None
        try:
            steps = merkle.inclusion(self._known, index, size)
        except (_Unknown, merkle.ProofError):  # not kept, or kept when the tile was shorter
            steps = await sync_to_async(_with_database(self._learn))(index, size)
        text = note.format_proof(index, steps, signed)
        return text.encode(), b"text/plain; charset=utf-8", _BRIEFLY

    def _known(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree from what is kept; raises `_Unknown`."""
        found = self.nodes.get((level, index))
        if found is None:
            found = self._of_tiles(level, index)
            if len(self.nodes) >= MOST_NODES:
                self.nodes.clear()
            self.nodes[level, index] = found
        return found

    def _kept_tile(self, level: int, number: int) -> bytes:
        data = self.tiles.get(f"{level}/{number}")
        if data is None:
            raise _Unknown
        return data

    def _learn(self, index: int, size: int) -> list[bytes]:
        """The proof with the database at hand; the tiles that it needs are kept for the next."""

        def tile(level: int, number: int) -> bytes:
            data = log.hashes(level, number)
            self.tiles.put(f"{level}/{number}", data)
            return data

        return merkle.inclusion(merkle.nodes_of_tiles(cache(tile)), index, size)

    async def _checkpoint(self) -> tuple[int, str]:
        now = time.monotonic()
        if self.newest is None or now - self.newest[0] > FRESH:
            size, signed = await sync_to_async(_with_database(_newest))()
            self.newest = (now, size, signed)
        return self.newest[1], self.newest[2]


class _Unknown(Exception):
    pass


def _newest() -> tuple[int, str]:
    found = log.latest()
    return (found.size, log.signed_note(found)) if found else (0, "")


def _with_database(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with stale connections closed around it, as Django does for a request."""

    def call(*args: Any) -> Any:
        close_old_connections()
        try:
            return function(*args)
        finally:
            close_old_connections()

    return call
