"""Stub until written."""

from django.db import models

from ..models.case import StepRun


class Posting(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="postings")


class Objection(models.Model):
    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="objections")

