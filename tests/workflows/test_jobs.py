"""Background work: claimed once, taken up again when its worker dies, gone when it expires."""

from __future__ import annotations

import datetime as dt
import io

import pytest

from workflows import clock, jobs
from workflows.models import Job

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
done: list[int] = []


def work(job, told):
    """A job that tells once and has a private result."""
    done.append(job.pk)
    told(50)
    return io.BytesIO(b"result")


def dies(job, told):
    """A job whose worker is killed."""
    raise SystemExit


def breaks(job, told):
    """A job that cannot be done."""
    raise ValueError("cannot")


@pytest.fixture(autouse=True)
def _kinds(db, monkeypatch, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    done.clear()
    for name in ("work", "dies", "breaks"):
        monkeypatch.setitem(jobs.KINDS, name, f"{__name__}.{name}")
    with clock.at(NOON):
        yield


def test_a_job_is_done_once_and_has_its_result():
    job = jobs.queue("work", None)
    assert jobs.run_waiting() == 1
    assert jobs.run_waiting() == 0
    job = Job.objects.get(pk=job.pk)
    assert (job.state, job.progress, done) == ("done", 100, [job.pk])
    assert job.result.read() == b"result"


def test_the_same_work_is_not_queued_twice():
    assert jobs.queue("work", None, a=1) == jobs.queue("work", None, a=1)
    assert jobs.queue("work", None, a=2).pk != jobs.queue("work", None, a=1).pk


def test_long_work_waits_for_a_worker_of_its_own(monkeypatch):
    monkeypatch.setattr(jobs, "LONG", {"breaks"})
    jobs.queue("breaks", None)
    short = jobs.queue("work", None)
    assert jobs.run_waiting(jobs.KINDS.keys() - jobs.LONG) == 1
    assert done == [short.pk]
    assert jobs.run_waiting(jobs.LONG) == 1


def test_two_workers_never_claim_the_same_job(monkeypatch):
    jobs.queue("work", None)
    assert jobs._claimed() is not None
    assert jobs._claimed() is None


def test_what_a_killed_worker_left_is_taken_up_when_its_lease_is_over():
    job = jobs.queue("dies", None)
    with pytest.raises(SystemExit):
        jobs.run_waiting()
    job = Job.objects.get(pk=job.pk)
    assert job.state == "running"
    assert jobs._claimed() is None
    with clock.at(NOON + jobs.LEASE + dt.timedelta(seconds=1)):
        again = jobs._claimed()
    assert again is not None
    assert again.tries == 2


def test_a_job_that_kills_every_worker_fails_in_the_end():
    job = jobs.queue("dies", None)
    moment = NOON
    for _ in range(jobs.TRIES):
        with clock.at(moment), pytest.raises(SystemExit):
            jobs.run_waiting()
        moment += jobs.LEASE + dt.timedelta(seconds=1)
    with clock.at(moment):
        assert jobs.run_waiting() == 1
    assert Job.objects.get(pk=job.pk).state == "failed"


def test_a_worker_whose_lease_another_took_over_stops():
    job = jobs.queue("work", None)
    held = jobs._claimed()
    Job.objects.filter(pk=job.pk).update(tries=5)
    jobs._do(held)
    assert Job.objects.get(pk=job.pk).state == "running"
    assert not Job.objects.get(pk=job.pk).result


def test_what_cannot_be_done_says_so():
    job = jobs.queue("breaks", None)
    jobs.run_waiting()
    assert Job.objects.get(pk=job.pk).state == "failed"


def test_results_go_when_they_expire(tmp_path):
    jobs.queue("work", None)
    jobs.run_waiting()
    assert list((tmp_path / "jobs").iterdir())
    with clock.at(NOON + jobs.KEPT + dt.timedelta(seconds=1)):
        jobs.run_waiting()
    assert not Job.objects.exists()
    assert not list((tmp_path / "jobs").iterdir())
