"""The sweep: what happens when a term runs out. Safe in many copies, and to kill.

Each due run is one act of the clock through the one door. The door locks the case and looks at the
run again, so that of several sweeps that saw the same run only the first does anything.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from functools import partial

from django.db import InterfaceError, OperationalError, close_old_connections
from django.db.models import Q

from . import acts, calendars, clock, doubt
from . import procedure as procedures
from .models.case import StepRun
from .parties import Party

log = logging.getLogger("sanwen.sweep")


BATCH = 500


def due(
    now: dt.datetime, only: Q | None = None, after: tuple[dt.datetime, int] | None = None
) -> list[tuple[int, int, str, dt.datetime]]:
    """Runs whose scheduled moment has come: key, case, step and moment, the longest due first.

    At most 500, those that come after `after` (moment and key). Provisional terms are not due.
    """
    found = StepRun.objects.filter(
        only or Q(),
        finished__isnull=True,
        scheduled__lte=now,
        provisional=False,
        process__suspended_at__isnull=True,
        process__finished__isnull=True,
    )
    if after is not None:
        moment, key = after
        found = found.filter(Q(scheduled__gt=moment) | Q(scheduled=moment, pk__gt=key))
    ordered = found.order_by("scheduled", "pk")
    return list(ordered.values_list("pk", "process_id", "name", "scheduled")[:BATCH])


def sweep(only: Q | None = None, most: int | None = None) -> int:
    """Fire every due term once (of the runs that `only` selects), or the `most` longest due;
    returns how many fired.

    A provisional term (one that reaches a year whose days off are not yet announced) fires nothing:
    once the year is loaded it is computed again, with a record. A run that cannot be fired now is
    passed by, however many there are, and tried again by the next sweep. By a clock that is in
    doubt nothing is fired (`doubt`).
    """
    fired = 0
    if not clock.stands() and doubt.machine().doubts():
        return 0
    recompute_provisional()
    now = clock.now()
    if only is None:
        forget_outdated(now)
    after: tuple[dt.datetime, int] | None = None
    while batch := due(now, only, after):
        for run_id, case_id, name, scheduled in batch:
            after = scheduled, run_id
            if _quietly(run_id, partial(_fire, run_id, case_id, name)):
                fired += 1
            if most is not None and fired >= most:
                return fired
    return fired


def _quietly(run_id: int, fire: Callable[[], bool]) -> bool:
    """Whether a run was fired; one broken case must not stop the terms of all others."""
    try:
        return fire()
    except acts.Refused as refused:
        log.info("run %s not fired: %s", run_id, refused.code)
    except OperationalError:
        log.warning("run %s is locked; the next sweep takes it", run_id)
    except Exception:
        log.exception("run %s failed to fire", run_id)
    return False


def _fire(run_id: int, case_id: int, name: str) -> bool:
    run = StepRun.objects.only("provisional", "scheduled", "finished").get(pk=run_id)
    if run.provisional or run.finished or run.scheduled is None or run.scheduled > clock.now():
        return False
    done = acts.perform(case_id, name, "term.ended", Party.clock(), key=_key(run))
    return not done.repeated


def _key(run: StepRun) -> str:
    # The same due moment of the same run fires once, whichever sweep comes first.
    assert run.scheduled is not None
    return f"clock:{run.pk}:{run.scheduled.timestamp():.0f}"


def recompute_provisional() -> int:
    """Compute provisional terms again whose years have been loaded meanwhile; returns how many."""
    calendar = calendars.current()
    open_runs = StepRun.objects.filter(
        provisional=True, finished__isnull=True, ends_on__isnull=False
    ).filter(process__finished__isnull=True, process__suspended_at__isnull=True)
    count = 0
    for run in open_runs:
        assert run.ends_on is not None
        if not calendar.is_settled(run.ends_on):
            continue
        if _quietly(run.pk, partial(_recompute, run, calendar.version(run.ends_on.year))):
            count += 1
    return count


def forget_outdated(now: dt.datetime) -> int:
    """Have every procedure erase what it keeps of people no longer; returns how many cases did."""
    count = 0
    for declared in procedures.all_declared():
        for case_id in declared.outdated(now).values_list("pk", flat=True)[:BATCH]:
            # Of several sweeps that saw the same case only the first finds anything.
            count += _quietly(case_id, partial(_forget, case_id))
    return count


def _forget(case_id: int) -> bool:
    acts.perform(case_id, acts.CASE, "retention.ended", Party.clock())
    return True


def _recompute(run: StepRun, loaded: int) -> bool:
    key = f"recount:{run.pk}:{run.ends_on}@{loaded}"
    done = acts.perform(run.process_id, run.name, "term.recomputed", Party.clock(), key=key)
    return not done.repeated


def run_forever(pause: float, stop: object) -> None:
    """Sweep every `pause` seconds until `stop` (a threading.Event) is set."""
    while not stop.wait(pause):  # type: ignore[attr-defined]
        try:
            sweep()
        except (InterfaceError, OperationalError):
            log.warning("the database does not answer; trying again")
        finally:
            close_old_connections()
