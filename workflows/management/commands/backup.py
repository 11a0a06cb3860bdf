"""``manage.py backup``: a backup of the whole site, while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows import backup
from workflows.backup.make import make


class Command(BaseCommand):
    """Write a backup into a new folder."""

    help = (
        "Writes one moment of the database, the uploaded files, the list of erasures and, under "
        "SANWEN_BACKUP_PASSPHRASE, the keys into a new folder. The site may run meanwhile."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to."""
        parser.add_argument("target", type=Path, help="a folder that does not exist yet")
        parser.add_argument(
            "--no-files", action="store_true", help="leave out uploaded files (a bucket keeps them)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, and say what it holds."""
        try:
            made = make(options["target"].absolute(), files=not options["no_files"])
        except backup.BackupError as error:
            raise CommandError(str(error)) from error
        about = made.manifest
        files = sum(name.startswith(f"{backup.FILES}/") for name in about["sha256"])
        self.stdout.write(
            f"{options['target']}: {about['cases']} cases, {about['records']} records, "
            f"{files} files; the log has {about['log_size']} records"
        )
        for line in made.told:
            self.stderr.write(self.style.WARNING(f"! {line}"))
        self.stderr.write(
            self.style.WARNING("! it holds residents' data in clear: keep it on an encrypted disk")
        )
