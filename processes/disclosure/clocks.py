"""From when the terms of a case run: the facts read, the rule of law asked."""

from __future__ import annotations

import datetime as dt

from workflows.models import Case, LedgerEntry
from workflows.terms import Calendar, Deadline

from . import rules
from .models import Application


def of(case: Case) -> Application:
    """The application of a case."""
    return Application.objects.get(case=case)


def received(application: Application) -> dt.date:
    """The day of receipt; there is one once a case has left the step of receiving."""
    assert application.received_on is not None
    return application.received_on


def correction_notice(case: Case, calendar: Calendar) -> Deadline:
    """Until when a correction may be asked for; article 30."""
    return rules.correction_notice_due(received(of(case)), calendar)


def correction(case: Case, calendar: Calendar) -> Deadline:
    """Until when the correction is to come in; article 30."""
    application = of(case)
    assert application.asked_on is not None
    assert application.correction_days is not None
    return rules.correction_due(application.asked_on, application.correction_days, calendar)


def consulted(case: Case) -> list[rules.Span]:
    """The days for which letters were out: from each letter to its answer, else to the end of its
    term. A letter that has not arrived yet has no end; while there is one no term is counted."""
    letters = LedgerEntry.objects.filter(case=case, step="consult", standing="stands")
    found = []
    for letter in letters:
        last = letter.public.get("answered_on") or letter.public.get("due_on")
        if last:
            found.append(rules.Span(letter.on, dt.date.fromisoformat(last)))
    return found


def reply(case: Case, calendar: Calendar) -> Deadline:
    """Until when the case is to be answered; article 33."""
    application = of(case)
    return rules.reply_due(
        received(application),
        calendar,
        consulted=consulted(case),
        extended=application.extended,
        postponed=application.postponed_days,
    )
