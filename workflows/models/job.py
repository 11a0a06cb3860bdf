"""Rows of background work. What they mean and who executes them: `workflows.jobs`."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from .case import Case

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"


class Job(models.Model):
    """One piece of work that is too long for a page: ``queued → running → done`` or ``failed``.

    `workflows.jobs` alone changes it. `lease` is until when its worker has it; after that another
    may take it up. `result` is a private file until `expires`.
    """

    STATES: ClassVar = [
        (QUEUED, _("排队中")),
        (RUNNING, _("正在制作")),
        (DONE, _("已完成")),
        (FAILED, _("未能完成")),
    ]

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=40)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, null=True, related_name="jobs")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    """To whom alone the result belongs; None: to everybody."""
    params = models.JSONField(default=dict)
    state = FSMField(default=QUEUED, choices=STATES, protected=True)
    progress = models.PositiveSmallIntegerField(default=0)
    """In percent."""
    tries = models.PositiveSmallIntegerField(default=0)
    created = models.DateTimeField()
    lease = models.DateTimeField(null=True)
    result = models.FileField(upload_to="jobs/", max_length=100, blank=True)
    expires = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["state", "lease"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"

    def get_absolute_url(self) -> str:
        """The page that tells how far it is; its address is a secret of whoever asked."""
        return f"/jobs/{self.uid}/"

    @transition(field=state, source=RUNNING, target=DONE)
    def succeed(self) -> None:
        """The work is done."""
        self.progress, self.lease = 100, None

    @transition(field=state, source=RUNNING, target=FAILED)
    def fail(self) -> None:
        """The work cannot be done."""
        self.lease = None
