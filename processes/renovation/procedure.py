"""Renovation of old estates by three asks: 老旧小区改造,三问于民(问需、问计、问效).

Each step names its source: the practice described in the source article (三问于民), a law with its
article, or our default (默认). See `rules` for lists, score sheets and rules of law, `forms` for
what each task asks, `tender` for the lots, `change` for large changes of the design.
"""

from fractions import Fraction

from django.utils.translation import gettext_lazy as _
from viewflow import this

from workflows.parties import name_roles
from workflows.procedure import Procedure
from workflows.steps.children import Children, LotSpec
from workflows.steps.consultation import Consultation
from workflows.steps.ledger import Ledger
from workflows.steps.meeting import Meeting
from workflows.steps.nodes import Closing, Meet, Opening, Together
from workflows.steps.panel import Panel
from workflows.steps.publicity import Publicity
from workflows.steps.selection import Selection
from workflows.steps.task import Task
from workflows.terms import Days, WorkingDays

from . import entries, forms, rules
from .tender import LOTS

OFFICE = ("office",)
COMMITTEE = ("residents_committee", "office")
RESIDENTS = ("household", "owner")
name_roles(
    {
        "reviewer": _("审查部门"),
        "designer": _("设计单位"),
        "contractor": _("施工单位"),
        "supervisor": _("监理单位"),
        "resident_supervisor": _("工程监督员"),
    }
)


