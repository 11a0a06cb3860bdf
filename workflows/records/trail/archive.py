"""Several trails in one ZIP, for an auditor: made in the background, one case after the other.

Beside the PDFs stand ``manifest.json`` (what is in it, who asked, how the log stood) and
``SHA256SUMS``, which ``sha256sum -c`` reads.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable
from typing import IO, Any

import pikepdf
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from ... import acts, clock
from ...models.case import Case
from ...models.download import TrailDownload
from ...models.job import Job
from ...parties import Party, directory
from .. import log
from . import make, press

MOST = 200
"""So many cases go into one archive."""

Told = Callable[[int], None]


def work(job: Job, told: Told) -> IO[bytes]:
    """Make the archive that a job asks for: ``cases`` (numbers), ``full``, ``site``, ``language``.

    Each full trail is an act of its case, under one key a job: a worker that takes the job up again
    does it no second time. A case that the one who asked no longer audits is left out, and so is
    one whose trail cannot be printed; the manifest says why. Raises `seal.CannotSign`.
    """
    held = tempfile.TemporaryFile(prefix="archive-")  # noqa: SIM115 - the caller closes it
    try:
        with translation.override(job.params["language"]), zipfile.ZipFile(held, "w") as archive:
            _fill(job, archive, told)
    except BaseException:
        held.close()
        raise
    held.seek(0)
    return held


def _fill(job: Job, archive: zipfile.ZipFile, told: Told) -> None:
    inside: list[dict[str, Any]] = []
    taken, left_out = _noted(job, told)
    log.integrate_now()
    for done, number in enumerate(taken):

        def heard(percent: int, done: int = done) -> None:
            told((100 * done + percent) * 98 // (100 * len(taken)))

        heard(0)
        # Read when its turn comes: the work may take minutes.
        case = Case.objects.select_related("community").get(number=number)
        try:
            inside.append(_put(archive, case, job.params, heard))
        except press.PressFailed:
            left_out.append({"case": number, "why": _("案卷没有排印成功。")})
    asked_by = f"person:{job.user_id}"
    manifest = {
        "v": 1,
        "kind": "full" if job.params["full"] else "public",
        "asked_by": {"role": "auditor", "name": directory().names([asked_by]).get(asked_by, "")},
        "asked_at": timezone.localtime(job.created).isoformat(timespec="seconds"),
        "made_at": timezone.localtime(clock.now()).isoformat(timespec="seconds"),
        "log": _log(),
        "cases": inside,
        "left_out": left_out,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n"
    sums = {row["file"]: row["sha256"] for row in inside}
    sums["manifest.json"] = hashlib.sha256(text).hexdigest()
    listed = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    archive.writestr(_entry("manifest.json"), text)
    archive.writestr(_entry("SHA256SUMS"), listed)
    # The page of the job tells these.
    job.params = {**job.params, "left_out": left_out}


def auditors(user: Any) -> dict[int, Party]:
    """The communities that an account audits now, by primary key, with the party it is there."""
    if user is None or not user.is_authenticated:
        return {}
    everywhere = directory().parties_everywhere(user, clock.now())
    return {
        pk: party
        for pk, parties in everywhere.items()
        for party in parties
        if party.role == "auditor"
    }


def _noted(job: Job, told: Told) -> tuple[list[str], list[dict[str, str]]]:
    """Note each case that is taken, all before the first is made: so the log holds also what is
    noted by then, and a full trail the proof of it. The numbers taken, and what is left out."""
    may = auditors(job.user)
    taken: list[str] = []
    left_out: list[dict[str, str]] = []
    for number in job.params["cases"]:
        told(0)
        case = Case.objects.select_related("community").get(number=number)
        try:
            party = may.get(case.community_id)
            if party is None:
                raise acts.Refused("wrong_party", _("您已经没有审计这一事项的身份。"))
            _note(job, case, party)
            taken.append(number)
        except acts.Refused as refused:
            left_out.append({"case": number, "why": str(refused)})
    return taken, left_out


def _note(job: Job, case: Case, party: Party) -> None:
    """Note that the trail is taken: before it is made, so that the full one shows it too."""
    if not job.params["full"]:
        TrailDownload.objects.get_or_create(
            job=job,
            case=case,
            defaults={"user": job.user, "full": False, "at": clock.now(), "archived": True},
        )
        return
    done = acts.perform(case, acts.CASE, "trail.downloaded", party, key=f"archive:{job.uid}")
    TrailDownload.objects.filter(record=done.record).update(job=job, archived=True)


def _put(
    archive: zipfile.ZipFile, case: Case, params: dict[str, Any], told: Told
) -> dict[str, Any]:
    """Make a case's trail and copy it into the archive; what the manifest says of it."""
    address = f"{params['site']}{case.get_absolute_url()}"
    if params["full"]:
        name, made = f"{case.number}-trail-full.pdf", make.full(case, address, told)
    else:
        name = f"{case.number}-trail.pdf"
        made = make.newest(case) or make.public(case, address, told)
    digest, size = hashlib.sha256(), 0
    with made:
        summary = _summary(made)
        made.seek(0)
        with archive.open(_entry(name), "w") as target:
            while part := made.read(2**20):
                digest.update(part)
                size += len(part)
                target.write(part)
    return {
        "case": case.number,
        "file": name,
        "size": size,
        "sha256": digest.hexdigest(),
        "records": summary["records"],
        "head": summary["head"],
    }


def _entry(name: str) -> zipfile.ZipInfo:
    """A member; a PDF is compressed within, so that the archive itself is not."""
    return zipfile.ZipInfo(name, timezone.localtime(clock.now()).timetuple()[:6])


def _summary(made: Any) -> dict[str, Any]:
    """What the trail itself says it holds: the case may have gone on since."""
    with pikepdf.open(made) as pdf:
        held = pdf.attachments["case.json"].get_file().read_bytes()
    return json.loads(held)


def _log() -> dict[str, Any] | None:
    """How the log stood, as it signed it; None before its first checkpoint."""
    newest = log.latest()
    if newest is None:
        return None
    return {
        "size": newest.size,
        "root": bytes(newest.root).hex(),
        "checkpoint": log.signed_note(newest),
    }
