"""Stub until written."""

from django.db import models

from ..models.case import StepRun


class Candidate(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="candidates")


class Mark(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="marks")

