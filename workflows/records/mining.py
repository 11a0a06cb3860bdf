"""Open data for process mining: OCEL 2.0 (JSON) and XES (IEEE 1849-2016), piece by piece.

Every record is one event; its activity is ``step/act`` (``ask_needs/opinion.submitted``), or the
act alone where it concerns the whole case. In OCEL the objects are the cases, their steps (one for
each time that a step opened), the parties by their pseudonyms, and what people brought in.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import Any
from xml.sax.saxutils import quoteattr

from django.utils.translation import gettext as _

from ..models.case import Case
from ..models.record import Record
from ..portal import words
from .export import Extent, printable, records_of

MADE_BY = {
    "opinion.submitted": "opinion",
    "objection.raised": "objection",
    "result.objected": "objection",
    "opinion.replied": "reply",
    "reply.corrected": "reply",
    "objection.decided": "reply",
    "result.objection_decided": "reply",
    "meeting.called": "meeting",
    "entry.added": "entry",
    "candidate.enrolled": "candidate",
    "panel.signed": "signature",
    "vote.cast": "vote",
    "notice.posted": "notice",
}
"""What a record brings into being, by its act: an object that later records name."""

NAMED_IN = (
    "opinion",
    "opinions",
    "objection",
    "objections",
    "session",
    "entry",
    "replaces",
    "withdraws",
    "withdrawn",
    "strikes",
    "seq",
)
"""Fields of bodies that name earlier records by their positions."""

_OCEL_TYPES = {int: "integer", dt.datetime: "time"}
_XES_TYPES = {int: "int", dt.datetime: "date"}


def activity(record: Record) -> str:
    """The name of the event."""
    return f"{record.step}/{record.act}" if record.step else record.act


def facts(case: Case, record: Record) -> dict[str, Any]:
    """What is said of an event beyond its name, time and party: text, int or datetime."""
    content = record.content
    step = words.step_title(case, record.step) if record.step else ""
    act = words.act_title(case, record.step, record.act)
    found: dict[str, Any] = {
        "seq": record.seq,
        "act": record.act,
        "title": _("%(step)s · %(act)s") % {"step": step, "act": act} if step else str(act),
        "leaf_hash": bytes(record.leaf_hash).hex(),
    }
    if record.step:
        found |= {"step": record.step, "round": content.get("round", 1)}
    if "happened_at" in content:
        found["happened_at"] = dt.datetime.fromisoformat(content["happened_at"])
    if "corrects" in content:
        found["corrects"] = content["corrects"]
    for name, value in record.body.items():
        # As text: the same field may be a number in one record and a word in another.
        if isinstance(value, bool):
            found[f"body.{name}"] = "true" if value else "false"
        elif isinstance(value, (str, int)):
            found[f"body.{name}"] = str(value)
    return found


def _entered(record: Record) -> dt.datetime:
    return dt.datetime.fromisoformat(record.content["at"])


# --- XES ---------------------------------------------------------------------------------------

_XES_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
<global scope="trace"><string key="concept:name" value=""/></global>
<global scope="event"><string key="concept:name" value=""/>
<date key="time:timestamp" value="1970-01-01T00:00:00.000+00:00"/>
<string key="lifecycle:transition" value="complete"/></global>
<classifier name="activity" keys="concept:name"/>
<classifier name="act" keys="act"/>
<classifier name="step" keys="step lifecycle:transition"/>
"""


def xes(extent: Extent, name: str) -> Iterator[bytes]:
    """The log, a trace a case. A step's opening record is the start of its lifecycle."""
    yield _XES_HEAD.encode()
    yield _xes("concept:name", name).encode()
    for case, length in extent.cases():
        about = {"concept:name": case.number, **about_case(case)}
        yield ("<trace>\n" + "".join(_xes(*pair) for pair in about.items())).encode()
        for record in records_of(case, length):
            yield _xes_event(case, record)
        yield b"</trace>\n"
    yield b"</log>\n"


def _xes_event(case: Case, record: Record) -> bytes:
    party = record.content["party"]
    event = {
        "concept:name": activity(record),
        "time:timestamp": _entered(record),
        "lifecycle:transition": "start" if record.act == "step.opened" else "complete",
        "org:role": record.role,
        "org:resource": party.get("id", record.role),
        **facts(case, record),
    }
    return ("<event>" + "".join(_xes(*pair) for pair in event.items()) + "</event>\n").encode()


def _xes(key: str, value: Any) -> str:
    kind = _XES_TYPES.get(type(value), "string")
    if isinstance(value, dt.datetime):
        value = value.isoformat(timespec="milliseconds")
    return f"<{kind} key={quoteattr(printable(key))} value={quoteattr(printable(str(value)))}/>"


def about_case(case: Case) -> dict[str, str]:
    """What is said of a case."""
    about = {
        "title": case.title,
        "procedure": case.procedure,
        "version": case.version,
        "community": case.community.name,
    }
    if case.parent is not None:
        about |= {"parent": case.parent.process.number, "lot": case.lot}
    return about


# --- OCEL --------------------------------------------------------------------------------------


