"""The licences of every package that Sanwen is installed with, as docs/licences.md.

    .venv/bin/python tools/licences.py          write the page
    .venv/bin/python tools/licences.py check    fail where it is not up to date

What is read is the metadata of the installed packages that requirements.txt locks, their own words
for it. A package whose licence nobody has judged to go with the AGPL stops both.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE, LOCK = ROOT / "docs" / "licences.md", ROOT / "requirements.txt"
# What may be joined with a work under AGPL-3.0-or-later (gnu.org/licenses/license-list.html): the
# words by which packages name such a licence, and what each stands for (SPDX).
KNOWN = (
    (r"AGPL|Affero", "AGPL-3.0-or-later"),
    (r"LGPL|Lesser General Public", "LGPL"),
    (r"GPL-3|GPLv3|GNU General Public License v3", "GPL-3.0-or-later"),
    (r"MPL|Mozilla Public License 2", "MPL-2.0"),
    (r"Apache", "Apache-2.0"),
    (r"0BSD", "0BSD"),
    (r"BSD", "BSD"),
    (r"MIT-CMU|HPND|Historical Permission", "MIT-CMU"),
    (r"MIT", "MIT"),
    (r"ISC", "ISC"),
    (r"PSF|Python Software Foundation", "PSF-2.0"),
    (r"Unlicense", "Unlicense"),
    (r"Zlib|zlib", "Zlib"),
    (r"ZPL|Zope", "ZPL-2.1"),
    (r"CC0", "CC0-1.0"),
    (r"Public Domain", "public domain"),
)
HEAD = """# Licences

Sanwen is free software under AGPL-3.0-or-later (`LICENSE`). It is installed with the packages
below, in the versions that `requirements.txt` locks; each licence, in the package's own words, may
be joined with the AGPL. `tools/licences.py` writes this page from the installed packages, and the
tests hold it to the lock. What only the tests need is not passed on and not listed.

Scripts, icons and style sheets are our own, but htmx (Zero-Clause BSD), which comes with
django-htmx.

| package | version | licence | in the package's words |
|---|---|---|---|
"""


def locked() -> dict[str, str]:
    """The packages of the lock: version by name; `name==1.0 ; marker` as well."""
    text = LOCK.read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, flags=re.MULTILINE))


def words(found: Distribution) -> str:
    """What a package says of its licence: the expression, else its classifiers, else the field."""
    about = found.metadata
    expression = about.get("License-Expression")
    if expression:
        return expression
    listed = [
        each.rsplit(" :: ", 1)[-1]
        for each in about.get_all("Classifier") or []
        if each.startswith("License ::") and not each.endswith("OSI Approved")
    ]
    first = (about.get("License") or "").strip().splitlines()
    return "; ".join(listed) or (first[0] if first else "")


def kind(said: str) -> str:
    """The licence by its usual name, or "" where nobody has judged it."""
    return next((name for pattern, name in KNOWN if re.search(pattern, said)), "")


def page() -> tuple[str, list[str]]:
    """The page, and the packages whose licence is not known to go with the AGPL."""
    rows, unknown = [], []
    for name, version in sorted(locked().items(), key=lambda row: row[0].lower()):
        try:
            said = words(distribution(name))
        except PackageNotFoundError:
            continue  # of another system or another Python
        if not kind(said):
            unknown.append(f"{name}: {said or 'says nothing'}")
        rows.append(f"| {name} | {version} | {kind(said)} | {said.replace('|', '/')[:80]} |")
    return HEAD + "\n".join(rows) + "\n", unknown


def differences(written: str, made: str) -> list[str]:
    """Lines that should stand on the page, and packages on it that the lock has not. Another
    Python or another system installs a few packages fewer: their lines may stay."""
    lock = locked()
    old = [
        row
        for row in written.splitlines()
        if (cells := row.split(" | "))[0].startswith("| ")
        and len(cells) == 4
        and cells[0] != "| package"
        and lock.get(cells[0][2:]) != cells[1]
    ]
    return old + sorted(set(made.splitlines()) - set(written.splitlines()))


def main() -> int:
    """Write or check."""
    text, unknown = page()
    if unknown:
        print("nobody has judged these licences:", *unknown, sep="\n  ", file=sys.stderr)
        return 1
    if sys.argv[1:] == ["check"]:
        written = PAGE.read_text(encoding="utf-8")
        if wrong := differences(written, text):
            print("docs/licences.md is old; run tools/licences.py:", *wrong, sep="\n  ")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
