"""``manage.py deliver``: the worker of news alone, for a city with many messages."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from notifications import worker


class Command(BaseCommand):
    """Spread news and send messages, until told to stop."""

    help = "Brings news to those whom they concern. The clock does so too; any number may run."

    def add_arguments(self, parser: CommandParser) -> None:
        """How often, or once."""
        parser.add_argument("--every", type=float, default=1.0, help="seconds between rounds")
        parser.add_argument("--once", action="store_true", help="one round, then stop")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        if options["once"]:
            self.stdout.write(f"{worker.run_once()} sent")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        worker.run_forever(stop, options["every"])
