"""A case as chapters of HTML: one chapter a step run, in pieces of bounded length.

A chapter begins with a summary made from the facts and goes on with the run's records, each printed
by `sanwen.trailtext`. Short chapters that are finished share a piece; an open one has pieces of its
own, so that what comes in next changes no other.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

from django.template.loader import get_template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from sanwen import disclosure, trailtext

from ...models.case import Case
from ...models.record import Disclosure
from ...parties import role_title
from ...portal import words as portal_words
from ...steps.base import Step
from . import words

TOGETHER = 100
"""Chapters of so many records and rows in all stand in one piece."""
SLICE, END = 200, 50
"""Records, opinions or entries in one piece of a long chapter, and in each piece of what is left
over: what grows is rendered again and again, and should be small."""

SHORT = 28
"""Lines of so many signs stand side by side."""


@dataclass
class Piece:
    """What is printed together: `key` stands for all that its HTML is made from.

    A piece that is kept under its key is not written again.
    """

    key: str
    write: Callable[[], str]
    begins: bool
    """Whether it holds the head of a chapter."""

    @cached_property
    def html(self) -> str:
        """What stands in the body of its page."""
        return self.write()


def _written(html: str, begins: bool = False) -> Piece:
    return Piece(key_of(html), lambda: html, begins)


@dataclass(slots=True)
class Chapter:
    """A step run (or the case as a whole): its blocks, each no longer than a slice."""

    number: int
    title: str
    open: bool
    blocks: list[Piece] = field(default_factory=list)
    weight: int = 0
    """Records and rows in it."""


@dataclass(slots=True)
class Reading:
    """A case as it was read for one trail."""

    case: Case
    full: bool
    words: dict[str, Any]
    records: list[tuple[int, str]]
    """Position and canonical text."""
    disclosures: dict[int, list[str]]
    chapters: list[Chapter] = field(default_factory=list)

    def attached(self) -> Iterator[tuple[str, str, bytes]]:
        """Name, media type and content of what is attached beside the log's own files."""
        text = "".join(f"{canonical}\n" for _seq, canonical in self.records)
        yield "records.jsonl", "application/x-ndjson", text.encode()
        text = "".join(
            f'{{"seq":{seq},"disclosure":"{encoded}"}}\n'  # base64url: nothing to escape
            for seq, given in sorted(self.disclosures.items())
            for encoded in given
        )
        yield "disclosures.jsonl", "application/x-ndjson", text.encode()
        yield "words.json", "application/json", _json(self.words)
        yield "case.json", "application/json", _json(_summary(self))


def read(case: Case, *, full: bool) -> Reading:
    """Read a case in the language that is active; `full` opens what is not public."""
    table = words.table(case)
    found = Reading(case, full, table, [], _disclosures(case, full, table))
    by_run: dict[int | None, list[tuple[int, str]]] = defaultdict(list)
    rows = case.records.order_by("seq").values_list("seq", "run_id", "canonical")
    for seq, run_id, canonical in rows.iterator(chunk_size=500):
        words.learn(table, canonical)
        found.records.append((seq, canonical))
        by_run[run_id].append((seq, canonical))
    found.chapters = list(_Writer(found).chapters(by_run))
    return found


def pieces(reading: Reading) -> list[Piece]:
    """The pieces, in order."""
    return list(_packed(reading.chapters))


def page(body: str, title: str) -> str:
    """A whole HTML document around `body`, in the language that is active."""
    given = {"language": get_language(), "title": title, "body": mark_safe(body)}  # noqa: S308
    return get_template("trail/page.html").render(given)


def _packed(chapters: Iterable[Chapter]) -> Iterator[Piece]:
    together: list[Piece] = []
    weight = 0
    for chapter in chapters:
        if together and (chapter.open or weight + chapter.weight > TOGETHER):
            yield _joined(together)
            together, weight = [], 0
        if chapter.open or chapter.weight > TOGETHER:
            yield from chapter.blocks
        else:
            together += chapter.blocks
            weight += chapter.weight
    if together:
        yield _joined(together)


def _joined(together: list[Piece]) -> Piece:
    return _written("".join(piece.html for piece in together), begins=True)


def _disclosures(case: Case, full: bool, table: dict[str, Any]) -> dict[int, list[str]]:
    """What is opened of each record; the table learns the terms among it."""
    rows = Disclosure.objects.filter(record__case=case).exclude(encoded="")
    rows = rows.order_by("record__seq", "pk")
    if not full:
        rows = rows.filter(public=True)
    found: dict[int, list[str]] = defaultdict(list)
    listed = rows.values_list("record__seq", "name", "encoded")
    for seq, name, encoded in listed.iterator(chunk_size=500):
        found[seq].append(encoded)
        if name in words.TERMS:
            words.learn_one(table, disclosure.read(encoded)[1])
    return dict(found)


def _printed(lines: list[str]) -> str:
    """A record's lines as HTML: short ones side by side, for each line of print costs."""
    title, who, *rest, hashed = (escape(line, quote=False) for line in lines)
    body = ""
    beside = False
    for line in rest:
        short = len(line) <= SHORT
        body += ("　" if short and beside else "\n") + line if body else line
        beside = short
    body = f"{body}\n{hashed}" if body else hashed
    return f"<h3>{title}　{who}</h3><p>{body}</p>"


LISTED = frozenset({"consultation", "ballot", "publicity", "ledger"})
"""Kinds of steps whose rows a trail lists; of others (a procedure's own) it has the records."""


