"""The log: one append-only Merkle tree over all records (RFC 6962, C2SP tlog-tiles).

The act's transaction writes the record and knows nothing of the tree. A sequencer (`integrate`,
run by the clock) then gives records their places in batches, in one transaction a batch: places,
tiles and the signed checkpoint appear together or not at all, so that it may be killed at any
moment. Several may run: each locks the one row of `LogHead` first.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from sanwen import merkle, note
from sanwen.note import Signer, Verifier

from .. import clock
from ..forever import repeat
from ..models.log import Checkpoint, Cosignature, LogHead, LogKey, LogTile
from ..models.record import Record
from . import seen

_watched = logging.getLogger("sanwen.log")

BATCH = 20_000
PAUSE = 1.0
"""Seconds between two looks for new records: a record is under a checkpoint within 5 seconds."""


class NoKey(ImproperlyConfigured):
    """The log has no signing key, or one that does not fit what was signed before."""


class Shortened(NoKey):
    """The database does not hold what the log has signed for before."""


# --- keys --------------------------------------------------------------------------------------


def origin() -> str:
    """The log's own name: that of the key that signs it now, else as configured."""
    current = LogKey.objects.filter(until=None).first()
    if current is not None:
        return Verifier.parse(current.vkey).name
    return settings.SANWEN_LOG_ORIGIN


def signer() -> Signer:
    """The key that signs checkpoints, from the environment or a file. Raises `NoKey`.

    In a demo one is made on first use.
    """
    text = settings.SANWEN_LOG_KEY
    path = Path(settings.SANWEN_LOG_KEY_FILE)
    try:
        if text:
            return Signer.parse(text)
        if not path.exists():
            if not settings.DEMO:
                raise NoKey(
                    "the log has no key: run `manage.py log_key new`, or set SANWEN_LOG_KEY_FILE"
                )
            write_key(Signer.make(settings.SANWEN_LOG_ORIGIN), path)
        return Signer.parse(path.read_text(encoding="ascii"))
    except note.NoteError as error:
        raise NoKey(f"the log's key cannot be read: {error}") from error


def write_key(key: Signer, path: Path) -> None:
    """Keep a private key in a file that only its owner reads; an existing one stays."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{key}\n")


def _current_key(size: int) -> Signer:
    """The signing key, introduced on first use; a key that is not the log's is refused."""
    own = signer()
    vkey = str(own.verifier)
    known = LogKey.objects.filter(until=None).first()
    if known is None:
        LogKey.objects.create(vkey=vkey, since=size, at=clock.now())
    elif known.vkey != vkey:
        raise NoKey(
            f"the log is signed with {known.vkey}, but the configured key is {vkey}; "
            "a new key is brought in with `manage.py log_key rotate`"
        )
    return own


def rotate(new: Signer) -> LogKey:
    """Let `new` sign from now on. The old key signs everything so far a last time; the change
    itself is a record of the site's case, under the old key's last checkpoint as well.

    Raises `NoKey` when the old key is not at hand, or the new one has another name or is known.
    """
    from .. import site

    with transaction.atomic():
        head = _locked_head()
        old = _current_key(head.size)
        if new.name != old.name:
            raise NoKey(f"the log's name stays {old.name}; a key of another name cannot sign it")
        if LogKey.objects.filter(vkey=str(new.verifier)).exists():
            raise NoKey("that key has signed before; make a new one")
        site.record("log.key_rotated", {"old": str(old.verifier), "new": str(new.verifier)})
        while _integrate(head, old):
            pass
        LogKey.objects.filter(until=None).update(until=head.size)
        return LogKey.objects.create(vkey=str(new.verifier), since=head.size, at=clock.now())


def verifiers() -> list[Verifier]:
    """Every key that ever signed, the first first."""
    return [Verifier.parse(key.vkey) for key in LogKey.objects.order_by("pk")]


# --- the sequencer -----------------------------------------------------------------------------


def _locked_head() -> LogHead:
    LogHead.objects.get_or_create(pk=1)
    return LogHead.objects.select_for_update().get(pk=1)


