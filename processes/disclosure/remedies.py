"""Reconsiderations and lawsuits about a reply: articles 50 (3) and 51."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from workflows.acts import Act, Written
from workflows.models import Case
from workflows.steps import matters
from workflows.steps.act import ActForm, ActSpec, Words, act

from .models import Decision, Remedy

KINDS: dict[str, Words] = {
    "reconsideration": _("行政复议"),
    "suit": _("未经复议直接起诉"),
    "suit_after": _("复议后起诉"),
}
RESULTS: dict[str, Words] = {
    "kept": _("结果维持"),
    "corrected": _("结果纠正"),
    "other_result": _("其他结果"),
    "pending": _("尚未审结"),
}


class RemedyForm(ActForm):
    """Which remedy was sought, and how it stands."""

    kind = forms.ChoiceField(
        label=_("救济途径"), choices=list(KINDS.items()), widget=forms.RadioSelect
    )
    result = forms.ChoiceField(
        label=_("结果"), choices=list(RESULTS.items()), widget=forms.RadioSelect
    )
    on = forms.DateField(
        label=_("收到受理或者裁决文书的日期"), widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean_on(self) -> dt.date:
        """Not in the future."""
        on: dt.date = self.cleaned_data["on"]
        if on > timezone.localtime(self.act.at).date():
            raise forms.ValidationError(_("日期不能晚于今天。"))
        return on


class CaseActs(matters.CaseActs):
    """What is done to an application as a whole: also its remedies, after it has been answered."""

    @property
    def codes(self) -> dict[str, Words]:
        """Kinds and results of remedies."""
        return {**KINDS, **RESULTS}

    def fits(self, spec: ActSpec, case: Case) -> bool:
        """A remedy is against a reply."""
        if spec.name == "remedy.entered":
            return Decision.objects.filter(case=case).exclude(number="").exists()
        return super().fits(spec, case)

    @act(
        "remedy.entered",
        title=_("登记复议、诉讼"),
        by=("office",),
        form=RemedyForm,
        after_close=True,
        optional=True,
    )
    def enter_remedy(self, doing: Act) -> Written:
        """Note a reconsideration or a suit, or what came of one that was noted before."""
        data: dict[str, Any] = doing.data
        row = Remedy.objects.filter(case=doing.case, kind=data["kind"]).first()
        if row is None:
            row = Remedy(case=doing.case, kind=data["kind"], result=data["result"], on=data["on"])
        else:
            row.result, row.on = data["result"], data["on"]
            row.save(update_fields=["result", "on"])
        body = {"kind": row.kind, "result": row.result, "on": row.on.isoformat()}
        return Written(body, fact=row)
