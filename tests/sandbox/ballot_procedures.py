"""Procedures with a ballot, and with children."""

from viewflow import this

from workflows.procedure import Procedure
from workflows.steps.ballot import Ballot
from workflows.steps.children import Children, LotSpec
from workflows.steps.nodes import Closing, Opening
from workflows.steps.task import Task
from workflows.terms import Days, WorkingDays


class Vote(Procedure):
    """One ballot of owners."""

    code, version, number_prefix = "vote", "1", "VOT"
    title = "表决示例"
    opening = Opening().Next(this.ballot)
    ballot = (
        Ballot(
            title="表决",
            by=("residents_committee",),
            participants=("owner",),
            notice=Days(15),
            term=Days(15),
            objections=WorkingDays(3),
            confirm_within=Days(3),
        )
        .On("carried", this.carried)
        .On("lost", this.lost)
    )
    carried = Closing("通过")
    lost = Closing("未通过", good=False)


class Assembly(Procedure):
    """One ballot of the members of a collective, without areas."""

    code, version, number_prefix = "assembly", "1", "ASM"
    title = "成员大会示例"
    community_kinds = ("village",)
    opening = Opening().Next(this.ballot)
    ballot = (
        Ballot(
            title="表决",
            by=("office",),
            participants=("member",),
            electorate="members",
            rule="members",
            notice=Days(10),
            term=Days(5),
        )
        .On("carried", this.carried)
        .On("lost", this.lost)
        .On("no_quorum", this.again)
    )
    carried = Closing("通过")
    lost = Closing("未通过", good=False)
    again = Closing("人数不足", good=False)


class Lot(Procedure):
    """A child: one task, well or badly."""

    code, version, number_prefix = "lot", "1", "LOT"
    title = "标段示例"
    listed = False
    opening = Opening().Next(this.decide)
    decide = (
        Task(title="定标", by=("office",)).On("yes", this.won, "成").On("no", this.failed, "败")
    )
    won = Closing("定标")
    failed = Closing("流标", good=False)


class Works(Procedure):
    """A parent of two lots."""

    code, version, number_prefix = "works", "1", "WRK"
    title = "两个标段"
    opening = Opening().Next(this.tender)
    tender = Children(
        title="招标", by=("office",), procedure="lot", lots=(LotSpec("a", "甲"), LotSpec("b", "乙"))
    ).Next(this.finished)
    finished = Closing("办结")
