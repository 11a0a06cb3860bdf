"""Stub until written."""

from django.db import models

from ..models.case import StepRun


class Meeting(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="meetings")


class SignUp(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="signups")

