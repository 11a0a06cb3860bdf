"""Ledger (台账): entries of declared kinds, each with a life of its own, until it is closed."""

from .ledger_rows import LedgerEntry, LedgerMove

__all__ = ["LedgerEntry", "LedgerMove"]
