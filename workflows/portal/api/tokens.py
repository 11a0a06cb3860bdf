"""Tokens: how they look, what they let a program do, and whose they are."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import string
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja.security import HttpBearer

from ... import clock
from ...models.token import ApiToken
from ...parties import Party, directory, own_roles
from ...steps.act import Words
from .answers import Limited, Told

READ, READ_STAFF = "read", "read.staff"
FILES_STAFF = "files.staff"
ACT, ACT_STAFF = "act.resident", "act.staff"
SCOPES: dict[str, Words] = {
    READ: _("查看我办过的、等我办理的和回执，下载我提交的文件"),
    ACT: _("以本人的身份办理"),
    READ_STAFF: _("查看等我以工作身份办理的"),
    FILES_STAFF: _("下载我以工作身份可以查看的非公开文件"),
    ACT_STAFF: _("以工作身份办理，包括补录纸质表"),
}
"""What a token may be given, with what people read."""
OF_STAFF = frozenset({READ_STAFF, FILES_STAFF, ACT_STAFF})
MOST = 20
"""Tokens that work which one account may have at once."""
LONGEST = 365
"""Days for which a token works at most."""

PREFIX = "sanwen_"
"""By which scanners for secrets find a token that was left somewhere."""
_SIGNS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LENGTH, _CHECK = 36, 6


def _checked(body: str) -> str:
    """The last signs of a token: CRC-32 of the others, so that a scanner can tell a token from
    what only looks like one without asking here."""
    number, found = zlib.crc32(body.encode()), ""
    for _place in range(_CHECK):
        number, rest = divmod(number, len(_SIGNS))
        found = _SIGNS[rest] + found
    return found


def drawn() -> str:
    """A new token: 36 random signs (214 bits) between its prefix and its check."""
    body = "".join(secrets.choice(_SIGNS) for _place in range(_LENGTH))
    return PREFIX + body + _checked(body)


def well_formed(text: str) -> bool:
    """Whether a text is a token by its looks."""
    body = text.removeprefix(PREFIX)
    if len(text) != len(PREFIX) + _LENGTH + _CHECK or len(body) != _LENGTH + _CHECK:
        return False
    return body.isascii() and body.isalnum() and _checked(body[:_LENGTH]) == body[_LENGTH:]


def digest(token: str) -> bytes:
    """What is kept of a token. It is too long to be guessed, so that one round is enough."""
    return hashlib.sha256(token.encode()).digest()


def give(user: Any, name: str, scopes: Iterable[str], days: int, *, confirmed: bool) -> str:
    """Make a token for an account and return it, this once. `days` from today, `LONGEST` at most;
    `confirmed`: the second factor has just been given."""
    token, now = drawn(), clock.now()
    wanted = set(scopes)
    ApiToken.objects.create(
        user_id=user.pk,
        name=name,
        scopes=[scope for scope in SCOPES if scope in wanted],
        digest=digest(token),
        hint=token[-4:],
        created=now,
        ends_on=clock.today() + dt.timedelta(days=min(days, LONGEST)),
        confirmed_at=now if confirmed else None,
    )
    return token


def tokens_of(user: Any) -> list[ApiToken]:
    """The tokens of an account that work, newest first."""
    rows = ApiToken.objects.filter(user_id=user.pk, revoked_at=None, ends_on__gte=clock.today())
    return list(rows.order_by("-pk"))


def revoke(rows: Q) -> int:
    """Take tokens back, for ever; how many there were."""
    return ApiToken.objects.filter(rows, revoked_at=None).update(revoked_at=clock.now())


def scopes_of(token: ApiToken) -> frozenset[str]:
    """What a token lets its holder do now."""
    named = frozenset(token.scopes) & SCOPES.keys()
    if settings.SANWEN_STAFF_TOTP and token.confirmed_at is None:
        return named - OF_STAFF
    return named


def covers(token: ApiToken, party: Party, *, act: bool) -> bool:
    """Whether a token goes for its owner's capacity: to act in it, or to see what waits for it."""
    scopes = scopes_of(token)
    own = party.role in own_roles() and party.via != "paper"
    acting = ACT if own else ACT_STAFF
    reading = READ if own else READ_STAFF
    return acting in scopes or (not act and reading in scopes)


def parties_everywhere(token: ApiToken) -> Mapping[int, Sequence[Party]]:
    """The capacities of a token's owner that it goes for, by community; to see what waits."""
    everywhere = directory().parties_everywhere(token.user, clock.now())
    found = {
        place: [party for party in held if covers(token, party, act=False)]
        for place, held in everywhere.items()
    }
    return {place: held for place, held in found.items() if held}


class Bearer(HttpBearer):
    """A token in the header ``Authorization: Bearer …``. Nothing else opens what is behind it: no
    session, so that no other site can make a browser act."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """The token, if it works and its owner's account does."""
        row = None
        if well_formed(token):
            rows = ApiToken.objects.select_related("user").filter(digest=digest(token))
            row = rows.first()
        if row is None or not row.works() or not row.user.is_active:
            if not MISSES.allow_request(request):
                raise Told("too_many")
            return None
        if row.used_on != clock.today():
            ApiToken.objects.filter(pk=row.pk).update(used_on=clock.today())
        request.user = row.user
        return row


def _of_token(_group: str, request: Any) -> str:
    return str(request.auth.pk)


MISSES = Limited("api.misses", "60/m")
"""Tokens that do not work, by address; those that do are counted by themselves."""
OFTEN = Limited("api.token", "240/m", key=_of_token)
ACTING = Limited("api.acts", "60/m", key=_of_token)
bearer = Bearer()


def need(token: ApiToken, *scopes: str) -> None:
    """Refuse a token that has none of these scopes."""
    if not scopes_of(token).intersection(scopes):
        raise Told("scope", scope=" ".join(scopes))