def integrate(limit: int = BATCH) -> int:
    """Give up to `limit` waiting records their places and sign a checkpoint; how many there were.

    Raises `NoKey`; then nothing has changed.
    """
    if not waiting():
        return 0
    with transaction.atomic():
        head = _locked_head()
        return _integrate(head, _current_key(head.size), limit)


def integrate_now() -> None:
    """Give all waiting records their places without waiting for the sequencer, where this process
    has the key; for what shall hold the proof of an act just done."""
    try:
        while integrate():
            pass
    except NoKey:
        pass


def go_on_without() -> Record:
    """Sign on although records are lost that the log had signed for; the record that says so.

    Raises `NoKey` where there is no key, `ValueError` where nothing is lost.
    """
    from .. import site

    with transaction.atomic():
        head = _locked_head()
        key = _current_key(head.size)
        loss = seen.lost(key.name)
        if loss is None:
            raise ValueError("nothing is lost")
        body = {"seen": loss.seen, "root": loss.root.hex(), "held": loss.held}
        said = site.record("log.shortened", body)
        seen.forget()
        while _integrate(head, key):
            pass
    return said


def waiting() -> bool:
    """Whether records have no place in the log yet."""
    return Record.objects.filter(log_index=None).exists()


def _integrate(head: LogHead, key: Signer, limit: int = BATCH) -> int:
    if (loss := seen.lost(key.name)) is not None:
        raise Shortened(
            f"the log was seen with {loss.seen} records, and this database holds {loss.held} of "
            "another history: nothing is signed. See `manage.py log_loss`"
        )
    # By time of entry. A case is locked while it grows, so that its keys are in its own order;
    # should the machine's clock have been set back, that order goes before the time.
    rows = []
    latest: dict[int, dt.datetime] = {}
    for pk, hashed, case_id, at in (
        Record.objects.filter(log_index=None)
        .order_by("pk")
        .values_list("pk", "leaf_hash", "case_id", "at")[:limit]
    ):
        latest[case_id] = max(at, latest.get(case_id, at))
        rows.append((latest[case_id], pk, hashed))
    if not rows:
        return 0
    rows.sort(key=lambda row: row[:2])
    _place([pk for _at, pk, _hash in rows], head.size)
    tiles = _Tiles()
    for place, (_at, _pk, hashed) in enumerate(rows, head.size):
        tiles.add(place, bytes(hashed))
    tiles.save()
    head.size += len(rows)
    head.save(update_fields=["size"])
    root = merkle.root(merkle.nodes_of_tiles(tiles.get), head.size)
    # The log's time never goes back. While the machine's does, a checkpoint tells none.
    before = Checkpoint.objects.order_by("-size").values_list("at", flat=True).first()
    now = clock.now()
    at = max(now, rows[-1][0], before or now)
    right = at - now <= clock.SKEW
    text = note.Checkpoint(key.name, head.size, root).text
    # The cosignature tells the time: what the checkpoint does not hold was entered after it. That
    # is not so while records wait that came before.
    told = key.cosign(text, int(at.timestamp())) if right and len(rows) < limit else ""
    signed = f"{text}\n{key.sign(text)}{told}"
    Checkpoint.objects.create(size=head.size, root=root, at=at, note=signed)
    transaction.on_commit(lambda: seen.remember(signed), robust=True)
    return len(rows)


def _place(keys: list[int], start: int) -> None:
    """Write the places of records, in the order of `keys`."""
    table = connection.ops.quote_name(Record._meta.db_table)
    with connection.cursor() as cursor:
        for at in range(0, len(keys), 400):
            part = keys[at : at + 400]
            values = ", ".join(["(%s, %s)"] * len(part))
            params = [n for i, pk in enumerate(part) for n in (pk, start + at + i)]
            cursor.execute(
                f"WITH place(id, n) AS (VALUES {values}) "  # noqa: S608 - our own table's name
                f"UPDATE {table} SET log_index = place.n FROM place WHERE {table}.id = place.id",
                params,
            )


