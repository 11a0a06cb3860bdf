"""Calls, posts, applicants and holders. What is personal in them is in no public record.

Every change goes through `acts.perform`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from workflows.models import Case, Record, StepRun
from workflows.records import masking
from workflows.terms import month_words

from . import rules


class Call(models.Model):
    """The eligibility table of a call (招聘条件). Public. `groups`: code to [from, until]."""

    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="post_call")
    groups = models.JSONField(_("人员类别"))
    exclusions = models.JSONField(_("排除情形"))

    def __str__(self) -> str:
        return f"call {self.pk}"

    @property
    def table(self) -> dict[str, rules.Bounds]:
        """The groups with their bounds."""
        days = dt.date.fromisoformat
        return {
            code: rules.Bounds(*(days(day) if day else None for day in ends))
            for code, ends in self.groups.items()
        }

    def against(self, *, group: str, born: dt.date, facts: list[str]) -> list[str]:
        """Why somebody does not fit the call, as codes of `rules.REASONS`."""
        return rules.reasons_against(
            self.table, self.exclusions, group=group, born=born, facts=facts
        )

    def lines(self) -> dict[str, list[Any]]:
        """The table in words: groups with their bounds, and exclusions."""
        return {
            "groups": [(rules.GROUPS[code], bounds) for code, bounds in self.table.items()],
            "exclusions": [rules.EXCLUSIONS[code] for code in self.exclusions],
        }


class Post(models.Model):
    """A post of a call (岗位). Public."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="posts")
    number = models.PositiveIntegerField(_("岗位序号"))
    title = models.CharField(_("岗位"), max_length=40)
    village = models.CharField(_("村（社区）"), max_length=40)
    places = models.PositiveSmallIntegerField(_("人数"))
    duties = models.CharField(_("职责"), max_length=300)
    pay_yuan = models.PositiveIntegerField(_("月补贴（元）"))

    class Meta:
        ordering: ClassVar = ["case", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "number"], name="one_post_a_number"),
            models.CheckConstraint(condition=Q(places__gt=0), name="post_has_places"),
        ]

    def __str__(self) -> str:
        return f"{self.village}·{self.title}"


