"""Rows of the public record. What they mean and who writes them: `workflows.records`."""

from __future__ import annotations

import json
import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.functional import cached_property

from sanwen import disclosure

from .case import Case, StepRun


class Record(models.Model):
    """The public trace of one act; written by `records.append` alone, never changed or deleted
    (but that `records.log` gives it its place in the log).

    `canonical` holds the bytes that are hashed (RFC 8785). The other columns repeat what is in
    them, for queries; `key` is the idempotency key of the submission.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="records")
    seq = models.PositiveIntegerField()
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, null=True, related_name="records")
    step = models.CharField(max_length=60, blank=True)
    act = models.CharField(max_length=60)
    at = models.DateTimeField()
    role = models.CharField(max_length=40)
    canonical = models.TextField()
    leaf_hash = models.BinaryField(max_length=32)
    key = models.CharField(max_length=64, null=True)
    log_index = models.BigIntegerField(null=True, unique=True, editable=False)
    """Its place in the log; null until the sequencer gives it one, then for ever the same."""

    class Meta:
        ordering: ClassVar = ["case", "seq"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "seq"], name="one_record_a_position"),
            models.UniqueConstraint(fields=["case", "key"], name="one_record_a_submission"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["at"]),
            models.Index(fields=["run", "seq"]),
            models.Index(
                fields=["id"],
                condition=models.Q(log_index__isnull=True),
                name="record_not_in_log",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step}/{self.act}#{self.seq}"

    @cached_property
    def content(self) -> dict[str, Any]:
        """The record as an object."""
        return json.loads(self.canonical)

    @cached_property
    def published(self) -> list[str]:
        """Its published disclosures; lists of records prefetch ``disclosures``."""
        return [row.encoded for row in self.disclosures.all() if row.public]

    @cached_property
    def body(self) -> dict[str, Any]:
        """What the public may know of the act: the hashed body with the words beside it, as they
        now stand."""
        body = disclosure.opened(self.content, self.published)
        return dict(sorted({**body, **self.restated}.items()))

    @cached_property
    def restated(self) -> dict[str, Any]:
        """What stands in public instead of words that a moderator has masked, by name."""
        return {row.name: row.now for row in self.disclosures.all() if row.now not in (None, "")}

    @property
    def withdrawn(self) -> int:
        """How many of its words were published once and are no more."""
        return disclosure.withdrawn(self.content, self.published)


class Disclosure(models.Model):
    """A clear value behind a digest in a record, in the form of an SD-JWT disclosure (RFC 9901).

    The only place, beside the facts themselves, that holds it. Erasing a person deletes the row, as
    does a moderator who masks more of it. `public`: it is published beside its record.
    """

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="disclosures")
    name = models.CharField(max_length=40)
    encoded = models.TextField()
    digest = models.CharField(max_length=43)
    public = models.BooleanField(default=False)
    now = models.JSONField(null=True)
    """What stands in public instead, once a moderator has masked more of it."""

    def __str__(self) -> str:
        return f"{self.name} of record {self.record_id}"


class Alias(models.Model):
    """The pseudonym of a party in a case, drawn when the party first acts; private, erasable."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="aliases")
    party_key = models.CharField(max_length=60)
    name = models.CharField(max_length=16)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "party_key"], name="one_alias_a_party")
        ]

    def __str__(self) -> str:
        return self.name


class Trace(models.Model):
    """Who stands behind a record: private, erasable, never part of it.

    `receipt` is the SHA-256 of the code on the receipt; the code itself is kept nowhere.
    """

    record = models.OneToOneField(Record, on_delete=models.CASCADE, related_name="trace")
    party_key = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    receipt = models.BinaryField(max_length=32, null=True, unique=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "-record"]),
            models.Index(fields=["party_key", "-record"]),
        ]

    def __str__(self) -> str:
        return f"behind record {self.record_id}"


def _path(instance: Attachment, _filename: str) -> str:
    # Nothing of the uploader's own file name: it often holds a person's name.
    return f"attachments/{instance.name[:2]}/{instance.name}"


class Attachment(models.Model):
    """A file that came with an act: its content is behind `file`, its hash in the record.

    `public` files are shown to everybody; the others only to the case's officers and the author.
    Of a photo that proves a posting, `look` says how it looks (`pictures.look_of`), and `code_seen`
    whether the sheet's code was read in it: hints for officers.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=64)
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, null=True, related_name="files")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="files")
    field = models.CharField(max_length=40)
    label = models.CharField(max_length=80)
    file = models.FileField(upload_to=_path, max_length=200)
    media_type = models.CharField(max_length=80)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    public = models.BooleanField(default=False)
    look = models.CharField(max_length=64, blank=True)
    code_seen = models.BooleanField(null=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.label

    def get_absolute_url(self) -> str:
        """The address of the download."""
        return f"/files/{self.uid}/"


class Refusal(models.Model):
    """An attempt that the one door refused: for the security log. Holds no payload."""

    at = models.DateTimeField(db_index=True)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, null=True, related_name="refusals")
    step = models.CharField(max_length=60, blank=True)
    act = models.CharField(max_length=60)
    role = models.CharField(max_length=40)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    code = models.CharField(max_length=30)

    def __str__(self) -> str:
        return f"{self.code}: {self.act}"
