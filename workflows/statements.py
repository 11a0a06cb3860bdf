"""Statements of the one door whose SQL is made once, not at every act.

What an act asks and writes has always the same shape; Django's compiler would build it anew each
time, which takes longer than the database needs to answer. A `Question` is a queryset of any kind
with `slot`s where the values go; `inserting` is a row's own INSERT. `together` sends several in one
go where the database takes that (PostgreSQL, by the driver's pipeline): each sees what was
committed before it began, as if it had been sent alone, and is parsed and planned once for a
connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import ModelIterable, get_related_populators
from django.db.models.signals import post_save, pre_save
from django.db.models.sql.subqueries import InsertQuery

PREPARED = 300
"""Statements that a connection keeps prepared: more than the door has, by shape and types."""

Ready = tuple[str, Sequence[Any], Callable[[list[Any]], Any] | None]
"""SQL, its values, and what is done with the rows that come back (None: nothing comes back)."""


class _Slot(Expression):
    """Where a value goes: numbers and texts as the database's driver takes them."""

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, _compiler: Any, _connection: Any) -> Any:
        """The place in the statement, with itself where the value will stand."""
        return "%s", [self]


def slot(name: str, model: type[Model], field: str) -> Any:
    """The place of a value that is compared with a field; named as the question is asked."""
    compared: Any = model._meta.get_field(field)
    return _Slot(name, compared)


