"""The API under ``/api/v1/``: what pages show to everybody, as JSON; its description is
``/api/v1/openapi.json`` (OpenAPI 3.1).

It reads with the same readers as the pages and so shows what they show: nothing personal, no words
that have been withdrawn, no opinion before its reply. Answers carry an ETag; lists are read piece
by piece, with a cursor.
"""

from .answers import api

from . import read as read  # isort: skip - the operations are declared on `api`

__all__ = ["api"]
