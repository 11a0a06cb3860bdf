"""A procedure of tasks: the least that moves tokens."""

from django import forms
from viewflow import this

from workflows.procedure import Procedure
from workflows.steps.nodes import Closing, Meet, Opening, Together
from workflows.steps.task import Task, TaskForm
from workflows.terms import Days


class ReportForm(TaskForm):
    """A public text, a private name."""

    private_fields = ("name",)
    text = forms.CharField(max_length=2000)
    name = forms.CharField(max_length=40, required=False)


class Errand(Procedure):
    """Write, review; two checks beside one another; back when returned."""

    code, version, number_prefix = "errand", "1", "ERR"
    title = "差事"
    opening = Opening().Next(this.write)
    write = Task(title="起草", by=("office",), form=ReportForm, term=Days(5)).Next(this.checks)
    checks = Together(this.check_a, this.check_b)
    check_a = Task(title="核对甲", by=("office",)).Next(this.met)
    check_b = Task(title="核对乙", by=("reviewer",)).Next(this.met)
    met = Meet().Next(this.decide)
    decide = (
        Task(title="决定", by=("office",), term=Days(20), adjustable=(Days(10), Days(30)))
        .On("agreed", this.agreed, "同意")
        .On("again", this.write, "重来")
    )
    agreed = Closing("办成")


class ErrandV2(Errand):
    """The same without the second check."""

    code, version, number_prefix = "errand", "2", "ERR"
    import datetime as _dt

    effective_from = _dt.date(2026, 7, 1)
    opening = Opening().Next(this.write)
    write = Task(title="起草", by=("office",), form=ReportForm, term=Days(5)).Next(this.decide)
    checks = None
    check_a = None
    check_b = None
    met = None
