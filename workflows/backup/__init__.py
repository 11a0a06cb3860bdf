"""Backup and restore of the whole site: database, files, keys, and the list of erasures.

A backup is a folder:

``manifest.json``
    when, of what (`vendor`, migrations), the log's newest checkpoint, and every file with its
    SHA-256
``database.sqlite3`` or ``database.dump``
    one moment of the database (`make`)
``files/``
    every uploaded file that this moment names, under its own name; and the list of erasures
``keys.sealed``
    the secret and the log's key, under the passphrase (`keys`); missing without one

`make` writes it while the site runs; `restoring` brings it back into an empty database, proves
it by the log, and does again what was erased since.
"""

MANIFEST = "manifest.json"
FILES = "files"
KEYS = "keys.sealed"
DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
VERSION = 1


class BackupError(Exception):
    """A backup cannot be made or restored; the message says why and what to do."""
