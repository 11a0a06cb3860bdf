"""The ground of a generated city: sub-districts with their staff, estates alike, residents.

All estates have the roll of the pattern's estate, so that a household of the pattern has one
like it everywhere; nobody in it exists.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Model

from workflows.models import Community

from .. import generator
from ..models import (
    Building,
    Contact,
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
from . import store
from .copies import Place
from .patterns import Blanks, Line, plain

CODE = "sample-"
"""How the codes of generated places begin, and the user names of who lives and serves there."""
ESTATES_A_STREET = 50
LIVES = (Estate, Building, Stairwell, Unit, Household, Owner, Ownership)
_KINDS: dict[str, type[Model]] = {
    "household": Unit,  # a household's key is that of its unit
    "unit": Unit,
    "owner": Owner,
    "stairwell": Stairwell,
    "building": Building,
}


def _inside(model: type[Model]) -> str:
    """How the rows of a model lead to the community of their estate."""
    return {
        Estate: "community",
        Building: "estate__community",
        Stairwell: "building__estate__community",
        Unit: "stairwell__building__estate__community",
        Household: "unit__stairwell__building__estate__community",
        Owner: "estate__community",
        Ownership: "owner__estate__community",
    }[model]


def _keys(model: type[Model], place: Community) -> list[int]:
    found = model._default_manager.filter(**{_inside(model): place})
    return list(found.order_by("pk").values_list("pk", flat=True))


def layout(place: Community) -> list[tuple[Any, ...]]:
    """The homes of an estate as they stand: estates with the same are alike."""
    units = Unit.objects.filter(stairwell__building__estate__community=place)
    names = ("stairwell__building__number", "stairwell__number", "room")
    return list(units.order_by("pk").values_list(*names))


class Homes:
    """The rows of one estate as lines with blanks."""

    def __init__(self, place: Community) -> None:
        self.blanks = Blanks()
        self.keys = {model: _keys(model, place) for model in LIVES}
        order: dict[type[Model], dict[int, int]]
        order = {model: {pk: n for n, pk in enumerate(keys)} for model, keys in self.keys.items()}
        self.rows: dict[type[Model], list[Line]] = {}
        for model in LIVES:
            self.rows[model] = []
            for row in model._default_manager.filter(pk__in=self.keys[model]).order_by("pk"):
                parts: list[Any] = []
                for n, column in enumerate(model._meta.concrete_fields):
                    value = getattr(row, column.attname)
                    related = model if column.primary_key else column.related_model
                    parts.append("\t" if n else "")
                    if related in order:
                        parts.append(("pk", related, order[related][value]))
                    elif related is Community:
                        parts.append(("community",))
                    else:
                        parts.append(plain(column, value))
                self.rows[model].append(self.blanks.line(parts))
        self.order = order

    @property
    def households(self) -> int:
        """How many there are."""
        return len(self.keys[Household])

    def lines(self, first: dict[type[Model], int], community: int) -> Iterator[tuple[Any, Any]]:
        """The rows of another estate like it."""
        values = [
            str(first[blank[1]] + blank[2]) if blank[0] == "pk" else str(community)  # type: ignore[index,operator]
            for blank in self.blanks.numbers
        ]
        for model, lines in self.rows.items():
            yield model, [line.fill(values) for line in lines]


@dataclass(frozen=True, slots=True)
class Street:
    """A sub-district: its community and its staff, by the account of the demo's."""

    community: int
    name: str
    staff: dict[int, int]


@dataclass(frozen=True, slots=True)
class Home:
    """An estate: its community, the first keys of its rows, its accounts."""

    street: Street
    community: int
    name: str
    first: dict[type[Model], int]
    people: int
    """The key of its first account; so many a household, in the order of households."""
    accounts: int

    def account(self, household: int, households: int) -> int:
        """An account of a household, by the household's number."""
        return self.people + household % min(households, self.accounts)


def line(row: Model) -> str:
    """A row that is made here, as a line."""
    return "\t".join(plain(f, getattr(row, f.attname)) for f in row._meta.concrete_fields)


