"""What is an account's own: what waits for it, where it belongs, what it opened and did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from viewflow.workflow.status import STATUS

from .. import clock
from ..models.case import Case, StepRun
from ..models.record import Trace
from ..parties import Party, directory, own_roles
from ..procedure import all_declared
from ..steps.act import Words
from ..steps.base import Step, look_at
from ..steps.matters import CaseActs
from ..steps.opinion_rows import Opinion
from .readers import case_state, cases, run_row
from .viewer import Offer, Viewer

CARDS = 24
"""The most open cases that 我的事项 shows as cards, the newest."""
LISTED = 2000
"""The most open steps that an inbox looks through, those with the soonest ends."""


def my_acts(user: Any) -> QuerySet[Trace]:
    """Everything an account has done, newest first."""
    return (
        Trace.objects.filter(user=user)
        .select_related("record__case__community", "record__run")
        .order_by("-record_id")
    )


def my_deeds(user: Any) -> QuerySet[Trace]:
    """The same without what only begins a case of one's own: where a procedure begins with an act
    (an appeal), the record before it says nothing to who handed it in."""
    begun = {declared.code for declared in all_declared() if declared.opens_with}
    return my_acts(user).exclude(
        record__act="case.opened",
        record__role__in=own_roles(),
        record__case__procedure__in=begun,
    )


def state_of_own(case: Case, role: str) -> tuple[str, Any] | None:
    """How a case stands (code, words) that is its opener's own, for a role that may open it alone;
    its page is where they read the answer."""
    return case_state(case, []) if role in case.declared.opener_only else None


def my_communities(user: Any) -> list[Case]:
    """Open cases where the account lives or serves, and those that it opened; for 我的事项."""
    places = directory().parties_everywhere(user, clock.now())
    concerns = concerning(user, places)
    here = cases().filter(concerns, finished__isnull=True, parent__isnull=True)
    return list(here[:CARDS])


def concerning(user: Any, parties: Mapping[int, Sequence[Party]]) -> Q:
    """Of open cases: held where the account belongs, or opened by it; one query. What everybody
    may do somewhere makes nobody belong there."""
    belongs = _belongs(parties)
    # Keys and no query within the query, of which the planner could not tell how few they are.
    own = _openings(user).filter(record__case__finished=None)
    return Q(community__in=belongs) | Q(pk__in=list(own.values_list("record__case", flat=True)))


def _belongs(parties: Mapping[int, Sequence[Party]]) -> list[int]:
    """Where the account has a capacity that not everybody has."""
    return [pk for pk, held in parties.items() if any(not party.everyone for party in held)]


def _openings(user: Any) -> QuerySet[Trace]:
    return Trace.objects.filter(user=user, record__seq=0, record__act="case.opened")


def opened(user: Any) -> set[tuple[int, str]]:
    """The cases that an account opened, each with the role in which it did."""
    return set(_openings(user).values_list("record__case_id", "record__role"))


def inbox(user: Any, parties: Mapping[int, Sequence[Party]] | None = None) -> list[dict[str, Any]]:
    """What waits for the account, overdue first, then by term; in these capacities, by community,
    where not all are meant."""
    today = clock.today()
    if parties is None:
        parties = directory().parties_everywhere(user, clock.now())
    runs = (
        StepRun.objects.filter(
            status=STATUS.STARTED,
            finished__isnull=True,
            process__in=Case.objects.filter(
                concerning(user, parties), finished__isnull=True
            ).order_by(),
        )
        .select_related("process__community")
        .order_by(F("ends_at").asc(nulls_last=True), "pk")[:LISTED]
    )
    mine = opened(user)
    theirs = [run for run in runs if _concerns(run, parties.get(run.process.community_id, ()))]
    look_at(theirs)
    rows = []
    for run in theirs:
        case = run.process
        viewer = Viewer(user, case, parties.get(case.community_id, ()), mine)
        offers = [
            offer
            for offer in viewer.buttons(run, run.step)
            if not (offer.paper or offer.spec.optional or _for_others(offer))
            and not (_for_everybody(offer, mine) or _too_late(offer, run))
        ]
        suspended = case.suspended_at is not None
        waiting = [] if suspended else run.step.waiting(run, viewer.roles)
        if not offers and not waiting:
            continue
        due = run.step.next_due(run) if waiting else None
        ends = min((day for day in (run.ends_on, due) if day), default=None)
        left = (ends - today).days if ends else None
        late = run.overdue_at is not None or (left is not None and left < 0)
        rows.append(
            {
                **run_row(run, today),
                "url": (
                    offers[0].url
                    if len(offers) == 1 and not waiting
                    else f"/cases/{case.number}/steps/{run.pk}/"
                ),
                "state": "suspended" if suspended else "overdue" if late else "open",
                "state_label": None,
                "ends": ends,
                "days_left": left,
                "note": str(_("、")).join([str(w) for w in (*waiting, *_titles(offers))]),
            }
        )
    rows += _late_rows(user, parties, mine)
    order = {"overdue": 0, "open": 1, "suspended": 2}
    rows.sort(key=lambda row: (order.get(row["state"], 3), row["ends"] or dt.date.max))
    return rows


def _concerns(run: StepRun, parties: Sequence[Party]) -> bool:
    """Whether the parties have any part in a run."""
    return isinstance(run.flow_task, Step) and any(p.role in run.step.roles for p in parties)


def _titles(offers: Sequence[Offer]) -> list[Words]:
    """What the offers are called; a task is called what its step is, which stands there already."""
    return [o.title for o in offers if o.step.kind != "task" or o.spec.name != "task.done"]


def _for_others(offer: Offer) -> bool:
    """Whether those who handle a step may do an act of its participants only in their stead."""
    handlers = all(party.role in offer.step.by for party in offer.parties)
    return offer.spec.by == "participants" and handlers


def _for_everybody(offer: Offer, mine: set[tuple[int, str]]) -> bool:
    """Whether whoever has an account may do an act, in a case that this one did not open: that is
    an invitation (apply for a post), and waits for nobody."""
    if any((offer.case.pk, party.role) in mine for party in offer.parties):
        return False
    if all(party.everyone for party in offer.parties):
        return True
    # A task of an office that neighbours may do as well (apply for their estate) is not theirs.
    own = own_roles()
    offices = offer.step.kind == "task" and not own.issuperset(offer.step.by)
    return offices and own.issuperset(party.role for party in offer.parties)


def _too_late(offer: Offer, run: StepRun) -> bool:
    """Whether an act that ends with a term (to object) is still taken in another way: the step that
    goes on is late for those who handle it, not for who may take part."""
    ends = offer.step.taken_until(offer.spec, run)
    return ends is not None and run.term_over(clock.now())


def _late_rows(
    user: Any, parties: Mapping[int, Sequence[Party]], mine: set[tuple[int, str]]
) -> list[dict[str, Any]]:
    """Cases with late opinions that the account answers; also closed ones."""
    counts = dict(
        Opinion.objects.filter(run=None, life="submitted", case__community__in=_belongs(parties))
        .order_by()
        .values_list("case")
        .annotate(n=Count("pk"))
    )
    rows = []
    for case in Case.objects.filter(pk__in=counts).select_related("community"):
        viewer = Viewer(user, case, parties[case.community_id], mine)
        if viewer.roles.intersection(CaseActs.answering(case)):
            rows.append(
                {
                    "title": _("期外意见"),
                    "url": f"{case.get_absolute_url()}#late",
                    "case_title": case.title,
                    "case_number": case.number,
                    "estate": case.community.name,
                    "ends": None,
                    "days_left": None,
                    "provisional": False,
                    "state": "open",
                    "state_label": None,
                    "note": _("%(n)s条意见待答复") % {"n": counts[case.pk]},
                }
            )
    return rows
