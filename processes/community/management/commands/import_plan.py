"""``manage.py import_plan``: the outlines of an estate's buildings from a GeoJSON file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from processes.community import plans
from processes.community.models import Estate


class Command(BaseCommand):
    """Outlines of an estate, all or nothing; a new file takes the place of the one before."""

    help = (
        "Draws an estate's plan from a GeoJSON file: polygons with the property 'number' (3 or "
        "3号楼), in the coordinates of the maps that residents use."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The estate and the file."""
        parser.add_argument("community", help="code of the estate's community")
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, keep, and tell what is not drawn."""
        estate = Estate.objects.filter(community__code=options["community"]).first()
        if estate is None:
            raise CommandError(_("没有代码为%(code)s的小区。") % {"code": options["community"]})
        try:
            missing = plans.apply(estate, options["file"].read_bytes())
        except OSError as error:
            raise CommandError(_("无法读取文件：%(why)s") % {"why": error.strerror}) from error
        except plans.PlanRefused as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(_("楼栋图已更新。"))
        if missing:
            self.stdout.write(_("图上没有：%(names)s") % {"names": "、".join(missing)})