def streets(count: int, keys: store.Keys, demo: Community) -> list[Street]:
    """Sub-districts with staff like the demo's, written."""
    roles = list(Role.objects.filter(community=demo).select_related("person").order_by("pk"))
    accounts = list({role.person_id: role.person for role in roles}.values())
    contact = Contact.objects.filter(community=demo).first()
    rows: dict[type[Model], list[str]] = {Community: [], Contact: [], Person: [], Role: []}
    found = []
    for number in range(1, count + 1):
        here = keys.take(Community, 1)
        name = f"示例{number}街"
        place = Community(id=here, code=f"{CODE}{number:03d}", name=name, kind="subdistrict")
        rows[Community].append(line(place))
        if contact is not None:
            contact.pk, contact.community_id = keys.take(Contact, 1), here
            rows[Contact].append(line(contact))
        first = keys.take(Person, len(accounts))
        staff = {person.pk: first + n for n, person in enumerate(accounts)}
        rows[Person] += [
            _person(staff[person.pk], f"{CODE}{person.username}-{number:03d}", person.display_name)
            for person in accounts
        ]
        for role in roles:
            values = {f.attname: getattr(role, f.attname) for f in Role._meta.concrete_fields}
            key = keys.take(Role, 1)
            values |= {"id": key, "community_id": here, "person_id": staff[role.person_id]}
            rows[Role].append(line(Role(**values)))
        found.append(Street(here, name, staff))
    for model, lines in rows.items():
        store.write(model, lines)
    return found


_JOINED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _person(key: int, username: str, name: str) -> str:
    return line(
        Person(
            id=key,
            password=UNUSABLE_PASSWORD_PREFIX,
            username=username,
            display_name=name,
            date_joined=_JOINED,
        )
    )


def name_of(number: int) -> str:
    """The name of a resident, plainly nobody's."""
    rest, surname = divmod(number, len(generator.SURNAMES))
    signs = ""
    while rest or not signs:
        rest, sign = divmod(rest, len(generator.GIVEN))
        signs += generator.GIVEN[sign]
    return f"{generator.SURNAMES[surname]}示{signs}"


def settle_homes(
    homes: Homes, streets: list[Street], count: int, residents: int, keys: store.Keys
) -> list[Home]:
    """Where estates will stand and what keys their rows have; `add_home` writes them."""
    found = []
    for number in range(count):
        street = streets[number % len(streets)]
        accounts = residents * (number + 1) // count - residents * number // count
        first: dict[type[Model], int] = {
            model: keys.take(model, len(homes.keys[model])) for model in LIVES
        }
        first[HouseholdMember] = keys.take(HouseholdMember, accounts)
        name = f"{street.name}{number // len(streets) + 1}区"
        here, people = keys.take(Community, 1), keys.take(Person, accounts)
        found.append(Home(street, here, name, first, people, accounts))
    return found


def add_home(batch: store.Batch, homes: Homes, home: Home, number: int, since: dt.date) -> None:
    """An estate, its homes, and who lives there: the first account of each owns."""
    community = Community(
        id=home.community,
        code=f"{CODE}estate-{number:05d}",
        name=home.name,
        kind="estate",
        parent_id=home.street.community,
    )
    batch.add(Community, [line(community)])
    for model, lines in homes.lines(home.first, home.community):
        batch.add(model, lines)
    like = _person(-1, "@", "#").split("\t")
    at, called, shown = (like.index(mark) for mark in ("-1", "@", "#"))
    people, members = [], []
    day = since.isoformat()
    for n in range(home.accounts):
        key = home.people + n
        like[at], like[called], like[shown] = str(key), f"{CODE}{key}", name_of(key)
        people.append("\t".join(like))
        household = home.first[Household] + n % homes.households
        owns = "1" if n < homes.households else "0"
        member = home.first[HouseholdMember] + n
        members.append(f"{member}\t{household}\t{key}\t{owns}\t{day}\t\\N")
    batch.add(Person, people)
    batch.add(HouseholdMember, members)


def place_of(homes: Homes, home: Home, speakers: dict[int, int]) -> Place:
    """An estate as a place for copies. `speakers`: households by the pattern's accounts."""
    people = dict(home.street.staff)
    for account, household in speakers.items():
        people[account] = home.account(household, homes.households)
    return Place(home.community, home.name, people, _Keys(homes, home))


class _Keys(dict[tuple[str, int], int]):
    """Keys of homes by the pattern's; nothing is kept of what was asked."""

    def __init__(self, homes: Homes, home: Home) -> None:
        super().__init__()
        self.homes, self.home = homes, home

    def __missing__(self, asked: tuple[str, int]) -> int:
        model = _KINDS[asked[0]]
        return self.home.first[model] + self.homes.order[model][asked[1]]
