"""The roll of an estate (名册): preview a file, then import it, all or nothing.

Within one estate the same name is the same owner, unless a number tells namesakes apart; see
`roll_preview`.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from workflows import clock

from . import claims
from .models import (
    Building,
    Estate,
    Household,
    HouseholdMember,
    Owner,
    Ownership,
    Person,
    RollImport,
    Stairwell,
    Unit,
)
from .roll_preview import (
    MAX_TOTAL,
    OwnerName,
    Preview,
    Problem,
    RollRow,
    Totals,
    area_text,
    parse_area,
    preview,
)

__all__ = [
    "MAX_TOTAL",
    "OwnerName",
    "Preview",
    "Problem",
    "RollRefused",
    "RollRow",
    "Totals",
    "apply_roll",
    "area_text",
    "changed_hands",
    "parse_area",
    "preview",
    "problems_in",
]

BATCH = 500


class RollRefused(ValueError):
    """The roll was not imported, and nothing was changed; `problems` says why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = list(problems)


def problems_in(seen: Preview, estate: Estate) -> list[Problem]:
    """The problems of the file, and those that come of what the estate already holds.

    A unit that people have claimed may not disappear with their claims.
    """
    if not seen.rows:
        return list(seen.problems)
    kept = {row.place for row in seen.rows}
    claimed = (
        Unit.objects.filter(
            stairwell__building__estate=estate,
            pk__in=HouseholdMember.objects.values("household__unit_id"),
        )
        .select_related("stairwell__building")
        .order_by("order", "pk")
    )
    return [
        *seen.problems,
        *(
            Problem(0, "", _("%(unit)s已有住户关联，名册里不能缺少。") % {"unit": unit.label})
            for unit in claimed
            if _place(unit) not in kept
        ),
    ]


def undeclared(found: Totals, declared: Totals) -> list[Problem]:
    """Where the totals of the file are not those that were declared."""
    lines = (
        (_("户数"), str(found.units), str(declared.units)),
        (_("业主人数"), str(found.heads), str(declared.heads)),
        (_("专有面积"), area_text(found.area), area_text(declared.area)),
    )
    return [
        Problem(
            0,
            title,
            _("申报为%(declared)s，文件中为%(found)s。") % {"declared": stated, "found": counted},
        )
        for title, counted, stated in lines
        if counted != stated
    ]


@transaction.atomic
def apply_roll(seen: Preview, estate: Estate, declared: Totals, by: Person) -> RollImport:
    """Make the estate's units and owners those of the file, in the order of the file.

    A unit of the same building, stairwell and room is updated in place and keeps its household,
    codes and claims; one that the file does not name is removed, unless somebody has claimed it.
    Where a unit has other owners than before, those who claimed it go on speaking for its
    household, but vote no more until they bring a new code. Frozen rolls of ballots are not
    touched. Raises `RollRefused`, having changed nothing.
    """
    Estate.objects.select_for_update().get(pk=estate.pk)
    problems = problems_in(seen, estate)
    if not seen.rows and not problems:
        problems = [Problem(0, "", _("文件里没有内容。"))]
    problems += undeclared(seen.totals, declared)
    if problems:
        raise RollRefused(problems)
    before = _owners_of(estate)
    units = _units(seen.rows, estate)
    _owners(seen.rows, units, estate)
    after = _owners_of(estate)
    others = [
        unit.pk
        for unit in units.values()
        if unit.pk in before and before[unit.pk] != after.get(unit.pk)
    ]
    claims.changed_hands(others, clock.now())
    _sweep_out(estate)
    lived_in = Unit.objects.filter(
        stairwell__building__estate=estate, developer_unsold=False, household=None
    )
    Household.objects.bulk_create(
        [Household(unit=unit) for unit in lived_in.order_by("order")], batch_size=BATCH
    )
    return RollImport.objects.create(
        estate=estate,
        by=by,
        at=clock.now(),
        sha256=seen.sha256,
        units=seen.totals.units,
        heads=seen.totals.heads,
        area=seen.totals.area,
        changed_hands=len(others),
    )


def changed_hands(seen: Preview, estate: Estate) -> list[str]:
    """The labels of units to which the file gives other owners than they have; for the preview.

    By name and number; whoever only changed their name keeps the number and is the same owner.
    """
    told = {row.place: {(o.number or o.name) for o in row.owners} for row in seen.rows}
    rows = Ownership.objects.filter(unit__stairwell__building__estate=estate)
    units: dict[int, tuple[Unit, set[str]]] = {}
    for row in rows.select_related("owner", "unit__stairwell__building").order_by("unit__order"):
        found = units.setdefault(row.unit_id, (row.unit, set()))
        found[1].add(row.owner.number or row.owner.name)
    return [
        unit.label
        for unit, owners in units.values()
        if _place(unit) in told and told[_place(unit)] != owners
    ]