class Renovation(Procedure):
    """Renovation of an old estate, from the survey to long-term upkeep."""

    code, version, number_prefix = "renovation", "2026.1", "RENO"
    title = _("老旧小区改造")
    summary = _("问需、问计、问效：改不改、改什么、改得怎么样，由居民说了算。")
    opened_by = OFFICE
    overseers = OFFICE
    one_at_a_time = True

    opening = Opening().Next(this.survey)

    survey = (  # 1
        Task(
            title=_("摸底"),
            by=COMMITTEE,
            form=forms.SurveyForm,
            source=_("三问于民：摸清符合改造条件的老旧小区基本情况"),
        )
        .On("qualifies", this.apply, _("符合改造条件"))
        .On("not_qualified", this.unqualified, _("不符合改造条件"))
    )
    apply = Task(  # 2
        title=_("自下而上申请"),
        by=("residents_committee", "owners_committee", "household"),
        form=forms.ApplicationForm,
        source=_("三问于民：自下而上申请"),
    ).Next(this.joint_review)
    joint_review = (  # 3
        Panel(
            title=_("联合审查"),
            seats=rules.REVIEWERS,
            attend=Fraction(2, 3),
            score=rules.SHORTLIST,
            by=OFFICE,
            term=WorkingDays(10),
            adjustable=(WorkingDays(5), WorkingDays(30)),
            source=_("三问于民：联合审查入围；默认：三分之二以上审查方参加，平均70分以上入围"),
        )
        .On("approved", this.shortlist, _("入围"))
        .On("returned", this.apply, _("退回补正"))
        .On("rejected", this.not_shortlisted, _("未入围"))
    )
    shortlist = (  # 3
        Publicity(
            title=_("入围公示"),
            by=OFFICE,
            participants=RESIDENTS,
            term=WorkingDays(5),
            source=_("三问于民：联合审查结果公示；默认：5个工作日"),
        )
        .On("clean", this.asking)
        .On("upheld", this.joint_review)
    )
    asking = Together(this.needs_meetings, this.ask_needs)
    needs_meetings = Meeting(  # 4
        title=_("意见征询会"),
        by=COMMITTEE,
        participants=RESIDENTS,
        sessions_at_least=1,
        source=_("三问于民：分批分次召开老旧小区改造意见征询会"),
    ).Next(this.asked)
    ask_needs = Consultation(  # 4
        title=_("问需"),
        by=COMMITTEE,
        participants=RESIDENTS,
        items=rules.RENOVATION_MENU,
        each_household=True,
        term=Days(15),
        adjustable=(Days(7), Days(60)),
        source=_("三问于民：逐户发放《意见征求表》，件件有回应；默认：15日"),
    ).Next(this.asked)
    asked = Meet().Next(this.owner_ballot)
    owner_ballot = (  # 5
        rules.owners_ballot(_("业主表决"), by=COMMITTEE)
        .On("carried", this.design_tender)
        .On("lost", this.after_lost_ballot)
    )
    after_lost_ballot = (
        Task(
            title=_("表决未通过的处理"),
            by=COMMITTEE,
            form=forms.AfterLostBallotForm,
            source=_("默认：未通过的，重新征求意见或者搁置"),
        )
        .On("ask_again", this.asking, _("重新征求意见"))
        .On("shelve", this.shelved, _("搁置"))
    )
    design_tender = Children(  # 6
        title=_("设计招标"),
        by=OFFICE,
        procedure="tender",
        lots=(LotSpec("design", LOTS["design"]),),
        source=_("三问于民：公开招标确定设计单位"),
    ).Next(this.design_session)
    design_session = Meeting(  # 7
        title=_("居民参与设计"),
        by=(*COMMITTEE, "designer"),
        participants=RESIDENTS,
        sessions_at_least=1,
        source=_("三问于民：邀请居民参与设计工作"),
    ).Next(this.plan)
    plan = Task(  # 7: a version of the plan
        title=_("方案设计"),
        by=("designer", "office"),
        form=forms.PlanForm,
        source=_("三问于民：邀请居民参与设计工作"),
    ).Next(this.ask_plans)
    ask_plans = (  # 7: a consultation on each version
        Consultation(
            title=_("问计"),
            by=(*COMMITTEE, "designer"),
            participants=RESIDENTS,
            term=Days(7),
            adjustable=(Days(5), Days(30)),
            source=_("三问于民：问计；默认：每版方案7日"),
        )
        .On("done", this.drawings, _("方案确定"))
        .On("revise", this.plan, _("修改方案"))
    )
    drawings = Task(  # 7
        title=_("施工图设计"),
        by=("designer", "office"),
        form=forms.DrawingsForm,
        source=_("三问于民：而后再进行施工图设计"),
    ).Next(this.design_publicity)
    design_publicity = (  # 8: a new 20 days after an upheld objection
        Publicity(
            title=_("设计方案公示"),
            by=COMMITTEE,
            participants=RESIDENTS,
            term=Days(20),
            posted_in="stairwells",
            source=_("三问于民：在楼道公告栏公示20天"),
        )
        .On("clean", this.preparing)
        .On("upheld", this.choose_return)
    )
    choose_return = (
        Task(
            title=_("异议成立的处理"),
            by=OFFICE,
            form=forms.ReturnChoiceForm,
            source=_("默认：异议成立的，退回修改后重新公示20天"),
        )
        .On("to_plan", this.plan, _("退回方案设计"))
        .On("to_drawings", this.drawings, _("退回施工图设计"))
    )

    preparing = Together(this.funding, this.tender, this.supervisors)
    funding = (  # 9
        Task(
            title=_("出资方案"),
            by=COMMITTEE,
            form=forms.FundingForm,
            source=_("三问于民：居民按户出资"),
        )
        .On("no_share", this.prepared, _("居民不出资"))
        .On("share", this.contributions, _("居民按户出资"))
        .On("repair_fund", this.funding_ballot, _("筹集维修资金"))
    )
    funding_ballot = (  # 9: raising repair funds takes three quarters
        rules.owners_ballot(_("维修资金表决"), by=COMMITTEE, matter="special")
        .On("carried", this.contributions)
        .On("lost", this.funding)
    )
    contributions = Ledger(  # 9: who has not paid is never listed
        title=_("居民出资"),
        by=COMMITTEE,
        kinds=(entries.CONTRIBUTION,),
        dues="contribution",
        source=_("三问于民：及时公示居民出资到账情况"),
    ).Next(this.prepared)
    tender = Children(  # 10
        title=_("施工、监理招标"),
        by=OFFICE,
        procedure="tender",
        lots=tuple(LotSpec(code, LOTS[code]) for code in ("construction", "supervision")),
        source=_("三问于民：公开招标；各标段适用《招标投标法》"),
    ).Next(this.prepared)
    supervisors = Selection(  # 11
        title=_("工程监督员"),
        by=COMMITTEE,
        participants=RESIDENTS,
        judges=("residents_committee", "owners_committee"),
        places=(1, 5),
        enrol_term=Days(7),
        term=Days(3),
        appoints="resident_supervisor",
        source=_("三问于民：招募小区业主作为“工程监督员”"),
    ).On("chosen", this.prepared)
    prepared = Meet().Next(this.construction)

    construction = Ledger(  # 12: a large change of the design is publicised beside the works
        title=_("施工公开"),
        by=("office", "contractor"),
        kinds=(entries.PROGRESS, entries.PAYMENT, entries.CHANGE, entries.FINDING),
        closing_guard=entries.works_complete,
        source=_("三问于民：工程进展、出资、变更公开，安全、质量和进度监督"),
    ).Next(this.acceptance)
    acceptance = (  # 13: any reasoned failure is rectified, whatever the score
        Panel(
            title=_("联合验收"),
            seats=rules.SIX_PARTIES,
            attend=Fraction(1),
            every_must_pass=True,
            score=rules.ACCEPTANCE,
            by=OFFICE,
            source=_("三问于民：联合验收+综合评分；默认：加权平均80分以上"),
        )
        .On("approved", this.ask_results, _("验收合格"))
        .On("returned", this.rectify, _("责令整改"))
    )
    rectify = Task(  # 13
        title=_("整改"),
        by=("contractor", "office"),
        form=forms.RectifyForm,
        source=_("默认：验收有一项不合格即整改，整改后重新联合验收"),
    ).Next(this.acceptance)
    ask_results = Consultation(  # 14
        title=_("问效"),
        by=COMMITTEE,
        participants=RESIDENTS,
        survey=True,
        term=Days(15),
        adjustable=(Days(7), Days(60)),
        source=_("三问于民：问效；默认：15日"),
    ).Next(this.upkeep_ballot)
    upkeep_ballot = (  # 15
        rules.owners_ballot(_("长效管理表决"), by=COMMITTEE, matter="ordinary")
        .On("carried", this.handover)
        .On("lost", this.upkeep_ballot, _("重新协商表决"))
    )
    handover = Task(  # 15
        title=_("移交"),
        by=COMMITTEE,
        form=forms.HandoverForm,
        source=_("三问于民：长效管理"),
    ).Next(this.upkeep)
    upkeep = Ledger(  # 15: each warranty is reminded of a month before it ends
        title=_("长效管理与保修"),
        by=COMMITTEE,
        kinds=(entries.WARRANTY, entries.REPAIR),
        closing_guard=entries.warranties_entered,
        source=_("三问于民：长效管理；保修期不少于《建设工程质量管理条例》第四十条的规定"),
    ).Next(this.completed)

    completed = Closing(_("办结"))
    unqualified = Closing(_("不符合改造条件"), good=False)
    not_shortlisted = Closing(_("未入围，可申报下一轮"), good=False)
    shelved = Closing(_("搁置"), good=False)
