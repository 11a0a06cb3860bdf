"""Children (子事项): a step that is done by cases of another procedure, one for each lot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..acts import Act, Written
from ..models.case import Case, StepRun
from ..parties import Party
from .act import ActForm, Words, act, refuse
from .base import Step
from .nodes import Closing
from .opinion_forms import PublicText


@dataclass(frozen=True, slots=True)
class LotSpec:
    """One lot (标段): its code and what people call it."""

    code: str
    title: Words


class ReopenForm(ActForm):
    """Which lot is tried again, and why."""

    lot = forms.ChoiceField(label=_("标段"), widget=forms.RadioSelect)
    reason = PublicText(label=_("原因（将公开）"), max_length=300, meaning=False)

    def setup(self) -> None:
        """The lots of the step."""
        step: Children = self.act.open_run.step
        field: Any = self.fields["lot"]
        field.choices = [(lot.code, lot.title) for lot in step.lots.values()]


class Children(Step):
    """Opens a child case of `procedure` for each of `lots`; done when each has ended well.

    A child that ended badly is tried again by ``lot.reopened``. The child is locked before its
    parent, and a parent never locks a child that exists, so the two cannot wait for one another.
    """

    kind = "children"

    def __init__(
        self, *, title: Words, procedure: str, lots: Iterable[LotSpec], **kwargs: Any
    ) -> None:
        super().__init__(title=title, **kwargs)
        self.procedure = procedure
        self.lots = {lot.code: lot for lot in lots}

    @property
    def codes(self) -> dict[str, Words]:
        """The lots, and how their cases may end."""
        lots = {lot.code: lot.title for lot in self.lots.values()}
        return {**endings(self.procedure), **lots}

    def opened(self, run: StepRun, now: dt.datetime) -> dict[str, Any]:
        """Open the child cases."""
        run.save()
        return {"lots": {lot.code: self._open(run, lot, now).number for lot in self.lots.values()}}

    def _open(self, run: StepRun, lot: LotSpec, now: dt.datetime) -> Case:
        return open_child(run, self.procedure, lot.code, lot.title, now)

    @act("child.closed", title=_("标段办结"), by=("clock",), page=False)
    def close_child(self, doing: Act) -> Written:
        """A child case has ended; the step is done when every lot has ended well."""
        number = doing.payload["number"]
        child = Case.objects.get(number=number, parent=doing.run)
        return Written(
            {"lot": child.lot, "number": child.number, "outcome": child.outcome}, settle=True
        )

    @act("lot.reopened", title=_("重新发起标段"), by="by", form=ReopenForm)
    def reopen(self, doing: Act) -> Written:
        """Open a lot again whose case has ended badly."""
        run, lot = doing.open_run, self.lots[doing.data["lot"]]
        latest = run.child_cases.filter(lot=lot.code).order_by("-pk").first()
        if latest is not None and (latest.finished is None or ended_well(latest)):
            raise refuse(
                _("该标段正在办理或者已经办成，不能重新发起。"), field="lot", code="duplicate"
            )
        child = self._open(run, lot, doing.at)
        return Written({"lot": lot.code, "number": child.number, "reason": doing.data["reason"]})

    def offered(self, spec: Any, run: StepRun) -> bool:
        """Reopening only where a lot has ended badly."""
        if spec.name != "lot.reopened":
            return True
        return any(child.finished and not ended_well(child) for child in self.latest(run).values())

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """The newest child case of each lot."""
        found: dict[int, dict[str, Case]] = {run.pk: {} for run in runs}
        for child in Case.objects.filter(parent__in=runs).order_by("pk"):
            assert child.parent_id is not None
            found[child.parent_id][child.lot] = child
        return found

    def latest(self, run: StepRun) -> dict[str, Case]:
        """The newest child case of each lot."""
        found: dict[str, Case] = self.glance(run)
        return found

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """Done when the newest case of every lot has ended well."""
        latest = self.latest(run)
        good = all(code in latest and ended_well(latest[code]) for code in self.lots)
        return "done" if good else None

    def unmet(self, run: StepRun) -> list[Words]:
        """The lots that have not ended well."""
        latest = self.latest(run)
        return [
            _("%(lot)s尚未定标") % {"lot": lot.title}
            for code, lot in self.lots.items()
            if code not in latest or not ended_well(latest[code])
        ]

    def page(self, run: StepRun) -> dict[str, Any]:
        """The child cases, newest last."""
        return {"children": list(run.child_cases.select_related("community").order_by("pk"))}


def open_child(run: StepRun, code: str, lot: str, title: Words, now: dt.datetime) -> Case:
    """Open a case of the procedure `code` as a child of `run`, within the act at hand."""
    from .. import acts, procedure

    parent = run.process
    return acts.open_case(
        procedure.current(code, timezone.localtime(now).date()),
        parent.community,
        Party.clock(),
        title=f"{parent.title}·{title}"[:120],
        parent=run,
        lot=lot,
        demo=parent.demo,
    )


def endings(code: str) -> dict[str, Words]:
    """How cases of a procedure may end, with what people read, over all its versions."""
    from .. import procedure

    nodes = [node for each in procedure.versions(code) for node in each._nodes_by_name.values()]
    return {node.name: node.task_title for node in nodes if isinstance(node, Closing)}


def ended_well(case: Case) -> bool:
    """Whether a case has reached a good end."""
    node = case.declared._nodes_by_name.get(case.outcome)
    return case.finished is not None and bool(getattr(node, "good", False))


def child_closed(case: Case, now: dt.datetime) -> None:
    """Tell the run that opened `case`; called within the act that closes it."""
    from .. import acts

    run = StepRun.objects.get(pk=case.parent_id)
    if run.is_open:
        acts.perform(
            run.process_id, run.name, "child.closed", Party.clock(), {"number": case.number}
        )
