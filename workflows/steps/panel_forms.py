"""What a seat of a panel answers: signature with points, recusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from ..uploads import UploadField
from .act import ActForm
from .opinion_forms import PublicText

if TYPE_CHECKING:
    from .panel import Panel


class SignatureForm(ActForm):
    """Decision, points for every criterion, and notes on what failed; all of it is published.

    The fields are those of the panel: ``seat`` (where the party's role has several), ``decision``,
    ``score_<criterion>``, ``failed_<criterion>``, ``reason``, ``remarks``, ``papers``.
    """

    conditional = frozenset({"reason"})
    decision = forms.ChoiceField(label=_("意见"), widget=forms.RadioSelect)
    reason = PublicText(
        label=_("理由（不同意、退回或者不合格时必填，将公开）"), max_length=1000, required=False
    )
    remarks = PublicText(
        label=_("备注（将公开）"), max_length=1000, required=False, meaning=False, rows=2
    )
    papers = UploadField(label=_("签字页或审查材料"), required=False, public=True, most=5)

    @property
    def panel(self) -> Panel:
        """The panel that the form is for."""
        return cast("Panel", self.act.open_run.step)

    def setup(self) -> None:
        """A choice of decision, of the seat, and a line for every criterion."""
        self.fields["decision"].choices = list(self.panel.decisions.items())  # type: ignore[attr-defined]
        seats = self.panel.seats_for(self.act.party)
        if self.act.spec.name == "panel.signed" and len(seats) > 1:
            choices = [(seat.code, seat.title) for seat in seats]
            self.fields["seat"] = forms.ChoiceField(label=_("席位"), choices=choices)
        for line in self.panel.sheet:
            label = _("%(title)s（0至%(max)s分）") % {"title": line.title, "max": line.max}
            self.fields[f"score_{line.code}"] = forms.IntegerField(
                label=label, min_value=0, max_value=line.max
            )
        for line in self.panel.sheet if self.panel.every_must_pass else ():
            label = _("%(title)s的不合格情况（合格不填）") % {"title": line.title}
            self.fields[f"failed_{line.code}"] = PublicText(
                label=label, max_length=200, required=False, rows=2
            )
        self.order_fields(
            [
                "why",
                "seat",
                *(n for n in self.fields if n[:6] == "score_"),
                "decision",
                *(n for n in self.fields if n[:7] == "failed_"),
            ]
        )

    def clean(self) -> dict[str, Any]:
        """A reason unless it is approved; nothing can be approved with something that failed."""
        data: dict[str, Any] = super().clean() or {}
        decision = data.get("decision")
        failed = any(data.get(name) for name in self.fields if name[:7] == "failed_")
        if decision == "approve" and failed:
            self.add_error(
                "decision",
                _("已填写不合格情况，不能同时选择“%(approve)s”。")
                % {"approve": self.panel.decisions["approve"]},
            )
        if (
            decision
            and decision != "approve"
            and not data.get("reason")
            and "reason" not in self.errors
        ):
            self.add_error("reason", _("请写明理由。"))
        return data

    def scores(self) -> dict[str, int]:
        """Points by criterion."""
        return {line.code: self.cleaned_data[f"score_{line.code}"] for line in self.panel.sheet}

    def failed(self) -> dict[str, str]:
        """Notes by criterion that failed."""
        data = self.cleaned_data
        return {
            name[7:]: data[name] for name in self.fields if name[:7] == "failed_" and data[name]
        }


class CorrectedSignatureForm(SignatureForm):
    """A signature given anew, with why."""

    why = PublicText(label=_("更正原因（将公开）"), max_length=300, rows=2)


class RecusalForm(ActForm):
    """Why one stands back; and from which seat, where one's role has several."""

    reason = PublicText(label=_("回避理由（将公开，不写姓名）"), max_length=300)

    def setup(self) -> None:
        """A choice of the seat."""
        seats = cast("Panel", self.act.open_run.step).seats_for(self.act.party)
        if len(seats) > 1:
            choices = [(seat.code, seat.title) for seat in seats]
            self.fields["seat"] = forms.ChoiceField(label=_("席位"), choices=choices)
