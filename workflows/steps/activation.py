"""What viewflow does with a run of a step: opens it, completes it, follows its outcome's edge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from viewflow.workflow.activation import Activation
from viewflow.workflow.status import STATUS

from .. import clock, records
from ..holding import in_hand
from ..models.case import StepRun
from ..statements import updating


class StepActivation(Activation):
    """Opens a step, completes it with its outcome, and follows that outcome's edge."""

    type = "step"

    def __init__(self, task: StepRun) -> None:
        held = in_hand(task.process_id)
        if held is not None:
            task.process = held
        super().__init__(task)

    @Activation.status.transition(source=STATUS.NEW, target=STATUS.STARTED)
    def activate(self) -> None:
        """Open the step: its term begins, and a record says so."""
        self.flow_task.begin(self.task, clock.now())

    @classmethod
    def create(
        cls,
        flow_task: Any,
        prev_activation: Activation,
        token: Any,
        data: Any = None,
        seed: Any = None,
    ) -> StepActivation:
        """A run that `Step.begin` will store when its term is set: viewflow would store it twice
        before."""
        task = StepRun(
            process=prev_activation.process,
            flow_task=flow_task,
            flow_task_type=flow_task.task_type,
            name=flow_task.name,
            token=token,
            data=data or {},
        )
        task.came_from = prev_activation.task
        return cls(task)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)  # viewflow's own is that of the task, which has no key yet

    # Not `complete`: viewflow completes on the spot whatever can be completed once activated.
    @Activation.status.transition(source=STATUS.STARTED, target=STATUS.DONE)
    def close(self) -> None:
        """Close the run; `acts.finish` has set its outcome and its time."""
        self.task.scheduled = None
        self.process.unwritten += [updating(self.task), *self.task.recounts()]

    def finish(self) -> None:
        """Close the run and activate what follows."""
        self.close()
        self.activate_next()

    @Activation.status.transition(source=STATUS.DONE)
    def create_next(self) -> Iterator[Activation]:
        """Follow the edge of the outcome."""
        node = self.flow_task.outcomes_to[self.task.outcome]
        if not issubclass(node.activation_class, StepActivation):
            records.write(self.process)  # viewflow's own nodes look at the rows
        yield node._create(self, self.task.token)

    @Activation.status.transition(source=[STATUS.NEW, STATUS.STARTED], target=STATUS.CANCELED)
    def cancel(self) -> None:
        """Withdraw an open run (the case ends elsewhere)."""
        self.task.finished = clock.now()
        self.task.scheduled = None
        self.task.save()
