"""Rows of a ballot: its questions, the frozen roll, the papers cast, objections to the count."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..models.case import StepRun
from ..models.record import Record
from .act import Words, refuse
from .opinion_rows import Statement

DRAFT, NOTICED, VOTING, PRELIMINARY, CONFIRM = (
    "draft",
    "noticed",
    "voting",
    "preliminary",
    "confirm",
)
PHASES: dict[str, Words] = {
    DRAFT: _("拟定表决事项"),
    NOTICED: _("会前公告"),
    VOTING: _("投票"),
    PRELIMINARY: _("初步结果询异公示"),
    CONFIRM: _("确认结果"),
}
CHOICES: dict[str, Words] = {"for": _("同意"), "against": _("反对"), "abstain": _("弃权")}
MATTERS: dict[str, Words] = {"ordinary": _("一般事项"), "special": _("特别事项")}


class BallotQuestion(models.Model):
    """One question as it was posted; it never changes. `tally` holds the latest count."""

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="questions")
    number = models.PositiveSmallIntegerField()
    text = models.CharField(_("表决事项"), max_length=300)
    rule = models.CharField(_("计票规则"), max_length=40)
    tally = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_question_a_number")
        ]

    def __str__(self) -> str:
        return self.text


class RollRow(models.Model):
    """One head on the frozen roll. `label` is for staff, `public_label` is masked."""

    personal: ClassVar[dict[str, Any]] = {"label": "", "units": []}
    kept_while_open: ClassVar = True

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="roll")
    key = models.CharField(max_length=200)
    area = models.PositiveBigIntegerField(_("专有部分面积"))
    heads = models.PositiveSmallIntegerField(_("人数"), default=1)
    units = models.JSONField(default=list)
    label = models.TextField()
    public_label = models.TextField()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "key"], name="one_row_a_head")
        ]

    def __str__(self) -> str:
        return self.public_label


class RollWay(models.Model):
    """A party that may give the vote of a row: its household, or a proxy with a written mandate."""

    kept_while_open: ClassVar = True

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="+")
    row = models.ForeignKey(RollRow, on_delete=models.PROTECT, related_name="ways")
    party_key = models.CharField(max_length=60)
    proxy = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["row", "party_key"], name="one_way_a_party")
        ]
        indexes: ClassVar = [models.Index(fields=["run", "party_key"], name="way_of_party")]

    def __str__(self) -> str:
        return f"way {self.pk}"


class BallotPaper(models.Model):
    """A vote (表决票). Changes only through `acts.perform`.

    `standing`: it is the one that counts for its row. `ended` says why another does not:
    replaced, withdrawn, struck. The choices are secret: they are in no record in clear.
    """

    personal: ClassVar[dict[str, Any]] = {"serial": ""}
    kept_while_open: ClassVar = True

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="papers")
    row = models.ForeignKey(RollRow, on_delete=models.PROTECT, related_name="papers")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    party_key = models.CharField(max_length=60)
    channel = models.CharField(_("方式"), max_length=10)
    serial = models.CharField(_("票号"), max_length=20, blank=True)
    choices = models.JSONField(default=dict)
    at = models.DateTimeField(_("投票时间"))
    standing = models.BooleanField(default=True)
    ended = models.CharField(max_length=20, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["row"], condition=Q(standing=True), name="one_standing_vote_a_head"
            ),
            models.UniqueConstraint(
                fields=["run", "serial"],
                condition=Q(standing=True) & ~Q(serial=""),
                name="one_paper_a_serial",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["run", "standing"], name="papers_standing")]

    def __str__(self) -> str:
        return f"paper {self.pk}"


class ResultObjection(Statement):
    """An objection to the preliminary count (询异). Changes only through `acts.perform`."""

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="result_objections")
    life = FSMField(_("状态"), default="raised", protected=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [models.Index(fields=["run", "life"], name="result_objection_life")]

    def __str__(self) -> str:
        return f"objection {self.pk}"

    @transition(field=life, source="raised", target="upheld")
    def uphold(self) -> None:
        """It is right."""

    @transition(field=life, source="raised", target="dismissed")
    def dismiss(self) -> None:
        """It is not."""


def require_phase(run: StepRun, *phases: str) -> None:
    """Refuse what is for other phases of a ballot."""
    if run.phase not in phases:
        early = list(PHASES).index(run.phase) < list(PHASES).index(phases[0])
        raise refuse(
            _("表决正处于“%(phase)s”阶段，现在不能办理这一操作。") % {"phase": PHASES[run.phase]},
            code="early" if early else "late",
        )
