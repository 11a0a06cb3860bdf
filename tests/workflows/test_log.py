"""The log: read over HTTP by someone else's client, killed, run twice, rotated, witnessed."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from tlog_scales import backend, reader, signing

from sanwen import merkle, note
from tests.sandbox.core_procedures import Errand
from tests.workflows.test_concurrency import finish, start
from workflows import acts, clock, site
from workflows.models import Checkpoint, LogKey, Record
from workflows.portal.fast import LogFirst
from workflows.records import log

from .log_cases import NOON, OFFICE, _key, case_fixture, grow  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]


def whole() -> None:
    """The log holds every record once, in order, and each checkpoint fits the tree."""
    leaves = list(Record.objects.order_by("log_index").values_list("log_index", "leaf_hash"))
    assert [index for index, _hash in leaves] == list(range(len(leaves)))
    hashes = [bytes(hashed) for _index, hashed in leaves]

    def nodes(level: int, index: int) -> bytes:
        return merkle.full_root(b"".join(hashes[index << level : (index + 1) << level]))

    for checkpoint in Checkpoint.objects.all():
        assert bytes(checkpoint.root) == merkle.root(nodes, checkpoint.size)
    newest = log.latest()
    assert newest is not None
    assert newest.size == len(leaves)


# --- someone else's client ---------------------------------------------------------------------


def test_an_independent_client_proves_every_record_and_every_earlier_checkpoint(case, live_server):
    sizes = []
    for count in (1, 2, 200, 60, 1, 300):
        grow(case, count)
        log.integrate()
        sizes.append(log.latest().size)
    theirs = reader.TilesReader(backend.HttpBackend(f"{live_server.url}/log"))
    found = theirs.get_checkpoint()
    [vkey] = [signing.Vkey.from_string(key.vkey) for key in LogKey.objects.all()]
    found.verify(vkey)
    assert found.origin == "log.example"
    assert found.size == Record.objects.count() == sizes[-1]
    assert theirs.calculate_root_hash() == found.root_hash
    for record in Record.objects.order_by("log_index"):
        assert theirs.get_entry(record.log_index) == record.canonical.encode()
        path = theirs.get_inclusion_proof(record.log_index, found.size)
        path.check(merkle.leaf_hash(record.canonical.encode()), found.root_hash)
    for earlier in Checkpoint.objects.exclude(size=found.size):
        path = theirs.get_consistency_proof(earlier.size, found.size)
        path.check(bytes(earlier.root), found.root_hash)
    assert len(sizes) == Checkpoint.objects.count()


def test_their_check_of_the_time_that_the_log_gives_itself(case):
    with clock.at(NOON):
        log.integrate()
    text = log.signed_note(log.latest())
    own = log.signer().verifier
    assert note.Note.parse(text).cosigned_at(own) == int(NOON.timestamp())


def test_partial_tiles_never_change(case, client):
    grow(case, 5)
    log.integrate()
    path = merkle.tile_path(0, 0, 7)
    before = client.get(f"/log/{path}")
    assert before.status_code == 200
    assert "immutable" in before["Cache-Control"]
    grow(case, 260)
    log.integrate()
    assert client.get(f"/log/{path}").content == before.content
    entries = client.get(f"/log/{merkle.tile_path('entries', 0)}").content
    assert len(merkle.unbundle(entries)) == 256
    assert len(client.get(f"/log/{merkle.tile_path(1, 0, 1)}").content) == 32


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/001",
        "tile/0/000.p/255",
        "tile/9/000",
        "tile/entries/000",
        "tile/0/x",
        "tile/0/%2e%2e/key",
    ],
)
def test_what_is_not_there_is_not_there_yet(case, client, path):
    log.integrate()
    answer = client.get(f"/log/{path}")
    assert answer.status_code == 404
    assert answer["Cache-Control"] == "no-store"


def test_before_the_first_record_there_is_no_checkpoint(db, client):
    assert client.get("/log/checkpoint").status_code == 404
    assert client.get("/log/key").status_code == 404
    assert client.get("/log/").status_code == 200


# --- the sequencer -----------------------------------------------------------------------------


def test_records_are_in_the_order_of_their_entry_across_cases(case):
    estate = case.community
    with clock.at(NOON - dt.timedelta(days=3)):
        acts.open_case(Errand, estate, OFFICE, title="早")
    log.integrate()
    numbers = Record.objects.order_by("log_index").values_list("case__title", flat=True)
    assert list(numbers) == ["早", "早", "甲", "甲"]


def test_a_clock_set_back_does_not_turn_a_case_round(case):
    grow(case, 2, NOON + dt.timedelta(hours=1))
    Record.objects.filter(seq=3).update(at=NOON - dt.timedelta(days=1))
    log.integrate()
    assert list(Record.objects.order_by("log_index").values_list("seq", flat=True)) == [0, 1, 2, 3]


def test_no_new_record_no_new_checkpoint(case):
    assert log.integrate() == 2
    assert log.integrate() == 0
    assert Checkpoint.objects.count() == 1


def test_an_act_does_not_wait_for_the_log(case):
    """No query of an act touches the log's tables."""
    grow(case, 1)
    with CaptureQueriesContext(connection) as queries:
        grow(case, 1)
    assert not [q for q in queries if "logtile" in q["sql"] or "loghead" in q["sql"]]


