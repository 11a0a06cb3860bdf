"""Receipts: the code by which the author of an act finds it again, and the copy to keep."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from django.conf import settings

from ..models.case import Case
from ..models.record import Record
from . import log

# Without 0/O, 1/I/L: people copy the code from paper.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def receipt_code(case: Case, seq: int) -> str:
    """The code on the receipt of a record: 20 signs, 99 bits, in groups of five.

    It is derived from the installation's secret and the case's salt, so that it can be shown again
    to its author although it is stored nowhere.
    """
    message = b"receipt" + bytes(case.salt) + seq.to_bytes(8, "big")
    number = int.from_bytes(hmac.digest(settings.SECRET_KEY.encode(), message, "sha512"), "big")
    signs = []
    for _ in range(20):
        number, rest = divmod(number, len(_ALPHABET))
        signs.append(_ALPHABET[rest])
    code = "".join(signs)
    return "-".join(code[at : at + 5] for at in range(0, 20, 5))


def receipt_hash(code: str) -> bytes:
    """What is stored of a receipt code, however it was typed (case, dashes, blanks)."""
    plain = "".join(sign for sign in code.upper() if sign.isalnum())
    return hashlib.sha256(b"receipt\x00" + plain.encode()).digest()


def copy_to_keep(record: Record) -> dict[str, Any]:
    """What proves later, without this site, that the record was in the log: for a file.

    `record` are its hashed bytes, `disclosures` the words published beside it, `proof` the
    inclusion proof with a signed checkpoint (C2SP tlog-proof), None while it has no place yet.
    """
    return {
        "v": 1,
        "record": record.canonical,
        "disclosures": list(
            record.disclosures.filter(public=True).order_by("pk").values_list("encoded", flat=True)
        ),
        "proof": log.proof(record),
    }
