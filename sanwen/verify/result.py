"""What a check says: one line each of what holds, what does not, and what was not looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..faults import Fault, said

_MARKS = {"holds": "✓", "fault": "✗", "note": "·", "open": "?"}


@dataclass(frozen=True, slots=True)
class Line:
    """One finding: ``holds``, ``fault``, ``note`` (good to know) or ``open`` (must yet be seen)."""

    kind: str
    code: str
    about: dict[str, Any]

    def text(self, lang: str) -> str:
        """The finding as a line for people."""
        return f"{_MARKS[self.kind]} {said(self.code, lang, self.about)}"


@dataclass(slots=True)
class Result:
    """The findings of a check, in the order in which they were made."""

    lines: list[Line] = field(default_factory=list)

    def holds(self, code: str, **about: Any) -> None:
        """Something was checked and is right."""
        self.lines.append(Line("holds", code, about))

    def note(self, code: str, **about: Any) -> None:
        """Something to know, by which nothing is wrong."""
        self.lines.append(Line("note", code, about))

    def open(self, code: str, **about: Any) -> None:
        """Something without which the check is not finished."""
        self.lines.append(Line("open", code, about))

    def fault(self, fault: Fault) -> None:
        """Something does not hold."""
        self.lines.append(Line("fault", fault.code, fault.about))

    @property
    def first_fault(self) -> Line | None:
        """The first thing that does not hold."""
        return next((line for line in self.lines if line.kind == "fault"), None)

    @property
    def status(self) -> int:
        """For the shell: 0 all holds, 1 something does not, 2 not all could be looked at."""
        if self.first_fault:
            return 1
        return 2 if any(line.kind == "open" for line in self.lines) else 0
