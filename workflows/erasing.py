"""Erasing a person's data through the whole installation: case by case through the one door.

What a case holds: `records.erasure`. What other rooms hold they erase when its `erasing` is sent.
All in one transaction: everything, or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from . import acts, clock
from .models.case import Case
from .models.token import ApiToken, Submission
from .parties import Party
from .records import erasure, erasure_list, scrubbing
from .records.erasure import Subject

__all__ = ["Report", "Subject", "carry_out", "carry_out_again", "preview"]


@dataclass(slots=True)
class Report:
    """What was (or would be) erased and what the law keeps for now, in counts by kind."""

    cases: list[str] = field(default_factory=list)
    gone: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    elsewhere: int = 0
    """Cases of places for which the one who erases has no role; nothing of them is touched."""
    records: dict[str, int] = field(default_factory=dict)
    """The position of the record that each case got."""


@receiver(erasure.erased)
def forget_papers(sender: Any, *, case_ids: list[int], **_more: Any) -> None:
    """Throw away the trails that were made of cases before their words changed."""
    from .records.trail import make  # loads the press, which few processes need

    for case in Case.objects.filter(pk__in=case_ids):
        make.forget(case)


@receiver(erasure.erasing)
def forget_tokens(sender: Any, *, subject: Subject, **_more: Any) -> dict[str, int]:
    """Take back what programs were given to act for the person, and forget what they handed in."""
    tokens = ApiToken.objects.filter(user__in=subject.users)
    count = tokens.count()
    tokens.delete()
    Submission.objects.filter(account__in=subject.users).delete()
    return {"tokens": count}


class _Undone(Exception):
    """Takes back what was done within a transaction."""


def carry_out(subject: Subject, reason: str, party_in: Callable[[Case], Party | None]) -> Report:
    """Erase; each case that holds something gets a record, which says how much and never whose.

    `party_in` names the capacity in which the one who erases acts on a case, None where there is
    none. Raises `acts.Refused`; then nothing has changed. The erasure is noted outside the
    database, so that it lasts when a backup is restored (`records.erasure_list`).
    """
    noted, committed = "", Event()
    try:
        with transaction.atomic():
            transaction.on_commit(committed.set)  # before what may fail after the commit
            report = _erase(subject, reason, party_in)
            scrubbing.order()
            # Last before the commit: killed between the two, it is done again rather than lost.
            noted = erasure_list.add(subject, reason, report.records, clock.now())
    except BaseException:
        if noted and not committed.is_set():
            erasure_list.strike(noted)
        raise
    return report


def carry_out_again(entry: erasure_list.Entry, subject: Subject) -> Report:
    """Do an erasure again in a database that was restored from before it, by the clock and in the
    same cases; their records name the day on which it was first done."""

    def party_in(case: Case) -> Party | None:
        return Party.clock() if case.number in entry.cases else None

    with transaction.atomic():
        report = _erase(subject, entry.reason, party_in, again=entry.at.date().isoformat())
        scrubbing.order()
    return report


def preview(subject: Subject, reason: str, party_in: Callable[[Case], Party | None]) -> Report:
    """What `carry_out` would do, by doing it and taking it back."""
    found: list[Report] = []
    try:
        with transaction.atomic():
            found.append(_erase(subject, reason, party_in))
            raise _Undone
    except _Undone:
        return found[0]


def _in_case(
    case: Case, subject: Subject, reason: str, party: Party, report: Report, again: str
) -> None:
    """Erase what a case holds; where nothing is, no record says that it was."""
    try:
        with transaction.atomic():
            payload = {"reason": reason, "subject": subject, "again": again}
            done = acts.perform(case, acts.CASE, "erasure.done", party, payload)
            report.kept.update(done.record.body.get("kept", {}))
            if not done.record.body["erased"]:
                raise _Undone
    except _Undone:
        return
    report.cases.append(case.number)
    report.records[case.number] = done.record.seq
    report.gone.update(done.record.body["erased"])


def _erase(
    subject: Subject, reason: str, party_in: Callable[[Case], Party | None], again: str = ""
) -> Report:
    report = Report()
    for case in erasure.cases_of(subject).select_related("community"):
        party = party_in(case)
        if party is None:
            report.elsewhere += 1
            continue
        _in_case(case, subject, reason, party, report, again)
    for _receiver, counts in erasure.erasing.send(Subject, subject=subject, at=clock.now()):
        report.gone.update(counts or {})
    return report
