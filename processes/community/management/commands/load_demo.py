"""``manage.py load_demo``: cases of every procedure at every stage, for looking around."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from processes.community import demo
from workflows import clock
from workflows.records import log


class Command(BaseCommand):
    """Load the demo into a database that holds nothing else."""

    help = "Loads demo cases at every stage. Refuses a database that holds real cases or people."

    def add_arguments(self, parser: CommandParser) -> None:
        """Nothing but whether to look only."""
        parser.add_argument(
            "--check", action="store_true", help="only say whether the database may hold the demo"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, telling what is loaded."""
        try:
            demo.refuse_real()
            if options["check"]:
                return
            for line in demo.load(clock.now()):
                self.stdout.write(f"  {line}")
            log.integrate_now()
        except demo.HoldsRealCases as error:
            raise CommandError(
                "This database holds cases or accounts that are not demo data; it is left alone. "
                "Set SANWEN_HOME to another folder for the demo."
            ) from error
