"""Make a backup while the site runs."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, models
from django.db.migrations.recorder import MigrationRecorder

from .. import clock
from ..models.case import Case
from ..models.job import Job
from ..models.log import Checkpoint, LogKey
from ..records import erasure_list
from . import DATABASES, FILES, KEYS, MANIFEST, VERSION, BackupError, keys
from .database import Moment, copied

CHUNK = 2**20
_MADE_AGAIN = {Job}
"""Whose files can be made again."""


@dataclass(slots=True)
class Made:
    """What is in a backup, and what its maker should know."""

    manifest: dict[str, Any]
    told: list[str] = field(default_factory=list)


def make(target: Path, *, files: bool = True) -> Made:
    """Make a backup in the new folder `target`; without `files` where a bucket keeps its own.

    The folder appears under its name when it is whole. Raises `BackupError`.
    """
    if target.exists():
        raise BackupError(f"{target} is there already: name a folder that is not")
    if connection.vendor not in DATABASES:
        raise BackupError(f"no backup is known for a database of {connection.vendor}")
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    made = _make(part, files)
    text = json.dumps(made.manifest, ensure_ascii=False, indent=1)
    (part / MANIFEST).write_text(text + "\n", encoding="utf-8")
    os.sync()
    part.replace(target)
    return made


def _make(part: Path, files: bool) -> Made:
    began = clock.now()
    hashes: dict[str, str] = {}
    missing: list[str] = []
    name = DATABASES[connection.vendor]
    with copied(part / name) as moment:
        about = _about(moment)
        wanted = sorted(set(_names(moment))) if files else []
    for kept in wanted:
        if (digest := _keep(part, kept)) is None:
            missing.append(kept)  # erased since that moment; restoring erases it again
        else:
            hashes[f"{FILES}/{kept}"] = digest
    for kept in erasure_list.names():
        if (digest := _keep(part, kept)) is not None:
            hashes[f"{FILES}/{kept}"] = digest
    hashes[name] = digest_of(part / name)
    told = []
    if settings.SANWEN_BACKUP_PASSPHRASE:
        held = keys.held()
        (part / KEYS).touch(mode=0o600)
        (part / KEYS).write_text(keys.seal(held, settings.SANWEN_BACKUP_PASSPHRASE))
        hashes[KEYS] = digest_of(part / KEYS)
        if "log" not in held:
            told.append("the log's key is not on this machine and not in the backup")
    else:
        told.append(
            "the keys are NOT in this backup: set SANWEN_BACKUP_PASSPHRASE, or keep copies of the "
            "secret key and the log's key (docs/operate.md); without them a restored site cannot "
            "sign its log or find receipts"
        )
    if not files:
        told.append("uploaded files are NOT in this backup")
    manifest = {
        "v": VERSION,
        "at": began.isoformat(),
        "vendor": connection.vendor,
        "demo": settings.DEMO,
        "with_files": files,
        "missing": missing,
        **about,
        "sha256": hashes,
    }
    return Made(manifest, told)


def _about(moment: Moment) -> dict[str, Any]:
    newest = next(iter(moment.rows(Checkpoint, "size", "note", newest=True)), None)
    lengths = [length for (length,) in moment.rows(Case, "length")]
    current = [vkey for vkey, until in moment.rows(LogKey, "vkey", "until") if until is None]
    recorder = MigrationRecorder(connection)
    return {
        "cases": len(lengths),
        "records": sum(lengths),
        "log_size": newest[0] if newest else 0,
        "checkpoint": newest[1] if newest else "",
        "log_key": current[0] if current else "",
        "migrations": sorted(f"{app}.{name}" for app, name in recorder.applied_migrations()),
    }


def _names(moment: Moment) -> Iterator[str]:
    """The names of all files that rows of the moment name."""
    for model in apps.get_models():
        if model in _MADE_AGAIN:
            continue
        for found in model._meta.concrete_fields:
            if isinstance(found, models.FileField):
                yield from (name for (name,) in moment.rows(model, found.name) if name)


def _keep(part: Path, name: str) -> str | None:
    """Copy a stored file into the backup; its SHA-256, or None where it is gone."""
    path = place(part / FILES, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with default_storage.open(name) as source, path.open("xb") as target:
            for chunk in source.chunks(CHUNK):
                digest.update(chunk)
                target.write(chunk)
    except FileNotFoundError:
        path.unlink(missing_ok=True)
        return None
    return digest.hexdigest()


def place(folder: Path, name: str) -> Path:
    """Where a name lies below a folder. Raises `BackupError` for one that would lie elsewhere."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name:
        raise BackupError(f"the name {name!r} leads out of the folder")
    return folder / pure


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def moment_of(manifest: dict[str, Any]) -> dt.datetime:
    """When the backup was begun: what was committed before is in it."""
    return dt.datetime.fromisoformat(manifest["at"])
