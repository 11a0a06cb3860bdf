"""The demo: what the packages offer to look around in, and the ground on which it stands.

A package offers its demo by naming a module in its app's configuration (``demo = "…"``). The
module has `STAFF` (username → role, seat, organisation), `RESIDENTS` (usernames of people without a
role), and `load(today)`, which loads what is not loaded yet and yields a line for each piece. All
of it is plainly demo data and goes through the one door, with the clock set back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db import connection

from workflows import clock
from workflows.models import Case, Community
from workflows.parties import Party
from workflows.portal import sums

from . import generator, rolls
from .models import Contact, Estate, Household, HouseholdMember, Person, Role, active
from .roll_preview import preview

PASSWORD = "sanwen-demo"  # noqa: S105 - published; the demo has nothing to protect
SUBDISTRICT = "demo-street"

Staff = Mapping[str, tuple[str, str, str]]


class HoldsRealCases(Exception):
    """The database holds cases or accounts that are not the demo's: it is left alone."""


def offered() -> list[Any]:
    """The demo modules of the installed packages."""
    named = [getattr(config, "demo", "") for config in apps.get_app_configs()]
    return [import_module(name) for name in named if name]


def accounts() -> tuple[dict[str, tuple[str, str, str]], list[str]]:
    """All staff of the demo, and all accounts without a role."""
    staff: dict[str, tuple[str, str, str]] = {}
    residents: dict[str, None] = {}
    for demo in offered():
        staff |= demo.STAFF
        residents |= dict.fromkeys(demo.RESIDENTS)
    return staff, list(residents)


def refuse_real() -> None:
    """Raise `HoldsRealCases` where the database is somebody's: also before it is migrated.

    Accounts alone are enough, since the demo's have a published password. Where the demo is
    loaded, visitors may have made some.
    """
    if Case._meta.db_table not in connection.introspection.table_names():
        return
    if Case.objects.filter(demo=False).exists():
        raise HoldsRealCases
    staff, residents = accounts()
    others = Person.objects.exclude(username__in=[*staff, *residents])
    if others.exists() and not Case.objects.filter(demo=True).exists():
        raise HoldsRealCases


def load(today: dt.datetime) -> Iterator[str]:
    """Load every package's demo, yielding what was loaded; does nothing where it is loaded.

    Raises `HoldsRealCases` as `refuse_real` does.
    """
    refuse_real()
    try:
        for demo in offered():
            yield from demo.load(today)
    finally:
        clock.set_now(None)
        sums.forget()  # what was done here was done in days that may be summed up already


def street() -> Community:
    """The sub-district to which all of the demo belongs."""
    found, _made = Community.objects.get_or_create(
        code=SUBDISTRICT, defaults={"name": "示范街道", "kind": "subdistrict"}
    )
    Contact.objects.get_or_create(
        community=found,
        defaults={
            "office": "示范街道办事处",
            "address": "示范路1号",
            "telephone": "0000-00000001",
            "supervision": "0000-00000002",
        },
    )
    return found


def person(username: str, display_name: str) -> Person:
    """An account of the demo."""
    found = Person.objects.filter(username=username).first()
    if found is None:
        found = Person.objects.create_user(username, password=PASSWORD, display_name=display_name)
    return found


def homes(usernames: Iterable[str]) -> dict[str, list[str]]:
    """Where accounts live now, by username: ``1号楼1单元101室, 示范一村、示范二村``; one query."""
    members = (
        HouseholdMember.objects.filter(active(clock.today()), person__username__in=usernames)
        .select_related("person", "household__unit__stairwell__building__estate__community")
        .order_by("household__unit__stairwell__building__estate__community__code", "pk")
    )
    estates: dict[str, dict[str, dict[str, None]]] = {}
    for member in members:
        unit = member.household.unit
        rooms = estates.setdefault(member.person.username, {})
        name = unit.stairwell.building.estate.community.name
        rooms.setdefault(unit.label, {})[name] = None
    return {
        username: [f"{room}, {'、'.join(names)}" for room, names in rooms.items()]
        for username, rooms in estates.items()
    }


def serving(staff: Staff, today: dt.datetime) -> dict[str, int]:
    """The accounts of `staff`, who serve in the sub-district: keys by seat, else by role."""
    keys = {}
    since = today.date() - dt.timedelta(days=800)
    for username, (role, seat, organisation) in staff.items():
        found = person(username, organisation)
        Role.objects.get_or_create(
            person=found,
            community=street(),
            role=role,
            seat=seat,
            defaults={"since": since, "organisation": organisation},
        )
        keys[seat or role] = found.pk
    return keys


def parties(staff: Staff, today: dt.datetime) -> dict[str, Party]:
    """The same as parties of cases."""
    keys = serving(staff, today)
    found = {}
    for role, seat, _organisation in staff.values():
        key = keys[seat or role]
        found[seat or role] = Party(role, f"person:{key}", key, seat=seat)
    return found


def estate(
    code: str,
    name: str,
    today: dt.datetime,
    *,
    by: int,
    residents: Iterable[str] = (),
    rows: list[dict[str, str]] | None = None,
) -> Community:
    """An estate with its roll, entered by the account `by`; of two buildings with 24 households
    unless `rows` says otherwise. `residents` speak for its first households."""
    found, made = Community.objects.get_or_create(
        code=code, defaults={"name": name, "kind": "estate", "parent": street()}
    )
    if not made:
        return found
    here = Estate.objects.create(community=found, address="示范路")
    small = {"seed": len(name), "blocks": 2, "heads": 24, "area": 198_400}
    roll = rows or generator.generate(**small)
    seen = preview(generator.as_csv(roll), "roll.csv")
    rolls.apply_roll(seen, here, seen.totals, Person.objects.get(pk=by))
    households = Household.objects.filter(unit__stairwell__building__estate=here)
    since = today.date() - dt.timedelta(days=700)
    for username, household in zip(residents, households.order_by("unit__order"), strict=False):
        HouseholdMember.objects.get_or_create(
            household=household,
            person=person(username, "示范居民"),
            defaults={"since": since},
        )
    return found