def test_four_sequencers_at_once_make_one_tree(case):
    grow(case, 30)
    barrier = threading.Barrier(4)
    done = []

    def run() -> None:
        barrier.wait()
        try:
            while count := log.integrate(limit=5):
                done.append(count)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(done) == 32
    whole()


KILLED = """
from workflows.records import log, seen
from django.conf import settings
settings.SANWEN_LOG_KEY = os.environ["LOG_KEY"]
settings.SANWEN_LOG_ORIGIN = "log.example"
moment = os.environ["KILL_AT"]
def dying(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == "placed":
    log._Tiles.save = dying
elif moment == "tiles":
    log.merkle.root = dying
elif moment == "signed":
    log.Checkpoint.objects.create = dying
log.integrate()
"""


@pytest.mark.parametrize("moment", ["placed", "tiles", "signed"])
def test_a_sequencer_killed_at_any_moment_has_done_nothing(case, monkeypatch, moment):
    grow(case, 3)
    log.integrate()
    grow(case, 300)
    monkeypatch.setenv("KILL_AT", moment)
    monkeypatch.setenv("LOG_KEY", str(log.signer()))
    killed = start(KILLED)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert log.latest().size == 5
    assert Record.objects.filter(log_index=None).count() == 300
    assert len(log.hashes(0, 0)) == 5 * 32
    finish(start(KILLED.replace("moment = os.environ", "moment = ''; os.environ")))
    whole()


def test_one_whose_transaction_is_half_way_is_waited_for_and_not_skipped(case):
    """A record with a lower key that is committed later is not forgotten."""
    log.integrate()
    with clock.at(NOON):
        other = acts.open_case(Errand, case.community, OFFICE, title="乙")
    low = Record.objects.filter(case=other).order_by("pk").first()
    Record.objects.filter(pk=low.pk).update(log_index=None)
    grow(case, 2)
    log.integrate()
    whole()


# --- keys --------------------------------------------------------------------------------------


def test_without_a_key_nothing_is_signed_and_it_is_said_how_to_get_one(case, settings, tmp_path):
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "none"
    settings.DEMO = False
    with pytest.raises(log.NoKey, match="log_key new"):
        log.integrate()
    assert not Checkpoint.objects.exists()
    settings.DEMO = True
    assert log.integrate() == 2
    assert (tmp_path / "none").stat().st_mode & 0o077 == 0


def test_a_key_that_is_not_the_log_s_is_refused(case, settings, tmp_path):
    log.integrate()
    grow(case, 1)
    settings.SANWEN_LOG_KEY = str(note.Signer.make("log.example"))
    with pytest.raises(log.NoKey, match="rotate"):
        log.integrate()
    assert log.latest().size == 2


def test_rotation_keeps_the_old_key_s_last_checkpoint_and_names_the_new_in_the_log(
    case, client, settings
):
    log.integrate()
    old = log.signer().verifier
    grow(case, 3)
    call_command("log_key", "rotate")
    new = log.signer().verifier
    assert new != old
    last = log.latest()
    assert note.open_checkpoint(str(last.note), [old])
    change = Record.objects.get(act="log.key_rotated")
    assert change.log_index == last.size - 1
    assert (change.body["old"], change.body["new"]) == (str(old), str(new))
    assert site.case().number.startswith("SITE-")
    grow(case, 1)
    log.integrate()
    note.open_checkpoint(log.latest().note, [new])
    lines = client.get("/log/keys").content.decode().splitlines()
    assert lines == [f"0 {last.size} {old}", f"{last.size} - {new}"]
    assert client.get("/log/key").content.decode() == f"{new}\n"
    whole()


def test_a_second_first_key_is_refused(case):
    with pytest.raises(CommandError, match="already"):
        call_command("log_key", "new")


# --- the layer ahead of Django -----------------------------------------------------------------


def ask(app: LogFirst, path: str) -> tuple[int, bytes, dict[bytes, bytes]]:
    sent = []

    async def send(message):
        sent.append(message)

    async def run():
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        await app(scope, None, send)

    asyncio.run(run())
    return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])


async def _django(scope, receive, send):
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"django"})


def test_the_fast_layer_gives_what_the_views_give(case, client):
    grow(case, 300)
    log.integrate()
    app = LogFirst(_django)
    size = log.latest().size
    for path in (merkle.tile_path(0, 0), merkle.tile_path("entries", 1, size - 256)):
        for _twice in range(2):
            status, body, headers = ask(app, f"/log/{path}")
            assert status == 200
            assert body == client.get(f"/log/{path}").content
            assert b"immutable" in headers[b"cache-control"]
    for index in (0, 5, 255, 256, size - 1):
        for _twice in range(2):
            status, body, _headers = ask(app, f"/log/proof/{index}")
            assert body == client.get(f"/log/proof/{index}").content
    for path in (f"/log/proof/{size}", "/log/tile/0/009", "/log/key", "/cases/"):
        assert ask(app, path)[0] == 299
