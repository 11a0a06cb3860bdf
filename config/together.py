"""Of many who ask for the same public page at the same moment one has it made; all get it.

An ASGI layer around the site. When a second ends, the web server before it asks anew for every page
that is looked at (`config.requests.ShareBriefly`), and until the first answer is there it asks for
everybody: without this each would have the page made again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_TELL = (
    b"host",
    b"x-forwarded-proto",
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"hx-request",
)
"""Headers that a page may depend on."""
_OWN = (b"sessionid=", b"messages=")
"""Cookies of somebody to whom a page may be shown otherwise."""
_ALONE = (b"authorization", b"range", b"if-none-match", b"if-modified-since")


class Together:
    """Lets those wait who ask for what is being made."""

    def __init__(self, site: App) -> None:
        self.site = site
        self.made: dict[tuple[Any, ...], asyncio.Future[list[Message] | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        key = _key(scope)
        if key is None:
            await self.site(scope, receive, send)
            return
        first = self.made.get(key)
        if first is not None:
            answer = await asyncio.shield(first)
            if answer is None:
                await self.site(scope, receive, send)
                return
            for message in answer:
                await send(message)
            return
        mine: asyncio.Future[list[Message] | None] = asyncio.get_running_loop().create_future()
        self.made[key] = mine
        kept: list[Message] = []

        async def both(message: Message) -> None:
            kept.append(message)
            if not message.get("more_body") and message["type"] == "http.response.body":
                done(kept)
            await send(message)

        def done(answer: list[Message] | None) -> None:
            if not mine.done():
                self.made.pop(key, None)
                mine.set_result(answer if answer and _for_all(answer) else None)

        try:
            await self.site(scope, receive, both)
        finally:
            done(None)


def _key(scope: Scope) -> tuple[Any, ...] | None:
    """What tells one page from another; None for what is nobody else's."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    said: list[tuple[bytes, bytes]] = []
    for name, value in scope["headers"]:
        if name in _ALONE:
            return None
        if name == b"cookie":
            if any(own in value for own in _OWN):
                return None
            # The token tells nothing of a page that holds none; one that does is not shared.
            parts = (part.strip() for part in value.split(b";"))
            value = b";".join(part for part in parts if not part.startswith(b"csrftoken="))
            said.append((name, value))
        elif name in _TELL:
            said.append((name, value))
    return (scope["raw_path"], scope["query_string"], tuple(said))


def _for_all(answer: list[Message]) -> bool:
    """Whether the site said that everybody may see it."""
    return any(name.lower() == b"x-accel-expires" for name, _value in answer[0].get("headers", ()))
