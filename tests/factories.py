"""People and places for tests, by plain functions. Nobody in them exists; passwords are `PASSWORD`.

They write rows as the roll import and the claim would; what those do is tested where they stand.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence

from processes.community.models import (
    Building,
    Estate,
    Household,
    HouseholdMember,
    Owner,
    Ownership,
    Person,
    Role,
    Stairwell,
    Unit,
)
from workflows.models import Community

SINCE = dt.date(2020, 1, 1)
PASSWORD = "示范密码一二三四五六"

_numbers = itertools.count(1)


def make_street(code: str = "street", name: str = "示范街道") -> Community:
    """A sub-district."""
    return Community.objects.create(code=code, name=name, kind="subdistrict")


def make_estate(
    code: str = "estate",
    *,
    blocks: int = 1,
    stairwells: int = 1,
    units: int = 2,
    area: int = 5000,
    parent: Community | None = None,
) -> Estate:
    """An estate of `blocks` buildings, each of `stairwells` stairwells of `units` units.

    Each unit has `area` hundredths of a square metre, an owner of its own and a household.
    `make_estate("x", blocks=0)` is empty.
    """
    community = Community.objects.create(
        code=code, name=f"示范小区{code}", kind="estate", parent=parent
    )
    estate = Estate.objects.create(community=community)
    for block in range(1, blocks + 1):
        building = Building.objects.create(estate=estate, number=str(block), order=block)
        for well in range(1, stairwells + 1):
            stairwell = Stairwell.objects.create(building=building, number=str(well), order=well)
            for number in range(units):
                make_unit(stairwell, f"{number // 2 + 1}0{number % 2 + 1}", area=area)
    return estate


def make_unit(
    stairwell: Stairwell,
    room: str,
    *,
    area: int = 5000,
    owners: Sequence[Owner | str] | None = None,
    source: str = "register",
    unsold: bool = False,
) -> Unit:
    """A unit and its household; names of `owners` make new ones, None an owner of its own."""
    unit = Unit.objects.create(
        stairwell=stairwell,
        room=room,
        area=area,
        title_source=source,
        developer_unsold=unsold,
        order=next(_numbers),
    )
    if owners is None:
        owners = [] if unsold else [f"王示{next(_numbers)}"]
    for owner in owners:
        if isinstance(owner, str):
            owner = Owner.objects.create(estate=stairwell.building.estate, name=owner)
        Ownership.objects.create(unit=unit, owner=owner)
    if not unsold:
        Household.objects.create(unit=unit)
    return unit


def make_person(
    username: str = "",
    *roles: str,
    community: Community | None = None,
    since: dt.date = SINCE,
    until: dt.date | None = None,
    name: str = "",
) -> Person:
    """An account with `roles` in `community`; ``"reviewer:housing"`` is a role with its seat."""
    person = Person.objects.create_user(
        username or f"person{next(_numbers)}", password=PASSWORD, display_name=name
    )
    for text in roles:
        assert community is not None, "a role is held somewhere"
        role, _sep, seat = text.partition(":")
        Role.objects.create(
            person=person, community=community, role=role, seat=seat, since=since, until=until
        )
    return person


def units_of(estate: Estate) -> list[Unit]:
    """The units of an estate in walking order."""
    units = Unit.objects.filter(stairwell__building__estate=estate)
    return list(units.select_related("stairwell__building", "household").order_by("order", "pk"))


def make_member(
    unit: Unit,
    person: Person | None = None,
    *,
    owns: bool = True,
    since: dt.date = SINCE,
    until: dt.date | None = None,
) -> HouseholdMember:
    """An account (a new one unless given) that has claimed a unit's household."""
    return HouseholdMember.objects.create(
        household=unit.household,
        person=person or make_person(),
        owns=owns,
        since=since,
        until=until,
    )


def make_members(units: Iterable[Unit]) -> list[Person]:
    """An account for each unit, each its owner's."""
    return [make_member(unit).person for unit in units]
