"""The text of a PDF's pages, sign by sign as they are painted; needs pikepdf.

Blanks and line breaks are left out: where a line breaks says nothing. What the pages repeat in
their margins (title, page number) is no text of the document and is left out as well.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import pikepdf

_MARGIN = 60.0
"""Points at the head and foot of a page in which repeated text stands."""
_BFCHAR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_BFRANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_BLOCK = re.compile(rb"begin(bfchar|bfrange)(.*?)end", re.DOTALL)


def squeezed(text: str) -> str:
    """Text as pages are compared: without blanks, one form for signs that look the same."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def text_of(pdf: pikepdf.Pdf) -> str:
    """The text of all pages, squeezed."""
    fonts: dict[Any, dict[int, str] | None] = {}
    return squeezed("".join(part for page in pdf.pages for part in _page(page, fonts)))


def _page(page: pikepdf.Page, fonts: dict[Any, dict[int, str] | None]) -> Iterator[str]:
    resources: Any = page.obj.get("/Resources") or pikepdf.Dictionary()
    listed: Any = resources.get("/Font") or pikepdf.Dictionary()
    box: Any = page.mediabox
    height = float(box[3])
    signs: dict[int, str] | None = None
    marked: list[bool] = []
    in_margin = False
    for step in pikepdf.parse_content_stream(page):
        operands: Any = step.operands
        match str(step.operator):
            case "BMC" | "BDC":
                marked.append(_repeated(operands))
            case "EMC" if marked:
                marked.pop()
            case "Tf":
                font = listed.get(str(operands[0]))
                key = font.objgen if font is not None else None
                if key not in fonts or key == (0, 0):
                    fonts[key] = _signs(font)
                signs = fonts[key]
            case "Td":
                y = float(operands[1])
                in_margin = not _MARGIN < y < height - _MARGIN
            case "Tj" | "'" | '"':
                if not (in_margin and any(marked)):
                    yield _read(bytes(operands[-1]), signs)
            case "TJ":
                if not (in_margin and any(marked)):
                    for part in operands[0]:
                        if isinstance(part, pikepdf.String):
                            yield _read(bytes(part), signs)


def _repeated(operands: Any) -> bool:
    if len(operands) != 2 or str(operands[0]) != "/Artifact":
        return False
    about = operands[1]
    return isinstance(about, pikepdf.Dictionary) and about.get("/Type") == "/Pagination"


def _signs(font: Any) -> dict[int, str] | None:
    """What the codes of a font mean (ToUnicode); None for a font of one byte a sign without it."""
    if font is None or "/ToUnicode" not in font:
        return None
    found: dict[int, str] = {}
    for kind, block in _BLOCK.findall(font.ToUnicode.read_bytes()):
        if kind == b"bfchar":
            for code, text in _BFCHAR.findall(block):
                found[int(code, 16)] = _unicode(text)
        else:
            for low, high, text in _BFRANGE.findall(block):
                first = _unicode(text)
                for at in range(min(int(high, 16) - int(low, 16), 0xFFFF) + 1):
                    found[int(low, 16) + at] = first[:-1] + chr(ord(first[-1]) + at)
    return found


def _unicode(text: bytes) -> str:
    return bytes.fromhex(text.decode("ascii")).decode("utf-16-be", errors="replace")


def _read(codes: bytes, signs: dict[int, str] | None) -> str:
    if signs is None:
        return codes.decode("latin-1")
    pairs = (codes[at] << 8 | codes[at + 1] for at in range(0, len(codes) - 1, 2))
    return "".join(signs.get(code, "\N{REPLACEMENT CHARACTER}") for code in pairs)
