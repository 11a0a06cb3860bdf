"""Of what the figures of supervision are: the form that asks for it, and its query string."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import clock
from .. import procedure as procedures
from ..models.case import Community
from ..parties import holder_title
from ..terms import month_words
from .figures import Scope
from .places import Choices, offered

BACK = 36
"""So many months can be asked for; the page begins with the last `SHOWN` of them."""
SHOWN = 12


def _months() -> list[dt.date]:
    """The first days of the months that can be asked for, the newest first."""
    found = [clock.today().replace(day=1)]
    while len(found) < BACK:
        found.append((found[-1] - dt.timedelta(days=1)).replace(day=1))
    return found


def holders() -> dict[str, Any]:
    """Who may hold a term, by any procedure, with what people read."""
    found = {
        holder: holder_title(holder)
        for declared in procedures.all_declared()
        for step in declared.steps()
        for holder in step.charged
    }
    return dict(sorted(found.items()))


def procedure_titles() -> dict[str, Any]:
    """Every declared procedure with what people read."""
    codes = sorted({declared.code for declared in procedures.all_declared()})
    return {code: procedures.versions(code)[0].title for code in codes}


class ScopeFilter(forms.Form):
    """Of what the figures are: a place, a procedure, who holds the step, the months."""

    place = forms.ChoiceField(label=gettext_lazy("街道或小区"), required=False, widget=Choices)
    procedure = forms.ChoiceField(label=gettext_lazy("程序"), required=False, widget=Choices)
    office = forms.ChoiceField(label=gettext_lazy("责任单位"), required=False, widget=Choices)
    since = forms.ChoiceField(label=gettext_lazy("自"), required=False, widget=Choices)
    until = forms.ChoiceField(label=gettext_lazy("至"), required=False, widget=Choices)

    def __init__(self, data: Any, places: Collection[int] | None = None) -> None:
        months = _months()
        given = data.copy()
        given.setdefault("since", f"{months[SHOWN - 1]:%Y-%m}")
        given.setdefault("until", f"{months[0]:%Y-%m}")
        super().__init__(given)
        known: Any = self.fields
        found = Community.objects.exclude(kind="site").order_by("kind", "code")
        if places is not None:
            found = found.filter(pk__in=places)
            del known["since"], known["until"]
        self.places = {place.code: place for place in offered(found, given.get("place", ""))}
        every = [("", _("全部"))]
        known["place"].choices = every + [(each.code, each.name) for each in self.places.values()]
        known["procedure"].choices = every + list(procedure_titles().items())
        known["office"].choices = every + list(holders().items())
        for name in ("since", "until"):
            if name in known:
                known[name].choices = [(f"{month:%Y-%m}", month_words(month)) for month in months]

    def clean(self) -> dict[str, Any]:
        """The first month comes first."""
        found: dict[str, Any] = super().clean() or {}
        if found.get("since") and found.get("until") and found["until"] < found["since"]:
            self.add_error("until", _("结束月份不能早于开始月份。"))
        return found

    @property
    def scope(self) -> Scope:
        """What was asked for; the form is valid."""
        chosen = self.cleaned_data
        months = _months()
        first, last = (
            dt.date.fromisoformat(f"{chosen[name]}-01") if chosen.get(name) else default
            for name, default in (("since", months[SHOWN - 1]), ("until", months[0]))
        )
        found = self.places.get(chosen["place"])
        place = Community(pk=found.pk, code=found.code, name=found.name) if found else None
        return Scope(first, last, chosen["procedure"], chosen["office"], place)


def query(scope: Scope, **more: str) -> str:
    """The query string of a scope, narrowed by `more`."""
    chosen = {
        "place": scope.place.code if scope.place else "",
        "procedure": scope.procedure,
        "office": scope.office,
        "since": f"{scope.first:%Y-%m}",
        "until": f"{scope.last:%Y-%m}",
        **more,
    }
    return urlencode({name: value for name, value in chosen.items() if value})
