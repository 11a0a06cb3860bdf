"""Whose data are erased, and what this room holds of a person: accounts, links, names of the roll.

Law: Personal Information Protection Law (个人信息保护法) 47; Civil Code (民法典) 278 for the roll,
which keeps the name of whoever owns something.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.dispatch import receiver
from django.utils import timezone

from workflows import clock
from workflows.erasing import Subject
from workflows.models import Case, Community
from workflows.parties import Party
from workflows.records.erasure import erasing
from workflows.records.erasure_list import known_words
from workflows.steps.privacy import ERASERS

from .directory import CommunityDirectory
from .models import (
    ClaimCode,
    HouseholdMember,
    Owner,
    Ownership,
    Person,
    Role,
    RollDraft,
    Unit,
    serving,
)

CLOSE, ROLL = "close_account", "off_the_roll"


def subject_of(
    person: Person | None = None,
    unit: Unit | None = None,
    *,
    close: bool = False,
    former: str = "",
    community: Community | None = None,
    drawn: str = "",
) -> Subject:
    """An account, a household (what was done in its name, on paper too), a former owner, or all;
    `drawn`: the key of somebody who acts by receipt, without an account.

    `close` shuts the account for ever; `former` is the name of somebody who owns nothing in
    `community` any more and is taken off its roll.
    """
    users = {person.pk} if person is not None else set()
    keys = {f"person:{person.pk}"} if person is not None else set()
    keys |= {drawn} if drawn else set()
    names = {person.display_name} if person is not None and person.display_name else set()
    labels: set[str] = set()
    if unit is not None:
        keys.add(f"household:{unit.pk}")
        labels.add(unit.label)
        owners = Ownership.objects.filter(unit=unit).values_list("owner__name", flat=True)
        members = HouseholdMember.objects.filter(household__unit=unit)
        speakers = members.values_list("person__display_name", flat=True)
        names.update(name for name in (*owners, *speakers) if name)
    options = {CLOSE} if close else set()
    if former and community is not None:
        names.add(former)
        options.add(f"{ROLL}:{community.pk}")
    return Subject(
        frozenset(users),
        frozenset(keys),
        frozenset(names),
        frozenset(labels),
        frozenset(options),
    )


def eraser(user: Any, case: Case) -> Party | None:
    """As what an account may erase in a case."""
    parties = CommunityDirectory().parties_of(user, case.community, clock.now())
    return next((party for party in parties if party.role in ERASERS), None)


def on_duty(person: Person) -> bool:
    """Whether an account serves in a role: that ends before its data are erased."""
    return Role.objects.filter(serving(clock.today()), person=person).exists()


@receiver(known_words)
def words_of_people(sender: Any, **_more: Any) -> Iterator[str]:
    """Every name of the rolls and accounts, and every room."""
    yield from Owner.objects.values_list("name", flat=True).distinct().iterator()
    accounts = Person.objects.exclude(display_name="")
    yield from accounts.values_list("display_name", flat=True).distinct().iterator()
    for unit in Unit.objects.select_related("stairwell__building").iterator():
        yield unit.label


@receiver(erasing)
def erase_people(sender: Any, *, subject: Subject, at: dt.datetime, **_more: Any) -> dict[str, int]:
    """Close accounts, end links, take names off the roll: as the subject's options say."""
    counts: dict[str, int] = {}
    people = Person.objects.filter(pk__in=subject.users)
    if CLOSE in subject.options:
        counts |= _close(people, timezone.localtime(at).date())
    for option in subject.options:
        kind, _sep, community = option.partition(":")
        if kind == ROLL:
            counts |= _off_the_roll(subject, int(community))
    return counts


def _close(people: Iterable[Person], today: dt.date) -> dict[str, int]:
    counts = {"accounts": 0, "memberships": 0, "sessions": 0}
    for person in people:
        person.username = f"erased-{secrets.token_hex(8)}"
        person.display_name = person.first_name = person.last_name = person.email = ""
        person.is_active = False
        person.last_login = None
        person.set_unusable_password()
        person.save()
        EmailAddress.objects.filter(user=person).delete()
        Authenticator.objects.filter(user=person).delete()
        ClaimCode.objects.filter(used_by=person).update(used_by=None)
        gone, _by = HouseholdMember.objects.filter(person=person).delete()
        Role.objects.filter(Q(until=None) | Q(until__gt=today), person=person).update(until=today)
        counts["accounts"] += 1
        counts["memberships"] += gone
        for session in Session.objects.filter(expire_date__gt=timezone.now()):
            if session.get_decoded().get("_auth_user_id") == str(person.pk):
                session.delete()
                counts["sessions"] += 1
    return counts


def former_owners(community: Community | int, *names: str) -> QuerySet[Owner]:
    """Who is on a roll and owns nothing: the roll of owners is kept by law."""
    return Owner.objects.filter(estate__community=community, name__in=names, ownerships=None)


def _off_the_roll(subject: Subject, community: int) -> dict[str, int]:
    rows = list(former_owners(community, *subject.names).values_list("pk", flat=True))
    drafts, _by = RollDraft.objects.filter(estate__community=community).delete()
    Owner.objects.filter(pk__in=rows).update(name=ERASED_NAME, number="")
    return {"owners": len(rows), "drafts": drafts}


ERASED_NAME = "（已删除）"
