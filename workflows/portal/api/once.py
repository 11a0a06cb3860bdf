"""What is handed in under a key is done once (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_lazy as _
from ninja import Header
from pydantic import StringConstraints

from ... import acts, clock
from ...models.record import Record
from ...models.token import Submission
from .answers import Told
from .shapes import Sent, keyed

KEPT = dt.timedelta(days=30)
"""For how long another body under the same key is found out. That an act is done once holds for
ever: its record keeps the key."""

IdempotencyKey = Annotated[
    str,
    StringConstraints(pattern=r'^"?[A-Za-z0-9._:-]{1,100}"?$'),
    Header(
        alias="Idempotency-Key",
        description=(
            "Names what is handed in, once: a UUID, for instance. Sent again with the same key and "
            "body, it is answered as before and done no second time. What was refused may be sent "
            "again under the same key, also corrected."
        ),
    ),
]


class Came:
    """What came of a submission: the record, and the fact by kind and key."""

    def __init__(self, record: Record, fact: models.Model | None) -> None:
        self.record = record
        self.fact: dict[str, Any] | None = (
            {"kind": fact._meta.model_name, "id": fact.pk} if fact is not None else None
        )
        self.repeated = False


def once(user_id: int, key: str, sent: Sent, do: Callable[[str], Came]) -> Came:
    """Do it, unless the account has done it under that key already; `do` is given the key for the
    one door. Raises `Told` and `acts.Refused`; then nothing is done and the key is free again.

    Of two at once the database lets one write its row; the other waits for it.
    """
    name = keyed("key", str(user_id), key.strip('"'))
    refused: acts.Refused | None = None
    try:
        with transaction.atomic():
            now = clock.now()
            row, made = Submission.objects.get_or_create(
                account_id=user_id, key=name, defaults={"fingerprint": sent.fingerprint, "at": now}
            )
            if not made:
                return _again(row, sent)
            try:
                came = do(f"api:{name[:56]}")
            except acts.Refused as error:
                # The refusal itself is kept: it is in the security log, in this transaction.
                row.delete()
                refused = error
            else:
                row.record, row.fact = came.record, came.fact
                row.save(update_fields=["record", "fact"])
                Submission.objects.filter(account_id=user_id, at__lt=now - KEPT).delete()
                return came
    except IntegrityError as error:
        # Two submissions passed the checks side by side; the database let one through.
        raise Told("duplicate", _("该操作已经登记，请勿重复提交。")) from error
    assert refused is not None
    raise refused


def _again(row: Submission, sent: Sent) -> Came:
    if row.fingerprint != sent.fingerprint:
        raise Told("key_reused")
    assert row.record is not None
    came = Came(row.record, None)
    came.fact, came.repeated = row.fact, True
    return came
