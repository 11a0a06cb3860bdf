"""Forms handed out at the door, one for each household, each with a code of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .case import StepRun


class DoorForm(models.Model):
    """A form as printed for one household (入户表). Changes by `acts.perform`, but for `tries`.

    By the code on it, of which `hash` alone is kept, the household answers online without an
    account, once; or it fills the form in and an officer types it in. `act` is what the answer is,
    `role` and `party_key` whose. `via` says how it was answered: ``code`` or ``paper``. It holds
    nothing of the answer. `tries` counts the attempts to answer a second time.

    Of a paper that was typed in, `marks` are keyed digests of each field, by which a second person
    who types it again finds what differs (`differs`, names of fields) without either being shown
    what the other read. `drawn_at`: it is one of the tenth that is checked.
    """

    personal: ClassVar[dict[str, Any]] = {"marks": {}, "differs": []}
    kept_while_open: ClassVar = True

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="door_forms")
    act = models.CharField(max_length=60)
    role = models.CharField(max_length=40)
    party_key = models.CharField(max_length=60)
    serial = models.PositiveIntegerField(_("表号"))
    hash = models.BinaryField(max_length=32, unique=True)
    issued_at = models.DateTimeField(_("印发时间"))
    withdrawn_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(_("交表时间"), null=True)
    via = models.CharField(_("渠道"), max_length=10, blank=True)
    tries = models.PositiveSmallIntegerField(_("重复提交次数"), default=0)
    tried_at = models.DateTimeField(null=True)
    marks = models.JSONField(default=dict)
    drawn_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(_("复核时间"), null=True)
    differs = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["serial", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "act", "serial"], name="one_form_a_serial"),
            models.UniqueConstraint(
                fields=["run", "act", "party_key"],
                condition=Q(withdrawn_at=None),
                name="one_form_a_household",
            ),
        ]

    def __str__(self) -> str:
        return f"form {self.serial}"
