"""The public record: append, read, and (with the log) verify, export and the trail."""

from sanwen.merkle import leaf_hash

from .append import (
    TooLarge,
    append,
    first_fault,
    flush,
    links,
    pseudonym,
)
from .receipts import copy_to_keep, receipt_code, receipt_hash

__all__ = [
    "TooLarge",
    "append",
    "copy_to_keep",
    "first_fault",
    "flush",
    "leaf_hash",
    "links",
    "pseudonym",
    "receipt_code",
    "receipt_hash",
]
