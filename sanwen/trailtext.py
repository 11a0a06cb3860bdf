"""What the trail (全过程案卷) prints for one record: lines of text, from it and a word table.

The trail holds exactly these lines, so that anyone can make them again from the attached
``records.jsonl``, ``disclosures.jsonl`` and ``words.json`` and hold the pages against them.

The word table is one JSON object. ``labels`` holds the printed phrases with their placeholders,
``acts``, ``roles``, ``fields`` (also by act: ``entry.added/area``), ``values`` and ``terms`` the
words for codes, ``steps`` by step its ``title``, ``acts``, ``fields`` (in the order in which they
are printed), ``codes`` and ``outcomes``, and ``labels``: its own words for fields, which go before
all others. A code without words is printed as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import disclosure

WordTable = Mapping[str, Any]
_NONE: Mapping[str, Any] = {}
_AREAS = ("area", "voted_area")


def lines(canonical: str, disclosures: Iterable[str], words: WordTable) -> list[str]:
    """The lines of a record: its head, who and when, what it says, and its hash at the end.

    `canonical` is the record as it is hashed, `disclosures` are those that go with it (others are
    passed over). No line is empty or holds a line break.
    """
    content = json.loads(canonical)
    given = list(disclosures)
    said = words["labels"]
    step = words["steps"].get(content["step"], _NONE)
    act = step.get("acts", _NONE).get(content["act"]) or words["acts"].get(content["act"])
    found = [said["head"].format(seq=content["seq"], act=act or content["act"])]
    found.append(said["gap"].join(_who(content, words)))
    if "happened_at" in content:
        found += _pair(said["happened"], stamp(content["happened_at"]), said)
    if "corrects" in content:
        found.append(said["corrects"].format(seq=content["corrects"]))
    found += _body(content["act"], disclosure.opened(content, given), step, words)
    lost = disclosure.withdrawn(content, given)
    if lost:
        found.append(said["withdrawn"].format(n=lost))
    clear = _private(content, given)
    for name, value in clear.items():
        label = said["private"].format(name=_named(content["act"], name, step, words))
        found += _pair(label, _shown(name, value, step, words), said)
    hidden = len(content.get("_sd", ())) - len(clear)
    if hidden:
        found.append(said["hidden"].format(n=hidden))
    for file in content.get("files", ()):
        found.append(said["file"].format_map(file))
    found.append(said["pair"].format(name=said["hash"], value=leaf_hash(canonical).hex()))
    return [line for text in found for line in text.splitlines() if line.strip()]


def leaf_hash(canonical: str) -> bytes:
    """The hash of a record as a leaf of the log (RFC 6962, 2.1): 32 bytes."""
    return hashlib.sha256(b"\x00" + canonical.encode()).digest()


def stamp(moment: str) -> str:
    """A moment of a record (RFC 3339) as people read it: ``2026-03-03 10:00:00``."""
    return f"{moment[:10]} {moment[11:19]}"


def _who(content: Mapping[str, Any], words: WordTable) -> Iterator[str]:
    party = content["party"]
    said = words["labels"]
    yield stamp(content["at"])
    role = words["roles"].get(party["role"], party["role"])
    yield f"{role} {party['id']}" if "id" in party else role
    if "via" in party:
        yield words["values"].get(party["via"], party["via"])
    if "round" in content:
        yield said["round"].format(n=content["round"])


def _body(
    act: str, body: Mapping[str, Any], step: Mapping[str, Any], words: WordTable
) -> Iterator[str]:
    order = {name: at for at, name in enumerate(step.get("fields", ()))}
    for name in sorted(body, key=lambda name: (order.get(name, len(order)), name)):
        value = _shown(name, body[name], step, words)
        yield from _pair(_named(act, name, step, words), value, words["labels"])


def _named(act: str, name: str, step: Mapping[str, Any], words: WordTable) -> str:
    own = step.get("labels", _NONE).get(name)
    return str(own or words["fields"].get(f"{act}/{name}") or _label(name, step, words))


def _private(content: Mapping[str, Any], disclosures: Iterable[str]) -> dict[str, Any]:
    named = set(content.get("_sd", ()))
    read = (disclosure.read(text) for text in disclosures if disclosure.digest(text) in named)
    return dict(sorted(read))


def _pair(label: str, value: str, said: Mapping[str, str]) -> Iterator[str]:
    if value:
        yield said["pair"].format(name=label, value=value)


def _label(name: str, step: Mapping[str, Any], words: WordTable) -> str:
    at, dot, last = name.rpartition(".")
    if dot and at in words["steps"]:  # a parameter of a step: ask_needs.term
        return f"{words['steps'][at]['title']} {_label(last, step, words)}"
    if name in step.get("labels", _NONE):
        return str(step["labels"][name])
    own = step.get("fields", _NONE).get(name) or step.get("codes", _NONE).get(name)
    return str(words["fields"].get(name) or own or words["values"].get(name) or name)


def _shown(name: str, value: Any, step: Mapping[str, Any], words: WordTable) -> str:
    said = words["labels"]
    if isinstance(value, bool):
        return said["yes"] if value else said["no"]
    if isinstance(value, int):
        if name in _AREAS:
            return said["area"].format(area=_exact(value))
        return _exact(value) if name == "amount" else str(value)
    if isinstance(value, str):
        if name == "outcome" and value in step.get("outcomes", _NONE):
            return step["outcomes"][value]
        if name.rpartition(".")[2] == "term":
            return words["terms"].get(value, value)
        if name == "rule":
            known = {**words["terms"], **words["values"]}
            return said["list"].join(known.get(part, part) for part in value.split(";"))
        return step.get("codes", _NONE).get(value) or words["values"].get(value, value)
    if isinstance(value, Mapping):
        return said["and"].join(
            said["pair"].format(
                name=_label(key, step, words),
                value=_shown(_kind(name, key, value), item, step, words),
            )
            for key, item in sorted(value.items())
        )
    if isinstance(value, list):
        nested = any(isinstance(item, (Mapping, list)) for item in value)
        parts = [_shown(name, item, step, words) for item in value]
        return "\n".join(parts) if nested else said["list"].join(parts)
    return "" if value is None else str(value)


def _kind(name: str, key: str, value: Mapping[str, Any]) -> str:
    """As what a number within a count is shown: areas are counted beside heads."""
    counted = name in _AREAS or (value.get("unit") == "area" and key in ("part", "whole", "needed"))
    return "area" if counted else key


def _exact(hundredths: int) -> str:
    """Fen as yuan, hundredths of a square metre as square metres."""
    whole, rest = divmod(abs(hundredths), 100)
    return f"{'-' if hundredths < 0 else ''}{whole:,}.{rest:02d}"
