"""Others look at the log: witnesses sign it, and anyone verifies it."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.core.management import call_command

from sanwen import client as log_client
from sanwen import merkle, note, witness
from sanwen.verify import Trust, verify
from workflows import clock
from workflows.models import Checkpoint, LogTile, Record
from workflows.records import log, seen

from .log_cases import NOON, _key, case_fixture, grow  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]


# --- witnesses ---------------------------------------------------------------------------------


@pytest.fixture
def watcher(settings, tmp_path):
    own = witness.own_key(tmp_path / "witness.key", "witness.example")
    log.witnesses.cache_clear()
    settings.SANWEN_WITNESSES = [str(own.verifier)]
    yield tmp_path / "witness.key"
    log.witnesses.cache_clear()


def look(live_server, key_file, verifier=None):
    own = verifier or log.signer().verifier
    return witness.run_once(live_server.url, own, key_file, "witness.example")


def test_a_witness_elsewhere_signs_what_grew_and_the_log_shows_it(
    case, live_server, watcher, client
):
    for count in (1, 300, 2):
        grow(case, count)
        log.integrate()
        look(live_server, watcher)
    text = client.get("/log/checkpoint").content.decode()
    own = witness.own_key(watcher, "").verifier
    assert note.Note.parse(text).cosigned_at(own) is not None
    assert "witness.example" in client.get("/log/").content.decode()


def test_a_witness_does_not_sign_a_log_that_forgot_or_changed(case, live_server, watcher):
    grow(case, 10)
    log.integrate()
    look(live_server, watcher)
    grow(case, 4)
    log.integrate()
    tile = LogTile.objects.get(level=0, number=0)
    tile.hashes = b"\1" * 32 + bytes(tile.hashes)[32:]
    tile.save()
    with pytest.raises(witness.Refuses):
        look(live_server, watcher)
    Checkpoint.objects.filter(size__gte=12).delete()
    text = note.Checkpoint("log.example", 3, b"\3" * 32).text
    Checkpoint.objects.create(
        size=3, root=b"\3" * 32, at=NOON, note=f"{text}\n{log.signer().sign(text)}"
    )
    with pytest.raises(witness.Refuses, match="shrank"):
        look(live_server, watcher)


def test_only_a_configured_witness_s_true_signature_is_kept(case, client, watcher):
    log.integrate()
    text = str(log.latest().note)
    stranger = note.Signer.make("witness.example")
    body = note.Note.parse(text).text
    for line in (stranger.cosign(body, 1), note.Signer.make("other").cosign(body, 1)):
        answer = client.post("/log/cosignatures", text + line, content_type="text/plain")
        assert answer.status_code == 422
    own = witness.own_key(watcher, "")
    other = note.Checkpoint("log.example", 9, b"\3" * 32).text
    forged = f"{other}\n{own.cosign(other, 1)}"
    assert client.post("/log/cosignatures", forged, content_type="text/plain").status_code == 422
    assert client.post("/log/cosignatures", b"\xff", content_type="text/plain").status_code == 422
    assert not log.latest().cosignatures.exists()
    good = text + own.cosign(body, int(NOON.timestamp()))
    assert client.post("/log/cosignatures", good, content_type="text/plain").status_code == 200
    assert (
        client.get("/log/checkpoint")
        .content.decode()
        .endswith(own.cosign(body, int(NOON.timestamp())))
    )


def test_our_own_reader_reads_it(case, live_server):
    grow(case, 300)
    log.integrate()
    fetch = log_client.fetch_from(live_server.url)
    found, _note = note.open_checkpoint(fetch("checkpoint").decode(), log.verifiers())
    assert merkle.root(log_client.nodes(fetch, found.size), found.size) == found.root
    lines = Record.objects.order_by("log_index").values_list("canonical", flat=True)
    assert [r.decode() for r in log_client.records(fetch, found.size)] == list(lines)
    assert len(list(log_client.records(fetch, found.size, start=280))) == found.size - 280


# --- anyone's verifier -------------------------------------------------------------------------


def codes(result) -> list[str]:
    return [line.code for line in result.lines]


def test_the_verifier_finds_the_site_s_own_log_sound_through_growth_and_new_keys(
    case, live_server, tmp_path
):
    trust = Trust(state=tmp_path / "seen.json")
    for hour, count in enumerate((1, 300, 20)):
        moment = NOON + dt.timedelta(hours=hour)
        grow(case, count, moment)
        with clock.at(moment):
            log.integrate()
        result = verify(live_server.url, trust, now=moment)
        assert result.status == 0, [line.text("en") for line in result.lines]
    first_key = log.verifiers()[0]
    with clock.at(moment):
        call_command("log_key", "rotate")
    grow(case, 2, moment)
    with clock.at(moment):
        log.integrate()
    for each in (trust, Trust([first_key]), Trust([log.signer().verifier])):
        result = verify(live_server.url, each, now=moment)
        assert result.status == 0, [line.text("en") for line in result.lines]
        assert {"root_holds", "cases_hold", "times_hold"} <= set(codes(result))


def test_the_verifier_sees_what_was_done_in_the_database(case, live_server):
    grow(case, 20)
    with clock.at(NOON):
        log.integrate()
    key = Trust([log.signer().verifier])
    record = Record.objects.get(log_index=9)
    before = record.canonical
    for changed in (before.replace("office", "owner"), before.replace('"seq":', '"seq": ')):
        Record.objects.filter(pk=record.pk).update(canonical=changed)
        found = verify(live_server.url, key).first_fault
        assert (found.code, found.about) == ("leaf_wrong", {"index": 9})
    Record.objects.filter(pk=record.pk).update(canonical=before)
    assert verify(live_server.url, key).status == 0


def test_a_backlog_taken_in_by_parts_tells_no_time_before_its_end(case, live_server):
    grow(case, 30)
    with clock.at(NOON + dt.timedelta(hours=5)):
        while log.integrate(limit=7):
            pass
    assert verify(live_server.url, Trust([log.signer().verifier])).status == 0
    own = log.signer().verifier
    told = [note.Note.parse(c.note).cosigned_at(own) for c in Checkpoint.objects.order_by("size")]
    assert told[:-1] == [None] * (len(told) - 1)
    assert told[-1] is not None


def test_checkpoints_are_listed_in_pages(case, client, monkeypatch):
    monkeypatch.setattr(log, "PAGE", 2)
    for _ in range(5):
        grow(case, 1)
        log.integrate()
    sizes = []
    start = 0
    while page := client.get(f"/log/checkpoints/{start}").content.decode().splitlines():
        sizes += [json.loads(line)["size"] for line in page]
        start = sizes[-1] + 1
    assert sizes == [3, 4, 5, 6, 7]


# --- a database that was brought back ----------------------------------------------------------


def test_a_database_that_lacks_what_was_signed_signs_nothing(case, settings, tmp_path, client):
    settings.SANWEN_LOG_SEEN = tmp_path / "log.seen"
    log.integrate()
    grow(case, 2)
    log.integrate()
    assert f"\n{log.latest().size}\n" in (tmp_path / "log.seen").read_text()
    assert client.get("/readyz").json()["parts"]["log"] is True
    # The newest checkpoint is another one: the database is of an earlier moment, and grew since.
    Checkpoint.objects.filter(size=log.latest().size).update(root=b"x" * 32)
    grow(case, 1)
    with pytest.raises(log.Shortened, match="nothing is signed"):
        log.integrate()
    assert log.waiting()
    assert client.get("/readyz").json()["parts"]["log"] is False


def test_only_a_newer_checkpoint_of_this_log_is_remembered(case, settings, tmp_path):
    settings.SANWEN_LOG_SEEN = tmp_path / "log.seen"
    log.integrate()
    kept = (tmp_path / "log.seen").read_text()
    key = log.signer()
    older = note.Checkpoint("log.example", 0, merkle.EMPTY_ROOT).text
    seen.remember(f"{older}\n{key.sign(older)}")
    seen.remember("none at all")
    assert (tmp_path / "log.seen").read_text() == kept
    # That of another log, as after a move of the folder, stops nobody.
    other = note.Signer.make("other.example")
    longer = note.Checkpoint("other.example", 10**6, b"x" * 32).text
    seen.remember(f"{longer}\n{other.sign(longer)}")
    assert seen.remembered() != kept
    assert seen.lost("log.example") is None
    grow(case, 1)
    assert log.integrate() == 1