class Applicant(models.Model):
    """Someone who applied for a post of a call (申请人), with a life of their own.

    `mark` is a keyed digest of the identity number, which itself is not kept. `household` are the
    names in the household book: whoever of the representatives is among them stands back.
    `party_key` is of who applied online; on paper the application has one of its own. What is
    `personal` is erased when it is kept no longer (`retention`).
    `rank` is the place in the ranking of the post, from 1.
    """

    STATES: ClassVar[dict[str, Any]] = {
        "applied": _("待初审"),
        "refused": _("初审未通过"),
        "eligible": _("初审通过"),
        "unplaced": _("评议未入选"),
        "reserve": _("候补"),
        "proposed": _("拟安置"),
        "barred": _("审核未通过"),
        "publicised": _("公示中"),
        "removed": _("公示异议成立"),
        "cleared": _("公示无异议"),
        "failed": _("培训未通过"),
        "trained": _("培训合格"),
        "appointed": _("已上岗"),
        "withdrawn": _("本人撤回"),
    }
    RANKED = ("reserve", "proposed", "publicised", "cleared", "unplaced")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="applicants")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="applicants")
    number = models.PositiveIntegerField(_("申请编号"))
    life = FSMField(_("状态"), default="applied", protected=True, choices=list(STATES.items()))
    party_key = models.CharField(max_length=60, editable=False)
    channel = models.CharField(_("提交方式"), max_length=10)
    name = models.CharField(_("姓名"), max_length=40)
    born = models.DateField(_("出生日期"), null=True)
    village = models.CharField(_("所在村（社区）"), max_length=40)
    contact = models.CharField(_("联系电话"), max_length=20)
    group = models.CharField(_("人员类别"), max_length=30)
    facts = models.JSONField(_("排除情形"), default=list)
    household = models.JSONField(_("户口簿成员"), default=list)
    mark = models.CharField(max_length=64, null=True, editable=False)
    reasons = models.JSONField(_("理由"), default=list)
    objection = models.TextField(_("对初审结果的异议"), blank=True)
    rank = models.PositiveIntegerField(_("名次"), null=True)
    points = models.PositiveIntegerField(_("评议总分"), null=True)
    sheets = models.PositiveIntegerField(_("评分份数"), null=True)
    notice_from = models.DateField(_("公示开始"), null=True)
    notice_until = models.DateField(_("公示结束"), null=True)
    notice_ends_at = models.DateTimeField(_("公示届满"), null=True)

    answer = models.CharField(_("对异议的答复"), max_length=500, blank=True)
    erased_at = models.DateTimeField(_("个人信息删除时间"), null=True)

    personal: ClassVar[dict[str, Any]] = {
        "name": "",
        "born": None,
        "mark": None,
        "contact": "",
        "group": "",
        "facts": [],
        "household": [],
        "objection": "",
        "answer": "",
    }
    withdrawn_when_erased: ClassVar[tuple[str, ...]] = (
        "applied",
        "eligible",
        "reserve",
        "proposed",
        "publicised",
        "cleared",
        "trained",
    )

    class Meta:
        verbose_name = _("申请人")
        ordering: ClassVar = ["case", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "number"], name="one_applicant_a_number"),
            models.UniqueConstraint(
                fields=["case", "mark"], condition=~Q(life="withdrawn"), name="applied_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["post", "life"], name="applicants_of_post"),
            models.Index(fields=["case", "life", "number"], name="applicants_of_call"),
            models.Index(
                fields=["case"], condition=Q(erased_at__isnull=True), name="applicants_held"
            ),
        ]

    def __str__(self) -> str:
        return f"applicant {self.number}"

    @property
    def held(self) -> Holder | None:
        """The post that they were given, if any; `holder` is best loaded with the row."""
        return getattr(self, "holder", None) if self.life == "appointed" else None

    @property
    def standing(self) -> Any:
        """The state in words, for everybody: who has left a post holds it no longer. Of what is
        heard before somebody is dismissed nothing is public."""
        gone = self.held is not None and self.held.life in ("left", "dismissed")
        return Holder.STATES["left"] if gone else self.STATES[self.life]

    @property
    def standing_inside(self) -> Any:
        """The same for themselves and those who handle it."""
        held = self.held
        if held is not None and held.life != "on_post":
            return Holder.STATES[held.life]
        return self.STATES[self.life]

    @property
    def said(self) -> list[Any]:
        """Why it was refused, in words."""
        return [rules.REASONS.get(code, code) for code in self.reasons]

    @property
    def masked(self) -> str:
        """The name as a notice shows it."""
        return masking.name(self.name) if self.name else "—"

    @transition(field=life, source=["applied", "refused"], target="eligible")
    def accept(self) -> None:
        """Fits the call; or was refused and the objection to that is right."""

    @transition(field=life, source="applied", target="refused")
    def refuse(self) -> None:
        """Does not fit the call, for `reasons`."""

    @transition(field=life, source="eligible", target="proposed")
    def propose(self) -> None:
        """Ranked within the places of the post."""

    @transition(field=life, source="eligible", target="reserve")
    def put_on_reserve(self) -> None:
        """Ranked beyond them."""

    @transition(field=life, source="eligible", target="unplaced")
    def leave_unplaced(self) -> None:
        """The mean of the scores is too low."""

    @transition(field=life, source=RANKED, target="eligible")
    def evaluate_again(self) -> None:
        """An objection to the procedure is right."""

    @transition(field=life, source=["proposed", "reserve"], target="barred")
    def bar(self) -> None:
        """A source says that the call excludes them, for `reasons`."""

    @transition(field=life, source=["proposed", "reserve"], target="publicised")
    def publicise(self) -> None:
        """Named in the notice; of the reserve list, in a supplementary one."""

    @transition(field=life, source="publicised", target="removed")
    def remove(self) -> None:
        """An objection to this person is right."""

    @transition(field=life, source="publicised", target="cleared")
    def clear(self) -> None:
        """The notice has stood in full."""

    @transition(field=life, source="cleared", target="trained")
    def train(self) -> None:
        """Attended and passed the test."""

    @transition(field=life, source="cleared", target="failed")
    def fail(self) -> None:
        """Did not attend, or failed the test."""

    @transition(field=life, source="trained", target="appointed")
    def appoint(self) -> None:
        """Signed the agreement."""

    @transition(
        field=life,
        source=list(withdrawn_when_erased),
        target="withdrawn",
    )
    def withdraw(self) -> None:
        """Took the application back."""


class Representative(models.Model):
    """A villagers' representative invited to one evaluation (评议代表). Not public."""

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="post_representatives")
    number = models.PositiveIntegerField(_("序号"))
    name = models.CharField(_("姓名"), max_length=40)
    present = models.BooleanField(_("到会"), default=False)
    stands_back = models.JSONField(_("回避的申请编号"), default=list)

    class Meta:
        ordering: ClassVar = ["run", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_representative_a_number")
        ]

    def __str__(self) -> str:
        return f"representative {self.number}"


