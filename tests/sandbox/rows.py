"""Steps in a row: by this engine and by viewflow alone, for the benchmark of moves; and such as
look at the step before."""

from typing import Any

from viewflow import this
from viewflow.workflow import flow
from viewflow.workflow.base import Flow

from workflows import clock
from workflows.models import Case, StepRun
from workflows.procedure import CaseLock, Procedure
from workflows.steps.handling import Handling
from workflows.steps.nodes import Closing, Opening
from workflows.steps.task import Task
from workflows.terms import Calendar, Days, Deadline, end_of


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


def by_the_step_before(case: Case) -> Days:
    """A term that goes by what the step before came to; the run tells, once it is stored."""
    before = case.runs.get(name="first")
    return Days(3 if before.outcome == "done" else 9)


def later(case: Case, calendar: Calendar) -> Deadline:
    """The same for a deadline of the procedure's own."""
    before = case.runs.get(name="second")
    return end_of(Days(4 if before.outcome == "done" else 9), clock.today(), calendar)


class Looking(Procedure):
    """Steps whose terms are found by what the step before came to."""

    code, version, number_prefix = "bench_look", "1", "BLK"
    title = "前后"
    opening = Opening().Next(this.first)
    first = task("一").Next(this.second)
    second = Handling(title="二", by=("office",), term_by=by_the_step_before).Next(this.third)
    third = Task(title="三", by=("office",), term=Days(7), deadline=later).Next(this.done)
    done = Closing("办结")
