"""Typesetting of the long uniform parts of a trail: headings and paragraphs of plain text.

A general engine lays out boxes; thousands of records need lines alone, and those are cheap. What
is plain (`plain`) is set here in the look that ``trail.css`` gives it, everything else is pressed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

from .face import Face

_MM = 72 / 25.4
_PAGE = (595.28, 841.89)
_LEFT, _RIGHT = 22 * _MM, 190 * _MM
_TOP, _BOTTOM = _PAGE[1] - 27 * _MM, 24 * _MM

_BLOCK = re.compile(r'<(h2|h3|p)(?: class="?(\w+)"?)?>([^<]*)</\1>')
_AROUND = re.compile(r'<section>|</section>|<div class="?records"?>|</div>|\s+')
_OPENING, _CLOSING = "（《〈“‘「『【〔", "，。、；：？！）》〉”’」』】〕…—%,.;:!?)"
# What stays together: a word or one sign, with the marks that may not be parted from it.
_UNIT = re.compile(rf"[{_OPENING}]*(?:[!-~]+|\s+|.)[{re.escape(_CLOSING)}]*")


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
    whole: bool = False
    """Not parted at the end of a page."""
    lead: bool = False
    """Stays with the block that follows."""
    tied: bool = False
    """Stays with the block before it."""


_INK, _RED, _BLUE, _GREY, _PALE = (
    ".11 .141 .188",
    ".612 .165 .133",
    ".078 .286 .478",
    ".725 .761 .8",
    ".827 .851 .875",
)
STYLES = {
    "h2": Style("H2", 12, 19.2, _RED, above=5 * _MM, below=2 * _MM, lead=True),
    "h3": Style("H3", 9.5, 15.2, _BLUE, 1.8 * _MM, 1.2 * _MM, rule=_GREY, lead=True),
    "p": Style("P", 8.5, 12.75, _INK),
    "row": Style("P", 8.5, 12.75, _INK, 1.4 * _MM, 1.4 * _MM, rule=_PALE, whole=True),
    "answer": Style("P", 8.5, 12.75, _INK, indent=9 * _MM, bar=_GREY, tied=True),
}
Block = tuple[str, str]
"""Style and text."""


def plain(html: str) -> list[Block] | None:
    """The blocks of HTML that holds nothing else, or None."""
    if _AROUND.sub("", _BLOCK.sub("", html)):
        return None
    found = [(kind or tag, unescape(text).strip()) for tag, kind, text in _BLOCK.findall(html)]
    return found if all(style in STYLES for style, _text in found) else None


def broken(text: str, face: Face, size: float, width: float) -> Iterator[str]:
    """Lines of a text, none of them wider than `width`."""
    most = width * 1000 / size
    for part in text.split("\n"):
        if face.width(part) <= most:
            yield part
            continue
        line, used = "", 0.0
        for unit in _UNIT.findall(part):
            pieces = [unit] if face.width(unit) <= most else unit
            for piece in pieces:
                wide = face.width(piece)
                if used + wide > most and line:
                    yield line
                    line, used = "", 0.0
                line += piece
                used += wide
        yield line


@dataclass(slots=True)
class _Sheet:
    page: pikepdf.Page
    drawn: list[str] = field(default_factory=list)
    marked: list[pikepdf.Object] = field(default_factory=list)
    """By number of the marked content, whose it is."""


class Setter:
    """Sets one piece; `blocks` as `plain` gives them. The face's font is added in `binding`."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.pdf = Pdf.new()
        self.sheets: list[_Sheet] = []
        self.y = 0.0
        root = self.pdf.make_indirect(Dictionary(Type=Name.StructTreeRoot))
        self.section = self.pdf.make_indirect(Dictionary(Type=Name.StructElem, S=Name.Sect))
        document = Dictionary(Type=Name.StructElem, S=Name.Document, P=root)
        self.document = self.pdf.make_indirect(document)
        self.section.P = self.document
        self.document.K = Array([self.section])
        root.K = Array([self.document])
        self.pdf.Root.StructTreeRoot = root
        self.marks: list[tuple[str, int, float]] = []

    def set(self, blocks: Sequence[Block]) -> Pdf:
        """The piece as a PDF with its structure and bookmarks."""
        self._turn()
        laid = [
            (STYLES[name], list(broken(text, self.face, STYLES[name].size, self._width(name))))
            for name, text in blocks
        ]
        kids = []
        for at, (style, lines) in enumerate(laid):
            ahead = laid[at + 1] if at + 1 < len(laid) else None
            if ahead is not None and not (style.lead or ahead[0].tied):
                ahead = None
            kids.append(self._block(style, lines, ahead))
            if style.tag == "H2":
                self.marks.append((blocks[at][1], len(self.sheets) - 1, self.y + style.leading))
        self.section.K = Array(kids)
        self._close()
        return self.pdf

    def _width(self, name: str) -> float:
        return _RIGHT - _LEFT - STYLES[name].indent

    def _turn(self) -> None:
        self.sheets.append(_Sheet(self.pdf.add_blank_page(page_size=_PAGE)))
        self.y = _TOP

    def _block(
        self, style: Style, lines: list[str], ahead: tuple[Style, list[str]] | None
    ) -> pikepdf.Object:
        need = style.inside + style.leading * (len(lines) if style.whole or style.lead else 1)
        if ahead is not None:
            need += (
                style.below
                + ahead[0].above
                + ahead[0].inside
                + ahead[0].leading * min(2, len(ahead[1]))
            )
        above = style.above if self.y < _TOP else 0
        if self.y - above - need < _BOTTOM and self.y < _TOP:
            self._turn()
            above = 0
        self.y -= above
        if style.rule:
            self._artifact(f".4 w {style.rule} RG {_LEFT:.2f} {self.y:.2f} m {_RIGHT:.2f} ", "l S")
        self.y -= style.inside
        element = self.pdf.make_indirect(
            Dictionary(Type=Name.StructElem, S=Name(f"/{style.tag}"), P=self.section)
        )
        content: list[int | pikepdf.Object] = []
        while lines:
            room = int((self.y - _BOTTOM + 0.01) / style.leading)
            if room < 1:
                self._turn()
                continue
            self._lines(style, lines[:room], element, content)
            lines = lines[room:]
        element.K = content[0] if len(content) == 1 else Array(content)
        self.y -= style.below
        return element

    def _artifact(self, path: str, paint: str) -> None:
        drawn = f"/Artifact BMC {path}{self.y:.2f} {paint} EMC"
        self.sheets[-1].drawn.append(drawn)

    def _lines(
        self, style: Style, lines: list[str], element: pikepdf.Object, content: list[Any]
    ) -> None:
        sheet = self.sheets[-1]
        number = len(sheet.marked)
        sheet.marked.append(element)
        if not content:
            element.Pg = sheet.page.obj
            content.append(number)
        else:
            content.append(Dictionary(Type=Name.MCR, Pg=sheet.page.obj, MCID=number))
        foot = self.y - style.leading * len(lines)
        if style.bar:
            x = _LEFT + 6 * _MM
            self._artifact(f"1.5 w {style.bar} RG {x:.2f} {foot:.2f} m {x:.2f} ", "l S")
        # The baseline stands where the face's ascent and descent leave the same room.
        base = self.y - style.leading / 2 - 0.38 * style.size
        shown = " T* ".join(f"<{self.face.codes(line)}> Tj" for line in lines)
        sheet.drawn.append(
            f"/{style.tag} <</MCID {number}>> BDC BT {style.colour} rg /{Face.NAME} "
            f"{style.size} Tf {style.leading} TL {_LEFT + style.indent:.2f} {base:.2f} Td "
            f"{shown} ET EMC"
        )
        self.y = foot

    def _close(self) -> None:
        rows = Array()
        for at, sheet in enumerate(self.sheets):
            page: Any = sheet.page.obj
            page.Contents = self.pdf.make_stream("\n".join(sheet.drawn).encode("ascii"))
            page.StructParents = at
            page.Tabs = Name.S
            rows.append(at)
            rows.append(self.pdf.make_indirect(Array(sheet.marked)))
        root = self.pdf.Root.StructTreeRoot
        root.ParentTree = self.pdf.make_indirect(Dictionary(Nums=rows))
        root.ParentTreeNextKey = len(self.sheets)
        with self.pdf.open_outline() as outline:
            for title, place, top in self.marks:
                outline.root.append(
                    pikepdf.OutlineItem(title, place, "XYZ", left=0, top=top, zoom=0)
                )
