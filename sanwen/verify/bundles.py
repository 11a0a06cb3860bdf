"""All records of a log, read once: leaf hashes, the chain of every case, times.

A million records go through here, so that there are two ways. The quick one knows the common shapes
of a record as one expression and reads a whole bundle with it; whatever it does not recognise goes
the exact way, through `chain.read`. Both judge alike, and neither trusts the other.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import threading
from binascii import b2a_base64
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from struct import pack
from typing import Any

from .. import chain, client, merkle
from ..faults import Fault

SEGMENT = 64
"""Bundles that one process reads at a time: 16,384 records."""
ROTATED = b"log.key_rotated"


@dataclass(frozen=True, slots=True)
class Bounds:
    """From place `start` of the log on, `at` lies between these moments (``""``: no bound)."""

    start: int
    low: str = ""
    low_of: str = ""
    high: str = ""
    high_of: str = ""


# Of a case in a segment: place, seq, prev, at, procedure of its first record there; seq, leaf hash,
# latest `at` of its last.
Span = list[Any]


@dataclass(slots=True)
class Segment:
    """What one stretch of the log holds."""

    start: int
    leaves: list[bytes] = field(default_factory=list)
    """The leaf hashes of each bundle, one after another."""
    roots: list[bytes] = field(default_factory=list)
    """The roots of the bundles that are full."""
    cases: dict[bytes, Span] = field(default_factory=dict)
    fault: tuple[int, str, Fault] | None = None
    """Place and case of the first record that does not follow on."""
    dated: Fault | None = None
    """The first `at` out of its bounds."""
    latest: bytes = b""
    odd: tuple[int, bytes, bytes] | None = None
    """The first place whose `at` is well before one ahead of it, both moments."""
    earliest: tuple[bytes, int] = (b"~", 0)
    rotations: list[tuple[int, str, str]] = field(default_factory=list)
    wanted: list[tuple[int, bytes]] = field(default_factory=list)
    """The records of the one case that was asked for."""


# --- the quick way -----------------------------------------------------------------------------

# Within a bundle whose signs are all printable ASCII but the backslash, whatever stands between two
# quotation marks is a canonical string.
_USUAL = bytes(sign for sign in range(0x20, 0x7F) if sign != ord("\\"))
_INT = r"(?:0|-?[1-9][0-9]{0,14})"
_TEXT = r'"[^"]*"'
_SDS = r'"_sd":\["[^"]{43}"(?:,"[^"]{43}")*+\]'
_FILE = rf'\{{"name":{_TEXT},"sha256":{_TEXT},"size":{_INT},"type":{_TEXT}\}}'
# Possessive wherever nothing else could follow: there is nothing to come back to.
_RECORD = re.compile(
    (
        r"(..)"
        rf'(\{{((?:{_SDS},)?+"_sd_alg":"sha-256",)?+"act":"([^"]+)","at":"([^"]{{25}})",'
        rf'"body":\{{({_SDS}(?:,(?!\}})|(?=\}})))?+([^}}]*(?:\}}[^}}]+)*?)\}},"case":"([^"]+)",'
        rf'(?:"corrects":{_INT},)?+(?:"files":\[{_FILE}(?:,{_FILE})*+\],)?+'
        r'(?:"happened_at":"[^"]{25}",)?+'
        r'"party":\{(?:"id":"[^"]+",)?+"role":"[^"]+"(?:,"via":"[^"]+")?+\},'
        r'(?:"prev":"([^"]{43}=)",)?+"procedure":"([^"]+)",'
        rf'(?:"round":{_INT},)?+"seq":(0|[1-9][0-9]{{0,14}}),"step":"[^"]*","v":1\}})'
    ).encode(),
    re.DOTALL,
)
_CLOCK = re.compile(rb"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\+08:00")
_LARGE = re.compile(rb"[0-9]{16}")
_plain = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
MOST_KNOWN = 200_000

_Row = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""Length, record, what precedes ``act``, act, ``at`` (see `chain.moment`), digests of the body, the
rest of the body, case, ``prev`` (empty: none), procedure, ``seq``."""


_NOTHING = (b"", b"", b"", b"", b"", b"", b"", b"", b"0")


