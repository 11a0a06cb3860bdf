"""What a publicity (公示) asks: where it hangs, an objection, the decision on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ..uploads import UploadField
from .act import ActForm, Words
from .opinion_forms import (
    LARGEST,
    TEXT_MOST,
    AnswerForm,
    Keys,
    PublicText,
    own_row,
    taken_back,
)
from .publicity_rows import DECISIONS, GROUNDS, Objection

if TYPE_CHECKING:
    from .publicity import Publicity


class PostingForm(ActForm):
    """Where the notice was put up, with one photo for each place, in the same order."""

    places = forms.MultipleChoiceField(label=_("张贴地点"), widget=forms.CheckboxSelectMultiple)
    photos = UploadField(
        label=_("张贴照片"),
        help_text=_("每处一张，顺序与地点一致。"),
        most=40,
        public=True,
        pictures_only=True,
    )

    def setup(self) -> None:
        """The places of the run, in walking order."""
        step: Publicity = self.act.open_run.step
        self.rows = {row.place: row for row in step.places(self.act.open_run)}
        field: Any = self.fields["places"]
        hung = _("%(place)s（已张贴）")
        field.choices = [
            (row.place, hung % {"place": row.label} if row.posted_at else row.label)
            for row in sorted(self.rows.values(), key=lambda row: row.posted_at is not None)
        ]

    def clean(self) -> dict[str, Any]:
        """As many photos as places."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        data["places"] = list(dict.fromkeys(data["places"]))
        if len(data["photos"]) != len(data["places"]):
            self.add_error("photos", _("每处张贴地点须有一张照片，照片数与地点数应当一致。"))
        return data


class ObjectionForm(ActForm):
    """An objection. Who raises it is known to the office and to nobody else."""

    ground = forms.ChoiceField(label=_("理由类别"), choices=list(GROUNDS.items()))
    text = forms.CharField(
        label=_("异议内容（不公开原文）"),
        max_length=TEXT_MOST,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    papers = UploadField(label=_("证明材料"), required=False, most=9)
    as_opinion = forms.BooleanField(label=_("公示期已过的，作为意见提交"), required=False)

    @property
    def advice(self) -> Words:
        """What to write, and what becomes of it."""
        return _(
            "请写明哪一处、为什么有异议。办理方核查后会作出决定并说明理由；不公开您的姓名和室号。"
        )

    def setup(self) -> None:
        """Handing it in as an opinion is for those who come too late."""
        run = self.act.open_run
        if run.ends_at is None or self.act.at < run.ends_at:
            del self.fields["as_opinion"]

    def clean_text(self) -> str:
        """Words, not signs."""
        text: str = self.cleaned_data["text"]
        if not any(sign.isalnum() for sign in text):
            raise forms.ValidationError(_("请用文字写明异议。"))
        return text


class DecisionForm(AnswerForm):
    """The decision on one objection, or on several that are alike."""

    objections = Keys(label=_("异议"))
    decision = forms.ChoiceField(
        label=_("核查结论"), choices=list(DECISIONS.items()), widget=forms.RadioSelect
    )
    field_order = ["objections", "decision", "public_text", "reason"]


class ObjectionWithdrawalForm(ActForm):
    """Which of one's own is taken back."""

    objection = forms.IntegerField(
        label=_("异议"), min_value=1, max_value=LARGEST, widget=forms.HiddenInput
    )

    @property
    def advice(self) -> Words:
        """The objection in its author's own words, and what taking it back means."""
        own = Objection.objects.filter(case=self.act.case, party_key=self.act.party.key)
        objection = own_row(own.filter(life="raised"), self["objection"].value())
        return taken_back(objection.text) if objection else ""


class StopForm(ActForm):
    """Why the notice is taken down before its term."""

    reason = PublicText(label=_("原因（将公开）"), max_length=500)
