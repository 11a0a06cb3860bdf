"""Pages of long lists: the same effort in a street and in a city."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet

from ..models.case import Case

MOST = 1000
"""So many rows are counted, and paged through at once; a list of more says so, and its last page
leads on to what is older."""


class Long(Paginator):
    """Counts up to `MOST` rows. `more`: whether there are more than it says."""

    @cached_property
    def _counted(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[: MOST + 1].count()

    @cached_property
    def count(self) -> int:
        """How many rows it has pages for."""
        return min(self._counted, MOST)

    @property
    def more(self) -> bool:
        """Whether older ones follow beyond the last page."""
        return self._counted > MOST


def pages(
    rows: QuerySet[Any],
    number: str | None,
    size: int,
    among_many: Callable[[], QuerySet[Any]] | None = None,
) -> Page:
    """A page of many rows; `among_many` finds the same where there are more than are counted."""
    found = Long(rows, size)
    if among_many is not None and found.more:
        found.object_list = among_many()
    return found.get_page(number)


def ends(page: Page) -> bool:
    """Whether a list goes on where its last page ends."""
    return not page.has_next() and bool(getattr(page.paginator, "more", False))


def older(rows: QuerySet[Case], number: str) -> QuerySet[Case]:
    """Of cases, the newest first, those after the one with that number; all where there is none."""
    last = Case.objects.filter(number=number[:40]).values_list("created", "pk").first()
    if last is None:
        return rows
    created, pk = last
    return rows.filter(Q(created__lt=created) | Q(pk__lt=pk), created__lte=created)
