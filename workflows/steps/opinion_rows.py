"""Opinions as rows, and what was answered to them."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..models.case import Case, StepRun
from ..models.record import Record
from .act import Words

REASON_MOST = 1000

OUTCOMES: dict[str, Words] = {
    "adopted": _("采纳"),
    "partly": _("部分采纳"),
    "not_adopted": _("未采纳"),
    "out_of_scope": _("不属于本事项，已转办"),
}
STANCES: dict[str, Words] = {"want": _("需要"), "not_want": _("不需要"), "other": _("其他意见")}


class Reply(models.Model):
    """What an office answered, with its reason, to one opinion or to several that are alike.

    Also a decision on objections. Never changed: a correction is a new reply that names the old
    one. Changes only through `acts.perform`.
    """

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, null=True, related_name="replies")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="replies")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    outcome = models.CharField(_("处理结果"), max_length=20)
    reason = models.CharField(_("理由"), max_length=REASON_MOST)
    referral = models.CharField(_("转办去向"), max_length=200, blank=True)
    public_text = models.TextField(_("公开的内容"), blank=True)
    at = models.DateTimeField(_("答复时间"))
    first_at = models.DateTimeField(_("首次答复时间"))
    """When those answered first heard: a correction is not later than what it corrects."""
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="corrected_by"
    )

    class Meta:
        indexes: ClassVar = [models.Index(fields=["first_at"], name="reply_first_at")]

    def __str__(self) -> str:
        return f"{self.outcome} at {self.at:%Y-%m-%d}"


class Statement(models.Model):
    """What opinions and objections share: who wrote what, when, and the answer.

    `text` is private and is emptied when its author's data are erased. `proposed` is a wording that
    a moderator has masked before it is answered. `fingerprint` finds the same words sent twice; it
    is keyed with the case's salt, so that it says nothing to outsiders.
    """

    personal: ClassVar[dict[str, Any]] = {"text": "", "proposed": ""}

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="%(class)ss")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    party_key = models.CharField(max_length=60)
    text = models.TextField(_("内容"), blank=True)
    proposed = models.TextField(_("拟公开的内容"), blank=True)
    erased_at = models.DateTimeField(_("个人信息删除时间"), null=True)
    channel = models.CharField(_("渠道"), max_length=10, default="online")
    fingerprint = models.CharField(max_length=64, editable=False)
    created = models.DateTimeField(_("提交时间"))
    reply = models.ForeignKey(Reply, on_delete=models.PROTECT, null=True, related_name="%(class)ss")

    class Meta:
        abstract = True

    @property
    def outcome(self) -> str:
        """The outcome code of the reply, empty before it."""
        return self.reply.outcome if self.reply else ""

    @property
    def reason(self) -> str:
        """The reason of the reply, empty before it."""
        return self.reply.reason if self.reply else ""

    @property
    def public_text(self) -> str:
        """The masked wording, empty until it is answered."""
        return self.reply.public_text if self.reply else ""


class Opinion(Statement):
    """One opinion of one party (意见). Changes only through `acts.perform`.

    Without a run it came to the case as a whole; `late`: it was an objection, handed in when the
    publicity period was over. Life: submitted → replied, or withdrawn by its author before.
    """

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, null=True, related_name="opinions")
    item = models.CharField(_("项目"), max_length=40, blank=True)
    stance = models.CharField(_("态度"), max_length=10, blank=True)
    late = models.BooleanField(_("逾期异议"), default=False)
    life = FSMField(_("状态"), default="submitted", protected=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["case", "run", "party_key", "fingerprint"],
                condition=~Q(life="withdrawn"),
                name="one_opinion_same_words",
            ),
            models.UniqueConstraint(
                fields=["run", "party_key", "item"],
                condition=Q(stance__in=("want", "not_want")) & ~Q(life="withdrawn"),
                name="one_stance_an_item",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["run", "record"], name="opinion_feedback_book"),
            models.Index(fields=["run", "item", "stance"], name="opinion_counts"),
            models.Index(
                fields=["run", "case", "id"], condition=Q(life="submitted"), name="opinion_waiting"
            ),
            models.Index(fields=["party_key"], name="opinion_of_party"),
        ]

    def __str__(self) -> str:
        return f"opinion {self.pk}"

    @transition(field=life, source="submitted", target="replied")
    def answer(self) -> None:
        """It has been answered."""

    @transition(field=life, source="submitted", target="withdrawn")
    def withdraw(self) -> None:
        """Its author took it back; it stays counted."""


def fingerprint(case: Case, *parts: str) -> str:
    """The same for the same words, however they are spaced; keyed with the case's salt."""
    plain = "\x1f".join("".join(part.split()) for part in parts)
    return hmac.new(bytes(case.salt), plain.encode(), hashlib.sha256).hexdigest()
