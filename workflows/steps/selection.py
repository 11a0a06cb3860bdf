"""Selection (评议、评选): people put themselves forward, judges mark them, the best are chosen."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..models.case import StepRun
from ..models.record import Record


class Candidate(models.Model):
    """Someone who put themselves forward (报名人). Changes only through `acts.perform`.

    `number` is the order of enrolment and the public name; `name` and `statement` are private and
    are emptied when the person's data are erased. Life: enrolled → withdrawn by the person, refused
    with a reason, or, when the selection is decided, chosen, reserve or not chosen.
    """

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="candidates")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    number = models.PositiveIntegerField(_("报名号"))
    party_key = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    name = models.CharField(_("姓名"), max_length=40, blank=True)
    statement = models.TextField(_("自荐说明"), blank=True)
    channel = models.CharField(_("渠道"), max_length=10, default="online")
    life = FSMField(_("状态"), default="enrolled", protected=True)
    refusal = models.CharField(_("不予通过的理由"), max_length=1000, blank=True)
    created = models.DateTimeField(_("报名时间"))
    points = models.PositiveIntegerField(_("总分"), default=0)
    marked = models.PositiveIntegerField(_("评分人数"), default=0)
    rank = models.PositiveIntegerField(_("名次"), null=True)
    tied = models.BooleanField(_("同分"), default=False)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_candidate_a_number"),
            models.UniqueConstraint(
                fields=["run", "party_key"],
                condition=~Q(life="withdrawn"),
                name="one_candidacy_a_party",
            ),
            models.UniqueConstraint(
                fields=["run", "rank"], condition=Q(rank__isnull=False), name="one_candidate_a_rank"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["run", "life", "rank"], name="candidate_by_life")]

    def __str__(self) -> str:
        return f"candidate {self.number} of run {self.run_id}"

    @transition(field=life, source="enrolled", target="withdrawn")
    def withdraw(self) -> None:
        """The person no longer stands."""

    @transition(field=life, source="enrolled", target="refused")
    def refuse(self) -> None:
        """The person does not fulfil the conditions; `refusal` says which."""

    @transition(field=life, source="enrolled", target="chosen")
    def choose(self) -> None:
        """The person has a place."""

    @transition(field=life, source="enrolled", target="reserve")
    def hold(self) -> None:
        """The person moves up when a place falls free."""

    @transition(field=life, source="enrolled", target="not_chosen")
    def pass_over(self) -> None:
        """Others had more points."""


class Mark(models.Model):
    """What one judge gave one candidate (评分). Changes only through `acts.perform`.

    The last one before the end counts. Life: given (again and again), or recused when the judge is
    related to the candidate; then it never counts.
    """

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="marks")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    candidate = models.ForeignKey(Candidate, on_delete=models.PROTECT, related_name="marks")
    party_key = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    points = models.PositiveSmallIntegerField(_("得分"), null=True)
    life = FSMField(_("状态"), default="given", protected=True)
    at = models.DateTimeField(_("评分时间"))

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["candidate", "party_key"], name="one_mark_a_judge"),
            models.CheckConstraint(
                condition=Q(life="given", points__isnull=False, points__lte=100)
                | Q(life="recused", points__isnull=True),
                name="mark_given_or_recused",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["run", "life"], name="mark_by_life")]

    def __str__(self) -> str:
        return f"mark of candidate {self.candidate_id}"

    @transition(field=life, source="given", target="given")
    def give(self) -> None:
        """The judge has marked, or marked anew."""

    @transition(field=life, source="given", target="recused")
    def recuse(self) -> None:
        """The judge stands back from this candidate."""
