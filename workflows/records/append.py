"""How a record is made: canonical JSON, chained by hash within its case, all words as digests.

The hashed bytes hold codes, numbers and dates only. Whatever else a body says (a title, a reason, a
wording) is published beside them as a salted disclosure, so that it can be withdrawn when a person
is found in it, and private values are disclosures that are not published.

Formats: RFC 8785 (canonical JSON), RFC 6962 section 2.1 (leaf hash), RFC 9901 (digests of salted
disclosures), RFC 3339 (times).
"""

from __future__ import annotations

import base64
import datetime as dt
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785
from django.db import connection
from django.utils import timezone

from sanwen import disclosure
from sanwen.merkle import leaf_hash

from .. import clock
from ..models.case import Case, StepRun
from ..models.record import Alias, Attachment, Disclosure, Record, Trace
from ..parties import Party
from ..statements import Ready, inserting, next_key, together
from .receipts import receipt_code, receipt_hash

FORMAT = 1
MAX_BYTES = 65_535  # an entry of a C2SP entry bundle has a length of two bytes


class TooLarge(ValueError):
    """The record would not fit into the log; long content belongs in an attachment."""


class Inexact(TypeError):
    """A float was to enter the record; law and money know none."""


def _require_exact(value: Any) -> None:
    if isinstance(value, float):
        raise Inexact(f"{value!r} in a record")
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for each in value:
        _require_exact(each)


@dataclass(frozen=True, slots=True)
class Found:
    """What the door has read for the record of an act, when it held the case.

    `length` is how many records the case then had; `pk` the key of the record to come, where the
    database gives keys beforehand; `alias` the party's pseudonym, None before its first act.
    """

    length: int
    pk: int | None
    alias: str | None


def next_pk() -> Ready:
    """The statement that asks PostgreSQL for the key of a record to come."""
    return next_key(Record)


def pseudonym(case: Case, party_key: str) -> str:
    """A name for a party that is stable within the case and meaningless outside it (80 bits).

    It is drawn, not computed: once its row is deleted, nobody can find the party again.
    """
    drawn = _drawn()
    table = connection.ops.quote_name(Alias._meta.db_table)
    with connection.cursor() as cursor:
        # One statement, and of two that come first at once both get the same name.
        cursor.execute(
            f"INSERT INTO {table} (case_id, party_key, name) VALUES (%s, %s, %s) "  # noqa: S608
            f"ON CONFLICT (case_id, party_key) DO UPDATE SET name = {table}.name RETURNING name",
            [case.pk, party_key, drawn],
        )
        name: str = cursor.fetchone()[0]
    return name


def _drawn() -> str:
    return base64.b32encode(secrets.token_bytes(10)).decode("ascii")


def _name(case: Case, party: Party, found: Found | None) -> str:
    """The pseudonym by what the door has read, if nothing was recorded since (an act within the
    act may have been the party's first)."""
    if found is None or found.length != case.length:
        return pseudonym(case, party.key)
    if found.alias is not None:
        return found.alias
    new = Alias(case=case, party_key=party.key, name=_drawn())
    case.unwritten.append(new)
    return new.name


# What a body may say in the hashed bytes: codes, numbers, dates, digests, numbers of cases, keys.
_CODE = re.compile(
    r"[a-z][a-z0-9]*(?:[_.][a-z0-9]+)*"
    r"|-?[0-9]{1,6}|-?[0-9]{1,14}\.[0-9]{1,2}|[0-9]{1,9}/[0-9]{1,9}|[0-9]{1,4}[a-z]{1,3}|<[0-9]"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:\+[0-9]{2}:[0-9]{2})?)?"
    r"|[0-9a-f]{64}|[A-Z]{2,10}-[0-9]{4}-[0-9]{4,9}"
    r"|[a-z0-9.:/_-]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{43,44}={0,2}"  # a verifier key of the log
)


