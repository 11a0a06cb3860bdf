"""Places to choose from, and what belongs to one: the same effort in a street and in a city."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from ..models.case import Case, Community

MOST = 60
"""So many places are offered by name; where there are more, those that others belong to."""
HOMES = ("estate", "village")


def offered(found: QuerySet[Community], chosen: str = "") -> list[Community]:
    """Places for a list to choose from, with the one whose code is `chosen`.

    A city has thousands of estates, and nobody finds theirs in such a list: it then names the
    sub-districts, and estates are found by searching for their names.
    """
    few = list(found[: MOST + 1])
    if len(few) <= MOST:
        return few
    larger = list(found.exclude(kind__in=HOMES)[: MOST * 5])
    if chosen and all(place.code != chosen for place in larger):
        larger += found.filter(code=chosen)
    return larger


def with_cases() -> QuerySet[Community]:
    """Places that have cases, or to which such places belong."""
    here = Case.objects.filter(community=OuterRef("pk"))
    below = Case.objects.filter(community__parent=OuterRef("pk"))
    return Community.objects.filter(Exists(here) | Exists(below))


def within(code: str) -> list[int]:
    """The keys of the place with that code and of those that belong to it; one query."""
    here = Community.objects.filter(code=code)
    below = Community.objects.filter(parent__code=code)
    return list(here.order_by().values_list("pk", flat=True).union(below.order_by().values("pk")))
