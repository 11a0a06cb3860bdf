"""Several at once, and killed in the middle: nothing lost, nothing twice.

Real processes on the real database of the test run: SQLite (WAL), or PostgreSQL in the city stack.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from tests.sandbox.ballot_procedures import Vote
from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars, clock, records, sweep
from workflows.counting import RollUnit
from workflows.models import BallotPaper, Case, Community, Disclosure, Record, StepRun, Trace
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
        stdin=subprocess.PIPE,
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


STARTED_TOGETHER = """
import sys
print("ready", flush=True)
sys.stdin.readline()
def attempt(*args, **kwargs):
    try:
        done = acts.perform(*args, **kwargs)
        return f"{done.record.seq}{'r' if done.repeated else ''} {done.receipt}"
    except acts.Refused as refused:
        return refused.code
"""


def together(*scripts: str) -> list[str]:
    """Run each script in a process of its own, all let go at the same moment; what each printed."""
    processes = [start(STARTED_TOGETHER + script) for script in scripts]
    for process in processes:
        assert process.stdout.readline() == b"ready\n", process.communicate(timeout=120)[1]
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    return [finish(process) for process in processes]


def write(text: str, key: str = "") -> str:
    return (
        'print(attempt("ERR-2026-0001", "write", "task.done", OFFICE,'
        f' {{"text": "{text}"}}, key="{key}"))'
    )


def test_two_workers_on_one_step_one_is_told_it_is_done(case):
    first, second = sorted(together(write("甲"), write("乙")))
    assert first.startswith("2 ")
    assert second == "closed_step"
    assert Record.objects.filter(act="task.done").count() == 1
    sound(case)


def test_a_doubled_click_is_one_act_with_one_receipt(case):
    answers = together(*[write("甲", key="k")] * 4)
    receipts = {answer.split()[1] for answer in answers}
    assert sorted(answer.split()[0] for answer in answers) == ["2", "2r", "2r", "2r"]
    assert len(receipts) == 1
    assert Record.objects.filter(act="task.done").count() == 1
    sound(case)


def test_a_doubled_click_that_opens_a_case_opens_one(case):
    script = """
from tests.sandbox.core_procedures import Errand
from workflows.models import Community
estate = Community.objects.get()
print(acts.open_case(Errand, estate, OFFICE, title="乙", key="k").number)
"""
    assert set(together(*[script] * 4)) == {"ERR-2026-0002"}
    assert Case.objects.count() == 2


def test_two_parallel_branches_that_end_at_once_meet_once(case):
    """Each worker takes another branch; the join must neither be missed nor passed twice."""
    with clock.at(NOON):
        acts.perform(case.pk, "write", "task.done", OFFICE, {"text": "甲"})
    branch = (
        'print(attempt("ERR-2026-0001", "%s", "task.done", Party("%s", "person:%s"),'
        ' {"note": "可"}))'
    )
    together(branch % ("check_a", "office", 1), branch % ("check_b", "reviewer", 2))
    assert StepRun.objects.filter(name="decide").count() == 1
    assert StepRun.objects.get(name="decide").is_open
    sound(case)


def test_many_acts_at_once_all_arrive_in_one_unbroken_chain(case):
    script = """
for _ in range(5):
    acts.perform("ERR-2026-0001", "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正"})
print("done")
"""
    assert together(*[script] * 4) == ["done"] * 4
    assert Record.objects.filter(act="record.corrected").count() == 20
    sound(case)


def test_numbers_drawn_at_once_are_all_different(case):
    script = """
from tests.sandbox.core_procedures import Errand
from workflows.models import Community
print(acts.open_case(Errand, Community.objects.get(), OFFICE, title="乙").number)
"""
    assert sorted(together(*[script] * 4)) == [f"ERR-2026-{n:04d}" for n in range(2, 6)]


def test_one_household_votes_once_however_many_phones_it_uses(case):
    """Two votes and the same paper number at once: one standing vote for each head."""
    SandboxDirectory.rolls["owners"] = [
        RollUnit(
            f"unit:{n}", f"{n}室", "***室", 10000, (f"owner:{n}",), may_vote_via=(f"household:{n}",)
        )
        for n in range(1, 6)
    ]
    clerk = get_user_model().objects.create(username="clerk")
    with clock.at(NOON):
        ballot = acts.open_case(Vote, case.community, OFFICE, title="表决")
        data = {
            "questions": "甲事",
            "matter": "ordinary",
            "reason": "其他重大事项。",
            "opens_on": "2026-07-01",
        }
        acts.perform(
            ballot, "ballot", "ballot.called", Party("residents_committee", "person:1"), data
        )
    opened = dt.datetime(2026, 7, 1, 9, tzinfo=clock.SHANGHAI)
    with clock.at(opened):
        assert sweep.sweep() >= 1
    vote = f"""
clock.set_now(dt.datetime.fromisoformat("{opened.isoformat()}"))
voter = Party("owner", "household:%s", %s, via="%s")
print(attempt("VOT-2026-0001", "ballot", "vote.cast", voter, %r))
"""
    online = vote % (1, None, "online", {"q1": "for"})
    papers = [vote % (n, clerk.pk, "paper", {"q1": "for", "serial": "A1"}) for n in (2, 3)]
    answers = together(online, online, *papers)
    assert sum(answer == "duplicate" for answer in answers[2:]) == 1
    standing = BallotPaper.objects.filter(standing=True).values_list("row__key", flat=True)
    assert sorted(standing)[0] == "owner:1"
    assert len(standing) == len(set(standing)) == 2
    assert Record.objects.filter(act="vote.cast").count() == 3
    sound(ballot)


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
    assert StepRun.objects.count() == 2
    assert not Trace.objects.filter(record__act="task.done").exists()
    assert not Disclosure.objects.filter(record__act="task.done").exists()
    sound(case)
    with clock.at(NOON):
        acts.perform(case.pk, "write", "task.done", OFFICE, {"text": "甲"}, key="k")
    assert Record.objects.filter(act="task.done").count() == 1
    sound(case)


def test_killed_after_the_commit_the_second_try_finds_what_the_first_did(case):
    """The answer never reached the browser; the same form, sent again, is the same act."""
    script = """
acts.perform("ERR-2026-0001", "write", "task.done", OFFICE, {"text": "甲", "name": "张三"}, key="k")
os.kill(os.getpid(), signal.SIGKILL)
"""
    process = start(script)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    with clock.at(NOON):
        again = acts.perform(
            case.pk, "write", "task.done", OFFICE, {"text": "甲", "name": "张三"}, key="k"
        )
    assert again.repeated
    assert again.receipt
    assert Record.objects.filter(act="task.done").count() == 1
    sound(case)


def test_who_waits_for_a_killed_worker_goes_on(case):
    """A worker dies while it holds the case; another one that waited for it does its act."""
    holder = start(
        """
append = records.append
def held(case, **kwargs):
    record = append(case, **kwargs)
    print("holding", flush=True)
    import sys
    sys.stdin.readline()
    return record
records.append = held
acts.perform("ERR-2026-0001", "write", "task.done", OFFICE, {"text": "甲"})
"""
    )
    assert holder.stdout.readline() == b"holding\n"
    waiting = start(STARTED_TOGETHER + write("乙"))
    assert waiting.stdout.readline() == b"ready\n"
    waiting.stdin.write(b"go\n")
    waiting.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.5)
    holder.kill()
    holder.communicate(timeout=120)
    assert finish(waiting).startswith("2 ")
    assert Record.objects.get(act="task.done").body["text"] == "乙"
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
