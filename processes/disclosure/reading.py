"""Who may see what of an application, and what they see."""

from __future__ import annotations

from typing import Any

from workflows.models import Attachment, Case

from . import forms, letters, rules
from .models import Application, Decision

HANDLE = frozenset({"office", "office_head", "checker"})
TO_APPLICANT = (letters.TO_APPLICANT, "materials")
"""The fields of files that are for the applicant."""


def inside(case: Case, roles: set[str]) -> dict[str, Any]:
    """The application in clear, and its decision: to who handles it as drafted, to the applicant
    as delivered. Five queries at most."""
    handles = bool(roles & HANDLE)
    if not handles and "applicant" not in roles:
        return {}
    application = Application.objects.filter(case=case).first()
    if application is None:
        return {}
    decision = Decision.objects.filter(case=case).last()
    if decision is not None and not handles and not decision.number:
        decision = None
    files = Attachment.objects.filter(run__process=case, public=False).select_related("run")
    shown = [file for file in files if handles or _to_applicant(file, decision)]
    return {
        "application": application,
        "kind": forms.APPLICANTS.get(application.kind, application.kind),
        "form": forms.FORMS.get(application.form, application.form),
        "way": forms.WAYS.get(application.way, application.way),
        "channel": rules.CHANNELS.get(application.channel, application.channel),
        "decision": decision,
        "outcome": rules.OUTCOMES[decision.outcome] if decision else None,
        "ground": rules.GROUNDS.get(decision.ground) if decision else None,
        "files": shown,
        "handles": handles,
    }


def _to_applicant(file: Attachment, decision: Decision | None) -> bool:
    """Letters; and the information itself, of the draft that was delivered."""
    if file.field not in TO_APPLICANT:
        return False
    if file.field == letters.TO_APPLICANT:
        return True
    return decision is not None and bool(decision.number) and file.record_id == decision.record_id


def may_read(file: Attachment, roles: set[str]) -> bool:
    """Who handles the application reads all of its files, the applicant those for the applicant."""
    if roles & HANDLE:
        return True
    if "applicant" not in roles or file.run is None:
        return False
    decision = Decision.objects.filter(case=file.run.process_id).last()
    return _to_applicant(file, decision)
