"""Who acts while things break: residents, reviewers, an office; and their account of it.

Each sends one act after another over HTTP, sends again whatever was not answered, and notes what
was. `Account.faults_in` then holds the account against the database.
"""

from __future__ import annotations

import http.client
import io
import random
import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SECRET = "c" * 32
"""The token of forms, in cookie and header."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One act on its way."""

    number: str
    step: str
    act: str
    fields: dict[str, str]
    photo: bytes = b""


@dataclass(frozen=True, slots=True)
class Sent:
    """Who sent what."""

    who: str
    what: Sending


@dataclass
class Account:
    """What people sent, and what was answered."""

    sent: dict[str, Sent] = field(default_factory=dict)
    """By submission."""
    accepted: dict[str, int] = field(default_factory=dict)
    """Submission → position of its record."""
    faults: list[str] = field(default_factory=list)
    tries: int = 0

    def of(self, act: str) -> dict[str, int]:
        """What was accepted of one kind of act."""
        return {key: n for key, n in self.accepted.items() if self.sent[key].what.act == act}

    def faults_in(self) -> list[str]:
        """What the database has otherwise than it was answered; empty if nothing."""
        wrong = list(self.faults[:20])
        wrong += self._records()
        wrong += self._photos()
        wrong += self._votes()
        wrong += self._replies_and_signatures()
        if unanswered := set(self.sent) - set(self.accepted):
            wrong.append(f"{len(unanswered)} never answered, though sent until the end")
        return wrong

    def _records(self) -> list[str]:
        from workflows.models import Record

        found: dict[str, list[tuple[str, str, int]]] = {}
        rows = Record.objects.exclude(key=None).filter(key__contains=":")
        for key, number, act, seq in rows.values_list("key", "case__number", "act", "seq"):
            name = key.partition(":")[2]
            if len(name) == 24:  # those of the clock are longer or shorter
                found.setdefault(name, []).append((number, act, seq))
        wrong = []
        for key, seq in self.accepted.items():
            sent = self.sent[key].what
            if found.get(key) != [(sent.number, sent.act, seq)]:
                wrong.append(f"{sent.act} accepted as {sent.number}/{seq}, found {found.get(key)}")
        if unsent := set(found) - set(self.sent):
            wrong.append(f"{len(unsent)} that nobody sent")
        return wrong

    def _photos(self) -> list[str]:
        from hashlib import sha256

        from django.core.files.storage import default_storage

        from workflows.models import Attachment

        files: dict[str, list[Any]] = {}
        acts = ("opinion.submitted",)
        for row in Attachment.objects.filter(record__act__in=acts).select_related("record"):
            files.setdefault((row.record.key or "").partition(":")[2], []).append(row)
        wrong = []
        for key in self.of("opinion.submitted"):
            rows = files.get(key, [])
            if len(rows) != bool(self.sent[key].what.photo):
                wrong.append(f"{len(rows)} photos with {key}")
            for row in rows:
                with default_storage.open(row.file.name) as file:
                    whole = sha256(file.read()).hexdigest() == row.sha256
                if not whole or row.sha256 not in row.record.canonical:
                    wrong.append(f"the photo of {key} is not the one that was recorded")
        return wrong

    def _votes(self) -> list[str]:
        """Of each voter the last vote stands, and no other."""
        from workflows.models import BallotPaper

        last: dict[str, tuple[int, str]] = {}
        for key, seq in self.of("vote.cast").items():
            who = self.sent[key].who
            last[who] = max(last.get(who, (-1, "")), (seq, key))
        standing = BallotPaper.objects.filter(standing=True, channel="online")
        keys = [
            (key or "").partition(":")[2] for key in standing.values_list("record__key", flat=True)
        ]
        meant = sorted(key for _seq, key in last.values())
        return (
            [] if sorted(keys) == meant else [f"{len(keys)} votes stand, {len(meant)} were meant"]
        )

    def _replies_and_signatures(self) -> list[str]:
        from collections import Counter

        from workflows.models import Record

        wrong = []
        replied = Counter(
            self.sent[key].what.fields["opinions"] for key in self.of("opinion.replied")
        )
        if twice := [opinion for opinion, n in replied.items() if n > 1]:
            wrong.append(f"answered twice: {twice}")
        signed = Counter(self.sent[key].what.number for key in self.of("panel.signed"))
        for number, n in signed.items():
            done = Record.objects.filter(
                case__number=number, step="joint_review", act="step.completed"
            )
            if done.count() != (n == 4):
                wrong.append(f"{number}: {n} signatures, completed {done.count()} times")
        return wrong


class Person(threading.Thread):
    """Acts by `choose`, one after another; sends again whatever was not answered."""

    def __init__(
        self,
        name: str,
        session: str,
        ports: list[int],
        account: Account,
        choose: Callable[[], Sending | None],
        pace: float,
    ) -> None:
        super().__init__(daemon=True, name=name)
        self.session, self.ports, self.account = session, ports, account
        self.choose, self.pace = choose, pace
        self.quiet = threading.Event()
        self.given_up = threading.Event()

    def run(self) -> None:
        """Until `quiet`: then the last one is still brought home."""
        while not self.quiet.wait(self.pace):
            sending = self.choose()
            if sending is None:
                continue
            key = secrets.token_hex(12)
            self.account.sent[key] = Sent(self.name, sending)
            while not self._answered(sending, key) and not self.given_up.wait(0.3):
                pass

    def _answered(self, sending: Sending, key: str) -> bool:
        self.account.tries += 1
        body, kind = multipart({**sending.fields, "idempotency_key": key}, sending.photo)
        headers = {
            "Content-Type": kind,
            "Cookie": f"sessionid={self.session}; csrftoken={SECRET}",
            "X-CSRFToken": SECRET,
        }
        link = http.client.HTTPConnection("127.0.0.1", random.choice(self.ports), timeout=20)
        address = f"/cases/{sending.number}/do/{sending.step}/{sending.act}/"
        try:
            link.request("POST", address, body, headers)
            answer = link.getresponse()
            page = answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            link.close()
        where = answer.getheader("Location") or ""
        if answer.status == 302 and "/done/" in where:
            self.account.accepted[key] = int(where.rstrip("/").rsplit("/", 1)[1])
            return True
        if answer.status in (429, 500, 502, 503, 504):
            return False
        self.account.faults.append(f"{answer.status} {address} {where} {_words(page)}")
        return True


def _words(page: bytes) -> str:
    """What a page says in its main part, shortly."""
    import re

    text = page.decode(errors="replace").partition("<main")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())[:300]


def multipart(fields: dict[str, str], photo: bytes) -> tuple[bytes, str]:
    """The body of a form, and its type."""
    edge = uuid.uuid4().hex
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if photo:
        head = f'--{edge}\r\nContent-Disposition: form-data; name="photos"; filename="a.png"\r\n'
        parts.append(f"{head}Content-Type: image/png\r\n\r\n".encode() + photo + b"\r\n")
    return b"".join(parts) + f"--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"


def picture() -> bytes:
    """A small picture like no other."""
    from PIL import Image

    out = io.BytesIO()
    Image.frombytes("RGB", (24, 24), secrets.token_bytes(24 * 24 * 3)).save(out, "PNG")
    return out.getvalue()
