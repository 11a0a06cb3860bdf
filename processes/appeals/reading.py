"""What pages show of appeals: the public list, the figures by unit, and a case from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from workflows.models import Case, Community, StepRun
from workflows.steps.base import Words

from . import rules
from .models import Appeal

INSIDERS = {"anyone", "office", "handler", "overseer"}


def inside(case: Case, roles: set[str]) -> dict[str, Any]:
    """The appeal and its answer in clear: for its author and those who handle it."""
    if not roles & INSIDERS:
        return {}
    appeal = Appeal.objects.filter(case=case).first()
    if appeal is None:
        return {}
    linked = Case.objects.filter(
        Q(appeal__linked_from__appeal=appeal) | Q(appeal__links__other=appeal)
    )
    return {
        "appeal": appeal,
        "kind": rules.KINDS[appeal.kind],
        "linked": list(linked.distinct()) if roles - {"anyone"} else [],
    }


def chosen(query: Mapping[str, str]) -> dict[str, str]:
    """The facets that a query names, those that exist."""
    known: dict[str, Any] = {
        "kind": rules.KINDS,
        "unit": rules.UNITS,
        "state": ("open", "done"),
    }
    found = {name: query.get(name, "") for name in known if query.get(name, "") in known[name]}
    found["place"] = query.get("place", "")[:40]
    found["q"] = " ".join(query.get("q", "").split())[:40]
    return found


def rows(facets: Mapping[str, str]) -> QuerySet[Appeal]:
    """Public appeals, the newest first, narrowed; those held back are in no list.

    Each word is looked for as it stands, so that words of two characters are found on every
    database; only what is public is searched.
    """
    found = Appeal.objects.filter(held="").exclude(case__outcome="set_aside")
    for name in ("kind", "unit"):
        if facets.get(name):
            found = found.filter(**{name: facets[name]})
    if facets.get("state"):
        found = found.filter(case__finished__isnull=facets["state"] == "open")
    if facets.get("place"):
        found = found.filter(case__community__code=facets["place"])
    for word in facets.get("q", "").split():
        kinds = [code for code, title in rules.KINDS.items() if word in str(title)]
        found = found.filter(
            Q(wording__icontains=word)
            | Q(case__number__icontains=word)
            | Q(case__community__name__icontains=word)
            | Q(kind__in=kinds)
        )
    return found.select_related("case__community").order_by("-pk")


def row(appeal: Appeal) -> dict[str, Any]:
    """What the public reads of one."""
    return {
        "case": appeal.case,
        "kind": rules.KINDS[appeal.kind],
        "unit": rules.UNITS.get(appeal.unit, ""),
        "wording": appeal.wording,
        "open": appeal.case.finished is None,
    }


def places() -> list[Community]:
    """Where one may report from: one query."""
    return list(Community.objects.filter(kind__in=("estate", "subdistrict")).order_by("name"))


def figures() -> list[dict[str, Any]]:
    """By unit: answers, how many in time, overdue, how many of the rated satisfied; two queries.

    Numbers taken among fewer than five are None.
    """
    late = StepRun.objects.filter(process=OuterRef("case"), name="handle", outcome="overdue")
    kept = StepRun.objects.filter(
        process=OuterRef("case"), name="handle", outcome="replied", finished__lt=F("ends_at")
    )
    marked = (
        Appeal.objects.filter(held="")
        .exclude(unit="")
        .annotate(late=Exists(late), kept=Exists(kept))
    )
    counted = (
        marked.values("unit")
        .annotate(
            n=Count("pk", filter=Q(late=True) | Q(kept=True)),
            overdue=Count("pk", filter=Q(late=True)),
            in_time=Count("pk", filter=Q(kept=True, late=False)),
            rated=Count("pk", filter=~Q(rating="")),
            satisfied=Count("pk", filter=Q(rating="satisfied")),
        )
        .order_by("unit")
    )
    return [
        {
            "unit": _unit(each["unit"]),
            "n": rules.shown(each["n"], each["n"]),
            "overdue": rules.shown(each["overdue"], each["n"]),
            "in_time": rules.shown(each["in_time"], each["n"]),
            "rated": rules.shown(each["rated"], each["rated"]),
            "satisfied": rules.shown(each["satisfied"], each["rated"]),
        }
        for each in counted
    ]


def _unit(code: str) -> Words:
    return rules.UNITS.get(code, code)
