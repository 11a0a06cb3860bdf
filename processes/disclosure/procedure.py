"""Disclosure on request: 依申请公开, chapter 4 of the Regulations on Open Government Information.

Plain numbers of articles are those of the Regulations (政府信息公开条例, 2019); D marks our
default. See `rules` for terms and outcomes, `clocks` for what they are counted from, `forms` for
what each step asks, `letters` for the papers.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from viewflow import this

from workflows.models import Attachment, Case
from workflows.procedure import Procedure
from workflows.steps.base import Closing, Opening
from workflows.steps.ledger import Ledger
from workflows.steps.task import Task
from workflows.terms import WorkingDays

from . import clocks, consulting, forms, reading, remedies, rules

OFFICE = ("office",)
EITHER = ("applicant", "office")  # 29: the office fills in for who cannot write


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
    inside_template = "disclosure/inside.html"
    _case_acts = remedies.CaseActs()

    opening = Opening().Next(this.submit)

    submit = Task(  # 27, 29: in writing, over the network, by word of mouth
        title=_("提出申请"), by=EITHER, form=forms.ApplicationForm
    ).Next(this.receive)
    receive = Task(  # 31: the day of receipt by its channel; D: confirmed in a working day
        title=_("收到登记"), by=OFFICE, form=forms.ReceiptForm, term=rules.CONFIRM
    ).Next(this.examine)
    examine = (  # 30: asked to correct once, within 7 working days from receipt
        Task(
            title=_("审查申请内容"),
            by=OFFICE,
            form=forms.ExaminationForm,
            term=rules.CORRECTION_NOTICE,
            deadline=clocks.correction_notice,
        )
        .On("clear", this.handle, _("内容明确"))
        .On("unclear", this.complete, _("内容不明确，一次性告知补正"))
    )
    complete = (  # 30: the term for the reply starts anew with the correction
        Task(
            title=_("补正"),
            by=EITHER,
            form=forms.CorrectionForm,
            term=WorkingDays(rules.CORRECTION_USUAL),
            deadline=clocks.correction,
            on_term="lapsed",
        )
        .On("corrected", this.handle, _("已补正"))
        .On("lapsed", this.lapse, _("逾期未补正"))
    )
    lapse = (  # 30: without a good reason it counts as given up
        Task(title=_("逾期未补正的处理"), by=OFFICE, form=forms.LapseForm)
        .On("abandoned", this.abandoned, _("无正当理由，视为放弃申请"))
        .On("excused", this.complete, _("有正当理由，另定补正期限"))
    )
    handle = (  # 33: at once, else within 20 working days
        Task(
            title=_("检索与研究"),
            by=OFFICE,
            form=forms.HandlingForm,
            term=rules.REPLY,
            deadline=clocks.reply,
        )
        .On("decide", this.decide, _("可以答复"))
        .On("consult", this.consult, _("需要征求第三方或者其他机关意见"))
        .On("extend", this.extend, _("需要延长答复期限"))
        .On("withdrawn", this.withdrawn, _("申请人书面撤回"))
    )
    consult = Ledger(  # 32, 34: 15 working days; 33: that time is not counted
        title=_("征求意见"),
        by=OFFICE,
        kinds=(consulting.LETTER,),
        closing_guard=consulting.somebody_asked,
        summary=_("第三方自收到征求意见书之日起15个工作日内提出意见；这段时间不计入答复期限。"),
    ).Next(this.handle)
    extend = (  # 33: approved by the head of the office for open information
        Task(
            title=_("延期审批"),
            by=("office_head",),
            form=forms.ExtensionForm,
            term=rules.REPLY,
            deadline=clocks.reply,
        )
        .On("approved", this.notify, _("同意延期"))
        .On("declined", this.handle, _("不同意延期"))
    )
    notify = (  # 33: and the applicant told, before the term has run out
        Task(
            title=_("告知延期"),
            by=OFFICE,
            form=forms.NoticeForm,
            term=rules.REPLY,
            deadline=clocks.reply,
        )
        .On("told", this.handle, _("已告知申请人"))
        .On("late", this.handle, _("期满后告知，延期不成立"))
    )
    decide = Task(  # 36 to 39
        title=_("拟定答复"),
        by=OFFICE,
        form=forms.DecisionForm,
        term=rules.REPLY,
        deadline=clocks.reply,
    ).Next(this.check)
    check = (  # 17: reviewed before it is opened; D: by a second person
        Task(
            title=_("答复审查"),
            by=("checker",),
            form=forms.CheckForm,
            other_than="decide",
            term=rules.REPLY,
            deadline=clocks.reply,
        )
        .On("approved", this.deliver, _("审查通过"))
        .On("returned", this.decide, _("退回重拟"))
    )
    deliver = (  # 36, 40, 51: the reply, with its reasons and the remedies
        Task(
            title=_("送达答复"),
            by=OFFICE,
            form=forms.DeliveryForm,
            term=rules.REPLY,
            deadline=clocks.reply,
        )
        .On("delivered", this.answered, _("已送达"))
        .On("wanted", this.open_list, _("已送达，多人申请或者建议主动公开"))
    )
    open_list = (  # 44: wanted by many, or suggested by the applicant
        Task(title=_("主动公开评估"), by=OFFICE, form=forms.OpenListForm)
        .On("listed", this.answered, _("纳入主动公开"))
        .On("not_listed", this.answered, _("不纳入主动公开"))
    )

    answered = Closing(_("已答复"))
    abandoned = Closing(_("视为放弃申请"), good=False)
    withdrawn = Closing(_("申请人撤回"), good=False)

    @classmethod
    def inside(cls, case: Case, roles: set[str]) -> dict[str, Any]:
        """The application and its reply: for the applicant and those who handle it."""
        return reading.inside(case, roles)

    @classmethod
    def may_read(cls, file: Attachment, roles: set[str], oversees: bool) -> bool:
        """Files too; whoever else oversees the sub-district does not see what people ask for."""
        return reading.may_read(file, roles)
