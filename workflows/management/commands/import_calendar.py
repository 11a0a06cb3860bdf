"""``manage.py import_calendar``: load the days off of a year once they are announced."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from workflows import calendars


class Command(BaseCommand):
    """Load one year from a CSV or JSON file, all or nothing; the sweep then counts terms again."""

    help = "Loads the State Council's days off of one year from a CSV or JSON file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and what it need not say itself."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--year", type=int, help="where the file does not name it")
        parser.add_argument("--source", default="", help="number of the notice, or its address")
        parser.add_argument(
            "--no-swapped-days",
            action="store_true",
            help="confirms that no weekend is worked in that year",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import the file, or say everything that is wrong with it."""
        try:
            data = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(_("无法读取文件：%(why)s") % {"why": error.strerror}) from error
        try:
            loaded = calendars.import_year(
                data,
                year=options["year"],
                source=options["source"],
                no_swapped_days=options["no_swapped_days"],
            )
        except calendars.CalendarRefused as refused:
            raise CommandError(str(refused)) from refused
        if not loaded:
            self.stdout.write(_("与已载入的内容相同，没有改变。"))
        for year in sorted(loaded):
            self.stdout.write(_("已载入%(year)s年的放假安排。") % {"year": year})
