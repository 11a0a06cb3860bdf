"""Known holes in the packages that are locked, as pip-audit finds them: `make audit`.

Fails where there is one. Where the service that knows of holes is not reachable (a network that
offers packages only), it says so plainly and fails nothing: nothing was looked up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
PATIENCE = 120
"""Seconds."""


def look(lock: str) -> tuple[list[str], int, int]:
    """The holes of a lock, how many packages were looked up, and how many were not."""
    command = [
        *(str(ROOT / ".venv" / "attack" / "bin" / "pip-audit"), "-r", str(ROOT / lock)),
        *("--disable-pip", "--no-deps", "--progress-spinner", "off", "-f", "json"),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        rows = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        return [], 0, 0
    known = [row for row in rows if "vulns" in row]
    holes = [
        f"{row['name']} {row['version']}: {hole['id']}, mended in {hole['fix_versions'] or 'none'}"
        for row in known
        for hole in row["vulns"]
    ]
    return holes, len(known), len(rows) - len(known)


def main() -> int:
    """Look through the locks."""
    failed = False
    for lock in LOCKS:
        holes, known, unknown = look(lock)
        if not known:
            print(
                f"{lock}: NOT AUDITED, the service that knows of holes is not reachable from here"
            )
            continue
        print(f"{lock}: {known} packages looked up, {unknown} unknown, {len(holes)} holes")
        print(*holes, sep="\n")
        failed = failed or bool(holes)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
