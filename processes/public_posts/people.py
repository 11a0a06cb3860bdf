"""What the steps of a call have in common: lists of applicants, and lanes beside one another."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from workflows.acts import Act, Written
from workflows.models import Case, StepRun
from workflows.parties import Party
from workflows.steps.act import ActSpec, Roles, Words, act, refuse
from workflows.steps.base import Step

from . import forms, rules
from .models import Applicant

APPLY: Roles = ("applicant", "residents_committee")

LABELS: dict[str, Words] = {
    "about": _("异议对象"),
    "agreement_until": _("协议期满"),
    "cause": _("退出原因"),
    "channel": _("提交方式"),
    "decision": _("核查结论"),
    "due": _("报送期限"),
    "failed": _("未通过"),
    "found": _("不符合条件的人数"),
    "group": _("人员类别"),
    "holders": _("考核人数"),
    "invited": _("受邀代表"),
    "late": _("逾期报送"),
    "month": _("考核月份"),
    "moved_up": _("递补的申请编号"),
    "name": _("姓名"),
    "names": _("评议代表姓名"),
    "notice_until": _("补充公示至"),
    "objection": _("异议编号"),
    "part": _("考核部分"),
    "passed": _("合格"),
    "people": _("公示人数"),
    "number": _("申请编号"),
    "post": _("岗位序号"),
    "present": _("到会"),
    "reasons": _("不符合条件的申请编号和理由"),
    "removed": _("取消资格的申请编号"),
    "representative": _("评议代表编号"),
    "scored": _("被评分的人数"),
    "source": _("核查来源"),
    "stand_back": _("回避的代表人数"),
    "starts": _("上岗日期"),
    "subsidy_until": _("补贴期满"),
    "how": _("空缺处理"),
    "village": _("村（社区）评分"),
    "office": _("街道评分"),
    "democratic": _("民主评议评分"),
}
"""What people read for the fields of these records."""

CODES: dict[str, Words] = {
    "person": _("公示的人员"),
    "procedure": _("招聘程序"),
    "online": _("网上"),
    "paper": _("纸质"),
    "village": _("村（社区）评分"),
    "office": _("街道评分"),
    "democratic": _("民主评议评分"),
    **rules.GROUPS,
    **rules.REASONS,
    **rules.EXITS,
    **rules.VACANCIES,
    **rules.SOURCES,
    **Applicant.STATES,
}
"""And for the codes in them."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A line of what a step works through."""

    title: Words
    done: int
    of: int
    due: dt.date | None = None
    late: bool = False


@dataclass(slots=True)
class Seen:
    """What pages go by for one call: how many applicants are in which life; for the steps about
    holders also those who hold its posts, and what of their months is assessed."""

    lives: Counter[str] = field(default_factory=Counter)
    own: set[tuple[str, str]] = field(default_factory=set)
    """Life and key of whoever may still do something about an application of their own."""
    objections: int = 0
    holders: list[Any] = field(default_factory=list)
    given: set[tuple[int, dt.date, str]] = field(default_factory=set)
    months: dict[dt.date, dict[str, tuple[int, int]]] | None = None

    def among(self, lives: Iterable[str]) -> int:
        """How many applicants are in one of the lives."""
        return sum(self.lives[life] for life in lives)


