"""``manage.py generate_roll``: write a demo roll to a file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from processes.community import generator
from processes.community.rolls import MAX_TOTAL, area_text, parse_area, preview


class Command(BaseCommand):
    """Write a roll of a made-up estate, exact in blocks, heads and area."""

    help = "Writes a realistic roll of a made-up estate as CSV or XLSX, by the name's ending."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and the size of the estate."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--seed", type=int, default=generator.DEMO["seed"])
        parser.add_argument("--blocks", type=int, default=generator.DEMO["blocks"])
        parser.add_argument("--heads", type=int, default=generator.DEMO["heads"])
        parser.add_argument("--area", help="square metres in all, such as 66,783.97")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file and say what is in it."""
        path: Path = options["file"]
        write = {".csv": generator.as_csv, ".xlsx": generator.as_xlsx}.get(path.suffix.lower())
        if write is None:
            raise CommandError(_("文件名应以.csv或.xlsx结尾。"))
        try:
            area = generator.DEMO["area"]
            if options["area"]:
                area = parse_area(options["area"], MAX_TOTAL)
            rows = generator.generate(options["seed"], options["blocks"], options["heads"], area)
            content = write(rows)
            path.write_bytes(content)
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        totals = preview(content, path.name).totals
        self.stdout.write(
            _("%(units)s户，业主%(heads)s人，专有面积%(area)s。")
            % {
                "units": totals.units,
                "heads": totals.heads,
                "area": area_text(totals.area),
            }
        )
