"""What a database still holds of rows that an erasure changed or deleted: taken away.

SQLite: the pages of its file are written over as they are freed (``secure_delete``), its
write-ahead log once the erasure is committed. PostgreSQL keeps the old row until a VACUUM, which by
itself may wait until a fifth of a table is old, and values of columns as samples in its statistics
until an ANALYZE: both are asked for at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

from django.db import connection, transaction

from .. import clock, jobs
from ..models.job import QUEUED, Job


def order() -> None:
    """Have it done once what runs is committed."""
    transaction.on_commit(_ordered)


def _ordered() -> None:
    if connection.vendor == "postgresql":
        # One that is running may be beyond our rows; one that waits will come to them.
        if not Job.objects.filter(kind="scrub", state=QUEUED).exists():
            jobs.queue("scrub", None, at=clock.now().isoformat())
    elif not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def work(job: Job, told: Callable[[int], None]) -> IO[bytes] | None:
    """VACUUM and ANALYZE every table, one after the other; nothing to do on SQLite."""
    if connection.vendor != "postgresql":
        return None
    tables = connection.introspection.table_names()
    for done, table in enumerate(tables):
        told(done * 98 // len(tables))
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM (ANALYZE) {connection.ops.quote_name(table)}")
    return None
