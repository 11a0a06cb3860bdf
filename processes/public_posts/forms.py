"""What each step asks. Names, groups and reasons about a person never are public."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from workflows import clock
from workflows.steps.act import ActForm, Words
from workflows.steps.opinion_forms import PublicText
from workflows.steps.task import TaskForm
from workflows.uploads import UploadField

from . import rules
from .models import Applicant, Call, Post

LARGEST = 2**31 - 1


def _day(label: Words, **kwargs: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}), **kwargs)


def _text(label: Words, *, rows: int = 4, most: int = 1000, **kwargs: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=most, widget=forms.Textarea(attrs={"rows": rows}), **kwargs
    )


class Pairs(forms.CharField):
    """Lines of two whole numbers, the first of which is a number on a list: to a dict."""

    def __init__(self, *, most: int = 100, **kwargs: Any) -> None:
        self.most = most
        super().__init__(widget=forms.Textarea(attrs={"rows": 8}), **kwargs)

    def clean(self, value: Any) -> Any:
        """By number; refuses a number that comes twice or a second one out of bounds."""
        found: dict[int, int] = {}
        for line in super().clean(value).splitlines():
            parts = line.replace(",", " ").replace("，", " ").split()
            if not parts:
                continue
            if len(parts) != 2 or not all(p.isascii() and p.isdecimal() for p in parts):
                raise forms.ValidationError(_("请每行填写编号和分数：%(line)s") % {"line": line})
            number, points = int(parts[0][:10]), int(parts[1][:10])
            if number in found:
                raise forms.ValidationError(_("编号%(n)s重复。") % {"n": number})
            if points > self.most:
                raise forms.ValidationError(_("分数不能超过%(most)s分。") % {"most": self.most})
            found[number] = points
        return found


class Numbers(forms.CharField):
    """Numbers on a list, apart by spaces or commas: to a list without repetitions."""

    def clean(self, value: Any) -> Any:
        """The numbers, in order."""
        parts = super().clean(value).replace(",", " ").replace("，", " ").split()
        if not all(part.isascii() and part.isdecimal() for part in parts):
            raise forms.ValidationError(_("请填写编号，用空格或者逗号隔开。"))
        return sorted({int(part[:10]) for part in parts})


BoundsForm: Any = type(
    "BoundsForm",
    (TaskForm,),
    {
        f"born_{end}_{code}": _day(format_lazy("{}{}{}", title, _("："), words), required=False)
        for code, title in rules.GROUPS.items()
        for end, words in (("from", _("出生不早于")), ("until", _("出生不晚于")))
    },
)
"""The birth-date bounds of every group."""


class AnnounceForm(BoundsForm):
    """The announcement: posts, conditions, pay, exit rules, procedure, where to complain."""

    posts = _text(_("岗位（每行：岗位|村或社区|人数|月补贴元|职责）"), rows=8, most=40_000)
    conditions = _text(_("申请条件"))
    groups = forms.MultipleChoiceField(
        label=_("人员类别"),
        choices=list(rules.GROUPS.items()),
        widget=forms.CheckboxSelectMultiple,
    )
    exclusions = forms.MultipleChoiceField(
        label=_("不得申请的情形"),
        choices=list(rules.EXCLUSIONS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    exit_rules = _text(_("退出规定"))
    steps = _text(_("招聘程序"))
    complaint_line = forms.CharField(label=_("监督举报电话"), max_length=40)
    channels = forms.MultipleChoiceField(
        label=_("发布渠道"),
        choices=[
            ("web", _("网站")),
            ("wechat", _("微信")),
            ("radio", _("广播")),
            ("board", _("公告栏")),
        ],
        widget=forms.CheckboxSelectMultiple,
    )

    field_order = ("posts", "conditions", "groups")

    def clean_posts(self) -> list[str]:
        """Each line is a post; none twice in one village."""
        lines = [line.strip() for line in self.cleaned_data["posts"].splitlines() if line.strip()]
        self.parsed: list[dict[str, Any]] = []
        for line in lines:
            parts = [part.strip() for part in line.replace("｜", "|").split("|")]
            whole = all(part.isdecimal() and len(part) < 10 for part in parts[2:4])
            if len(parts) != 5 or not all(parts) or not whole:
                raise forms.ValidationError(_("岗位填写有误：%(line)s") % {"line": line})
            title, village, places, pay, duties = parts
            if not 1 <= int(places) <= 500 or int(pay) > 100_000:
                raise forms.ValidationError(_("人数或者补贴有误：%(line)s") % {"line": line})
            if max(len(title), len(village)) > 40 or len(duties) > 300:
                raise forms.ValidationError(_("岗位填写过长：%(line)s") % {"line": line})
            self.parsed.append(
                {
                    "title": title,
                    "village": village,
                    "places": int(places),
                    "pay_yuan": int(pay),
                    "duties": duties,
                }
            )
        if len({(post["title"], post["village"]) for post in self.parsed}) < len(self.parsed):
            raise forms.ValidationError(_("同一村的同一岗位只填一行。"))
        return lines

    def table(self) -> dict[str, list[str | None]]:
        """The groups of the call with their birth-date bounds, as JSON holds them."""
        data = self.cleaned_data
        found: dict[str, list[str | None]] = {}
        for code in data["groups"]:
            ends = [data.get(f"born_{end}_{code}") for end in ("from", "until")]
            found[code] = [day.isoformat() if day else None for day in ends]
        return found

    def clean(self) -> dict[str, Any]:
        """Bounds are in order."""
        data: dict[str, Any] = super().clean() or {}
        for code in rules.GROUPS:
            low, high = data.get(f"born_from_{code}"), data.get(f"born_until_{code}")
            if low and high and high < low:
                self.add_error(f"born_until_{code}", _("结束日期不能早于开始日期。"))
        return data


class ApplicationForm(ActForm):
    """An application: by the applicant, or typed in by the village from the signed form."""

    post = forms.ModelChoiceField(label=_("申请岗位"), queryset=Post.objects.none())
    name = forms.CharField(label=_("姓名"), max_length=40)
    identity = forms.CharField(label=_("身份证号（只用于核对，不保存）"), max_length=18)
    born = _day(_("出生日期"))
    village = forms.CharField(label=_("所在村（社区）"), max_length=40)
    contact = forms.CharField(label=_("联系电话"), max_length=20)
    group = forms.ChoiceField(label=_("人员类别（不公开）"), choices=list(rules.GROUPS.items()))
    facts = forms.MultipleChoiceField(
        label=_("本人有下列情形"),
        choices=list(rules.EXCLUSIONS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    household = forms.CharField(
        label=_("户口簿上的家庭成员姓名（用空格隔开，供评议回避）"), max_length=300, required=False
    )
    papers = UploadField(label=_("身份证、户口簿、申请表"), most=9)
    pledge = forms.BooleanField(label=_("承诺所填内容真实"))
    insist = forms.BooleanField(label=_("我已看到上述情况，仍然提交申请"), required=False)

    def setup(self) -> None:
        """The posts of the call, village by village; and nothing to insist on yet."""
        field: Any = self.fields["post"]
        field.queryset = Post.objects.filter(case=self.act.case)
        villages: dict[str, list[tuple[Any, str]]] = {}
        for post in field.queryset:
            villages.setdefault(post.village, []).append((post.pk, post.title))
        field.choices = [("", _("请选择")), *villages.items()]
        self.insisting = self.fields.pop("insist")

    def clean_household(self) -> list[str]:
        """The names, apart."""
        text = self.cleaned_data["household"].replace("、", " ").replace("，", " ")
        return text.replace(",", " ").split()

    def clean(self) -> dict[str, Any]:
        """The identity number is sound and fits the birth date."""
        data: dict[str, Any] = super().clean() or {}
        identity = str(data.get("identity", "")).strip().upper()
        if data.get("born") and identity and not rules.identity_fits(identity, data["born"]):
            self.add_error("identity", _("身份证号有误，或者与出生日期不符。"))
        data["identity"] = identity
        if data.get("born") and data.get("group") and not self.data.get("insist"):
            self._warn(data)
        return data

    def _warn(self, data: dict[str, Any]) -> None:
        """Tell before it is sent why it would be refused; the check decides, so one may insist."""
        call = Call.objects.get(case=self.act.case)
        against = call.against(
            group=data["group"], born=data["born"], facts=data.get("facts") or []
        )
        if against:
            reasons = str(_("、")).join(str(rules.REASONS[code]) for code in against)
            self.fields["insist"] = self.insisting
            self.add_error(
                "insist",
                _("对照公告的条件：%(reasons)s。填错的请改正；没有填错的，也可以勾选后提交。")
                % {"reasons": reasons},
            )


class NumberForm(ActForm):
    """Which applicant, by number."""

    number = forms.IntegerField(label=_("申请编号"), min_value=1, max_value=LARGEST)

    def applicant(self) -> Applicant | None:
        """The applicant of that number in this case."""
        number = self.cleaned_data["number"]
        return Applicant.objects.filter(case=self.act.case, number=number).first()


class RefuseForm(NumberForm):
    """One application refused after looking at its papers."""

    reason = forms.ChoiceField(label=_("理由"), choices=list(rules.REASONS.items()))


class RefusalObjectionForm(NumberForm):
    """Why a refusal is wrong."""

    text = _text(_("异议内容（不公开）"))


class RefusalDecisionForm(NumberForm):
    """Whether an objection to a refusal is right."""

    decision = forms.ChoiceField(
        label=_("核查结论"),
        choices=[("upheld", _("异议成立，通过初审")), ("dismissed", _("异议不成立"))],
        widget=forms.RadioSelect,
    )
    reason = _text(_("理由（告知申请人，不公开）"), most=500)


class InvitationForm(ActForm):
    """The representatives who are invited."""

    names = _text(_("受邀代表（每行一人）"), rows=8, most=8000)

    def clean_names(self) -> list[str]:
        """None twice."""
        names = [" ".join(line.split()) for line in self.cleaned_data["names"].splitlines()]
        names = [name for name in names if name]
        if len(set(names)) != len(names) or any(len(name) > 40 for name in names):
            raise forms.ValidationError(_("代表姓名重复或者过长；同名的请注明。"))
        return names


class MeetingForm(ActForm):
    """Who came, and who declared to be a relative of whom."""

    present = Numbers(label=_("到会代表的序号"), max_length=4000)
    declared = forms.CharField(
        label=_("申明回避（每行：代表序号 申请编号）"),
        required=False,
        max_length=8000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def clean_declared(self) -> list[tuple[int, int]]:
        """Pairs of representative and applicant."""
        found = []
        for line in self.cleaned_data["declared"].splitlines():
            parts = line.replace(",", " ").replace("，", " ").split()
            if not parts:
                continue
            if len(parts) != 2 or not all(p.isascii() and p.isdecimal() for p in parts):
                raise forms.ValidationError(
                    _("请每行填写代表序号和申请编号：%(line)s") % {"line": line}
                )
            found.append((int(parts[0][:10]), int(parts[1][:10])))
        return found


class SheetForm(ActForm):
    """One representative's secret sheet."""

    representative = forms.IntegerField(label=_("代表序号"), min_value=1, max_value=LARGEST)
    points = Pairs(label=_("评分（每行：申请编号 分数，满分100）"), max_length=60_000)


