"""A case that was walked through the door, read as a pattern: its rows as lines with blanks.

A family (a case with its child cases, and every row that hangs on them) becomes one line a row, in
the text format of PostgreSQL's COPY. What differs from copy to copy is a blank: keys, numbers,
moments, pseudonyms, salts, digests, hashes, the place's name. Each blank is known by a tuple that
begins with its kind; `copies` says what stands in it.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from django.apps import apps
from django.db.models import Field, Model

from sanwen import disclosure
from workflows import procedure as procedures
from workflows.models import (
    Alias,
    Attachment,
    Case,
    Community,
    Disclosure,
    Record,
    Trace,
)
from workflows.steps.opinion_rows import fingerprint

from ..models import Person

Blank = tuple[Hashable, ...]
LEFT_OUT = frozenset(["job", "refusal", "traildownload"])
"""Rows of single readers and attempts, by model: no part of a case."""
BOUND = frozenset(["ends_at", "scheduled", "due_at", "starts_at", "until", "notice_ends_at"])
"""Ends of terms: they stand where the calendar puts them, whenever the act was done."""
WORDED: tuple[tuple[str, ...], ...] = (("item", "stance", "text"), ("ground", "text"), ("text",))
"""What a fingerprint may be made from: by the fields of the row."""
DRAWN = frozenset(["door", "hash", "uid"])
"""Unique columns that hold something drawn."""
KEYS_IN_JSON = {"reminded": "ledgerentry", "other_than": "person"}
"""Primary keys within JSON, by the name under which they stand; the model."""
_KEY = r"\b(?:household|unit|owner|stairwell|building|person):[0-9]+\b|\bdrawn:[0-9a-f]{32}\b"
_STAMP = re.compile(r'(?<=,"at":")[^"]+(?=")')


@dataclass(slots=True)
class Line:
    """A text with blanks: `text` for ``%``, and where in the list of values its blanks are."""

    text: str
    blanks: tuple[int, ...]
    fill: Callable[[Sequence[str]], str]


class Blanks:
    """The blanks of a pattern, each with its number."""

    def __init__(self) -> None:
        self.numbers: dict[Blank, int] = {}

    def __call__(self, blank: Blank) -> int:
        """The number of a blank."""
        return self.numbers.setdefault(blank, len(self.numbers))

    def line(self, parts: Iterable[str | Blank]) -> Line:
        """A line from texts and blanks."""
        text, at = [], []
        for part in parts:
            if isinstance(part, str):
                text.append(part.replace("%", "%%"))
            else:
                text.append("%s")
                at.append(self(part))
        joined, numbers = "".join(text), tuple(at)
        if not numbers:
            plain = joined.replace("%%", "%")
            return Line(joined, numbers, lambda _values: plain)
        pick = itemgetter(*numbers)
        return Line(joined, numbers, lambda values: joined % pick(values))


def escaped(text: str) -> str:
    """A value in the text format of COPY."""
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
        return text.replace("\r", "\\r")
    return text


def moment(value: dt.datetime) -> str:
    """A moment as both databases take it: in UTC, without saying so."""
    plain = value.astimezone(dt.UTC).replace(tzinfo=None)
    return plain.isoformat(" ")


@dataclass(slots=True)
class RecordPattern:
    """One record: its bytes with blanks, and what must be worked out for it."""

    case: int
    seq: int
    place: int
    """Its number among the records of the family."""
    canonical: Line
    traced: bool
    escape: bool


@dataclass
class Pattern:
    """A family of cases as lines with blanks. `rows` by model, in the order of their keys."""

    blanks: Blanks = field(default_factory=Blanks)
    rows: dict[type[Model], list[Line]] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    records: list[RecordPattern] = field(default_factory=list)
    disclosures: list[tuple[Line, str]] = field(default_factory=list)
    """What follows the salt in each, and the salt that it has in the pattern."""
    listed: list[tuple[Blank, list[int], list[str]]] = field(default_factory=list)
    """Lists of digests: the blank, the disclosures in it, and digests whose disclosure is gone."""
    moments: list[dt.datetime] = field(default_factory=list)
    prints: list[tuple[Blank, int, list[Line]]] = field(default_factory=list)
    """Fingerprints: the blank, the case, the parts."""
    room: dt.timedelta = dt.timedelta()
    """How much later the whole may have happened, on the same days and before it was read."""

    @property
    def community(self) -> Community:
        """Where it was walked."""
        return self.cases[0].community

    @property
    def title(self) -> str:
        """Of the first case."""
        return self.cases[0].title

    @property
    def code(self) -> str:
        """The procedure of the first case."""
        return self.cases[0].procedure


def _hanging() -> dict[type[Model], list[Field[Any, Any]]]:
    """Models whose rows hang on cases, with the fields by which they do."""
    found: dict[type[Model], list[Field[Any, Any]]] = defaultdict(list)
    declaring = {declared.__module__ for declared in procedures.all_declared()}
    named = [apps.get_containing_app_config(module) for module in sorted(declaring)]
    configs = dict.fromkeys([apps.get_app_config("workflows"), *named])  # no news are copied
    models = [
        model
        for config in configs
        if config is not None
        for model in config.get_models()
        if model._meta.model_name not in LEFT_OUT
    ]
    inside: set[type[Model]] = {Case}
    grew = True
    while grew:
        grew = False
        for model in models:
            fields = [f for f in model._meta.concrete_fields if f.related_model in inside]
            if fields and model is not Case:
                grew |= model not in inside
                inside.add(model)
                found[model] = fields
    return found


class Reader:
    """Reads one family of cases into a `Pattern`."""

    def __init__(self, root: Case, read_at: dt.datetime) -> None:
        self.read_at = read_at
        self.pattern = Pattern()
        self.found: dict[type[Model], dict[Any, Model]] = {Case: {root.pk: root}}
        self._gather()
        self.order: dict[type[Model], dict[Any, int]] = {
            model: {pk: n for n, pk in enumerate(sorted(rows))}
            for model, rows in self.found.items()
        }
        self.pattern.cases = [
            row for _pk, row in sorted(self.found[Case].items()) if isinstance(row, Case)
        ]
        self.of_case = {case.pk: n for n, case in enumerate(self.pattern.cases)}

    def _gather(self) -> None:
        hanging = _hanging()
        fresh = {model: set(rows) for model, rows in self.found.items()}
        while fresh:
            more: dict[type[Model], set[Any]] = defaultdict(set)
            linked: list[tuple[type[Model], Any]] = [*hanging.items()]
            linked.append((Case, [Case._meta.get_field("parent")]))
            for model, fields in linked:
                held = self.found.setdefault(model, {})
                for by in fields:
                    keys = fresh.get(by.related_model)
                    if not keys:
                        continue
                    for row in model._default_manager.filter(**{f"{by.name}__in": keys}):
                        if row.pk not in held:
                            held[row.pk] = row
                            more[model].add(row.pk)
            fresh = more
        # What also hangs on a case of another family is left with the pattern.
        inside = {*hanging, Case}
        for model, rows in self.found.items():
            for by in model._meta.concrete_fields:
                if by.related_model in inside:
                    known = self.found.get(by.related_model, {})
                    for pk, row in list(rows.items()):
                        if getattr(row, by.attname) not in (None, *known):
                            del rows[pk]

    # --- words
    def _words(self, text: str) -> list[str | Blank]:
        """A text as people read it, or JSON, with what differs as blanks."""
        parts: list[str | Blank] = []
        for n, piece in enumerate(self.finder.split(text)):
            if n % 2 == 0:
                if piece:
                    parts.append(escaped(piece))
            else:
                parts.extend(self._blank_of(piece))
        return parts

    def _blank_of(self, piece: str) -> list[str | Blank]:
        if piece == self.place:
            return [("place",)]
        if piece in self.numbered:
            return [("number", self.numbered[piece])]
        if piece.startswith('"@'):  # a key within JSON
            _mark, kind, key = piece.strip('"').split(" ")
            return [self._key(kind, int(key))]
        kind, _sep, number = piece.partition(":")
        if kind == "drawn":
            return ["drawn:", ("drawn", number)]
        return [f"{kind}:", self._key(kind, int(number))]

    def _key(self, kind: str, key: int) -> Blank:
        for model, places in self.order.items():
            if model._meta.model_name == kind and key in places:
                return ("pk", model, places[key])
        return ("person", key) if kind == "person" else ("key", kind, key)

    # --- the parts
    def read(self) -> Pattern:
        """The pattern."""
        pattern, cases = self.pattern, self.pattern.cases
        self.place = pattern.community.name
        self.numbered = {case.number: n for n, case in enumerate(cases)}
        known = "|".join(re.escape(word) for word in (self.place, *self.numbered))
        self.finder = re.compile(rf'("@key \w+ [0-9]+"|{known}|{_KEY})')
        records = [row for row in self.found[Record].values() if isinstance(row, Record)]
        pattern.moments = sorted({record.at for record in records})
        self.at = {at: n for n, at in enumerate(pattern.moments)}
        self._room()
        self._disclosures()
        self._records(records)
        for model, rows in self.found.items():
            if rows:
                pattern.rows[model] = [self._row(row) for _pk, row in sorted(rows.items())]
        return pattern

    def _room(self) -> None:
        from django.utils import timezone

        ends = [
            timezone.localtime(at).replace(hour=23, minute=59, second=59, microsecond=0) - at
            for at in self.pattern.moments
        ]
        room = min([*ends, self.read_at - self.pattern.moments[-1]])
        self.pattern.room = max(room, dt.timedelta())

    def _disclosures(self) -> None:
        self.digests: dict[str, int] = {}
        rows = sorted(self.found.get(Disclosure, {}).items())
        for n, (_pk, row) in enumerate(rows):
            assert isinstance(row, Disclosure)
            encoded = row.encoded + "=" * (-len(row.encoded) % 4)
            text = base64.urlsafe_b64decode(encoded).decode()
            salt, rest = text[2:24], text[24:]
            name, value = disclosure.read(row.encoded)
            if (
                f'["{salt}", {json.dumps([name, value], ensure_ascii=False)[1:]}'
                != text[:24] + rest
            ):
                raise ValueError(f"disclosure {row.pk} is not as it would be made")
            parts = [_unescaped(part) for part in self._words(rest)]
            self.pattern.disclosures.append((self.pattern.blanks.line(parts), salt))
            self.digests[row.digest] = n

    def _records(self, records: list[Record]) -> None:
        aliases: dict[int, dict[str, int]] = defaultdict(dict)
        for n, (_pk, alias) in enumerate(sorted(self.found.get(Alias, {}).items())):
            assert isinstance(alias, Alias)
            aliases[alias.case_id][alias.name] = n
        traces: dict[int, Any] = self.found.get(Trace, {})
        traced = {row.record_id for row in traces.values()}
        places = self.order[Record]
        before: dict[int, Record] = {}
        for record in sorted(records, key=lambda row: (row.case_id, row.seq)):
            parts = self._canonical(record, before.get(record.case_id), aliases[record.case_id])
            before[record.case_id] = record
            line = self.pattern.blanks.line(parts)
            self.pattern.records.append(
                RecordPattern(
                    self.of_case[record.case_id],
                    record.seq,
                    places[record.pk],
                    line,
                    record.pk in traced,
                    "\\" in record.canonical,
                )
            )

    def _canonical(
        self, record: Record, before: Record | None, aliases: dict[str, int]
    ) -> list[str | Blank]:
        content, text = record.content, record.canonical
        known: dict[str, Blank] = {f'"{name}"': ("alias", n) for name, n in aliases.items()}
        known |= {f'"{number}"': ("number", n) for number, n in self.numbered.items()}
        if before is not None:
            head = base64.b64encode(bytes(before.leaf_hash)).decode()
            known[f'"{head}"'] = ("head", self.order[Record][before.pk])
        for name, digests in (
            ("hidden", content.get("_sd")),
            ("shown", content["body"].get("_sd")),
        ):
            if digests:
                blank = (name, self.order[Record][record.pk])
                rows = [self.digests[one] for one in digests if one in self.digests]
                gone = [one for one in digests if one not in self.digests]
                self.pattern.listed.append((blank, rows, gone))
                known['"' + '","'.join(digests) + '"'] = blank
        stamp = _STAMP.search(text)
        assert stamp is not None
        if stamp.group() != content["at"]:
            raise ValueError(f"record {record.pk} does not say where it should when it was")
        first, rest = text[: stamp.start()], text[stamp.end() :]
        finder = re.compile("(" + "|".join(map(re.escape, sorted(known, key=len)[::-1])) + ")")
        parts: list[str | Blank] = []
        for half in (first, rest):
            for n, piece in enumerate(finder.split(half)):
                parts += ['"', known[piece], '"'] if n % 2 else [piece]
            if half is first:
                parts.append(("stamp", self.at[record.at]))
        return parts

    # --- rows
    def _row(self, row: Model) -> Line:
        parts: list[str | Blank] = []
        for n, column in enumerate(row._meta.concrete_fields):
            if n:
                parts.append("\t")
            parts.extend(self._value(row, column))
        return self.pattern.blanks.line(parts)

    def _value(self, row: Model, column: Field[Any, Any]) -> list[str | Blank]:
        value = getattr(row, column.attname)
        special = self._special(row, column, value)
        if special is not None:
            return special
        if value is None:
            return ["\\N"]
        related = column.related_model
        if related is not None:
            if value in self.order.get(related, ()):
                return [("pk", related, self.order[related][value])]
            if related is Person:
                return [("person", value)]
            if related is Community:
                return [("community",)]
            raise ValueError(f"{column} leads out of the family")
        kind = column.get_internal_type()
        if kind == "JSONField":
            return self._words(json.dumps(_marked(value), ensure_ascii=False))
        if kind == "DateTimeField":
            if column.name not in BOUND and value in self.at:
                return [("at", self.at[value])]
            return [moment(value)]
        if kind in ("CharField", "TextField"):
            return self._words(str(column.get_prep_value(value)))
        return [plain(column, value)]

    def _special(self, row: Model, column: Field[Any, Any], value: Any) -> list[str | Blank] | None:
        """What is worked out for each copy."""
        name = column.attname
        if column.primary_key:
            return [("pk", type(row), self.order[type(row)][value])]
        if isinstance(row, Record):
            place = self.order[Record][row.pk]
            worked = {"canonical": "canonical", "leaf_hash": "leaf"}.get(name)
            if worked:
                return [(worked, place)] if worked == "canonical" else ["\\\\x", (worked, place)]
            if name == "log_index":
                return ["\\N"]
        elif isinstance(row, Disclosure) and name in ("encoded", "digest"):
            return [(name, self.digests[row.digest])]
        elif isinstance(row, Alias) and name == "name":
            return [("alias", self.order[Alias][row.pk])]
        elif isinstance(row, Trace) and name == "receipt" and value is not None:
            return ["\\\\x", ("receipt", self.order[Record][row.record_id])]
        elif isinstance(row, Case):
            case = self.of_case[row.pk]
            if name == "number":
                return [("number", case)]
            if name == "salt":
                return ["\\\\x", ("salt", case)]
            if name == "head" and value is not None:
                records: dict[int, Any] = self.found[Record]
                last = max(
                    (r for r in records.values() if r.case_id == row.pk), key=lambda r: r.seq
                )
                return ["\\\\x", ("leaf", self.order[Record][last.pk])]
        elif name == "fingerprint":
            return self._print(row, value)
        elif name in DRAWN and value is not None:
            return self._drawn(row, column, value)
        return None

    def _print(self, row: Any, value: str) -> list[str | Blank] | None:
        for names in WORDED:
            if not all(hasattr(row, name) for name in names):
                continue
            case = self.pattern.cases[self.of_case[row.case_id]]
            texts = [getattr(row, name) for name in names]
            if fingerprint(case, *texts) == value:
                blank: Any = ("print", type(row), row.pk)
                lines = [
                    self.pattern.blanks.line([_unescaped(p) for p in self._words(text)])
                    for text in texts
                ]
                self.pattern.prints.append((blank, self.of_case[row.case_id], lines))
                return [blank]
        return None

    def _drawn(self, row: Model, column: Field[Any, Any], value: Any) -> list[str | Blank] | None:
        if not column.unique:
            return None
        if isinstance(row, Attachment):
            return [("uuid", row.pk)]
        if column.get_internal_type() == "BinaryField":
            return ["\\\\x", ("bytes", type(row), row.pk)]
        return [("token", type(row), row.pk, len(value))]


def plain(column: Field[Any, Any], value: Any) -> str:
    """A value of a column as COPY and SQLite both take it."""
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (bytes, memoryview)):
        return "\\\\x" + bytes(value).hex()
    if isinstance(value, dt.datetime):
        return moment(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return value.hex
    if column.get_internal_type() == "JSONField":
        return escaped(json.dumps(value, ensure_ascii=False))
    return escaped(str(column.get_prep_value(value)))


def _unescaped(part: str | Blank) -> str | Blank:
    if isinstance(part, str) and "\\" in part:
        signs = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r"}
        return re.sub(r"\\.", lambda found: signs[found.group()], part)
    return part


def _marked(value: Any, name: str = "") -> Any:
    """JSON with primary keys marked, so that they are found in its text."""
    if isinstance(value, dict):
        return {key: _marked(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_marked(each, name) for each in value]
    if name in KEYS_IN_JSON and isinstance(value, int) and not isinstance(value, bool):
        return f"@key {KEYS_IN_JSON[name]} {value}"
    return value


def read(root: Case, read_at: dt.datetime) -> Pattern:
    """The pattern of a case and its child cases."""
    return Reader(root, read_at).read()
