"""How a panel is counted: exact, and the same in whatever order its members signed. No I/O.

The source article: 联合审查入围, and 联合验收+综合评分. What it leaves open is a parameter of the
declared panel: which share must attend, which score passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .act import Words

FULL = 100
"""What the criteria of a sheet add up to, so that thresholds are points of a hundred."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """A line of a score sheet: 0 to `max` points."""

    code: str
    title: Words
    max: int


@dataclass(frozen=True, slots=True)
class Score:
    """A score sheet, and what passes: the mean of all, or the mean weighted by the seats' weights.

    以上 includes the number (Civil Code 1259): exactly 70 of 70 passes.
    """

    sheet: tuple[Criterion, ...]
    mean_at_least: int | Fraction | None = None
    weighted_at_least: int | Fraction | None = None

    @property
    def rule(self) -> str:
        """The rule as records name it."""
        return "weighted_at_least" if self.weighted_at_least is not None else "mean_at_least"

    @property
    def threshold(self) -> Fraction:
        """The points of a hundred that pass."""
        bound = self.weighted_at_least
        return Fraction((self.mean_at_least or 0) if bound is None else bound)


@dataclass(frozen=True, slots=True)
class SeatSpec:
    """A seat of a panel: the party that has it, and how much its score weighs."""

    code: str
    title: Words
    role: str
    required: bool = True
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Said:
    """What one seat signed: ``approve``, ``return`` or ``reject``, and its points of the sheet."""

    decision: str
    points: int = 0
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a panel comes to. `score` is exact; None where no sheet is declared."""

    outcome: str
    decisions: dict[str, int]
    score: Fraction | None = None


def needed(seats: int, attend: Fraction) -> int:
    """How many of `seats` must sign to attend in the share `attend`: at least ⌈seats x attend⌉."""
    return -(-seats * attend.numerator // attend.denominator)


def quorate(signed: int, seats: int, attend: Fraction) -> bool:
    """Whether enough of the seats that did not stand back have signed. 2/3 of 6 is met by 4."""
    return signed > 0 and signed >= needed(seats, attend)


def score_of(said: Sequence[Said], score: Score) -> Fraction:
    """The mean of the points, weighted where the sheet says so; ValueError if nobody signed."""
    if not said:
        raise ValueError("nobody signed")
    if score.weighted_at_least is None:
        return Fraction(sum(one.points for one in said), len(said))
    return Fraction(sum(one.points * one.weight for one in said), sum(one.weight for one in said))


def judged(said: Sequence[Said], score: Score | None, *, every_must_pass: bool) -> Verdict:
    """What the signatures come to.

    Where every party must pass (验收), one reasoned failure returns the matter for rectification,
    whatever the score; and so does a score below the threshold. Else (审查) a seat that returns the
    matter for completion returns it; it is approved with the score and more seats for than against,
    and rejected otherwise, so that a tie rejects.
    """
    counts = Counter(one.decision for one in said)
    decisions = {code: counts[code] for code in ("approve", "return", "reject")}
    points = score_of(said, score) if score else None
    enough = score is None or (points is not None and points >= score.threshold)
    if every_must_pass:
        passed = enough and counts["approve"] == len(said) > 0
        return Verdict("approved" if passed else "returned", decisions, points)
    if counts["return"]:
        return Verdict("returned", decisions, points)
    passed = enough and counts["approve"] > counts["reject"]
    return Verdict("approved" if passed else "rejected", decisions, points)


def shown(number: Fraction) -> str:
    """A number for reading: ``82.5``; what goes on is cut after two places (``82.33``).

    Cut, not rounded, so that what just fails never reads as if it passed. Compare the exact one.
    """
    exact = Decimal(number.numerator) / Decimal(number.denominator)
    cut = exact.quantize(Decimal("0.01"), rounding=ROUND_DOWN)
    text = f"{cut:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_record(number: Fraction) -> dict[str, Any]:
    """A score as a record states it: for reading, and exact where that was cut."""
    text = shown(number)
    return {"score": text} if Fraction(text) == number else {"score": text, "exact": str(number)}
