"""The worker of news: spreads what acts wrote and sends what is due. Any number may run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections

from . import fanout, sending
from .models import HOOK

log = logging.getLogger("sanwen.news")

TIDY = 3600.0
T = TypeVar("T")


def run_once() -> int:
    """Spread and send what waits; returns how many messages were sent."""
    fanout.run_waiting()
    return sum(sending.run_waiting(code) for code in sending.due_gateways())


def run_forever(stop: threading.Event, pause: float = 2.0) -> None:
    """Until `stop` is set. Each gateway is sent through on a thread of its own, and spreading has
    another: one that hangs keeps nobody waiting but its own."""
    busy: dict[str, Future] = {}
    tidied = time.monotonic()
    # Daemons are joined at exit by the pool; a send has its timeout.
    with (
        ThreadPoolExecutor(max_workers=12, thread_name_prefix="news") as pool,
        # Anybody's programs may be slow: they wait for each other, and nobody waits for them.
        ThreadPoolExecutor(max_workers=4, thread_name_prefix="hooks") as hooks,
    ):

        def begin(name: str, work: Callable[..., object], *given: object) -> None:
            if name not in busy or busy[name].done():
                for_programs = name.startswith(f"gateway {HOOK}")
                busy[name] = (hooks if for_programs else pool).submit(_quietly, work, *given)

        while not stop.wait(pause):
            begin("spread", fanout.run_waiting)
            if time.monotonic() - tidied > TIDY:
                tidied = time.monotonic()
                begin("tidy", fanout.tidy)
            for code in _quietly(sending.due_gateways) or ():
                begin(f"gateway {code}", sending.run_waiting, code)


def _quietly(work: Callable[..., T], *given: object) -> T | None:
    try:
        return work(*given)
    except (InterfaceError, OperationalError):
        log.warning("the database does not answer; trying again")
    except Exception as error:
        # No traceback: the values in it may be addresses of people.
        log.error("the worker of news failed: %s", type(error).__name__)
    finally:
        close_old_connections()
    return None
