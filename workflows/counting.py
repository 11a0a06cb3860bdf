"""Counting ballots (计票): who has how much weight, which rule of law applies, what came of it.

Pure functions on integers and fractions. Areas are in hundredths of a square metre, never floats.
以上 includes the number, 过半数 does not (民法典, article 1259): `AtLeast` and `MoreThan`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from django.utils.translation import gettext_lazy as _

from . import law

Choice: TypeAlias = Literal["for", "against", "abstain"]
CHOICES: tuple[Choice, ...] = ("for", "against", "abstain")


class CountingError(ValueError):
    """What was given cannot be counted; says which entry."""


# --- the roll ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RollUnit:
    """One exclusive unit (or, for other electorates, one member) as the directory knows it.

    `area` in hundredths of a square metre, from `area_source`: the register, else the survey, else
    the contract (interpretation on strata ownership, article 8). `owners` are keys of owners;
    `may_vote_via` the keys of parties that may give the unit's vote.
    """

    key: str
    label: str
    public_label: str
    area: int = 0
    owners: tuple[str, ...] = ()
    owner_labels: tuple[str, ...] = ()
    public_owner_labels: tuple[str, ...] = ()
    developer_unsold: bool = False
    area_source: str = "register"
    may_vote_via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RollEntry:
    """One head on a roll: its units, their area together, and who may give its vote."""

    key: str
    area: int
    units: tuple[str, ...]
    label: str
    public_label: str
    may_vote_via: tuple[str, ...]
    heads: int = 1


DEVELOPER = "developer"
LONGEST_KEY = 200
"""Signs in the key of a head; the many co-owners of one unit are then named by their digest."""


FAULTS = {"twice": "stands twice", "no_area": "has no area", "no_owner": "has no owner"}


def roll_faults(electorate: str, units: Iterable[RollUnit]) -> list[tuple[RollUnit, str]]:
    """The units that keep a roll from being frozen, each with the first code of `FAULTS` that
    holds of it. Areas and owners matter to owners alone."""
    found: list[tuple[RollUnit, str]] = []
    seen: set[str] = set()
    for unit in units:
        if unit.key in seen:
            found.append((unit, "twice"))
        elif electorate == "owners" and unit.area <= 0:
            found.append((unit, "no_area"))
        elif electorate == "owners" and not unit.developer_unsold and not unit.owners:
            found.append((unit, "no_owner"))
        seen.add(unit.key)
    return found


def freeze_roll(electorate: str, units: Iterable[RollUnit]) -> list[RollEntry]:
    """The roll of an electorate, in the order of the units.

    Owners (interpretation on strata ownership, articles 8 and 9): one unit one head; an owner of
    several units one head in all, the areas added; what the developer has not sold or not handed
    over one head together. Co-owners of a unit have one vote between them; the same co-owners of
    several units are one head, other sets of owners another, since they are another owner.
    Others: one member one head, no area. Raises `CountingError`.
    """
    units = list(units)
    for unit, code in roll_faults(electorate, units):
        raise CountingError(f"{unit.key} {FAULTS[code]}")
    groups: dict[tuple[str, ...], list[RollUnit]] = {}
    for unit in units:
        if electorate != "owners":
            head: tuple[str, ...] = (unit.key,)
        elif unit.developer_unsold:
            head = (DEVELOPER,)
        else:
            head = tuple(sorted(set(unit.owners)))
        groups.setdefault(head, []).append(unit)
    return [_entry(head, members) for head, members in groups.items()]


def _entry(head: tuple[str, ...], units: list[RollUnit]) -> RollEntry:
    def joined(parts: Iterable[str]) -> str:
        return "、".join(dict.fromkeys(parts))

    ways = tuple(dict.fromkeys(way for unit in units for way in unit.may_vote_via))
    key = "+".join(head)
    if len(key) > LONGEST_KEY:
        key = "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    return RollEntry(
        key=key,
        area=sum(unit.area for unit in units),
        units=tuple(unit.key for unit in units),
        label=joined(unit.label for unit in units),
        public_label=joined(unit.public_label for unit in units),
        may_vote_via=ways,
    )


# --- majorities --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AtLeast:
    """以上: the share or more."""

    share: Fraction

    def met(self, part: int, whole: int) -> bool:
        """Whether `part` of `whole` is enough; of nothing nothing is."""
        return whole > 0 and part * self.share.denominator >= whole * self.share.numerator


@dataclass(frozen=True, slots=True)
class MoreThan:
    """过 (过半数): more than the share."""

    share: Fraction

    def met(self, part: int, whole: int) -> bool:
        """Whether `part` of `whole` is enough; of nothing nothing is."""
        return whole > 0 and part * self.share.denominator > whole * self.share.numerator


Majority: TypeAlias = AtLeast | MoreThan


def smallest_meeting(majority: Majority, whole: int) -> int:
    """The smallest whole number that meets `majority` of `whole`."""
    numerator, denominator = majority.share.numerator, majority.share.denominator
    if isinstance(majority, AtLeast):
        return -(-whole * numerator // denominator)
    return whole * numerator // denominator + 1


# --- rules of law ------------------------------------------------------------------------------

TWO_THIRDS, HALF, THREE_QUARTERS = Fraction(2, 3), Fraction(1, 2), Fraction(3, 4)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A rule of law for one kind of decision: quorum, majority, base, and where it comes from.

    `by_area`: areas count beside heads. `base`: ``present`` (of those taking part) or ``all``.
    In force from `effective_from` until the day before `effective_to`.
    """

    code: str
    title: Any
    electorate: str
    quorum: Majority | None
    carries: Majority
    source: Any
    effective_from: dt.date
    effective_to: dt.date | None = None
    by_area: bool = False
    base: Literal["present", "all"] = "present"
    jurisdiction: str = law.COUNTRY


