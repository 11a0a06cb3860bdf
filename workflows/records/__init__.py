"""The public record: append, read, and (with the log) verify, export and the trail."""

from .append import TooLarge, append, flush, leaf_hash, pseudonym, receipt_code, receipt_hash

__all__ = ["TooLarge", "append", "flush", "leaf_hash", "pseudonym", "receipt_code", "receipt_hash"]
