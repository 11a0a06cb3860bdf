"""``manage.py restore``: bring a backup back, and prove it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows.backup import BackupError
from workflows.backup.restoring import restore


class Command(BaseCommand):
    """Restore into an empty database, check every record, erase again what was erased since."""

    help = (
        "Restores a backup into an empty database (or the demo's); stop server and clock before. "
        "Checks every file, every case's records and the log against its checkpoint, and erases "
        "again what was erased after the backup."
    )
    # The database may be empty.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Where from, and against what."""
        parser.add_argument("source", type=Path, help="folder of the backup")
        parser.add_argument(
            "--checkpoint",
            type=Path,
            help="the newest checkpoint of the log that somebody else holds (a witness, a reader)",
        )
        parser.add_argument(
            "--erasures",
            type=Path,
            action="append",
            default=[],
            help="a folder with further entries of the list of erasures (erasures/ of the files)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore; say what holds. Ends with an error where something does not."""
        path: Path | None = options["checkpoint"]
        try:
            published = path.read_text(encoding="utf-8") if path else ""
            done = restore(
                options["source"].absolute(),
                published=published,
                erasures=tuple(options["erasures"]),
            )
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        for line in done.held:
            self.stdout.write(line)
        for line in done.told:
            self.stderr.write(self.style.WARNING(f"! {line}"))
        if done.faults:
            raise CommandError("restored, but NOT sound:\n" + "\n".join(done.faults))
        self.stdout.write(self.style.SUCCESS("restored, and all of it holds"))
