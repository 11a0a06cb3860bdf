"""Rules of law (法律规则): what a law fixes, as rule sets with source, place and time in force.

Which one applies is decided by the day and the place of the decision, so that a later law changes
later decisions and no earlier one. Procedures declare their own; ballots have `counting.RULES`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from . import terms

COUNTRY = "CN"


class InForce(Protocol):
    """What every rule set has: a code, a place, and the time from which and until it holds."""

    @property
    def code(self) -> str: ...
    @property
    def jurisdiction(self) -> str: ...
    @property
    def effective_from(self) -> dt.date: ...
    @property
    def effective_to(self) -> dt.date | None: ...


AnyRule = TypeVar("AnyRule", bound=InForce)


def choose(rules: Iterable[AnyRule], code: str, on: dt.date, place: str) -> AnyRule | None:
    """The rule set of that code in force on the day of the decision; None where there is none.

    `place` is ``CN`` or a place within (``CN-37``, ``CN-37-02``): a rule of the place itself goes
    before one of the province, and that before the law of the country; of two the later one.
    """
    found = [
        rule
        for rule in rules
        if rule.code == code
        and rule.effective_from <= on
        and (rule.effective_to is None or on < rule.effective_to)
    ]
    while place:
        here = [rule for rule in found if rule.jurisdiction == place]
        if here:
            return max(here, key=lambda rule: rule.effective_from)
        place = place.rpartition("-")[0]
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Numbers that a law fixes for one kind of decision (`values`, by name), and where they stand.

    In force from `effective_from` until the day before `effective_to`.
    """

    code: str
    title: Any
    source: Any
    effective_from: dt.date
    values: Mapping[str, int]
    effective_to: dt.date | None = None
    jurisdiction: str = COUNTRY

    @property
    def key(self) -> str:
        """This rule set as records name it: ``bidding.20000101``, of a place ``….cn_37``."""
        key = f"{self.code}.{self.effective_from:%Y%m%d}"
        if self.jurisdiction != COUNTRY:
            key += "." + self.jurisdiction.lower().replace("-", "_")
        return key

    @property
    def words(self) -> str:
        """Title, source and the day from which it holds, as people read them."""
        return _("%(title)s（%(source)s，%(day)s起施行）") % {
            "title": self.title,
            "source": self.source,
            "day": date_format(self.effective_from, "DATE_FORMAT"),
        }


_declared: dict[str, Rule] = {}


def declare(*rules: Rule) -> None:
    """Enter the rule sets of a procedure; raises ValueError where one stands already."""
    for rule in rules:
        if _declared.setdefault(rule.key, rule) != rule:
            raise ValueError(f"{rule.key} is declared twice")


def rule(code: str, at: dt.date, place: str = "") -> Rule:
    """The declared rule set in force at a day or moment, here unless a place is named.

    Raises LookupError.
    """
    on = timezone.localdate(at) if isinstance(at, dt.datetime) else at
    found = choose(_declared.values(), code, on, place or here())
    if found is None:
        raise LookupError(f"no rule {code} on {on}")
    return found


def here() -> str:
    """The place whose rules apply to this site's decisions (setting `SANWEN_JURISDICTION`)."""
    return str(settings.SANWEN_JURISDICTION)


def words() -> dict[str, Any]:
    """What people read for the keys of the declared rule sets."""
    return {key: each.words for key, each in _declared.items()}


def named(*rules: Rule) -> dict[str, list[str]]:
    """What the record of an act says of the rules that decided it."""
    return {"law": [each.key for each in rules]} if rules else {}


@dataclass(frozen=True, slots=True)
class ByLaw:
    """A term that a rule of law fixes: the one in force on the day on which it begins."""

    code: str
    value: str = "days"
    unit: type[terms.Days] | type[terms.WorkingDays] = terms.Days

    def on(self, at: dt.date) -> terms.Days | terms.WorkingDays:
        """The term as it is for what begins then."""
        return self.unit(rule(self.code, at).values[self.value])
