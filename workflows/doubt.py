"""Whether the machine's clock is to be believed when it says that a term has run out.

A clock that was set ahead would end every term that lies between, and nobody can give those days
back. So the process that fires terms compares it with a counter that nobody can set, and with the
clock of the database server where that is another machine's; what fires late is only late.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from django.db import connection

from . import clock

log = logging.getLogger("sanwen.sweep")


def counted() -> float:
    """Seconds since the machine was started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class Witness:
    """A counter beside the machine's clock; one for each process that fires terms."""

    count: Callable[[], float] = counted
    wall: dt.datetime = field(default_factory=clock.now)
    at: float = 0.0
    told: str = ""

    def __post_init__(self) -> None:
        self.at = self.count()

    def doubts(self) -> str:
        """Why terms must not be fired by this clock now; empty when they may.

        A clock that is put right again is believed again. One set back only fires later.
        """
        found = self._ahead() or _ahead_of_database()
        if found and found != self.told:
            log.error(
                "%s: no term is fired. If the present time is right, restart this process",
                found,
            )
        self.told = found
        return found

    def _ahead(self) -> str:
        now, count = clock.now(), self.count()
        ahead = now - self.wall - dt.timedelta(seconds=count - self.at)
        if ahead > clock.SKEW:
            return "the machine's clock was set ahead"
        # Small steps, and every step back, are followed.
        self.wall, self.at = now, count
        return ""


@cache
def machine() -> Witness:
    """That of this process, which begins to count when it is first asked."""
    return Witness()


def _ahead_of_database() -> str:
    """PostgreSQL keeps a clock of its own; a time that was set for a test is no machine's."""
    if connection.vendor != "postgresql" or clock.stands():
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        there: dt.datetime = cursor.fetchone()[0]
    return (
        "the machine's clock is ahead of the database's" if clock.now() - there > clock.SKEW else ""
    )
