"""What a ballot (表决) asks: the call, a vote, a vote to strike, an objection to the count."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import counting, terms
from ..statements import Question, slot, together
from ..uploads import UploadField
from .act import ActForm, Words
from .ballot_rows import CHOICES, MATTERS, BallotQuestion, RollRow, RollWay
from .mandates import RowForm
from .opinion_forms import AnswerForm, Keys, PublicText
from .publicity_rows import DECISIONS

if TYPE_CHECKING:
    from .ballot import Ballot

MOST_QUESTIONS = 10

_WAYS = Question(
    lambda: (
        RollWay.objects.filter(
            run=slot("run", RollWay, "run"), party_key=slot("party_key", RollWay, "party_key")
        )
        .select_related("row")
        .order_by("row")
    )
)
_QUESTIONS = Question(
    lambda: BallotQuestion.objects.filter(run=slot("run", BallotQuestion, "run")).order_by("number")
)


class CallForm(ActForm):
    """What is put to the vote, as what kind of matter and why, and when voting opens."""

    questions = PublicText(
        label=_("表决事项（每行一项）"),
        max_length=3000,
        meaning=False,
        rows=5,
        help_text=_("只能就公告过的事项表决，公告后不能更改。"),
    )
    matter = forms.ChoiceField(
        label=_("事项类别"), choices=list(MATTERS.items()), widget=forms.RadioSelect
    )
    item = forms.ChoiceField(
        label=_("特别事项所属情形"),
        required=False,
        choices=[("", "—"), *counting.SPECIAL_MATTERS.items()],
    )
    reason = PublicText(label=_("归类理由（将公开）"), max_length=500)
    opens_on = forms.DateField(
        label=_("开始投票日期"), widget=forms.DateInput(attrs={"type": "date"})
    )
    papers = UploadField(label=_("表决材料"), public=True, required=False)

    def setup(self) -> None:
        """A procedure may fix the class of the matter; only owners' matters have one."""
        step: Ballot = self.act.open_run.step
        if step.electorate != "owners":
            del self.fields["matter"], self.fields["item"]
        first = terms.meeting_not_before(self.act.at, step.notice)
        self.fields["opens_on"].help_text = _("应提前%(notice)s公告，最早为%(day)s。") % {
            "notice": step.notice,
            "day": first.isoformat(),
        }
        if step.matter is not None and "matter" in self.fields:
            self.fields["matter"].initial = step.matter
            field: Any = self.fields["matter"]
            field.choices = [(step.matter, MATTERS[step.matter])]

    def clean_questions(self) -> list[str]:
        """One to ten, none twice."""
        lines = [" ".join(line.split()) for line in self.cleaned_data["questions"].splitlines()]
        questions = [line for line in lines if line]
        if not questions:
            raise forms.ValidationError(_("请至少填写一项表决事项。"))
        if len(questions) > MOST_QUESTIONS or any(len(text) > 300 for text in questions):
            raise forms.ValidationError(_("最多十项，每项不超过300字。"))
        if len(set(questions)) < len(questions):
            raise forms.ValidationError(_("同一事项不能写两次。"))
        return questions

    def clean_opens_on(self) -> dt.date:
        """Not before the notice has stood."""
        step: Ballot = self.act.open_run.step
        day: dt.date = self.cleaned_data["opens_on"]
        if day < terms.meeting_not_before(self.act.at, step.notice):
            raise forms.ValidationError(_("开始投票的日期过早，公告期不足。"))
        if day > timezone.localtime(self.act.at).date() + dt.timedelta(days=366):
            raise forms.ValidationError(_("开始投票的日期过远。"))
        return day

    def clean(self) -> dict[str, Any]:
        """A special matter names its case of the law."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("matter") == "special" and not data.get("item"):
            self.add_error("item", _("特别事项请选择所属情形。"))
        if data.get("matter") == "ordinary":
            data["item"] = ""
        return data


class ReasonForm(ActForm):
    """A reason, which is published."""

    reason = PublicText(label=_("原因（将公开）"), max_length=500)


class VoteForm(ActForm):
    """A choice for every question; a paper vote also has its number and may have a scan."""

    def setup(self) -> None:
        """One field a question; which head, where the party may vote for several."""
        run, party = self.act.open_run, self.act.party
        ways, questions = together(
            [
                _WAYS.with_values(run=run.pk, party_key=party.key),
                _QUESTIONS.with_values(run=run.pk),
            ]
        )
        if party.via != "online":
            # A paper that was handed out is for one's own vote, by its code and typed in.
            own = run.door_forms.filter(party_key=party.key, withdrawn_at=None)
            if own.exists():
                ways = [way for way in ways if not way.proxy]
        self.ways: dict[int, RollWay] = {way.row_id: way for way in ways}
        self.rows: list[RollRow] = [way.row for way in ways]
        if len(self.rows) > 1:
            self.fields["row"] = forms.ChoiceField(
                label=_("为哪一户投票"),
                choices=[(str(row.pk), row.label) for row in self.rows],
                widget=forms.RadioSelect,
            )
        for question in questions:
            self.fields[f"q{question.number}"] = forms.ChoiceField(
                label=f"{question.number}. {question.text}",
                choices=list(CHOICES.items()),
                widget=forms.RadioSelect,
            )
        if self.act.party.via == "paper":
            self.fields["serial"] = forms.CharField(label=_("表决票编号"), max_length=20)
            self.fields["scan"] = UploadField(label=_("表决票扫描件"), required=False, most=2)

    @property
    def advice(self) -> Words:
        """That a vote may be changed, and whether this one changes one."""
        run = self.act.open_run
        if self.act.party.via == "code":
            return _("每户一票。凭表上的码只能投一次，交之前请核对。")
        standing = [row.papers.filter(standing=True).first() for row in self.rows]
        if any(vote is not None and vote.channel == "paper" for vote in standing):
            return _("您家已经登记了纸质票；要改投，请先到居委会书面申请撤回纸质票。")
        if standing and None not in standing:
            return _("您家已经投过票；再提交一次，就以这一次为准。")
        return (
            _("每户一票。投票结束前可以改投，以最后一次为准。")
            if run.step.electorate == "owners"
            else ""
        )

    @property
    def way(self) -> RollWay | None:
        """By what the party gives the vote, and for which head (its `row`)."""
        if len(self.rows) > 1:
            return self.ways[int(self.cleaned_data["row"])]
        return self.ways[self.rows[0].pk] if self.rows else None


class PaperWithdrawalForm(RowForm):
    """A paper vote that its owner withdraws in writing."""

    letter = UploadField(label=_("书面撤回申请"), most=2)


class StrikeForm(RowForm):
    """A vote that is not valid, and why."""

    reason = PublicText(label=_("原因（将公开）"), max_length=500)


class ResultObjectionForm(ActForm):
    """An objection to the count."""

    text = forms.CharField(
        label=_("异议内容（不公开原文）"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    papers = UploadField(label=_("证明材料"), required=False)


class ResultDecisionForm(AnswerForm):
    """The decision on objections to the count."""

    objections = Keys(label=_("异议"))
    decision = forms.ChoiceField(
        label=_("核查结论"), choices=list(DECISIONS.items()), widget=forms.RadioSelect
    )
    field_order = ["objections", "decision", "public_text", "reason"]