class Points(models.Model):
    """What one representative gave one applicant (评分): secret; sums and counts are public."""

    representative = models.ForeignKey(
        Representative, on_delete=models.PROTECT, related_name="points"
    )
    applicant = models.ForeignKey(Applicant, on_delete=models.PROTECT, related_name="scores")
    points = models.PositiveSmallIntegerField(_("评分"))

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["representative", "applicant"], name="scored_once_by_each"
            ),
            models.CheckConstraint(condition=Q(points__lte=100), name="at_most_100_points"),
        ]

    def __str__(self) -> str:
        return f"points of {self.applicant_id}"


class NoticeObjection(models.Model):
    """An objection to a notice (公示异议): to a person, or without one to the procedure."""

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="post_objections")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    applicant = models.ForeignKey(
        Applicant, on_delete=models.PROTECT, null=True, related_name="objections"
    )
    life = FSMField(_("状态"), default="raised", protected=True)
    party_key = models.CharField(max_length=60, editable=False)
    text = models.TextField(_("异议内容"))
    reason = models.CharField(_("核查理由"), max_length=500, blank=True)
    number = models.PositiveIntegerField(_("异议编号"))

    personal: ClassVar[dict[str, Any]] = {"text": ""}

    class Meta:
        ordering: ClassVar = ["run", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_notice_objection_a_number")
        ]

    def __str__(self) -> str:
        return f"objection {self.number}"

    @transition(field=life, source="raised", target="upheld")
    def uphold(self) -> None:
        """It is right."""

    @transition(field=life, source="raised", target="dismissed")
    def dismiss(self) -> None:
        """It is not."""


class Holder(models.Model):
    """Who holds a post (在岗人员), with a life of their own; drawn in docs/.

    Public as masked name, village and post. `starts` to `until` is the agreement.
    """

    STATES: ClassVar[dict[str, Any]] = {
        "on_post": _("在岗"),
        "notified": _("已告知拟退出"),
        "left": _("已退出"),
        "dismissed": _("已清退"),
    }

    applicant = models.OneToOneField(Applicant, on_delete=models.PROTECT, related_name="holder")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    life = FSMField(_("状态"), default="on_post", protected=True, choices=list(STATES.items()))
    starts = models.DateField(_("上岗日期"))
    until = models.DateField(_("协议期满"))
    subsidy_until = models.DateField(_("补贴截止"))
    cause = models.CharField(
        _("退出原因"), max_length=20, blank=True, choices=list(rules.EXITS.items())
    )
    left_on = models.DateField(_("退出日期"), null=True)
    vacancy = models.CharField(
        _("空缺处理"), max_length=10, blank=True, choices=list(rules.VACANCIES.items())
    )

    class Meta:
        verbose_name = _("在岗人员")
        ordering: ClassVar = ["applicant"]

    def __str__(self) -> str:
        return f"holder {self.pk}"

    @transition(field=life, source="on_post", target="on_post", custom={"title": _("续签")})
    def renew(self) -> None:
        """Another agreement, within the subsidy."""

    @transition(
        field=life, source="on_post", target="notified", custom={"title": _("告知并听取陈述")}
    )
    def notify(self) -> None:
        """Told of a fault that ends the post, and asked what they say to it."""

    @transition(field=life, source="notified", target="on_post", custom={"title": _("陈述成立")})
    def keep(self) -> None:
        """What the holder says is right."""

    @transition(field=life, source="on_post", target="left", custom={"title": _("退出")})
    def leave(self) -> None:
        """Own wish, other job, term over, age."""

    @transition(field=life, source="notified", target="dismissed", custom={"title": _("清退")})
    def dismiss(self) -> None:
        """Failed assessment, substitution or absence, fraud, offence."""


class Assessment(models.Model):
    """A holder's monthly assessment (月度考核): 30 + 50 + 20. A part not yet given is null."""

    holder = models.ForeignKey(Holder, on_delete=models.PROTECT, related_name="assessments")
    month = models.DateField(_("月份"))
    village = models.PositiveSmallIntegerField(_("村（社区）评分"), null=True)
    office = models.PositiveSmallIntegerField(_("街道评分"), null=True)
    democratic = models.PositiveSmallIntegerField(_("民主评议评分"), null=True)

    class Meta:
        ordering: ClassVar = ["month"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["holder", "month"], name="one_assessment_a_month"),
            models.CheckConstraint(
                condition=(Q(village__isnull=True) | Q(village__lte=30))
                & (Q(office__isnull=True) | Q(office__lte=50))
                & (Q(democratic__isnull=True) | Q(democratic__lte=20)),
                name="assessment_within_weights",
            ),
        ]

    def __str__(self) -> str:
        return month_words(self.month)

    @property
    def total(self) -> int | None:
        """Of 100, once every part is given."""
        if self.village is None or self.office is None or self.democratic is None:
            return None
        return self.village + self.office + self.democratic
