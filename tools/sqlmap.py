"""sqlmap against a running Sanwen: every parameter of six pages (`make sqlmap`).

    .venv/bin/python tools/sqlmap.py http://127.0.0.1:8000 [--cookie sessionid=…]

The search, the list of cases, supervision (whose steps lead to the open data), the auditors' filter
(with the cookie of one who may) and the API. Fails where sqlmap finds an injection. Meant for a
demo: it sends thousands of requests, and limits by address answer many of them with 429.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SQLMAP = ROOT / ".venv" / "attack" / "bin" / "sqlmap"
PAGES = (
    "/search/?q=x&procedure=renovation&community=demo-01&state=open&page=1",
    "/cases/?q=x&procedure=renovation&community=demo-01&state=open&page=1",
    "/cases/RENO-2026-0001*/records/?step=1&page=1",
    "/supervision/steps/?since=2026-01&until=2026-12&procedure=renovation&what=kept&page=1",
    "/audit/?procedure=renovation&community=demo-01&since=2026-01-01&until=2026-12-31&term=broken&page=1",
    "/api/v1/cases?procedure=renovation&place=demo-01&state=open&limit=5&cursor=x",
)
FOUND = (
    "is vulnerable",
    "identified the following injection",
    "appears to be",
    "might be injectable",
)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("--cookie", default="")
    parser.add_argument("--level", default="1")
    parser.add_argument("--dbms", default="sqlite", help="or postgresql")
    options = parser.parse_args()
    holes = 0
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            command = [
                *(str(SQLMAP), "-u", options.address.rstrip("/") + page, "--batch"),
                *("--level", options.level, "--dbms", options.dbms, "--output-dir", folder),
                *("--threads", "2", "--time-sec", "3", "--ignore-code", "404,422,429"),
                *("--disable-coloring", "--flush-session"),
                *(("--cookie", options.cookie) if options.cookie else ()),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if any(w in line for w in FOUND)]
        sound = "do not appear to be injectable" in done.stdout
        print(f"{'nothing' if sound and not lines else 'FOUND  '}  {page}", flush=True)
        print(*lines, sep="\n")
        holes += not sound or bool(lines)
    return int(bool(holes))


if __name__ == "__main__":
    raise SystemExit(main())
