"""``manage.py add_community``: a sub-district, an estate or a village."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.translation import gettext as _

from processes.community.models import Estate
from workflows.models import Community


class Command(BaseCommand):
    """Enter a place; an estate is then ready for its roll."""

    help = "Enters a sub-district, an estate or a village; an estate is then ready for its roll."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What it is, and what it belongs to."""
        parser.add_argument("code", help="short code for addresses, such as huayuan")
        parser.add_argument("name")
        parser.add_argument("--kind", choices=[k for k, _t in Community.KINDS], default="estate")
        parser.add_argument("--parent", help="code of the sub-district it belongs to")
        parser.add_argument("--address", default="")
        parser.add_argument("--developer", default="")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Enter it, once."""
        parent = None
        if options["parent"]:
            parent = Community.objects.filter(code=options["parent"]).first()
            if parent is None:
                raise CommandError(_("没有代码为%(code)s的社区。") % {"code": options["parent"]})
        community = Community(
            code=options["code"], name=options["name"], kind=options["kind"], parent=parent
        )
        try:
            community.full_clean()
            community.save()
            if community.kind == "estate":
                estate = Estate(
                    community=community,
                    address=options["address"],
                    developer=options["developer"],
                )
                estate.full_clean()
                estate.save()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(_("已登记：%(name)s。") % {"name": community.name})
