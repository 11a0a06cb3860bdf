"""The public record: append, read, and (with the log) verify, export and the trail."""

from sanwen.merkle import leaf_hash

from .append import (
    Found,
    TooLarge,
    append,
    first_fault,
    flush,
    links,
    next_pk,
    not_before,
    pseudonym,
    write,
)
from .receipts import copy_to_keep, receipt_code, receipt_hash

__all__ = [
    "Found",
    "TooLarge",
    "append",
    "copy_to_keep",
    "first_fault",
    "flush",
    "leaf_hash",
    "links",
    "next_pk",
    "not_before",
    "pseudonym",
    "receipt_code",
    "receipt_hash",
    "write",
]
