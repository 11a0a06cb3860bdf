"""What an appeal says, in clear; the public record holds its kind and wordings that are masked."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from workflows.models import Case, Record
from workflows.search import SignsIndex

from . import rules


class Appeal(models.Model):
    """What somebody reports or asks. Written by acts of its case alone.

    Where it is: `building` (as picked), `spot` (in the author's words) and `point` (latitude and
    longitude), none of them public. `shown_building` and `wording` are, and only there if the
    author agreed (`may_show`). `way`: how it came, where an officer typed it in. `held` says why it
    waits in the queue of the suspicious.
    """

    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="appeal")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=20, choices=list(rules.KINDS.items()))
    unit = models.CharField(max_length=20, blank=True, choices=list(rules.UNITS.items()))
    joint = models.JSONField(default=list, blank=True)
    text = models.TextField(_("诉求内容"))
    digest = models.CharField(max_length=64, db_index=True)
    way = models.CharField(max_length=20, blank=True, choices=list(rules.WAYS.items()))
    building = models.CharField(max_length=40, blank=True)
    shown_building = models.CharField(max_length=80, blank=True)
    spot = models.CharField(max_length=80, blank=True)
    point = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=40, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    may_show = models.BooleanField(default=False)
    wording = models.TextField(blank=True)
    answer = models.TextField(blank=True)
    held = models.CharField(max_length=20, blank=True)
    rating = models.CharField(max_length=20, blank=True)

    personal: ClassVar[dict[str, str]] = dict.fromkeys(
        (
            "text",
            "digest",
            "building",
            "shown_building",
            "spot",
            "point",
            "name",
            "phone",
            "wording",
            "answer",
        ),
        "",
    )

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["unit", "kind"]),
            SignsIndex(fields=["wording"], name="appeal_wording_signs"),
        ]

    def __str__(self) -> str:
        return f"appeal {self.pk}"


class Link(models.Model):
    """Two appeals about the same matter, linked by a person. Neither is deleted by it."""

    appeal = models.ForeignKey(Appeal, on_delete=models.CASCADE, related_name="links")
    other = models.ForeignKey(Appeal, on_delete=models.CASCADE, related_name="linked_from")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["appeal", "other"], name="one_link_a_pair")
        ]

    def __str__(self) -> str:
        return f"{self.appeal_id}–{self.other_id}"