def is_code(value: Any, typed: frozenset[str] = frozenset()) -> bool:
    """Whether a value of a body says nothing in words; `typed` is what the act's form was told."""
    if isinstance(value, str):
        return not value or (value not in typed and _CODE.fullmatch(value) is not None)
    if isinstance(value, Mapping):
        return all(is_code(k, typed) and is_code(v, typed) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return all(is_code(item, typed) for item in value)
    return True


def _stamp(moment: dt.datetime) -> str:
    return timezone.localtime(moment).isoformat(timespec="seconds")


def not_before(case: Case, at: dt.datetime) -> dt.datetime:
    """`at`, or the time until which the case is recorded where that is later: by then the machine's
    clock was set back. Terms start there, too, so that none is shorter."""
    until = case.recorded_until
    return until if until is not None and at < until - clock.SKEW else at


def append(
    case: Case,
    *,
    act: str,
    at: dt.datetime,
    party: Party,
    body: Mapping[str, Any],
    run: StepRun | None = None,
    private: Mapping[str, Any] | None = None,
    files: Iterable[Attachment] = (),
    happened_at: dt.datetime | None = None,
    corrects: int | None = None,
    key: str | None = None,
    typed: Iterable[str] = (),
    found: Found | None = None,
) -> Record:
    """Append one record to `case`, which the caller has locked; `flush` stores the new head.

    With a key that the door has `found` for it, or that waits among ``case.keys``, the record too
    is stored by `write` or `flush`; without one it is stored now, after what stands beside the
    records before it.

    `body` is public; what it says in words is disclosed beside the record, as is all that stands in
    `typed` (what people wrote, whatever it looks like). Each value of `private` enters it as a
    salted digest only. Where the machine's clock was set back, `at` stays at what was recorded last
    in the case or signed by the log, and the machine's time becomes `happened_at`.
    Raises `TooLarge` beyond 65,535 bytes, `Inexact` for a float (numbers are integers, exact
    amounts are strings) and `rfc8785.CanonicalizationError` for what is not JSON.
    """
    seq = case.length
    if (dated := not_before(case, at)) != at:
        # The machine's clock was set back: the record stands in its order, and says both.
        at, happened_at = dated, happened_at or at
    _require_exact(body)
    written = frozenset(typed)
    words = {name: value for name, value in body.items() if not is_code(value, written)}
    disclosures = [
        Disclosure(name=name, encoded=disclosure.made(name, value), public=public)
        for public, values in ((True, words), (False, private or {}))
        for name, value in values.items()
        if value
    ]
    if sum(len(row.encoded) for row in disclosures) > MAX_BYTES * 4 // 3:  # they are base64
        raise TooLarge("the words of a record")
    for row in disclosures:
        row.digest = disclosure.digest(row.encoded)
    hidden = sorted(row.digest for row in disclosures if not row.public)
    shown = sorted(row.digest for row in disclosures if row.public)
    who: dict[str, Any] = {"role": party.role}
    if party.role != "clock":
        who["id"] = _name(case, party, found)
    if party.via != "online":
        who["via"] = party.via
    content: dict[str, Any] = {
        "v": FORMAT,
        "case": case.number,
        "seq": seq,
        "procedure": f"{case.procedure}@{case.version}",
        "step": run.name if run else "",
        "act": act,
        "at": _stamp(at),
        "party": who,
        "body": {name: value for name, value in body.items() if name not in words},
    }
    if run is not None and run.round > 1:
        content["round"] = run.round
    if case.head is not None:
        content["prev"] = base64.b64encode(bytes(case.head)).decode("ascii")
    if happened_at is not None:
        content["happened_at"] = _stamp(happened_at)
    if corrects is not None:
        content["corrects"] = corrects
    if shown:
        content["body"]["_sd"] = shown
    if hidden:
        content["_sd"] = hidden
    if disclosures:
        content["_sd_alg"] = "sha-256"
    attached = list(files)
    if attached:
        content["files"] = [
            {"name": f.name, "type": f.media_type, "size": f.size, "sha256": f.sha256}
            for f in attached
        ]
    canonical = rfc8785.dumps(content)
    if len(canonical) > MAX_BYTES:
        raise TooLarge(f"a record of {len(canonical)} bytes")
    hashed = leaf_hash(canonical)
    given = case.keys.pop(0) if found is None and case.keys else None
    record = Record(
        pk=found.pk if found else given,
        case=case,
        seq=seq,
        run=run,
        step=content["step"],
        act=act,
        at=at,
        role=party.role,
        canonical=canonical.decode(),
        leaf_hash=hashed,
        key=key or None,
    )
    if record.pk is None:
        _write(case, inserting(record, returning=True))
    else:
        case.unwritten.append(record)
    for row in disclosures:
        row.record = record
    case.unwritten.extend(disclosures)
    if party.role != "clock":
        trace = Trace(
            record=record,
            party_key=party.key,
            user_id=party.user_id,
            receipt=receipt_hash(receipt_code(case, seq)),
        )
        case.unwritten.append(trace)
    if attached:
        for file in attached:
            file.record = record
        Attachment.objects.bulk_update(attached, ["record"])
    case.length = seq + 1
    case.head = hashed
    case.recorded_until = max(at, case.recorded_until or at)
    return record


def flush(case: Case) -> None:
    """Write what stands beside the records of an act, and how far the case's chain has come.

    Once at the end of an act: for all its records together, and on PostgreSQL in one go.
    """
    table = connection.ops.quote_name(Case._meta.db_table)
    head = f"UPDATE {table} SET length = %s, head = %s WHERE id = %s"  # noqa: S608
    case.keys.clear()
    case.ahead = None
    _write(case, (head, (case.length, case.head, case.pk), None))


def write(case: Case, *further: Ready) -> list[Any]:
    """Write what stands beside the records so far, and `further`; `flush` comes later.

    Returns what the rows of each of `further` came to.
    """
    return _write(case, *further) if case.unwritten or further else []


def _write(case: Case, *further: Ready) -> list[Any]:
    # A fact is told its key; nobody asks for those of the rows that stand beside a record.
    beside = (Alias, Disclosure, Record, StepRun.previous.through, Trace)
    statements = [
        row
        if isinstance(row, tuple)
        else inserting(row, returning=row.pk is None and not isinstance(row, beside))
        for row in case.unwritten
    ]
    case.unwritten.clear()
    return together([*statements, *further])[len(statements) :]


def links(before: Record | None, record: Record) -> bool:
    """Whether a record names the hash of the one before it (or none, at position 0)."""
    prev = record.content.get("prev")
    if record.seq == 0:
        return prev is None
    if before is None or prev is None:
        return False
    return base64.b64decode(prev) == leaf_hash(before.canonical.encode())


def first_fault(case: Case) -> int | None:
    """The first position at which the chain of a case does not hold, or None when it does."""
    before: Record | None = None
    expected = 0
    for record in Record.objects.filter(case=case).order_by("seq").iterator(chunk_size=500):
        sound = leaf_hash(record.canonical.encode()) == bytes(record.leaf_hash)
        if record.seq != expected or not sound or not links(before, record):
            return expected
        before, expected = record, expected + 1
    if expected != case.length:
        return expected
    head = bytes(before.leaf_hash) if before else None
    return None if head == (bytes(case.head) if case.head else None) else expected