RULES: tuple[RuleSet, ...] = (
    RuleSet(
        "owners_ordinary",
        _("业主共同决定（一般事项）"),
        "owners",
        AtLeast(TWO_THIRDS),
        MoreThan(HALF),
        _("《民法典》第二百七十八条"),
        dt.date(2021, 1, 1),
        by_area=True,
    ),
    RuleSet(
        "owners_special",
        _("业主共同决定（特别事项）"),
        "owners",
        AtLeast(TWO_THIRDS),
        AtLeast(THREE_QUARTERS),
        _("《民法典》第二百七十八条"),
        dt.date(2021, 1, 1),
        by_area=True,
    ),
    RuleSet(
        "villagers",
        _("村民会议"),
        "villagers",
        MoreThan(HALF),
        MoreThan(HALF),
        _("《村民委员会组织法》第二十二条"),
        dt.date(2010, 10, 28),
    ),
    RuleSet(
        "villagers_by_household",
        _("村民会议（户代表）"),
        "village_households",
        AtLeast(TWO_THIRDS),
        MoreThan(HALF),
        _("《村民委员会组织法》第二十二条"),
        dt.date(2010, 10, 28),
    ),
    RuleSet(
        "village_representatives",
        _("村民代表会议"),
        "representatives",
        AtLeast(TWO_THIRDS),
        MoreThan(HALF),
        _("《村民委员会组织法》第二十六条"),
        dt.date(2010, 10, 28),
    ),
    RuleSet(
        "land_contract",
        _("土地承包事项"),
        "members",
        None,
        AtLeast(TWO_THIRDS),
        _("《农村土地承包法》第十九条"),
        dt.date(2003, 3, 1),
        dt.date(2025, 5, 1),
        base="all",
    ),
    RuleSet(
        "land_contract_representatives",
        _("土地承包事项（村民代表）"),
        "representatives",
        None,
        AtLeast(TWO_THIRDS),
        _("《农村土地承包法》第十九条"),
        dt.date(2003, 3, 1),
        dt.date(2025, 5, 1),  # since then not for delegates: 农村集体经济组织法, articles 26 and 28
        base="all",
    ),
    RuleSet(
        "land_contract",
        _("土地承包事项"),
        "members",
        AtLeast(TWO_THIRDS),
        AtLeast(TWO_THIRDS),
        _("《农村集体经济组织法》第二十七条"),
        dt.date(2025, 5, 1),
        base="all",
    ),
    RuleSet(
        "members",
        _("成员大会"),
        "members",
        AtLeast(TWO_THIRDS),
        AtLeast(TWO_THIRDS),
        _("《农村集体经济组织法》第二十七条"),
        dt.date(2025, 5, 1),
        base="all",
    ),
    RuleSet(
        "delegates",
        _("成员代表大会"),
        "delegates",
        AtLeast(TWO_THIRDS),
        AtLeast(TWO_THIRDS),
        _("《农村集体经济组织法》第二十八条"),
        dt.date(2025, 5, 1),
        base="all",
    ),
)

SPECIAL_MATTERS: dict[str, Any] = {
    "raise_fund": _("筹集建筑物及其附属设施的维修资金"),
    "rebuild": _("改建、重建建筑物及其附属设施"),
    "change_use": _("改变共有部分的用途或者利用共有部分从事经营活动"),
}
"""What owners decide by three quarters: Civil Code 278, first paragraph, items 6 to 8."""


def rule_for(
    code: str, on: dt.date, jurisdiction: str = law.COUNTRY, rules: Sequence[RuleSet] = RULES
) -> RuleSet:
    """The rule set in force on the day and at the place of the decision (`law.choose`).

    Raises `CountingError`.
    """
    found = law.choose(rules, code, on, jurisdiction)
    if found is None:
        raise CountingError(f"no rule {code} on {on}")
    return found


