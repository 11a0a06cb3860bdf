"""Pieces of PDF joined to one document: one structure tree, numbered pages, bookmarks, attachments.

What one piece cannot know is done here: the total of pages, where chapters begin, and the one
structure tree with its parent tree (ISO 32000-1, 14.7; attachments as ISO 19005-3, 6.8).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, String

from .face import Face

PRODUCER = "Sanwen"
_MM = 72 / 25.4
_HEADER_Y, _FOOTER_Y = (297 - 16) * _MM, 12 * _MM
_LEFT, _RIGHT, _WIDTH = 22 * _MM, (210 - 20) * _MM, 210 * _MM
_NAME = Name(f"/{Face.NAME}")


@dataclass(frozen=True, slots=True)
class Heading:
    """A bookmark of a piece: its level from 1, its page from 0, its height on the page."""

    title: str
    level: int
    page: int
    top: float


@dataclass(frozen=True, slots=True)
class Attached:
    """A file within the PDF; `relationship` is ``Data``, ``Source``, ``Supplement``…"""

    name: str
    media_type: str
    content: bytes
    about: str
    relationship: str = "Data"

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content, as people read it."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Furniture:
    """What is printed on every page but the cover: two words above, the number below.

    `number` is a format of ``n`` and ``total``.
    """

    left: str
    right: str
    number: str


def headings(pdf: Pdf) -> list[Heading]:
    """The bookmarks of a piece."""
    places = {page.objgen: at for at, page in enumerate(pdf.pages)}
    found: list[Heading] = []

    def walk(items: Iterable[Any], level: int) -> None:
        for item in items:
            target: Any = item.destination
            place = places[target[0].objgen]
            found.append(Heading(str(item.title), level, place, float(target[3])))
            walk(item.children, level + 1)

    with pdf.open_outline() as outline:
        walk(outline.root, 1)
    return found


def measure(paths: Sequence[Path]) -> tuple[list[int], list[list[Heading]]]:
    """Pages and bookmarks of each piece."""
    counts, marks = [], []
    for path in paths:
        with Pdf.open(path) as pdf:
            counts.append(len(pdf.pages))
            marks.append(headings(pdf))
    return counts, marks


class Numbers:
    """Draws the furniture, and gives the pages the face in which it and set text stand."""

    def __init__(self, out: Pdf, face: Face, furniture: Furniture, total: int) -> None:
        self.face = face
        self.font = out.copy_foreign(face.font)
        self.furniture = furniture
        self.total = total
        above = self._line(furniture.left, _LEFT, _HEADER_Y)
        width = self._width(furniture.right)
        above += self._line(furniture.right, _RIGHT - width, _HEADER_Y)
        rule = f".6 w .72 .76 .8 RG {_LEFT:.2f} {_HEADER_Y - 5:.2f} m {_RIGHT:.2f} "
        rule += f"{_HEADER_Y - 5:.2f} l S"
        header = f"/Artifact <</Type /Pagination /Subtype /Header>> BDC q {rule} {above} Q EMC\n"
        self.header = out.make_stream(header.encode("ascii"))  # one for all pages

    def draw(self, out: Pdf, page: pikepdf.Page, number: int) -> None:
        """Print the furniture on a page; artifacts, which no reader reads out."""
        self.equip(page)
        below = self.furniture.number.format(n=number, total=self.total)
        text = (
            f"/Artifact <</Type /Pagination /Subtype /Footer>> BDC q "
            f"{self._line(below, (_WIDTH - self._width(below)) / 2, _FOOTER_Y)} Q EMC\n"
        )
        # Before the page's own content, which leaves its coordinates turned upside down.
        page.contents_add(out.make_stream(text.encode("ascii")), prepend=True)
        page.contents_add(self.header, prepend=True)

    def equip(self, page: pikepdf.Page) -> None:
        """Give a page the face."""
        resources = page.obj.Resources
        if "/Font" not in resources:
            resources.Font = Dictionary()
        resources.Font[_NAME] = self.font

    def _line(self, text: str, x: float, y: float) -> str:
        codes = self.face.codes(text)
        return f"BT .36 .4 .45 rg {_NAME} 8 Tf {x:.2f} {y:.2f} Td <{codes}> Tj ET "

    def _width(self, text: str) -> float:
        return self.face.width(text) * 8 / 1000


def bind(
    sheet: Path,
    pieces: Sequence[Path],
    face: Face,
    target: Path,
    *,
    furniture: Furniture,
    marks: Sequence[tuple[int, str, int, float]],
    anchors: Sequence[tuple[str, int, float]],
    attached: Sequence[Attached],
    title: str,
    at: dt.datetime,
    finish: Callable[[Pdf], None],
) -> int:
    """Write the joined document to `target`; returns its pages.

    `marks` are bookmarks (level, title, page, top) and `anchors` targets of links (name, page,
    top), both with pages of the whole document from 0. The first piece begins with the cover.
    `finish` adds what comes last.
    """
    with ExitStack() as open_files:
        # The face's sheet has what makes a PDF/A of it: metadata and the space of its colours.
        out = open_files.enter_context(Pdf.open(sheet))
        del out.pages[:]
        root = out.Root.StructTreeRoot
        document = out.make_indirect(
            Dictionary(Type=Name.StructElem, S=Name.Document, P=root, K=Array())
        )
        root.K = Array([document])
        rows: list[Any] = []
        moved: list[int] = []
        following = 0
        for path in pieces:
            piece = open_files.enter_context(Pdf.open(path))
            out.pages.extend(piece.pages)
            moved += [following] * len(piece.pages)
            following = _graft(out, document, piece, rows, following)
        root.ParentTree = out.make_indirect(Dictionary(Nums=Array(rows)))
        root.ParentTreeNextKey = following
        total = len(out.pages)
        numbers = Numbers(out, face, furniture, total)
        for number, (page, by) in enumerate(zip(out.pages, moved, strict=True), 1):
            _move(page.obj, by)
            if number > 1:
                numbers.draw(out, page, number)
            else:
                numbers.equip(page)
        _bookmarks(out, marks)
        _targets(out, anchors)
        for file in attached:
            _attach(out, file, at)
        _describe(out, title, at)
        finish(out)
        out.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return total


def _next_key(rows: Sequence[Any]) -> int:
    return max((int(key) for key in rows[::2]), default=-1) + 1


def _graft(out: Pdf, document: Any, piece: Pdf, rows: list[Any], following: int) -> int:
    """Put the structure of a piece below the one document; returns the next free key."""
    # The piece's pages are in `out` already, so that copied elements name those.
    tree = out.copy_foreign(piece.Root.StructTreeRoot)
    inner = tree.K[0] if isinstance(tree.K, Array) else tree.K
    for kid in inner.K:
        kid.P = document
        document.K.append(kid)
    listed = list(tree.ParentTree.Nums)
    for at in range(0, len(listed), 2):
        rows += [int(listed[at]) + following, listed[at + 1]]
    return _next_key(listed) + following


def _move(page: Any, by: int) -> None:
    """Let a page and its notes name their rows of the one parent tree."""
    if not by:
        return
    if "/StructParents" in page:
        page.StructParents = int(page.StructParents) + by
    for note in page.get("/Annots", ()):
        if "/StructParent" in note:
            note.StructParent = int(note.StructParent) + by


def _bookmarks(out: Pdf, marks: Sequence[tuple[int, str, int, float]]) -> None:
    if "/Outlines" in out.Root:
        del out.Root.Outlines
    with out.open_outline() as outline:
        above: list[Any] = []
        for level, title, page, top in marks:
            item = pikepdf.OutlineItem(title, page, "XYZ", left=0, top=top, zoom=0)
            del above[level - 1 :]
            (above[-1].children if above else outline.root).append(item)
            item.is_closed = True
            above.append(item)
    out.Root.PageMode = Name.UseOutlines


def _targets(out: Pdf, anchors: Sequence[tuple[str, int, float]]) -> None:
    if not anchors:
        return
    listed = Array()
    for name, page, top in sorted(anchors):
        listed.append(String(name))
        listed.append(Array([out.pages[page].obj, Name.XYZ, 0, top, 0]))
        for note in out.pages[1].obj.get("/Annots", ()):
            if note.get("/NM") == name:
                note.Dest = String(name)
    names = out.Root.get("/Names") or Dictionary()
    names.Dests = out.make_indirect(Dictionary(Names=listed))
    out.Root.Names = names


def _attach(out: Pdf, file: Attached, at: dt.datetime) -> None:
    spec = pikepdf.AttachedFileSpec(
        out,
        file.content,
        description=file.about,
        filename=file.name,
        mime_type=file.media_type,
        creation_date=pdf_date(at),
        mod_date=pdf_date(at),
        relationship=Name(f"/{file.relationship}"),
    )
    out.attachments[file.name] = spec  # also in the list of associated files (AF)


def pdf_date(at: dt.datetime) -> str:
    """A moment as PDF writes it."""
    zone = at.strftime("%z")
    return f"D:{at:%Y%m%d%H%M%S}{zone[:3]}'{zone[3:]}'"


def _describe(out: Pdf, title: str, at: dt.datetime) -> None:
    out.docinfo[Name.Title] = title
    out.docinfo[Name.Producer] = PRODUCER
    out.docinfo[Name.CreationDate] = out.docinfo[Name.ModDate] = String(pdf_date(at))
    with out.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as meta:
        meta["dc:title"] = title
        meta["pdf:Producer"] = PRODUCER
        meta["xmp:CreateDate"] = meta["xmp:ModifyDate"] = at.isoformat(timespec="seconds")
    out.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
