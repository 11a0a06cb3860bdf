"""Logs, exports and receipts made up without the site, as a folder of files, for the verifier.

What they say is invented, their form is the site's. A test may change anything and sign anew, as a
log that lies would.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import random
from pathlib import Path
from typing import Any

import rfc8785

from sanwen import chain, disclosure, merkle, note

BEGIN = dt.datetime(2026, 3, 3, 10, 0, tzinfo=chain.ZONE)
_ACTS = (
    ("opinion.submitted", {"class": "basic", "files": 0, "item": "roof", "stance": "want"}),
    ("vote.cast", {"channel": "paper"}),
    ("entry.moved", {"amount": 50000, "kind": "contribution", "on": "2026-03-03", "to": "paid"}),
    ("step.opened", {}),
    ("panel.signed", {"points": 81, "scores": {"faults": 26, "will": 26}, "seat": "housing"}),
    ("ballot.opened", {"channels": ["paper", "online"], "secret": True}),
)


class Maker:
    """A log that grows: `case` begins one, `add` enters a record, `sign` makes a checkpoint."""

    def __init__(self, seed: int = 1, origin: str = "log.example") -> None:
        self.random = random.Random(seed)
        seed_bytes = self.random.randbytes(32)
        self.key = note.Signer(origin, seed_bytes)
        self.keys: list[tuple[int, note.Signer]] = [(0, self.key)]
        self.now = BEGIN
        self.records: list[bytes] = []
        self.tree = Tree()
        self.checkpoints: list[str] = []
        self.cases: dict[str, list[bytes]] = {}
        self.disclosures: dict[str, list[tuple[int, str]]] = {}
        self.heads: dict[str, bytes] = {}

    def case(self) -> list[bytes]:
        """A new case without records yet; its records appear in the list."""
        number = f"RENO-2026-{len(self.cases) + 1:04d}"
        self.cases[number] = []
        self.disclosures[number] = []
        return self.cases[number]

    def number(self, case: list[bytes]) -> str:
        """The public number of a case."""
        if case:
            return str(json.loads(case[0])["case"])
        return next(number for number, held in self.cases.items() if held is case)

    def content(self, case: list[bytes], **more: Any) -> dict[str, Any]:
        """What the next record of a case would say."""
        number = self.number(case)
        act, body = self.random.choice(_ACTS)
        content: dict[str, Any] = {
            "v": 1,
            "case": number,
            "seq": len(case),
            "procedure": "renovation@2026.1",
            "step": "ask_needs",
            "act": act,
            "at": chain.shown(self.now),
            "party": {"role": "household", "id": "67OVAVRONZPBX7R7"},
            "body": dict(body),
        }
        if case:
            content["prev"] = base64.b64encode(self.heads[number]).decode()
        return {**content, **more}

    def add(self, case: list[bytes], words: int | None = None, **more: Any) -> bytes:
        """Enter the next record of a case, with up to three words beside it."""
        self.now += dt.timedelta(seconds=self.random.randrange(3))
        content = self.content(case, **more)
        number = content["case"]
        count = self.random.randrange(3) if words is None else words
        shown = [self._disclosure(f"text{at}", "原文") for at in range(count)]
        if shown:
            content["body"]["_sd"] = sorted(disclosure.digest(text) for text in shown)
            content["_sd"] = [disclosure.digest(self._disclosure("name", "张三"))]
            content["_sd_alg"] = "sha-256"
        self.disclosures[number] += [(content["seq"], text) for text in shown]
        line = rfc8785.dumps(content)
        case.append(line)
        self.enter(line)
        self.heads[number] = merkle.leaf_hash(line)
        return line

    def _disclosure(self, name: str, value: str) -> str:
        salt = base64.urlsafe_b64encode(self.random.randbytes(16)).decode().rstrip("=")
        array = json.dumps([salt, name, value], ensure_ascii=False)
        return base64.urlsafe_b64encode(array.encode()).decode().rstrip("=")

    def enter(self, line: bytes) -> None:
        """Put any bytes into the log."""
        self.records.append(line)
        self.tree.add(merkle.leaf_hash(line))

    def sign(self, *, timed: bool = True, witness: note.Signer | None = None) -> str:
        """A checkpoint over what there is now."""
        size = len(self.records)
        text = note.Checkpoint(self.key.name, size, self.tree.root()).text
        signed = f"{text}\n{self.key.sign(text)}"
        at = int(self.now.timestamp())
        for signer in (self.key if timed else None, witness):
            signed += signer.cosign(text, at) if signer else ""
        self.checkpoints.append(signed)
        return signed

    def rotate(self) -> None:
        """Bring in a new key: a record of the site's case, under the old key's last checkpoint."""
        new = note.Signer(self.key.name, self.random.randbytes(32))
        site = self.cases.setdefault("SITE-2026-0001", [])
        self.disclosures.setdefault("SITE-2026-0001", [])
        body = {"old": str(self.key.verifier), "new": str(new.verifier)}
        self.add(site, 0, act="log.key_rotated", procedure="site@1", body=body)
        self.sign()
        self.key = new
        self.keys.append((len(self.records), new))

    def again(self, lines: list[bytes]) -> None:
        """Replace the records, as a log that lies does; then sign anew."""
        self.records, self.tree, self.checkpoints = [], Tree(), []
        for line in lines:
            self.enter(line)

    def proof(self, index: int) -> str:
        """The inclusion proof of a record under the newest checkpoint."""
        size = len(self.records)
        path = merkle.inclusion(self.tree.node, index, size)
        return note.format_proof(index, path, self.checkpoints[-1])

    def receipt(self, case: list[bytes], seq: int) -> dict[str, Any]:
        """The receipt of a record."""
        number = self.number(case)
        return {
            "v": 1,
            "record": case[seq].decode(),
            "disclosures": [text for at, text in self.disclosures[number] if at == seq],
            "proof": self.proof(self.records.index(case[seq])),
        }

    def export(self, folder: Path, case: list[bytes]) -> Path:
        """The export of a case; the file of its records."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "records.jsonl").write_bytes(b"".join(line + b"\n" for line in case))
        rows = self.disclosures[self.number(case)]
        text = "".join(json.dumps({"seq": seq, "disclosure": d}) + "\n" for seq, d in rows)
        (folder / "disclosures.jsonl").write_text(text)
        return folder / "records.jsonl"

    def write(self, folder: Path) -> Path:
        """The whole log as files, as the site serves it."""
        size = len(self.records)
        files: dict[str, bytes] = {
            "checkpoint": self.checkpoints[-1].encode(),
            "key": f"{self.key.verifier}\n".encode(),
            "keys": "".join(f"{since} - {k.verifier}\n" for since, k in self.keys).encode(),
            "checkpoints/0": "".join(
                json.dumps({"size": int(text.split("\n")[1]), "note": text}) + "\n"
                for text in self.checkpoints
            ).encode(),
        }
        for start in range(0, size, merkle.TILE_WIDTH):
            part = self.records[start : start + merkle.TILE_WIDTH]
            path = merkle.tile_path("entries", start // merkle.TILE_WIDTH, len(part))
            files[path] = merkle.bundle(part)
        for level in range(0, len(self.tree.rows), merkle.TILE_HEIGHT):
            row = self.tree.rows[level]
            for start in range(0, len(row), merkle.TILE_WIDTH):
                part = row[start : start + merkle.TILE_WIDTH]
                number = start // merkle.TILE_WIDTH
                path = merkle.tile_path(level // merkle.TILE_HEIGHT, number, len(part))
                files[path] = b"".join(part)
        for path, data in files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        return folder


class Tree:
    """A Merkle tree in memory: the hashes of complete subtrees, a row a level."""

    def __init__(self) -> None:
        self.rows: list[list[bytes]] = [[]]

    def add(self, leaf: bytes) -> None:
        """One more leaf."""
        self.rows[0].append(leaf)
        level = 0
        while len(self.rows[level]) % 2 == 0:
            if level + 1 == len(self.rows):
                self.rows.append([])
            self.rows[level + 1].append(merkle.node_hash(*self.rows[level][-2:]))
            level += 1

    def node(self, level: int, index: int) -> bytes:
        """As `merkle.Nodes`."""
        return self.rows[level][index]

    def root(self) -> bytes:
        """The root of it all."""
        return merkle.root(self.node, len(self.rows[0]))
