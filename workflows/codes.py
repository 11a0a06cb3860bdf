"""Codes that people carry on paper: drawn at random, shown once, kept as digests alone."""

from __future__ import annotations

import hashlib
import secrets

# Without 0/O, 1/I/L: people copy the code from paper. 31 signs, 20 of them: 99 bits.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH, GROUP = 20, 5


def new() -> str:
    """A fresh code in groups of five."""
    return grouped("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))


def grouped(code: str) -> str:
    """A code as it is printed, however it was typed (small letters, blanks, no dashes)."""
    plain = "".join(sign for sign in code.upper() if sign.isalnum())[: 2 * LENGTH]
    return "-".join(plain[at : at + GROUP] for at in range(0, len(plain), GROUP))


def digest(kind: str, code: str) -> bytes:
    """What is stored of a code of that kind (``sheet``), however it was typed."""
    plain = "".join(sign for sign in code.upper() if sign.isalnum())
    return hashlib.sha256(kind.encode() + b"\x00" + plain.encode()).digest()
