"""Rows of a publicity: where its notice hangs, and what is objected to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..models.case import StepRun
from ..models.record import Attachment
from .act import Words
from .opinion_rows import Statement

POSTING, STANDING = "posting", "standing"

GROUNDS: dict[str, Words] = {
    "procedure": _("程序问题"),
    "content": _("对公示内容有异议"),
    "fact": _("与事实不符"),
    "interest": _("影响合法权益"),
    "other": _("其他"),
}
DECISIONS: dict[str, Words] = {"upheld": _("异议成立"), "dismissed": _("异议不成立")}


class Posting(models.Model):
    """A place where the notice must hang, and the photo that shows that it did.

    Changes only through `acts.perform`. `label` is the place's public name (3号楼2单元).
    """

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="postings")
    place = models.CharField(_("地点"), max_length=60)
    label = models.CharField(_("地点名称"), max_length=80)
    photo = models.ForeignKey(
        Attachment, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("照片")
    )
    posted_at = models.DateTimeField(_("张贴时间"), null=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "place"], name="one_posting_a_place")
        ]

    def __str__(self) -> str:
        return self.label


class Objection(Statement):
    """An objection to what is publicised (异议). Changes only through `acts.perform`.

    Life: raised → upheld or dismissed, or withdrawn by its author before. `due_at`: when it should
    have been decided; later it is shown as overdue.
    """

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="objections")
    ground = models.CharField(_("理由类别"), max_length=20, choices=list(GROUNDS.items()))
    life = FSMField(_("状态"), default="raised", protected=True)
    due_on = models.DateField(_("核查期限"))
    due_at = models.DateTimeField(_("核查期限届满"))
    due_rule = models.CharField(max_length=160, blank=True)
    provisional = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "party_key", "fingerprint"],
                condition=~Q(life="withdrawn"),
                name="one_objection_same_words",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["run", "life"], name="objection_life"),
            models.Index(
                fields=["due_at", "provisional", "run", "id"],
                condition=Q(life="raised"),
                name="objection_due_run",
            ),
            models.Index(fields=["party_key"], name="objection_of_party"),
        ]

    def __str__(self) -> str:
        return f"objection {self.pk}"

    @transition(field=life, source="raised", target="upheld")
    def uphold(self) -> None:
        """It is right."""

    @transition(field=life, source="raised", target="dismissed")
    def dismiss(self) -> None:
        """It is not."""

    @transition(field=life, source="raised", target="withdrawn")
    def withdraw(self) -> None:
        """Its author took it back."""


def objections(run: StepRun, now: dt.datetime) -> QuerySet[Objection, Mapping[str, Any]]:
    """The objections of a run without names, in order of arrival; to be paginated.

    Rows are dicts: `seq`, `ground`, `life`, `raised_at`, `due_on`, `overdue`, `decision`, `why`,
    `wording`, `decided_at`, `decision_seq`, `erased_at`.
    """
    late = Q(life="raised", due_at__lte=now, provisional=False)
    return (
        Objection.objects.filter(run=run, record__isnull=False)
        .order_by("record_id")
        .values(
            "ground",
            "life",
            "due_on",
            "erased_at",
            seq=F("record__seq"),
            raised_at=F("created"),
            overdue=models.ExpressionWrapper(late, output_field=models.BooleanField()),
            decision=F("reply__outcome"),
            why=F("reply__reason"),
            wording=F("reply__public_text"),
            decided_at=F("reply__at"),
            decision_seq=F("reply__record__seq"),
        )
    )
