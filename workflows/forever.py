"""What runs beside requests until it is told to stop, whatever happens to it or to the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, close_old_connections


def repeat(
    work: Callable[[], object], stop: threading.Event, pause: float, log: logging.Logger
) -> None:
    """Do some work every `pause` seconds until `stop` is set. What fails is logged and tried again;
    between two times no connection is held that has become too old."""
    while not stop.wait(pause):
        try:
            work()
        except (InterfaceError, OperationalError):
            log.warning("the database does not answer; trying again")
        except Exception:
            log.exception("failed; trying again")
        finally:
            close_old_connections()
