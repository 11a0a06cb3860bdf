"""What time it is. The whole project asks here, so that a test or the demo can move time.

The moment set holds for all threads of the process (a live server answers from another thread);
other processes keep real time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""The time of the whole country; days begin and end by it."""

SKEW = dt.timedelta(minutes=1)
"""By how much clocks of several machines may differ: half of what a verifier of the record puts up
with (`sanwen.chain.TOLERANCE`)."""

_set: dt.datetime | None = None


def now() -> dt.datetime:
    """The present moment, in Asia/Shanghai; where one was set, that one, standing still."""
    return _set or dt.datetime.now(tz=SHANGHAI)


def stands() -> bool:
    """Whether a moment was set."""
    return _set is not None


def today() -> dt.date:
    """The present day in Asia/Shanghai."""
    return now().date()


def set_now(moment: dt.datetime | None) -> None:
    """Let time stand at `moment`, or run again (None). ValueError if it names no time zone."""
    global _set
    _set = None if moment is None else _local(moment)


def advance_to(moment: dt.datetime) -> None:
    """Let time stand at a later `moment`; ValueError if it lies before the present one."""
    later = _local(moment)
    if later < now():
        raise ValueError(f"time does not run backwards: {later} is before {now()}")
    set_now(later)


@contextmanager
def at(moment: dt.datetime) -> Iterator[None]:
    """Let time stand at `moment` within the block; afterwards it is as it was before."""
    before = _set
    set_now(moment)
    try:
        yield
    finally:
        set_now(before)


def _local(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return moment.astimezone(SHANGHAI)
