"""What of a trail's HTML can be set line by line: headings, paragraphs and tables of plain text.

`plain` reads the little HTML that the trail's own templates write. How each block looks is said in
``trail.css`` for the press and here for the setter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape

MM = 72 / 25.4
"""Points in a millimetre."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a block looks; lengths in points."""

    tag: str
    size: float
    leading: float
    colour: str
    above: float = 0
    """Free space before it, none at the head of a page."""
    inside: float = 0
    """Free space between a rule and the text."""
    below: float = 0
    indent: float = 0
    rule: str = ""
    """Colour of a thin line above."""
    bar: str = ""
    """Colour of a line at the left."""
    foot: str = ""
    """Colour of a line below."""
    gap: float = 0
    """Space after each sign."""
    centred: bool = False
    boxed: bool = False
    whole: bool = False
    """Not parted at the end of a page."""
    lead: bool = False
    """Stays with the block that follows."""
    tied: bool = False
    """Stays with the block before it."""
    level: int = 0
    """Of its bookmark; none at 0."""
    turns: bool = False
    """Begins a page."""


INK, RED, BLUE, GREY, PALE, DIM, DARK, SLATE = (
    ".11 .141 .188",
    ".612 .165 .133",
    ".078 .286 .478",
    ".725 .761 .8",
    ".827 .851 .875",
    ".357 .4 .451",
    ".235 .275 .314",
    ".545 .588 .635",
)
STYLES = {
    "h1": Style("H1", 17, 23.8, RED, below=4 * MM, foot=RED, lead=True, level=1, turns=True),
    "h2": Style("H2", 12, 19.2, RED, above=5 * MM, below=2 * MM, lead=True, level=2),
    "h3": Style("H3", 9.5, 15.2, BLUE, 1.8 * MM, 1.2 * MM, rule=GREY, lead=True),
    "h4": Style("H4", 9.5, 15.2, INK, above=3 * MM, below=1 * MM, lead=True),
    "p": Style("P", 8.5, 12.75, INK),
    "text": Style("P", 9.5, 15.2, INK),
    "note": Style("P", 8, 12.8, DIM, below=2 * MM),
    "lead": Style("P", 8.5, 13.6, DARK),
    "hash": Style("P", 7, 11.2, DIM),
    "row": Style("P", 8.5, 12.75, INK, 1.4 * MM, 1.4 * MM, rule=PALE, whole=True),
    "answer": Style("P", 8.5, 12.75, INK, indent=9 * MM, bar=GREY, tied=True),
    "kind": Style("P", 10, 16, RED, boxed=True),
    "cover": Style("H1", 34, 47.6, RED, above=16 * MM, below=2 * MM, gap=10.2, centred=True),
    "rule": Style("P", 0, 0, RED),
    "what": Style("P", 20, 28, INK, centred=True),
    "number": Style("P", 12, 19.2, DARK, below=12 * MM, centred=True),
}
Block = tuple[str, str]
"""Style and text."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a table: its lines, each with whether it is small print."""

    head: bool
    kind: str
    lines: Sequence[tuple[str, bool]]
    link: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first is repeated on each page when `headed`."""

    kind: str
    headed: bool
    rows: Sequence[Sequence[Cell]]

    def columns(self, width: float) -> list[float]:
        """How wide each column is."""
        first = self.rows[0]
        set_wide = [_WIDE.get(cell.kind or ("fact" if self._facts(cell) else "")) for cell in first]
        free = set_wide.count(None) or 1
        rest = (width - sum(wide or 0 for wide in set_wide)) / free
        return [rest if wide is None else wide for wide in set_wide]

    def _facts(self, cell: Cell) -> bool:
        return cell.head and self.kind in ("facts", "cover")


@dataclass(frozen=True, slots=True)
class Foot:
    """The foot of the cover: the address as QR, what it is, the place of the seal."""

    address: str
    told: Sequence[str]
    seal: str


Blocks = Sequence[Block | Table | Foot]

_WIDE = {"n": 28 * MM, "slim": 30 * MM, "no": 10 * MM, "at": 16 * MM, "fact": 34 * MM}
_BLANKS = re.compile(r"[ \n\r\t]+")
_CLASS = r'(?: class="?(\w+)"?)?'
_TOKEN = re.compile(
    rf"<(h1|h2|h3|h4|p){_CLASS}>([^<]*)</\1>"
    rf"|<table{_CLASS}>(.*?)</table>"
    rf"|<(/?)(section|div){_CLASS}>|\s+",
    re.DOTALL,
)
_CELL = re.compile(rf"\s*<(th|td){_CLASS}(?: id=\"\w+\")?>(.*?)</\1>\s*", re.DOTALL)
_ROW = re.compile(r"(?:\s|</?thead>|</?tbody>)*<tr>(.*?)</tr>", re.DOTALL)
_REST = re.compile(r"(?:\s|</?tbody>|</thead>)*")
_LINK = re.compile(r'<a href="#(\w+)"[^>]*>([^<]*)</a>')
_SMALL = re.compile(r'<span class="hash">([^<]*)</span>')
_FOOT = re.compile(
    r'<tr><td class="slim">(?:<img class="qr" alt="([^"]*)"[^>]*>)?</td>'
    r'<td class="note">([^<]*)(?:<br>([^<]*))?</td><td><div class="seal">([^<]*)</div></td></tr>'
)


class _NotPlain(Exception):
    """There is something in it that only the press prints."""


@dataclass(slots=True)
class _Reader:
    html: str
    found: list[Block | Table | Foot] = field(default_factory=list)
    cover: bool = False
    records: bool = False

    def read(self) -> None:
        at = 0
        while at < len(self.html):
            token = _TOKEN.match(self.html, at)
            if token is None:
                raise _NotPlain
            at = token.end()
            tag, kind, text, table, rows, closing, around, name = token.groups()
            if tag:
                self._text(tag, kind, text)
            elif rows is not None:
                self._table(table or "", rows)
            elif around:
                self._around(closing, around, name or "")

    def _text(self, tag: str, kind: str | None, text: str) -> None:
        style = kind or tag
        if self.cover and tag == "h1":
            style = "cover"
        elif tag == "p" and not kind and not self.records:
            style = "text"
        if style not in STYLES:
            raise _NotPlain
        if kind not in ("row", "answer") and not self.records:
            text = _BLANKS.sub(" ", text)
        self.found.append((style, unescape(text).strip("\n ")))

    def _around(self, closing: str, around: str, name: str) -> None:
        if around == "section":
            self.cover = not closing and name == "cover"
        elif closing:
            self.records = False
        elif name == "records":
            self.records = True
        elif name == "rule":
            self.found.append(("rule", ""))
        else:
            raise _NotPlain

    def _table(self, kind: str, rows: str) -> None:
        if kind == "foot":
            foot = _FOOT.fullmatch(rows)
            if foot is None:
                raise _NotPlain
            address, *told, seal = (unescape(part or "") for part in foot.groups())
            self.found.append(Foot(address, [line for line in told if line], seal))
            return
        listed, at = [], 0
        while row := _ROW.match(rows, at):
            listed.append(list(_cells(row[1])))
            at = row.end()
        if not _REST.fullmatch(rows, at) or not listed or not listed[0]:
            raise _NotPlain
        if len({len(row) for row in listed}) != 1:
            raise _NotPlain
        headed = rows.lstrip().startswith("<thead>")
        self.found.append(Table("cover" if self.cover else kind, headed, listed))


def _cells(row: str) -> Iterator[Cell]:
    at = 0
    while at < len(row):
        cell = _CELL.match(row, at)
        if cell is None:
            raise _NotPlain
        at = cell.end()
        tag, kind, inside = cell.groups()
        link = _LINK.fullmatch(inside)
        lines = [_line(part) for part in (link[2] if link else inside).split("<br>")]
        if kind and kind not in _WIDE:
            raise _NotPlain
        yield Cell(tag == "th", kind or "", lines, link[1] if link else "")


def _line(part: str) -> tuple[str, bool]:
    small = _SMALL.fullmatch(part.strip())
    text = small[1] if small else part
    if "<" in text:
        raise _NotPlain
    return _BLANKS.sub(" ", unescape(text)).strip(" "), bool(small)


def plain(html: str) -> Blocks | None:
    """The blocks of HTML that holds nothing else, or None."""
    reader = _Reader(html)
    try:
        reader.read()
    except _NotPlain:
        return None
    return reader.found


def said(blocks: Blocks) -> str:
    """Every sign that stands in blocks."""
    found: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            found += [text for row in block.rows for cell in row for text, _small in cell.lines]
        elif isinstance(block, Foot):
            found += [*block.told, block.seal]
        else:
            found.append(block[1])
    return "".join(found)