class _Tiles:
    """The tiles that a batch reads and writes."""

    def __init__(self) -> None:
        self.held: dict[tuple[int, int], bytearray] = {}
        self.changed: set[tuple[int, int]] = set()

    def _tile(self, level: int, number: int) -> bytearray:
        place = (level, number)
        if place not in self.held:
            row = LogTile.objects.filter(level=level, number=number).first()
            self.held[place] = bytearray(row.hashes) if row else bytearray()
        return self.held[place]

    def get(self, level: int, number: int) -> bytes:
        return bytes(self._tile(level, number))

    def add(self, index: int, hashed: bytes, level: int = 0) -> None:
        number, offset = divmod(index, merkle.TILE_WIDTH)
        # A tile that begins needs no look into the database.
        if offset == 0:
            self.held.setdefault((level, number), bytearray())
        tile = self._tile(level, number)
        if len(tile) != offset * merkle.HASH_BYTES:
            raise RuntimeError(f"tile {level}/{number} does not fit the log's size")
        tile += hashed
        self.changed.add((level, number))
        if offset == merkle.TILE_WIDTH - 1:
            self.add(number, merkle.full_root(bytes(tile)), level + 1)

    def save(self) -> None:
        LogTile.objects.bulk_create(
            [
                LogTile(level=level, number=number, hashes=bytes(self.held[level, number]))
                for level, number in sorted(self.changed)
            ],
            update_conflicts=True,
            unique_fields=["level", "number"],
            update_fields=["hashes"],
        )


def sequence_forever(stop: threading.Event, pause: float = PAUSE) -> None:
    """Integrate until `stop` is set; for the clock process."""
    told = ""

    def work() -> None:
        nonlocal told
        try:
            while integrate():
                pass
            told = ""
        except NoKey as error:
            if str(error) != told:  # once, not every second
                _watched.error("%s", error)
                told = str(error)

    repeat(work, stop, pause, _watched)


# --- what readers ask --------------------------------------------------------------------------


def latest() -> Checkpoint | None:
    """The newest checkpoint."""
    return Checkpoint.objects.order_by("-size").first()


def signed_note(checkpoint: Checkpoint) -> str:
    """A checkpoint with the log's signature and the cosignatures of witnesses."""
    rows = sorted(checkpoint.cosignatures.all(), key=lambda row: row.name)
    return str(checkpoint.note) + "".join(row.line for row in rows)


PAGE = 1000
"""Checkpoints on one page of the list of all."""


def checkpoints(start: int) -> list[Checkpoint]:
    """The checkpoints from size `start` on, smallest first, a page of them."""
    found = Checkpoint.objects.filter(size__gte=start).prefetch_related("cosignatures")
    return list(found.order_by("size")[:PAGE])


def hashes(level: int, number: int) -> bytes:
    """The hashes of a tile so far; empty where it has not begun."""
    found = LogTile.objects.filter(level=level, number=number).values_list("hashes", flat=True)
    return bytes(found[0]) if found else b""


def _nodes() -> merkle.Nodes:
    return merkle.nodes_of_tiles(cache(hashes))


def inclusion(index: int, size: int) -> list[bytes]:
    """The proof that record `index` is in the tree of `size`. Raises `ValueError`."""
    return merkle.inclusion(_nodes(), index, size)


def consistency(old: int, new: int) -> list[bytes]:
    """The proof that the tree of `new` begins with that of `old`. Raises `ValueError`."""
    return merkle.consistency(_nodes(), old, new)


def proof(record: Record, checkpoint: Checkpoint | None = None) -> str | None:
    """The inclusion proof of a record with its checkpoint, as text to keep (C2SP tlog-proof).

    None while it has no place. With the newest checkpoint where none is given.
    """
    found = proofs([record], checkpoint)
    return found.get(record.pk)


def proofs(records: Iterable[Record], checkpoint: Checkpoint | None = None) -> dict[int, str]:
    """The inclusion proofs of several records by key, under one checkpoint; see `proof`."""
    checkpoint = checkpoint or latest()
    if checkpoint is None:
        return {}
    nodes = _nodes()
    text = signed_note(checkpoint)
    return {
        record.pk: note.format_proof(
            record.log_index, merkle.inclusion(nodes, record.log_index, checkpoint.size), text
        )
        for record in records
        if record.log_index is not None and record.log_index < checkpoint.size
    }


