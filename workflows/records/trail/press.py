"""HTML in, PDF out: each piece of a trail by itself, in processes that end with the work.

WeasyPrint does not give memory back; a piece of bounded size in a process of its own keeps a trail
of any length within bounds and uses every processor. This file run by itself is such a process: on
each line of its input stand two paths, the HTML to read and the PDF to write. It therefore knows
nothing of Django.
"""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pikepdf

SMALL = 3
"""So many pieces are made in this process alone: starting another one takes as long."""
HELPERS = max(0, min(3, (os.cpu_count() or 1) - 1))
"""Processes that print beside this one."""

Told = Callable[[int], None]


class PressFailed(RuntimeError):
    """A piece could not be made into a PDF."""


def pressed(html: str) -> bytes:
    """One piece as tagged PDF/A-3u with its own subset of the fonts."""
    # Loaded here: it takes half a second, and most processes of a site never print.
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    # Nothing is loaded from anywhere: pictures stand in the text itself.
    inline = URLFetcher(allowed_protocols={"data"})
    made = HTML(string=html, url_fetcher=inline).write_pdf(pdf_variant="pdf/a-3u", pdf_tags=True)
    return _mended(made)


def _mended(made: bytes) -> bytes:
    """Let a block of the structure tree hold its lines itself, and heads of tables say of what.

    WeasyPrint gives each line of text a Span of its own. They say nothing and make up four fifths
    of the tree of a long trail.
    """
    with pikepdf.open(io.BytesIO(made)) as pdf:
        for element in pdf.objects:
            if isinstance(element, pikepdf.Dictionary) and element.get("/S") in ("/TH", "/TD"):
                _scope(element)
        numbers = pdf.Root.StructTreeRoot.ParentTree.Nums
        for at in range(1, len(numbers), 2):
            lines = numbers[at]
            if not isinstance(lines, pikepdf.Array):
                continue
            for mark, line in enumerate(list(lines)):
                if line.get("/S") == "/Span" and len(line.keys()) == 5:
                    _absorb(line, mark, lines)
        out = io.BytesIO()
        pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return out.getvalue()


def _scope(cell: pikepdf.Object) -> None:
    """Name what a head is of, instead of heads by identifiers that repeat in every piece."""
    about: Any = cell.get("/A")
    if "/ID" in cell:
        del cell.ID
    if not isinstance(about, pikepdf.Dictionary):
        return
    if "/Headers" in about:
        del about.Headers
    if cell.S == "/TH":
        of_row = any(beside.get("/S") == "/TD" for beside in cell.P.K)
        about.Scope = pikepdf.Name.Row if of_row else pikepdf.Name.Column


def _absorb(line: pikepdf.Object, mark: int, lines: pikepdf.Array) -> None:
    block = line.P
    if len(line.K) != 1 or line.K[0] != mark or "/Pg" not in block or block.Pg != line.Pg:
        return
    kids = block.K
    for at, kid in enumerate(kids):
        if isinstance(kid, pikepdf.Dictionary) and kid.objgen == line.objgen:
            kids[at] = mark
            lines[mark] = block
            return


def press(pieces: Sequence[tuple[str, Path]], told: Told = lambda _done: None) -> None:
    """Make each piece's HTML the PDF at its path; `told` hears how many are done.

    This process prints too, so that it never only waits for another one to start.
    """
    waiting: SimpleQueue[tuple[str, Path]] = SimpleQueue()
    for piece in pieces:
        waiting.put(piece)
    finished: SimpleQueue[BaseException | None] = SimpleQueue()
    helpers = HELPERS if len(pieces) > SMALL else 0
    with ThreadPoolExecutor(max(1, helpers)) as pool:
        for _ in range(helpers):
            pool.submit(_feed, waiting, finished)
        done = 0
        try:
            while done < len(pieces):
                try:
                    html, path = waiting.get_nowait()
                except Empty:
                    failure = finished.get()
                    if failure is not None:
                        raise PressFailed(str(failure)) from failure
                else:
                    path.write_bytes(pressed(html))
                done += 1
                told(done)
        finally:
            while not waiting.empty():  # whoever still prints ends after this piece
                waiting.get()


def _feed(
    waiting: SimpleQueue[tuple[str, Path]], finished: SimpleQueue[BaseException | None]
) -> None:
    try:
        with subprocess.Popen(  # noqa: S603 - this module, with paths of our own making
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            while True:
                try:
                    html, path = waiting.get_nowait()
                except Empty:
                    break
                source = path.with_suffix(".html")
                source.write_text(html, encoding="utf-8")
                process.stdin.write(f"{source}\t{path}\n")
                process.stdin.flush()
                if process.stdout.readline().strip() != "made":
                    raise PressFailed("the press stopped")
                source.unlink()
                finished.put(None)
            process.stdin.close()
    except BaseException as error:  # handed to the one who waits
        finished.put(error)


def serve() -> None:
    """Be such a process, until the input ends."""
    # Boxes are thrown away as a whole after each piece; looking for cycles before is for nothing.
    gc.disable()
    for line in sys.stdin:
        source, path = line.rstrip("\n").split("\t")
        Path(path).write_bytes(pressed(Path(source).read_text(encoding="utf-8")))
        gc.collect()
        print("made", flush=True)


if __name__ == "__main__":
    serve()
