"""What a consultation (征求意见) asks: opinions, the form of a household, visits, contentment."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from ..parties import Member, directory
from ..uploads import UploadField
from .act import ActForm, Words
from .consultation_rows import SATISFACTION
from .opinion_forms import TEXT_MOST, PublicText
from .opinion_rows import STANCES

if TYPE_CHECKING:
    from .consultation import Consultation

VISITS: dict[str, Words] = {
    "returned": _("已交回"),
    "refused": _("拒绝填写"),
    "not_met": _("未遇"),
}


class OpinionForm(ActForm):
    """An opinion: an item of the menu with yes or no, or free words, or both, with photos."""

    item = forms.ChoiceField(label=_("改造项目"), required=False)
    stance = forms.ChoiceField(
        label=_("态度"), choices=list(STANCES.items()), required=False, widget=forms.RadioSelect
    )
    text = forms.CharField(
        label=_("意见或建议（不公开原文）"),
        max_length=TEXT_MOST,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    photos = UploadField(label=_("照片"), required=False, most=6)

    @property
    def advice(self) -> Words:
        """That there will be an answer, and what is published."""
        said = _(
            "每条意见都会得到答复，并说明理由。公开的只是隐去个人信息后的内容，不写您的姓名和室号。"
        )
        if "item" not in self.fields:
            return said
        either = _("写下意见，或者选择项目并表明需要或者不需要，两样有一样就行。")
        return format_lazy("{}{}", either, said)

    def setup(self) -> None:
        """The menu of the step, grouped by class."""
        step: Consultation = self.act.open_run.step
        if not step.items:
            del self.fields["item"], self.fields["stance"]
            self.fields["text"].required = True
            return
        groups: dict[str, list[tuple[str, Words]]] = {}
        for item in step.items.values():
            groups.setdefault(str(item.grade_title), []).append((item.code, item.title))
        field: Any = self.fields["item"]
        field.choices = [("", _("其他（请在下方写明）")), *groups.items()]

    def clean(self) -> dict[str, Any]:
        """Words are needed unless an item and yes or no say it all."""
        data: dict[str, Any] = super().clean() or {}
        text, item, stance = (data.get(name) or "" for name in ("text", "item", "stance"))
        if self.errors:
            return data
        if not item and stance in ("want", "not_want"):
            self.add_error("item", _("请选择所指的改造项目。"))
        elif not text and not (item and stance in ("want", "not_want")):
            self.add_error("text", _("请写明意见，或者选择项目并表明需要或不需要。"))
        elif text and not any(sign.isalnum() for sign in text):
            self.add_error("text", _("请用文字写明意见。"))
        return {**data, "item": item, "stance": stance or ("other" if item else "")}


class ReturnedForm(ActForm):
    """The whole form of a household (意见征求表): yes or no on each item, and free words."""

    words: ClassVar[dict[str, Words]] = {}

    @property
    def advice(self) -> Words:
        """That there will be an answer, and that nothing need be ticked."""
        return _("没有意见的项目可以不选。每条意见都会得到答复；公开时不写姓名和室号。")

    def setup(self) -> None:
        """A field an item, then free words."""
        step: Consultation = self.act.open_run.step
        choices = [(code, title) for code, title in STANCES.items() if code != "other"]
        for item in step.items.values():
            self.fields[f"item_{item.code}"] = forms.ChoiceField(
                label=item.title, choices=choices, required=False, widget=forms.RadioSelect
            )
        self.fields["text"] = forms.CharField(
            label=_("其他意见或建议（不公开原文）"),
            max_length=TEXT_MOST,
            required=False,
            widget=forms.Textarea(attrs={"rows": 4}),
        )

    def clean_text(self) -> str:
        """Words, not signs."""
        text: str = self.cleaned_data["text"]
        if text and not any(sign.isalnum() for sign in text):
            raise forms.ValidationError(_("请用文字写明意见。"))
        return text


class VisitForm(ActForm):
    """One visit to one household."""

    household = forms.CharField(
        label=_("住户"),
        max_length=80,
        help_text=_("按名册填写，例如 3号楼2单元501室。"),
        widget=forms.TextInput(attrs={"list": "residents", "autocomplete": "off"}),
    )
    result = forms.ChoiceField(
        label=_("走访结果"), choices=list(VISITS.items()), widget=forms.RadioSelect
    )
    on = forms.DateField(label=_("走访日期"), widget=forms.DateInput(attrs={"type": "date"}))
    paper = UploadField(label=_("交回的表格"), required=False, most=4)

    member: Member

    def clean_household(self) -> str:
        """One of the households here."""
        given: str = self.cleaned_data["household"]
        wanted = "".join(given.split())
        for member in directory().members("households", self.act.case.community):
            if wanted in (member.key, "".join(member.label.split())):
                self.member = member
                return member.key
        raise forms.ValidationError(_("该住户不在本小区名册中。"))

    def clean_on(self) -> dt.date:
        """Not before the step opened, not after today."""
        on: dt.date = self.cleaned_data["on"]
        opened = self.act.open_run.started
        if on > timezone.localdate(self.act.at):
            raise forms.ValidationError(_("走访日期不能晚于今天。"))
        if opened is not None and on < timezone.localdate(opened):
            raise forms.ValidationError(_("走访日期不能早于征求意见开始之日。"))
        return on


class SurveyForm(ActForm):
    """How satisfied the household is."""

    answer = forms.ChoiceField(
        label=_("您对改造结果是否满意"),
        choices=list(SATISFACTION.items()),
        widget=forms.RadioSelect,
    )

    @property
    def advice(self) -> Words:
        """That nobody sees who said what."""
        return _("不记名统计。不满意的地方，可以另外提交意见，会得到答复。")


class CloseForm(ActForm):
    """Why the office closes the consultation."""

    reason = PublicText(label=_("说明（将公开）"), max_length=500)
