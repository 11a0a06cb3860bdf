"""What the tasks of the renovation procedure ask. Every field is published unless named private."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from workflows import calendars, law, terms
from workflows.parties import directory
from workflows.steps.task import TaskForm
from workflows.uploads import UploadField

from . import rules


def _text(label: Any, *, rows: int = 4, most: int = 1000, **kwargs: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=most, widget=forms.Textarea(attrs={"rows": rows}), **kwargs
    )


class SurveyForm(TaskForm):
    """Does the estate qualify; were policy and reference prices explained and posted (A)."""

    built_before = forms.IntegerField(label=_("建成年份"), min_value=1949, max_value=2100)
    buildings = forms.IntegerField(label=_("楼栋数"), min_value=1, max_value=500)
    households = forms.IntegerField(label=_("户数"), min_value=1, max_value=50_000)
    findings = _text(_("摸底情况"))
    policy_explained = forms.BooleanField(label=_("已向居民讲解改造政策"))
    reference_prices = UploadField(
        label=_("造价参考标准（公示栏张贴件）"), public=True, required=False
    )


class ApplicationForm(TaskForm):
    """The application from below: facts, faults and the pledged share, which the review scores."""

    keeps = ("applicant", "supporters", "faults", "wishes", "pledged_percent")

    applicant = forms.ChoiceField(
        label=_("申请方"),
        choices=[
            ("residents_committee", _("居民委员会")),
            ("owners_committee", _("业主委员会")),
            ("households", _("居民联名")),
        ],
    )
    supporters = forms.IntegerField(label=_("同意申请的户数"), min_value=1, max_value=50_000)
    faults = _text(_("存在的主要问题"))
    wishes = _text(_("希望改造的内容"))
    pledged_percent = forms.IntegerField(label=_("居民承诺出资比例(%)"), min_value=0, max_value=100)
    papers = UploadField(
        label=_("申请材料"),
        help_text=_("居民联名的，附联名签字页。"),
        public=False,
        required=False,
    )
    conditional = frozenset({"papers"})

    def setup(self) -> None:
        """Whoever applies does so in their own name; the committee also hands in what neighbours
        have signed."""
        of = {"owners_committee": ("owners_committee",), "household": ("households",)}
        mine = of.get(self.act.party.role, ("residents_committee", "households"))
        choice: Any = self.fields["applicant"]
        choice.choices = [(code, words) for code, words in choice.choices if code in mine]

    def clean_supporters(self) -> int:
        """No more homes than the roll of the estate has."""
        given: int = self.cleaned_data["supporters"]
        homes = len(directory().members("households", self.act.case.community))
        if homes and given > homes:
            raise forms.ValidationError(_("名册上共有%(n)s户，不能超过这个数。") % {"n": homes})
        return given

    def clean(self) -> dict[str, Any]:
        """What neighbours sign together is handed in with their signatures."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("applicant") == "households" and not data.get("papers"):
            self.add_error("papers", _("请附上联名签字页。"))
        return data


class AfterLostBallotForm(TaskForm):
    """Where a lost ballot leads: back to the needs, or shelved."""

    reason = _text(_("理由（将公开）"))


class PlanForm(TaskForm):
    """A version of the plan, with its drawings."""

    version = forms.CharField(label=_("方案版本"), max_length=20)
    changes = _text(_("方案要点与较上一版的修改"))
    cost_yuan = forms.DecimalField(
        label=_("估算造价（元）"), min_value=0, max_digits=14, decimal_places=2
    )
    drawings = UploadField(label=_("方案图纸"), public=True)


class DrawingsForm(TaskForm):
    """The construction drawings, filed."""

    filing_number = forms.CharField(label=_("施工图审查备案号"), max_length=40)
    summary = _text(_("施工图说明"))
    drawings = UploadField(label=_("施工图"), public=True)


class ReturnChoiceForm(TaskForm):
    """An upheld objection sends the design back: to the plan or to the drawings."""

    reason = _text(_("修改要求（将公开）"))


class FundingForm(TaskForm):
    """Whether residents pay a share, and how."""

    reason = _text(_("出资方案说明"))
    share_yuan = forms.DecimalField(
        label=_("居民出资总额（元）"), min_value=0, max_digits=14, decimal_places=2, initial=0
    )


class StartOnSiteForm(TaskForm):
    """Works begin: who builds, from when to when."""

    contract_number = forms.CharField(label=_("施工合同编号"), max_length=60)
    starts = forms.DateField(label=_("开工日期"), widget=forms.DateInput(attrs={"type": "date"}))
    ends = forms.DateField(label=_("计划竣工日期"), widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, object]:
        """The end is not before the start."""
        cleaned = super().clean() or {}
        if cleaned.get("starts") and cleaned.get("ends") and cleaned["ends"] < cleaned["starts"]:
            self.add_error("ends", _("竣工日期不能早于开工日期。"))
        return cleaned