def _owners_of(estate: Estate) -> dict[int, frozenset[int]]:
    found: dict[int, set[int]] = {}
    rows = Ownership.objects.filter(unit__stairwell__building__estate=estate)
    for unit, owner in rows.values_list("unit_id", "owner_id"):
        found.setdefault(unit, set()).add(owner)
    return {unit: frozenset(owners) for unit, owners in found.items()}


def _place(unit: Unit) -> tuple[str, str, str]:
    well = unit.stairwell
    return well.building.number, well.number, unit.room


def _stairwells(rows: Sequence[RollRow], estate: Estate) -> dict[tuple[str, str], Stairwell]:
    buildings = {each.number: each for each in Building.objects.filter(estate=estate)}
    wells = {
        (each.building.number, each.number): each
        for each in Stairwell.objects.filter(building__estate=estate).select_related("building")
    }
    for order, number in enumerate(dict.fromkeys(row.building for row in rows), 1):
        building = buildings.setdefault(number, Building(estate=estate, number=number))
        building.order = order
        building.save()
    for order, (number, well) in enumerate(
        dict.fromkeys((row.building, row.stairwell) for row in rows), 1
    ):
        stairwell = wells.setdefault(
            (number, well), Stairwell(building=buildings[number], number=well)
        )
        stairwell.order = order
        stairwell.save()
    return wells


def _units(rows: Sequence[RollRow], estate: Estate) -> dict[tuple[str, str, str], Unit]:
    """Every unit of the file as a row, those already there in place; others are removed."""
    there = {
        _place(unit): unit
        for unit in Unit.objects.filter(stairwell__building__estate=estate).select_related(
            "stairwell__building"
        )
    }
    named = {row.place for row in rows}
    gone = [unit.pk for place, unit in there.items() if place not in named]
    for start in range(0, len(gone), BATCH):
        Unit.objects.filter(pk__in=gone[start : start + BATCH]).delete()
    wells = _stairwells(rows, estate)
    units, made, changed = {}, [], []
    for order, row in enumerate(rows, 1):
        unit = there.get(row.place)
        if unit is None:
            unit = Unit(stairwell=wells[row.building, row.stairwell], room=row.room)
            made.append(unit)
        says = {
            "area": row.area,
            "title_source": row.source,
            "developer_unsold": row.developer_unsold,
            "order": order,
        }
        if unit.pk and any(getattr(unit, name) != value for name, value in says.items()):
            changed.append(unit)
        for name, value in says.items():
            setattr(unit, name, value)
        units[row.place] = unit
    # On SQLite an import holds the one write lock: what has not changed is not written.
    Unit.objects.bulk_update(
        changed, ["area", "title_source", "developer_unsold", "order"], batch_size=BATCH
    )
    Unit.objects.bulk_create(made, batch_size=BATCH)
    return units


def _owners(
    rows: Sequence[RollRow], units: dict[tuple[str, str, str], Unit], estate: Estate
) -> None:
    by_name: dict[OwnerName, Owner] = {}
    by_number: dict[str, Owner] = {}
    for owner in Owner.objects.filter(estate=estate).order_by("pk"):
        if owner.number:
            by_number[owner.number] = owner
        else:
            by_name.setdefault(OwnerName(owner.name), owner)
    owners: dict[OwnerName, Owner] = {}
    renamed, made = [], []
    for name in dict.fromkeys(name for row in rows for name in row.owners):
        found = by_number.get(name.number) if name.number else by_name.get(name)
        if found is None:
            found = Owner(estate=estate, name=name.name, number=name.number)
            made.append(found)
        elif found.name != name.name:  # the number says who it is; people do change their names
            found.name = name.name
            renamed.append(found)
        owners[name] = found
    Owner.objects.bulk_update(renamed, ["name"], batch_size=BATCH)
    Owner.objects.bulk_create(made, batch_size=BATCH)
    # Who owns what is told by the file alone, co-owners in its order.
    Ownership.objects.filter(unit__stairwell__building__estate=estate).delete()
    Ownership.objects.bulk_create(
        [
            Ownership(unit=units[row.place], owner=owners[name])
            for row in rows
            for name in row.owners
        ],
        batch_size=BATCH,
    )


def _sweep_out(estate: Estate) -> None:
    """Remove owners without a unit, stairwells and buildings without one."""
    Owner.objects.filter(estate=estate, ownerships=None).delete()
    Stairwell.objects.filter(building__estate=estate, units=None).delete()
    Building.objects.filter(estate=estate, stairwells=None).delete()
