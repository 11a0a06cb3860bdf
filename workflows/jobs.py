"""Work that is too long for a page: queued by a page, executed by the clock process.

A worker claims a job by compare-and-set and holds a lease, which every word of progress renews. A
worker that is killed lets its lease run out, and another takes the job up from the beginning: what
a job does must bear being done twice.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Collection
from typing import IO, Any

from django.core.files.base import File
from django.db.models import F, Q
from django.utils.module_loading import import_string

from . import clock
from .forever import repeat
from .models.case import Case
from .models.job import DONE, FAILED, QUEUED, RUNNING, Job

log = logging.getLogger("sanwen.jobs")

LEASE = dt.timedelta(minutes=2)
KEPT = dt.timedelta(hours=24)
"""How long a result, and the row itself, stays."""
TRIES = 3

Told = Callable[[int], None]
Work = Callable[[Job, Told], IO[bytes] | None]
"""What a kind of job does: given the job and whom to tell percents; returns its private result."""

KINDS = {
    "trail": "workflows.records.trail.make.public_work",
    "full_trail": "workflows.records.trail.make.full_work",
    "archive": "workflows.records.trail.archive.work",
    "scrub": "workflows.records.scrubbing.work",
}
"""Where the work of each kind is; loaded when it is done."""
LONG = {"archive", "scrub"}
"""Kinds that take many minutes: they have a worker of their own, so that nobody waits for them."""


class Lost(Exception):
    """Another worker has taken the job up meanwhile, or it is gone: this one must stop."""


def queue(name: str, case: Case | None, user: Any = None, **params: Any) -> Job:
    """Ask for work; the same work asked for and not yet ended is not queued twice."""
    same = Job.objects.filter(
        kind=name, case=case, user=user, params=params, state__in=(QUEUED, RUNNING)
    )
    found = same.order_by("pk").first()
    if found is not None:
        return found
    return Job.objects.create(kind=name, case=case, user=user, params=params, created=clock.now())


def run_waiting(kinds: Collection[str] = KINDS.keys()) -> int:
    """Do what is queued, or was left by a worker that died, of some kinds or all; returns how many
    ended."""
    ended = 0
    clear_away()
    while (job := _claimed(kinds)) is not None:
        _do(job)
        ended += 1
    return ended


def _claimed(kinds: Collection[str] = KINDS.keys()) -> Job | None:
    """The next job, now this worker's; None when nothing waits."""
    now = clock.now()
    free = Q(state=QUEUED) | Q(state=RUNNING, lease__lt=now)
    waiting = Job.objects.filter(free, kind__in=kinds).order_by("pk")
    for pk, state, lease in waiting.values_list("pk", "state", "lease")[:20]:
        # Of several workers that saw the same job one changes the row.
        taken = Job.objects.filter(pk=pk, state=state, lease=lease).update(
            state=RUNNING, lease=now + LEASE, tries=F("tries") + 1, progress=0
        )
        if taken:
            return Job.objects.select_related("case__community", "user").get(pk=pk)
    return None


def _do(job: Job) -> None:
    mine = job.tries

    def told(percent: int) -> None:
        still = Job.objects.filter(pk=job.pk, state=RUNNING, tries=mine)
        if not still.update(progress=percent, lease=clock.now() + LEASE):
            raise Lost

    result = None
    try:
        if job.tries > TRIES:
            raise RuntimeError("every worker that took it up died")
        work: Work = import_string(KINDS[job.kind])
        result = work(job, told)
        told(99)
        if result is not None:
            job.result.save(f"{job.uid}", File(result), save=False)
        told(99)  # a large result takes long to keep, and the job may be gone by then
        job.succeed()
    except Lost:
        log.warning("job %s was taken up by another worker, or away", job.pk)
        if job.result:
            job.result.delete(save=False)
        return
    except Exception:
        log.exception("job %s failed", job.pk)
        job.fail()
    finally:
        if result is not None:
            result.close()
    job.expires = clock.now() + KEPT
    job.save(force_update=True)


def clear_away() -> None:
    """Delete what has expired, with its file."""
    for job in Job.objects.filter(state__in=(DONE, FAILED), expires__lt=clock.now())[:100]:
        drop(job)


def drop(job: Job) -> None:
    """Delete a job with its result."""
    if job.result:
        job.result.delete(save=False)
    job.delete()


def run_forever(stop: threading.Event, kinds: Collection[str], pause: float = 1.0) -> None:
    """Do what is queued of some kinds until `stop` is set."""
    repeat(lambda: run_waiting(kinds), stop, pause, log)
