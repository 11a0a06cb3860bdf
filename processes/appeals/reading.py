"""What pages show of appeals: the public list, the figures by unit, and a case from inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from workflows import clock
from workflows.models import Attachment, Case, Community, Disclosure, StepRun
from workflows.parties import Party, directory
from workflows.portal.places import named, within
from workflows.records import words
from workflows.steps.act import Words
from workflows.steps.handling import RED, YELLOW

from ..community import plans
from ..community.models import Building, Estate
from . import rules, sheets
from .models import Appeal


def buildings(place: Community) -> list[str]:
    """What one may pick at a place, in order; none where no estate is on file."""
    found = Building.objects.filter(estate__community=place).order_by("order", "pk")
    return [str(building) for building in found]


def too_far(place: Community, point: str) -> bool:
    """Whether a point is none of an estate whose place on earth is known."""
    origin = Estate.objects.filter(community=place).values_list("origin", flat=True).first()
    return bool(origin) and plans.far(str(origin), point)


EVERY = ("office", "overseer")
"""Roles that read every appeal of their places; a unit reads those that it has been given."""
SAID_INSIDE = {"part.done": "note", "task.done": "comment"}
"""What units tell one another and authors say to a rating: private values, by their act."""


def handles(appeal: Appeal, parties: Sequence[Party]) -> bool:
    """Whether one of these capacities has a part in handling an appeal."""
    given = {appeal.unit, *appeal.joint} - {""}
    return any(p.role in EVERY or (p.role == "handler" and p.seat in given) for p in parties)


def _reads(appeal: Appeal, parties: Sequence[Party]) -> bool:
    return any(p.role == "anyone" for p in parties) or handles(appeal, parties)


def may_read(file: Attachment, parties: Sequence[Party]) -> bool:
    """Whether these capacities may have a file of an appeal: as what it says."""
    appeal = Appeal.objects.filter(case=file.run.process_id).first() if file.run else None
    return appeal is not None and _reads(appeal, parties)


def inside(case: Case, parties: Sequence[Party]) -> dict[str, Any]:
    """The appeal and its answer in clear: for its author and those who handle it; what units say to
    one another for the latter alone."""
    appeal = Appeal.objects.filter(case=case).first()
    if appeal is None or not _reads(appeal, parties):
        return {}
    files = Attachment.objects.filter(run__process=case).exclude(file="").select_related("run")
    found: dict[str, Any] = {
        "appeal": appeal,
        "kind": rules.KINDS[appeal.kind],
        "way": rules.WAYS.get(appeal.way, ""),
        "files": list(files),
        "answers": _answers(case),
    }
    if appeal.building or appeal.point:
        found["plan"] = plans.of(case.community, appeal.building, appeal.point)
    if handles(appeal, parties):
        linked = Q(appeal__linked_from__appeal=appeal) | Q(appeal__links__other=appeal)
        found["linked"] = list(Case.objects.filter(linked).distinct())
        found["said"] = _said(case)
        found["sheets"] = sheets.runs(case)
    else:
        found["course"] = _course(case)
    return found


TOLD = ("reason", "note", "finding", "door")
"""What the steps say in public to whoever asked."""


def _course(case: Case) -> list[dict[str, Any]]:
    """How far it has come: each step, what came of it and what was said, the newest first."""
    found = []
    for run in case.runs.filter(flow_task_type="STEP").exclude(name="submit").order_by("-pk"):
        run.process = case
        told = [
            rules.DOORS.get(run.data[name], run.data[name]) for name in TOLD if name in run.data
        ]
        found.append(
            {
                "title": run.step.title,
                "outcome": run.step.outcome_names.get(run.outcome, ""),
                "on": run.finished,
                "ends": run.ends_on,
                "told": told,
            }
        )
    return found


def _answers(case: Case) -> list[dict[str, Any]]:
    """What the author was answered, the first before what came of handling it once more."""
    rows = Disclosure.objects.filter(
        record__case=case, record__act="task.done", name="answer", public=False
    ).exclude(encoded="")
    found = [
        {"at": row.record.at, "text": words.clear(row)}
        for row in rows.select_related("record").order_by("record__seq")
    ]
    return [each for each in found if each["text"]]


def _said(case: Case) -> list[dict[str, Any]]:
    rows = Disclosure.objects.filter(
        record__case=case, name__in=SAID_INSIDE.values(), public=False, now__isnull=True
    ).exclude(encoded="")
    return [
        {
            "by": rules.UNITS.get(row.record.body.get("seat", ""), _("诉求人")),
            "at": row.record.at,
            "text": text,
        }
        for row in rows.select_related("record").order_by("record__seq")
        if SAID_INSIDE.get(row.record.act) == row.name and (text := words.clear(row))
    ]


STATES: dict[str, Words] = {
    "open": _("进行中"),
    "yellow": _("黄牌提醒"),
    "red": _("红牌（超期）"),
    "done": _("已办结"),
}
"""What a public appeal is narrowed by, and shown as: a card while the matter is open."""


def chosen(query: Mapping[str, str]) -> dict[str, str]:
    """The facets that a query names, those that exist."""
    known: dict[str, Any] = {"kind": rules.KINDS, "unit": rules.UNITS, "state": STATES}
    found = {name: query.get(name, "") for name in known if query.get(name, "") in known[name]}
    found["place"] = query.get("place", "")[:40]
    found["q"] = " ".join(query.get("q", "").split())[:40]
    return found


def rows(facets: Mapping[str, str], *, held: bool = False) -> QuerySet[Any]:
    """Public appeals, the newest first, narrowed; those held back only where asked for.

    Each word is looked for as it stands, however short; only what is public is searched.
    """
    found = Appeal.objects.all() if held else Appeal.objects.filter(case__unlisted=False)
    for name in ("kind", "unit"):
        if facets.get(name):
            found = found.filter(**{name: facets[name]})
    if facets.get("state"):
        found = found.filter(case__finished__isnull=facets["state"] != "done")
    if facets.get("state") in (YELLOW, RED):
        runs = StepRun.objects.filter(_CARDS[facets["state"]], process=OuterRef("case"))
        found = found.filter(Exists(runs))
    if facets.get("place"):
        found = found.filter(case__community__in=within(facets["place"]))
    for word in facets.get("q", "").split():
        found = found.filter(_about(word))
    return found.select_related("case__community").order_by("-pk")


def position(number: str) -> int:
    """Where in the list the appeal of a case stands; before all where there is none."""
    found = Appeal.objects.filter(case__number=number[:40]).values_list("pk", flat=True).first()
    return 2**63 - 1 if found is None else found


def _about(word: str) -> Q:
    """Appeals that a word names: by what they say, else by kind, place, building or number.

    What no appeal can have is not asked for, so that a word of the text is left to its index.
    """
    told = Q(wording__says=word)
    if kinds := [code for code, title in rules.KINDS.items() if word in str(title)]:
        told |= Q(kind__in=kinds)
    told |= named(word, "case__community")
    if word.endswith("楼"):
        told |= Q(shown_building__iexact=word)
    if word.isascii():
        told |= Q(case__number__icontains=word)
    return told


_CARDS = {
    YELLOW: Q(phase=YELLOW, finished__isnull=True),
    RED: Q(phase=RED, finished__isnull=True) | Q(outcome="overdue"),
}
"""The runs by which a matter has a card."""


def shown(appeals: Sequence[Any]) -> list[dict[str, Any]]:
    """What the public reads of some of `rows`; one query for the cards of them all."""
    runs = StepRun.objects.filter(process__in=[appeal.case_id for appeal in appeals])
    runs = runs.filter(_CARDS[YELLOW] | _CARDS[RED]).order_by()
    cards: dict[int, str] = {}
    for case_id, phase, finished, outcome in runs.values_list(
        "process", "phase", "finished", "outcome"
    ):
        red = outcome == "overdue" or (phase == RED and finished is None)
        cards[case_id] = RED if red else cards.get(case_id, YELLOW)
    return [_row(appeal, cards.get(appeal.case_id, "open")) for appeal in appeals]


def _row(appeal: Any, card: str) -> dict[str, Any]:
    state = "done" if appeal.case.finished else card
    return {
        "case": appeal.case,
        "kind": rules.KINDS[appeal.kind],
        "unit": rules.UNITS.get(appeal.unit, ""),
        "building": appeal.shown_building,
        "wording": appeal.wording,
        "card": state in (YELLOW, RED),
        "state": "overdue" if state == RED else "open" if state == YELLOW else state,
        "state_label": STATES[state],
    }


def about(case: Case) -> list[tuple[Words, Any]]:
    """What the page of an appeal says of it in short; two queries."""
    appeal = rows({}, held=True).filter(case=case).first()
    if appeal is None:
        return []
    (told,) = shown([appeal])
    joint = [rules.UNITS.get(seat, seat) for seat in appeal.joint]
    return [
        (label, value)
        for label, value in (
            (_("类别"), told["kind"]),
            (_("诉求内容"), told["wording"]),
            (_("楼栋"), told["building"]),
            (_("承办单位"), told["unit"]),
            (_("协办单位"), str(_("、")).join(map(str, joint))),
            (_("督办"), told["state_label"] if told["card"] else ""),
        )
        if value
    ]


def places() -> QuerySet[Community]:
    """Where one may report from."""
    return Community.objects.filter(kind__in=("estate", "subdistrict")).order_by("code")


ANSWERING = ("handle", "rework")
"""The steps whose terms the figures are about."""


def typed_in_by(user: Any) -> list[Community]:
    """Where the account may type in what came by telephone or letter; nowhere for most."""
    if not user.is_authenticated:
        return []
    held = directory().parties_everywhere(user, clock.now())
    mine = {
        pk for pk, parties in held.items() if any(p.role in directory().typists for p in parties)
    }
    return list(places().filter(pk__in=mine)) if mine else []


def figures() -> list[dict[str, Any]]:
    """By unit: answers, how many in time, overdue, how many of the rated satisfied; one query.

    An answer after the last day is late, also before the red card of the next working day. Numbers
    taken among fewer than five are None.
    """
    answered = StepRun.objects.filter(process=OuterRef("case"), name__in=ANSWERING)
    late = answered.filter(outcome__in=("replied", "overdue"), broken_at__isnull=False)
    kept = answered.filter(outcome="replied", broken_at=None)
    marked = (
        Appeal.objects.filter(case__unlisted=False)
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
