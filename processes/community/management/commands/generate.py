"""``manage.py generate``: a whole city of demo data, to try sizes on."""

from __future__ import annotations

import os
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from processes.community import demo
from processes.community.city import making
from workflows.records import log


class Command(BaseCommand):
    """Fill an empty database with estates, residents, cases and records that nobody knows."""

    help = (
        "Generates a city of demo data: estates, residents, cases of every procedure, records "
        "whose chains and log verify. Refuses a database that holds anything real."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """How large, and by which seed."""
        parser.add_argument("--residents", type=int, default=1_000_000, help="accounts in all")
        parser.add_argument("--cases", type=int, default=10_000, help="cases besides the demo's")
        parser.add_argument("--records", type=int, default=5_000_000, help="about how many")
        parser.add_argument("--seed", type=int, default=1, help="what it is drawn from")
        parser.add_argument(
            "--processes", type=int, default=os.cpu_count() or 1, help="writers on PostgreSQL"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Generate, telling how far it is."""
        size = making.Size(*(options[name] for name in ("residents", "cases", "records", "seed")))
        if min(size.residents, size.cases, size.records) < 1:
            raise CommandError("Residents, cases and records: at least one of each.")
        began = time.monotonic()

        def tell(line: str) -> None:
            self.stdout.write(f"{time.monotonic() - began:7.0f}s {line}")
            self.stdout.flush()

        try:
            made = making.make(size, tell, options["processes"])
        except demo.HoldsRealCases as error:
            raise CommandError(
                "This database holds cases or accounts that are not demo data; it is left alone. "
                "Name another by SANWEN_DATABASE, or set SANWEN_HOME to another folder."
            ) from error
        except making.HoldsCity as error:
            raise CommandError(
                "This database holds a generated city, or what a run that broke off left of one; "
                "it cannot be gone on with. Empty the database, run `manage.py migrate`, then this "
                "again."
            ) from error
        except making.NoPatterns as error:
            raise CommandError(
                "No installed package offers cases that could be copied (processes.renovation "
                "does), or their estates differ."
            ) from error
        except log.NoKey as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as error:
            raise CommandError(
                "Broken off. What is written are whole cases, but half a city: empty the database, "
                "run `manage.py migrate`, then this again."
            ) from error
        tell(f"{made.cases:,} cases and {made.records:,} records are there and in the log")