class SourceForm(ActForm):
    """What one source says of those proposed and on reserve."""

    source = forms.ChoiceField(label=_("核查来源"), choices=list(rules.SOURCES.items()))
    found = Numbers(label=_("不符合条件的申请编号（没有则不填）"), max_length=8000, required=False)
    reason = forms.ChoiceField(
        label=_("理由（不公开）"), choices=list(rules.REASONS.items()), required=False
    )
    papers = UploadField(label=_("核查结果"), required=False)

    def clean(self) -> dict[str, Any]:
        """A reason for whoever is found."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("found") and not data.get("reason"):
            self.add_error("reason", _("请选择理由。"))
        return data


class ObjectionForm(ActForm):
    """An objection to a person of the notice, or without a number to the procedure."""

    number = forms.IntegerField(
        label=_("申请编号（对程序有异议的不填）"),
        required=False,
        min_value=1,
        max_value=LARGEST,
    )
    text = _text(_("异议内容（不公开）"))
    papers = UploadField(label=_("证明材料"), required=False)


class ObjectionDecisionForm(ActForm):
    """Whether an objection to a notice is right."""

    objection = forms.IntegerField(label=_("异议编号"), min_value=1, max_value=LARGEST)
    decision = forms.ChoiceField(
        label=_("核查结论"),
        choices=[("upheld", _("异议成立")), ("dismissed", _("异议不成立"))],
        widget=forms.RadioSelect,
    )
    reason = PublicText(label=_("理由（将公开，不写姓名）"), max_length=500)


class TrainingForm(ActForm):
    """Who passed and who did not: attendance and test."""

    results = Pairs(
        label=_("考试成绩（到课人员，每行：申请编号 分数）"), max_length=60_000, required=False
    )
    absent = Numbers(label=_("缺课人员的申请编号"), max_length=8000, required=False)


class OnboardForm(ActForm):
    """Agreements signed: who, from when, and when they reach pension age."""

    number = forms.IntegerField(label=_("申请编号"), min_value=1, max_value=LARGEST)
    starts = _day(_("上岗日期"))
    pension = _day(_("达到退休年龄的日期"))
    agreement = UploadField(label=_("签字的协议"), most=3)

    def clean(self) -> dict[str, Any]:
        """Nobody starts at pension age."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("starts") and data.get("pension") and data["pension"] <= data["starts"]:
            self.add_error("pension", _("已达到退休年龄，不能上岗。"))
        return data


