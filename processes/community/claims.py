"""Claiming a household by a one-time code, printed on paper and handed over at the door."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .models import Household, HouseholdMember, Person, code_hash

# Without 0/O, 1/I/L: people copy the code from paper. 31 signs, 20 of them: 99 bits.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
VALID = dt.timedelta(days=60)


class ClaimRefused(Exception):
    """The code does not open a household. The message never tells whether such a code exists."""


def new_code() -> str:
    """A fresh code in groups of five."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(20))
    return "-".join(code[at : at + 5] for at in range(0, 20, 5))


@transaction.atomic
def issue(households: Iterable[Household], at: dt.datetime) -> Sequence[tuple[Household, str]]:
    """Give each household a new code, valid for 60 days; an older one ends. Shown this once."""
    issued = []
    for household in households:
        code = new_code()
        household.code_hash = code_hash(code)
        household.code_until = at + VALID
        issued.append((household, code))
    Household.objects.bulk_update([h for h, _code in issued], ["code_hash", "code_until"])
    return issued


def withdraw(households: Iterable[Household]) -> int:
    """End the codes of households (a slip was lost); returns how many were still open."""
    keys = [household.pk for household in households]
    open_ones = Household.objects.filter(pk__in=keys, code_hash__isnull=False)
    return open_ones.update(code_hash=None, code_until=None)


@transaction.atomic
def claim(code: str, person: Person, at: dt.datetime) -> HouseholdMember:
    """Let `person` speak for the household of a code, which is used up; raises `ClaimRefused`."""
    refused = ClaimRefused(_("住户码不正确、已经用过或者已经过期。请核对，或到居委会重新领取。"))
    if sum(sign.isalnum() for sign in code) != 20:
        raise refused
    household = Household.objects.select_for_update().filter(code_hash=code_hash(code)).first()
    if household is None or household.code_until is None or household.code_until <= at:
        raise refused
    household.code_hash = None
    household.code_until = None
    household.save(update_fields=["code_hash", "code_until"])
    member, _made = HouseholdMember.objects.update_or_create(
        household=household,
        person=person,
        defaults={"since": timezone.localtime(at).date(), "until": None},
    )
    return member
