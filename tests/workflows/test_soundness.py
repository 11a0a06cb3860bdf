"""Declared procedures are checked before anybody runs them."""

from __future__ import annotations

import pytest
from viewflow import this

from processes.renovation.procedure import Renovation
from processes.renovation.tender import Tender
from workflows.procedure import Procedure, all_declared
from workflows.soundness import faults
from workflows.steps.ballot import Ballot
from workflows.steps.nodes import Closing, Opening
from workflows.steps.panel import Panel
from workflows.steps.panel_rules import SeatSpec
from workflows.steps.task import Task
from workflows.terms import Days


def test_every_declared_procedure_is_sound():
    assert {Renovation, Tender} <= set(all_declared())
    for declared in all_declared():
        assert list(faults(declared)) == [], declared


def test_the_renovation_has_the_steps_of_the_article_in_their_order():
    names = [step.name for step in Renovation.steps()]
    course = [
        "survey",
        "apply",
        "joint_review",
        "shortlist",
        "ask_needs",
        "owner_ballot",
        "design_tender",
        "ask_plans",
        "drawings",
        "design_publicity",
        "funding",
        "contributions",
        "tender",
        "supervisors",
        "construction",
        "acceptance",
        "ask_results",
        "upkeep_ballot",
        "handover",
    ]
    assert [name for name in names if name in course] == course


class Unreachable(Procedure):
    """A step that nothing leads to."""

    title = "到不了"
    opening = Opening().Next(this.first)
    first = Task(title="甲", by=("office",)).Next(this.done)
    lost = Task(title="乙", by=("office",)).Next(this.done)
    done = Closing("办结")


class Endless(Procedure):
    """No way out."""

    title = "没有头"
    opening = Opening().Next(this.first)
    first = Task(title="甲", by=("office",)).Next(this.second)
    second = Task(title="乙", by=("office",)).Next(this.first)


class Loose(Procedure):
    """An outcome that leads nowhere, a step that nobody handles."""

    title = "悬空"
    opening = Opening().Next(this.review)
    review = Panel(title="审查", seats=(SeatSpec("a", "甲", "reviewer"),)).On("approved", this.done)
    done = Closing("办结")


class Uncounted(Procedure):
    """A ballot of villagers by no rule of theirs."""

    title = "无规则"
    opening = Opening().Next(this.first)
    first = (
        Ballot(
            title="表决",
            by=("office",),
            participants=("villager",),
            electorate="villagers",
            rule="members",
            term=Days(5),
        )
        .On("carried", this.done)
        .On("lost", this.done)
    )
    done = Closing("办结")


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (Uncounted, "no rule of law 'members' for villagers"),
        (Unreachable, "cannot be reached"),
        (Endless, "no end can be reached"),
        (Loose, "leads nowhere"),
        (Loose, "nobody handles it"),
    ],
)
def test_what_is_unsound_is_named(declared, words):
    assert any(words in fault for fault in faults(declared))
