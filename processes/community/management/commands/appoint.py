"""``manage.py appoint``: give an account a role, or end it."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.translation import gettext as _

from processes.community.models import Committee, Office, Person, Role, active
from workflows import clock
from workflows.models import Community
from workflows.parties import appointed_roles

SEATS = ("housing", "planning", "finance", "community")


class Command(BaseCommand):
    """A role with dates, for an office or in a committee."""

    help = (
        "Gives an account that has signed up a role in a community and all below it, from --since "
        "(today) on. With --until the role ends after that day; the one already held, if any."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Who, as what, where, since when; for which office or in which committee."""
        parser.add_argument("username")
        parser.add_argument("role", choices=[code for code, _title in appointed_roles()])
        parser.add_argument("community", help="its code")
        parser.add_argument("--seat", choices=SEATS, default="", help="of a reviewer")
        parser.add_argument("--since", type=dt.date.fromisoformat)
        parser.add_argument("--until", type=dt.date.fromisoformat)
        parser.add_argument("--office", help="name of the office or firm; entered if new")
        parser.add_argument(
            "--office-kind", choices=[code for code, _t in Office.KINDS], default="other"
        )
        parser.add_argument("--committee", help="name of the committee; entered if new")
        parser.add_argument("--term-since", type=dt.date.fromisoformat, help="of a new committee")
        parser.add_argument("--term-until", type=dt.date.fromisoformat, help="of a new committee")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Write the role, all or nothing."""
        person = Person.objects.filter(username=options["username"]).first()
        if person is None:
            raise CommandError(_("没有这个账号，请先在网站注册。"))
        community = Community.objects.filter(code=options["community"]).first()
        if community is None:
            raise CommandError(_("没有代码为%(code)s的社区。") % {"code": options["community"]})
        if (options["role"] == "reviewer") != bool(options["seat"]):
            raise CommandError(_("联合审查单位须写明席位（--seat），其他身份没有席位。"))
        same = {
            "person": person,
            "community": community,
            "role": options["role"],
            "seat": options["seat"],
        }
        today = clock.today()
        held = Role.objects.filter(active(today), **same).first()
        if held is not None and options["until"] is None:
            raise CommandError(_("该账号已有这一身份；如需结束，请写明--until。"))
        role = held or Role(**same, since=options["since"] or today)
        role.until = options["until"]
        try:
            if held is None:
                role.office = self._office(community, options)
                role.committee = self._committee(community, options)
            role.full_clean()
            role.save()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(
            _("%(name)s：%(role)s，%(community)s，自%(since)s。")
            % {
                "name": person,
                "role": role.get_role_display(),
                "community": community.name,
                "since": role.since.isoformat(),
            }
            if role.until is None
            else _("%(name)s：%(role)s，%(community)s，自%(since)s至%(until)s。")
            % {
                "name": person,
                "role": role.get_role_display(),
                "community": community.name,
                "since": role.since.isoformat(),
                "until": role.until.isoformat(),
            }
        )

    def _office(self, community: Community, options: dict[str, Any]) -> Office | None:
        if not options["office"]:
            return None
        office = Office.objects.filter(community=community, name=options["office"]).first()
        if office is None:
            office = Office(
                community=community, name=options["office"], kind=options["office_kind"]
            )
            office.full_clean()
            office.save()
        return office

    def _committee(self, community: Community, options: dict[str, Any]) -> Committee | None:
        if not options["committee"]:
            return None
        kind = options["role"]
        if kind not in dict(Committee.KINDS):
            raise CommandError(_("这一身份不属于委员会。"))
        named = {"community": community, "kind": kind, "name": options["committee"]}
        committee = Committee.objects.filter(**named).order_by("-since").first()
        if committee is None:
            committee = Committee(
                **named,
                since=options["term_since"] or clock.today(),
                until=options["term_until"],
            )
            committee.full_clean()
            committee.save()
        return committee
