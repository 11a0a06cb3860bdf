"""Procedures of panels, ledgers, selections and meetings."""

from fractions import Fraction

from django import forms
from viewflow import this

from workflows.procedure import Procedure
from workflows.steps.ledger import Ledger
from workflows.steps.ledger_kinds import Entry, EntryForm, EntryKind, Move
from workflows.steps.meeting import Meeting
from workflows.steps.nodes import Closing, Opening
from workflows.steps.panel import Panel
from workflows.steps.panel_rules import Criterion, Score, SeatSpec
from workflows.steps.selection import Selection
from workflows.terms import Days

SHEET = (Criterion("a", "甲项", 60), Criterion("b", "乙项", 40))


class Review(Procedure):
    """A joint review of three seats."""

    code, version, number_prefix = "review", "1", "REV"
    title = "审查示例"
    opening = Opening().Next(this.panel)
    panel = (
        Panel(
            title="联合审查",
            by=("office",),
            seats=tuple(SeatSpec(code, code, "reviewer") for code in "xyz"),
            attend=Fraction(2, 3),
            score=Score(SHEET, mean_at_least=70),
            term=Days(10),
        )
        .On("approved", this.approved)
        .On("returned", this.returned)
        .On("rejected", this.rejected)
    )
    approved = Closing("通过")
    returned = Closing("退回", good=False)
    rejected = Closing("未通过", good=False)


class NoteForm(EntryForm):
    """An amount and words."""

    fen = forms.IntegerField(min_value=1)
    text = forms.CharField(max_length=50)

    def entry(self) -> Entry:
        data = self.cleaned_data
        return Entry(on=data["on"], amount=data["fen"], public={"text": data["text"]})


KIND = EntryKind(
    "fault",
    "问题",
    by=("office",),
    form=NoteForm,
    start="found",
    states={"found": "待办", "fixed": "已办"},
    moves=(Move("fixed", "办好", "found", "fixed", ("contractor",)),),
    waiting=frozenset({"found"}),
)
DUES = EntryKind(
    "dues",
    "出资",
    by=("office",),
    form=EntryForm,
    start="due",
    states={"due": "未到账", "paid": "已到账"},
    moves=(Move("paid", "到账", "due", "paid", ("office",)),),
    waiting=frozenset({"due"}),
    hidden=frozenset({"due"}),
)


class Books(Procedure):
    """Meetings, a selection, a ledger, one after another."""

    code, version, number_prefix = "books", "1", "BKS"
    title = "台账示例"
    opening = Opening().Next(this.meeting)
    meeting = Meeting(
        title="会议", by=("office",), participants=("household",), sessions_at_least=1
    ).Next(this.selection)
    selection = Selection(
        title="评选",
        by=("office",),
        participants=("household",),
        judges=("reviewer",),
        places=(2, 2),
        reserve=1,
        enrol_term=Days(5),
        term=Days(3),
    ).On("chosen", this.ledger)
    ledger = Ledger(title="台账", by=("office",), kinds=(KIND, DUES), dues="dues").Next(this.done)
    done = Closing("办结")


class Kept(Procedure):
    """A ledger and nothing else."""

    code, version, number_prefix = "kept", "1", "KPT"
    title = "台账"
    opening = Opening().Next(this.ledger)
    ledger = Ledger(title="台账", by=("office",), kinds=(KIND,)).Next(this.done)
    done = Closing("办结")
