"""What this machine remembers of the site's own log, outside the database: its newest checkpoint.

A database that was brought back from an older backup does not know what it lacks, and its sequencer
would sign a second history under the log's name, which every verifier reports. So each process that
signs keeps what it has signed in a file (``SANWEN_LOG_SEEN``), and signs nothing more on a database
that does not hold it, until an operator says in public that those records are lost.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from sanwen import note

from ..models.log import Checkpoint, LogHead


@dataclass(frozen=True, slots=True)
class Loss:
    """The log was seen with `seen` records and this root; the database holds `held` of another
    history or of a shorter one."""

    seen: int
    root: bytes
    held: int


def remembered() -> str:
    """The newest checkpoint that this machine has signed or been told of; empty where none."""
    path = _path()
    try:
        return path.read_text(encoding="utf-8") if path else ""
    except FileNotFoundError:
        return ""


def remember(text: str) -> None:
    """Keep a signed checkpoint, unless a larger one of the same log is kept already."""
    path = _path()
    if path is None:
        return
    new, old = _opened(text), _opened(remembered())
    if new is None or (old is not None and old.origin == new.origin and old.size >= new.size):
        return
    _write(path, text)


def lost(origin: str) -> Loss | None:
    """What the database lacks of the log `origin` as this machine remembers it; None where nothing.

    One query. A checkpoint of another log is none of ours.
    """
    kept = _opened(remembered())
    if kept is None or kept.origin != origin:
        return None
    if Checkpoint.objects.filter(size=kept.size, root=kept.root).exists():
        return None
    held = LogHead.objects.filter(pk=1).values_list("size", flat=True).first() or 0
    return Loss(kept.size, kept.root, held)


def forget() -> None:
    """Remember nothing: what the database holds counts from now on."""
    path = _path()
    if path is not None:
        path.unlink(missing_ok=True)


def _path() -> Path | None:
    named = settings.SANWEN_LOG_SEEN
    return Path(named) if named else None


def _opened(text: str) -> note.Checkpoint | None:
    """A checkpoint that this machine wrote itself; None for what is none."""
    try:
        return note.Checkpoint.parse(note.Note.parse(text).text) if text else None
    except note.NoteError:
        return None


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
