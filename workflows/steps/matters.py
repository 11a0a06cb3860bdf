"""Acts on the case as a whole: suspension, correction, a late opinion."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ..acts import CASE, Act, Written
from ..models.case import Case, StepRun
from .base import ActForm, ActSpec, Roles, Step, act, refuse, term_body


class ReasonForm(ActForm):
    """A reason, which is published."""

    reason = forms.CharField(
        label=_("原因（将公开）"), max_length=300, widget=forms.Textarea(attrs={"rows": 4})
    )


class CorrectionForm(ActForm):
    """Which record is wrong, and what is right."""

    seq = forms.IntegerField(label=_("记录序号"), min_value=0)
    text = forms.CharField(
        label=_("更正内容（将公开）"), max_length=1000, widget=forms.Textarea(attrs={"rows": 4})
    )

    def clean_seq(self) -> int:
        """The record must be one of this case."""
        seq: int = self.cleaned_data["seq"]
        if seq >= self.act.case.length:
            raise forms.ValidationError(_("本事项没有这一序号的记录。"))
        return seq


class CaseActs(Step):
    """What may be done to a case whatever step it stands at. Not a node of any graph."""

    kind = "case"

    def __init__(self) -> None:
        super().__init__(title=_("事项管理"))
        self.app_name = CASE

    def allowed(self, spec: ActSpec, case: Case) -> Roles:
        """Overseers of the procedure."""
        if spec.by == "overseers":
            return case.declared.overseers
        return super().allowed(spec, case)

    @act("case.suspended", title=_("中止"), by="overseers", form=ReasonForm)
    def suspend(self, doing: Act) -> Written:
        """Suspend the case with a published reason; its terms stand still."""
        case = doing.case
        case.suspended_at = doing.at
        case.suspended_reason = doing.data["reason"]
        case.save(update_fields=["suspended_at", "suspended_reason"])
        return Written({"reason": doing.data["reason"]})

    @act("case.resumed", title=_("恢复"), by="overseers", form=ReasonForm, while_suspended=True)
    def resume(self, doing: Act) -> Written:
        """Resume the case: each open term runs on for what was left of it."""
        case = doing.case
        if case.suspended_at is None:
            raise refuse(_("该事项没有中止。"), code="closed_step")
        moved: list[dict[str, Any]] = []
        for run in StepRun.objects.filter(process=case, finished__isnull=True):
            if run.ends_at is None or run.starts_on is None or run.overdue_at:
                continue
            if run.ends_at <= case.suspended_at:
                continue
            run.step.shift_term(run, case.suspended_at, doing.at)
            run.save()
            moved.append({"step": run.name, **term_body(run)})
        case.suspended_at = None
        case.suspended_reason = ""
        case.save(update_fields=["suspended_at", "suspended_reason"])
        return Written({"reason": doing.data["reason"], "terms": moved})

    @act(
        "record.corrected",
        title=_("更正记录"),
        by="overseers",
        form=CorrectionForm,
        after_close=True,
    )
    def correct(self, doing: Act) -> Written:
        """Say publicly that a record is wrong and what is right; the record itself stays."""
        seq = doing.data["seq"]
        return Written({"seq": seq, "text": doing.data["text"]}, corrects=seq)
