"""Task (办理): one office, committee or person does one thing and says what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

from .. import clock, law
from ..acts import Act, Written
from ..models.case import Case, StepRun
from ..models.record import Trace
from ..parties import Party
from ..uploads import UploadField
from .act import ActForm, ActSpec, Words, act, choices_of, refuse
from .base import NOTHING, Step

OTHER_THAN = "other_than"
"""Where a run keeps who may not do it; private."""
OTHER_PERSON = _("须由另一人办理：您办理了上一环节。")


class TaskForm(ActForm):
    """The least that a task asks. Procedures give forms of their own, which publish by default.

    `private_fields` enter the record as salted digests only; every other field is public.
    """

    private_fields: ClassVar[tuple[str, ...]] = ()
    keeps: ClassVar[tuple[str, ...]] = ()
    """Fields that begin with what was written the last time, where the task is done again."""

    def published(self) -> list[str]:
        """All that is written at length and is not private; numbers of papers are no one's."""
        return [
            name
            for name, field in self.fields.items()
            if isinstance(field.widget, forms.Textarea) and name not in self.private_fields
        ]

    def outcome(self) -> str | None:
        """The outcome that the answers mean; None leaves the choice to the ``outcome`` field."""
        return None

    def fact(self) -> models.Model | None:
        """Write what the task leaves besides its record; asked for once, within the act."""
        return None

    def public(self) -> dict[str, Any]:
        """What the record says: every field that is not private, as JSON without floats."""
        return {
            name: plain(value)
            for name, value in self.cleaned_data.items()
            if name not in (*self.private_fields, "chosen")
            and not isinstance(self.fields[name], UploadField)
            and value not in (None, "", [])
        }


class NoteForm(TaskForm):
    """A note on what was done."""

    note = forms.CharField(
        label=_("办理情况"), max_length=2000, widget=forms.Textarea(attrs={"rows": 6})
    )


def plain(value: Any) -> Any:
    """A form's value as JSON holds it: exact numbers as strings, dates in ISO form."""
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    return str(value)


