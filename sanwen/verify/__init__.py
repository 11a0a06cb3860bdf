"""`sanwen verify`: what of a log, an export, a receipt or a trail holds, and what does not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from .. import client, note
from ..faults import Fault
from . import case, log
from .result import Line, Result

__all__ = ["Line", "Result", "Trust", "verify"]

Trust = log.Trust


def verify(
    thing: str,
    trust: Trust | None = None,
    *,
    place: str | None = None,
    disclosures: Path | None = None,
    now: dt.datetime | None = None,
) -> Result:
    """Check `thing`: the address or folder of a log, a receipt, exported records, a trail (PDF).

    `place` is the log to hold a file against; `now` is the time that is remembered with a log.
    Nothing is raised: what cannot be read is a finding.
    """
    trust = trust or Trust()
    result = Result()
    try:
        _verify(thing, trust, result, place, disclosures, now)
    except Fault as fault:
        result.fault(fault)
    except client.LogUnreadable as error:
        result.fault(Fault("unreadable", why=error))
    except note.NoteError as error:
        result.fault(Fault("bad_checkpoint", why=error))
    except OSError as error:
        result.fault(Fault("unreadable", why=error))
    return result


def _verify(
    thing: str,
    trust: Trust,
    result: Result,
    place: str | None,
    disclosures: Path | None,
    now: dt.datetime | None,
) -> None:
    path = Path(thing)
    if "://" in thing or (path / "tile").is_dir():
        log.check(thing, trust, result, now=now)
        return
    if (path / case.RECORDS).is_file():
        path = path / case.RECORDS
    if not path.is_file():
        raise Fault("unknown_thing", what=thing)
    data = path.read_bytes()
    first = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if data.startswith(b"%PDF-"):
        from . import trail

        trail.check(data, trust, result, place)
    elif first == b"{" and path.suffix == ".json":
        case.check_receipt(data, trust, result, place)
    elif first == b"{":
        _records(path, data, trust, result, place, disclosures)
    else:
        raise Fault("unknown_thing", what=thing)


def _records(
    path: Path,
    data: bytes,
    trust: Trust,
    result: Result,
    place: str | None,
    disclosures: Path | None,
) -> None:
    words = disclosures.read_bytes() if disclosures else case.beside(path, case.DISCLOSURES)
    number, lines = case.check_records(data, words, result)
    checkpoint, proofs = case.beside(path, "checkpoint"), case.beside(path, case.PROOFS)
    size = None
    if checkpoint is not None and proofs is not None:
        size = case.check_proofs(lines, proofs, checkpoint, trust, result)
    if place is None:
        result.note("needs_log")
    else:
        case.check_against_log(number, lines, place, trust, result, size)
