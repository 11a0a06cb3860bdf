"""The records of one case: their form, how each names the one before it, what stands beside them.

Nothing here knows the log: whoever has the whole chain of a case can check it alone. What a chain
cannot show is that it was cut short, since its last record is named by none.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from . import disclosure
from .faults import Fault
from .merkle import leaf_hash

FORMAT = 1
MAX_BYTES = 65_535
TOLERANCE = dt.timedelta(minutes=2)
"""By how much times may disagree without anybody having lied: clocks are set, acts take a while."""
ZONE = dt.timezone(dt.timedelta(hours=8))

_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def moment(at: str) -> str:
    """A time of a record (RFC 3339) in Chinese time to the second; those compare as texts.

    Raises `ValueError`.
    """
    if not _AT.fullmatch(at):
        raise ValueError(at)
    return shown(dt.datetime.fromisoformat(at))


def shown(at: dt.datetime) -> str:
    """A moment as records write it, ``2026-03-03T10:00:00+08:00``."""
    return at.astimezone(ZONE).isoformat(timespec="seconds")


def later(at: str, by: dt.timedelta = TOLERANCE) -> str:
    """A moment (see `moment`) some time later; at the ends of the calendar the same."""
    try:
        return shown(dt.datetime.fromisoformat(at) + by)
    except OverflowError:
        return at


def read(line: bytes, seq: int) -> dict[str, Any]:
    """The content of a record from the bytes that are hashed; `seq` names it in a `Fault`."""
    if len(line) > MAX_BYTES:
        raise Fault("malformed", seq=seq, why=f"{len(line)} > {MAX_BYTES}")
    try:
        content = json.loads(line.decode(), parse_constant=_refuse, parse_float=_refuse)
        if rfc8785.dumps(content) != line:
            raise Fault("not_canonical", seq=seq)
    except (ValueError, RecursionError) as error:
        if isinstance(error, Fault):
            raise
        raise Fault("malformed", seq=seq, why="JSON") from error
    wrong = _wrong_field(content)
    if wrong:
        raise Fault("malformed", seq=seq, why=wrong)
    return content


def position(line: bytes) -> int:
    """The ``seq`` of a record that may be none, to name it by; 0 where there is none."""
    try:
        seq = json.loads(line)["seq"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return seq if type(seq) is int else 0


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _wrong_field(content: Any) -> str:
    """The first field that is not what it should be; empty when all are."""
    if not isinstance(content, dict):
        return "JSON"
    body, party = content.get("body"), content.get("party")
    at = content.get("at")
    sound = {
        "v": content.get("v") == FORMAT and content["v"] is not True,
        "case": _text(content.get("case")),
        "seq": type(content.get("seq")) is int and content["seq"] >= 0,
        "procedure": _text(content.get("procedure")),
        "step": isinstance(content.get("step"), str),
        "act": _text(content.get("act")),
        "at": isinstance(at, str) and is_moment(at),
        "party": isinstance(party, dict) and _text(party.get("role")),
        "body": isinstance(body, dict) and _digests(body.get("_sd", [])),
        "prev": "prev" not in content or _is_hash(content["prev"]),
        "_sd": _digests(content.get("_sd", [])),
    }
    for name, good in sound.items():
        if not good:
            return name
    has_digests = "_sd" in content or "_sd" in content["body"]
    return "_sd_alg" if has_digests and content.get("_sd_alg") != "sha-256" else ""


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_moment(at: str) -> bool:
    """Whether `moment` can read it."""
    try:
        moment(at)
    except (ValueError, OverflowError):
        return False
    return True


def _is_hash(value: Any) -> bool:
    # Its signs need no look: it must equal the Base64 of a hash.
    return isinstance(value, str) and len(value) == 44 and value.endswith("=")


def _digests(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, str) and len(item) == 43 for item in value
    )


@dataclass(slots=True)
class Chain:
    """How far a case's chain has been followed."""

    case: str = ""
    procedure: str = ""
    length: int = 0
    head: bytes = b""
    at: str = ""

    def follow(self, content: Mapping[str, Any], hashed: bytes) -> None:
        """Go on to the next record, whose leaf hash is `hashed`. Raises `Fault`."""
        seq, found = self.length, content["seq"]
        if not self.case:
            self.case, self.procedure = content["case"], content["procedure"]
        if content["case"] != self.case:
            raise Fault("another_case", seq=seq, other=content["case"])
        at = moment(content["at"])
        self.step(seq, found, content.get("prev"), content["procedure"], at, hashed)

    def step(
        self, seq: int, found: int, prev: str | None, procedure: str, at: str, hashed: bytes
    ) -> None:
        """`follow` by the fields that it looks at."""
        if found > seq:
            raise Fault("left_out", seq=seq, found=found)
        if found < seq:
            raise Fault("out_of_place", seq=seq, found=found)
        if seq == 0:
            if prev is not None:
                raise Fault("prev_at_first")
        elif prev != base64.b64encode(self.head).decode("ascii"):
            raise Fault("prev_wrong", seq=seq, before=seq - 1)
        if procedure != self.procedure:
            raise Fault("procedure_changed", seq=seq, found=procedure, procedure=self.procedure)
        if at < self.at and later(at) < self.at:
            raise Fault("time_back", seq=seq, at=at, before=self.at)
        self.length, self.head, self.at = seq + 1, hashed, max(at, self.at)


def check(lines: Iterable[bytes]) -> tuple[Chain, list[dict[str, Any]]]:
    """Follow the records of one case from the first; their contents. Raises the first `Fault`."""
    chain = Chain()
    contents = []
    for line in lines:
        content = read(line, chain.length)
        chain.follow(content, leaf_hash(line))
        contents.append(content)
    if not contents:
        raise Fault("nothing")
    return chain, contents


def check_disclosures(
    contents: Mapping[int, Mapping[str, Any]], given: Iterable[tuple[int, str]]
) -> tuple[int, int]:
    """Hold disclosures (position of the record, SD-JWT text) against the digests of the records,
    whose contents are given by position.

    How many there are, and how many digests have none. Raises the first `Fault`.
    """
    waiting = {
        seq: {*content.get("_sd", ()), *content["body"].get("_sd", ())}
        for seq, content in contents.items()
    }
    total = sum(len(digests) for digests in waiting.values())
    seen: set[tuple[int, str]] = set()
    for seq, encoded in given:
        try:
            name, _value = disclosure.read(encoded)
            digest = disclosure.digest(encoded)
        except (disclosure.NotADisclosure, UnicodeEncodeError) as error:
            raise Fault("disclosure_malformed", seq=seq) from error
        if digest not in waiting.get(seq, ()) or name in ("_sd", "..."):
            raise Fault("disclosure_unknown", seq=seq, name=name)
        if (seq, digest) in seen:
            raise Fault("disclosure_repeated", seq=seq, name=name)
        seen.add((seq, digest))
    return len(seen), total - len(seen)
