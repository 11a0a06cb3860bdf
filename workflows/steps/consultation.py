"""Stub until written."""

from django.db import models

from ..models.case import StepRun


class Opinion(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="opinions")


class HouseholdReturn(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="householdreturns")

