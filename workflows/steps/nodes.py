"""The nodes between steps: where a case begins, branches, meets again and ends."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils.translation import gettext_lazy as _
from viewflow import this
from viewflow.workflow import nodes
from viewflow.workflow.activation import Activation
from viewflow.workflow.status import STATUS

from .. import clock, records
from ..holding import in_hand
from ..models.case import Case, StepRun
from ..parties import Party
from .act import Words


class _OneCase:
    """Activations of gateways share the case object that the act holds."""

    def __init__(self, task: StepRun) -> None:
        held = in_hand(task.process_id)
        if held is not None:
            task.process = held
        super().__init__(task)  # type: ignore[call-arg]


class OpeningActivation(_OneCase, nodes.StartHandle.activation_class):
    """The start of a case that the door has already saved."""


class Opening(nodes.StartHandle):
    """Where a procedure begins (启动)."""

    activation_class = OpeningActivation

    def __init__(self) -> None:
        super().__init__()
        self.task_title = _("启动")
        self._declared: Any = None

    def Next(self, node: Any, **_kwargs: Any) -> Opening:
        """The first step."""
        self._declared = node
        return self

    def _resolve(self, cls: Any) -> None:
        self._next = this.resolve(cls, self._declared)


class TogetherActivation(_OneCase, nodes.Split.activation_class):
    """Opens every branch."""


class Together(nodes.Split):
    """Steps that run beside one another (并行); they meet in a `Meet`."""

    activation_class = TogetherActivation

    def __init__(self, *branches: Any) -> None:
        super().__init__()
        self.task_title = _("并行")
        self._declared = branches

    def _resolve(self, instance: Any) -> None:
        self._activate_next = [
            (this.resolve(instance, node), None, None) for node in self._declared
        ]


class MeetActivation(_OneCase, nodes.Join.activation_class):
    """Waits for every branch."""


class Meet(nodes.Join):
    """Where steps that ran beside one another meet: all must be done (汇合)."""

    activation_class = MeetActivation

    def __init__(self) -> None:
        super().__init__()
        self.task_title = _("汇合")
        self._declared: Any = None

    def Next(self, node: Any, **_kwargs: Any) -> Meet:
        """What follows when all branches are done."""
        self._declared = node
        return self

    def _resolve(self, cls: Any) -> None:
        self._next = this.resolve(cls, self._declared)


class ClosingActivation(_OneCase, nodes.End.activation_class):
    """Ends the case, with a record of how it ended."""

    @Activation.status.transition(source=STATUS.NEW)
    def activate(self) -> None:
        """Close the case."""
        now = clock.now()
        case = self.process
        self.task.started = now
        case.outcome = self.flow_task.name
        case.status = STATUS.DONE
        case.finished = now
        case.unlisted = self.flow_task.unlisted
        records.append(
            case,
            act="case.closed",
            at=now,
            party=Party.clock(),
            body={"outcome": self.flow_task.name},
        )
        case.save()
        self.flow_task.closed(case, now)


class Closing(nodes.End):
    """Where a case ends (办结), with a name for how; `unlisted` as with a `Step`."""

    activation_class = ClosingActivation

    def __init__(self, title: Words, *, good: bool = True, unlisted: bool = False) -> None:
        super().__init__()
        self.task_title = title
        self.good = good
        self.unlisted = unlisted

    def closed(self, case: Case, now: dt.datetime) -> None:
        """Tell the run that opened this case, if it is a child."""
        if case.parent_id is not None:
            from .children import child_closed

            child_closed(case, now)
