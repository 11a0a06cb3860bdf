"""One moment of the database into a file, and back: SQLite and PostgreSQL.

Other processes go on writing meanwhile. What the moment holds is read from the very same moment
(`Moment.rows`), so that a backup's list of files fits its rows.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction
from django.db.backends.postgresql.client import DatabaseClient

from . import BackupError


@dataclass(frozen=True, slots=True)
class Moment:
    """The database as it was at one moment."""

    rows: Callable[..., list[tuple[Any, ...]]]
    """`rows(model, *columns)`: those columns of every row by primary key; of the one with the
    highest, with ``newest=True``."""


@contextmanager
def copied(path: Path) -> Iterator[Moment]:
    """Write a moment of the database to `path` and let it be read meanwhile."""
    if connection.vendor == "sqlite":
        with _copied_sqlite(path) as moment:
            yield moment
    elif connection.vendor == "postgresql":
        with _dumped(path) as moment:
            yield moment
    else:
        raise BackupError(f"no backup is known for a database of {connection.vendor}")


def put_back(path: Path) -> None:
    """Bring the file of a moment back. What the database held is gone afterwards."""
    if connection.vendor == "sqlite":
        _fill_sqlite(path)
    else:
        _restore_dump(path)


# --- SQLite ------------------------------------------------------------------------------------


@contextmanager
def _copied_sqlite(path: Path) -> Iterator[Moment]:
    # One reading statement on the connection that is there: writers go on in the log file (WAL),
    # no lock of this process is lost by opening the file a second time, and no freed page is taken
    # along.
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])
    path.chmod(0o600)
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    with closing(sqlite3.connect(path)) as copy:

        def rows(
            model: type[models.Model], *names: str, newest: bool = False
        ) -> list[tuple[Any, ...]]:
            quote = connection.ops.quote_name
            column_of = {f.name: str(f.column) for f in model._meta.concrete_fields}
            columns = ", ".join(quote(column_of[name]) for name in names)
            table, order = quote(model._meta.db_table), quote(column_of[model._meta.pk.name])
            order += " DESC LIMIT 1" if newest else ""
            query = f"SELECT {columns} FROM {table} ORDER BY {order}"  # noqa: S608 - our own names
            return list(copy.execute(query))

        yield Moment(rows)


# In a process of its own: closing a file that this process has open as a database would drop its
# locks. SQLite's own way of copying waits for writers and keeps the write-ahead log right.
_FILL = """
import sqlite3, sys
source, target = (sqlite3.connect(path, timeout=30) for path in sys.argv[1:])
told = source.execute("PRAGMA integrity_check").fetchone()[0]
if told != "ok":
    sys.exit(f"the copy is damaged: {told}")
source.backup(target)
target.close()
"""


def _fill_sqlite(path: Path) -> None:
    target = str(connection.settings_dict["NAME"])
    connections.close_all()
    done = subprocess.run(  # noqa: S603 - our own program and words
        [sys.executable, "-c", _FILL, str(path), target], capture_output=True, check=False
    )
    if done.returncode:
        raise BackupError(done.stderr.decode(errors="replace").strip())


# --- PostgreSQL --------------------------------------------------------------------------------


def _program(name: str) -> str:
    found = shutil.which(name, path=settings.SANWEN_PG_BIN or None)
    if found is None:
        raise BackupError(
            f"{name} is not found: install PostgreSQL's client programs, of the server's version "
            "or later, or name their folder in SANWEN_PG_BIN"
        )
    return found


def _run(name: str, *parameters: str) -> None:
    """Run a program of PostgreSQL on this database, as Django's own shell does."""

    class Program(DatabaseClient):
        executable_name = _program(name)

    try:
        Program(connection).runshell(list(parameters))
    except subprocess.CalledProcessError as error:
        raise BackupError(f"{name} failed ({error.returncode}); see above") from error


@contextmanager
def _dumped(path: Path) -> Iterator[Moment]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot: str = cursor.fetchone()[0]
        path.touch(mode=0o600)
        _run(
            "pg_dump",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={snapshot}",
            f"--file={path}",
        )

        def rows(
            model: type[models.Model], *names: str, newest: bool = False
        ) -> list[tuple[Any, ...]]:
            found = model._default_manager.order_by("-pk" if newest else "pk")
            return list(found.values_list(*names)[: 1 if newest else None])

        yield Moment(rows)


def _restore_dump(path: Path) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)} CASCADE")
    connections[DEFAULT_DB_ALIAS].close()
    _run(
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        str(path),
        "--dbname",
    )
