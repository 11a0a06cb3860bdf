"""Five steps in a row, by this engine and by viewflow alone: for the benchmark of moves."""

from typing import Any

from viewflow import this
from viewflow.workflow import flow
from viewflow.workflow.base import Flow

from workflows.models import Case, StepRun
from workflows.procedure import CaseLock, Procedure
from workflows.steps.nodes import Closing, Opening
from workflows.steps.task import Task
from workflows.terms import Days


def task(number: str) -> Task:
    """A step of the procedure that is timed."""
    return Task(title=number, by=("office",), term=Days(7))


class Row(Procedure):
    """Five tasks in a row, each with a term."""

    code, version, number_prefix = "bench_row", "1", "BRW"
    title = "一行"
    opening = Opening().Next(this.one)
    one = task("一").Next(this.two)
    two = task("二").Next(this.three)
    three = task("三").Next(this.four)
    four = task("四").Next(this.five)
    five = task("五").Next(this.done)
    done = Closing("办结")


class Bare(Flow):
    """The same by viewflow's own nodes."""

    process_class = Case
    task_class = StepRun
    lock_impl = CaseLock()

    start = flow.StartHandle(this.begin).Next(this.one)
    one = flow.Handle(this.nothing).Next(this.two)
    two = flow.Handle(this.nothing).Next(this.three)
    three = flow.Handle(this.nothing).Next(this.four)
    four = flow.Handle(this.nothing).Next(this.five)
    five = flow.Handle(this.nothing).Next(this.end)
    end = flow.End()

    def begin(self, activation: Any, **row: Any) -> Any:
        """Fill in what a case must have."""
        for name, value in row.items():
            setattr(activation.process, name, value)
        return activation.process

    def nothing(self, activation: Any) -> None:
        """The work of a step."""
