"""Handling (限时办理): a task with a watched term, given to the unit that it concerns.

One working day before the term ends a record reminds (yellow card), on the first working day after
it another says that it is overdue (red card). A unit may extend the term once, with a published
reason; units beside the leading one hand in their part; whoever asked may take it back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import calendars, clock, terms
from ..acts import Act, Written
from ..models.case import Case, StepRun
from ..models.record import Record
from ..parties import Party, holder_title, seats_of
from .act import ActForm, ActSpec, Words, act, refuse
from .opinion_forms import PublicText
from .run_terms import deadline_of, term_body
from .task import Task

YELLOW, RED = "yellow", "red"
LEADS = ("task.done", "term.extended")
"""What the leading unit alone does."""
ELSEWHERE = _("这一事项没有交给您所在的单位。")


class TakingBackForm(ActForm):
    """Asks nothing, and says what it means."""

    @property
    def advice(self) -> Words:
        """That it is for good."""
        return _("撤回以后不再办理，也不能恢复；需要时可以重新提出。")


def yellow_on(ends_on: dt.date, calendar: terms.Calendar) -> dt.date:
    """The day of the yellow card: the working day before the last day of a term."""
    day = ends_on - terms.ONE_DAY
    while not calendar.is_workday(day):
        day -= terms.ONE_DAY
    return day


def red_on(ends_on: dt.date, calendar: terms.Calendar) -> dt.date:
    """The day of the red card: the first working day after the last day of a term."""
    day = ends_on + terms.ONE_DAY
    while not calendar.is_workday(day):
        day += terms.ONE_DAY
    return day


def _morning(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time()))


@dataclass(frozen=True, slots=True)
class Glance:
    """What a run's acts go by: the seats that it has been given to, and whether its term has been
    extended."""

    seats: tuple[str, ...]
    extended: bool


class ExtensionForm(ActForm):
    """By how many working days, and why; both published."""

    days = forms.IntegerField(label=_("延长工作日数"), min_value=1)
    reason = PublicText(label=_("延期理由（将公开）"), max_length=500)

    def setup(self) -> None:
        """No more than the step allows."""
        step: Any = self.act.open_run.flow_task
        most = step.extension.n
        self.fields["days"] = forms.IntegerField(
            label=_("延长工作日数"), min_value=1, max_value=most
        )
        self.order_fields(["days", "reason"])


class PartForm(ActForm):
    """What a unit beside the leading one has done."""

    note = forms.CharField(
        label=_("本单位的办理情况（不公开）"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 5}),
    )


class Handling(Task):
    """A task whose term is watched.

    `seats` tells which seats of the role cases have been given to, by the case's key and the
    leading one first, in a constant number of queries; without it the role is enough. `term_by`
    gives the term by what the case is about. `extension` is the most by which the term is
    extended, once. With an outcome ``withdrawn`` the roles `withdrawers` may take the matter back.
    """

    def __init__(
        self,
        *,
        seats: Callable[[Sequence[Case]], Mapping[int, Sequence[str]]] | None = None,
        term_by: Callable[[Case], terms.AnyTerm] | None = None,
        extension: terms.WorkingDays | None = None,
        withdrawers: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.seats = seats
        self.term_by = term_by
        self.extension = extension
        self.withdrawers = tuple(withdrawers)

    @property
    def codes(self) -> dict[str, Words]:
        """Also the cards, and the seats of those who handle it."""
        cards = {YELLOW: _("黄牌提醒"), RED: _("红牌（超期）")}
        role = self.by[0] if self.seats is not None and self.by else ""
        seats = {seat: holder_title(f"{role}:{seat}") for seat in seats_of(role)}
        return {**super().codes, **cards, **seats}

    def faults(self) -> Iterator[str]:
        """Also: who may take it back where that leads somewhere, and the other way about."""
        yield from super().faults()
        if bool(self.withdrawers) != ("withdrawn" in self.outcomes_to):
            yield "withdrawal needs both withdrawers and an outcome"

    # --- the term
    @staticmethod
    def _watch(run: StepRun) -> None:
        """Look at the run again when its next card is due."""
        assert run.ends_on is not None
        calendar, now = calendars.current(), clock.now()
        near = _morning(yellow_on(run.ends_on, calendar))
        # A reminder that would come with the assignment itself reminds of nothing.
        if run.phase == "" and near > now:
            run.scheduled = near
        else:
            run.scheduled = _morning(red_on(run.ends_on, calendar))

    def term_in(self, case: Case, at: dt.datetime | None = None) -> terms.AnyTerm | None:
        """By what the case is about, where the procedure says so."""
        return self.term_by(case) if self.term_by is not None else super().term_in(case, at)

    def start_term(self, run: StepRun, term: terms.AnyTerm, now: dt.datetime) -> None:
        """Also set when the cards are due."""
        super().start_term(run, term, now)
        self._watch(run)

    def shift_term(self, run: StepRun, suspended: dt.datetime, resumed: dt.datetime) -> None:
        """The cards move with the term."""
        super().shift_term(run, suspended, resumed)
        run.phase = ""
        self._watch(run)

    def term_ended(self, run: StepRun, now: dt.datetime) -> str | None:
        """The day of a card has come."""
        assert run.ends_on is not None
        red = _morning(red_on(run.ends_on, calendars.current()))
        if now < red:
            run.phase = YELLOW if run.phase == "" and run.scheduled != red else run.phase
            run.scheduled = red
            return None
        run.phase, run.overdue_at, run.scheduled = RED, now, None
        run.broken_at = run.broken_at or now
        return super().term_ended(run, now)

    @act("term.recomputed", title=_("期限重新计算"), by=("clock",), page=False)
    def recompute_term(self, doing: Act) -> Written:
        """The cards move with the term."""
        written = super()._term_recomputed(doing)
        self._watch(doing.open_run)
        doing.open_run.save(update_fields=["scheduled"])
        return written

    def result(self, run: StepRun) -> dict[str, Any]:
        """Also that it came too late, be it before the red card."""
        return {**super().result(run), **({"late": True} if run.broken_at else {})}

    # --- who
    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Glance]:
        """Whom they have been given to, and whether their terms have been extended."""
        extended = set(
            Record.objects.filter(run__in=runs, act="term.extended").values_list("run", flat=True)
        )
        seats: dict[int, Sequence[str]] = {}
        for giving in {run.flow_task.seats for run in runs} - {None}:
            given = [run for run in runs if run.flow_task.seats is giving]
            by_case = giving([run.process for run in given])
            seats |= {run.pk: by_case.get(run.process_id, ()) for run in given}
        return {run.pk: Glance(tuple(seats.get(run.pk, ())), run.pk in extended) for run in runs}

    def _places(self, run: StepRun, spec: ActSpec, party: Party) -> bool:
        """Whether the case has been given to the seat of a party, for that act."""
        if self.seats is None or party.role not in self.by or spec.name == "task.withdrawn":
            return True
        seats = self.glance(run).seats
        if spec.name in LEADS:
            return party.seat == seats[0] if seats else False
        return party.seat in seats[1:]

    def able(self, spec: ActSpec, run: StepRun, parties: tuple[Party, ...]) -> tuple[Party, ...]:
        """Those whom the case has been given to."""
        if spec.name in LEADS:
            parties = super().able(spec, run, parties)
        return tuple(party for party in parties if self._places(run, spec, party))

    def unable(self, spec: ActSpec, run: StepRun, parties: tuple[Party, ...]) -> Words:
        """It has been given to others; or they did the step that this one checks."""
        placed = any(self._places(run, spec, party) for party in parties)
        return super().unable(spec, run, parties) if placed else ELSEWHERE

    def _require_place(self, doing: Act) -> None:
        if not self._places(doing.open_run, doing.spec, doing.party):
            raise refuse(ELSEWHERE, code="wrong_party")

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Only what the step has, and an extension only once and in time."""
        if spec.name == "term.extended":
            if self.extension is None or run.ends_at is None or clock.now() >= run.ends_at:
                return False
            return not self.glance(run).extended
        if spec.name == "part.done":
            return len(self.glance(run).seats) > 1
        if spec.name == "task.withdrawn":
            return "withdrawn" in self.outcomes_to
        return super().offered(spec, run)

    @property
    def beginning_looks(self) -> bool:
        """For the procedure's own term, and its seats."""
        return self.term_by is not None or self.seats is not None or super().beginning_looks

    def in_charge(self, case: Case) -> str:
        """The seat that leads, where there are seats."""
        seats = self.seats([case]).get(case.pk, ()) if self.seats is not None else ()
        return f"{self.by[0]}:{seats[0]}" if seats and seats[0] else super().in_charge(case)

    @property
    def charged(self) -> list[str]:
        """Every seat that has a name."""
        if self.seats is None:
            return super().charged
        return [f"{self.by[0]}:{seat}" for seat in seats_of(self.by[0])] or super().charged

    # --- acts
    @act("task.done", title=_("办理"), by="by", form="task_form")
    def do(self, doing: Act) -> Written:
        """By the leading unit."""
        self._require_place(doing)
        return super().do(doing)

    def act_title(self, spec: ActSpec, query: Any) -> Words:
        """The task is called what it is about; the other acts have names of their own."""
        return super().act_title(spec, query) if spec.name == "task.done" else spec.title

    @staticmethod
    def _extension_refused(run: StepRun, now: dt.datetime) -> Words:
        if run.ends_at is None or now >= run.ends_at:
            return _("期限已经届满，不能再延长。")
        if Record.objects.filter(run=run, act="term.extended").exists():
            return _("只能延期一次。")
        return ""

    @act("term.extended", title=_("延长期限"), by="by", form=ExtensionForm, optional=True)
    def extend(self, doing: Act) -> Written:
        """Extend the term once, before it has ended, with a published reason."""
        run = doing.open_run
        self._require_place(doing)
        if self.extension is None:
            raise refuse(_("本环节不能延期。"))
        why = self._extension_refused(run, doing.at)
        if why:
            raise refuse(why)
        assert run.ends_on is not None
        before, more = run.ends_on, terms.WorkingDays(doing.data["days"])
        later = terms.extend(terms.parse(run.term), deadline_of(run), more, calendars.current())
        run.ends_on, run.ends_at = later.ends_on, later.ends_at
        run.term_rule, run.provisional = later.rule, later.provisional
        run.phase = ""
        self._watch(run)
        run.save()
        body = {**term_body(run), "before": before.isoformat(), "reason": doing.data["reason"]}
        return Written({**body, "days": more.n})

    @act("part.done", title=_("提交协办情况"), by="by", form=PartForm, optional=True)
    def part(self, doing: Act) -> Written:
        """A unit beside the leading one hands its part to it."""
        self._require_place(doing)
        return Written({"seat": doing.party.seat}, {"note": doing.data["note"]})

    @act("task.withdrawn", title=_("撤回"), by="withdrawers", form=TakingBackForm, optional=True)
    def withdraw(self, doing: Act) -> Written:
        """Whoever asked takes it back."""
        if "withdrawn" not in self.outcomes_to:
            raise refuse(_("现在不能撤回。"))
        return Written(outcome="withdrawn")
