"""The API under ``/api/v1/``: what pages show to everybody, as JSON, and with a token what a person
may see and do; its description is ``/api/v1/openapi.json`` (OpenAPI 3.1).

It reads with the same readers as the pages and so shows what they show: nothing personal, no words
that have been withdrawn, no opinion before its reply. Answers carry an ETag; lists are read piece
by piece, with a cursor. It writes through the one door, by the forms of the pages.
"""

from .answers import api

from . import read as read, held as held, own as own, files as files, write as write  # isort: skip - operations of `api`

__all__ = ["api"]