class AssessmentForm(ActForm):
    """One part of a month's assessment, for many holders at once."""

    month = _day(_("考核月份（填当月任一天）"))
    part = forms.ChoiceField(
        label=_("考核部分"),
        choices=[
            ("village", _("村（社区）评分（30分）")),
            ("office", _("街道评分（50分）")),
            ("democratic", _("民主评议评分（20分）")),
        ],
    )
    points = Pairs(label=_("评分（每行：申请编号 分数）"), max_length=60_000)

    def clean_month(self) -> dt.date:
        """Its first day; only a month that is over."""
        month: dt.date = self.cleaned_data["month"].replace(day=1)
        if month >= timezone.localtime(self.act.at).date().replace(day=1):
            raise forms.ValidationError(_("只能登记已经结束的月份。"))
        return month

    def clean(self) -> dict[str, Any]:
        """Within the weight of the part."""
        data: dict[str, Any] = super().clean() or {}
        most = rules.WEIGHTS.get(data.get("part", ""), 0)
        if any(points > most for points in (data.get("points") or {}).values()):
            self.add_error("points", _("分数不能超过%(most)s分。") % {"most": most})
        return data


class ExitForm(NumberForm):
    """Why a holder leaves, and when."""

    cause = forms.ChoiceField(label=_("退出原因"), choices=list(rules.EXITS.items()))
    on = _day(_("退出日期"))
    note = _text(_("情况说明（不公开）"), most=500)
    papers = UploadField(label=_("证明材料"), required=False)

    def setup(self) -> None:
        """Offers the causes that the act is for: who is at fault is heard before."""
        if self.is_bound:  # the door says why not
            return
        heard = self.act.spec.name != "holder.left"
        self.fields["cause"].choices = [  # type: ignore[attr-defined]
            (code, words)
            for code, words in rules.EXITS.items()
            if (code in rules.HEARD_BEFORE) == heard
        ]

    def clean_on(self) -> dt.date:
        """Once somebody has left, and not before."""
        on: dt.date = self.cleaned_data["on"]
        if on > clock.today():
            raise forms.ValidationError(_("日期不能晚于今天；到离岗之日再登记。"))
        return on


class HearingForm(NumberForm):
    """What the holder said to the notice is right."""

    note = _text(_("陈述和核查情况（不公开）"), most=500)


class RenewForm(NumberForm):
    """Another agreement."""

    agreement = UploadField(label=_("签字的协议"), most=3)


class VacancyForm(ActForm):
    """What becomes of a place that fell vacant."""

    post = forms.IntegerField(label=_("岗位序号"), min_value=1, max_value=LARGEST)
    how = forms.ChoiceField(
        label=_("空缺处理"), choices=list(rules.VACANCIES.items()), widget=forms.RadioSelect
    )


class CloseForm(ActForm):
    """Nothing but to confirm."""

    confirm = forms.BooleanField(label=_("确认办结本环节"))


class SupplementCloseForm(CloseForm):
    """The end of the supplement, and what it means for a post that falls vacant."""

    @property
    def advice(self) -> Words:
        """That nobody moves up any more."""
        return _("办结以后，岗位空缺不能再由候补人员依次递补，只能另行招聘。")
