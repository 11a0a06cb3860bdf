"""How long what applicants told is kept (个人信息保存期限); the sweep has it erased.

Law: Personal Information Protection Law (个人信息保护法) 19 and 47: no longer than needed. A signed
agreement stays two years after its end (Labour Contract Law (劳动合同法) 50); it is not touched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.db.models import Exists, OuterRef, Q, QuerySet

from workflows.models import Case, StepRun
from workflows.records import erasure

from . import rules
from .models import Applicant, NoticeObjection, Representative

OUT_EARLY = ("refused", "withdrawn")
"""Lives that are over once the check is, with the time in which one may object to it."""


def due(now: dt.datetime) -> QuerySet[Applicant]:
    """Applicants of whom nothing is to be kept any more: those refused or withdrawn, half a year
    after the check was over; all others, half a year after their case was closed."""
    before = now - rules.RETENTION
    checked = StepRun.objects.filter(process=OuterRef("case"), name="check", finished__lte=before)
    closed = Q(case__finished__lte=before)
    held = Applicant.objects.filter(erased_at__isnull=True)
    return held.filter(closed | Q(Exists(checked), life__in=OUT_EARLY))


def outdated(now: dt.datetime) -> QuerySet[Case]:
    """The calls that have such applicants."""
    return Case.objects.filter(Exists(due(now).filter(case=OuterRef("pk")))).order_by("pk")


def forget(case: Case, now: dt.datetime) -> Mapping[str, int]:
    """Erase them, and of a case that was closed so long ago all that was told in private but with
    agreements; counts by kind."""
    gone = erasure.let_go(due(now).filter(case=case), now)
    if case.finished is not None and case.finished <= now - rules.RETENTION:
        told = case.records.exclude(act__startswith="agreement.")
        gone.update(erasure.let_go_of(told))
        objections = NoticeObjection.objects.filter(run__process=case).exclude(text="")
        gone["objection"] = objections.update(text="")
        invited = Representative.objects.filter(run__process=case).exclude(name="")
        gone["people"] += invited.update(name="")
    return gone
