"""Printed notices, one for each place where they hang, each with a code of its own."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from .case import StepRun
from .record import Attachment

STANDS = "notice"
"""The code of the notice that a publicity is about: the one whose posting begins its term."""


class Sheet(models.Model):
    """A notice as printed for one place (张贴件). Changes only through `acts.perform`.

    `notice` is the code of the notice within its run. Whoever puts the sheet up sends its photo by
    the code on it, of which `hash` alone is kept, once, and in the name of the officer (`role`,
    `party_key`, `user`) who had it printed. `label` is the place's public name.
    """

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="sheets")
    notice = models.CharField(max_length=20)
    place = models.CharField(_("地点"), max_length=60)
    label = models.CharField(_("地点名称"), max_length=80)
    hash = models.BinaryField(max_length=32, unique=True)
    role = models.CharField(max_length=40)
    party_key = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    until = models.DateTimeField(_("有效期至"))
    withdrawn_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(_("张贴时间"), null=True)
    photo = models.ForeignKey(Attachment, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [models.Index(fields=["run", "notice"], name="sheets_of_notice")]

    def __str__(self) -> str:
        return self.label


def unused(now: dt.datetime) -> QuerySet[Sheet]:
    """Sheets by whose code a photo may still be sent."""
    return Sheet.objects.filter(used_at=None, withdrawn_at=None, until__gt=now)


def of_case(case_id: int) -> QuerySet[Sheet]:
    """The sheets of a case that say where a notice is to hang: not those that were withdrawn
    before they were used."""
    kept = Q(withdrawn_at=None) | Q(used_at__isnull=False)
    return Sheet.objects.filter(kept, run__process=case_id)


def hashes_of(run: StepRun, notice: str) -> list[tuple[str, bytes]]:
    """The places of a notice and the digests of the codes on its sheets there."""
    rows = Sheet.objects.filter(run=run, notice=notice).values_list("place", "hash")
    return [(place, bytes(digest)) for place, digest in rows]
