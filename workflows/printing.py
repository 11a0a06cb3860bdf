"""Papers: HTML to PDF by WeasyPrint, chapter by chapter, with page numbers through the whole.

One shot of 3,000 table rows takes 670 MB; chapters of some hundreds of rows, rendered apart and
joined, a third of that. What a chapter cannot know, how many pages there are in all, is laid over
the joined pages.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from typing import Any

import pikepdf
from django.template.loader import render_to_string
from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration


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


def posters(
    body: str, foot: Callable[[int], str], marks: str = "", *, title: str, large: bool = False
) -> bytes:
    """One notice for many places as one PDF: what all copies share is set once.

    `foot` is told how many pages the body has, and returns a document of as many to lie over them.
    `marks` has a page for each copy, which lies over its first page. A4, or with `large` A3, every
    sign in proportion.
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
                for mark in own.pages:
                    first = len(joined.pages)
                    joined.pages.extend(one.pages)
                    joined.pages[first].add_overlay(mark, None)
        _about(joined, title, "zh-Hans")
        out = io.BytesIO()
        joined.save(out)
    return out.getvalue()


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
