"""What people hold in their hands of a case: its exported records, or the receipt of one act."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import chain, client, merkle, note
from ..faults import Fault
from . import log, memory
from .result import Result

RECORDS, DISCLOSURES, PROOFS = "records.jsonl", "disclosures.jsonl", "proofs.jsonl"


def lines_of(data: bytes) -> list[bytes]:
    """The lines of a JSONL file. Only a line feed ends one."""
    return [line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line]


def disclosures_of(data: bytes) -> list[tuple[int, str]]:
    """Position and text of each disclosure of a ``disclosures.jsonl``. Raises `Fault`."""
    found = []
    for line in lines_of(data):
        try:
            row = json.loads(line)
            seq, text = row["seq"], row["disclosure"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Fault("attachment_wrong", name=DISCLOSURES, why=line[:40]) from error
        if type(seq) is not int or not isinstance(text, str):
            raise Fault("attachment_wrong", name=DISCLOSURES, why=line[:40])
        found.append((seq, text))
    return found


def check_records(
    data: bytes, disclosures: bytes | None, result: Result
) -> tuple[str, list[bytes]]:
    """Check the exported records of a case by themselves; its number and the records."""
    lines = lines_of(data)
    followed, contents = chain.check(lines)
    result.holds("chain_holds", case=followed.case, n=followed.length)
    if disclosures is not None:
        given, missing = chain.check_disclosures(
            dict(enumerate(contents)), disclosures_of(disclosures)
        )
        result.holds("disclosures_hold", n=given)
        if missing:
            result.note("withdrawn", n=missing)
    return followed.case, lines


def check_against_log(
    case: str,
    lines: Sequence[bytes],
    place: str,
    trust: log.Trust,
    result: Result,
    size: int | None = None,
) -> None:
    """Hold the records of a case against the whole log: nothing else, nothing more.

    With the `size` that the log had when they were taken out, what came later is no fault.
    """
    held = log.check(place, trust, result, case=case)
    for seq, line in enumerate(lines):
        if seq >= len(held):
            raise Fault("not_in_log", seq=seq)
        if held[seq][1] != line:
            raise Fault("differs_from_log", seq=seq, index=held[seq][0])
    if len(held) > len(lines):
        index, line = held[len(lines)]
        if size is None or index < size:
            at = json.loads(line)["at"]
            raise Fault("cut_short", seq=len(lines), index=index, at=at)
        result.note("newer", n=len(held) - len(lines))
    result.holds("complete", n=len(lines))


def signed_checkpoint(text: str, trust: log.Trust, result: Result) -> note.Checkpoint:
    """The checkpoint of a proof, signed by a trusted key; without one that stays open.

    Raises `Fault`.
    """
    try:
        found = note.Checkpoint.parse(note.Note.parse(text).text)
        keys = keys_of(found.origin, trust)
        if keys:
            note.open_checkpoint(text, keys)
    except note.NoteError as error:
        raise Fault("bad_checkpoint", why=error) from error
    if keys:
        result.holds("signature_holds", key=keys[0], size=found.size)
    else:
        result.open("proof_key_unknown", key=found.origin)
    return found


def included(
    line: bytes, seq: int, index: int, path: Sequence[bytes], checkpoint: note.Checkpoint
) -> None:
    """Check one inclusion proof. Raises `Fault`."""
    try:
        merkle.check_inclusion(
            merkle.leaf_hash(line), index, checkpoint.size, path, checkpoint.root
        )
    except merkle.ProofError as error:
        raise Fault("not_included", seq=seq, why=error) from error


def check_proofs(
    lines: Sequence[bytes], proofs: bytes, checkpoint: bytes, trust: log.Trust, result: Result
) -> int:
    """Check the proofs that lie beside records, and the checkpoint; the size that it tells of.

    Each line is ``{"seq": …, "index": …, "path": ["…"]}``, hashes in Base64.
    """
    try:
        text = checkpoint.decode()
    except UnicodeDecodeError as error:
        raise Fault("bad_checkpoint", why=error) from error
    signed = signed_checkpoint(text, trust, result)
    found: dict[int, tuple[int, list[bytes]]] = {}
    for row in lines_of(proofs):
        try:
            said = json.loads(row)
            path = [base64.b64decode(step, validate=True) for step in said["path"]]
            found[int(said["seq"])] = (int(said["index"]), path)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Fault("attachment_wrong", name=PROOFS, why=row[:40]) from error
    for seq, line in enumerate(lines):
        if seq in found:
            included(line, seq, *found[seq], signed)
        elif seq == len(found):  # the log had not yet taken in the last ones
            result.open("no_proof", seq=seq)
            break
        else:
            raise Fault("no_proof", seq=seq)
    places = [index for _seq, (index, _path) in sorted(found.items())]
    if places != sorted(set(places)):
        raise Fault("attachment_wrong", name=PROOFS, why="index")
    result.holds("included", n=len(found))
    return signed.size


def keys_of(origin: str, trust: log.Trust) -> list[note.Verifier]:
    """The keys of a log that the verifier trusts: given, or remembered."""
    if trust.keys:
        return list(trust.keys)
    seen = memory.recall(trust.state).get(origin)
    return [note.Verifier.parse(seen.key)] if seen else []


def check_receipt(data: bytes, trust: log.Trust, result: Result, place: str | None = None) -> None:
    """Check a receipt by itself, and against the log at `place`."""
    try:
        held = json.loads(data)
        record, given, proof = held["record"], held["disclosures"], held["proof"]
        if held["v"] != 1 or not isinstance(record, str) or not isinstance(given, list):
            raise ValueError("v")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Fault("not_a_receipt", why=error) from error
    line = record.encode(errors="surrogatepass")
    content = chain.read(line, chain.position(line))
    seq = content["seq"]
    count, missing = chain.check_disclosures({seq: content}, [(seq, str(text)) for text in given])
    result.holds("disclosures_hold", n=count)
    if missing:
        result.note("withdrawn", n=missing)
    if place is not None:
        _in_log(line, proof, seq, place, trust, result)
    elif proof:
        try:
            index, path, text = note.parse_proof(str(proof))
        except note.NoteError as error:
            raise Fault("not_included", seq=seq, why=error) from error
        included(line, seq, index, path, signed_checkpoint(text, trust, result))
        result.holds("included", n=1)
    else:
        result.open("no_proof", seq=seq)


def _in_log(
    line: bytes, proof: Any, seq: int, place: str, trust: log.Trust, result: Result
) -> None:
    """That today's log holds the record, and begins with the tree of the receipt's checkpoint."""
    if not proof:
        raise Fault("no_proof", seq=seq)
    fetch = client.fetch_from(place)
    newest = fetch("checkpoint").decode()
    origin = note.Checkpoint.parse(note.Note.parse(newest).text).origin
    keys = keys_of(origin, trust)
    if not keys:
        keys = [note.Verifier.parse(fetch("key").decode())]
        result.note("key_first_seen", key=keys[0])
    try:
        now, _note = note.open_checkpoint(newest, keys)
        index, path, text = note.parse_proof(str(proof))
        then = note.Checkpoint.parse(note.Note.parse(text).text)
        merkle.check_inclusion(merkle.leaf_hash(line), index, then.size, path, then.root)
        nodes = client.nodes(fetch, now.size)
        grown = merkle.consistency(nodes, then.size, now.size)
        merkle.check_consistency(then.size, now.size, then.root, now.root, grown)
    except (note.NoteError, merkle.ProofError, ValueError) as error:
        raise Fault("not_included", seq=seq, why=error) from error
    result.holds("signature_holds", key=keys[0], size=now.size)
    result.holds("included", n=1)


def beside(path: Path, name: str) -> bytes | None:
    """A file beside one of records, named as the site names its downloads."""
    if not path.name.endswith(RECORDS):
        return None
    other = path.with_name(path.name.removesuffix(RECORDS) + name)
    return other.read_bytes() if other.is_file() else None