def ocel(extent: Extent) -> Iterator[bytes]:
    """The object-centric log. Events wait on disk until the objects, which come first, are out."""
    written = _Ocel(extent)
    with SpooledTemporaryFile(max_size=2**20) as events:
        yield b'{"objects":['
        between = b""
        for case, length in extent.cases():
            for record in records_of(case, length):
                events.write(b",\n" if events.tell() else b"")
                events.write(_json(written.event(case, record)))
                for found in written.new_objects():
                    yield between + _json(found)
                    between = b",\n"
            yield between + _json(written.case(case))
            between = b",\n"
        yield b'],\n"events":['
        events.seek(0)
        while piece := events.read(2**16):
            yield piece
    yield b'],\n"objectTypes":' + _json(_declared(written.object_types))
    yield b',\n"eventTypes":' + _json(_declared(written.event_types)) + b"}\n"


_Related = list[tuple[str, str]]


class _Ocel:
    """What has been met on the way: kinds of objects and events, and what one case holds."""

    def __init__(self, extent: Extent) -> None:
        self.included = {pk for pk, _length in extent.lengths}
        self.object_types: dict[str, dict[str, str]] = {}
        self.event_types: dict[str, dict[str, str]] = {}
        self._new: list[dict[str, Any]] = []
        self._met: set[str] = set()
        self._made: dict[int, str] = {}
        self._outcome: tuple[str, dt.datetime] | None = None

    def event(self, case: Case, record: Record) -> dict[str, Any]:
        """A record as an event; objects that it is the first to meet wait in `new_objects`."""
        at = _entered(record)
        whole: _Related = [(case.number, "case")]
        related = list(whole)
        step = ""
        if record.step:
            number = record.content.get("round", 1)
            step = f"{case.number}/step/{record.step}/{number}"
            self._meet(step, "step", {"step": record.step, "round": number}, at, whole)
            related.append((step, "step"))
        party = record.content["party"].get("id")
        if party:
            key = f"{case.number}/party/{party}"
            self._meet(key, "party", {}, at, whole)
            related.append((key, record.role))
        related += [(key, "about") for key in self._named(case, record)]
        kind = MADE_BY.get(record.act)
        if kind:
            key = _thing(case, kind, record.seq)
            self._made[record.seq] = kind
            self._meet(key, kind, {}, at, [(step, "step")] if step else whole)
            related.append((key, "made"))
        if record.act == "case.closed":
            self._outcome = (str(record.body.get("outcome", "")), at)
        said = facts(case, record)
        _declare(self.event_types, activity(record), said)
        return {
            "id": f"{case.number}/record/{record.seq:06d}",
            "type": activity(record),
            "time": _iso(at),
            "attributes": [{"name": n, "value": _plain(v)} for n, v in said.items()],
            "relationships": _json_related(related),
        }

    def new_objects(self) -> list[dict[str, Any]]:
        """The objects that the last record was the first to meet."""
        found, self._new = self._new, []
        return found

    def case(self, case: Case) -> dict[str, Any]:
        """The case as an object, once its records are through; the next case then begins."""
        parent = case.parent
        within: _Related = []
        if parent is not None and parent.process_id in self.included:
            within = [(parent.process.number, "part of")]
        found = self._object(case.number, "case", about_case(case), case.created, within)
        if self._outcome is not None:
            outcome, at = self._outcome
            _declare(self.object_types, "case", {"outcome": outcome})
            found["attributes"].append({"name": "outcome", "time": _iso(at), "value": outcome})
        self._met, self._made, self._outcome = set(), {}, None
        return found

    def _named(self, case: Case, record: Record) -> list[str]:
        named: dict[str, None] = {}
        for field in NAMED_IN:
            value = record.body.get(field)
            for seq in value if isinstance(value, list) else [value]:
                if isinstance(seq, int) and seq in self._made:
                    named[_thing(case, self._made[seq], seq)] = None
        return list(named)

    def _meet(
        self, key: str, kind: str, about: Mapping[str, Any], at: dt.datetime, related: _Related
    ) -> None:
        if key not in self._met:
            self._met.add(key)
            self._new.append(self._object(key, kind, about, at, related))

    def _object(
        self, key: str, kind: str, about: Mapping[str, Any], at: dt.datetime, related: _Related
    ) -> dict[str, Any]:
        _declare(self.object_types, kind, about)
        attributes = [
            {"name": name, "time": _iso(at), "value": _plain(value)}
            for name, value in about.items()
        ]
        relationships = _json_related(related)
        return {"id": key, "type": kind, "attributes": attributes, "relationships": relationships}


def _thing(case: Case, kind: str, seq: int) -> str:
    return f"{case.number}/{kind}/{seq}"


def _json_related(related: _Related) -> list[dict[str, str]]:
    return [{"objectId": key, "qualifier": qualifier} for key, qualifier in related]


def _declare(types: dict[str, dict[str, str]], kind: str, about: Mapping[str, Any]) -> None:
    known = types.setdefault(kind, {})
    for name, value in about.items():
        known[name] = _OCEL_TYPES.get(type(value), "string")


def _declared(types: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    return [
        {
            "name": kind,
            "attributes": [{"name": name, "type": code} for name, code in sorted(known.items())],
        }
        for kind, known in sorted(types.items())
    ]


def _iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="seconds")


def _plain(value: Any) -> Any:
    return _iso(value) if isinstance(value, dt.datetime) else value


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
