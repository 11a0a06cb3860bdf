"""What all steps have in common: a viewflow node that takes acts while it is open.

A step stays open (viewflow status STARTED) until its `settle` names an outcome; the door then
completes it and viewflow moves the token along the edge of that outcome. Acts that settle nothing
(an opinion, a vote) never touch viewflow's graph.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connection
from django.db.models import Count, QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from viewflow import this
from viewflow.workflow.base import Edge, Node

from .. import calendars, clock, law, records, terms
from ..acts import Act
from ..models.case import Case, StepRun
from ..models.record import Record
from ..parties import Party, own_roles
from ..statements import Question, inserting, next_key, slot
from .act import ActForm, ActSpec, Roles, Words
from .activation import StepActivation
from .run_terms import RunTerms, term_body

if TYPE_CHECKING:
    from ..doors import Kind

NOTHING: Mapping[str, Any] = MappingProxyType({})
SHOWN = 100
"""How many waiting rows a page lists at once to those who work through them."""


_BEFORE = Question(
    lambda: (
        StepRun.objects.filter(
            process=slot("case", StepRun, "process"), name=slot("name", StepRun, "name")
        )
        .order_by()
        .values("process")
        .annotate(n=Count("pk"))
        .values_list("n")
    )
)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What an act has read for a run that it is about to open, where it can be asked beforehand.

    `run` is the key of the run, `rounds` how often the step was open before.
    """

    step: Step
    run: int
    rounds: int
    calendar: terms.TableCalendar


def _count(rows: list[Any]) -> int:
    """The one number that `_BEFORE` answers, or none."""
    return rows[0][0] if rows else 0


