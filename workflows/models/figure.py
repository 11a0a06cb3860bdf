"""Kept sums of the figures of supervision. What they mean and who writes them: `portal.sums`."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class MonthSum(models.Model):
    """How much of a measure fell into a month, before the moment up to which sums are kept.

    At three levels, so that every scope is read by few rows: of cases held at a place itself, of
    those at the places that belong to it, of all.
    """

    OWN, BELOW, ALL = 0, 1, 2

    level = models.PositiveSmallIntegerField()
    place = models.BigIntegerField()
    """The key of the community; 0 with all."""
    code = models.CharField(max_length=20)
    holder = models.CharField(max_length=80)
    procedure = models.CharField(max_length=40)
    month = models.DateField()
    n = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["place", "level", "month", "code", "holder", "procedure"],
                name="one_sum_a_month",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.month:%Y-%m}: {self.n}"


class SumsHead(models.Model):
    """Up to which moment sums are kept: one row, locked by whoever brings them up. `version` rises
    whenever sums change, so that a reader sees that they changed under its hands."""

    until = models.DateTimeField(null=True)
    version = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.until}"


class Recount(models.Model):
    """Something that had been summed up changed at a place: until its sums are made anew, its
    figures are counted from the facts. Written in the transaction that changes it."""

    place = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.place)
