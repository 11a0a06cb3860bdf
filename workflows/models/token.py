"""Tokens by which programs act for a person, and what they have handed in under a key."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from django.conf import settings
from django.db import models

from .. import clock
from .record import Record


class ApiToken(models.Model):
    """What a person has given a program so that it may read or act for them (访问令牌).

    The token itself is shown once and kept nowhere: `digest` is its SHA-256, `hint` its last signs,
    by which its owner tells it from others. It never lets anybody do what its owner may not, and
    only what `scopes` name of that. `confirmed_at`: when the owner's second factor was given for
    it; scopes of staff count for nothing without.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    scopes = models.JSONField(default=list)
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=8)
    created = models.DateTimeField()
    ends_on = models.DateField()
    """The last day on which it works."""
    confirmed_at = models.DateTimeField(null=True)
    used_on = models.DateField(null=True)
    """The last day on which it was used; no moment, so that it tells nothing of what was done."""
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"token {self.pk}"

    def works(self, today: dt.date | None = None) -> bool:
        """Whether it may be used on a day; today, unless another is named."""
        return self.revoked_at is None and self.ends_on >= (today or clock.today())


class Submission(models.Model):
    """That a program has handed something in under a key (``Idempotency-Key``): asked again with
    the same key, it is told again what came of it.

    `key` and `fingerprint` are digests keyed with the installation's secret, since what is handed
    in may be as short as a vote. Written with the act, in its transaction.
    """

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    key = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    record = models.ForeignKey(Record, on_delete=models.CASCADE, null=True, related_name="+")
    fact = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "key"], name="one_submission_a_key")
        ]

    def __str__(self) -> str:
        return f"submission {self.pk}"
