"""A whole log: its signature, its tree, its keys, every case's chain, times, what it was before."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import chain, client, merkle, note
from ..faults import Fault
from . import bundles, memory
from .result import Result

MOST_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verifier brings along: keys of the log and of witnesses, a file to remember in."""

    keys: Sequence[note.Verifier] = ()
    witnesses: Sequence[note.Verifier] = ()
    state: Path | None = None


@dataclass(slots=True)
class _Signed:
    """A checkpoint that the log publishes."""

    found: note.Checkpoint
    note: note.Note
    times: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Log:
    """A log while it is checked."""

    place: str
    fetch: client.Fetch
    trust: Trust
    result: Result
    newest: _Signed
    earlier: list[_Signed] = field(default_factory=list)
    seen: memory.Seen | None = None


def check(
    place: str, trust: Trust, result: Result, *, case: str = "", now: dt.datetime | None = None
) -> list[tuple[int, bytes]]:
    """Check the log at an address or in a folder; the findings go into `result`.

    The places and bytes of the records of `case`, when one is asked for. Raises `Fault` where it
    makes no sense to go on.
    """
    fetch = client.fetch_from(place)
    try:
        newest = _signed(fetch("checkpoint").decode())
    except (note.NoteError, UnicodeDecodeError) as error:
        raise Fault("bad_checkpoint", why=error) from error
    log = _Log(place, fetch, trust, result, newest)
    origin, size = newest.found.origin, newest.found.size
    log.seen = memory.recall(trust.state).get(origin)
    if log.seen and size < log.seen.checkpoint.size:
        raise Fault("shrank", old=log.seen.checkpoint.size, size=size)
    log.earlier = _earlier(fetch, size)
    trusted = _trusted(log)
    candidates = {*trusted, *_published(fetch)}
    for each in [*log.earlier, newest]:
        each.times = _times(each, candidates, trust.witnesses)
    bounds = _bounds(log)
    whole = bundles.read(place, size, bounds, case)
    _check_tree(log, whole)
    signer = _check_keys(log, whole, trusted)
    result.holds("signature_holds", key=signer, size=size)
    result.holds("root_holds", n=size)
    if log.seen:
        result.holds("grown", old=log.seen.checkpoint.size)
    _check_records(log, whole)
    for witness in trust.witnesses:
        at = newest.note.cosigned_at(witness)
        if at is not None:
            result.holds("witnessed", name=witness.name, at=_shown(at))
    if trust.state and not result.first_fault:
        moment = chain.shown(now or dt.datetime.now(dt.UTC))
        memory.remember(trust.state, origin, memory.Seen(signer, newest.found, moment))
    return whole.wanted


def _signed(text: str) -> _Signed:
    parsed = note.Note.parse(text)
    return _Signed(note.Checkpoint.parse(parsed.text), parsed)


def _earlier(fetch: client.Fetch, size: int) -> list[_Signed]:
    """The checkpoints before the newest, smallest first; none where they are not published."""
    found: list[_Signed] = []
    start = 0
    for _page in range(MOST_PAGES):
        try:
            page = fetch(f"checkpoints/{start}").decode()
        except client.LogUnreadable:
            if start == 0:
                return []
            break
        try:
            signed = [_signed(json.loads(line)["note"]) for line in page.splitlines()]
        except (ValueError, KeyError, TypeError) as error:
            raise Fault("bad_checkpoint", why=f"checkpoints/{start}") from error
        if not signed:
            break
        for each in signed:
            if each.found.size < start:
                raise Fault("bad_checkpoint", why=f"checkpoints/{start}")
            start = each.found.size + 1
        found += signed
        if start > size:
            break
    return [each for each in found if each.found.size < size]


def _published(fetch: client.Fetch) -> list[note.Verifier]:
    """The keys that the log says it had; they are no more than candidates."""
    try:
        lines = fetch("keys").decode().splitlines()
        return [note.Verifier.parse(line.split(" ", 2)[2]) for line in lines]
    except (client.LogUnreadable, UnicodeDecodeError, IndexError, note.NoteError):
        return []


def _trusted(log: _Log) -> list[note.Verifier]:
    """The keys given, else the one remembered, else the one that the log shows today."""
    origin = log.newest.found.origin
    if log.trust.keys:
        return [key for key in log.trust.keys if key.name == origin] or list(log.trust.keys)
    if log.seen:
        return [note.Verifier.parse(log.seen.key)]
    try:
        shown = note.Verifier.parse(log.fetch("key").decode())
    except (client.LogUnreadable, UnicodeDecodeError, note.NoteError) as error:
        raise Fault("unsigned", trusted="?") from error
    log.result.note("key_first_seen", key=shown)
    return [shown]


def _times(
    signed: _Signed, candidates: set[note.Verifier], witnesses: Sequence[note.Verifier]
) -> list[str]:
    """When the checkpoint was signed, by the log itself and by trusted witnesses."""
    found = []
    try:
        for key in [*candidates, *witnesses]:
            at = signed.note.cosigned_at(key)
            if at is not None:
                found.append(_shown(at))
    except note.NoteError as error:
        raise Fault("bad_checkpoint", why=error) from error
    return sorted(found)


def _shown(seconds: int) -> str:
    try:
        return chain.shown(dt.datetime.fromtimestamp(seconds, dt.UTC))
    except (OverflowError, OSError, ValueError) as error:
        raise Fault("bad_checkpoint", why="time") from error


