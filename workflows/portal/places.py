"""Places to choose from, and what belongs to one: the same effort in a street and in a city."""

from __future__ import annotations

from typing import Any, NamedTuple

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.forms.renderers import TemplatesSetting
from django.utils.safestring import SafeString

from ..models.case import Case, Community

MOST = 60
"""So many places are offered by name; where there are more, those that others belong to."""
NAMED = 1000
"""So many places that a word names are sought one by one; where there are more, their things are
many, and soon found by reading the names."""
HOMES = ("estate", "village")


class Choices(forms.Select):
    """A list to choose from that may have hundreds of entries, none of them in groups: one template
    for all, where Django's own has two for each."""

    template_name = "components/select.html"

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """The list, from our own templates."""
        return super().render(name, value, attrs, TemplatesSetting())


class Place(NamedTuple):
    """A place to choose."""

    pk: int
    code: str
    name: str


def offered(found: QuerySet[Community], chosen: str = "", *, used: bool = False) -> list[Place]:
    """Places for a list to choose from, with the one whose code is `chosen`; two queries.

    A city has thousands of estates, and nobody finds theirs in such a list: it then names the
    sub-districts, and estates are found by searching for their names. With `used` those alone that
    have cases, where they are few.
    """
    if not found.order_by()[MOST : MOST + 1].exists():
        shown = with_cases(found) if used else found
    else:
        larger = [kind for kind, _title in Community.KINDS if kind not in HOMES]
        shown = found.filter(kind__in=larger)
        if chosen:
            shown = shown | found.filter(code=chosen)
    rows = shown.values_list("pk", "code", "name")[: MOST * 5]
    return [Place(*row) for row in rows]


def with_cases(found: QuerySet[Community]) -> QuerySet[Community]:
    """Of some places those that have cases, or to which such places belong."""
    here = Case.objects.filter(community=OuterRef("pk"))
    below = Case.objects.filter(community__parent=OuterRef("pk"))
    return found.filter(Exists(here) | Exists(below))


def named(word: str, community: str) -> Q:
    """Of things at places (`community` is the way to it): those at one with the word in its name;
    nothing to add to other conditions where none has it. One query."""
    found = Community.objects.filter(name__says=word).order_by().values_list("pk", flat=True)
    here = list(found[: NAMED + 1])
    if len(here) > NAMED:
        return Q(**{f"{community}__name__reads": word})
    return Q(**{f"{community}__in": here}) if here else Q()


def within(code: str) -> list[int]:
    """The keys of the place with that code and of those that belong to it; one query."""
    here = Community.objects.filter(code=code)
    below = Community.objects.filter(parent__code=code)
    return list(here.order_by().values_list("pk", flat=True).union(below.order_by().values("pk")))
