"""What a verifier remembers of the logs that it has seen: the key, the last checkpoint, when.

Trust on first use: whoever comes back notices a log that shrank, forked or changed its key, and a
record that was entered later than it says.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from .. import note


@dataclass(frozen=True, slots=True)
class Seen:
    """A log as it was when last looked at: who signed (vkey), what, and the verifier's own time."""

    key: str
    checkpoint: note.Checkpoint
    at: str


def recall(path: Path | None) -> dict[str, Seen]:
    """What was seen, by the name of the log. `ValueError` when the file is no such memory."""
    if path is None or not path.exists():
        return {}
    try:
        return {
            origin: Seen(held["key"], note.Checkpoint.parse(held["checkpoint"]), held["at"])
            for origin, held in json.loads(path.read_text(encoding="utf-8")).items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no memory of logs") from error


def remember(path: Path, origin: str, seen: Seen) -> None:
    """Keep what was seen of one log; the others stay."""
    held = recall(path)
    held[origin] = seen
    part = path.with_name(path.name + ".part")
    text = {
        name: {"key": each.key, "checkpoint": each.checkpoint.text, "at": each.at}
        for name, each in held.items()
    }
    part.write_text(json.dumps(text, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)
