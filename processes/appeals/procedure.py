"""Appeals and requests: 民呼我应, as a closed loop.

A marks what the source article says (即时受理、分类转办、限时答复、全程督办、跟踪问效), H the
hotline rules of Shandong, D our default. `rules` has terms and kinds, `forms` what a step asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _
from viewflow import this

from workflows.models import Attachment, Case
from workflows.parties import Party, name_roles, name_seats
from workflows.procedure import Procedure
from workflows.steps.act import Words
from workflows.steps.handling import Handling
from workflows.steps.nodes import Closing, Opening
from workflows.steps.task import Task
from workflows.terms import WorkingDays

from . import forms, reading, rules
from .links import CaseActs
from .models import Appeal

OFFICE = ("office",)
AUTHOR = ("anyone",)
UNIT = ("handler",)
name_roles({"anyone": _("诉求人")}, own=True)
name_roles({"handler": _("承办单位"), "overseer": _("督办机构")})
name_seats("handler", rules.UNITS)
RATING = {"satisfied": True, "unsatisfied": False}


def units(cases: Sequence[Case]) -> dict[int, list[str]]:
    """The units that cases have been given to, the leading one first; one query."""
    rows = Appeal.objects.filter(case__in=cases).values_list("case", "unit", "joint")
    return {case: [unit, *joint] for case, unit, joint in rows}


def reply_term(case: Case) -> WorkingDays:
    """Within how long a case is answered, by its kind."""
    return rules.reply_term(Appeal.objects.get(case=case).kind)


class Appeals(Procedure):
    """What anyone reports or asks, from its receipt to the author's rating."""

    code, version, number_prefix = "appeals", "2026.1", "APPL"
    title = fixed_title = _("群众诉求")
    summary = _("随时提，不用账号：即时受理、分类转办、限时答复、全程督办、跟踪问效。")
    featured = False
    entrances = ((_("提诉求"), "/appeals/new/"), (_("公开的诉求"), "/appeals/"))
    links = ((_("公开列表和各单位办理情况"), "/appeals/"),)
    opened_by = AUTHOR
    opener_only = AUTHOR
    overseers = OFFICE
    community_kinds = ("estate", "subdistrict")
    opens_with = ("submit", "task.done")
    inside_template = "appeals/inside.html"
    _case_acts = CaseActs()

    opening = Opening().Next(this.submit)

    submit = (  # A: 即时受理; what looks like spam is looked at by a person, not refused
        Task(title=_("提出诉求"), by=AUTHOR, form=forms.AppealForm, source=_("民呼我应：即时受理"))
        .On("accepted", this.classify, _("即时受理"))
        .On("held", this.screen, _("待核实"))
    )
    screen = (
        Task(
            title=_("核实"),
            by=OFFICE,
            form=forms.ScreenForm,
            term=rules.ASSIGN,
            unlisted=True,
            source=_("默认：1个工作日"),
        )
        .On("genuine", this.classify, _("是真实诉求"))
        .On("spam", this.set_aside, _("不是诉求"))
    )
    classify = (  # A: 分类转办
        Handling(
            title=_("分类转办"),
            by=OFFICE,
            form=forms.AssignmentForm,
            term=rules.ASSIGN,
            withdrawers=AUTHOR,
            source=_("民呼我应：分类转办；默认：1个工作日"),
        )
        .On("assigned", this.handle, _("交承办单位"))
        .On("referred", this.referred, _("另有法定途径"))
        .On("withdrawn", this.withdrawn, _("诉求人撤回"))
    )
    handle = (  # A: 限时答复; H: 5 working days, at most 10 more once, returned within 2
        Handling(
            title=_("限时答复"),
            by=UNIT,
            form=forms.HandlingForm,
            seats=units,
            term=rules.REPLY,
            term_by=reply_term,
            extension=rules.EXTENSION_MOST,
            on_term="overdue",
            withdrawers=AUTHOR,
            source=_("山东省12345热线办理规则：5个工作日，可延长一次，不超过10个工作日"),
        )
        .On("replied", this.rate, _("已答复"))
        .On("returned", this.classify, _("不属于本单位职责，退回"))
        .On("overdue", this.supervised, _("超期，转督办"))
        .On("withdrawn", this.withdrawn, _("诉求人撤回"))
    )
    rate = (  # A: 跟踪问效
        Task(
            title=_("满意度评价"),
            by=AUTHOR,
            form=forms.RatingForm,
            rating=RATING,
            term=rules.RATING,
            on_term="silent",
            source=_("民呼我应：跟踪问效；默认：10个工作日"),
        )
        .On("satisfied", this.settled, _("满意"))
        .On("unsatisfied", this.rework, _("不满意，重新办理"))
        .On("silent", this.unrated, _("期满未评价"))
    )
    rework = (  # not satisfied: once more, by another person
        Handling(
            title=_("重新办理"),
            by=UNIT,
            form=forms.AnswerForm,
            seats=units,
            other_than="handle",
            term=rules.REPLY,
            on_term="overdue",
            source=_("默认：换人重办一次，5个工作日"),
        )
        .On("replied", this.rate_again, _("已答复"))
        .On("overdue", this.supervised, _("超期，转督办"))
    )
    rate_again = (
        Task(
            title=_("再次评价"),
            by=AUTHOR,
            form=forms.RatingForm,
            rating=RATING,
            term=rules.RATING,
            on_term="silent",
            source=_("民呼我应：跟踪问效；默认：10个工作日"),
        )
        .On("satisfied", this.settled, _("满意"))
        .On("unsatisfied", this.supervised, _("两次不满意，转督办"))
        .On("silent", this.unrated, _("期满未评价"))
    )
    supervised = Handling(  # A: 全程督办; H: a supervision sheet when overdue or twice unsatisfied
        title=_("督办件办理"),
        by=UNIT,
        form=forms.AnswerForm,
        seats=units,
        term=rules.SUPERVISED,
        source=_("民呼我应：全程督办；默认：3个工作日"),
    ).On("replied", this.inspect, _("已答复"))
    inspect = (
        Task(
            title=_("督办核查"),
            by=("overseer",),
            form=forms.SupervisionForm,
            source=_("民呼我应：全程督办"),
        )
        .On("settled", this.supervised_settled, _("办到位，销号"))
        .On("again", this.supervised, _("继续督办"))
    )

    settled = Closing(_("已办结，诉求人满意"))
    unrated = Closing(_("已办结，诉求人未评价"))
    supervised_settled = Closing(_("经督办办结"))
    referred = Closing(_("已告知应当走的途径"), good=False)
    withdrawn = Closing(_("诉求人撤回"), good=False)
    set_aside = Closing(_("不作为诉求办理"), good=False, unlisted=True)

    @classmethod
    def about(cls, case: Case) -> list[tuple[Words, Any]]:
        """What is public of the appeal."""
        return reading.about(case)

    @classmethod
    def inside(cls, case: Case, parties: Sequence[Party]) -> dict[str, Any]:
        """The appeal and its answer: for the author and those who handle it."""
        return reading.inside(case, parties)

    @classmethod
    def may_read(cls, file: Attachment, parties: Sequence[Party], oversees: bool) -> bool:
        """Photos too; whoever else oversees the place does not see what people write."""
        return reading.may_read(file, parties)