class People(Step):
    """A step through a list of applicants: those in the lives `shows` are its page, masked."""

    kind = "posts"
    paged = "people"
    shows: ClassVar[tuple[str, ...]] = ()

    @property
    def labels(self) -> dict[str, Words]:
        """What fields of these records are called here."""
        return LABELS

    @property
    def codes(self) -> dict[str, Words]:
        """The lives of applicants, sources, parts of an assessment."""
        return CODES

    def people(self, case: Case) -> QuerySet[Applicant]:
        """Whom the step is about."""
        found = Applicant.objects.filter(case=case, life__in=self.shows)
        return found.select_related("post", "holder").order_by("post__number", "rank", "number")

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Seen]:
        """Lives of all calls at once; one query."""
        seen: dict[int, Seen] = defaultdict(Seen)
        rows = Applicant.objects.filter(case__in={run.process_id for run in runs}).order_by()
        for case, life, n in rows.values_list("case", "life").annotate(n=Count("pk")):
            seen[case].lives[life] = n
        return {run.pk: seen[run.process_id] for run in runs}

    def page(self, run: StepRun) -> dict[str, Any]:
        """Numbers by life, how far the step has come, and the list; the page's queries and two."""
        counted = counts_of(run.process)
        counts = [(title, counted.get(code, 0)) for code, title in Applicant.STATES.items()]
        return {
            "people": self.people(run.process),
            "counts": [row for row in counts if row[1]],
            "progress": list(self.progress(run)),
        }

    def progress(self, run: StepRun) -> Iterator[Progress]:
        """How far the step has come: what, how much of how much, and until when."""
        yield from ()

    def roster(self, run: StepRun) -> Mapping[str, Words]:
        """Everybody of the call by number and name, with their lives; one query."""
        rows = Applicant.objects.filter(case=run.process).order_by("number")
        return {
            f"{number} {name}": Applicant.STATES[life]
            for number, name, life in rows.values_list("number", "name", "life")
        }

    def of_number(self, doing: Act, number: int) -> Applicant:
        """The applicant of a number; refuses one who is none."""
        found = Applicant.objects.filter(case=doing.case, number=number).first()
        if found is None:
            raise refuse(_("没有编号为%(n)s的申请。") % {"n": number}, field="number")
        return found


def handed_in_by(row: Applicant, party: Party) -> bool:
    """Whether an application is the party's: online the applicant's own, on paper the village's,
    which acts on what the applicant signed."""
    if row.channel == "online":
        return row.party_key == party.key
    return party.role != "applicant"


class Own(People):
    """A step in which people act on applications of their own."""

    of_own: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Acts that are about an application in certain lives."""

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Seen]:
        """Also who has an application in one of those lives; two queries."""
        seen = super().glances(runs)
        lives = {life for lives in cls.of_own.values() for life in lives}
        rows = Applicant.objects.filter(
            case__in={run.process_id for run in runs}, life__in=lives
        ).exclude(Q(life="refused") & ~Q(objection=""))
        of_case: dict[int, set[tuple[str, str]]] = defaultdict(set)
        for case, life, channel, key in rows.values_list("case", "life", "channel", "party_key"):
            of_case[case].add((life, key if channel == "online" else "paper"))
        for run in runs:
            seen[run.pk].own = of_case[run.process_id]
        return seen

    def able(self, spec: ActSpec, run: StepRun, parties: tuple[Party, ...]) -> tuple[Party, ...]:
        """Whoever handed in an application that the act can be about."""
        lives = self.of_own.get(spec.name)
        if lives is None:
            return parties
        own = self.glance(run).own
        return tuple(
            party for party in parties if any((life, _whose(party)) in own for life in lives)
        )


def _whose(party: Party) -> str:
    return party.key if party.role == "applicant" else "paper"


def counts_of(case: Case) -> dict[str, int]:
    """How many applicants are in which life."""
    rows = Applicant.objects.filter(case=case).values("life").annotate(n=Count("pk")).order_by()
    return {row["life"]: row["n"] for row in rows}


def close_lane(step: Step, doing: Act) -> Written:
    """End a step that runs beside others, once nothing in it is missing."""
    if missing := step.unmet(doing.open_run):
        raise refuse(missing[0], code="unmet")
    return Written({}, outcome="done")


class Lane(People):
    """A step that runs beside others for people who come to it one after the other."""

    waits_for: ClassVar[tuple[str, ...]] = ()
    """Lives of applicants who are still to come through it."""

    @act("lane.closed", title=_("办结本环节"), by="by", form=forms.CloseForm, optional=True)
    def close(self, doing: Act) -> Written:
        """End it, once everybody is through."""
        return close_lane(self, doing)

    def offered(self, spec: Any, run: StepRun) -> bool:
        """Closing once nothing is missing."""
        return spec.name != "lane.closed" or not self.unmet(run)

    def unmet(self, run: StepRun) -> list[Words]:
        """Those who are still to come."""
        n = self.glance(run).among(self.waits_for)
        return [_("还有%(n)s人未办完") % {"n": n}] if n else []
