"""Celery's way to a Redis-protocol broker, made to live through the loss of it.

As kombu 5.7 stands, a worker that loses its broker dies when it gives back, or acknowledges, what
it had in hand over the connection that is gone. Ours need do neither: rows of the database say what
is to be done (`config.celery`), and beat asks again.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Channel(redis.Channel):
    """Says nothing about messages that came over a connection which is gone."""

    do_restore = False

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """A message is done with."""
        if self.connection is not None and not self.closed:
            super().basic_ack(delivery_tag, multiple=multiple)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> Any:
        """A message is refused."""
        if self.connection is not None and not self.closed:
            return super().basic_reject(delivery_tag, requeue=requeue)
        return None


class Transport(redis.Transport):
    """Redis, with such channels."""

    Channel = Channel


def install() -> None:
    """Take it for addresses of Redis."""
    for name in ("redis", "rediss", "valkey"):
        TRANSPORT_ALIASES[name] = f"{__name__}:Transport"
