"""Pages that change while they are looked at: hints over a WebSocket, nothing else.

A hint says that something changed, never what. The page then asks for itself again, with its
reader's own permissions; where no socket comes about it asks every half minute.
"""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer

log = logging.getLogger("sanwen.news")

_NUMBER = re.compile(r"[A-Z]{1,10}-[0-9]{4}-[0-9]{1,8}")

NEWS = "news"
"""The group of all who are signed in: that messages have been spread."""


def group_of(number: str) -> str:
    """The group of those who look at a case."""
    return f"case.{number}"


class Live(AsyncWebsocketConsumer):
    """One page that is looked at: ``/live/?case=NUMBER``. Whatever it sends is ignored."""

    async def connect(self) -> None:
        """Join the group of the case, and that of messages where somebody is signed in. No
        database: that a case changed is public, and nobody's name is a group."""
        query = parse_qs(self.scope["query_string"].decode("ascii", "ignore"))
        number = query.get("case", [""])[0]
        self.groups_of = [NEWS] if query.get("messages") else []
        if _NUMBER.fullmatch(number):
            self.groups_of.append(group_of(number))
        if not self.groups_of:
            await self.close()
            return
        for group in self.groups_of:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave."""
        for group in getattr(self, "groups_of", ()):
            await self.channel_layer.group_discard(group, self.channel_name)

    async def changed(self, event: dict[str, Any]) -> None:
        """Hand the hint on."""
        await self.send(text_data="changed")


def hint(group: str) -> None:
    """Say that something changed. Hints are a comfort: what goes wrong is logged, not raised."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group, {"type": "changed"})
    except Exception as error:
        log.warning("no hint: %s", type(error).__name__)
