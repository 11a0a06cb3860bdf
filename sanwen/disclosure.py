"""Salted disclosures of a record: what is behind its digests (RFC 9901, SD-JWT).

The hashed bytes of a record hold codes and numbers. Words that people wrote stand in disclosures,
of which the bytes hold the digests: under ``_sd`` of the record what is private, under ``_sd`` of
its ``body`` what is published beside it. A disclosure may be withdrawn later; the hash still holds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any


class NotADisclosure(ValueError):
    """The text is no disclosure of a property: base64url of ``[salt, name, value]``."""


def made(name: str, value: Any) -> str:
    """A disclosure of `value` with 128 random bits of salt (RFC 9901, 4.2.1), base64url."""
    array = json.dumps([_plain(secrets.token_bytes(16)), name, value], ensure_ascii=False)
    return _plain(array.encode())


def digest(encoded: str) -> str:
    """The digest by which a record names a disclosure (4.2.3): SHA-256, base64url, 43 signs."""
    return _plain(hashlib.sha256(encoded.encode("ascii")).digest())


def read(encoded: str) -> tuple[str, Any]:
    """Name and value of a disclosure; raises `NotADisclosure`."""
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        array = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise NotADisclosure(encoded[:20]) from error
    if not isinstance(array, list) or len(array) != 3 or not isinstance(array[1], str):
        raise NotADisclosure(encoded[:20])
    return array[1], array[2]


def opened(content: Mapping[str, Any], disclosures: Iterable[str]) -> dict[str, Any]:
    """The body of a record with the published disclosures put back where they belong.

    A disclosure whose digest the body does not name is left out: it proves nothing.
    """
    body = dict(content["body"])
    named = set(body.pop("_sd", ()))
    for encoded in disclosures:
        if digest(encoded) in named:
            name, value = read(encoded)
            body[name] = value
    return dict(sorted(body.items()))


def withdrawn(content: Mapping[str, Any], disclosures: Iterable[str]) -> int:
    """How many words of a body were published once and are no more."""
    named = set(content["body"].get("_sd", ()))
    return len(named - {digest(encoded) for encoded in disclosures})


def _plain(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