class RectifyForm(TaskForm):
    """What was put right after a failed acceptance, item by item."""

    items = _text(_("整改事项"))
    measures = _text(_("整改措施与结果"))
    photos = UploadField(label=_("整改照片"), public=True, pictures_only=True)


class HandoverForm(TaskForm):
    """Handover to long-term management, as the owners have decided it."""

    keeper = forms.CharField(label=_("管理单位"), max_length=60)
    duties = _text(_("管理职责与服务标准"))
    agreement = UploadField(label=_("管理协议"), public=True, required=False)


# --- tender lots -----------------------------------------------------------------------------


class TenderDocumentsForm(TaskForm):
    """The tender documents as issued."""

    method = forms.ChoiceField(
        label=_("招标方式"), choices=[("open", _("公开招标"))], initial="open"
    )
    scope = _text(_("招标范围与要求"))
    documents = UploadField(label=_("招标文件"), public=True)


class BidOpeningForm(TaskForm):
    """Who bid, read out in public; with too few bidders the lot is tendered anew."""

    bidders = _text(_("投标单位及报价（每行一家）"), rows=6)

    def clean_bidders(self) -> list[str]:
        """One bidder a line, none twice."""
        lines = [" ".join(line.split()) for line in self.cleaned_data["bidders"].splitlines()]
        bidders = [line for line in lines if line]
        if len(set(bidders)) != len(bidders):
            raise forms.ValidationError(_("同一投标单位不能重复登记。"))
        return bidders

    def outcome(self) -> str:
        """Enough bidders, or tendered anew."""
        enough = rules.bidders_suffice(len(self.cleaned_data["bidders"]), self.act.at)
        return "opened" if enough else "anew"


class EvaluationForm(TaskForm):
    """The committee's report: a lawful committee and its ranked candidates.

    They are publicised at once when it is entered; the record says by when that had to be.
    """

    received_on = forms.DateField(
        label=_("收到评标报告日期"), widget=forms.DateInput(attrs={"type": "date"})
    )
    members = forms.IntegerField(label=_("评标委员会人数"), min_value=1, max_value=99)
    experts = forms.IntegerField(label=_("其中技术、经济专家人数"), min_value=0, max_value=99)
    candidates = _text(_("中标候选人（按名次，每行一家）"), rows=4)
    report = _text(_("评标意见"))

    FAULTS = {
        "few": _("评标委员会成员人数不足（%(rule)s）。"),
        "even": _("评标委员会成员人数应为单数（%(rule)s）。"),
        "experts": _("专家人数不足（%(rule)s）。"),
    }

    def clean_received_on(self) -> dt.date:
        """Not in the future."""
        on: dt.date = self.cleaned_data["received_on"]
        if on > timezone.localdate(self.act.at):
            raise forms.ValidationError(_("收到日期不能晚于今天。"))
        return on

    def clean_candidates(self) -> list[str]:
        """Ranked, none twice."""
        lines = [" ".join(line.split()) for line in self.cleaned_data["candidates"].splitlines()]
        candidates = [line for line in lines if line]
        if not candidates or len(set(candidates)) != len(candidates):
            raise forms.ValidationError(_("请按名次每行填写一家，不得重复。"))
        return candidates

    def clean(self) -> dict[str, object]:
        """The committee is lawful."""
        cleaned = super().clean() or {}
        members, experts = cleaned.get("members"), cleaned.get("experts")
        if isinstance(members, int) and isinstance(experts, int):
            if experts > members:
                self.add_error("experts", _("专家人数不能多于委员会人数。"))
            rule = law.rule("tender_committee", self.act.at).words
            for fault in rules.committee_faults(members, experts, self.act.at):
                field = "experts" if fault == "experts" else "members"
                self.add_error(field, self.FAULTS[fault] % {"rule": rule})
        return cleaned

    def public(self) -> dict[str, object]:
        """Also the last day to publicise the candidates, and whether that is over."""
        received = self.cleaned_data["received_on"]
        within = law.ByLaw("tender_candidates_within").on(self.act.at)
        last = terms.end_of(within, received, calendars.current())
        late = {"overdue": True} if last.ends_at <= self.act.at else {}
        return {**super().public(), "due_on": last.ends_on.isoformat(), **late}


class AwardForm(TaskForm):
    """The winner, and the price."""

    winner = forms.CharField(label=_("中标单位"), max_length=80)
    price_yuan = forms.DecimalField(
        label=_("中标价（元）"), min_value=0, max_digits=14, decimal_places=2
    )