class _Writer:
    """Writes the chapters of a reading."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.case = reading.case
        # Without the terms: they are made from the records, which stand in the keys themselves.
        self.told = key_of(json.dumps({**reading.words, "terms": None}, ensure_ascii=False))

    def chapters(self, by_run: dict[int | None, list[tuple[int, str]]]) -> Iterator[Chapter]:
        """One by one, with the records of their runs."""
        case = self.case
        whole = Chapter(1, _("立项与办结"), open=case.open)
        context = {"case": case, "kind": "case", "params": _params(case)}
        self._fill(whole, context, (), by_run[None])
        yield whole
        number = 1
        for run in case.runs.order_by("pk"):
            if not isinstance(run.flow_task, Step):
                continue
            number += 1
            run.process = case
            step = run.step
            shown = step.page(run)
            chapter = Chapter(number, str(step.title), open=run.is_open)
            context = {
                "case": case,
                "run": run,
                "step": step,
                "kind": step.kind,
                "shown": shown,
                "lines": portal_words.task_lines(run),
                "by": [role_title(role) for role in step.by],
                "outcome": (
                    portal_words.outcome_title(case, run.name, run.outcome) if run.outcome else ""
                ),
            }
            rows: Any = shown[step.paged] if step.kind in LISTED else ()
            if step.kind == "ledger":
                rows = rows.reverse()  # oldest first, so that a new entry moves no other
            self._fill(chapter, context, rows, by_run[run.pk])
            yield chapter

    def _fill(
        self,
        chapter: Chapter,
        context: dict[str, Any],
        rows: Any,
        records: list[tuple[int, str]],
    ) -> None:
        """Write the blocks: the head with the first rows, more rows, the records."""
        listed = list(rows)
        chapter.weight = max(1, len(records) + len(listed))
        short = chapter.weight <= TOGETHER
        own = {
            "chapter": chapter,
            "count": len(records),
            "rows": listed if short else (),
            "records": self._titled(1, records, len(records)) if short else "",
        }
        head = get_template("trail/chapter.html").render({**context, **own})
        chapter.blocks = [_written(head, begins=True)]
        if not short:
            chapter.blocks += [self._rows(context, *part) for part in _sliced(listed)]
            chapter.blocks += [self._records(len(records), *part) for part in _sliced(records)]

    def _rows(self, context: dict[str, Any], start: int, part: list[Any]) -> Piece:
        def write() -> str:
            span = {"a": start + 1, "b": start + len(part)}
            return get_template("trail/rows.html").render({**context, "rows": part, "span": span})

        if not all(isinstance(row, dict) for row in part):
            return _written(write())  # such a row may show more than it holds
        made_from = (self.told, context["step"].name, context["kind"], str(start), repr(part))
        return Piece(key_of(*made_from), write, begins=False)

    def _records(self, count: int, start: int, part: list[tuple[int, str]]) -> Piece:
        given = self.reading.disclosures
        made_from = [self.told, str(start), str(len(part) < count)]
        for seq, canonical in part:
            made_from += [canonical, *given.get(seq, ())]
        return Piece(
            key_of(*made_from),
            lambda: f"<section>{self._titled(start + 1, part, count)}</section>",
            begins=False,
        )

    def _titled(self, start: int, records: list[tuple[int, str]], count: int) -> SafeString:
        if not records:
            return SafeString()
        given, table = self.reading.disclosures, self.reading.words
        printed = "".join(
            _printed(trailtext.lines(canonical, given.get(seq, ()), table))
            for seq, canonical in records
        )
        title = _("公开记录")
        if len(records) < count:
            # Not how many there are in all: that changes with every record to come.
            span = {"a": start, "b": start + len(records) - 1}
            title = _("公开记录（第%(a)s至%(b)s条）") % span
        text = f"<h2>{escape(title)}</h2><div class=records>{printed}</div>"
        return mark_safe(text)  # noqa: S308 - each line was escaped in `_printed`


def _sliced(rows: list[Any]) -> Iterator[tuple[int, list[Any]]]:
    whole = len(rows) - len(rows) % SLICE
    for at in range(0, whole, SLICE):
        yield at, rows[at : at + SLICE]
    for at in range(whole, len(rows), END):
        yield at, rows[at : at + END]


def _params(case: Case) -> list[tuple[str, str]]:
    nodes = case.declared._nodes_by_name
    return [
        (str(nodes[name.split(".")[0]].task_title), str(portal_words._term(str(value))))
        for name, value in case.params.items()
        if name.split(".")[0] in nodes
    ]


def _summary(reading: Reading) -> dict[str, Any]:
    case = reading.case
    last = reading.records[-1][1] if reading.records else ""
    return {
        "case": case.number,
        "title": case.title,
        "community": case.community.name,
        "procedure": f"{case.procedure}@{case.version}",
        "created": case.created.isoformat(),
        "finished": case.finished.isoformat() if case.finished else None,
        "outcome": case.outcome,
        "records": len(reading.records),
        "head": trailtext.leaf_hash(last).hex() if last else None,
        "full": reading.full,
        "chapters": [chapter.title for chapter in reading.chapters],
    }


def _json(value: Any) -> bytes:
    # In its own order: the words name the fields of a form in the order in which they are printed.
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def key_of(*made_from: str) -> str:
    """Under which a piece is kept: the hash of all that it is made from."""
    return hashlib.sha256("\0".join(made_from).encode()).hexdigest()
