"""Rows of the log: tiles, checkpoints, keys. What they mean and who writes them: `records.log`."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Coalesce


class LogKey(models.Model):
    """A key that signs, or signed, the log's checkpoints; only its public half is kept here.

    `since` is the size of the log when it took over; `until` the size of its last checkpoint.
    """

    vkey = models.CharField(max_length=200, unique=True)
    since = models.BigIntegerField()
    until = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                Coalesce("until", -1), condition=models.Q(until=None), name="one_key_in_use"
            )
        ]

    def __str__(self) -> str:
        return self.vkey


class LogHead(models.Model):
    """How far the tree has come: one row, locked by the sequencer that is at work."""

    size = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.size)


class LogTile(models.Model):
    """The hashes of a tile (C2SP tlog-tiles), as many as the tree has so far.

    A tile only ever grows at its end, so that each of its partial tiles is a prefix of `hashes`.
    """

    level = models.PositiveSmallIntegerField()
    number = models.BigIntegerField()
    hashes = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["level", "number"], name="one_tile_a_place")
        ]

    def __str__(self) -> str:
        return f"{self.level}/{self.number}"


class Checkpoint(models.Model):
    """A signed checkpoint: that the log had `size` records with that `root` at that time."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField(max_length=32)
    at = models.DateTimeField()
    note = models.TextField()

    class Meta:
        ordering: ClassVar = ["-size"]

    def __str__(self) -> str:
        return f"checkpoint at {self.size}"


class Cosignature(models.Model):
    """A witness's signature under a checkpoint (C2SP tlog-cosignature)."""

    checkpoint = models.ForeignKey(
        Checkpoint, on_delete=models.CASCADE, related_name="cosignatures"
    )
    name = models.CharField(max_length=120)
    line = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["checkpoint", "name"], name="one_cosignature_a_witness")
        ]

    def __str__(self) -> str:
        return f"{self.name} at {self.checkpoint_id}"
