"""Who took which trail: for those who oversee the takers."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from .case import Case
from .job import Job
from .record import Record


class TrailDownload(models.Model):
    """A trail that an auditor took: the fact of the act ``trail.downloaded`` where it is `full`.

    Public trails are anybody's; of them only those in an archive are noted, and have no record.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="downloads")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    full = models.BooleanField()
    at = models.DateTimeField()
    record = models.OneToOneField(Record, on_delete=models.PROTECT, null=True, related_name="+")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="downloads")
    """The archive that it is in, while that is kept."""
    archived = models.BooleanField(default=False)
    """Whether it was taken in an archive of several."""

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "case"], name="once_in_an_archive")
        ]
        indexes: ClassVar = [
            models.Index(fields=["case", "-id"]),
            models.Index(fields=["user", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.case_id} {'full' if self.full else 'public'}"
