"""``manage.py erase``: erase a person's data, after showing what that would be."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from processes.community.erasure import eraser, former_owners, on_duty, subject_of
from processes.community.models import Person, Unit
from workflows import acts, erasing
from workflows.models import Case, Community
from workflows.parties import Party
from workflows.steps.privacy import KINDS, REASONS


class Command(BaseCommand):
    """Whose, on what ground, by whom; nothing is erased without --yes."""

    help = (
        "Erases the personal data of a resident: of an account, of a household (what was done in "
        "its name, on paper too), or of both. Shows in counts what that is, and erases it with "
        "--yes. Every case that held something gets a record."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """An account or a unit, the ground, and the account that answers for it."""
        parser.add_argument("--account", help="user name")
        parser.add_argument("--estate", help="code of the estate of --unit or --former")
        parser.add_argument("--unit", help="as on the roll: 3号楼2单元501室")
        parser.add_argument("--close", action="store_true", help="close the account for ever")
        parser.add_argument(
            "--former", default="", help="name of a former owner, taken off the roll of --estate"
        )
        parser.add_argument("--reason", choices=list(REASONS), required=True)
        parser.add_argument("--by", required=True, help="user name of an office or moderator")
        parser.add_argument("--yes", action="store_true", help="erase, do not only show")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show, or do."""
        by = Person.objects.filter(username=options["by"]).first()
        if by is None:
            raise CommandError(_("没有这个账号，请先在网站注册。"))
        person = self._person(options["account"])
        unit = self._unit(options["estate"], options["unit"])
        former, estate = options["former"], self._estate(options["estate"])
        if former and (estate is None or not former_owners(estate, former).exists()):
            raise CommandError(_("名册中没有这位已不拥有房屋的业主。"))
        if person is None and unit is None and not former:
            raise CommandError(_("请填写户室、账号或者原业主姓名。"))
        subject = subject_of(person, unit, close=options["close"], former=former, community=estate)

        def party_in(case: Case) -> Party | None:
            return eraser(by, case)

        do = erasing.carry_out if options["yes"] else erasing.preview
        try:
            report = do(subject, options["reason"], party_in)
        except acts.Refused as refused:
            raise CommandError(str(refused)) from refused
        for title, counts in ((_("删除"), report.gone), (_("依法暂留"), report.kept)):
            for kind, n in sorted(counts.items()):
                if n:
                    line = {"title": title, "kind": KINDS.get(kind, kind), "n": n}
                    self.stdout.write(_("%(title)s：%(kind)s %(n)s") % line)
        self.stdout.write(
            _("涉及事项：%(cases)s") % {"cases": _("、").join(report.cases) or _("无")}
        )
        if report.elsewhere:
            self.stdout.write(
                _("另有%(n)s个事项不在该账号服务的范围内，没有删除。") % {"n": report.elsewhere}
            )
        if not options["yes"]:
            self.stdout.write(_("以上尚未删除；确认后加上--yes。"))

    def _estate(self, code: str | None) -> Community | None:
        return Community.objects.filter(code=code).first() if code else None

    def _person(self, username: str | None) -> Person | None:
        if not username:
            return None
        person = Person.objects.filter(username=username).first()
        if person is None:
            raise CommandError(_("没有账号“%(name)s”。") % {"name": username})
        if on_duty(person):
            raise CommandError(_("该账号仍在任职，请先结束其身份。"))
        return person

    def _unit(self, estate: str | None, label: str | None) -> Unit | None:
        if not label:
            return None
        units = Unit.objects.filter(stairwell__building__estate__community__code=estate)
        for unit in units.select_related("stairwell__building"):
            if unit.label == "".join(label.split()):
                return unit
        raise CommandError(_("名册中没有这一户，请核对后重填。"))
