"""What a machine sees in a picture: the codes of our own papers on it, and how alike two are.

Hints for people, never a bar: a code out of the frame or a hand that shook proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise
from typing import Any

import zxingcpp
from PIL import Image, ImageOps

from . import codes

LARGEST = 2400
"""Pixels of the longer side that are searched for codes."""
SIDE = 16
ALIKE = 16
"""Two looks that differ in no more of their 256 bits are of almost the same picture."""
FLAT = 8
"""A look with fewer bits on or off is of a picture without a drawing: it is like any other."""
_ADDRESS = re.compile(r"/(?P<kind>[fp])/(?P<code>[0-9A-Za-z-]{10,40})/?$")
QR: Any = zxingcpp.BarcodeFormat.QRCode
KINDS = {"f": "form", "p": "sheet"}


def codes_in(picture: Image.Image) -> list[tuple[str, str]]:
    """The codes of our own papers that are seen: (``form`` or ``sheet``, code), in any rotation."""
    small = ImageOps.grayscale(picture)
    small.thumbnail((LARGEST, LARGEST))
    found = zxingcpp.read_barcodes(small, formats=QR)
    seen = [_ADDRESS.search(each.text) for each in found]
    return [(KINDS[each["kind"]], each["code"]) for each in seen if each]


def shows(picture: Image.Image, kind: str, hashes: Collection[bytes]) -> bool:
    """Whether one of the papers with these digests is seen in the picture."""
    return any(
        codes.digest(kind, code) in hashes for found, code in codes_in(picture) if found == kind
    )


def examine(photo: Any, hashes: Collection[bytes] = ()) -> None:
    """Note on a photo (an `Attachment`, not saved here) how it looks, and whether it shows a sheet
    with one of these digests; with none printed, nothing is known."""
    with photo.file.open("rb") as file, Image.open(file) as picture:
        photo.look = look_of(picture)
        photo.code_seen = shows(picture, "sheet", hashes) if hashes else None


def look_of(picture: Image.Image) -> str:
    """How a picture looks, in 64 hexadecimal digits: for each of 16 by 16 places whether it is
    lighter than the next. Empty where there is nothing to see."""
    tiny = ImageOps.grayscale(picture).resize((SIDE + 1, SIDE), Image.Resampling.BOX)
    rows: Any = list(tiny.tobytes())
    bits = 0
    for y in range(SIDE):
        line = rows[y * (SIDE + 1) : (y + 1) * (SIDE + 1)]
        for left, right in pairwise(line):
            bits = bits << 1 | (left > right)
    on = bits.bit_count()
    return "" if min(on, SIDE * SIDE - on) < FLAT else f"{bits:064x}"


def alike(one: str, other: str) -> bool:
    """Whether two looks are of almost the same picture, however it was saved or scaled."""
    return bool(one and other) and (int(one, 16) ^ int(other, 16)).bit_count() <= ALIKE
