"""A page of docs/ that is followed literally: its code blocks, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?:(?P<add>Add to )?`(?P<path>[\w./-]+)`\n\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A file to write (`path`; `add`: to its end), or without a path commands for a shell."""

    text: str
    path: str
    add: bool

    def write(self, folder: Path) -> None:
        """Do as the page says, under `folder`."""
        target = folder / self.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a" if self.add else "w", encoding="utf-8") as file:
            file.write(f"\n\n{self.text}" if self.add else self.text)


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page; every block is a file or a command, else AssertionError."""
    text = page.read_text(encoding="utf-8")
    found = list(_BLOCK.finditer(text))
    assert len(found) == len(re.findall(r"^```\w", text, re.MULTILINE)), "a block was not read"
    for block in found:
        path = block["path"] or ""
        assert path or block["language"] == "sh", f"nobody knows where this goes: {block[0][:80]}"
        yield Block(block["text"], path, bool(block["add"]))
