"""``manage.py import_roll``: preview and import an estate's roll from a file."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from processes.community.models import Estate, Person
from processes.community.rolls import (
    MAX_TOTAL,
    Problem,
    RollRefused,
    Totals,
    apply_roll,
    area_text,
    parse_area,
    preview,
    problems_in,
)


class Command(BaseCommand):
    """Without declared totals only preview; with them import, all or nothing."""

    help = (
        "Shows what a roll file holds and every problem in it. With --units, --heads and --area "
        "as declared, and --by, imports it, all or nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The estate, the file, the declared totals and who answers for them."""
        parser.add_argument("community", help="code of the estate's community")
        parser.add_argument("file", type=Path)
        parser.add_argument("--units", type=int)
        parser.add_argument("--heads", type=int)
        parser.add_argument("--area", help="square metres, such as 66,783.97")
        parser.add_argument("--by", help="user name of who answers for the import")

    def handle(self, *args: Any, **options: Any) -> None:
        """Preview, and import where the totals are declared."""
        estate = Estate.objects.filter(community__code=options["community"]).first()
        if estate is None:
            raise CommandError(_("没有代码为%(code)s的小区。") % {"code": options["community"]})
        try:
            content = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(_("无法读取文件：%(why)s") % {"why": error.strerror}) from error
        seen = preview(content, options["file"].name)
        problems = problems_in(seen, estate)
        if problems:
            raise CommandError(_lines(problems))
        self._say(_("文件中%(units)s户，业主%(heads)s人，专有面积%(area)s。"), seen.totals)
        given = [options[name] for name in ("units", "heads", "area", "by")]
        if not any(value is not None for value in given):
            return
        if any(value is None for value in given):
            raise CommandError(_("导入须同时给出--units、--heads、--area和--by。"))
        by = Person.objects.filter(username=options["by"]).first()
        if by is None:
            raise CommandError(_("没有这个账号。"))
        try:
            declared = Totals(
                options["units"], options["heads"], parse_area(options["area"], MAX_TOTAL)
            )
            done = apply_roll(seen, estate, declared, by)
        except RollRefused as refused:
            raise CommandError(_lines(refused.problems)) from refused
        except ValueError as error:
            raise CommandError(str(error)) from error
        self._say(
            _("已导入%(units)s户，业主%(heads)s人，专有面积%(area)s。"),
            Totals(done.units, done.heads, done.area),
        )

    def _say(self, words: str, totals: Totals) -> None:
        self.stdout.write(
            words
            % {
                "units": totals.units,
                "heads": totals.heads,
                "area": area_text(totals.area),
            }
        )


def _lines(problems: Iterable[Problem]) -> str:
    return "\n".join(
        _("第%(row)s行 %(column)s：%(message)s")
        % {"row": each.row, "column": each.column, "message": each.message}
        if each.row
        else f"{each.column} {each.message}".strip()
        for each in problems
    )