class Question:
    """A queryset whose SQL is made once; `build` makes it, with a `slot` for each value."""

    def __init__(self, build: Callable[[], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._ready: dict[str, tuple[str, list[Any], Callable[[list[Any]], list[Any]]]] = {}

    def with_values(self, **values: Any) -> Ready:
        """The statement that asks it; its rows are model instances, or what `values_list` gives."""
        ready = self._ready.get(connection.vendor)
        if ready is None:
            ready = self._ready[connection.vendor] = self._compiled()
        sql, params, read = ready
        return sql, [values[p.name] if isinstance(p, _Slot) else p for p in params], read

    def ask(self, **values: Any) -> list[Any]:
        """The rows."""
        [rows] = together([self.with_values(**values)])
        found: list[Any] = rows
        return found

    def _compiled(self) -> tuple[str, list[Any], Callable[[list[Any]], list[Any]]]:
        queryset = self._build()
        compiler: Any = queryset.query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        width = len(compiler.select)
        converters = compiler.get_converters([column[0] for column in compiler.select])
        whole = issubclass(queryset._iterable_class, ModelIterable)

        def read(rows: list[Any]) -> list[Any]:
            found: Iterable[Any] = (row[:width] for row in rows)
            if converters:
                found = compiler.apply_converters(found, converters)
            return [instance(row) if whole else tuple(row) for row in found]

        if whole:
            klass = compiler.klass_info
            fields = klass["select_fields"]
            start, end = fields[0], fields[-1] + 1
            names = [column[0].target.attname for column in compiler.select[start:end]]
            related = get_related_populators(klass, compiler.select, connection.alias)  # type: ignore[call-arg]

        def instance(row: Any) -> Any:
            made = klass["model"].from_db(connection.alias, names, row[start:end])
            for populator in related:
                populator.populate(row, made)
            return made

        return sql, list(params), read


_inserts: dict[tuple[str, type[Model], bool, bool], tuple[str, list[Any]]] = {}


def plain(model: type[Model]) -> bool:
    """Whether saving a new row of a model is one INSERT and nothing else."""
    return (
        model.save is Model.save
        and not model._meta.parents
        and not pre_save.has_listeners(model)
        and not post_save.has_listeners(model)
    )


def inserting(row: Model, *, returning: bool = False) -> Ready:
    """The INSERT of a new row; with `returning` it then knows its key."""
    model = type(row)
    shape = (connection.vendor, model, row.pk is None, returning)
    ready = _inserts.get(shape)
    if ready is None:
        query: Any = InsertQuery(model)
        fields = [f for f in model._meta.concrete_fields if not (f.primary_key and row.pk is None)]
        query.insert_values(fields, [row])
        compiler: Any = query.get_compiler(connection=connection)
        if returning:
            compiler.returning_fields = [model._meta.pk]
        [(sql, _params)] = compiler.as_sql()
        ready = _inserts[shape] = (sql, fields)
    sql, fields = ready
    values = [
        field.get_db_prep_save(field.pre_save(row, add=True), connection=connection)
        for field in fields
    ]

    def know(rows: list[Any]) -> None:
        row.pk = rows[0][0]

    row._state.adding = False
    row._state.db = connection.alias
    return sql, values, know if returning else None


def next_key(model: type[Model], count: int = 1) -> Ready:
    """The statement that asks PostgreSQL for the keys of so many rows to come, one a row."""
    table = connection.ops.quote_name(model._meta.db_table)
    sql = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    return sql, [table, count], list


_updates: dict[type[Model], str] = {}


def updating(row: Model) -> Ready:
    """The UPDATE of a row with all of its fields."""
    model = type(row)
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    sql = _updates.get(model)
    if sql is None:
        quoted = connection.ops.quote_name
        columns = ", ".join(f"{quoted(str(field.column))} = %s" for field in fields)
        sql = _updates[model] = f"UPDATE {quoted(model._meta.db_table)} SET {columns} WHERE id = %s"  # noqa: S608
    values = [
        field.get_db_prep_save(field.pre_save(row, add=False), connection=connection)
        for field in fields
    ]
    return sql, [*values, row.pk], None


class _Batch:
    """What Django's cursors take for the driver's: statements that go out together, each prepared
    by the database once for the connection. `rows` has what each came to."""

    def __init__(self, raw: Any, statements: Sequence[Ready]) -> None:
        self._raw, self._statements = raw, statements
        self.rows: list[list[Any]] = []

    def execute(self, sql: str, values: Sequence[Any]) -> None:
        """Send them; the words and values given are for those who watch the cursor."""
        self._said = sql, values
        from psycopg import Cursor

        raw, sent = self._raw, []
        if raw.prepare_threshold is None:
            raw.prepare_threshold = 0
            raw.prepared_max = PREPARED
        with raw.pipeline():
            for one, its, _read in self._statements:
                sent.append(Cursor(raw).execute(one, its, prepare=True))
        self.rows = [
            cursor.fetchall() if read else []
            for cursor, (_sql, _values, read) in zip(sent, self._statements, strict=True)
        ]

    @property
    def _query(self) -> Any:
        """All of it in one text, where Django's list of queries is kept."""
        from psycopg import ClientCursor

        return SimpleNamespace(query=ClientCursor(self._raw).mogrify(*self._said).encode())

    def close(self) -> None:
        """Nothing is held."""


def together(statements: Sequence[Ready]) -> list[Any]:
    """Run statements in order, on PostgreSQL in one go; what each one's rows came to."""
    if connection.vendor != "postgresql" or not settings.SANWEN_PREPARE:
        return _plainly(statements)
    connection.ensure_connection()
    batch = _Batch(connection.connection, statements)
    watched: Any = connection._prepare_cursor(batch)  # type: ignore[attr-defined]
    with watched:
        # Values apart from the words: traces and the log of slow statements show the words alone.
        watched.execute(
            "; ".join(sql for sql, _values, _read in statements),
            [value for _sql, values, _read in statements for value in values],
        )
    return [
        read(rows) if read else None
        for rows, (_sql, _values, read) in zip(batch.rows, statements, strict=True)
    ]


def _plainly(statements: Sequence[Ready]) -> list[Any]:
    """The same without the driver's pipeline and prepared statements: on PostgreSQL as one text, on
    SQLite one after the other."""
    found: list[Any] = []
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql" or len(statements) == 1:
            for sql, values, read in statements:
                cursor.execute(sql, values)
                found.append(read(cursor.fetchall()) if read else None)
            return found
        # Values apart from the words: traces and the log of slow statements show the words alone.
        cursor.execute(
            "; ".join(sql for sql, _values, _read in statements),
            [value for _sql, values, _read in statements for value in values],
        )
        for _sql, _values, read in statements:
            found.append(read(cursor.fetchall()) if read else None)
            cursor.nextset()
    return found
