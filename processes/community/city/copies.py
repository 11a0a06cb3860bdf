"""Copies of a pattern: what stands in its blanks, and so the bytes, hashes and rows of a new case.

Formats as in `workflows.records.append`, whose functions make what is made once a record; a test
fills a pattern with what it was read from and finds every byte again.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any, cast

from django.db.models import Model
from django.utils import timezone

from sanwen.merkle import leaf_hash
from workflows.records.receipts import receipt_code, receipt_hash
from workflows.steps.opinion_rows import fingerprint

from .patterns import Blank, Pattern, moment

_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy is to be: the community, who acts there, and the keys of its homes.

    `people` are accounts by the account of the pattern. `keys` by kind and the pattern's key.
    """

    community: int
    name: str
    people: Mapping[int, int]
    keys: Mapping[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy to make: its first keys by model, and the numbers of its cases."""

    place: Place
    first: Mapping[type[Model], int]
    numbers: tuple[str, ...]
    seed: int
    later: dt.timedelta = dt.timedelta()


class Drawn:
    """What the door draws, drawn for a copy: from a seed, for it protects nobody."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - demo data, the same for the same seed

    def salt(self, _case: int) -> bytes:
        """Of a case."""
        return self.rng.randbytes(32)

    def alias(self, _number: int) -> str:
        """A pseudonym."""
        return base64.b32encode(self.rng.randbytes(10)).decode("ascii")

    def disclosure_salt(self, _number: int) -> str:
        """Of a disclosure."""
        return _plain(self.rng.randbytes(16))

    def other(self, blank: Blank) -> str:
        """Any other drawn thing."""
        if blank[0] == "token":
            size = blank[3]
            assert isinstance(size, int)
            return "".join(self.rng.choice(_SIGNS) for _ in range(size))
        if blank[0] == "uuid":
            return uuid.UUID(bytes=self.rng.randbytes(16), version=4).hex
        return self.rng.randbytes(32 if blank[0] == "bytes" else 16).hex()


def _plain(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


class Filler:
    """Fills one pattern again and again."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.plan = [(number, blank) for blank, number in pattern.blanks.numbers.items()]

    @cached_property
    def _at(self) -> Mapping[Blank, int]:
        return self.pattern.blanks.numbers

    def fill(self, copy: Copy, drawn: Drawn) -> list[tuple[type[Model], list[str]]]:
        """The rows of a copy, as lines by model."""
        pattern, at = self.pattern, self._at
        values = [""] * len(self.plan)
        salts = [drawn.salt(case) for case in range(len(pattern.cases))]
        self._simple(copy, drawn, salts, values)
        digests = self._disclosures(drawn, values)
        for blank, rows, gone in pattern.listed:
            values[at[blank]] = '","'.join(sorted([*(digests[n] for n in rows), *gone]))
        self._records(salts, values)
        for blank, case, lines in pattern.prints:
            texts = [line.fill(values) for line in lines]
            values[at[blank]] = fingerprint(_case(salts[case]), *texts)
        return [(model, [line.fill(values) for line in lines]) for model, lines in self._rows]

    @cached_property
    def _rows(self) -> list[tuple[type[Model], Any]]:
        return list(self.pattern.rows.items())

    def _simple(self, copy: Copy, drawn: Drawn, salts: list[bytes], values: list[str]) -> None:
        moments = [at + copy.later for at in self.pattern.moments]
        for number, blank in self.plan:
            kind, more = blank[0], cast("tuple[Any, ...]", blank[1:])
            what: Any = more[0] if more else None
            match kind:
                case "pk":
                    values[number] = str(copy.first[what] + more[1])
                case "community":
                    values[number] = str(copy.place.community)
                case "place":
                    values[number] = copy.place.name
                case "person":
                    values[number] = str(copy.place.people[what])
                case "key":
                    values[number] = str(copy.place.keys[what, more[1]])
                case "number":
                    values[number] = copy.numbers[what]
                case "salt":
                    values[number] = salts[what].hex()
                case "at":
                    values[number] = moment(moments[what])
                case "stamp":
                    local = timezone.localtime(moments[what])
                    values[number] = local.isoformat(timespec="seconds")
                case "alias":
                    values[number] = drawn.alias(what)
                case "token" | "uuid" | "bytes" | "drawn":
                    values[number] = drawn.other(blank)

    def _disclosures(self, drawn: Drawn, values: list[str]) -> list[str]:
        at, digests = self._at, []
        for n, (line, _salt) in enumerate(self.pattern.disclosures):
            text = f'["{drawn.disclosure_salt(n)}{line.fill(values)}'
            encoded = base64.urlsafe_b64encode(text.encode()).rstrip(b"=")
            digest = _plain(hashlib.sha256(encoded).digest())
            values[at["encoded", n]] = encoded.decode("ascii")
            values[at["digest", n]] = digest
            digests.append(digest)
        return digests

    def _records(self, salts: list[bytes], values: list[str]) -> None:
        at = self._at
        for record in self.pattern.records:
            place = record.place
            text = record.canonical.fill(values)
            hashed = leaf_hash(text.encode())
            if ("head", place) in at:
                values[at["head", place]] = base64.b64encode(hashed).decode("ascii")
            values[at["leaf", place]] = hashed.hex()
            values[at["canonical", place]] = text.replace("\\", "\\\\") if record.escape else text
            if record.traced:
                code = receipt_code(_case(salts[record.case]), record.seq)
                values[at["receipt", place]] = receipt_hash(code).hex()


def _case(salt: bytes) -> Any:
    """What the record's functions ask of a case: its salt."""
    return SimpleNamespace(salt=salt)
