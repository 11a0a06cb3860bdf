"""The list of erasures, outside the database: so that restoring a backup brings nobody back.

A backup that is older than an erasure still holds what was erased. Each erasure therefore leaves a
small file among the site's files (``erasures/``), and `manage.py restore` does again those that the
backup does not know. The files name nobody: keys of rows, and keyed digests (HMAC-SHA-256 under the
site's secret) of the names and rooms to look for, which mean something only beside a database that
still holds them.

Law: Personal Information Protection Law (个人信息保护法) 47.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.dispatch import Signal

from .erasure import Subject

FOLDER = "erasures"

known_words = Signal()
"""Receivers return every name and room that they hold, in clear: what a digest may stand for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One erasure: when, on what ground, in which cases, and whose without saying whose."""

    uid: str
    at: dt.datetime
    reason: str
    cases: dict[str, int]
    """The cases that held something, each with the position of its record of the erasure."""
    users: tuple[int, ...]
    keys: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    options: tuple[str, ...]

    def text(self) -> str:
        """As it is kept."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({"v": 1, **fields, "at": self.at.isoformat()}) + "\n"

    @classmethod
    def parse(cls, text: str) -> Entry:
        """The entry of a file. Raises `ValueError`."""
        try:
            held: dict[str, Any] = json.loads(text)
            if held.pop("v") != 1:
                raise ValueError("an entry of another version")
            at = dt.datetime.fromisoformat(held.pop("at"))
            plain: dict[str, Any] = {name: held.pop(name) for name in ("uid", "reason", "cases")}
            lists: dict[str, Any] = {name: tuple(value) for name, value in held.items()}
            return cls(at=at, **plain, **lists)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no entry of the list of erasures: {error!r}") from error


def _digest(word: str, secret: str) -> str:
    return hmac.new(secret.encode(), b"erasure\x00" + word.encode(), hashlib.sha256).hexdigest()


def add(subject: Subject, reason: str, cases: Mapping[str, int], at: dt.datetime) -> str:
    """Note an erasure with its cases (see `Entry`); the name of its file."""

    def digests(words: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(_digest(word, settings.SECRET_KEY) for word in words))

    entry = Entry(
        uid=uuid.uuid4().hex,
        at=at,
        reason=reason,
        cases=dict(cases),
        users=tuple(sorted(subject.users)),
        keys=tuple(sorted(subject.keys)),
        names=digests(subject.names),
        labels=digests(subject.labels),
        options=tuple(sorted(subject.options)),
    )
    name = f"{FOLDER}/{at:%Y%m%dT%H%M%S}-{entry.uid}.json"
    return default_storage.save(name, ContentFile(entry.text().encode()))


def strike(name: str) -> None:
    """Take back an entry whose erasure did not come about."""
    default_storage.delete(name)


def names() -> list[str]:
    """The files of the list, the oldest erasure first."""
    try:
        return sorted(f"{FOLDER}/{name}" for name in default_storage.listdir(FOLDER)[1])
    except FileNotFoundError:
        return []


def entries(*folders: Path) -> list[Entry]:
    """The erasures on the site's list and in `folders`, the oldest first. Raises `ValueError`."""
    found: dict[str, Entry] = {}
    for text in _texts(*folders):
        entry = Entry.parse(text)
        found[entry.uid] = entry
    return sorted(found.values(), key=lambda entry: (entry.at, entry.uid))


def _texts(*folders: Path) -> Iterator[str]:
    for name in names():
        with default_storage.open(name) as file:
            yield file.read().decode()
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            yield path.read_text(encoding="utf-8")


def recall(wanted: Iterable[Entry], secret: str) -> dict[str, tuple[Subject, int]]:
    """Whose data the entries mean, by uid, read from the database as it is now; and how many words
    of each are not found there, so that they need no erasing (or the secret is another)."""
    wanted = list(wanted)
    digests = {digest for entry in wanted for digest in (*entry.names, *entry.labels)}
    words: dict[str, str] = {}
    if digests:
        for _receiver, held in known_words.send(Entry):
            for word in held or ():
                if (digest := _digest(word, secret)) in digests:
                    words[digest] = word
    found = {}
    for entry in wanted:
        subject = Subject(
            frozenset(entry.users),
            frozenset(entry.keys),
            frozenset(words[digest] for digest in entry.names if digest in words),
            frozenset(words[digest] for digest in entry.labels if digest in words),
            frozenset(entry.options),
        )
        lost = sum(digest not in words for digest in (*entry.names, *entry.labels))
        found[entry.uid] = subject, lost
    return found
