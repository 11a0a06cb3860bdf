"""Rows of a panel (联合审查、联合验收): seats, signatures, recusals."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..models.case import StepRun
from ..models.record import Record


class Seat(models.Model):
    """One seat of a panel in one run (席位). Changes only through `acts.perform`.

    Life: invited → signed, or recused when the one who sat there is related to the matter; someone
    else of the same role may then take the seat. The signature that stands is `signature`.
    """

    kept_while_open: ClassVar = True

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="seats")
    code = models.CharField(_("席位"), max_length=40)
    life = FSMField(_("状态"), default="invited", protected=True)
    party_key = models.CharField(max_length=60, null=True, editable=False)
    """Who sits here; null until they sign."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    signature = models.OneToOneField(
        "Signature", on_delete=models.PROTECT, null=True, related_name="standing_at"
    )

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "code"], name="one_seat_a_code"),
            models.UniqueConstraint(fields=["run", "party_key"], name="one_seat_a_party"),
            models.UniqueConstraint(fields=["run", "user"], name="one_seat_an_account"),
            models.CheckConstraint(
                condition=Q(life="signed", signature__isnull=False, party_key__isnull=False)
                | (~Q(life="signed") & Q(signature__isnull=True, party_key__isnull=True)),
                name="signed_seat_has_signature",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} of run {self.run_id}"

    @transition(field=life, source=["invited", "recused", "signed"], target="signed")
    def sign(self) -> None:
        """Someone of the seat's role has signed, or has corrected the signature."""

    @transition(field=life, source=["invited", "signed"], target="recused")
    def recuse(self) -> None:
        """Who sits here stands back; a signature already given no longer counts."""


class Signature(models.Model):
    """A signature with its decision (签字). Never changed; a correction names the `former` one.

    `scores` are points by criterion, `failed` notes by criterion. All of it is public, except who
    signed. Changes only through `acts.perform`.
    """

    kept_while_open: ClassVar = True

    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, related_name="signatures")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    former = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="corrected_by"
    )
    party_key = models.CharField(max_length=60)
    decision = models.CharField(_("意见"), max_length=10)
    reason = models.CharField(_("理由"), max_length=1000, blank=True)
    remarks = models.CharField(_("备注"), max_length=1000, blank=True)
    scores = models.JSONField(_("评分"), default=dict)
    failed = models.JSONField(_("不合格项"), default=dict)
    at = models.DateTimeField(_("签字时间"))

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.decision} at {self.at:%Y-%m-%d}"


class Recusal(models.Model):
    """That someone stood back from a seat, and why (回避). Changes only through `acts.perform`."""

    kept_while_open: ClassVar = True

    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, related_name="recusals")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    party_key = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    reason = models.CharField(_("回避理由"), max_length=300)
    at = models.DateTimeField(_("回避时间"))

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["seat", "party_key"], name="recused_once_a_seat")
        ]

    def __str__(self) -> str:
        return f"recusal at {self.at:%Y-%m-%d}"
