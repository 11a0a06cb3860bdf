"""The machine's clock is set back or ahead: the record keeps its order, terms are neither fired
twice nor shortened, and the log still verifies."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import pytest
from django.db import connection

from sanwen import note
from sanwen.verify import Trust, verify
from tests.processes.community.erasure_cases import Needs, Place
from tests.processes.community.erasure_cases import place as place
from workflows import acts, clock, doubt, records, sweep
from workflows.models import Case, Checkpoint, Record, StepRun
from workflows.records import log

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]

HOURS = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _key(settings: Any, tmp_path: Any) -> None:
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "log.key"
    log.write_key(note.Signer.make(settings.SANWEN_LOG_ORIGIN), tmp_path / "log.key")


def asked(place: Place) -> Case:
    """A second case, in which nobody has spoken."""
    return acts.open_case(Needs, place.community, place.staff("office"), title="再次问需")


def say(place: Place, case: Case, text: str) -> Record:
    party = place.owner(1, "household")
    return acts.perform(case, "ask", "opinion.submitted", party, {"text": text}).record


def test_set_back_the_record_keeps_its_order_and_says_what_the_clock_said(
    place: Place, live_server: Any
) -> None:
    case = place.consultation()
    began = clock.now()
    say(place, case, "钟拨回之前的意见")
    log.integrate()
    clock.set_now(began - 2 * HOURS)
    after = say(place, case, "钟拨回之后的意见")
    assert after.at == began
    assert after.content["at"] == began.isoformat(timespec="seconds")
    assert after.content["happened_at"] == (began - 2 * HOURS).isoformat(timespec="seconds")
    other = asked(place)
    first = other.records.get(seq=0)
    assert first.at == began, "the log had signed for that time"
    run = other.runs.get(name="ask")
    assert run.ends_at == case.runs.get(name="ask").ends_at, "the term is not shorter"
    log.integrate()

    clock.set_now(began + HOURS)
    put_right = say(place, case, "钟拨正之后的意见")
    assert "happened_at" not in put_right.content
    log.integrate()
    times = list(Checkpoint.objects.order_by("size").values_list("at", flat=True))
    assert times == sorted(times)
    own = log.signer().verifier
    told = [note.Note.parse(c.note).cosigned_at(own) for c in Checkpoint.objects.order_by("size")]
    assert told == [int(began.timestamp()), None, int((began + HOURS).timestamp())]
    assert verify(live_server.url, Trust([own])).status == 0
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None


def test_set_ahead_and_put_right_the_log_still_verifies(place: Place, live_server: Any) -> None:
    case = place.consultation()
    began = clock.now()
    clock.set_now(began + 24 * HOURS)
    say(place, case, "钟快了一天时的意见")
    log.integrate()
    clock.set_now(began + HOURS)
    other = asked(place)
    say(place, other, "钟拨正之后的意见")
    log.integrate()
    assert verify(live_server.url, Trust([log.signer().verifier])).status == 0
    ends = other.runs.get(name="ask").ends_at
    assert ends >= case.runs.get(name="ask").ends_at, "the term is not shorter"


def test_a_term_fires_once_however_the_clock_jumps(place: Place) -> None:
    case = place.consultation()
    run = StepRun.objects.get(process=case, name="ask")
    ended = Record.objects.filter(run=run, act="term.ended")
    for moment in (run.ends_at + HOURS, run.ends_at - HOURS, run.ends_at + 2 * HOURS):
        clock.set_now(moment)
        sweep.sweep()
    assert ended.count() == 1


@pytest.fixture
def counter() -> list[float]:
    return [1000.0]


def test_a_clock_that_jumped_ahead_fires_nothing_until_it_is_right_again(
    place: Place, counter: list[float], caplog: Any, monkeypatch: Any
) -> None:
    case = place.consultation()
    run = StepRun.objects.get(process=case, name="ask")
    witness = doubt.Witness(lambda: counter[0])
    monkeypatch.setattr(doubt, "machine", lambda: witness)
    monkeypatch.setattr(clock, "stands", lambda: False)
    began = clock.now()

    def swept() -> bool:
        """Sweep; whether that fired the term."""
        sweep.sweep()
        return Record.objects.filter(run=run, act="term.ended").exists()

    clock.set_now(run.ends_at + HOURS)
    counter[0] += 5
    with caplog.at_level(logging.ERROR, "sanwen.sweep"):
        assert not swept()
        assert not swept()
    assert caplog.text.count("set ahead") == 1, "said once"
    # Put right, it is believed; so is one that runs a little fast, for however long.
    clock.set_now(began + dt.timedelta(seconds=5))
    assert witness.doubts() == ""
    for _day in range(60):
        counter[0] += 86_400 / 60
        clock.set_now(clock.now() + dt.timedelta(seconds=86_400 / 60 + 30))
        assert witness.doubts() == ""
    # And the term fires when its time has really come.
    counter[0] += (run.ends_at - clock.now()).total_seconds() + 60
    clock.set_now(run.ends_at + dt.timedelta(seconds=30))
    assert swept()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no clock of its own")
def test_a_machine_ahead_of_the_database_fires_nothing(
    place: Place, counter: list[float], monkeypatch: Any
) -> None:
    clock.set_now(None)
    witness = doubt.Witness(lambda: counter[0])
    assert witness.doubts() == ""
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + HOURS)
    witness.wall = clock.now()
    assert "the database's" in witness.doubts()
