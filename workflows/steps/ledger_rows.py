"""Rows of a ledger (台账): entries with a life of their own, and what happened to each."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import RETURN_VALUE, FSMField, transition

from ..models.case import Case, StepRun
from ..models.record import Record


class LedgerEntry(models.Model):
    """One entry of a ledger (台账条目). Changes only through `acts.perform`.

    A ledger is a step of a case through all its runs, so entries are looked up by `case` and
    `step`; `run` is the run in which the entry was made. `state` is the life that the entry's kind
    declares. `standing` says whether it counts: an entry that was wrong is struck, stays visible,
    and the right one names it in `corrects`. `amount` is in fen, `value` in the kind's unit.

    `public` is what everybody may read. `private` and `subject_key` (whom it is about) are not
    public and are emptied when that person's data are erased. `seq` is the record by which the
    entry is named in public; null while the public may not know of it (a contribution not paid).
    """

    personal: ClassVar[dict[str, Any]] = {"private": {}, "mark": None}
    kept_while_open: ClassVar = True

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="ledger_entries")
    step = models.CharField(max_length=60)
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="ledger_entries")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    seq = models.PositiveIntegerField(_("记录序号"), null=True)
    kind = models.CharField(_("种类"), max_length=40)
    state = FSMField(_("状态"), protected=True)
    standing = FSMField(_("效力"), default="stands", protected=True)
    on = models.DateField(_("日期"))
    amount = models.BigIntegerField(_("金额（分）"), null=True)
    value = models.IntegerField(_("数值"), null=True)
    public = models.JSONField(default=dict)
    private = models.JSONField(default=dict)
    subject_key = models.CharField(max_length=60, blank=True)
    mark = models.CharField(max_length=64, null=True, editable=False)
    """What must be single within a kind (a receipt's number), as a keyed fingerprint."""
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="corrected_by"
    )
    created = models.DateTimeField(_("登记时间"))

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["case", "step", "kind", "mark"],
                condition=Q(mark__isnull=False, standing="stands"),
                name="one_entry_a_mark",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gte=0), name="amount_not_negative"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["case", "step", "kind", "on", "id"], name="ledger_in_order"),
            models.Index(
                fields=["case", "step", "kind", "state"],
                condition=Q(standing="stands"),
                name="ledger_standing",
            ),
            models.Index(fields=["subject_key"], name="ledger_of_party"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @transition(field=state, source="*", target=RETURN_VALUE())
    def move(self, to: str) -> str:
        """Go on to state `to`; the kind has declared it, the step has checked it."""
        return to

    @transition(field=standing, source="stands", target="struck")
    def strike(self) -> None:
        """It was wrong: it no longer counts, and stays visible."""


class LedgerMove(models.Model):
    """One step in the life of an entry (a payment received, a defect fixed). Never changed.

    Changes only through `acts.perform`. `public` and `private` as in `LedgerEntry`.
    """

    personal: ClassVar[dict[str, Any]] = {"private": {}}
    kept_while_open: ClassVar = True

    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="moves")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    name = models.CharField(_("操作"), max_length=40)
    source = models.CharField(_("原状态"), max_length=40)
    target = models.CharField(_("新状态"), max_length=40)
    public = models.JSONField(default=dict)
    private = models.JSONField(default=dict)
    at = models.DateTimeField(_("时间"))

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} of entry {self.entry_id}"
