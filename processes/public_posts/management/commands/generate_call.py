"""``manage.py generate_call``: a call of any size, to try out how large ones feel."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from processes.community import demo
from processes.public_posts.demo import RESIDENTS, STAFF
from processes.public_posts.story import STAGES, Cast, large
from workflows import clock


class Command(BaseCommand):
    """Walk a large demo call through the one door, up to a stage."""

    help = "Makes a demo call of any size. Refuses a database that holds real cases or people."

    def add_arguments(self, parser: CommandParser) -> None:
        """How large, and how far."""
        parser.add_argument("--posts", type=int, default=300)
        parser.add_argument("--applicants", type=int, default=2000)
        parser.add_argument("--until", choices=STAGES, default="publicity")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it and say its number."""
        try:
            demo.refuse_real()
        except demo.HoldsRealCases as error:
            raise CommandError(
                "This database holds cases or accounts that are not demo data; it is left alone."
            ) from error
        now = clock.now()
        keys = demo.serving(STAFF, now)
        applicants = tuple(demo.person(name, "演示申请人甲").pk for name in RESIDENTS)
        cast = Cast(keys["office"], keys["residents_committee"], applicants)
        try:
            story = large(
                demo.street(),
                cast,
                now - dt.timedelta(days=60),
                posts=options["posts"],
                applicants=options["applicants"],
                until=options["until"],
            )
        finally:
            clock.set_now(None)
        self.stdout.write(f"{story.case.number}: {story.run_names()}")
