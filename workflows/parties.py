"""Parties: who acts on a case, and in which capacity (参与方).

The engine does not know estates, households or offices. What it needs to know of people it asks
a `Directory`, which the deployment names in ``settings.SANWEN_DIRECTORY``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from .counting import RollUnit
    from .models import Community
    from .steps.act import Words

_titles: dict[str, Words] = {}
_own: set[str] = set()
_seats: dict[tuple[str, str], Words] = {}


def name_roles(titles: Mapping[str, Words], *, own: bool = False) -> None:
    """Say what people read for roles, by code; whoever brings a role along names it, once.

    `own`: in these people act for themselves, so that their words and files are theirs and go when
    they ask for it; nobody is appointed to one. Raises TypeError where a role has a name already.
    """
    named = _titles.keys() & titles.keys()
    if named:
        raise TypeError(f"named twice: {sorted(named)}")
    _titles.update(titles)
    if own:
        _own.update(titles)


def name_seats(role: str, titles: Mapping[str, Words]) -> None:
    """Say what people read for the seats of a role, by code (the units that handle a matter)."""
    _seats.update({(role, seat): title for seat, title in titles.items()})


def holder_title(holder: str) -> Words:
    """What people read for who holds a step: a role, or a seat of it (``handler:housing``)."""
    role, _colon, seat = holder.partition(":")
    return _seats.get((role, seat)) or role_title(role)


def seats_of(role: str) -> list[str]:
    """The seats of a role that have a name."""
    return [seat for known, seat in _seats if known == role]


def role_titles() -> dict[str, Words]:
    """What people read for every role that has a name."""
    return dict(_titles)


def role_title(role: str) -> Words:
    """What people read for a role; its code where nobody has named it."""
    return _titles.get(role, role)


def own_roles() -> frozenset[str]:
    """The roles in which people act for themselves."""
    return frozenset(_own)


def appointed_roles() -> list[tuple[str, Words]]:
    """The roles that somebody is given: all but the clock's and those that are people's own."""
    return [(code, title) for code, title in _titles.items() if code not in {"clock", *_own}]


# What the engine itself asks for, whatever is declared: who opens by default, audits, protects.
name_roles(
    {
        "clock": _("系统计时"),
        "office": _("街道办事处"),
        "auditor": _("审计监督"),
        "moderator": _("信息审核"),
        "admin": _("系统管理"),
    }
)


@dataclass(frozen=True, slots=True)
class Party:
    """Someone in one capacity.

    `role` is a code that steps name (``household``, ``owner``, ``office``…);
    `key` identifies the one who acts within the role, for ever and without meaning to outsiders
    (``household:12``, ``person:7``); `user_id` is the account that acts, which for a paper form is
    the officer who types it in. The `key` never enters a public record: see `pseudonym`.
    """

    role: str
    key: str
    user_id: int | None = None
    label: str = ""
    via: str = "online"
    """``online``, or ``paper`` when an officer of the community types in a signed form: then `role`
    and `key` are the household's or owner's, and `user_id` the officer's, whose right to type in
    paper forms for this community (residents' committee or office) `Directory.holds` checks; or
    ``sheet`` when whoever put up a printed notice sends its photo by the code on it: then all else
    is that of the officer who had it printed; or ``code`` when a household answers by the code on
    its form, without an account: the one door then asks for the form (`doors.take`)."""
    everyone: bool = False
    """Held by whoever has an account, wherever they live: it says of nobody that they belong."""
    seat: str = ""
    """The seat that the role is held for, where a role has several (a reviewer's ``housing``)."""

    @classmethod
    def clock(cls) -> Party:
        """The clock: it alone may do what a term that ran out does."""
        return cls(role="clock", key="clock")


@dataclass(frozen=True, slots=True)
class Member:
    """One of a group that a step counts or visits: a household, a voter, a stairwell.

    `label` is for those who may see it (staff of the estate); `public_label` is masked.
    """

    key: str
    label: str
    public_label: str
    area: int = 0  # hundredths of a square metre


@dataclass(frozen=True, slots=True)
class Contacts:
    """Whom notices name: who signs them (落款), where and by which telephone objections are taken,
    and whom one may turn to above them (监督电话). Empty where nothing is on file."""

    office: str = ""
    address: str = ""
    telephone: str = ""
    supervision: str = ""

    def signer(self, community: Community, roles: Sequence[str]) -> str:
        """In whose name a notice stands, and who takes objections: the office on file, else the
        place and the first of the roles."""
        place, words = community.name, str(role_title(roles[0])) if roles else ""
        # 示范街道 and 街道办事处 say 街道 once.
        shared = next((n for n in range(len(words), 0, -1) if place.endswith(words[:n])), 0)
        return self.office or f"{place}{words[shared:]}"


@dataclass(frozen=True, slots=True)
class Reach:
    """How many hold some roles: households, those of them that have an account, and accounts of
    people who serve. Numbers alone; nobody can be told from them."""

    households: int = 0
    with_account: int = 0
    serving: int = 0


class Directory(Protocol):
    """What the engine asks about people and places. One implementation per deployment."""

    typists: Sequence[str]
    """The roles that may type in what others have signed on paper."""
    on_paper: Sequence[str]
    """The roles that may hand in a signed form instead; where an act admits several, the first of
    them is meant."""

    def parties_of(self, user: Any, community: Community, at: dt.datetime) -> Sequence[Party]:
        """Every capacity in which `user` may act in `community` at that moment."""
        ...

    def parties_everywhere(self, user: Any, at: dt.datetime) -> Mapping[int, Sequence[Party]]:
        """The same for every community where the account has any, by the community's primary key;
        a constant number of queries."""
        ...

    def holds(self, party: Party, community: Community, at: dt.datetime) -> bool:
        """Whether `party` (role, key and account together) is true in `community` now.

        The one door asks this at every act, so that a role that ended yesterday is no role.
        """
        ...

    def members(self, group: str, community: Community) -> Sequence[Member]:
        """The members of a group: ``households``, ``stairwells``; in walking order."""
        ...

    def roll(self, electorate: str, community: Community) -> Sequence[RollUnit]:
        """The units from which a ballot's roll is frozen (``owners``, ``members``…)."""
        ...

    def accounts(
        self, roles: Collection[str], community: Community, at: dt.datetime, after: int, most: int
    ) -> Sequence[int]:
        """Whose accounts hold one of the roles in `community`, by primary key: the first `most`
        beyond `after`, in order. For news that look for the people whom they concern."""
        ...

    def reach(self, roles: Collection[str], places: Collection[int], at: dt.datetime) -> Reach:
        """How many hold one of the roles in these communities, by primary key; a constant number of
        queries."""
        ...

    def names(self, keys: Iterable[str]) -> dict[str, str]:
        """Clear names by key, for pages of those who may see them."""
        ...

    def appoint(self, role: str, user_id: int, community: Community, on: dt.date) -> None:
        """Give an account a role in `community` from that day on, unless it has it."""
        ...

    def contacts(self, community: Community) -> Contacts:
        """What notices of this community say of whom to turn to; at most two queries."""
        ...

    def roll_names(self, community: Community) -> Sequence[str]:
        """The names of all who own or live here, in clear: what no public text may hold."""
        ...

    def may_oversee(self, user: Any, community: Community, at: dt.datetime) -> bool:
        """Whether `user` may see what is not public of the cases of this community."""
        ...

    def overseen(self, user: Any, at: dt.datetime) -> Collection[int]:
        """The communities, by primary key, of which `may_oversee` is true; a constant number of
        queries."""
        ...


@cache
def directory() -> Directory:
    """The directory of this deployment."""
    return import_string(settings.SANWEN_DIRECTORY)()