class _Quick:
    """Reads bundles with `_RECORD`; what it has seen once it knows again."""

    def __init__(self) -> None:
        self.known: dict[Callable[[bytes], bool], set[bytes]] = defaultdict(set)

    def rows(self, data: bytes) -> list[_Row] | None:
        """The records of a bundle, or None where one of them is not of the common shape."""
        found = _RECORD.findall(data)
        if not found:
            return None
        # By columns: what is common to all is asked once, and in C.
        sizes, records, digests, _acts, ats, given, bodies, *_rest = zip(*found, strict=True)
        text = b"".join(records)
        if len(text) + 2 * len(found) != len(data) or text.translate(None, _USUAL):
            return None
        if b"".join(sizes) != pack(f">{len(found)}H", *map(len, records)):
            return None
        if any(own and not head for own, head in zip(given, digests, strict=True)):
            return None
        if not (
            self._known(set(bodies), _sorted)
            and self._known({at[:10] for at in ats}, _is_day)
            and self._known({at[10:] for at in ats}, _is_clock)
        ):
            return None
        return found

    def _known(self, texts: set[bytes], sound: Callable[[bytes], bool]) -> bool:
        known = self.known[sound]
        new = texts - known
        if not all(map(sound, new)):
            return False
        if len(known) > MOST_KNOWN:
            known.clear()
        known |= new
        return True


def _is_day(text: bytes) -> bool:
    return chain.is_moment(f"{text.decode()}T00:00:00+08:00")


def _is_clock(text: bytes) -> bool:
    return _CLOCK.fullmatch(text) is not None


def _sorted(body: bytes) -> bool:
    """Whether a body without its digests is canonical for certain, being printable ASCII.

    Python's own order of keys is then the one that is asked for. A large number, or a name that
    would have to come before the digests, is left to the exact way.
    """
    if b'"_sd"' in body or _LARGE.search(body):
        return False
    text = f"{{{body.decode('ascii')}}}"
    try:
        said = json.loads(text, parse_float=_no, parse_constant=_no)
        return text == _plain(said) and all(name > "_sd" for name in said)
    except (ValueError, RecursionError):
        return False


def _no(text: str) -> None:
    raise ValueError(text)


def _exactly(record: bytes) -> _Row:
    """One record the exact way. Raises `Fault`."""
    content = chain.read(record, chain.position(record))
    case, procedure = content["case"].encode(), content["procedure"].encode()
    at, prev = chain.moment(content["at"]).encode(), content.get("prev", "").encode()
    seq = str(content["seq"]).encode()
    return b"", record, b"", content["act"].encode(), at, b"", b"", case, prev, procedure, seq


# --- a segment ---------------------------------------------------------------------------------


def scan(
    place: str, first: int, last: int, size: int, bounds: Sequence[Bounds], case: str = ""
) -> Segment:
    """Read the bundles from `first` up to `last` of a log of `size` records.

    Raises `client.LogUnreadable`, or `Fault` for a bundle that is cut.
    """
    fetch = client.fetch_from(place)
    found = Segment(first * merkle.TILE_WIDTH)
    quick = _Quick()
    index = found.start
    for number in range(first, last):
        width = merkle.tile_width(0, number, size)
        data = fetch(merkle.tile_path("entries", number, width))
        rows = quick.rows(data)
        if rows is None:
            rows = []
            try:
                records = merkle.unbundle(data)
            except ValueError as error:
                raise Fault("unreadable", why=f"entry bundle {number}: {error}") from error
            for at, record in enumerate(records):
                try:
                    rows += quick.rows(merkle.bundle([record])) or [_exactly(record)]
                except Fault as fault:
                    if found.fault is None:
                        found.fault = (index + at, "?", fault)
                    rows.append((b"", record, *_NOTHING))
        _follow(found, rows, index, bounds, case.encode())
        index += width
    return found


