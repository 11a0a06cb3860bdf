"""What is kept of acts that the door refused: the security log, and what a form is told."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction

from . import clock, doors
from .models.case import Case, StepRun
from .models.record import Refusal
from .parties import Party

security_log = logging.getLogger("sanwen.security")


def came_second(case: Case | int | str, step: str, act: str, party: Party) -> None:
    """Note at the household's form that somebody wanted to answer once more."""
    if not transaction.get_connection().needs_rollback:
        name = "process__number" if isinstance(case, str) else "process"
        key = case.pk if isinstance(case, Case) else case
        run = StepRun.objects.filter(name=step, **{name: key}).order_by("-pk").first()
        if run is not None:
            doors.tried(run, act, party.key, clock.now())


def log(case: Any, step: str, act: str, party: Party, code: str) -> None:
    """Note in the security log what was tried, by whom, and why it was refused."""
    if isinstance(case, Case):
        case_id: int | None = case.pk
    elif isinstance(case, str):
        case_id = Case.objects.filter(number=case).values_list("pk", flat=True).first()
    else:
        case_id = case
    security_log.info("refused %s: %s/%s role=%s case=%s", code, step, act, party.role, case_id)
    if transaction.get_connection().needs_rollback:
        return
    if party.role == "clock" and party.user_id is None and code != "wrong_party":
        return  # the sweep tries again every few seconds; its own log has it
    Refusal.objects.create(
        at=clock.now(),
        case_id=case_id,
        step=step[:60],
        act=act[:60],
        role=party.role[:40],
        user_id=party.user_id,
        code=code,
    )
