"""Open data: the public records of cases, read piece by piece, and as tables for spreadsheets.

A record never changes and a case only grows, so records are read by position in blocks: an export
of ten thousand holds a few hundred in memory, keeps no cursor open while a slow reader downloads,
and ends where each case stood when it began. Nothing is read but what records make public: their
hashed bytes, and the words published beside them.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ..models.case import Case
from ..models.record import Disclosure, Record
from ..parties import role_title
from ..portal import words

BLOCK = 250
"""How many records, or cases, are in memory at once."""

# XML 1.0 (2.2) has no such characters; no reader of ours needs them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text without control characters, which XML and calendar programs refuse."""
    return _UNPRINTABLE.sub("", text)


@dataclass(frozen=True, slots=True)
class Extent:
    """Which records an export holds: of each case, by primary key, the first so many."""

    lengths: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, cases: QuerySet[Case]) -> Extent:
        """All records that these cases have now."""
        return cls(tuple(cases.order_by("pk").values_list("pk", "length")))

    def cases(self) -> Iterator[tuple[Case, int]]:
        """Each case with how many of its records belong to the export; one query a block."""
        for at in range(0, len(self.lengths), BLOCK):
            part = dict(self.lengths[at : at + BLOCK])
            rows = Case.objects.select_related("community", "parent__process")
            for case in rows.filter(pk__in=part).order_by("pk"):
                yield case, part[case.pk]


def with_words(records: Iterable[Record]) -> list[Record]:
    """The records, each with the words that are published beside it; two queries.

    Not by a prefetch: it leaves each record in a reference cycle, and an export of ten thousand
    with twenty megabytes of them.
    """
    found = list(records)
    words_of: dict[int, list[str]] = defaultdict(list)
    instead_of: dict[int, dict[str, Any]] = defaultdict(dict)
    shown = Q(public=True) | Q(now__isnull=False)
    rows = Disclosure.objects.filter(shown, record__in=[record.pk for record in found])
    columns = rows.order_by("pk").values_list("record_id", "name", "encoded", "public", "now")
    for pk, name, encoded, public, now in columns:
        if public:
            words_of[pk].append(encoded)
        elif now:
            instead_of[pk][name] = now
    for record in found:
        record.published = words_of[record.pk]
        record.restated = instead_of[record.pk]
    return found


def records_of(case: Case, length: int) -> Iterator[Record]:
    """The first `length` records of a case in order, with their words; two queries a block."""
    for at in range(0, length, BLOCK):
        block = case.records.filter(seq__gte=at, seq__lt=min(at + BLOCK, length))
        yield from with_words(block.order_by("seq"))


def canonical_lines(case: Case) -> Iterator[bytes]:
    """The records of a case, one canonical JSON object a line, as they are hashed."""
    for at in range(0, case.length, BLOCK):
        block = case.records.filter(seq__gte=at, seq__lt=min(at + BLOCK, case.length))
        for canonical in block.order_by("seq").values_list("canonical", flat=True):
            yield canonical.encode() + b"\n"


def disclosure_lines(case: Case) -> Iterator[bytes]:
    """The words that are published beside the records: ``seq``, ``disclosure`` (SD-JWT) a line."""
    for record in records_of(case, case.length):
        for encoded in record.published:
            yield json.dumps({"seq": record.seq, "disclosure": encoded}).encode() + b"\n"


# --- tables ------------------------------------------------------------------------------------

# What makes a spreadsheet program take a cell for a formula; the wide forms do in some of them.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


def cell(value: Any) -> Any:
    """A value as a cell that no spreadsheet program runs as a formula: text gets a leading ``'``.

    Numbers stay numbers. (OWASP, CSV Injection.)
    """
    if value is None or isinstance(value, (int, bool)):
        return value
    text = printable(str(value))
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


class _Line:
    """Hands back what the csv module writes."""

    def write(self, text: str) -> str:
        return text


def table(rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """Rows as CSV (RFC 4180) in UTF-8 with a byte order mark, without which spreadsheet programs
    on Chinese systems read GBK."""
    writer: Any = csv.writer(_Line())
    yield b"\xef\xbb\xbf"
    for row in rows:
        yield writer.writerow([cell(value) for value in row]).encode()


def moment(at: dt.datetime | None) -> str:
    """Local time as spreadsheet programs know it, to the second."""
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}" if at else ""


def record_rows(case: Case) -> Iterator[list[Any]]:
    """The records of a case as rows, with a heading, in words and in codes."""
    yield [
        _("序号"),
        _("登记时间"),
        _("发生时间"),
        _("环节"),
        _("轮次"),
        _("行为"),
        _("身份"),
        _("代号"),
        _("方式"),
        _("内容"),
        _("更正的记录"),
        _("附件数"),
        _("环节代码"),
        _("行为代码"),
        _("记录指纹（SHA-256）"),
    ]
    for record in records_of(case, case.length):
        content = record.content
        happened = content.get("happened_at")
        via = content["party"].get("via", "online")
        yield [
            record.seq,
            moment(record.at),
            moment(dt.datetime.fromisoformat(happened)) if happened else "",
            words.step_title(case, record.step) if record.step else "",
            content.get("round", 1) if record.step else "",
            words.act_title(case, record.step, record.act),
            role_title(record.role),
            content["party"].get("id", ""),
            "" if record.role == "clock" else words.VALUES.get(via, via),
            body_text(case, record),
            content.get("corrects", ""),
            len(content.get("files", ())),
            record.step,
            record.act,
            bytes(record.leaf_hash).hex(),
        ]


def body_text(case: Case, record: Record) -> str:
    """What a record says, a line a field."""
    lines = words.body_lines(case, record)
    return "\n".join(_("%(label)s：%(value)s") % {"label": a, "value": b} for a, b in lines)


def book_rows(book: Iterable[Mapping[str, Any]], menu: Mapping[str, Any]) -> Iterator[list[Any]]:
    """A feedback book (`opinion.feedback_book`) as rows, with a heading; `menu`: items by code."""
    yield [
        _("记录序号"),
        _("提交时间"),
        _("项目"),
        _("态度"),
        _("意见内容"),
        _("处理结果"),
        _("理由"),
        _("转办去向"),
        _("答复时间"),
        _("答复记录"),
    ]
    for row in book:
        item = menu.get(row["item"])
        yield [
            row["seq"],
            moment(row["submitted_at"]),
            item.title if item else row["item"],
            words.VALUES.get(row["stance"], row["stance"]),
            row["wording"] or (_("原文已依法删除") if row["erased_at"] else ""),
            standing(row),
            row["reason"] or "",
            row["referral"] or "",
            moment(row["replied_at"]),
            row["reply_seq"],
        ]


def standing(row: Mapping[str, Any]) -> Any:
    """What became of an opinion, in words: its outcome, or that it waits, or was taken back."""
    if row["outcome"]:
        return words.VALUES.get(row["outcome"], row["outcome"])
    return _("已撤回") if row["life"] == "withdrawn" else _("等待答复")
