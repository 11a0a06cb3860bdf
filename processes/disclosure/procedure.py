"""Disclosure on request: 依申请公开, chapter 4 of the Regulations on Open Government Information.

Plain numbers of articles are those of the Regulations (政府信息公开条例, 2019); D marks our
default. See `rules` for terms and outcomes, `clocks` for what they are counted from, `forms` for
what each step asks, `letters` for the papers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _
from viewflow import this

from workflows.models import Attachment, Case
from workflows.parties import Party, name_roles
from workflows.procedure import Procedure
from workflows.steps.ledger import Ledger
from workflows.steps.nodes import Closing, Opening
from workflows.steps.task import Task
from workflows.terms import WorkingDays

from . import clocks, consulting, forms, reading, remedies, replies, rules

OFFICE = ("office",)
EITHER = ("applicant", "office")  # article 29: the office fills in for who cannot write
name_roles({"office_head": _("机构负责人"), "checker": _("复核人员")})
WITHIN_REPLY: dict[str, Any] = {"term": rules.REPLY, "deadline": clocks.reply}


class DisclosureOnRequest(Procedure):
    """An application for government information, from its receipt to the reply."""

    code, version, number_prefix = "disclosure", "2026.1", "DISC"
    title = fixed_title = _("政府信息公开申请")
    summary = _("向街道申请公开政府信息：二十个工作日内答复，每一种结果都写明依据和救济途径。")
    source = _("政府信息公开条例")
    opened_by = EITHER
    opener_only = ("applicant",)
    overseers = OFFICE
    suspendable = False  # 33 says what the term stands still for, and nothing else does
    community_kinds = ("subdistrict",)  # 10: an organ that acts in its own name; 27
    opens_with = ("submit", "task.done")
    featured = False
    links = ((_("年度报告和主动公开清单"), "/disclosure/"),)
    inside_template = "disclosure/inside.html"
    _case_acts = remedies.CaseActs()

    opening = Opening().Next(this.submit)

    submit = Task(
        title=_("提出申请"),
        source=_("《政府信息公开条例》第二十七条、第二十九条"),
        by=EITHER,
        form=forms.ApplicationForm,
    ).Next(this.receive)
    receive = Task(
        title=_("收到登记"),
        source=_("《政府信息公开条例》第三十一条；默认：1个工作日内确认"),
        by=OFFICE,
        form=forms.ReceiptForm,
        term=rules.CONFIRM,
    ).Next(this.examine)
    examine = (
        Task(
            title=_("审查申请内容"),
            source=_("《政府信息公开条例》第三十条"),
            by=OFFICE,
            form=forms.ExaminationForm,
            term=rules.CORRECTION_NOTICE,
            deadline=clocks.correction_notice,
        )
        .On("clear", this.handle, _("内容明确"))
        .On("unclear", this.complete, _("内容不明确，一次性告知补正"))
    )
    complete = (
        Task(
            title=_("补正"),
            source=_("《政府信息公开条例》第三十条；默认：补正期限5至60个工作日"),
            by=EITHER,
            form=forms.CorrectionForm,
            term=WorkingDays(rules.CORRECTION_USUAL),
            deadline=clocks.correction,
            on_term="lapsed",
        )
        .On("corrected", this.handle, _("已补正"))
        .On("lapsed", this.lapse, _("逾期未补正"))
    )
    lapse = (
        Task(
            title=_("逾期未补正的处理"),
            source=_("《政府信息公开条例》第三十条"),
            by=OFFICE,
            form=forms.LapseForm,
        )
        .On("abandoned", this.abandoned, _("无正当理由，视为放弃申请"))
        .On("excused", this.complete, _("有正当理由，另定补正期限"))
    )
    handle = (
        Task(
            title=_("检索与研究"),
            source=_("《政府信息公开条例》第三十三条"),
            by=OFFICE,
            form=replies.HandlingForm,
            **WITHIN_REPLY,
        )
        .On("decide", this.decide, _("可以答复"))
        .On("consult", this.consult, _("需要征求第三方或者其他机关意见"))
        .On("extend", this.extend, _("需要延长答复期限"))
        .On("postpone", this.postpone, _("数量、频次明显过多，但理由合理，延迟答复"))
        .On("withdrawn", this.withdrawn, _("申请人书面撤回"))
    )
    consult = Ledger(
        title=_("征求意见"),
        source=_("《政府信息公开条例》第三十二条至第三十四条"),
        by=OFFICE,
        kinds=consulting.LETTERS,
        closing_guard=consulting.somebody_asked,
        laws=("disclosure_opinion",),
        summary=_("第三方自收到征求意见书之日起15个工作日内提出意见；这段时间不计入答复期限。"),
    ).Next(this.handle)
    extend = (
        Task(
            title=_("延期审批"),
            source=_("《政府信息公开条例》第三十三条：经政府信息公开工作机构负责人同意"),
            by=("office_head",),
            form=replies.ExtensionForm,
            laws=("disclosure_extension",),
            **WITHIN_REPLY,
        )
        .On("approved", this.notify, _("同意延期"))
        .On("declined", this.handle, _("不同意延期"))
    )
    notify = (
        Task(
            title=_("告知延期"),
            source=_("《政府信息公开条例》第三十三条：并告知申请人"),
            by=OFFICE,
            form=replies.NoticeForm,
            **WITHIN_REPLY,
        )
        .On("told", this.handle, _("已告知申请人"))
        .On("late", this.handle, _("期满后告知，延期不成立"))
    )
    postpone = Task(
        title=_("延迟答复"),
        source=_("《政府信息公开条例》第三十五条；默认：最长60个工作日，只确定一次"),
        by=OFFICE,
        form=replies.PostponementForm,
        **WITHIN_REPLY,
    ).Next(this.handle)
    decide = Task(
        title=_("拟定答复"),
        source=_("《政府信息公开条例》第三十六条至第三十九条"),
        by=OFFICE,
        form=replies.DecisionForm,
        **WITHIN_REPLY,
    ).Next(this.check)
    check = (
        Task(
            title=_("答复审查"),
            source=_("《政府信息公开条例》第十七条；默认：由第二人审查"),
            by=("checker",),
            form=replies.CheckForm,
            other_than="decide",
            **WITHIN_REPLY,
        )
        .On("approved", this.deliver, _("审查通过"))
        .On("returned", this.decide, _("退回重拟"))
    )
    deliver = (
        Task(
            title=_("送达答复"),
            source=_("《政府信息公开条例》第三十六条、第四十条、第五十一条"),
            by=OFFICE,
            form=replies.DeliveryForm,
            laws=("reconsideration", "suit"),
            **WITHIN_REPLY,
        )
        .On("delivered", this.answered, _("已送达"))
        .On("wanted", this.open_list, _("已送达，多人申请或者建议主动公开"))
    )
    open_list = (
        Task(
            title=_("主动公开评估"),
            source=_("《政府信息公开条例》第四十四条"),
            by=OFFICE,
            form=replies.OpenListForm,
        )
        .On("listed", this.answered, _("纳入主动公开"))
        .On("not_listed", this.answered, _("不纳入主动公开"))
    )

    answered = Closing(_("已答复"))
    abandoned = Closing(_("视为放弃申请"), good=False)
    withdrawn = Closing(_("申请人撤回"), good=False)

    @classmethod
    def inside(cls, case: Case, parties: Sequence[Party]) -> dict[str, Any]:
        """The application and its reply: for the applicant and those who handle it."""
        return reading.inside(case, {party.role for party in parties})

    @classmethod
    def may_read(cls, file: Attachment, parties: Sequence[Party], oversees: bool) -> bool:
        """Files too; whoever else oversees the sub-district does not see what people ask for."""
        return reading.may_read(file, {party.role for party in parties})
