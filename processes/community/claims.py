"""Claiming a household by a one-time code, printed on paper and handed over at the door."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .models import ClaimCode, Household, HouseholdMember, Person, code_hash

# Without 0/O, 1/I/L: people copy the code from paper. 31 signs, 20 of them: 99 bits.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH, GROUP = 20, 5
VALID = dt.timedelta(days=60)
BATCH = 500


class ClaimRefused(Exception):
    """The code does not open a household. The message never tells whether such a code exists."""


def new_code() -> str:
    """A fresh code in groups of five."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(code[at : at + GROUP] for at in range(0, LENGTH, GROUP))


def waiting(at: dt.datetime) -> QuerySet[ClaimCode]:
    """Codes that somebody could use now."""
    return ClaimCode.objects.filter(used_at=None, withdrawn_at=None, until__gt=at)


@transaction.atomic
def issue(
    households: Iterable[Household], at: dt.datetime, by: Person | None = None, *, owns: bool
) -> Sequence[tuple[Household, str]]:
    """Give each household a new code, valid for 60 days; an older one of its kind ends.

    With `owns` whoever uses it votes as an owner. The codes are returned this once.
    """
    issued = [(household, new_code()) for household in households]
    withdraw([household for household, _code in issued], at, owns=owns)
    ClaimCode.objects.bulk_create(
        ClaimCode(
            household=household,
            hash=code_hash(code),
            owns=owns,
            issued_at=at,
            issued_by=by,
            until=at + VALID,
        )
        for household, code in issued
    )
    return issued


def withdraw(households: Iterable[Household], at: dt.datetime, *, owns: bool | None = None) -> int:
    """End the codes of households (a slip was lost); returns how many were waiting."""
    codes = ClaimCode.objects.filter(used_at=None, withdrawn_at=None)
    if owns is not None:
        codes = codes.filter(owns=owns)
    keys = [household.pk for household in households]
    return sum(
        codes.filter(household__in=keys[start : start + BATCH]).update(withdrawn_at=at)
        for start in range(0, len(keys), BATCH)
    )


@transaction.atomic
def claim(code: str, person: Person, at: dt.datetime) -> HouseholdMember:
    """Let `person` speak for the household of a code, which is used up; raises `ClaimRefused`.

    Who speaks for it as an owner already stays one, whatever the second code was for.
    """
    refused = ClaimRefused(_("住户码不正确、已经用过或者已经过期。请核对，或到居委会重新领取。"))
    digest = code_hash(code)
    # One conditional update decides: of two who use a code at once, one gets it.
    if waiting(at).filter(hash=digest).update(used_at=at, used_by=person) != 1:
        raise refused
    used = ClaimCode.objects.select_related("household__unit__stairwell__building").get(hash=digest)
    today = timezone.localtime(at).date()
    member = HouseholdMember.objects.filter(household=used.household, person=person).first()
    if member is None or (member.until is not None and member.until < today):
        member = member or HouseholdMember(household=used.household, person=person)
        member.owns, member.since = used.owns, today
    member.owns = member.owns or used.owns
    member.until = None
    member.save()
    member.household = used.household
    return member


def unlink(member: HouseholdMember, at: dt.datetime) -> None:
    """End a membership at once: its account no longer speaks for the household."""
    yesterday = timezone.localtime(at).date() - dt.timedelta(days=1)
    if member.since > yesterday:
        member.delete()
    else:
        member.until = yesterday
        member.save(update_fields=["until"])


def changed_hands(units: Iterable[int], at: dt.datetime) -> None:
    """Units have other owners: nobody votes by what was claimed before, and codes for it end."""
    keys = list(units)
    for start in range(0, len(keys), BATCH):
        households = list(Household.objects.filter(unit__in=keys[start : start + BATCH]))
        HouseholdMember.objects.filter(household__in=households).update(owns=False)
        withdraw(households, at, owns=True)
