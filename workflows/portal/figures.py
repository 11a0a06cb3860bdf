"""Figures of supervision (监督): what is counted, how, and the steps behind each number.

Everything is counted in SQL, grouped at once by who holds the step, procedure and month; the page
only adds up. A number and the list behind it go by the same rows (`Source`), so they agree.

What counts as kept or broken is said by `StepRun.breaks_term` and nowhere else. Replies have no
term of their own: an opinion is to be answered within the term of the step that it came to, an
objection within its own (`Objection.due_at`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import (
    Case,
    Count,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from viewflow.workflow.status import STATUS

from .. import clock
from .. import procedure as procedures
from ..models.case import Community, StepRun
from ..steps.consultation import Consultation
from ..steps.consultation_rows import LEAST_SHOWN, SurveyAnswer
from ..steps.opinion_rows import Opinion
from ..steps.publicity_rows import Objection

CONTENT = ("very_satisfied", "satisfied")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which figures: of the months from `first` up to and with `last` (first days of months), of a
    place with what belongs to it, of a procedure, of one holder."""

    first: dt.date
    last: dt.date
    procedure: str = ""
    office: str = ""
    place: Community | None = None

    @property
    def months(self) -> list[dt.date]:
        """The first day of each month, in order."""
        found = [self.first]
        while found[-1] < self.last:
            found.append(following(found[-1]))
        return found


def following(month: dt.date) -> dt.date:
    """The first day of the next month."""
    return (month + dt.timedelta(days=31)).replace(day=1)


def _start(month: dt.date) -> dt.datetime:
    return dt.datetime.combine(month, dt.time(), tzinfo=clock.SHANGHAI)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that are counted: `run` leads from a row to its step, `at` is the moment that chooses
    the month (none: what stands now), `n` adds up, `holder` is whose they are."""

    rows: Callable[[dt.datetime], QuerySet[Any]]
    at: str = ""
    run: str = ""
    n: Any = field(default_factory=lambda: Count("pk"))
    holder: Any = None
    names: Callable[[], Collection[str]] | None = None
    """Of which steps alone rows can be, where not of any."""

    def public(self, now: dt.datetime) -> QuerySet[Any]:
        """The rows of cases that are in public figures, each with its `holder`."""
        rows = self.rows(now).filter(**{f"{self.run}process__unlisted": False})
        return rows.annotate(holder=self.holder or F(f"{self.run}held_by"))

    def found(self, scope: Scope, now: dt.datetime) -> QuerySet[Any]:
        """The rows of a scope."""
        rows = self.public(now)
        rows = rows.filter(holder=scope.office) if scope.office else rows.exclude(holder="")
        if scope.procedure:
            rows = rows.filter(**{f"{self.run}process__procedure": scope.procedure})
        if scope.place is not None:
            here = f"{self.run}process__community"
            rows = rows.filter(Q(**{here: scope.place}) | Q(**{f"{here}__parent": scope.place}))
        if self.at:
            began, ended = _start(scope.first), _start(following(scope.last))
            rows = rows.filter(**{f"{self.at}__gte": began, f"{self.at}__lt": ended})
        return rows

    def grouped(
        self, scope: Scope, now: dt.datetime, which: Q | None = None
    ) -> Iterator[tuple[str, str, int, int]]:
        """Holder, procedure, month (its place in the scope; -1: now) and number, of all rows or
        some; one query."""
        rows = self.found(scope, now).filter(which or Q()).order_by()
        month: Any = Value(-1, IntegerField())
        if self.at:
            ends = [_start(following(each)) for each in scope.months]
            month = Case(
                *(
                    When(**{f"{self.at}__lt": end}, then=Value(place))
                    for place, end in enumerate(ends)
                ),
                output_field=IntegerField(),
            )
        named = rows.values_list("holder", f"{self.run}process__procedure").annotate(month=month)
        for holder, procedure, place, n in named.values_list(
            "holder", f"{self.run}process__procedure", "month"
        ).annotate(n=self.n):
            yield holder, procedure, place, n or 0

    def by_run(self, scope: Scope, now: dt.datetime, runs: Sequence[int]) -> dict[int, int]:
        """How many rows of the scope each of these steps has; one query."""
        name = f"{self.run}pk"
        rows = self.found(scope, now).filter(**{f"{name}__in": runs}).order_by()
        return {pk: n for pk, n in rows.values_list(name).annotate(n=self.n) if pk is not None}


def _here(run: str = "") -> Q:
    """Of rows of what stands now: that their case goes on."""
    going = {f"{run}process__finished__isnull": True, f"{run}process__suspended_at__isnull": True}
    return Q(**going)


def _kept(_now: dt.datetime) -> QuerySet[Any]:
    return StepRun.objects.filter(
        ends_at__isnull=False, broken_at__isnull=True, finished__isnull=False, status=STATUS.DONE
    )


def _broken(_now: dt.datetime) -> QuerySet[Any]:
    return StepRun.objects.filter(broken_at__isnull=False)


def _overdue(_now: dt.datetime) -> QuerySet[Any]:
    open_late = StepRun.objects.filter(overdue_at__isnull=False, finished__isnull=True)
    return open_late.filter(_here(), broken_at__isnull=False)


_LATE_REPLY = Q(reply__first_at__gte=F("run__ends_at"), run__provisional=False)
_LATE_DECISION = Q(reply__first_at__gte=F("due_at"), provisional=False)


def _replied(late: bool) -> Callable[[dt.datetime], QuerySet[Any]]:
    def rows(_now: dt.datetime) -> QuerySet[Any]:
        found = Opinion.objects.filter(life="replied", run__ends_at__isnull=False)
        return found.filter(_LATE_REPLY if late else ~_LATE_REPLY)

    return rows


def _unanswered(now: dt.datetime) -> QuerySet[Any]:
    waiting = Opinion.objects.filter(_here("run__"), life="submitted", run__finished=None)
    return waiting.filter(run__ends_at__lte=now, run__provisional=False)


def _decided(which: Q) -> Callable[[dt.datetime], QuerySet[Any]]:
    return lambda _now: Objection.objects.filter(which, life__in=("upheld", "dismissed"))


def undecided(now: dt.datetime) -> QuerySet[Objection]:
    """The objections that should have been decided by now."""
    waiting = Objection.objects.filter(_here("run__"), life="raised", run__finished=None)
    return waiting.filter(due_at__lte=now, provisional=False)


def _rated(content: bool) -> Callable[[dt.datetime], QuerySet[Any]]:
    def rows(_now: dt.datetime) -> QuerySet[Any]:
        which = Q(pk__in=())
        for declared in procedures.all_declared():
            for step in declared.steps():
                said = [code for code, good in step.rating.items() if good or not content]
                if said:
                    which |= Q(
                        process__procedure=declared.code,
                        process__version=declared.version,
                        name=step.name,
                        outcome__in=said,
                    )
        return StepRun.objects.filter(which, finished__isnull=False)

    return rows


def _rating() -> set[str]:
    """Steps in which something is rated."""
    declared = procedures.all_declared()
    return {step.name for each in declared for step in each.steps() if step.rating}


def _served() -> Any:
    """Who did what is rated: who held the last step of the case before."""
    before = StepRun.objects.filter(process=OuterRef("process"), pk__lt=OuterRef("pk"))
    return Coalesce(
        Subquery(before.exclude(held_by="").order_by("-pk").values("held_by")[:1]), Value("")
    )


def _asking() -> set[str]:
    """Steps that ask how content people are."""
    return {
        step.name
        for declared in procedures.all_declared()
        for step in declared.steps()
        if isinstance(step, Consultation) and step.survey
    }


def _surveyed(_now: dt.datetime) -> QuerySet[Any]:
    """Steps that asked how content people are, with their answers. Those with fewer than are ever
    published are left out, or they could be worked out from the sum."""
    answers = SurveyAnswer.objects.filter(run=OuterRef("pk")).order_by().values("run")
    content = answers.filter(answer__in=CONTENT)
    return (
        StepRun.objects.filter(name__in=_asking(), finished__isnull=False)
        .annotate(
            answers=Subquery(answers.annotate(n=Count("pk")).values("n")),
            content=Coalesce(Subquery(content.annotate(n=Count("pk")).values("n")), Value(0)),
        )
        .filter(answers__gte=LEAST_SHOWN)
    )


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is counted: in words, in a word under the heading of its group, the rows."""

    title: Any
    short: Any
    sources: tuple[Source, ...]
    now: bool = False
    """What stands now, whatever the months."""


