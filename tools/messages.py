"""Texts for people: `messages.py extract | check | compile [PACKAGE]`.

Sources are Simplified Chinese in code and templates; English stands in
locale/en/LC_MESSAGES/django.po. Needs no gettext on the machine.

extract   bring new texts into the .po file, drop those that are gone
check     fail unless every text of code and templates is translated, with the same placeholders
compile   write the .mo files that Django reads, where the .po file is newer

With the folder of a package of one's own: the same for its texts and the catalogue within it; what
the project has in English already is left out.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("config", "workflows", "processes", "notifications", "templates")

# Which arguments of a call are texts: (context, singular, plural); None where it has none.
CALLS: dict[str, tuple[int | None, int, int | None]] = {}
for _lazy in ("", "_lazy"):
    CALLS["gettext" + _lazy] = (None, 0, None)
    CALLS["ngettext" + _lazy] = (None, 0, 1)
    CALLS["pgettext" + _lazy] = (0, 1, None)
    CALLS["npgettext" + _lazy] = (0, 1, 2)
CALLS["_"] = CALLS["gettext_noop"] = CALLS["gettext"]

_TEXT = r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_TEMPLATE_CALL = re.compile(rf"\b(?:n?p?gettext|_)\((?:\s*u?{_TEXT}\s*,?)+[^()]*\)")
_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|\{\w*\}|%[sd]")

Key = tuple[str | None, str]


def calls(source: str) -> Iterator[tuple[str | None, str, str]]:
    """Context, text and plural ("" if none) of each gettext call in Python source."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
        places = CALLS.get(name or "")
        if places is None:
            continue
        texts = [
            arg.value if isinstance(arg, ast.Constant) and isinstance(arg.value, str) else None
            for arg in node.args
        ]
        context, one, many = (
            texts[at] if at is not None and at < len(texts) else None for at in places
        )
        if one:
            yield context, one, many or ""


def template_calls(source: str, origin: str) -> Iterator[tuple[str | None, str, str]]:
    """The same of a template, by way of Django's own reading of it."""
    from django.utils.translation.template import templatize

    plain = templatize(source, origin=origin)
    for found in _TEMPLATE_CALL.finditer(plain):
        yield from calls(found.group())


@dataclass(frozen=True)
class Texts:
    """Where texts are looked for, and the catalogue of their English."""

    root: Path = ROOT
    rooms: tuple[str, ...] = ROOMS

    @property
    def catalogue(self) -> Path:
        """The .po file."""
        return self.root / "locale" / "en" / "LC_MESSAGES" / "django.po"

    def read(self) -> polib.POFile:
        """The catalogue as it stands; an empty one where none is."""
        return polib.pofile(str(self.catalogue)) if self.catalogue.exists() else polib.POFile()


PROJECT = Texts()


def extract(texts: Texts) -> dict[Key, polib.POEntry]:
    """Every text, with the files where it stands."""
    entries: dict[Key, polib.POEntry] = {}
    for room in texts.rooms:
        for path in sorted((texts.root / room).rglob("*")):
            where = path.relative_to(texts.root).as_posix()
            if path.suffix == ".py":
                found = calls(path.read_text(encoding="utf-8"))
            elif path.suffix in {".html", ".txt", ".svg", ".xml"}:
                found = template_calls(path.read_text(encoding="utf-8"), where)
            else:
                continue
            for context, one, many in found:
                entry = entries.setdefault(
                    (context, one), polib.POEntry(msgctxt=context, msgid=one, msgid_plural=many)
                )
                # Lines move with every edit; the file is enough to find a text.
                if (where, "") not in entry.occurrences:
                    entry.occurrences.append((where, ""))
                if many:
                    entry.msgid_plural = many
    if texts != PROJECT:
        for known in PROJECT.read():
            entries.pop((known.msgctxt, known.msgid), None)
    return entries


def write(texts: Texts) -> None:
    """Bring the catalogue up to date with the sources; translations stay."""
    texts.catalogue.parent.mkdir(parents=True, exist_ok=True)
    old = {(e.msgctxt, e.msgid): e for e in texts.read()}
    new = polib.POFile(wrapwidth=100)
    new.metadata = {
        "Project-Id-Version": "Sanwen",
        "Language": "en",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": "nplurals=2; plural=(n != 1);",
    }
    for key, entry in sorted(
        extract(texts).items(), key=lambda item: (item[1].occurrences, item[0][1])
    ):
        if key in old:
            entry.msgstr, entry.flags = old[key].msgstr, old[key].flags
            entry.tcomment = old[key].tcomment
        if entry.msgid_plural:
            entry.msgstr_plural = (key in old and old[key].msgstr_plural) or {0: "", 1: ""}
        if "%(" in entry.msgid and "python-format" not in entry.flags:
            entry.flags.append("python-format")
        new.append(entry)
    new.save(str(texts.catalogue))
    missing = sum(not e.translated() for e in new)
    print(f"{len(new)} texts, {missing} of them without English")


def problems(texts: Texts) -> list[str]:
    """What keeps the English pages from being whole, one line each."""
    held = {(e.msgctxt, e.msgid): e for e in texts.read()}
    found = []
    for key, entry in extract(texts).items():
        where = f"{entry.occurrences[0][0]}: {entry.msgid!r}"
        english = held.get(key)
        if english is None or not english.translated():
            found.append(f"{where} has no English")
            continue
        if english.fuzzy:
            found.append(f"{where} is marked fuzzy")
        for text in [english.msgstr] if english.msgstr else english.msgstr_plural.values():
            wanted, given = (set(_PLACEHOLDER.findall(t)) for t in (entry.msgid, text))
            # A singular may leave its number out ("one day left").
            if given - wanted or (not entry.msgid_plural and wanted - given):
                found.append(f"{where} has other placeholders in English: {text!r}")
    return found


def compile_all(root: Path = ROOT) -> None:
    """Write each .mo file that is missing or older than its .po file."""
    for path in root.glob("locale/*/LC_MESSAGES/*.po"):
        target = path.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
            # Several processes may do so at once (tests in parallel): move the whole file in.
            part = target.with_suffix(f".{id(path)}.part")
            polib.pofile(str(path)).save_as_mofile(str(part))
            part.replace(target)


def main(aim: str, texts: Texts) -> int:
    """Do what the command line says."""
    if aim == "extract":
        write(texts)
    elif aim == "compile":
        compile_all(texts.root)
    elif aim == "check":
        found = problems(texts)
        print("\n".join(found[:50]) or "every text has its English")
        if len(found) > 50:
            print(f"… and {len(found) - 50} more")
        return bool(found)
    else:
        raise SystemExit(__doc__)
    return 0


if __name__ == "__main__":
    import django
    from django.conf import settings

    # Reading templates asks Django for nothing but its defaults.
    settings.configure()
    django.setup()
    given = sys.argv[1:]
    own = Texts(Path(given[1]).resolve(), (".",)) if len(given) == 2 else PROJECT
    raise SystemExit(main(given[0] if 0 < len(given) < 3 else "", own))
