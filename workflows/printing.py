"""Papers: HTML to PDF by WeasyPrint, chapter by chapter, with page numbers through the whole.

One shot of 3,000 table rows takes 670 MB; chapters of some hundreds of rows, rendered apart and
joined, a third of that. What a chapter cannot know, how many pages there are in all, is laid over
the joined pages.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
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
            with joined.open_metadata(set_pikepdf_as_editor=False) as about:
                about["dc:title"] = title
                about["dc:language"] = [language]
            joined.docinfo["/Title"] = title
            joined.Root.Lang = language
            joined.Root.ViewerPreferences = pikepdf.Dictionary(DisplayDocTitle=True)
            out = io.BytesIO()
            joined.save(out)
    return out.getvalue()


def _render(html: str, fonts: FontConfiguration) -> bytes:
    content: bytes = HTML(string=html, url_fetcher=no_fetching).write_pdf(font_config=fonts)
    return content
