"""Printing and withdrawing the forms for households: acts of the case as a whole."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from .. import codes, doors
from ..acts import Act, Refused, Written, form_of
from ..doors import Kind
from ..models.case import StepRun
from ..models.door import DoorForm
from ..models.record import Attachment, Trace
from ..parties import Member, Party
from ..uploads import UploadField
from .act import ActForm, act, refuse
from .base import Step

SAMPLE = 10
"""One of so many papers that are typed in is checked."""


@dataclass(frozen=True, slots=True)
class Issued:
    """One form before it is printed: whose, its number, the code that only the paper will hold."""

    member: Member
    serial: int
    code: str


def wanted(run: StepRun, kind: Kind, *, again: bool = False, find: str = "") -> list[Member]:
    """The households to print for, in walking order: those that hold no form, with `again` also
    those that have not answered theirs; `find` narrows them by what their room is called."""
    held = DoorForm.objects.filter(run=run, act=kind.act, withdrawn_at=None)
    if again:
        held = held.filter(used_at__isnull=False)
    without = set(held.values_list("party_key", flat=True))
    plain = "".join(find.split())
    return [m for m in kind.members() if m.key not in without and plain in m.label]


def draw(run: StepRun, kind: Kind, members: Iterable[Member]) -> list[Issued]:
    """A number and a fresh code for each. The numbers of secret forms are drawn among many, so that
    their order does not tell which door it was."""
    to = list(members)
    before = DoorForm.objects.filter(run=run, act=kind.act)
    if kind.secret:
        taken = set(before.values_list("serial", flat=True))
        free = [n for n in range(1001, 1001 + 4 * (len(to) + len(taken))) if n not in taken]
        numbers = secrets.SystemRandom().sample(free, len(to))
    else:
        last = before.aggregate(most=Max("serial"))["most"] or 0
        numbers = list(range(last + 1, last + 1 + len(to)))
    return [Issued(member, number, codes.new()) for member, number in zip(to, numbers, strict=True)]


class ScanForm(ActForm):
    """The pages of one paper."""

    scan = UploadField(label=_("纸质表扫描件"), most=8)


class Doors(Step):
    """Forms for households, issued and withdrawn."""

    @act("forms.issued", title=_("印发入户表"), by="handlers", page=False)
    def issue(self, doing: Act) -> Written:
        """Forms of one kind for households; an older one that was not answered ends. The payload
        holds `run`, `form` (its act) and `issued`."""
        run, kind = self._kind(doing)
        issued: list[Issued] = list(doing.payload["issued"])
        known = {member.key for member in kind.members()}
        if not issued or any(each.member.key not in known for each in issued):
            raise refuse(_("没有需要印发的户，或者名册已经变动，请刷新后重试。"))
        keys = [each.member.key for each in issued]
        here = DoorForm.objects.filter(run=run, act=kind.act, withdrawn_at=None)
        ended = 0
        for start in range(0, len(keys), 500):
            mine = here.filter(party_key__in=keys[start : start + 500])
            if mine.filter(used_at__isnull=False).exists():
                raise refuse(_("所选的户中有的已经交表，请刷新后重试。"), code="duplicate")
            ended += mine.update(withdrawn_at=doing.at)
        DoorForm.objects.bulk_create(
            DoorForm(
                run=run,
                act=kind.act,
                role=kind.role,
                party_key=each.member.key,
                serial=each.serial,
                hash=codes.digest("form", each.code),
                issued_at=doing.at,
            )
            for each in issued
        )
        body: dict[str, Any] = {"of_step": run.name, "form": kind.act, "forms": len(issued)}
        return Written({**body, **({"ended": ended} if ended else {})})

    @act("forms.withdrawn", title=_("作废入户表的码"), by="handlers", page=False)
    def withdraw_forms(self, doing: Act) -> Written:
        """End codes that were not used: of all, or of the households `find` names (a form was
        lost). Payload: `run`, `form`, `find`."""
        run, kind = self._kind(doing)
        plain = "".join(str(doing.payload.get("find", "")).split())
        rows = DoorForm.objects.filter(run=run, act=kind.act, used_at=None, withdrawn_at=None)
        if plain:
            rows = rows.filter(party_key__in=[m.key for m in kind.members() if plain in m.label])
        ended = rows.update(withdrawn_at=doing.at)
        if not ended:
            raise refuse(_("没有还没用的码。"), code="duplicate")
        return Written({"of_step": run.name, "form": kind.act, "ended": ended})

    @act("forms.drawn", title=_("抽取复核的表"), by="handlers", page=False)
    def draw_sample(self, doing: Act) -> Written:
        """Draw the forms that a second person types again: a tenth of those typed in so far, at
        random, so that nobody knows beforehand which. Payload: `run`, `form`."""
        run, kind = self._kind(doing)
        typed = typed_in(run, kind.act)
        total, before = typed.count(), typed.filter(drawn_at__isnull=False).count()
        missing = math.ceil(total / SAMPLE) - before
        if missing <= 0:
            raise refuse(_("已抽取的表够十分之一，录入更多以后再抽。"), code="duplicate")
        left = list(typed.filter(drawn_at=None).values_list("pk", flat=True))
        drawn = secrets.SystemRandom().sample(left, missing)
        DoorForm.objects.filter(pk__in=drawn).update(drawn_at=doing.at)
        body = {"of_step": run.name, "form": kind.act, "typed": total, "drawn": missing}
        return Written(body)

    @act("form.checked", title=_("复核录入的表"), by="handlers", page=False)
    def check(self, doing: Act) -> Written:
        """A second person types a drawn paper again; which fields differ is noted, not what stands
        in them. Payload: `run`, `form`, `serial`, `answers`."""
        run, kind = self._kind(doing)
        row = drawn_form(run, kind.act, str(doing.payload["serial"]))
        if row is None:
            raise refuse(_("这份表没有被抽中，或者已经复核。"), field="code")
        if typist_of(row) == doing.party.user_id:
            raise refuse(_("须由另一人复核：这份表是您录入的。"), code="wrong_party")
        own = Party(row.role, row.party_key, doing.party.user_id, via=doors.ON_PAPER)
        again = Act(doing.case, run, run.step.acts[kind.act], own, doing.at)
        form_class = form_of(run.step, again)
        form = form_class(doing.payload["answers"], MultiValueDict(), act=again)
        if not form.is_valid():
            errors = {name: [str(e) for e in lines] for name, lines in form.errors.items()}
            raise Refused("invalid", next(iter(errors.values()))[0], errors)
        now = doors.marks(doing.case, form)
        differs = sorted(n for n in now.keys() | row.marks.keys() if now.get(n) != row.marks.get(n))
        DoorForm.objects.filter(pk=row.pk).update(checked_at=doing.at, differs=differs)
        body = {"of_step": run.name, "form": kind.act, "number": row.serial}
        return Written({**body, "differing": len(differs)})

    @act("scan.attached", title=_("附上纸质表扫描件"), by="paper", form=ScanForm, page=False)
    def attach_scan(self, doing: Act) -> Written:
        """The scan of a paper that was typed in, in the name of its household, so that it goes with
        the household's own data. Which of the numbers it was stands nowhere: some are secret.
        Payload: `run`, `form`, `serial`."""
        if doing.party.via != doors.ON_PAPER:
            raise refuse(_("您的身份不能办理这一操作。"), code="wrong_party")
        run, kind = self._found(doing)
        row = typed_in(run, kind.act).filter(
            serial=doing.payload["serial"], party_key=doing.party.key, role=doing.party.role
        )
        if not row.exists():
            raise refuse(_("这份表还没有录入，请先录入。"), code="early")
        marks = [file.sha256 for file in doing.files]
        if Attachment.objects.filter(run=run, field="scan", sha256__in=marks).exists():
            raise refuse(_("这份扫描件已经附过。"), code="duplicate")
        for file in doing.files:
            file.run = run
        Attachment.objects.bulk_update(doing.files, ["run"])
        return Written({"of_step": run.name, "form": kind.act})

    @classmethod
    def _kind(cls, doing: Act) -> tuple[StepRun, Kind]:
        run, kind = cls._found(doing)
        if doing.party.role not in getattr(run.flow_task, "by", ()):
            raise refuse(_("您的身份不能办理这一操作。"), code="wrong_party")
        return run, kind

    @staticmethod
    def _found(doing: Act) -> tuple[StepRun, Kind]:
        run = StepRun.objects.filter(pk=doing.payload["run"], process=doing.case).first()
        if run is None:
            raise refuse(_("没有找到该环节。"))
        run.process = doing.case
        kind = doors.kinds(run).get(str(doing.payload["form"]))
        if kind is None:
            raise refuse(_("该环节现在没有这种表。"), code="closed_step")
        return run, kind


def typed_in(run: StepRun, name: str) -> QuerySet[DoorForm]:
    """The papers of one kind that were typed in by their code."""
    return DoorForm.objects.filter(run=run, act=name, via=doors.ON_PAPER, withdrawn_at=None)


def drawn_form(run: StepRun, name: str, given: str) -> DoorForm | None:
    """A form that was drawn and waits to be checked, by its number or its code."""
    waiting = typed_in(run, name).filter(drawn_at__isnull=False, checked_at=None)
    return by_number(waiting, given)


def by_number(rows: QuerySet[DoorForm], given: str) -> DoorForm | None:
    """One of the forms, by its number or its code, however that was typed."""
    plain = "".join(sign for sign in given if sign.isalnum())
    if plain.isascii() and plain.isdecimal() and len(plain) < 10:
        return rows.filter(serial=int(plain)).first()
    return rows.filter(hash=codes.digest("form", plain)).first()


def typist_of(row: DoorForm) -> int | None:
    """The account that typed a paper in: the one behind the record of its act."""
    done = Trace.objects.filter(
        record__run=row.run_id, record__act=row.act, party_key=row.party_key
    ).order_by("-record__seq")
    return done.values_list("user_id", flat=True).first()


@dataclass(frozen=True, slots=True)
class Report:
    """How papers were typed in: how many, how many of them were drawn and checked, those that
    differ with the labels of the fields, and the numbers that wait for a second person."""

    typed: int
    drawn: int
    checked: int
    differing: list[tuple[DoorForm, list[str]]]
    waiting: list[int]

    @property
    def to_draw(self) -> int:
        """How many must still be drawn for a tenth."""
        return max(0, math.ceil(self.typed / SAMPLE) - self.drawn)


def report(run: StepRun, name: str, form: Any) -> Report:
    """The discrepancy report of one kind of form; two queries. `form` gives fields their labels."""
    rows = typed_in(run, name)
    drawn = list(rows.filter(drawn_at__isnull=False).order_by("serial"))
    labels = {key: str(field.label) for key, field in form.fields.items()} if form else {}
    return Report(
        rows.count(),
        len(drawn),
        sum(row.checked_at is not None for row in drawn),
        [(row, [labels.get(n, n) for n in row.differs]) for row in drawn if row.differs],
        [row.serial for row in drawn if row.checked_at is None],
    )


def counts(runs: Iterable[StepRun]) -> dict[tuple[int, str], dict[str, int]]:
    """How many forms of each kind are out, were answered by code or on paper, and to how many
    somebody came second; one query."""
    live = Q(withdrawn_at=None)
    rows: Any = (
        DoorForm.objects.filter(run__in=list(runs))
        .order_by()
        .values("run", "act")
        .annotate(
            out=Count("pk", filter=live),
            by_code=Count("pk", filter=live & Q(via=doors.BY_CODE)),
            on_paper=Count("pk", filter=live & Q(via=doors.ON_PAPER)),
            twice=Count("pk", filter=Q(tries__gt=0)),
        )
    )
    return {(row.pop("run"), row.pop("act")): row for row in rows}
