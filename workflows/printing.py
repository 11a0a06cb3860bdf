"""Papers: HTML to PDF by WeasyPrint, chapter by chapter, with page numbers through the whole.

One shot of 3,000 table rows takes 670 MB; chapters of some hundreds of rows, rendered apart and
joined, a third of that. What a chapter cannot know, how many pages there are in all, is laid over
the joined pages.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pikepdf
import segno
from django.template.loader import render_to_string
from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration

MM = 72 / 25.4
"""Points in a millimetre."""


def no_fetching(address: str, *_args: Any, **_kwargs: Any) -> Any:
    """Papers bring all that they need; nothing in them may make the server fetch an address."""
    raise ValueError(f"a paper asks for {address}")


def numbered(chapters: Iterable[str], *, title: str, language: str, foot: str = "") -> bytes:
    """HTML documents as one PDF, A4, each page with its number of how many and `foot` beside it."""
    fonts = FontConfiguration()
    with pikepdf.new() as joined:
        for chapter in chapters:
            with pikepdf.open(io.BytesIO(_render(chapter, fonts))) as part:
                joined.pages.extend(part.pages)
        pages = range(1, len(joined.pages) + 1)
        # The pages as a list, so that each counts: an empty one would not be made.
        foots = render_to_string("print/numbers.html", {"pages": pages, "foot": foot})
        with pikepdf.open(io.BytesIO(_render(foots, fonts))) as numbers:
            for page, number in zip(joined.pages, numbers.pages, strict=True):
                page.add_overlay(number, None)
            _about(joined, title, language)
            out = io.BytesIO()
            joined.save(out)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Box:
    """Where a QR code stands on A4: millimetres from the left and the lower edge, and its size."""

    left: float
    bottom: float
    size: float


def posters(
    body: str,
    foot: Callable[[int], str],
    marks: str = "",
    *,
    title: str,
    large: bool = False,
    addresses: Sequence[str] = (),
    box: Box | None = None,
) -> bytes:
    """One notice for many places as one PDF: what all copies share is set once.

    `foot` is told how many pages the body has, and returns a document of as many to lie over them.
    `marks` has a page for each copy, which lies over its first page, with the QR code of its own of
    the `addresses` in the `box`. A4, or with `large` A3, every sign in proportion.
    """
    fonts = FontConfiguration()
    zoom = math.sqrt(2) if large else 1
    with pikepdf.new() as joined, pikepdf.open(io.BytesIO(_render(body, fonts, zoom))) as one:
        with pikepdf.open(io.BytesIO(_render(foot(len(one.pages)), fonts, zoom))) as under:
            for page, strip in zip(one.pages, under.pages, strict=True):
                page.add_overlay(strip, None)
        if not marks:
            joined.pages.extend(one.pages)
        else:
            with pikepdf.open(io.BytesIO(_render(marks, fonts, zoom))) as own:
                # All copies before the first mark: a copy of a marked page has its mark too.
                for _mark in own.pages:
                    joined.pages.extend(one.pages)
                for at, mark in enumerate(own.pages):
                    if box is not None:
                        drawn = own.make_stream(_squares(addresses[at], box, zoom))
                        mark.contents_add(drawn, prepend=True)
                    joined.pages[at * len(one.pages)].add_overlay(mark, None)
        _about(joined, title, "zh-Hans")
        out = io.BytesIO()
        joined.save(out)
    return out.getvalue()


def _squares(address: str, box: Box, zoom: float) -> bytes:
    """A QR code as strokes of a PDF page: drawn so, a thousand of them cost no more than the text
    around them."""
    rows = [list(row) for row in segno.make(address, error="m").matrix]
    unit = box.size * MM * zoom / len(rows)
    left, bottom = box.left * MM * zoom, box.bottom * MM * zoom
    drawn = ["q 0 g"]
    for y, row in enumerate(reversed(rows)):
        x = 0
        while x < len(row):
            run = 1
            while row[x] and x + run < len(row) and row[x + run]:
                run += 1
            if row[x]:
                corner = f"{left + x * unit:.3f} {bottom + y * unit:.3f}"
                drawn.append(f"{corner} {run * unit:.3f} {unit:.3f} re")
            x += run
    return "\n".join([*drawn, "f Q\n"]).encode()


def _about(paper: pikepdf.Pdf, title: str, language: str) -> None:
    with paper.open_metadata(set_pikepdf_as_editor=False) as about:
        about["dc:title"] = title
        about["dc:language"] = [language]
    paper.docinfo["/Title"] = title
    paper.Root.Lang = language
    paper.Root.ViewerPreferences = pikepdf.Dictionary(DisplayDocTitle=True)


def _render(html: str, fonts: FontConfiguration, zoom: float = 1) -> bytes:
    content: bytes = HTML(string=html, url_fetcher=no_fetching).write_pdf(
        font_config=fonts, zoom=zoom
    )
    return content
