"""A witness: a machine elsewhere that remembers the log and signs only what grew from it.

It keeps the last checkpoint that it signed. Before it signs a new one it checks the log's
signature and that the new tree begins with the old one; a log that shrinks or forks gets no
signature, and the witness says so (C2SP tlog-cosignature).
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from . import client, merkle, note


class Refuses(Exception):
    """The witness does not sign; the message says what is wrong with the log."""


def cosign(
    checkpoint: str,
    log_key: note.Verifier,
    own: note.Signer,
    seen: str | None,
    nodes: Callable[[int], merkle.Nodes],
    at: int,
) -> str:
    """The checkpoint with this witness's signature line. Raises `Refuses`.

    `seen` is the checkpoint (its text, unsigned) signed last; `nodes` gives a tree's hashes.
    """
    try:
        found, signed = note.open_checkpoint(checkpoint, [log_key])
    except note.NoteError as error:
        raise Refuses(str(error)) from error
    if seen is not None:
        old = note.Checkpoint.parse(seen)
        try:
            if found.size < old.size:
                raise merkle.ProofError(f"the log shrank from {old.size} to {found.size} records")
            path = merkle.consistency(nodes(found.size), old.size, found.size)
            merkle.check_consistency(old.size, found.size, old.root, found.root, path)
        except merkle.ProofError as error:
            raise Refuses(str(error)) from error
    return (
        f"{signed.text}\n{''.join(s.line for s in signed.signatures)}{own.cosign(signed.text, at)}"
    )


def run_once(place: str, log_key: note.Verifier, key_file: Path, name: str) -> str:
    """Look at the log once, sign, hand the signature in; a line that says what was done.

    `key_file` holds the witness's key (made on first use, under `name`); what it has seen is kept
    beside it. Raises `Refuses`, `client.LogUnreadable`.
    """
    own = own_key(key_file, name)
    memory = key_file.with_suffix(".seen.json")
    held = json.loads(memory.read_text()) if memory.exists() else {}
    seen = held.get(str(log_key))
    fetch = client.fetch_from(place)
    signed = cosign(
        fetch("checkpoint").decode(),
        log_key,
        own,
        seen,
        lambda size: client.nodes(fetch, size),
        int(time.time()),
    )
    text = note.Note.parse(signed).text
    # Remembered before it is handed in: a witness must not sign a fork after a crash.
    held[str(log_key)] = text
    part = memory.with_suffix(".part")
    part.write_text(json.dumps(held))
    os.replace(part, memory)
    _hand_in(place, signed)
    found = note.Checkpoint.parse(text)
    return f"{found.origin}: {found.size} records, signed"


def own_key(path: Path, name: str) -> note.Signer:
    """The witness's key; made on first use, readable by its owner alone."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{note.Signer.make(name)}\n")
    return note.Signer.parse(path.read_text(encoding="ascii"))


def _hand_in(place: str, signed: str) -> None:
    base = place.rstrip("/")
    base = base if base.endswith("/log") else f"{base}/log"
    if not base.startswith(("https://", "http://")):
        return
    request = urllib.request.Request(  # noqa: S310 - http or https, see above
        f"{base}/cosignatures", data=signed.encode(), headers={"Content-Type": "text/plain"}
    )
    try:
        with urllib.request.urlopen(request, timeout=client.TIMEOUT):  # noqa: S310
            pass
    except urllib.error.HTTPError as error:
        said = error.read(500).decode(errors="replace").strip()
        raise Refuses(f"the log does not take the signature: {said}") from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise client.LogUnreadable(f"{base}/cosignatures: {error}") from error
