"""What is known of an application: all of it private, but what the records say."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from workflows.models import Case, Record


class Application(models.Model):
    """An application for government information (申请), as it stands after a correction.

    Changes only through `acts.perform`. `handed_in` is when it came in, `received_on` from when the
    terms run (article 31, after a correction article 30). `asked_on` and `correction_days` belong
    to the correction that was asked for. `extension_days` were approved; they count once the
    applicant was told, `extension_told_on`. `postponed_days` are those of article 35.
    """

    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="application")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    kind = models.CharField(_("申请人类别"), max_length=20)
    name = models.CharField(_("姓名或者名称"), max_length=80)
    contact = models.CharField(_("联系方式"), max_length=200)
    description = models.TextField(_("所需政府信息"))
    form = models.CharField(_("形式要求"), max_length=20)
    way = models.CharField(_("获取方式"), max_length=20)
    suggests = models.BooleanField(_("建议主动公开"), default=False)
    author = models.CharField(max_length=64, editable=False)
    """Tells applicants apart without saying who they are: a keyed digest (article 44)."""
    channel = models.CharField(_("提交渠道"), max_length=20)
    handed_in = models.DateField(_("提交日期"))
    first_received_on = models.DateField(_("首次收到日期"), null=True)
    received_on = models.DateField(_("收到日期"), null=True)
    asked_on = models.DateField(_("告知补正日期"), null=True)
    correction_days = models.PositiveSmallIntegerField(_("补正期限"), null=True)
    asked_for = models.TextField(_("需要补正的事项"), blank=True)
    corrected_on = models.DateField(_("补正日期"), null=True)
    extension_days = models.PositiveSmallIntegerField(_("延长期限"), default=0)
    extension_told_on = models.DateField(_("告知延期日期"), null=True)
    postponed_days = models.PositiveSmallIntegerField(_("延迟答复期限"), default=0)

    personal: ClassVar[dict[str, str]] = dict.fromkeys(
        ("name", "contact", "description", "author", "asked_for"), ""
    )

    class Meta:
        indexes: ClassVar = [models.Index(fields=["first_received_on"])]

    def __str__(self) -> str:
        return f"application {self.pk}"

    @property
    def extended(self) -> int:
        """Working days by which the term for the reply is longer."""
        return self.extension_days if self.extension_told_on else 0


class Decision(models.Model):
    """A draft of the reply (答复); the last one of a case is the one that is delivered.

    Changes only through `acts.perform`. `topic` names the information for the register, so that
    the same wish is known again (article 44).
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="decisions")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    outcome = models.CharField(_("答复结果"), max_length=20)
    ground = models.CharField(_("不予公开的依据"), max_length=20, blank=True)
    topic = models.CharField(_("信息名称"), max_length=120)
    text = models.TextField(_("答复内容"))
    overriding = models.BooleanField(_("公共利益"), default=False)
    interest = models.TextField(_("公共利益的理由"), blank=True)
    number = models.CharField(_("文号"), max_length=60, blank=True)
    delivered_on = models.DateField(_("送达日期"), null=True)
    due_on = models.DateField(_("答复期限"), null=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [
            models.Index(fields=["topic"], condition=~Q(number=""), name="decision_topic"),
            models.Index(fields=["delivered_on"]),
        ]

    def __str__(self) -> str:
        return f"decision {self.pk}"


class OpenItem(models.Model):
    """Information that was put on the open list because it was wanted (article 44). Public.

    Changes only through `acts.perform`.
    """

    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="open_item")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    title = models.CharField(_("信息名称"), max_length=120)
    address = models.URLField(_("公开地址"), blank=True)
    at = models.DateTimeField(_("纳入时间"))

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"open item {self.pk}"


class Remedy(models.Model):
    """A reconsideration or a lawsuit about a reply (articles 50 (3), 51), with what came of it.

    Changes only through `acts.perform`.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="remedies")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    kind = models.CharField(_("救济途径"), max_length=20)
    result = models.CharField(_("结果"), max_length=20)
    on = models.DateField(_("日期"))

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "kind"], name="one_remedy_a_kind")
        ]

    def __str__(self) -> str:
        return f"remedy {self.pk}"
