"""The face of a trail as one embedded font: what its signs are called and how wide they are.

The font is taken from a sheet of all the signs, pressed like any page. Its glyphs keep the numbers
that they have in the whole font, so that text set with one sheet stands with the next one too.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from pikepdf import Pdf

_BARE = ("Mn", "Me", "Mc", "Cf", "Cc")
"""Categories of signs that are nothing without their neighbours."""


class Face:
    """The font of a sheet; lengths in thousandths of its size."""

    NAME = "SanwenFace"
    """Under which pages name it in their resources."""

    def __init__(self, sheet: Pdf) -> None:
        self._sheet = sheet  # must not close before the font has been copied
        listed: Any = sheet.pages[0].obj.Resources.Font
        # What the face does not have comes from other fonts, which hold fewer signs.
        fonts = [
            (_glyphs(font.ToUnicode.read_bytes().decode("ascii")), font) for font in listed.values()
        ]
        glyphs, self.font = max(fonts, key=lambda found: len(found[0]))
        widths = _widths(self.font.DescendantFonts[0].W)
        self._codes = {sign: f"{glyph:04x}" for sign, glyph in glyphs.items()}
        self._widths = {sign: widths.get(glyph, 1000.0) for sign, glyph in glyphs.items()}
        self._known = glyphs.keys()

    def knows(self, text: str) -> bool:
        """Whether it has every sign of a text of lines."""
        return self._known >= set(text) - {"\n"}

    def codes(self, text: str) -> str:
        """A text as a hexadecimal string of a content stream; what it does not know is left out."""
        return "".join([self._codes.get(sign, "") for sign in text])

    def width(self, text: str) -> float:
        """How wide a text is."""
        return sum([self._widths.get(sign, 0.0) for sign in text])


def signs(text: str) -> str:
    """Every sign of a text once, for the sheet."""
    # A blank is one only between others.
    found = sorted(sign for sign in set(text) if not sign.isspace() or sign == "\u3000")
    return f"{''.join(found[:1])} {''.join(found[1:])}"


def _glyphs(cmap: str) -> dict[str, int]:
    found = {}
    for glyph, text in re.findall(r"<([0-9a-f]{4})> <([0-9a-f]+)>", cmap):
        sign = bytes.fromhex(text).decode("utf-16-be")
        if len(sign) == 1 and unicodedata.category(sign) not in _BARE:
            found[sign] = int(glyph, 16)
    return found


def _widths(listed: Any) -> dict[int, float]:
    found = {}
    for at in range(0, len(listed), 2):
        for step, width in enumerate(listed[at + 1]):
            found[int(listed[at]) + step] = float(width)
    return found
