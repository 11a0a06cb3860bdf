"""A trail (全过程案卷): its electronic signature, its attached records, its pages.

Needs the packages of ``sanwen-verify[pdf]``.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from .. import trailtext
from ..faults import Fault
from . import case, log
from .result import Result

_SLICE, _TITLE = 50, 60
WORDS, SUMMARY, CHECKPOINT = "words.json", "case.json", "checkpoint"


def check(data: bytes, trust: log.Trust, result: Result, place: str | None = None) -> None:
    """Check a trail by itself, and its records against the log at `place`. Raises `Fault`."""
    try:
        import pikepdf
        import pyhanko  # noqa: F401 - is it there?

        from . import pages
    except ImportError:
        result.open("no_pdf_tools")
        return
    try:
        with pikepdf.open(io.BytesIO(data)) as pdf:
            held = {name: spec.get_file().read_bytes() for name, spec in pdf.attachments.items()}
            printed = pages.text_of(pdf)
    except (pikepdf.PdfError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise Fault("unreadable", why=f"PDF: {error}") from error
    _check_seal(data, result)
    for name in (case.RECORDS, case.DISCLOSURES, WORDS, SUMMARY):
        if name not in held:
            raise Fault("attachment_missing", name=name)
    number, lines = case.check_records(held[case.RECORDS], held[case.DISCLOSURES], result)
    size = None
    if CHECKPOINT in held and case.PROOFS in held:
        size = case.check_proofs(lines, held[case.PROOFS], held[CHECKPOINT], trust, result)
    else:
        result.open("no_proof", seq=0)
    _check_summary(held[SUMMARY], number, lines)
    _check_pages(held, lines, printed)
    result.holds("pages_hold", n=len(lines))
    if place is None:
        result.note("needs_log")
    else:
        case.check_against_log(number, lines, place, trust, result, size)


def _object(held: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        found = json.loads(held[name])
    except (ValueError, RecursionError) as error:
        raise Fault("attachment_wrong", name=name, why=error) from error
    if not isinstance(found, dict):
        raise Fault("attachment_wrong", name=name, why="JSON")
    return found


def _check_summary(data: bytes, number: str, lines: Sequence[bytes]) -> None:
    said = _object({SUMMARY: data}, SUMMARY)
    head = hashlib.sha256(b"\x00" + lines[-1]).hexdigest()
    for name, true in (("case", number), ("records", len(lines)), ("head", head)):
        if said.get(name) != true:
            raise Fault("summary_wrong", name=name)


def _check_pages(held: Mapping[str, bytes], lines: Sequence[bytes], printed: str) -> None:
    """The pages hold the lines of every record, one after another, and of no other record."""
    from . import pages

    words = _object(held, WORDS)
    given: dict[int, list[str]] = defaultdict(list)
    for seq, text in case.disclosures_of(held[case.DISCLOSURES]):
        given[seq].append(text)
    places = []
    for seq, line in enumerate(lines):
        try:
            expected = trailtext.lines(line.decode(), given[seq], words)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise Fault("attachment_wrong", name=WORDS, why=repr(error)) from error
        found = [pages.squeezed(each) for each in expected]
        block = "".join(found)
        start = printed.find(block)
        if start < 0:
            raise _first_difference(seq, expected, found, printed)
        places.append((start, start + len(block), line))
    places.sort()
    _check_between(places, printed)
    # What is printed like the end of a record is that of no record that is attached.
    said = words["labels"]
    label = re.escape(pages.squeezed(said["pair"].format(name=said["hash"], value="")))
    ends = {end for _start, end, _line in places}
    for extra in re.finditer(f"{label}[0-9a-f]{{64}}", printed):
        if extra.end() not in ends:
            raise Fault("page_extra", line=printed[max(0, extra.start() - 40) : extra.end()])


def _check_between(places: Sequence[tuple[int, int, bytes]], printed: str) -> None:
    """Between two records of one chapter stands nothing, but a short title after every fifty."""
    count = 0
    before: tuple[int, Any] | None = None
    for start, end, line in places:
        content = json.loads(line)
        chapter = (content["step"], content.get("round", 1))
        if before is not None and chapter == before[1]:
            gap = printed[before[0] : start]
            if gap and (count % _SLICE or len(gap) > _TITLE):
                raise Fault("page_extra", line=gap[:80])
            count += 1
        else:
            count = 1
        before = (end, chapter)


def _first_difference(
    seq: int, expected: Sequence[str], found: Sequence[str], printed: str
) -> Fault:
    """Where the pages leave what record `seq` says: a line that is missing, or one too many."""
    best, end = 0, 0
    at = printed.find(found[0])
    while at >= 0:
        count, place = 0, at
        while count < len(found) and printed.startswith(found[count], place):
            place += len(found[count])
            count += 1
        if count > best:
            best, end = count, place
        at = printed.find(found[0], at + 1)
    if best and found[best] in printed[end : end + 2000]:
        where = printed.index(found[best], end)
        return Fault("page_extra", line=printed[end:where][:80])
    return Fault("page_text", seq=seq, line=expected[best][:80])


def _check_seal(data: bytes, result: Result) -> None:
    """The electronic signature (PAdES) and its time stamp, by pyHanko, without the network."""
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.general import SigningError
    from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko_certvalidator import ValidationContext

    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
    try:
        signatures = PdfFileReader(io.BytesIO(data)).embedded_regular_signatures
        if not signatures:
            result.open("no_seal")
            return
        signed = signatures[-1]
        certificate = signed.signer_cert
        # Who may issue certificates is for the reader to know: theirs is taken as it is, and named.
        own = ValidationContext(trust_roots=[certificate], allow_fetching=False)
        status = validate_pdf_signature(signed, own)
        if not (status.intact and status.valid):
            raise Fault("seal_broken", why="SHA-256" if not status.intact else "CMS")
        if status.coverage is not SignatureCoverageLevel.ENTIRE_FILE:
            raise Fault("seal_broken", why=f"coverage {status.coverage}")
    except (PdfError, SigningError, SignatureValidationError, ValueError) as error:
        if isinstance(error, Fault):
            raise
        raise Fault("seal_broken", why=error) from error
    result.holds("seal_holds", name=certificate.subject.human_friendly)
    result.note("seal_unknown", fingerprint=hashlib.sha256(certificate.dump()).hexdigest())
    stamp = status.timestamp_validity
    if stamp is None:
        result.note("no_stamp")
    elif not (stamp.intact and stamp.valid):
        raise Fault("seal_broken", why="RFC 3161")
    else:
        result.holds("stamp_holds", at=stamp.timestamp.isoformat())
