"""Rows in bulk: COPY on PostgreSQL, many at once elsewhere; keys given out beforehand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Model

_SIGNS = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r"}
_ESCAPE = re.compile(r"\\.")


def write(model: type[Model], lines: Iterable[str]) -> None:
    """Write rows, given in the text format of COPY with every column of the model in order."""
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    columns = ", ".join(
        quote(field.column) for field in model._meta.concrete_fields if field.column
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                copy.write("\n".join(lines) + "\n")
            return
        marks = ", ".join(["%s"] * len(model._meta.concrete_fields))
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608 - our own names
            [[_value(cell) for cell in line.split("\t")] for line in lines],
        )


def _value(cell: str) -> Any:
    if cell == "\\N":
        return None
    if cell.startswith("\\\\x"):
        return bytes.fromhex(cell[3:])
    return _ESCAPE.sub(lambda found: _SIGNS[found.group()], cell) if "\\" in cell else cell


class Batch:
    """Rows that gather until there are enough of them to be written."""

    def __init__(self) -> None:
        self.rows: dict[type[Model], list[str]] = {}

    def add(self, model: type[Model], lines: list[str]) -> None:
        """More rows."""
        self.rows.setdefault(model, []).extend(lines)

    def flush(self) -> None:
        """Write them, all or none."""
        with transaction.atomic():
            for model, lines in self.rows.items():
                write(model, lines)
        self.rows.clear()


class Keys:
    """Keys of new rows, given out model by model; `taken` says to the database which are gone."""

    def __init__(self) -> None:
        self.next: dict[type[Model], int] = {}

    def take(self, model: type[Model], count: int) -> int:
        """The first of so many keys."""
        if model not in self.next:
            most = model._default_manager.aggregate(most=Max("pk"))["most"] or 0
            self.next[model] = most + 1
        first = self.next[model]
        self.next[model] = first + count
        return first

    def taken(self) -> None:
        """Let the database go on behind them, whatever becomes of the rows."""
        if connection.vendor != "postgresql":
            return
        with connection.cursor() as cursor:
            for model, key in self.next.items():
                cursor.execute(
                    "SELECT setval(pg_get_serial_sequence(%s, %s), %s)",
                    [model._meta.db_table, model._meta.pk.column, key],
                )


def settle() -> None:
    """Let the database count what it now has, so that it plans by that."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
