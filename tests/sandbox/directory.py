"""A directory of parties that tests fill by hand."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from workflows.models import Community
from workflows.parties import Contacts, Member, Party, Reach


class SandboxDirectory:
    """Everyone holds what they claim, unless their key stands in `denied`."""

    typists = ("residents_committee", "office")
    on_paper = ("household", "owner")

    denied: set[str] = set()
    groups: dict[str, list[Member]] = defaultdict(list)
    rolls: dict[str, list[Any]] = defaultdict(list)
    appointed: list[tuple[str, int]] = []
    people: list[str] = []
    holders: dict[int, set[int]] = defaultdict(set)

    @classmethod
    def reset(cls) -> None:
        """Forget everything between tests."""
        cls.denied = set()
        cls.groups = defaultdict(list)
        cls.rolls = defaultdict(list)
        cls.appointed = []
        cls.people = []
        cls.holders = defaultdict(set)

    def parties_of(self, user: Any, community: Any, at: dt.datetime) -> Sequence[Party]:
        return [Party("office", f"person:{user.pk}", user.pk)] if user.is_authenticated else []

    def parties_everywhere(self, user: Any, at: dt.datetime) -> dict[int, Sequence[Party]]:
        return {place.pk: self.parties_of(user, place, at) for place in Community.objects.all()}

    def holds(self, party: Party, community: Any, at: dt.datetime) -> bool:
        return party.key not in self.denied

    def members(self, group: str, community: Any) -> Sequence[Member]:
        return self.groups[group]

    def roll(self, electorate: str, community: Any) -> Sequence[Any]:
        return self.rolls[electorate]

    def accounts(
        self, roles: Any, community: Any, at: dt.datetime, after: int, most: int
    ) -> Sequence[int]:
        return [pk for pk in sorted(self.holders[community.pk]) if pk > after][:most]

    def reach(self, roles: Any, places: Any, at: dt.datetime) -> Reach:
        found = {pk for place in places for pk in self.holders[place]}
        return Reach(len(found), len(found))

    def names(self, keys: Iterable[str]) -> dict[str, str]:
        return {key: f"示例{key}" for key in keys}

    def appoint(self, role: str, user_id: int, community: Any, on: dt.date) -> None:
        self.appointed.append((role, user_id))

    def contacts(self, community: Any) -> Contacts:
        return Contacts("示范街道办事处", "示范路1号", "0000-0000001", "0000-0000002")

    def roll_names(self, community: Any) -> Sequence[str]:
        return self.people

    def may_oversee(self, user: Any, community: Any, at: dt.datetime) -> bool:
        return bool(getattr(user, "is_authenticated", False))

    def overseen(self, user: Any, at: dt.datetime) -> set[int]:
        places = Community.objects.all()
        return {place.pk for place in places if self.may_oversee(user, place, at)}
