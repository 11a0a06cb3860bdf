"""``manage.py clock``: the process that fires terms and gives records their place in the log."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser
from django.utils.module_loading import import_string

from workflows import jobs, sweep, tracing
from workflows.portal import sums
from workflows.records import log


class Command(BaseCommand):
    """Sweep due terms every few seconds, until told to stop. Any number may run."""

    help = (
        "Fires terms that have run out, brings new records into the signed log and makes long "
        "trails, every few seconds. Safe to run in several copies."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """How often, or once."""
        parser.add_argument("--every", type=float, default=5.0, help="seconds between sweeps")
        parser.add_argument("--once", action="store_true", help="sweep once and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        if options["once"]:
            self.stdout.write(f"{sweep.sweep()} fired")
            while log.integrate():
                pass
            jobs.run_waiting()
            sums.keep_soundly()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        beside = [
            threading.Thread(target=log.sequence_forever, args=(stop,), name="sequencer"),
            # End with the process: a job that is cut off is taken up again when its lease is over.
            *(
                threading.Thread(target=jobs.run_forever, args=(stop, kinds), daemon=True)
                for kinds in (jobs.KINDS.keys() - jobs.LONG, jobs.LONG)
            ),
            threading.Thread(target=sums.keep_forever, args=(stop,), daemon=True),
            # What other apps let run beside the clock (``beside_clock`` of their configuration).
            *(
                threading.Thread(target=import_string(path), args=(stop,), daemon=True)
                for config in apps.get_app_configs()
                for path in getattr(config, "beside_clock", ())
            ),
        ]
        for thread in beside:
            thread.start()
        sweep.run_forever(options["every"], stop)
        beside[0].join()
        tracing.flush()