def _follow(
    found: Segment, rows: list[_Row], index: int, bounds: Sequence[Bounds], wanted: bytes
) -> None:
    """Hash the rows of a bundle and follow the chains of their cases."""
    if not rows:
        found.leaves.append(b"")
        return
    sha256, base64, cases = hashlib.sha256, b2a_base64, found.cases
    _sizes, records, _digests, acts, ats, _given, _bodies, names, prevs, procedures, numbers = zip(
        *rows, strict=True
    )
    leaves = [sha256(b"\x00" + record).digest() for record in records]
    found.leaves.append(b"".join(leaves))
    if len(leaves) == merkle.TILE_WIDTH:
        found.roots.append(_rows(leaves)[-1][0])
    place = index - 1
    for case, hashed, seq, prev, procedure, at in zip(
        names, leaves, map(int, numbers), prevs, procedures, ats, strict=True
    ):
        place += 1
        span = cases.get(case)
        if span is None:
            if case:
                cases[case] = [place, seq, prev, at, procedure, seq, hashed, at]
            continue
        if (
            seq != span[5] + 1
            or prev != base64(span[6], newline=False)
            or procedure != span[4]
            or at < span[7]
        ):
            _fault(found, place, rows[place - index], span, hashed)
            at = max(at, span[7])
        span[5], span[6], span[7] = seq, hashed, at
    _look_at_times(found, rows, ats, index, bounds)
    if ROTATED in acts:
        for at, row in enumerate(rows, index):
            if row[3] == ROTATED:
                _rotation(found, at, row[1])
    if wanted and wanted in names:
        found.wanted += [(at, row[1]) for at, row in enumerate(rows, index) if row[7] == wanted]


def _look_at_times(
    found: Segment, rows: list[_Row], ats: Sequence[bytes], index: int, bounds: Sequence[Bounds]
) -> None:
    """Whether the times of a bundle are within their bounds, and in order."""
    which = bisect_right(bounds, index, key=lambda bound: bound.start) - 1
    end = index + len(rows)
    while found.dated is None and which < len(bounds) and bounds[which].start < end:
        bound = bounds[which]
        start = max(index, bound.start)
        until = min(end, bounds[which + 1].start if which + 1 < len(bounds) else end)
        low, high = bound.low.encode(), bound.high.encode() or b"~"
        part = [at for at in ats[start - index : until - index] if at]
        if part and (min(part) < low or max(part) > high):
            first = next(
                at
                for at in range(start, until)
                if ats[at - index] and not low <= ats[at - index] <= high
            )
            found.dated = _dated(first, rows[first - index], bound)
        which += 1
    # Most bundles are in order.
    held = [at for at in ats if at]
    if not held:
        return
    earliest = min(held)
    if earliest < found.earliest[0]:
        found.earliest = (earliest, index + ats.index(earliest))
    if found.odd is None and (held[0] < found.latest or held != sorted(held)):
        latest = found.latest
        for place, at in enumerate(ats, index):
            if at and at < latest and chain.later(at.decode()) < latest.decode():
                found.odd = (place, at, latest)
                break
            latest = max(latest, at)
    found.latest = max(found.latest, max(held))


def _fault(found: Segment, place: int, row: _Row, span: Span, hashed: bytes) -> None:
    """Say exactly what does not follow on; a time within the tolerance does."""
    if found.fault is not None:
        return
    *_rest, case, prev, procedure, seq = row
    held = chain.Chain(case.decode(), span[4].decode(), span[5] + 1, span[6], span[7].decode())
    at = row[4].decode()
    try:
        held.step(span[5] + 1, int(seq), prev.decode() or None, procedure.decode(), at, hashed)
    except Fault as fault:
        found.fault = (place, case.decode(), fault)


def _dated(place: int, row: _Row, bound: Bounds) -> Fault:
    at = row[4].decode()
    back = at < bound.low
    return Fault(
        "back_dated" if back else "post_dated",
        index=place,
        case=row[7].decode(),
        seq=int(row[10]),
        at=at,
        seen=bound.low_of if back else bound.high_of,
    )


def _rotation(found: Segment, place: int, record: bytes) -> None:
    body = json.loads(record)["body"]
    old, new = body.get("old"), body.get("new")
    if isinstance(old, str) and isinstance(new, str):
        found.rotations.append((place, old, new))


# --- the whole log -----------------------------------------------------------------------------


