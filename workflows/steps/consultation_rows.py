"""Rows of a consultation: what came of asking each household, and how satisfied each is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from django.db import models
from django.db.models import Count, QuerySet
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..models.case import StepRun
from ..models.record import Record
from .act import Words

LEAST_SHOWN = 5
"""Fewer answers than this are not published: they would tell who said what."""

SATISFACTION: dict[str, Words] = {
    "very_satisfied": _("非常满意"),
    "satisfied": _("满意"),
    "basically": _("基本满意"),
    "dissatisfied": _("不满意"),
}


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One thing that people may want: `grade` is its class (基础类、完善类、提升类)."""

    code: str
    title: Words
    grade: str
    grade_title: Words


class HouseholdReturn(models.Model):
    """What came of asking one household (逐户征求). Changes only through `acts.perform`.

    The households are frozen when the step opens. Life: waiting → not met (so many visits),
    refused, returned (a form without an opinion), or answered (an opinion or the survey).
    """

    kept_while_open: ClassVar = True

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="household_returns")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    party_key = models.CharField(max_length=60)
    life = FSMField(_("状态"), default="waiting", protected=True)
    visits = models.PositiveSmallIntegerField(_("走访次数"), default=0)
    last_on = models.DateField(_("最近走访"), null=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "party_key"], name="one_return_a_household")
        ]
        indexes: ClassVar = [models.Index(fields=["run", "life"], name="household_life")]

    def __str__(self) -> str:
        return f"{self.life}, {self.visits} visits"

    @transition(field=life, source=["waiting", "not_met"], target="not_met")
    def not_met(self) -> None:
        """Nobody was in."""

    @transition(field=life, source=["waiting", "not_met"], target="refused")
    def refused(self) -> None:
        """They would not fill in the form."""

    @transition(field=life, source=["waiting", "not_met", "refused"], target="returned")
    def returned(self) -> None:
        """The form came back."""


class SurveyAnswer(models.Model):
    """How satisfied one household is; the last answer before the end of the term counts.

    Who answered what is private. Changes only through `acts.perform`.
    """

    kept_while_open: ClassVar = True

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="survey_answers")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    party_key = models.CharField(max_length=60)
    answer = models.CharField(_("满意度"), max_length=20, choices=list(SATISFACTION.items()))

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "party_key"], name="one_answer_a_household")
        ]
        indexes: ClassVar = [models.Index(fields=["run", "answer"], name="survey_counts")]

    def __str__(self) -> str:
        return f"answer {self.pk}"

    @property
    def given_at(self) -> dt.datetime:
        """When it was given: on paper, the day that the form is dated."""
        assert self.record is not None
        content = self.record.content
        return dt.datetime.fromisoformat(content.get("happened_at", content["at"]))


def satisfaction(run: StepRun) -> dict[str, Any]:
    """Answers by degree and the exact rate: (very satisfied + satisfied) of all valid answers.

    Below five answers `totals` and `rate` are None: they would tell who said what.
    """
    found = counted(SurveyAnswer.objects.filter(run=run), "answer")
    answers = sum(found.values())
    if answers < LEAST_SHOWN:
        return {"answers": answers, "totals": None, "rate": None}
    content = found.get("very_satisfied", 0) + found.get("satisfied", 0)
    return {
        "answers": answers,
        "totals": {code: found.get(code, 0) for code in SATISFACTION},
        "content": content,
        "rate": Fraction(content, answers),
    }


def counted(rows: QuerySet[Any], by: str) -> dict[str, int]:
    """How many rows have each value of a field; one query."""
    return {row[by]: row["n"] for row in rows.values(by).annotate(n=Count("pk")).order_by()}
