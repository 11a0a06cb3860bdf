"""``manage.py log_key``: the key that signs the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sanwen import note
from workflows.records import log


class Command(BaseCommand):
    """Show, make or change the log's signing key."""

    help = "The key that signs the public log: show it, make the first one, or bring in a new one."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do."""
        parser.add_argument("what", choices=("show", "new", "rotate"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        path = Path(settings.SANWEN_LOG_KEY_FILE)
        try:
            if options["what"] == "show":
                self.stdout.write(str(log.signer().verifier))
            elif options["what"] == "new":
                if settings.SANWEN_LOG_KEY or path.exists():
                    raise CommandError(f"there is a key already ({path}); see `log_key rotate`")
                made = note.Signer.make(settings.SANWEN_LOG_ORIGIN)
                log.write_key(made, path)
                self.stdout.write(f"{made.verifier}\nThe private key is in {path}: keep a copy.")
            else:
                self._rotate(path)
        except log.NoKey as error:
            raise CommandError(str(error)) from error

    def _rotate(self, path: Path) -> None:
        if settings.SANWEN_LOG_KEY:
            raise CommandError("unset SANWEN_LOG_KEY and keep the key in SANWEN_LOG_KEY_FILE first")
        new = note.Signer.make(log.signer().name)
        coming = path.with_name(path.name + ".new")
        coming.unlink(missing_ok=True)
        log.write_key(new, coming)
        log.rotate(new)
        # From here on the old key is refused; a sequencer that still holds it waits for the new.
        path.replace(path.with_name(path.name + ".old"))
        coming.replace(path)
        self.stdout.write(f"{new.verifier}\nThe old key is kept in {path}.old.")