def _bounds(log: _Log) -> list[bundles.Bounds]:
    """Between which moments the records of each stretch of the log were entered."""
    told = [
        (each.found.size, each.times[0], each.times[-1])
        for each in [*log.earlier, log.newest]
        if each.times
    ]
    if log.seen:  # what was not there when we looked ourselves is younger than that
        told.append((log.seen.checkpoint.size, "", log.seen.at))
    told.sort()
    # What a checkpoint does not hold came after it was signed, what it holds came before.
    lows, highs = [], []
    low = high = ""
    for size, _first, last in told:
        low = max(low, last)
        lows.append((size, low))
    for size, first, _last in reversed(told):
        high = min(high or first, first) if first else high
        highs.append((size, high))
    highs.reverse()
    found: list[bundles.Bounds] = []
    back = dt.timedelta() - chain.TOLERANCE
    for at, start in enumerate([0, *[size for size, _low in lows]]):
        low = lows[at - 1][1] if at else ""
        high = highs[at][1] if at < len(highs) else ""
        edge = bundles.Bounds(
            start,
            chain.later(low, back) if low else "",
            low,
            chain.later(high) if high else "",
            high,
        )
        if found and found[-1].start == start:
            found.pop()
        found.append(edge)
    return found


def _check_tree(log: _Log, whole: bundles.Whole) -> None:
    """The records are those of the signed tree, and it begins with every earlier one."""
    newest = log.newest.found
    if whole.records != newest.size or whole.root(newest.size) != newest.root:
        raise _difference(log, whole)
    olds = [each.found for each in log.earlier]
    if log.seen:
        olds.append(log.seen.checkpoint)
    for old in sorted(olds, key=lambda old: old.size):
        if whole.root(old.size) != old.root:
            raise Fault("forked", size=old.size)


def _difference(log: _Log, whole: bundles.Whole) -> Fault:
    """The first record that is not what was signed, found by the log's own tiles if they are."""
    size = log.newest.found.size
    try:
        signed = merkle.root(client.nodes(log.fetch, size), size) == log.newest.found.root
        if not signed:
            return Fault("tiles_wrong")
        for number, held in enumerate(whole.tiles):
            width = merkle.tile_width(0, number, size)
            tile = log.fetch(merkle.tile_path(0, number, width))
            for at in range(width):
                part = slice(at * merkle.HASH_BYTES, (at + 1) * merkle.HASH_BYTES)
                if held[part] != tile[part]:
                    return Fault("leaf_wrong", index=number * merkle.TILE_WIDTH + at)
            if len(held) > len(tile):
                return Fault("leaf_wrong", index=number * merkle.TILE_WIDTH + width)
    except (client.LogUnreadable, merkle.ProofError):
        pass
    return Fault("tiles_wrong")


def _check_keys(log: _Log, whole: bundles.Whole, trusted: list[note.Verifier]) -> str:
    """Every checkpoint is signed by the key that was the log's when it had that size.

    A key hands over to the next by a record in the log, under a checkpoint of its own; and a key
    that is trusted now vouches for those that the log names before it. The newest one's key.
    """
    order = _reign(whole.rotations, trusted)
    known = [number for number, (key, _place) in enumerate(order) if key in trusted]
    at = reach = 0
    for signed in [*log.earlier, log.newest]:
        number = max(
            (n for n, (key, _place) in enumerate(order) if _signs(signed, key)), default=-1
        )
        handed = number == at or (number == at + 1 and reach > order[number][1])
        if number < at or (number > max(known) and not handed):
            raise _stranger(log, signed, order, trusted)
        at, reach = number, signed.found.size
    if at < min(known):
        raise _stranger(log, log.newest, order, trusted)
    return str(order[at][0])


def _reign(
    rotations: list[tuple[int, str, str]], trusted: list[note.Verifier]
) -> list[tuple[note.Verifier, int]]:
    """The log's keys one after another, as its own records tell from a trusted one, and the place
    of the record that brought each in (-1: none that is known)."""
    keys, places = [str(trusted[0])], [-1]
    for place, old, new in rotations:
        if old == keys[-1]:
            keys.append(new)
            places.append(place)
    for place, old, new in reversed(rotations):
        if new == keys[0]:
            keys.insert(0, old)
            places[0:1] = [-1, place]
    try:
        return [(note.Verifier.parse(key), place) for key, place in zip(keys, places, strict=True)]
    except note.NoteError as error:
        raise Fault("bad_checkpoint", why=error) from error


def _signs(signed: _Signed, key: note.Verifier) -> bool:
    try:
        return key.name == signed.found.origin and signed.note.signed_by(key)
    except note.NoteError as error:
        raise Fault("bad_checkpoint", why=error) from error


def _stranger(
    log: _Log,
    signed: _Signed,
    order: list[tuple[note.Verifier, int]],
    trusted: list[note.Verifier],
) -> Fault:
    for key in [*_published(log.fetch), *(key for key, _place in order)]:
        if _signs(signed, key):
            return Fault("key_unknown", found=key, trusted=trusted[0])
    return Fault("unsigned", trusted=trusted[0])


def _check_records(log: _Log, whole: bundles.Whole) -> None:
    result = log.result
    if whole.fault:
        place, case, fault = whole.fault
        result.fault(Fault("in_log", index=place, case=case, fault=fault))
    else:
        result.holds("cases_hold", n=whole.cases)
    told = sum(bool(each.times) for each in [*log.earlier, log.newest])
    if whole.dated:
        result.fault(whole.dated)
    elif log.earlier and told > 1:
        result.holds("times_hold", n=told)
    elif not log.seen:
        result.note("no_checkpoints")
        if whole.odd:
            index, at, before = whole.odd
            result.note("order_odd", index=index, at=at.decode(), before=before.decode())
