"""What an act leaves to be done is asked for as soon as the act is committed (`config.celery`).

A thread of its own asks, so that an act never waits for the broker. Whatever is not asked for
(the broker does not answer, the process ends) is found by beat's next look, or by a clock.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from workflows.acts import acted
from workflows.models.job import Job
from workflows.records.erasure import erased

from . import celery

log = logging.getLogger("sanwen.tasks")

GATHERED = 0.05
"""Seconds in which acts ask together."""
REST = 2.0
"""Seconds for which a broker that did not answer is left alone."""
MOST = 500
"""Cases that are asked about at once; beat sees to the others."""

_asked: set[tuple[str, Any]] = set()
_lock = threading.Lock()
_some = threading.Event()
_thread: threading.Thread | None = None
_owner = 0
_idle = threading.Event()


def soon(task: str, about: int | str | None = None) -> None:
    """Have a task done soon: about a row or a gateway, or about whatever waits. Returns at once."""
    global _thread, _owner
    with _lock:
        _idle.clear()
        if len(_asked) < MOST:
            _asked.add((task, about))
        _some.set()
        if _thread is None or _owner != os.getpid():  # a fork has no threads of its parent
            _owner = os.getpid()
            _thread = threading.Thread(target=_ask_forever, daemon=True, name="wake")
            _thread.start()


@atexit.register
def _last() -> None:
    """A command that ends right after its act still gets to ask, if the broker answers at once."""
    if _thread is not None and _owner == os.getpid():
        _idle.wait(celery.PATIENCE)


def _ask_forever() -> None:
    while True:
        _some.wait()
        threading.Event().wait(GATHERED)
        with _lock:
            asked = set(_asked)
            _asked.clear()
            _some.clear()
        try:
            _ask(asked)
        except Exception as error:
            log.warning("the broker does not answer: %s", type(error).__name__)
            threading.Event().wait(REST)
        with _lock:
            if not _asked:
                _idle.set()


def _ask(asked: set[tuple[str, Any]]) -> None:
    cases = sorted(about for task, about in asked if task == "terms_of")
    with celery.app.connection_for_write() as link:
        link.ensure_connection(max_retries=1, interval_start=0, timeout=celery.PATIENCE)
        for task, about in sorted(asked, key=str):
            if task != "terms_of":
                _send(link, task, [] if about is None else [about])
        if cases:
            _send(link, "terms_of", [cases])


def _send(link: Any, task: str, args: list[Any]) -> None:
    celery.app.tasks[f"sanwen.{task}"].apply_async(args, connection=link, retry=False)


@receiver(acted)
def after_act(sender: Any, *, case_id: int, **_more: Any) -> None:
    """A record wants its place in the log, news want to be spread, and what the act made due is."""
    soon("log")
    soon("news")
    soon("terms_of", case_id)


@receiver(erased)
def after_erasure(sender: Any, *, case_ids: list[int], **_more: Any) -> None:
    """A step that only waited for what was erased goes on."""
    for case_id in case_ids:
        soon("terms_of", case_id)


@receiver(post_save, sender=Job)
def after_asking(sender: Any, *, created: bool, instance: Job, **_more: Any) -> None:
    """Work that a page asked for."""
    if created:
        from workflows import jobs

        task = "long_jobs" if instance.kind in jobs.LONG else "jobs"
        transaction.on_commit(lambda: soon(task))
