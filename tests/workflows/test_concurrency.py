"""Several at once, and killed in the middle: nothing lost, nothing twice.

Real processes on the real database of the test run: SQLite (WAL), or PostgreSQL in the city stack.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection, connections

from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars, clock, records
from workflows.models import Case, Community, Record, StepRun
from workflows.parties import Party

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]

ROOT = Path(__file__).resolve().parents[2]
OFFICE = Party("office", "person:1")
NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)


@pytest.fixture
def case(transactional_db):
    calendars.seed()
    SandboxDirectory.reset()
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    with clock.at(NOON):
        return acts.open_case(Errand, estate, OFFICE, title="甲")


def database_address() -> str:
    """The test database, as the variable SANWEN_DATABASE names it."""
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    user = f"{known['USER']}:{known['PASSWORD']}" if known["PASSWORD"] else known["USER"]
    host = f"{known['HOST']}:{known['PORT']}" if known["PORT"] else known["HOST"]
    # The folder of a Unix socket stands in the path, as django-environ reads it.
    return f"postgres://{user}@{'/' if host.startswith('/') else ''}{host}/{known['NAME']}"


PREAMBLE = """
import datetime as dt, os, signal
import django
django.setup()
from workflows import acts, clock, records, sweep
from workflows.parties import Party
OFFICE = Party("office", "person:1")
clock.set_now(dt.datetime.fromisoformat(os.environ["NOW"]))
"""


def start(script: str, *, now: dt.datetime = NOON) -> subprocess.Popen[bytes]:
    """A process of its own that runs `script` on the test database."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": os.environ.get("SANWEN_TEST_SETTINGS", "tests.settings"),
        "SANWEN_DATABASE": database_address(),
        "PYTHONPATH": str(ROOT),
        "NOW": now.isoformat(),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()[-2000:]
    return out.decode().strip()


def sound(case: Case) -> None:
    fresh = Case.objects.get(pk=case.pk)
    assert records.first_fault(fresh) is None
    assert fresh.length == fresh.records.count()


def in_threads(jobs):
    """Run all jobs at the same moment, each on a connection of its own; their results."""
    barrier = threading.Barrier(len(jobs))
    results: list[object] = [None] * len(jobs)

    def run(at, job):
        barrier.wait()
        try:
            results[at] = job()
        except acts.Refused as refused:
            results[at] = refused.code
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(at, job)) for at, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_two_at_once_on_one_step_one_is_told_it_is_done(case):
    with clock.at(NOON):
        results = in_threads(
            [
                lambda text=text: (
                    acts.perform(case.pk, "write", "task.done", OFFICE, {"text": text}).record.seq
                )
                for text in ("甲", "乙")
            ]
        )
    assert sorted(map(str, results)) == ["2", "closed_step"]
    sound(case)


def test_a_doubled_click_is_one_act(case):
    with clock.at(NOON):
        results = in_threads(
            [
                lambda: (
                    acts.perform(
                        case.pk, "write", "task.done", OFFICE, {"text": "甲"}, key="k"
                    ).record.seq
                )
            ]
            * 4
        )
    assert results == [2, 2, 2, 2]
    assert Record.objects.filter(act="task.done").count() == 1
    sound(case)


def test_many_acts_at_once_all_arrive_in_one_unbroken_chain(case):
    def correct():
        for _ in range(5):
            acts.perform(case.pk, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正"})

    with clock.at(NOON):
        in_threads([correct] * 4)
    assert Record.objects.filter(act="record.corrected").count() == 20
    sound(case)


def test_numbers_drawn_at_once_are_all_different(case):
    estate = case.community
    with clock.at(NOON):
        numbers = in_threads(
            [lambda: acts.open_case(Errand, estate, OFFICE, title="乙").number] * 4
        )
    assert sorted(numbers) == [f"ERR-2026-{n:04d}" for n in range(2, 6)]


KILLED = """
append = records.append
def killed(case, **kwargs):
    record = append(case, **kwargs)
    if kwargs["act"] == os.environ["KILL_AT"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return record
records.append = killed
acts.perform("ERR-2026-0001", "write", "task.done", OFFICE, {"text": "甲"}, key="k")
"""


@pytest.mark.parametrize("moment", ["task.done", "step.completed", "step.opened"])
def test_killed_in_the_middle_of_an_act_nothing_has_happened(case, moment, monkeypatch):
    monkeypatch.setenv("KILL_AT", moment)
    process = start(KILLED)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert Case.objects.get().length == 2
    assert StepRun.objects.get(name="write").is_open
    sound(case)
    with clock.at(NOON):
        acts.perform(case.pk, "write", "task.done", OFFICE, {"text": "甲"}, key="k")
    assert Record.objects.filter(act="task.done").count() == 1
    sound(case)


def test_the_sweep_run_by_four_processes_fires_each_term_once(case):
    estate = case.community
    with clock.at(NOON):
        for number in range(6):
            acts.open_case(Errand, estate, OFFICE, title=f"乙{number}")
    later = NOON + dt.timedelta(days=30)
    swept = [start("print(sweep.sweep())", now=later) for _ in range(4)]
    fired = sum(int(finish(process)) for process in swept)
    assert fired == 7
    assert Record.objects.filter(act="term.ended").count() == 7
    for each in Case.objects.all():
        sound(each)


def test_a_sweep_killed_half_way_is_finished_by_the_next(case):
    estate = case.community
    with clock.at(NOON):
        for number in range(4):
            acts.open_case(Errand, estate, OFFICE, title=f"乙{number}")
    script = """
done = 0
perform = acts.perform
def counted(*args, **kwargs):
    global done
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    done += 1
    return perform(*args, **kwargs)
acts.perform = counted
sweep.sweep()
"""
    later = NOON + dt.timedelta(days=30)
    killed = start(script, now=later)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert Record.objects.filter(act="term.ended").count() == 2
    finish(start("sweep.sweep()", now=later))
    assert Record.objects.filter(act="term.ended").count() == 5
