"""What is kept of a case's public trail: its pieces, and the newest whole one.

In the private file store, a folder a case; everything in it can be made again. Nothing of a full
trail is ever kept here. When a person's data are erased the folder goes.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from ...models.case import Case

_FORGOTTEN = "forgotten"


def folder(case: Case) -> str:
    """Where a case's pieces are kept; its public number never changes."""
    return f"trails/{case.number}"


def kept(case: Case) -> set[str]:
    """Names of the files that are kept of a case."""
    try:
        return set(default_storage.listdir(folder(case))[1])
    except FileNotFoundError:
        return set()


def fetch(case: Case, names: Iterable[str], into: Path) -> None:
    """Bring kept files into a folder of this machine."""
    for name in names:
        place = f"{folder(case)}/{name}"
        with default_storage.open(place) as held, (into / name).open("wb") as target:
            shutil.copyfileobj(held, target)


def put(case: Case, path: Path, name: str = "") -> None:
    """Keep a file; one of that name that is there is the same and stays."""
    place = f"{folder(case)}/{name or path.name}"
    if not default_storage.exists(place):
        with path.open("rb") as source:
            default_storage.save(place, File(source))


def opened(case: Case, name: str) -> IO[bytes] | None:
    """A kept file, or None."""
    try:
        return default_storage.open(f"{folder(case)}/{name}")
    except FileNotFoundError:
        return None


def drop(case: Case, names: Iterable[str]) -> None:
    """Throw kept files away."""
    for name in names:
        default_storage.delete(f"{folder(case)}/{name}")


def forget(case: Case) -> None:
    """Throw away everything that is kept of a case: a person's data in it are erased."""
    drop(case, kept(case))
    # Tells one who is making a trail just now that what was read is no longer good.
    note(case, _FORGOTTEN, secrets.token_hex(8))


def forgotten(case: Case) -> str:
    """Another word after each `forget`."""
    held = opened(case, _FORGOTTEN)
    if held is None:
        return ""
    with held:
        return held.read().decode()


def note(case: Case, name: str, text: str) -> None:
    """Keep a line of text under a name."""
    place = f"{folder(case)}/{name}"
    default_storage.delete(place)
    default_storage.save(place, ContentFile(text.encode()))
