"""``manage.py log_loss``: a log that has lost records which it had signed for."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows.records import log, seen


class Command(BaseCommand):
    """Say what the database lacks of the log; with ``--accept`` go on without it, in public."""

    help = (
        "Says whether the log lacks records that it has signed for, as after a restore of an older "
        "backup. Until --accept says that they are lost, nothing more is signed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to go on without them."""
        parser.add_argument(
            "--accept",
            action="store_true",
            help="the records are lost for good: sign on, after a public record of that",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Say it, or do it."""
        loss = seen.lost(log.origin())
        if loss is None:
            self.stdout.write("the log lacks nothing that this machine has seen of it")
            return
        told = f"the log was seen with {loss.seen} records; this database holds {loss.held}"
        if not options["accept"]:
            raise CommandError(
                f"{told}. Look for a newer backup; if there is none, tell the public, then run "
                "`manage.py log_loss --accept`"
            )
        try:
            done = log.go_on_without()
        except log.NoKey as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{told}. The record {done.seq} of {done.case.number} says so in public; the log is "
            "signed again. Whoever saw the longer log will be told of a second history."
        )