class Task(Step):
    """One party of `by` does it, once, with the form of the procedure.

    With more than one outcome declared, the form asks which (with the words of `On`). `other_than`
    names a step whose last doer may not do this one (a second person checks). `on_term` is the
    outcome when the term runs out before it is done; without one it is overdue and stays open.
    `rating` says of outcomes whether who chose them is content with what was done before.
    """

    kind = "task"
    optional_outcomes = frozenset({"done"})

    def __init__(
        self,
        *,
        title: Words,
        form: type[TaskForm] = NoteForm,
        other_than: str = "",
        on_term: str = "",
        rating: Mapping[str, bool] = NOTHING,
        **kwargs: Any,
    ) -> None:
        super().__init__(title=title, **kwargs)
        self.form = form
        self.other_than = other_than
        self.on_term = on_term
        self.rating = rating

    def opened(self, run: StepRun, now: dt.datetime) -> dict[str, Any]:
        """Note whom a second person must differ from."""
        if self.other_than:
            run.data = {OTHER_THAN: self._doer(run.process)}
        return {}

    @property
    def opening_looks(self) -> bool:
        """Only for who did the step that it checks."""
        return bool(self.other_than) or type(self).opened is not Task.opened

    def _doer(self, case: Case) -> list[Any]:
        """The account and the key of who last did the step that this one checks."""
        done = Trace.objects.filter(
            record__case=case, record__step=self.other_than, record__act="task.done"
        ).order_by("-record__seq")
        return list(done.values_list("user_id", "party_key").first() or ())

    def able(self, spec: ActSpec, run: StepRun, parties: tuple[Party, ...]) -> tuple[Party, ...]:
        """Not whoever did the step that this one checks."""
        return tuple(party for party in parties if not self._same(run, party))

    def unable(self, spec: ActSpec, run: StepRun, parties: tuple[Party, ...]) -> Words:
        """They did the step that this one checks."""
        return OTHER_PERSON

    @staticmethod
    def _same(run: StepRun, party: Party) -> bool:
        user, key = run.data.get(OTHER_THAN) or (None, None)
        return party.key == key or (user is not None and party.user_id == user)

    def term_ended(self, run: StepRun, now: dt.datetime) -> str | None:
        """Go on with the outcome for that case, if there is one."""
        return self.on_term or None

    def faults(self) -> Iterator[str]:
        """Also: names of outcomes and steps that are none."""
        yield from super().faults()
        if self.on_term and self.on_term not in self.outcomes_to:
            yield f"the outcome {self.on_term!r} leads nowhere"
        for outcome in self.rating:
            if outcome not in self.outcomes_to:
                yield f"the outcome {outcome!r} of the rating leads nowhere"
        if self.other_than and self.other_than not in self.flow_class._nodes_by_name:
            yield f"there is no step {self.other_than!r}"

    @property
    def codes(self) -> dict[str, Words]:
        """The choices of its form."""
        return choices_of(self.form)

    @property
    def labels(self) -> dict[str, Words]:
        """As its form has them."""
        return dict(self.form.labels)

    def task_form(self, _doing: Act) -> type[ActForm]:
        """The procedure's form, with the choice of outcome where there is one."""
        given = [code for code in self.outcomes_to if code != self.on_term]
        if len(given) < 2 or self.form.outcome is not TaskForm.outcome:
            return self.form
        choices = [(code, self.outcome_names.get(code, code)) for code in given]
        field = forms.ChoiceField(label=_("办理结果"), choices=choices, widget=forms.RadioSelect)
        return type(f"{self.form.__name__}WithOutcome", (self.form,), {"chosen": field})

    @act("task.done", title=_("办理"), by="by", form="task_form")
    def do(self, doing: Act) -> Written:
        """Write down what was done and go on with its outcome."""
        form: TaskForm = doing.form
        if self._same(doing.open_run, doing.party):
            raise refuse(OTHER_PERSON, code="wrong_party")
        fact = form.fact()
        outcome = form.outcome() or doing.data.get("chosen") or next(iter(self.outcomes_to))
        body = form.public()
        private = {n: plain(doing.data[n]) for n in form.private_fields if doing.data.get(n)}
        run = doing.open_run
        run.data = {**run.data, **body}  # stored with its end
        said = {**body, **law.named(*self.rules(doing.at)), "outcome": outcome}
        return Written(said, private, fact, outcome=outcome)

    def decided_at(self, run: StepRun) -> dt.datetime:
        """A task is decided when it is done."""
        return run.finished or clock.now()

    def act_title(self, spec: ActSpec, query: Any) -> Words:
        """A task is called what it is about."""
        return self.title

    def prefill(self, doing: Act, query: Any) -> dict[str, Any]:
        """What was written last time, for the fields that the form `keeps`."""
        begun = super().prefill(doing, query)
        last = self._last(doing.run)
        data = last.data if last is not None else {}
        return {**{name: data[name] for name in self.form.keeps if name in data}, **begun}

    def _last(self, run: StepRun | None) -> StepRun | None:
        if run is None or not self.form.keeps:
            return None
        before = StepRun.objects.filter(process_id=run.process_id, name=run.name, pk__lt=run.pk)
        return before.order_by("-pk").first()

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """The step that led here, its outcome, and why."""
        finished = StepRun.objects.filter(
            process_id=run.process_id, pk__lt=run.pk, finished__isnull=False
        ).exclude(outcome="")
        for before in finished.order_by("-finished", "-pk")[:12]:
            before.process = run.process
            step: Any = before.flow_task
            outcomes = getattr(step, "outcomes_to", {})
            if outcomes.get(before.outcome) is run.flow_task:
                return {
                    "before": before,
                    "title": step.title,
                    "outcome": step.outcome_names.get(before.outcome, before.outcome),
                    "grounds": step.grounds(before),
                }
        return {}

    def unmet(self, run: StepRun) -> list[Words]:
        """The task itself."""
        return [_("尚未办理")]
