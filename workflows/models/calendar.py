"""The calendar of working days as rows: the days that differ from the rule of the week."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class CalendarYear(models.Model):
    """A year whose days off have been announced and loaded; `version` counts its loadings."""

    year = models.PositiveSmallIntegerField(primary_key=True)
    version = models.PositiveSmallIntegerField(default=1)
    source = models.CharField(_("来源"), max_length=120)
    loaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["year"]

    def __str__(self) -> str:
        return f"{self.year}@{self.version}"


class CalendarDay(models.Model):
    """A day that is not what its place in the week says: off, or worked (调休)."""

    date = models.DateField(primary_key=True)
    is_workday = models.BooleanField(_("工作日"))
    name = models.CharField(_("名称"), max_length=40, blank=True)
    source = models.CharField(_("来源"), max_length=120)
    version = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["date"]

    def __str__(self) -> str:
        return f"{self.date} {self.name}"