def bundle(number: int, width: int) -> bytes | None:
    """The entry bundle with that number and so many records, or None where they are not there."""
    start = number * merkle.TILE_WIDTH
    lines = list(
        Record.objects.filter(log_index__gte=start, log_index__lt=start + width)
        .order_by("log_index")
        .values_list("canonical", flat=True)
    )
    return merkle.bundle([line.encode() for line in lines]) if len(lines) == width else None


def tile(path: str) -> bytes | None:
    """The tile or entry bundle at an address below the log's, or None where there is none (yet)."""
    try:
        level, number, width = merkle.parse_tile_path(path)
    except ValueError:
        return None
    if isinstance(level, str):
        return bundle(number, width)
    data = hashes(level, number)[: width * merkle.HASH_BYTES]
    return data if len(data) == width * merkle.HASH_BYTES else None


def write_to(folder: Path) -> None:
    """Write the whole log below a folder, in files named as its addresses are: for a mirror, or to
    be verified. `ValueError` while it has no checkpoint."""
    newest = latest()
    if newest is None:
        raise ValueError("the log has no checkpoint yet")

    def write(path: str, data: bytes) -> None:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    keys = list(LogKey.objects.order_by("pk"))
    lines = (f"{k.since} {'-' if k.until is None else k.until} {k.vkey}\n" for k in keys)
    write("keys", "".join(lines).encode())
    write("key", f"{keys[-1].vkey}\n".encode())
    write("checkpoint", signed_note(newest).encode())
    start = 0
    while page := checkpoints(start):
        noted = (json.dumps({"size": c.size, "note": signed_note(c)}) + "\n" for c in page)
        write(f"checkpoints/{start}", "".join(noted).encode())
        start = page[-1].size + 1
    level, count = 0, newest.size
    while count:
        for number in range(-(-count // merkle.TILE_WIDTH)):
            width = merkle.tile_width(level, number, newest.size)
            write(
                merkle.tile_path(level, number, width),
                hashes(level, number)[: width * merkle.HASH_BYTES],
            )
            if level == 0:
                records = bundle(number, width)
                write(merkle.tile_path("entries", number, width), records or b"")
        level, count = level + 1, count // merkle.TILE_WIDTH


# --- witnesses ---------------------------------------------------------------------------------


class BadCosignature(ValueError):
    """A cosignature that is not accepted; the message says why."""


@cache
def witnesses() -> dict[str, Verifier]:
    """The witnesses whose cosignatures count, by name."""
    found = [Verifier.parse(line) for line in settings.SANWEN_WITNESSES]
    return {verifier.name: verifier.cosigner() for verifier in found}


def accept(text: str) -> list[Cosignature]:
    """Keep the cosignatures that a witness sent: a checkpoint of ours with its signature lines.

    Raises `BadCosignature` unless at least one is a configured witness's over a checkpoint of ours.
    """
    try:
        found = note.Note.parse(text)
        size = note.Checkpoint.parse(found.text).size
    except note.NoteError as error:
        raise BadCosignature(str(error)) from error
    row = Checkpoint.objects.filter(size=size).first()
    if row is None or not str(row.note).startswith(found.text + "\n"):
        raise BadCosignature("that is no checkpoint of this log")
    kept = []
    for name, verifier in witnesses().items():
        try:
            at = found.cosigned_at(verifier)
        except note.NoteError as error:
            raise BadCosignature(str(error)) from error
        if at is None:
            continue
        line = next(s.line for s in found.signatures if s.id == verifier.id and s.name == name)
        kept.append(
            Cosignature.objects.update_or_create(
                checkpoint=row,
                name=name,
                defaults={"line": line, "at": dt.datetime.fromtimestamp(at, dt.UTC)},
            )[0]
        )
    if not kept:
        raise BadCosignature("no configured witness has signed it")
    return kept
