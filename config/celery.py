"""The city's executor: ``celery -A config worker`` and ``celery -A config beat`` do what the clock
does (``manage.py clock``), by as many processes on as many machines as one likes.

What is to be done stands in rows of the database alone: terms, records without a place in the log,
jobs, news, deliveries. A task says only "look now", so that one that is lost, late, or done twice
changes nothing; beat says it every few seconds, an act says it when it is committed
(`config.wake`). Arguments are keys of rows and codes, never anything of a person. No results are
kept.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError

from . import broker

if not settings.SANWEN_BROKER:
    raise ImproperlyConfigured(
        "Celery needs a broker: set SANWEN_BROKER (docs/settings.md), or run `manage.py clock`."
    )

log = logging.getLogger("sanwen.tasks")

CLOCK, NEWS, JOBS, LONG = "clock", "news", "jobs", "long"
"""Queues: terms and the log; spreading and sending; work that people wait for; work of many
minutes. A worker for each keeps any from waiting for another (docs/operate.md)."""
EVERY = 5.0
"""Seconds between two looks of beat."""
PATIENCE = 1.0
"""Seconds that a broker may take to answer."""
AT_ONCE = 200
"""Terms that one task fires; the rest is another's, so that the log is not kept waiting."""

broker.install()
app = Celery("sanwen")
app.conf.update(
    broker_url=settings.SANWEN_BROKER,
    broker_connection_timeout=PATIENCE,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        # A task that was being done when its worker died is given to another after so long; what
        # it was doing is found by the next look long before.
        "visibility_timeout": 300,
        "socket_connect_timeout": PATIENCE,
        "socket_timeout": 5.0,
        "health_check_interval": 10,
        "queue_order_strategy": "round_robin",
    },
    task_queues=[
        Queue(name, Exchange(name), routing_key=name) for name in (CLOCK, NEWS, JOBS, LONG)
    ],
    task_default_queue=CLOCK,
    task_serializer="json",
    accept_content=["json"],
    result_backend=None,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_publish_retry=False,
    worker_prefetch_multiplier=1,
    # As in the clock: the work waits for the database and for gateways; trails have helpers of
    # their own, which a forked worker may not start.
    worker_pool="threads",
    worker_concurrency=4,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    beat_schedule_filename=str(settings.HOME / "beat"),
    timezone=settings.TIME_ZONE,
)


@setup_logging.connect
def _own_logging(**_given: Any) -> None:
    """Ours, with its filters, instead of Celery's."""
    logging.getLogger("celery.beat").addFilter(_shortly)


def _shortly(record: logging.LogRecord) -> bool:
    """While the broker is away beat says so at every look: in a line, not in a hundred."""
    if record.exc_info:
        record.msg, record.args, record.exc_info = "%s", (record.exc_info[1],), None
    return True


def _task(
    name: str, queue: str, every: float | None = EVERY
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A task that beat asks for every so many seconds, and that fails without ado: whatever it left
    is found at the next look."""

    def declare(work: Callable[..., None]) -> Callable[..., None]:
        def safely(*given: Any) -> None:
            try:
                work(*given)
            except (InterfaceError, OperationalError):
                log.warning("%s: the database does not answer; trying again", name)
            except Exception as error:
                # Values in a traceback of news may be addresses of people.
                log.error("%s: %s", name, type(error).__name__, exc_info=queue != NEWS)

        full = f"sanwen.{name}"
        app.task(safely, name=full, queue=queue, expires=60)
        if every is not None:
            app.conf.beat_schedule[full] = {
                "task": full,
                "schedule": every,
                # What no worker took by the time of the next few is said again then.
                "options": {"expires": every * 3},
            }
        return work

    return declare


# What is imported within a task needs Django to be set up, which the worker does after this file.


@_task("terms", CLOCK)
def terms() -> None:
    """Fire terms that have run out; have outdated personal data erased."""
    from workflows import sweep

    from . import wake

    if sweep.sweep(most=AT_ONCE) >= AT_ONCE:
        wake.soon("terms")


@_task("terms_of", CLOCK, every=None)
def terms_of(cases: list[int]) -> None:
    """Fire what acts just made due in these cases, and in those that belong to them."""
    from django.db.models import Q

    from workflows import sweep

    sweep.sweep(Q(process__in=cases) | Q(process__parent__process__in=cases))


_told = ""


@_task("log", CLOCK)
def sequence() -> None:
    """Give new records their places in the log."""
    global _told
    from workflows.records import log as records_log

    try:
        while records_log.integrate():
            pass
        _told = ""
    except records_log.NoKey as error:
        if str(error) != _told:  # once, not every few seconds
            log.error("%s", error)
            _told = str(error)


@_task("sums", JOBS, every=20.0)
def sums() -> None:
    """Bring the kept sums of supervision up."""
    from workflows.portal import sums as kept

    kept.keep_soundly()


@_task("jobs", JOBS)
def jobs() -> None:
    """Do what people wait for; clear away what has expired."""
    from workflows import jobs as work

    work.run_waiting(work.KINDS.keys() - work.LONG)


@_task("long_jobs", LONG)
def long_jobs() -> None:
    """Do what takes many minutes."""
    from workflows import jobs as work

    work.run_waiting(work.LONG)


@_task("news", NEWS)
def news() -> None:
    """Spread news; ask for every gateway that something waits for."""
    from notifications import fanout, sending

    from . import wake

    fanout.run_waiting()
    for code in sending.due_gateways():
        wake.soon("send", code)


@_task("send", NEWS, every=None)
def send(gateway: str) -> None:
    """Send what waits for one gateway; one that hangs keeps nobody waiting but its own."""
    from notifications import sending

    sending.run_waiting(gateway)


@_task("tidy", NEWS, every=3600.0)
def tidy() -> None:
    """Forget old news."""
    from notifications import fanout

    fanout.tidy()
