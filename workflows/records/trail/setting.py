"""Typesetting of a trail line by line: what is plain (`blocks.plain`) in the look of ``trail.css``.

A general engine lays out boxes and takes a tenth of a second for a page; lines of text, tables of
them and a cover are cheap. Everything else is pressed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pikepdf
import segno
from pikepdf import Array, Dictionary, Name, Pdf, String

from .blocks import DIM, INK, MM, PALE, RED, SLATE, STYLES, Block, Blocks, Foot, Style, Table
from .face import Face

_PAGE = (595.28, 841.89)
_LEFT, _RIGHT = 22 * MM, 190 * MM
_TOP, _BOTTOM = _PAGE[1] - 27 * MM, 24 * MM
_COVER_WIDTH, _COVER_INDENT = 132 * MM, 17 * MM

_OPENING, _CLOSING = "（《〈“‘「『【〔", "，。、；：？！）》〉”’」』】〕…—%,.;:!?)"
# What stays together: a word or one sign, with the marks that may not be parted from it.
_UNIT = re.compile(rf"[{_OPENING}]*(?:[!-~]+|\s+|.)[{re.escape(_CLOSING)}]*")


def broken(text: str, face: Face, size: float, width: float, gap: float = 0) -> Iterator[str]:
    """Lines of a text, none of them wider than `width`; `gap` stands after each sign."""
    most = width * 1000 / size
    more = gap * 1000 / size
    for part in text.split("\n"):
        if face.width(part) + more * len(part) <= most:
            yield part
            continue
        line, used = "", 0.0
        for unit in _UNIT.findall(part):
            pieces = [unit] if face.width(unit) + more * len(unit) <= most else unit
            for piece in pieces:
                wide = face.width(piece) + more * len(piece)
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


@dataclass(slots=True)
class _Element:
    """An element of the structure while its content is drawn."""

    made: Any
    tag: str
    content: list[Any] = field(default_factory=list)

    def end(self) -> None:
        """All of it is drawn."""
        self.made.K = self.content[0] if len(self.content) == 1 else Array(self.content)


_Lines = list[tuple[str, bool]]


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
        self.marks: list[tuple[int, str, int, float]] = []
        self.links: list[tuple[Any, Any]] = []
        """Link annotations and their elements."""

    def set(self, blocks: Blocks) -> Pdf:
        """The piece as a PDF with its structure and bookmarks."""
        self._turn()
        laid = [self._laid(block) for block in blocks]
        for at, (block, (style, lines)) in enumerate(zip(blocks, laid, strict=True)):
            if isinstance(block, Table):
                self._table(block)
            elif isinstance(block, Foot):
                self._foot(block)
            elif block[0] == "rule":
                self._double_rule()
            else:
                ahead = 0.0
                if at + 1 < len(blocks) and (style.lead or laid[at + 1][0].tied):
                    ahead = self._start(blocks[at + 1], laid[at + 1])
                self._block(style, lines, ahead)
                if style.level:
                    top = self.y + style.leading
                    self.marks.append((style.level, block[1], len(self.sheets) - 1, top))
        self._close()
        return self.pdf

    def _laid(self, block: Block | Table | Foot) -> tuple[Style, list[str]]:
        if isinstance(block, (Table, Foot)):
            return STYLES["text"], []
        style = STYLES[block[0]]
        if not style.size:
            return style, []
        width = _RIGHT - _LEFT - style.indent
        return style, list(broken(block[1], self.face, style.size, width, style.gap))

    def _start(self, block: Block | Table | Foot, laid: tuple[Style, list[str]]) -> float:
        """The height that a block needs so as not to be parted from the one before it."""
        if isinstance(block, Table):
            return sum(
                self._high(block, row) for row in self._cut(block)[: 2 if block.headed else 1]
            )
        style, lines = laid
        return style.above + style.inside + style.leading * min(2, len(lines))

    def _turn(self) -> None:
        self.sheets.append(_Sheet(self.pdf.add_blank_page(page_size=_PAGE)))
        self.y = _TOP

    # --- structure

    def _element(self, tag: str, parent: _Element | None = None, **more: Any) -> _Element:
        above = parent.made if parent else self.section
        made = self.pdf.make_indirect(
            Dictionary(Type=Name.StructElem, S=Name(f"/{tag}"), P=above, **more)
        )
        if parent:
            parent.content.append(made)
        elif "/K" in above:
            above.K.append(made)
        else:
            above.K = Array([made])
        return _Element(made, tag)

    def _mark(self, element: _Element) -> int:
        """The number of the next content of an element on this page."""
        sheet = self.sheets[-1]
        number = len(sheet.marked)
        sheet.marked.append(element.made)
        if not element.content:
            element.made.Pg = sheet.page.obj
            element.content.append(number)
        else:
            element.content.append(Dictionary(Type=Name.MCR, Pg=sheet.page.obj, MCID=number))
        return number

    def _artifact(self, drawing: str) -> None:
        self.sheets[-1].drawn.append(f"/Artifact BMC {drawing} EMC")

    def _line(self, colour: str, thick: float, left: float = _LEFT, right: float = _RIGHT) -> None:
        y = self.y
        self._artifact(f"{thick} w {colour} RG {left:.2f} {y:.2f} m {right:.2f} {y:.2f} l S")

    # --- text

    def _block(self, style: Style, lines: list[str], ahead: float) -> None:
        need = style.inside + style.leading * (len(lines) if style.whole or style.lead else 1)
        if ahead:
            need += style.below + ahead
        above = style.above if self.y < _TOP else 0
        if self.y < _TOP and (style.turns or self.y - above - need < _BOTTOM):
            self._turn()
            above = 0
        self.y -= above
        if style.rule:
            self._line(style.rule, 0.4)
        self.y -= style.inside
        element = self._element(style.tag)
        if style.boxed:
            self._box(style, lines)
        while lines:
            room = int((self.y - _BOTTOM + 0.01) / style.leading)
            if room < 1:
                self._turn()
                continue
            self._lines(style, lines[:room], element)
            lines = lines[room:]
        element.end()
        if style.foot:
            self.y -= 2.5 * MM
            self._line(style.foot, 1.2)
        self.y -= style.below

    def _lines(self, style: Style, lines: list[str], element: _Element) -> None:
        foot = self.y - style.leading * len(lines)
        if style.bar:
            x = _LEFT + 6 * MM
            self._artifact(f"1.5 w {style.bar} RG {x:.2f} {foot:.2f} m {x:.2f} {self.y:.2f} l S")
        number = self._mark(element)
        left = _LEFT + style.indent + (3 * MM if style.boxed else 0)
        if style.centred:
            shown = "".join(
                self._at(line, style, (_LEFT + _RIGHT - self._wide(line, style)) / 2, at)
                for at, line in enumerate(lines)
            )
        else:
            # The baseline stands where the face's ascent and descent leave the same room.
            base = self.y - style.leading / 2 - 0.38 * style.size
            text = " T* ".join(f"<{self.face.codes(line)}> Tj" for line in lines)
            shown = (
                f"BT {style.colour} rg /{Face.NAME} {style.size} Tf {style.leading} TL "
                f"{left:.2f} {base:.2f} Td {text} ET "
            )
        self.sheets[-1].drawn.append(f"/{style.tag} <</MCID {number}>> BDC {shown}EMC")
        self.y = foot

    def _wide(self, line: str, style: Style) -> float:
        return self.face.width(line) * style.size / 1000 + style.gap * (len(line) - 1)

    def _at(self, line: str, style: Style, x: float, lines_above: int) -> str:
        y = self.y - style.leading * (lines_above + 0.5) - 0.38 * style.size
        gap = f"{style.gap} Tc " if style.gap else ""
        end = " 0 Tc" if style.gap else ""
        return (
            f"BT {style.colour} rg /{Face.NAME} {style.size} Tf {gap}{x:.2f} {y:.2f} Td "
            f"<{self.face.codes(line)}> Tj{end} ET "
        )

    def _box(self, style: Style, lines: list[str]) -> None:
        wide = max((self._wide(line, style) for line in lines), default=0) + 6 * MM
        high = style.leading * len(lines)
        self._artifact(f".8 w {RED} RG {_LEFT:.2f} {self.y - high:.2f} {wide:.2f} {high:.2f} re S")

    # --- tables

    def _shape(self, table: Table) -> tuple[float, float, float, float, float]:
        """Where it begins and how wide it is; size, leading, room above and below a line."""
        if table.kind == "cover":
            return _LEFT + _COVER_INDENT, _COVER_WIDTH, 10, 16, 1.6 * MM
        return _LEFT, _RIGHT - _LEFT, 8.5, 12.75, 1.1 * MM

    def _cut(self, table: Table) -> list[list[_Lines]]:
        """The lines of each cell of each row."""
        _left, width, size, _leading, _room = self._shape(table)
        columns = table.columns(width)
        return [
            [
                [
                    (line, small)
                    for text, small in cell.lines
                    for line in broken(
                        text, self.face, 7 if small else size, wide - 2 * 2 * MM + 0.01
                    )
                ]
                for cell, wide in zip(row, columns, strict=True)
            ]
            for row in table.rows
        ]

    def _high(self, table: Table, row: list[_Lines]) -> float:
        *_where, leading, room = self._shape(table)
        return 2 * room + leading * max((len(cell) for cell in row), default=1)

    def _table(self, table: Table) -> None:
        *_where, leading, room = self._shape(table)
        element = self._element("Table")
        cut = self._cut(table)
        for at, row in enumerate(cut):
            cells = self._row_of(element, table, at)
            high = self._high(table, row)
            if self.y - high < _BOTTOM and self.y < _TOP:
                self._turn()
                if table.headed and at:
                    self._drawn(table, 0, cut[0], None)
            # A row higher than a page goes on over the next ones.
            while any(row):
                most = max(1, int((self.y - _BOTTOM - 2 * room) / leading))
                self._drawn(table, at, [cell[:most] for cell in row], cells)
                row = [cell[most:] for cell in row]
                if any(row):
                    self._turn()
            for cell in cells:
                cell.end()
        element.end()

    def _row_of(self, element: _Element, table: Table, at: int) -> list[_Element]:
        own = self._element("TR", element)
        found = []
        for cell in table.rows[at]:
            more = {}
            if cell.head:
                scope = Name.Column if table.headed and at == 0 else Name.Row
                more["A"] = Dictionary(O=Name.Table, Scope=scope)
            found.append(self._element("TH" if cell.head else "TD", own, **more))
        own.end()
        return found

    def _drawn(
        self, table: Table, at: int, row: list[_Lines], cells: Sequence[_Element] | None
    ) -> None:
        """A row, for readers too when it has `cells`; heads are repeated for the eye alone."""
        left, width, size, leading, room = self._shape(table)
        columns = table.columns(width)
        high = self._high(table, row)
        head = table.headed and at == 0
        x = left
        for place, (cell, lines) in enumerate(zip(table.rows[at], row, strict=True)):
            dim = cell.head and (head or table.kind in ("facts", "cover"))
            flush = cell.head and table.kind in ("facts", "cover") and not head
            shown = ""
            for number, (line, small) in enumerate(lines):
                style = Style("", 7 if small else size, leading, DIM if dim or small else INK)
                inset = columns[place] - 2 * MM - self._wide(line, style)
                start = x + (inset if cell.kind in ("n", "at") else 0 if flush else 2 * MM)
                self.y -= room
                shown += self._at(line, style, start, number)
                self.y += room
            if cells is None:
                self._artifact(shown)
            elif lines:
                inner = cells[place]
                if cell.link:
                    inner = self._link(inner, cell.link, lines[0][0], x, columns[place], high)
                tag, mark = inner.tag, self._mark(inner)
                self.sheets[-1].drawn.append(f"/{tag} <</MCID {mark}>> BDC {shown}EMC")
                if inner is not cells[place]:
                    inner.content.append(self.links[-1][0])
                    inner.end()
            x += columns[place]
        self.y -= high
        self._line(SLATE if head else PALE, 0.8 if head else 0.4, left, left + width)

    def _link(
        self, cell: _Element, target: str, title: str, x: float, wide: float, high: float
    ) -> _Element:
        element = self._element("Link", cell)
        page: Any = self.sheets[-1].page.obj
        note = self.pdf.make_indirect(
            Dictionary(
                Type=Name.Annot,
                Subtype=Name.Link,
                Rect=Array([round(n, 2) for n in (x, self.y - high, x + wide, self.y)]),
                Border=Array([0, 0, 0]),
                F=4,
                NM=String(target),  # `binding` makes it the destination
                Contents=String(title),
                P=page,
            )
        )
        if "/Annots" not in page:
            page.Annots = Array()
        page.Annots.append(note)
        self.links.append((Dictionary(Type=Name.OBJR, Obj=note, Pg=page), element.made))
        return element

    # --- the cover

    def _double_rule(self) -> None:
        left, right = _LEFT + 12 * MM, _RIGHT - 12 * MM
        self._line(RED, 2, left, right)
        self.y -= 1 * MM + 1
        self._line(RED, 0.6, left, right)
        self.y -= 12 * MM

    def _foot(self, foot: Foot) -> None:
        self.y -= 14 * MM
        middle, top = self.y - 20 * MM, self.y
        if foot.address:
            self._qr(foot.address, _LEFT + 2 * MM, middle - 15 * MM, 30 * MM)
        self.y = middle + 6.4 * len(foot.told)
        for told in foot.told:
            note = STYLES["note"]
            element = self._element("P")
            for line in broken(told, self.face, note.size, 84 * MM):
                mark = self._mark(element)
                shown = self._at(line, note, _LEFT + 36 * MM, 0)
                self.sheets[-1].drawn.append(f"/P <</MCID {mark}>> BDC {shown}EMC")
                self.y -= note.leading
            element.end()
        x, r = _RIGHT - 22 * MM, 20 * MM
        self._artifact(f"1 w {RED} RG [4 3] 0 d {_circle(x, middle, r)} S [] 0 d")
        style = Style("P", 10, 16, ".773 .549 .533")
        self.y = middle + 8
        element = self._element("P")
        mark = self._mark(element)
        shown = self._at(foot.seal, style, x - self._wide(foot.seal, style) / 2, 0)
        self.sheets[-1].drawn.append(f"/P <</MCID {mark}>> BDC {shown}EMC")
        element.end()
        self.y = top - 40 * MM

    def _qr(self, address: str, x: float, y: float, side: float) -> None:
        rows = list(segno.make(address, error="m").matrix)
        dot = side / len(rows)
        # One stroke a run of dark dots.
        runs = [
            f"{found.start()} {len(rows) - at - 1} {found.end() - found.start()} 1 re"
            for at, row in enumerate(rows)
            for found in re.finditer("1+", "".join(map(str, row)))
        ]
        element = self._element("Figure", Alt=String(address))
        mark = self._mark(element)
        drawing = f"q {dot:.4f} 0 0 {dot:.4f} {x:.2f} {y:.2f} cm 0 g {' '.join(runs)} f Q"
        self.sheets[-1].drawn.append(f"/Figure <</MCID {mark}>> BDC {drawing} EMC")
        element.end()

    # --- the end

    def _close(self) -> None:
        rows = Array()
        for at, sheet in enumerate(self.sheets):
            page: Any = sheet.page.obj
            page.Contents = self.pdf.make_stream("\n".join(sheet.drawn).encode("ascii"))
            page.StructParents = at
            page.Tabs = Name.S
            rows.append(at)
            rows.append(self.pdf.make_indirect(Array(sheet.marked)))
        for at, (reference, element) in enumerate(self.links, len(self.sheets)):
            reference.Obj.StructParent = at
            rows.append(at)
            rows.append(element)
        root = self.pdf.Root.StructTreeRoot
        root.ParentTree = self.pdf.make_indirect(Dictionary(Nums=rows))
        root.ParentTreeNextKey = len(self.sheets) + len(self.links)
        with self.pdf.open_outline() as outline:
            above = outline.root
            for level, title, place, top in self.marks:
                item = pikepdf.OutlineItem(title, place, "XYZ", left=0, top=top, zoom=0)
                (outline.root if level == 1 else above).append(item)
                if level == 1:
                    above = item.children


def _circle(x: float, y: float, r: float) -> str:
    k = 0.5523 * r
    return (
        f"{x + r:.2f} {y:.2f} m "
        f"{x + r:.2f} {y + k:.2f} {x + k:.2f} {y + r:.2f} {x:.2f} {y + r:.2f} c "
        f"{x - k:.2f} {y + r:.2f} {x - r:.2f} {y + k:.2f} {x - r:.2f} {y:.2f} c "
        f"{x - r:.2f} {y - k:.2f} {x - k:.2f} {y - r:.2f} {x:.2f} {y - r:.2f} c "
        f"{x + k:.2f} {y - r:.2f} {x + r:.2f} {y - k:.2f} {x + r:.2f} {y:.2f} c h"
    )
