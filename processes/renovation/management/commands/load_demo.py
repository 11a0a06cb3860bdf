"""``manage.py load_demo``: estates at every stage, for looking around."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from processes.renovation import demo
from workflows import clock


class Command(BaseCommand):
    """Load the demo into a database that holds nothing else."""

    help = "Loads demo estates at every stage. Refuses a database that holds other cases."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, telling what is loaded."""
        try:
            for line in demo.load(clock.now()):
                self.stdout.write(f"  {line}")
        except demo.HoldsRealCases as error:
            raise CommandError(
                "This database holds cases that are not demo data; the demo is not loaded. "
                "Set SANWEN_HOME to another folder for the demo."
            ) from error