class Step(RunTerms, Node):
    """A step of a procedure (环节): base of the step library.

    `title` is what people read; `by` the roles that handle the step, `participants` those who take
    part. `term` is the statutory or declared period; an office may set another one at opening
    within `adjustable` (least, most), or it is that of a rule of law on the day it begins.
    `unlisted`: while a case stands there it is in no public list (`Case.unlisted`).
    `source` says where the step and its numbers come from; `laws` names the rules of law by which
    what is done here is decided (see `workflows.law`).
    """

    activation_class = StepActivation
    task_type = "STEP"
    kind: ClassVar[str] = "task"
    """Names the templates of the step: ``steps/<kind>.html``."""
    outcomes: ClassVar[dict[str, Words]] = {"done": _("完成")}
    """Outcome codes of this kind of step, with what people read."""
    optional_outcomes: ClassVar[frozenset[str]] = frozenset()
    """Outcomes that a procedure need not lead anywhere, since the step then does not have them."""
    outcome_names: dict[str, Words]
    explained: Words = ""
    """What this kind of step is for, in a sentence, where the procedure says no more."""
    rating: Mapping[str, bool] = NOTHING
    """Outcomes by which whoever was served says how content they are: whether they are."""
    paged: ClassVar[str] = ""
    """Names the entry of `page` that grows without bound: the page shows it piece by piece."""
    acts: ClassVar[dict[str, ActSpec]] = {}
    bpmn_element = "userTask"
    shape: ClassVar = {
        "width": 150,
        "height": 80,
        "text-align": "middle",
        "svg": '<rect class="task" width="150" height="80" rx="6" ry="6"/>',
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = [value for base in reversed(cls.__mro__) for value in vars(base).values()]
        specs = [value.act_spec for value in declared if hasattr(value, "act_spec")]
        cls.acts = {spec.name: spec for spec in specs}

    def __init__(
        self,
        *,
        title: Words,
        by: Iterable[str] = (),
        participants: Iterable[str] = (),
        term: terms.AnyTerm | law.ByLaw | None = None,
        adjustable: tuple[terms.AnyTerm, terms.AnyTerm] | None = None,
        deadline: Callable[[Case, terms.Calendar], terms.Deadline] | None = None,
        source: Words = "",
        laws: Iterable[str] = (),
        summary: Words = "",
        unlisted: bool = False,
    ) -> None:
        super().__init__()
        self.task_title = title
        self.title = title
        self.summary = summary or self.explained
        self.by: Roles = tuple(by)
        self.participants: Roles = tuple(participants)
        self.declared_term = term
        self.laws = tuple(laws)
        self.adjustable = adjustable
        self.deadline = deadline
        self.unlisted = unlisted
        self.source = source
        self.outcome_names = dict(self.outcomes)
        self._declared: dict[str, Any] = {}
        self.outcomes_to: dict[str, Node] = {}

    # --- declaring
    def On(self, outcome: str, node: Any, title: Words | None = None) -> Step:
        """Where `outcome` leads; `title` names it where the step's own word does not fit."""
        self._declared = {**self._declared, outcome: node}
        if title is not None:
            self.outcome_names = {**self.outcome_names, outcome: title}
        return self

    def Next(self, node: Any) -> Step:
        """Where the step leads when it is done."""
        return self.On("done", node)

    def _resolve(self, instance: Any) -> None:
        # By name, and from what was declared: a version that inherits a step gets its own graph.
        self.outcomes_to = {
            outcome: this.resolve(instance, node) for outcome, node in self._declared.items()
        }

    def _outgoing(self) -> Iterator[Edge]:
        single = len(self.outcomes_to) == 1
        for outcome, node in self.outcomes_to.items():
            label = None if single else str(self.outcome_names.get(outcome, outcome))
            yield Edge(src=self, dst=node, edge_class="next", label=label)

    # --- what subclasses answer
    def opened(self, run: StepRun, now: dt.datetime) -> dict[str, Any]:
        """Make the rows that the step begins with; returns what its opening record adds."""
        return {}

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """The outcome that the run has now come to, or None while it stays open."""
        return None

    def unmet(self, run: StepRun) -> list[Words]:
        """What still stands in the way of completion, in words for people."""
        return []

    def result(self, run: StepRun) -> dict[str, Any]:
        """What the completing record says beyond the outcome."""
        return {}

    def term_ended(self, run: StepRun, now: dt.datetime) -> str | None:
        """Also when the scheduled moment comes it is done once nothing is unmet."""
        return self.settle(run, now)

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Whether an act makes sense in the run's phase; the page then offers it. Not a guard."""
        return True

    ends_with_term: ClassVar[frozenset[str]] = frozenset()
    """Acts that refuse by themselves what comes after the step's term, since not all of it is late
    (paper): their pages say until when."""

    def taken_until(self, spec: ActSpec, run: StepRun) -> dt.date | None:
        """Until when an act is taken, where that is the term of the step; for its page."""
        return run.ends_on if spec.in_term or spec.name in self.ends_with_term else None

    def able(self, spec: ActSpec, run: StepRun, parties: tuple[Party, ...]) -> tuple[Party, ...]:
        """Those of the `parties` for whom an act makes sense now (who has not yet signed). The page
        then offers it. Not a guard."""
        return parties

    def unable(self, spec: ActSpec, run: StepRun, parties: tuple[Party, ...]) -> Words:
        """Why none of the `parties` is able, for who opens the page of the act all the same."""
        return _("这一项现在不由您办理：您已经办理过，或者须由别人办理。")

    @property
    def codes(self) -> dict[str, Words]:
        """What people read for the codes that this step's records hold (its seats, lots, items)."""
        return {}

    @property
    def labels(self) -> dict[str, Words]:
        """What people read for the names of fields of this step's records, where it has words of
        its own; they go before the words for all records."""
        return {}

    def grounds(self, run: StepRun) -> list[str]:
        """Why a finished run came to its outcome, where the next step must know (what failed, which
        objection is right); all of it public."""
        return []

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """What `offered`, `able`, `waiting`, `unmet` and `next_due` go by, for many runs of this
        kind of step at once: by the run's key, in a constant number of queries."""
        return {}

    def glance(self, run: StepRun) -> Any:
        """The same of one run: what `look_at` has read beforehand for a page, else read now."""
        return self.glances([run])[run.pk] if run.glance is None else run.glance

    def handed(self, child: Case) -> dict[str, Any]:
        """What a child case that a run has opened is about: `document` (words by name) and `files`,
        all of it public."""
        return {}

    def to_come(self, run: StepRun) -> list[str]:
        """What whoever wants to be there must know: when and where; the page of the case says it
        and reads it out."""
        return []

    def waiting(self, run: StepRun, roles: set[str]) -> list[Words]:
        """What waits for those roles besides the acts that have buttons, in numbers; the inbox
        says it."""
        return []

    def next_due(self, run: StepRun) -> dt.date | None:
        """The soonest day within the run by which something must be done (an objection decided);
        None where the run's own term is all there is."""
        return None

    @classmethod
    def late(cls, runs: Sequence[StepRun]) -> Mapping[int, dt.date]:
        """Of open runs of this kind of step, those in which a day has passed by which something had
        to be done that is neither the run's own term nor an objection's, and that day; by the run's
        key. A constant number of queries."""
        return {}

    def roster(self, run: StepRun) -> Mapping[str, Words]:
        """Who stands how, for previews, which list whom an act would change; may hold clear values.
        For those who may do the act; a constant number of queries."""
        return {}

    @classmethod
    def became(cls, records: Sequence[Record]) -> Mapping[int, Any]:
        """What became of what was handed in by acts of this kind of step, by the record's key (see
        `answers.Following`): for whoever handed it in. A constant number of queries."""
        return {}

    def page(self, run: StepRun) -> dict[str, Any]:
        """What the public page of a run shows; a constant number of queries."""
        return {}

    def mine(self, run: StepRun, parties: Sequence[Party]) -> dict[str, Any]:
        """What the page of a run shows of those `parties` to themselves alone."""
        return {}

    @property
    def desk_roles(self) -> Roles:
        """Who sees the working part of the step's page."""
        return self.by

    def door_kinds(self, run: StepRun) -> list[Kind]:
        """The forms that an open run has for every household now (see `doors`)."""
        return []

    def answered(self, run: StepRun, name: str, key: str) -> bool:
        """Whether a household's answer by that act stands already; asked by `doors.take`."""
        return Record.objects.filter(run=run, act=name, trace__party_key=key).exists()

    def variants(self, spec: ActSpec, run: StepRun, roles: set[str]) -> list[tuple[str, Words]]:
        """The buttons of an act: query string and words; more than one where an act has kinds."""
        return [("", spec.title)]

    def act_title(self, spec: ActSpec, query: Any) -> Words:
        """What the page of an act is called; `query` is what it was asked for, or sent."""
        return spec.title

    def prefill(self, doing: Act, query: Any) -> dict[str, Any]:
        """What the form of an act begins with; `query` is the page's query string (a QueryDict)."""
        return {name: query.get(name) for name in query if name != "paper"}

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """What the page of an act shows beside its form (papers to sign, opinions to answer);
        `query` is the page's query string. For those who may do the act; may hold clear values."""
        return {}

    def desk(
        self, run: StepRun, roles: set[str] | None = None, query: Mapping[str, str] = NOTHING
    ) -> dict[str, Any]:
        """What those who handle the step see besides; may hold clear values. Moves are those that
        the `roles` may make (None: whoever's). `query` is the page's (``find``: a room)."""
        return {}

    def faults(self) -> Iterator[str]:
        """What is wrong with how the step is declared, in words for the procedure's author."""
        if not self.title:
            yield "no title"
        for outcome in self.outcomes:
            if outcome not in self.outcomes_to and outcome not in self.optional_outcomes:
                yield f"the outcome {outcome!r} leads nowhere"
        if not self.by:
            yield "nobody handles it"
        try:
            self.rules(clock.now())
        except LookupError as error:
            yield str(error.args[0])

    def form_for(self, spec: ActSpec, doing: Act) -> type[ActForm] | None:
        """The form class of an act."""
        if isinstance(spec.form, str):
            return getattr(self, spec.form)(doing)
        return spec.form

    @cached_property
    def roles(self) -> frozenset[str]:
        """Everybody who may have a part in the step."""
        named = [getattr(self, s.by) if isinstance(s.by, str) else s.by for s in self.acts.values()]
        return frozenset(role for roles in (*named, self.desk_roles) for role in roles)

    def in_charge(self, case: Case) -> str:
        """Whose term a run that begins now is (`StepRun.held_by`): who handles it first of all."""
        first = self.by[0] if self.by else ""
        return "" if first in own_roles() else first

    @property
    def charged(self) -> list[str]:
        """All that `in_charge` may answer."""
        first = self.by[0] if self.by else ""
        return [] if not first or first in own_roles() else [first]

    def allowed(self, spec: ActSpec, case: Case) -> Roles:
        """The roles that may do an act."""
        roles = getattr(self, spec.by) if isinstance(spec.by, str) else spec.by
        return tuple(roles)

    # --- rules of law
    @property
    def lawful_terms(self) -> tuple[law.ByLaw, ...]:
        """The terms here that rules of law fix."""
        return (self.declared_term,) if isinstance(self.declared_term, law.ByLaw) else ()

    def rules(self, at: dt.date) -> list[law.Rule]:
        """The rules of law that the step stands on, as they were at that day or moment."""
        codes = [*(term.code for term in self.lawful_terms), *self.laws]
        return [law.rule(code, at) for code in dict.fromkeys(codes)]

    def decided_at(self, run: StepRun) -> dt.datetime:
        """The moment that chooses the rules for a run: its term's beginning."""
        return run.started or clock.now()

    def begin(self, run: StepRun, now: dt.datetime) -> None:
        """Open a run: number the round, start the term, write the opening record."""
        case = run.process
        if case.unlisted != self.unlisted:
            case.unlisted = self.unlisted
            case.save(update_fields=["unlisted"])
        ahead = case.ahead if case.ahead is not None and case.ahead.step is self else None
        if self.beginning_looks:
            records.write(case)
        run.started = now
        run.held_by = self.in_charge(case)
        rounds = ahead.rounds if ahead else _count(_BEFORE.ask(case=case.pk, name=self.name))
        run.round = 1 + rounds
        term = self.term_in(case, now)
        if term is not None:
            self.start_term(run, term, now)
        self._store(run, ahead)
        stored = {**vars(run), "data": copy.deepcopy(run.data)}
        body = self.opened(run, now)
        if not run._state.adding and vars(run) != stored:
            run.save()
        records.append(
            case,
            act="step.opened",
            at=now,
            party=Party.clock(),
            body={**term_body(run), **self.term_law(now), **body},
            run=run,
        )

    def _store(self, run: StepRun, ahead: Ahead | None) -> None:
        """Store a new run, and which run it came from; later with the rest, where its key is known
        and nothing of the opening looks at it."""
        case = run.process
        if ahead is not None:
            run.pk = ahead.run
            case.unwritten.append(run)
        else:
            records.write(case, inserting(run, returning=True))
        path = StepRun.previous.through(from_steprun_id=run.pk, to_steprun_id=run.came_from.pk)
        case.unwritten.append(path)
        if self.opening_looks:
            records.write(case)

    @property
    def beginning_looks(self) -> bool:
        """Whether the term, or who is in charge, is found by what the database holds: also by the
        run that has just ended, which is then written before."""
        return self.deadline is not None

    @property
    def opening_looks(self) -> bool:
        """Whether `opened` looks at what the database holds, or adds to it."""
        return type(self).opened is not Step.opened

    def look_ahead(self, case: Case, outcome: str) -> None:
        """Write what has been done, and in the same message ask for what is needed to open the step
        where `outcome` leads: the keys of its run and of two records, its rounds, the calendar."""
        node = self.outcomes_to[outcome]
        if not isinstance(node, Step) or connection.vendor != "postgresql":
            records.write(case)
            return
        keys, [run], before, calendar = records.write(
            case,
            next_key(Record, 2),  # that this step is done, and that the next one is open
            next_key(StepRun),
            _BEFORE.with_values(case=case.pk, name=node.name),
            calendars.asked(),
        )
        case.keys.extend(key for (key,) in keys)
        case.ahead = Ahead(node, run[0], _count(before), calendar)


def look_at(runs: Iterable[StepRun]) -> None:
    """Read beforehand, kind by kind, what a page asks of many runs. For pages alone: an act needs
    what holds now."""
    kinds: dict[type[Step], list[StepRun]] = defaultdict(list)
    for run in runs:
        if isinstance(run.flow_task, Step):
            kinds[type(run.flow_task)].append(run)
    for kind, of_kind in kinds.items():
        found = kind.glances(of_kind)
        for run in of_kind:
            run.glance = found.get(run.pk)


def counted_by_run(rows: QuerySet[Any], field: str) -> dict[int, dict[Any, int]]:
    """How many rows have each value of a field, run by run; one query."""
    found: dict[int, dict[Any, int]] = defaultdict(dict)
    for run, value, n in rows.order_by().values_list("run", field).annotate(n=Count("pk")):
        found[run][value] = n
    return found
