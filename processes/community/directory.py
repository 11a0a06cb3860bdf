"""What the engine asks about people and places, answered from this app's rows."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from workflows.counting import RollUnit
from workflows.models import Community
from workflows.parties import Contacts, Member, Party, Reach

from .masking import mask_name
from .models import (
    Contact,
    HouseholdMember,
    Owner,
    Ownership,
    Person,
    Role,
    Stairwell,
    Unit,
    active,
    serving,
)

TYPISTS = ("residents_committee", "office")
SEES_ALL = ("office", "residents_committee", "auditor", "moderator", "admin")
RESIDENTS = ("household", "owner")
APPLICANT, APPLIED_TO = "applicant", "subdistrict"
"""Whoever has an account may apply to a sub-district, resident or not."""
ANYONE = "anyone"
"""Whoever comes, with an account (``person:7``) or without one (``drawn:`` and 128 drawn bits), or
by telephone or letter (``drawn:``, on paper)."""
DRAWN = re.compile(r"drawn:[0-9a-f]{32}")
DEEPEST = 5
"""How many communities, one within another, a role may reach through."""


def _roles(user: Any, on: dt.date) -> QuerySet[Role]:
    return (
        Role.objects.filter(serving(on), person_id=user.pk)
        .select_related("office", "committee")
        .order_by("pk")
    )


def _memberships(user: Any, on: dt.date) -> QuerySet[HouseholdMember]:
    return (
        HouseholdMember.objects.filter(active(on), person_id=user.pk)
        .select_related("household__unit__stairwell__building__estate")
        .order_by("household__unit__order", "pk")
    )


def _serving_party(role: Role) -> Party:
    key = f"person:{role.person_id}"
    return Party(role.role, key, role.person_id, role.label, seat=role.seat)


def _applicant(user: Any) -> Party:
    return Party(APPLICANT, f"person:{user.pk}", user.pk, everyone=True)


def _resident_parties(member: HouseholdMember) -> list[Party]:
    unit = member.household.unit
    roles = RESIDENTS if member.owns else RESIDENTS[:1]
    return [Party(role, f"household:{unit.pk}", member.person_id, unit.label) for role in roles]


def _upwards(community: Community) -> list[int]:
    """The community and those that it belongs to; an office serves all below it."""
    found = [community.pk]
    here = community
    while here.parent_id is not None and here.parent is not None and len(found) < DEEPEST:
        here = here.parent
        found.append(here.pk)
    return found


def _below(served: Collection[int]) -> list[tuple[int, list[int]]]:
    """Places with all that belongs to them, by code: each with those that it belongs to itself, up
    to a served one. A query for each level, however many places there are."""
    above: dict[int, list[int]] = {pk: [pk] for pk in served}
    codes: dict[int, str] = {}
    level = set(served)
    for depth in range(DEEPEST - 1):
        if not level:
            break
        here = Q(parent__in=level) if depth else Q(pk__in=level) | Q(parent__in=level)
        rows = Community.objects.filter(here).order_by()
        level = set()
        for pk, parent, code in rows.values_list("pk", "parent_id", "code"):
            codes[pk] = code
            if parent in above:
                above[pk] = [pk, *above[parent]]
                level.add(pk)
    return [(pk, above[pk]) for pk in sorted(codes, key=lambda pk: codes[pk])]


def _day(at: dt.datetime) -> dt.date:
    return timezone.localtime(at).date()


class CommunityDirectory:
    """Parties by roles with dates and by claimed households; see `workflows.parties.Directory`."""

    typists = TYPISTS
    on_paper = RESIDENTS

    def parties_of(self, user: Any, community: Community, at: dt.datetime) -> Sequence[Party]:
        """Staff roles first, then the households that the account speaks for.

        Who lives in a unit is its ``household``; who owns it is its ``owner`` as well.
        """
        if not user.is_active:
            return []
        on = _day(at)
        roles = _roles(user, on).filter(community__in=_upwards(community))
        members = _memberships(user, on).filter(
            household__unit__stairwell__building__estate__community=community
        )
        parties = [_serving_party(role) for role in roles]
        for member in members:
            parties += _resident_parties(member)
        if community.kind == APPLIED_TO:
            parties.append(_applicant(user))
        return list(dict.fromkeys(parties))

    def parties_everywhere(self, user: Any, at: dt.datetime) -> dict[int, list[Party]]:
        """By the community's primary key: where the account serves, in all below it, where it
        lives, and where everybody may apply; three queries, and one for each level of places
        below those where it serves."""
        if not user.is_active:
            return {}
        on = _day(at)
        roles, members = list(_roles(user, on)), list(_memberships(user, on))
        found: dict[int, list[Party]] = {}
        for pk, above in _below({role.community_id for role in roles}):
            found[pk] = [_serving_party(role) for role in roles if role.community_id in above]
        for member in members:
            here = member.household.unit.stairwell.building.estate.community_id
            found.setdefault(here, []).extend(_resident_parties(member))
        applicant = _applicant(user)
        for pk in Community.objects.filter(kind=APPLIED_TO).values_list("pk", flat=True):
            found.setdefault(pk, []).append(applicant)
        return {pk: list(dict.fromkeys(parties)) for pk, parties in found.items()}

    def holds(self, party: Party, community: Community, at: dt.datetime) -> bool:
        """Whether role, key and account are true together, here and now."""
        on = _day(at)

        def serves(**role: Any) -> bool:
            return Role.objects.filter(
                serving(on),
                person_id=party.user_id or 0,
                person__is_active=True,
                community__in=_upwards(community),
                **role,
            ).exists()

        kind, _sep, number = party.key.partition(":")
        if party.role == APPLICANT:
            return (
                party.via == "online"
                and community.kind == APPLIED_TO
                and party.key == f"person:{party.user_id}"
                and Person.objects.filter(pk=party.user_id or 0, is_active=True).exists()
            )
        if party.role == ANYONE:
            return _anyone(party) or (
                party.via == "paper"
                and DRAWN.fullmatch(party.key) is not None
                and serves(role__in=TYPISTS)
            )
        if party.role not in RESIDENTS:
            return (
                party.via in ("online", "sheet")
                and party.key == f"person:{party.user_id}"
                and serves(role=party.role, seat=party.seat)
            )
        if kind != "household" or not number.isdecimal():
            return False
        here = {"stairwell__building__estate__community": community}
        if party.via == "code":  # the one door asks for the form with the code
            return Unit.objects.filter(pk=int(number), developer_unsold=False, **here).exists()
        if party.via == "paper":
            exists = Unit.objects.filter(pk=int(number), **here).exists()
            return exists and serves(role__in=TYPISTS)
        members = HouseholdMember.objects.filter(
            active(on),
            person_id=party.user_id or 0,
            person__is_active=True,
            household__unit_id=int(number),
            household__unit__stairwell__building__estate__community=community,
        )
        if party.role == "owner":
            members = members.filter(owns=True)
        return members.exists()

    def members(self, group: str, community: Community) -> Sequence[Member]:
        """In walking order: ``households``, ``stairwells``, or ``units`` (households, and what
        the developer has not sold or handed over)."""
        if group == "stairwells":
            wells = Stairwell.objects.filter(building__estate__community=community)
            return [
                Member(f"stairwell:{well.pk}", str(well), str(well))
                for well in wells.select_related("building")
            ]
        if group in ("households", "units"):
            units = _units(community)
            if group == "households":
                units = units.exclude(developer_unsold=True)
            return [
                Member(f"household:{unit.pk}", unit.label, unit.public_label, unit.area)
                for unit in units
            ]
        return []

    def roll(self, electorate: str, community: Community) -> Sequence[RollUnit]:
        """The units of an estate with their owners: only the electorate ``owners`` is known here.

        A unit's vote is given by its household's accounts that own it, or on its paper form; so is
        that of the developer's units, which have no account.
        """
        if electorate != "owners":
            return []
        ownerships = Ownership.objects.select_related("owner").order_by("pk")
        units = _units(community).prefetch_related(Prefetch("ownerships", queryset=ownerships))
        return [_roll_unit(unit) for unit in units]

    def accounts(
        self, roles: Collection[str], community: Community, at: dt.datetime, after: int, most: int
    ) -> list[int]:
        """Residents by their households, others by the roles that they serve in; one query."""
        on = _day(at)
        served = Role.objects.filter(
            serving(on), community__in=_upwards(community), role__in=set(roles) - set(RESIDENTS)
        )
        rows = served.filter(person_id__gt=after, person__is_active=True)
        found: Any = rows.order_by().values_list("person_id", flat=True).distinct()
        if set(roles) & set(RESIDENTS):
            members = HouseholdMember.objects.filter(
                active(on),
                person_id__gt=after,
                person__is_active=True,
                household__unit__stairwell__building__estate__community=community,
            )
            if "household" not in roles:
                members = members.filter(owns=True)
            # A union holds each account once.
            found = found.union(members.order_by().values_list("person_id", flat=True))
        return list(found.order_by("person_id")[:most])

    def reach(self, roles: Collection[str], places: Collection[int], at: dt.datetime) -> Reach:
        """Households of the roll, of `owner` those that somebody owns; and who serves there."""
        on = _day(at)
        here = "unit__stairwell__building__estate__community__in"
        households = with_account = 0
        if set(roles) & set(RESIDENTS):
            homes = Unit.objects.filter(
                stairwell__building__estate__community__in=places, developer_unsold=False
            )
            members = HouseholdMember.objects.filter(
                active(on), person__is_active=True, **{f"household__{here}": places}
            )
            if "household" not in roles:
                homes, members = homes.filter(ownerships__isnull=False), members.filter(owns=True)
            households = homes.order_by().values("pk").distinct().count()
            with_account = members.order_by().values("household__unit").distinct().count()
        served = Role.objects.filter(
            serving(on),
            community__in=places,
            role__in=set(roles) - set(RESIDENTS),
            person__is_active=True,
        )
        return Reach(
            households, with_account, served.order_by().values("person").distinct().count()
        )

    def names(self, keys: Iterable[str]) -> dict[str, str]:
        """Names of households' owners, as on the roll, and of who speaks for them; of staff.

        Several names of one key are joined by 、.
        """
        wanted: dict[str, set[int]] = {"household": set(), "person": set()}
        for key in keys:
            kind, _sep, number = key.partition(":")
            if kind in wanted and number.isdecimal():
                wanted[kind].add(int(number))
        several: dict[str, dict[str, None]] = {}
        units = wanted["household"]
        owners = Ownership.objects.filter(unit_id__in=units).order_by("pk")
        speakers = HouseholdMember.objects.filter(household__unit_id__in=units).order_by("pk")
        for unit, name in [
            *owners.values_list("unit_id", "owner__name"),
            *speakers.values_list("household__unit_id", "person__display_name"),
        ]:
            if name:
                several.setdefault(f"household:{unit}", {})[name] = None
        for person in Person.objects.filter(pk__in=wanted["person"]):
            several[f"person:{person.pk}"] = {str(person): None}
        return {key: "、".join(names) for key, names in several.items()}

    def appoint(self, role: str, user_id: int, community: Community, on: dt.date) -> None:
        """A role of its own row, unless one is held that day."""
        held = Role.objects.filter(active(on), person_id=user_id, community=community, role=role)
        if not held.exists():
            Role.objects.create(person_id=user_id, community=community, role=role, since=on)

    def contacts(self, community: Community) -> Contacts:
        """Those of the community, and where it leaves one out, of what it belongs to."""
        rows = {
            row.community_id: row
            for row in Contact.objects.filter(
                community__in=[pk for pk in (community.pk, community.parent_id) if pk is not None]
            )
        }
        found = [rows[pk] for pk in (community.pk, community.parent_id) if pk in rows]
        said = {
            name: next((value for row in found if (value := getattr(row, name))), "")
            for name in ("office", "address", "telephone", "supervision")
        }
        said["supervision"] = said["supervision"] or settings.SANWEN_SUPERVISION_CONTACT
        return Contacts(**said)

    def roll_names(self, community: Community) -> Sequence[str]:
        """Owners of the estate, and the accounts that speak for its households; one query."""
        owners = Owner.objects.filter(estate__community=community).values_list("name")
        speakers = HouseholdMember.objects.filter(
            household__unit__stairwell__building__estate__community=community
        ).values_list("person__display_name")
        return [name for (name,) in owners.union(speakers) if name]

    def may_oversee(self, user: Any, community: Community, at: dt.datetime) -> bool:
        """Office, committee, auditors and moderators of the community."""
        return (
            user.is_active
            and Role.objects.filter(
                serving(_day(at)),
                person_id=user.pk,
                community__in=_upwards(community),
                role__in=SEES_ALL,
            ).exists()
        )

    def overseen(self, user: Any, at: dt.datetime) -> set[int]:
        """All communities where that is so; three queries."""
        everywhere = self.parties_everywhere(user, at)
        return {
            pk
            for pk, parties in everywhere.items()
            if any(party.role in SEES_ALL for party in parties)
        }


def _anyone(party: Party) -> bool:
    """Whether somebody is who they are: an account by its own key, else a key that was drawn. Which
    cases are theirs the one door asks of the case."""
    if party.via != "online":
        return False
    if party.user_id is None:
        return DRAWN.fullmatch(party.key) is not None
    active_account = Person.objects.filter(pk=party.user_id or 0, is_active=True)
    return party.key == f"person:{party.user_id}" and active_account.exists()


def _units(community: Community) -> Any:
    return (
        Unit.objects.filter(stairwell__building__estate__community=community)
        .select_related("stairwell__building")
        .order_by("order", "pk")
    )


def _roll_unit(unit: Unit) -> RollUnit:
    owners: list[Owner] = [ownership.owner for ownership in unit.ownerships.all()]
    return RollUnit(
        key=f"unit:{unit.pk}",
        label=unit.label,
        public_label=unit.public_label,
        area=unit.area,
        owners=tuple(f"owner:{owner.pk}" for owner in owners),
        owner_labels=tuple(owner.name for owner in owners),
        public_owner_labels=tuple(mask_name(owner.name) for owner in owners),
        developer_unsold=unit.developer_unsold,
        area_source=unit.title_source,
        may_vote_via=(f"household:{unit.pk}",),
    )
