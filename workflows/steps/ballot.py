"""Stub until written."""

from django.db import models

from ..models.case import StepRun


class BallotState(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="ballotstates")


class RollRow(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="rollrows")


class BallotPaper(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="ballotpapers")

