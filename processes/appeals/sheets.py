"""The supervision sheet (督办单) of a matter that was overdue or twice unsatisfactory, as PDF.

Written in Chinese whatever language the officer reads pages in, from what stands in the record;
without the author's name and number, which the unit reads on the page.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from workflows.models import Case, StepRun

from . import rules
from .models import Appeal


def runs(case: Case) -> list[StepRun]:
    """The times that a case was supervised, the first first."""
    return list(case.runs.filter(name="supervised").order_by("pk"))


def why(run: StepRun) -> tuple[str, str]:
    """Why a matter is supervised, and what the supervising body said of it the time before."""
    before = run.step.beside(run, run.step.acts["task.done"], {}).get("before")
    if before is None:
        return "", ""
    reason = rules.SUPERVISED_FOR.get((before.name, before.outcome), "")
    return str(reason), str(before.data.get("finding", ""))


def sheet(run: StepRun) -> bytes:
    """The sheet of one time."""
    # Loaded here: it takes half a second, and most processes of a site never print.
    from workflows import printing

    case = run.process
    with translation.override(settings.LANGUAGE_CODE):
        appeal = Appeal.objects.get(case=case)
        reason, finding = why(run)
        assigned = case.runs.filter(name="handle").order_by("-pk").first()
        title = _("督办单")
        about: dict[str, Any] = {
            "case": case,
            "run": run,
            "appeal": appeal,
            "kind": rules.KINDS[appeal.kind],
            "unit": rules.UNITS[appeal.unit],
            "joint": [rules.UNITS[seat] for seat in appeal.joint],
            "assigned": assigned,
            "reason": reason,
            "finding": finding,
        }
        html = render_to_string("appeals/sheet.html", about)
        foot = f"{case.number}-{run.round}"
        return printing.numbered([html], title=title, language=settings.LANGUAGE_CODE, foot=foot)