def electorates_of(code: str) -> set[str]:
    """Whom the rule sets of a code are for; empty where there is no such code."""
    return {rule.electorate for rule in RULES if rule.code == code}


# --- the tally ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a tally: `part` of `whole`, and the `needed` number where one is asked for."""

    code: str
    unit: Literal["heads", "area"]
    part: int
    whole: int
    majority: Majority | None = None

    @property
    def needed(self) -> int | None:
        """The smallest part that is enough."""
        return smallest_meeting(self.majority, self.whole) if self.majority else None

    @property
    def met(self) -> bool | None:
        """Whether the part is enough."""
        return self.majority.met(self.part, self.whole) if self.majority else None


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of one question: weights by choice, the lines of the rule, the outcome."""

    rule: RuleSet
    heads: Mapping[str, int]
    area: Mapping[str, int]
    total_heads: int
    total_area: int
    reached: tuple[Line, ...] = field(default=())

    def lines(self) -> list[Line]:
        """The lines to follow, quorum first."""
        return list(self.reached)

    @property
    def outcome(self) -> Literal["carried", "lost", "no_quorum"]:
        """``no_quorum`` before anything else; else whether every majority is met."""
        if any(line.code == "quorum" and not line.met for line in self.reached):
            return "no_quorum"
        return "carried" if all(line.met for line in self.reached) else "lost"


def count(roll: Sequence[RollEntry], votes: Mapping[str, Choice], rule: RuleSet) -> Tally:
    """Count one question. `votes` holds the choice of each roll entry that voted, by key.

    Abstaining is taking part; a spoilt or missing paper is not. Raises `CountingError` for a vote
    of somebody who is not on the roll, or a choice that is none.
    """
    weights = {entry.key: entry for entry in roll}
    heads: dict[str, int] = dict.fromkeys(CHOICES, 0)
    area: dict[str, int] = dict.fromkeys(CHOICES, 0)
    for key, choice in votes.items():
        if key not in weights:
            raise CountingError(f"{key} is not on the roll")
        if choice not in heads:
            raise CountingError(f"{choice!r} is no choice")
        heads[choice] += weights[key].heads
        area[choice] += weights[key].area
    total_heads = sum(entry.heads for entry in roll)
    total_area = sum(entry.area for entry in roll)
    lines = []
    measures: list[tuple[Literal["heads", "area"], dict[str, int], int]] = []
    if rule.by_area:
        measures.append(("area", area, total_area))
    measures.append(("heads", heads, total_heads))
    if rule.quorum is not None:
        for unit, found, total in measures:
            lines.append(Line("quorum", unit, sum(found.values()), total, rule.quorum))
    for unit, found, total in measures:
        whole = total if rule.base == "all" else sum(found.values())
        lines.append(Line("for", unit, found["for"], whole, rule.carries))
    return Tally(rule, heads, area, total_heads, total_area, tuple(lines))


# --- which vote counts -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cast:
    """One vote as it came in. `channel`: ``online``, ``paper`` or ``proxy``; `withdrawn_at` when a
    paper vote was withdrawn in writing by its owner."""

    entry: str
    choice: Choice
    at: dt.datetime
    channel: str = "online"
    withdrawn_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Effective:
    """The vote that counts for each roll entry, and each other one with the reason it does not."""

    counting: dict[str, Cast]
    superseded: list[tuple[Cast, str]]


def effective_votes(casts: Iterable[Cast], closes_at: dt.datetime) -> Effective:
    """Which votes count: the last one before closing; a paper vote stands unless withdrawn.

    Reasons: ``late``, ``withdrawn``, ``paper_stands``, ``replaced``.
    """
    counting: dict[str, Cast] = {}
    superseded: list[tuple[Cast, str]] = []
    for cast in sorted(casts, key=lambda each: each.at):
        before = counting.get(cast.entry)
        if cast.at >= closes_at:
            superseded.append((cast, "late"))
            continue
        if before is not None and before.withdrawn_at and before.withdrawn_at <= cast.at:
            superseded.append((before, "withdrawn"))
            before = None
            del counting[cast.entry]
        if before is not None and before.channel == "paper":
            superseded.append((cast, "paper_stands"))
            continue
        if before is not None:
            superseded.append((before, "replaced"))
        counting[cast.entry] = cast
    for key, cast in list(counting.items()):
        if cast.withdrawn_at and cast.withdrawn_at < closes_at:
            superseded.append((cast, "withdrawn"))
            del counting[key]
    return Effective(counting, superseded)


def area_words(hundredths: int) -> str:
    """An area in square metres, exact: 6678397 → ``66,783.97``."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole:,}.{rest:02d}"
