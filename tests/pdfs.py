"""What a PDF says, as a reader's eyes would find it."""

from __future__ import annotations

import subprocess


def text_of(content: bytes) -> str:
    """The text of a PDF by poppler, without blanks within lines of Chinese."""
    done = subprocess.run(
        ["pdftotext", "-raw", "-", "-"], input=content, capture_output=True, check=True
    )
    return "".join(done.stdout.decode().split())


def pages_of(content: bytes) -> list[str]:
    """The same, page by page."""
    done = subprocess.run(
        ["pdftotext", "-raw", "-", "-"], input=content, capture_output=True, check=True
    )
    return ["".join(page.split()) for page in done.stdout.decode().split("\f")[:-1]]