@dataclass(slots=True)
class Whole:
    """What all segments together say. `nodes` gives the hashes of the tree over the records."""

    tiles: list[bytes]
    roots: list[bytes]
    cases: int
    records: int
    fault: tuple[int, str, Fault] | None
    dated: Fault | None
    odd: tuple[int, bytes, bytes] | None
    rotations: list[tuple[int, str, str]]
    wanted: list[tuple[int, bytes]]
    _lower: dict[int, list[list[bytes]]] = field(default_factory=dict)
    _upper: list[list[bytes]] = field(default_factory=list)

    def root(self, size: int) -> bytes:
        """The root of the tree over the first `size` records."""
        return merkle.root(self._node, size)

    def _node(self, level: int, index: int) -> bytes:
        """As `merkle.Nodes`; rows above the leaves of a tile are kept once made."""
        if level >= merkle.TILE_HEIGHT:
            if not self._upper:
                self._upper = _rows(self.roots)
            return self._upper[level - merkle.TILE_HEIGHT][index]
        number, offset = divmod(index << level, merkle.TILE_WIDTH)
        if number not in self._lower:
            self._lower[number] = _rows(_split(self.tiles[number]))
        return self._lower[number][level][offset >> level]


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + 32] for at in range(0, len(hashes), 32)]


def _rows(row: list[bytes]) -> list[list[bytes]]:
    """The row and those above it, complete subtrees only."""
    sha256 = hashlib.sha256
    found = [row]
    while len(row) > 1:
        below = b"".join(row)
        row = [
            sha256(b"\x01" + below[at : at + 64]).digest() for at in range(0, len(below) - 63, 64)
        ]
        found.append(row)
    return found


def read(
    place: str, size: int, bounds: Sequence[Bounds], case: str = "", processes: int = 0
) -> Whole:
    """Read all records of the log. Raises `client.LogUnreadable`, `Fault`.

    `processes`: 0 for as many as there are processors; a small log needs no second one.
    """
    whole = Whole([], [], 0, 0, None, None, None, [], [])
    known: dict[bytes, chain.Chain] = {}
    latest = b""
    for found in _segments(place, size, bounds, case, processes):
        whole.tiles += found.leaves
        whole.roots += found.roots
        whole.records += sum(len(tile) for tile in found.leaves) // merkle.HASH_BYTES
        whole.rotations += found.rotations
        whole.wanted += found.wanted
        whole.dated = whole.dated or found.dated
        if whole.odd is None:
            early, where = found.earliest
            if latest and early != b"~" and chain.later(early.decode()) < latest.decode():
                whole.odd = (where, early, latest)
            else:
                whole.odd = found.odd
        latest = max(latest, found.latest)
        faults = [fault for fault in (found.fault, _joined(found, known)) if fault]
        if whole.fault is None and faults:
            whole.fault = min(faults, key=lambda fault: fault[0])
    whole.cases = len(known)
    return whole


def _joined(found: Segment, known: dict[bytes, chain.Chain]) -> tuple[int, str, Fault] | None:
    """Join the chains of a segment on those before it; the first that does not fit."""
    first = None
    for case, span in found.cases.items():
        place, seq, prev, at, procedure, last, head, latest = span
        held = known.get(case)
        if held is None:
            held = known[case] = chain.Chain(case.decode(), procedure.decode())
        try:
            held.step(
                held.length, seq, prev.decode() or None, procedure.decode(), at.decode(), head
            )
        except Fault as fault:
            if first is None or place < first[0]:
                first = (place, case.decode(), fault)
        held.length, held.head = last + 1, head
        held.at = max(latest.decode(), held.at)
    return first


def _segments(
    place: str, size: int, bounds: Sequence[Bounds], case: str, processes: int
) -> Iterator[Segment]:
    bundles = -(-size // merkle.TILE_WIDTH)
    parts = [(at, min(at + SEGMENT, bundles)) for at in range(0, bundles, SEGMENT)]
    processes = min(processes or os.cpu_count() or 1, len(parts))
    if processes < 2:
        for first, last in parts:
            yield scan(place, first, last, size, bounds, case)
        return
    # A process with threads must not fork; one without starts its helpers quicker so.
    alone = threading.active_count() == 1 and "fork" in multiprocessing.get_all_start_methods()
    way = multiprocessing.get_context("fork" if alone else "spawn")
    with ProcessPoolExecutor(processes, mp_context=way) as pool:
        waiting = [pool.submit(scan, place, a, b, size, bounds, case) for a, b in parts]
        for each in waiting:
            yield each.result()
