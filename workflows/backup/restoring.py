"""Bring a backup back: into an empty database, proven by the log, with erasures done again."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from sanwen import chain, note
from sanwen.verify import Trust, memory, verify

from .. import erasing, records
from ..models.case import Case
from ..models.record import Attachment, Record
from ..records import erasure_list, log, seen
from . import DATABASES, FILES, KEYS, MANIFEST, VERSION, BackupError, database, keys
from .make import digest_of, moment_of, place

MARGIN = dt.timedelta(minutes=10)
"""How long before its commit an erasure may have been noted."""


@dataclass(slots=True)
class Restored:
    """What came of it. With `faults` the site must not be started."""

    held: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def restore(
    source: Path, *, published: str = "", erasures: tuple[Path, ...] = (), lang: str = "en"
) -> Restored:
    """Restore the backup in the folder `source`; nothing may run on the database meanwhile.

    `published` is a checkpoint of the log that others hold, newer than the backup's own; where
    none is given, the newest that this machine has signed itself. If it tells of records that the
    backup lacks, the site is restored, and signs nothing until an operator accepts the loss.
    `erasures` are folders with further entries of the list of erasures. Raises `BackupError`
    before anything has changed, where the backup is damaged or the database is somebody's.
    """
    refuse_living()
    manifest = read(source)
    result = Restored()
    database.put_back(source / DATABASES[connection.vendor])
    call_command("migrate", interactive=False, verbosity=0)
    # Who had signed out since must not be signed in again.
    Session.objects.all().delete()
    _files(source, manifest)
    secret = _keys(source, result)
    _prove(manifest, published, result, lang)
    _erase_again(manifest, erasures, secret, result)
    _chains(result)
    _attachments(manifest, result)
    return result


def refuse_living() -> None:
    """Raise `BackupError` where the database holds real cases, or people: also unmigrated."""
    people = get_user_model()
    if Case._meta.db_table not in connection.introspection.table_names():
        return
    demo = Case.objects.filter(demo=True).exists()
    if Case.objects.filter(demo=False).exists() or (people.objects.exists() and not demo):
        raise BackupError(
            "this database holds cases or accounts; it is left alone. Restore into an empty one: "
            "another SANWEN_HOME, or another database in SANWEN_DATABASE"
        )


def read(source: Path) -> dict[str, Any]:
    """The manifest of a backup that is whole and fits this site. Raises `BackupError`."""
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        version, vendor = manifest["v"], manifest["vendor"]
        known, hashes = manifest["migrations"], manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{source} is no backup, or not a whole one ({error})") from error
    if version != VERSION:
        raise BackupError(f"the backup is of version {version}, which this release cannot read")
    if vendor != connection.vendor:
        raise BackupError(
            f"the backup is of a {vendor} database, this site runs on {connection.vendor}: "
            "set SANWEN_DATABASE accordingly"
        )
    ours = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    newer = sorted(set(known) - {f"{app}.{name}" for app, name in ours})
    if newer:
        raise BackupError(
            f"the backup is of a newer release ({newer[0]} is not known here): take that release"
        )
    for name, expected in hashes.items():
        path = place(source, name)
        if not path.is_file() or digest_of(path) != expected:
            raise BackupError(f"{path} is missing or not what was backed up")
    if DATABASES[vendor] not in hashes:
        raise BackupError(f"{source} holds no database")
    return manifest


def _files(source: Path, manifest: dict[str, Any]) -> None:
    """Put the files back; one that is there already as it was stays."""
    for name, expected in manifest["sha256"].items():
        folder, _sep, kept = name.partition("/")
        if folder != FILES:
            continue
        if default_storage.exists(kept):
            if _digest(kept) == expected:
                continue
            default_storage.delete(kept)
        with (source / name).open("rb") as file:
            default_storage.save(kept, File(file))


def _digest(name: str) -> str:
    digest = hashlib.sha256()
    with default_storage.open(name) as file:
        for chunk in file.chunks():
            digest.update(chunk)
    return digest.hexdigest()


def _keys(source: Path, result: Restored) -> str:
    """Put the keys back; the secret under which the list of erasures was kept."""
    if not (source / KEYS).exists():
        result.told.append("the backup holds no keys: put secret.key and log.key in their places")
        return settings.SECRET_KEY
    if not settings.SANWEN_BACKUP_PASSPHRASE:
        result.told.append("the keys were not restored: SANWEN_BACKUP_PASSPHRASE is not set")
        return settings.SECRET_KEY
    found = keys.opened((source / KEYS).read_text(), settings.SANWEN_BACKUP_PASSPHRASE)
    result.told += keys.put_back(found)
    return found["secret"]


# --- proof -------------------------------------------------------------------------------------


def _prove(manifest: dict[str, Any], published: str, result: Restored, lang: str) -> None:
    """Hold the restored log against the checkpoint of the backup, and a newer published one, with
    the verifier that residents use."""
    if not manifest["checkpoint"]:
        result.told.append("the backup has no checkpoint: only the chains of its cases are checked")
        return
    if not published and not (published := seen.remembered()):
        result.told.append(
            "no checkpoint newer than the backup's is known: whether acts after it are lost cannot "
            "be told (--checkpoint)"
        )
    key = note.Verifier.parse(manifest["log_key"])
    _own_key(key, result)
    newest = _opened(manifest["checkpoint"], result)
    if published:
        later = _opened(published, result)
        if later is not None and newest is not None and later.size > newest.size:
            result.faults.append(
                f"the log has {later.size - newest.size} records less than the published "
                f"checkpoint of size {later.size} signs for: acts after the backup are lost. Look "
                "for a newer backup. Until `manage.py log_loss --accept` the site signs nothing, "
                "since that would be a second history under its name"
            )
            seen.remember(published)
        elif later is not None:
            newest = later
    if newest is None:
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        log.write_to(folder / "log")
        state = folder / "seen.json"
        # What was published is what a verifier remembers: it notices a log that is not its heir.
        when = chain.shown(moment_of(manifest))
        memory.remember(state, newest.origin, memory.Seen(str(key), newest, when))
        found = verify(str(folder / "log"), Trust([key], state=state))
    for line in found.lines:
        (result.faults if line.kind == "fault" else result.held).append(line.text(lang))


def _own_key(key: note.Verifier, result: Restored) -> None:
    try:
        own = str(log.signer().verifier)
    except log.NoKey as error:
        result.told.append(str(error))
        return
    if own != str(key):
        result.faults.append(f"the log is signed with {key}, but the key here is {own}")


def _opened(text: str, result: Restored) -> note.Checkpoint | None:
    try:
        return note.open_checkpoint(text, log.verifiers())[0]
    except note.NoteError as error:
        result.faults.append(f"the published checkpoint is not of this log: {error}")
        return None


def _chains(result: Restored) -> None:
    """Every case, also what had no place in the log yet: its records follow one another."""
    broken = [
        case.number for case in Case.objects.iterator() if records.first_fault(case) is not None
    ]
    if broken:
        result.faults.append(f"records do not follow one another in: {', '.join(broken)}")
    else:
        result.held.append(f"the records of all {Case.objects.count()} cases follow one another")


def _attachments(manifest: dict[str, Any], result: Restored) -> None:
    if not manifest["with_files"]:
        result.told.append("uploaded files were not in the backup and are not checked")
        return
    rows = Attachment.objects.exclude(file="").values_list("file", "sha256")
    wrong = [
        name
        for name, expected in rows.iterator()
        if not default_storage.exists(name) or _digest(name) != expected
    ]
    if wrong:
        result.faults.append(f"files are missing or not what was uploaded: {', '.join(wrong)}")
    else:
        result.held.append(f"all {rows.count()} uploaded files are what was uploaded")


# --- erasures ----------------------------------------------------------------------------------


def _erase_again(
    manifest: dict[str, Any], folders: tuple[Path, ...], secret: str, result: Restored
) -> None:
    """Do again what was erased after the backup was begun; once the site has its own secret."""
    began = moment_of(manifest)
    known = erasure_list.entries(*folders)
    due = [entry for entry in known if not _contained(entry, began)]
    meant = erasure_list.recall(due, secret)
    for entry in due:
        subject, lost = meant[entry.uid]
        report = erasing.carry_out_again(entry, subject)
        counts = ", ".join(f"{kind} {n}" for kind, n in sorted(report.gone.items()) if n)
        result.told.append(
            f"erased again what was erased at {entry.at:%Y-%m-%d %H:%M}: {counts or 'nothing left'}"
            f" (cases: {', '.join(report.cases) or 'none'})"
        )
        if lost:
            result.told.append(
                f"{lost} names or rooms of that erasure are not in the restored database"
            )
    result.held.append(f"{len(known)} erasures on the list, {len(due)} done again")
    result.told.append(
        f"words that moderators masked after {began:%Y-%m-%d %H:%M} are public again: have them "
        "mask those once more"
    )


def _contained(entry: erasure_list.Entry, began: dt.datetime) -> bool:
    """Whether the backup was made after an erasure: it has its record, or is well younger."""
    if entry.at < began - MARGIN:
        return True
    return any(
        Record.objects.filter(case__number=number, seq=seq, act="erasure.done").exists()
        for number, seq in entry.cases.items()
    )
