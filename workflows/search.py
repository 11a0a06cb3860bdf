"""Finding words in texts without blanks between words: Chinese, where two signs are a word.

``says`` is a lookup of text fields: whether a text has these signs in a row, whatever their case.
On PostgreSQL a `SignsIndex` answers it from pairs of signs (an index of threes, as pg_trgm makes,
knows no word of two). SQLite reads the texts themselves, which its sizes bear. The index is made
from the text's own column: what is masked or erased there is gone from it too.
"""

from __future__ import annotations

from typing import Any

from django.db import models

# Every second pair, from the first sign on and from the second: all pairs there are. Functions of
# PostgreSQL that never change their mind (IMMUTABLE), so that an index may stand on them.
_PAIRS = (
    "string_to_array("
    r"regexp_replace(lower({0}), '(..)', '\1' || chr(1), 'g') || chr(1) || "
    r"regexp_replace(substr(lower({0}), 2), '(..)', '\1' || chr(1), 'g'), chr(1))"
)


class SignsIndex(models.Index):
    """An index of one text field for ``says``. Nothing where the database is not PostgreSQL."""

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **_kwargs: Any) -> Any:
        """The statement that makes it."""
        if schema_editor.connection.vendor != "postgresql":
            return "SELECT 1"
        quote = schema_editor.quote_name
        column = quote(model._meta.get_field(self.fields[0]).column)
        name, table = quote(self.name), quote(model._meta.db_table)
        # Texts come one by one: no list of pending ones that each search would have to read.
        made = f"USING gin (({_PAIRS.format(column)})) WITH (fastupdate = off)"
        return f"CREATE INDEX {name} ON {table} {made}"

    def remove_sql(self, model: Any, schema_editor: Any, **kwargs: Any) -> Any:
        """The statement that takes it away."""
        if schema_editor.connection.vendor != "postgresql":
            return "SELECT 1"
        return super().remove_sql(model, schema_editor, **kwargs)


class ReadStatistics(models.Index):
    """What PostgreSQL knows of the words of one text field, for ``reads``: without it the planner
    takes every word to be rare, and reads and sorts all that have it. No index, and kept up by
    ANALYZE alone. Nothing where the database is not PostgreSQL."""

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **_kwargs: Any) -> Any:
        """The statements that make it, and fill it."""
        if schema_editor.connection.vendor != "postgresql":
            return "SELECT 1"
        quote = schema_editor.quote_name
        column = quote(model._meta.get_field(self.fields[0]).column)
        name, table = quote(self.name), quote(model._meta.db_table)
        return f"CREATE STATISTICS {name} ON (lower({column})) FROM {table}; ANALYZE {table}"

    def remove_sql(self, model: Any, schema_editor: Any, **_kwargs: Any) -> Any:
        """The statement that takes it away."""
        if schema_editor.connection.vendor != "postgresql":
            return "SELECT 1"
        return f"DROP STATISTICS {schema_editor.quote_name(self.name)}"


def pairs(word: str) -> list[str]:
    """The pairs of neighbouring signs of a word, each once; none of a single sign."""
    low = word.lower()
    return list(dict.fromkeys(low[at : at + 2] for at in range(len(low) - 1)))


@models.CharField.register_lookup
@models.TextField.register_lookup
class Reads(models.Lookup):
    """``wording__reads="路灯"``: by reading the texts one by one. For a word that so many have that
    the newest of them are soon found."""

    lookup_name = "reads"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Read the text."""
        column, params = self.process_lhs(compiler, connection)
        pattern = connection.ops.prep_for_like_query(self.rhs.lower())
        return rf"LOWER({column}) LIKE %s ESCAPE '\'", [*params, f"%{pattern}%"]


@models.CharField.register_lookup
@models.TextField.register_lookup
class Says(Reads):
    """``wording__says="路灯"``: by the index where there is one."""

    lookup_name = "says"

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        """Ask the index for texts that have the pairs, then read those."""
        read, values = self.as_sql(compiler, connection)
        column, params = self.process_lhs(compiler, connection)
        wanted = pairs(self.rhs)
        if not wanted:
            return read, values
        has = f"{_PAIRS.format(column)} @> %s::text[]"
        # The text is read first where no index was asked: its pairs take ten times as long. Both,
        # also for a word that is a pair itself: the planner then asks the index however common it
        # takes the word to be, and does not go through the newest until it has found enough.
        return f"({read} AND {has})", [*values, *params, *params, wanted]