def _heard(rows: Callable[[dt.datetime], QuerySet[Any]]) -> tuple[Source, ...]:
    """Of opinions or objections: by when those who wrote them first heard."""
    return (Source(rows, "reply__first_at", "run__"),)


def _waiting(rows: Callable[[dt.datetime], QuerySet[Any]]) -> tuple[Source, ...]:
    """Of opinions or objections that still wait."""
    return (Source(rows, run="run__"),)


MEASURES: dict[str, Measure] = {
    "kept": Measure(_("时限内办结"), _("按期"), (Source(_kept, "finished"),)),
    "broken": Measure(_("超过时限"), _("超过"), (Source(_broken, "broken_at"),)),
    "overdue": Measure(_("现在超期"), _("现在超期"), (Source(_overdue),), now=True),
    "answered": Measure(_("意见按期答复"), _("按期"), _heard(_replied(late=False))),
    "answered_late": Measure(_("意见逾期答复"), _("逾期"), _heard(_replied(late=True))),
    "unanswered": Measure(_("意见超期未答复"), _("超期未答复"), _waiting(_unanswered), now=True),
    "decided": Measure(_("异议已核查"), _("已核查"), _heard(_decided(Q()))),
    "upheld": Measure(_("其中成立"), _("成立"), _heard(_decided(Q(life="upheld")))),
    "decided_late": Measure(
        _("异议逾期核查"),
        _("逾期"),
        _heard(_decided(_LATE_DECISION)),
    ),
    "undecided": Measure(_("异议超期未核查"), _("超期未核查"), _waiting(undecided), now=True),
    "rated": Measure(
        _("满意度评价"),
        _("评价"),
        (
            Source(_rated(content=False), "finished", holder=_served(), names=_rating),
            Source(_surveyed, "finished", n=Sum("answers"), names=_asking),
        ),
    ),
    "content": Measure(
        _("其中满意"),
        _("满意"),
        (
            Source(_rated(content=True), "finished", holder=_served(), names=_rating),
            Source(_surveyed, "finished", n=Sum("content"), names=_asking),
        ),
    ),
}

GROUPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_("环节时限"), ("kept", "broken", "overdue")),
    (_("意见"), ("answered", "answered_late", "unanswered")),
    (_("异议"), ("decided", "upheld", "decided_late", "undecided")),
    (_("满意度"), ("rated",)),
)
"""The measures as a page shows them; `content` is shown as a share of `rated`."""
