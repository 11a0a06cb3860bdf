"""Acts on the case as a whole: suspension, correction, a late opinion."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from ..acts import CASE, Act, Written, perform
from ..models.case import Case, StepRun
from ..models.download import TrailDownload
from ..models.record import Record
from ..parties import Party, directory
from ..uploads import UploadField
from .act import ActForm, ActSpec, Roles, act, refuse
from .base import Step
from .doors import Doors
from .opinion import Answering, write_opinion
from .opinion_forms import TEXT_MOST, PublicText, ReplyForm, keys_in, says_something
from .opinion_rows import Opinion
from .privacy import Privacy
from .run_terms import term_body
from .walls import Walls


class ReasonForm(ActForm):
    """A reason, which is published."""

    reason = PublicText(label=_("原因（将公开）"), max_length=300, meaning=False)


class SuspensionForm(ReasonForm):
    """A reason; and a word on the child cases, which stand still as well."""

    def setup(self) -> None:
        """Child cases are suspended and resumed with the case."""
        if open_children(self.act.case).exists():
            self.fields["reason"].help_text = _(
                "正在办理的子事项（如各标段）随之中止，恢复时一并恢复。"
            )


class CorrectionForm(ActForm):
    """Which record is wrong, and what is right."""

    seq = forms.IntegerField(label=_("记录序号"), min_value=0)
    text = PublicText(label=_("更正内容（将公开）"), max_length=1000, meaning=False)

    def clean_seq(self) -> int:
        """The record must be one of this case."""
        seq: int = self.cleaned_data["seq"]
        if seq >= self.act.case.length:
            raise forms.ValidationError(_("本事项没有这一序号的记录。"))
        return seq


class LateOpinionForm(ActForm):
    """What somebody has to say after the notice or the consultation that it is about has ended."""

    text = forms.CharField(
        label=_("异议或者意见（不公开原文）"),
        help_text=_("公示或者征求意见已经结束的，作为意见受理，同样会得到答复。"),
        max_length=TEXT_MOST,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    papers = UploadField(label=_("证明材料"), required=False, most=9)

    def clean_text(self) -> str:
        """Words, not signs."""
        text: str = self.cleaned_data["text"]
        if not says_something(text):
            raise forms.ValidationError(_("请用文字写明意见。"))
        return text


SUSPENSIONS = ("case.suspended", "parent.suspended")


def open_children(case: Case) -> QuerySet[Case]:
    """The child cases of a case that have not ended, whichever of its steps opened them."""
    return Case.objects.filter(parent__process=case, finished__isnull=True).order_by("pk")


def _follow(children: QuerySet[Case], name: str, reason: str) -> dict[str, Any]:
    """Do an act at each of the child cases; what the parent's record says of them."""
    numbers = []
    for key, number in list(children.values_list("pk", "number")):
        perform(key, CASE, name, Party.clock(), {"reason": reason})
        numbers.append(number)
    return {"children": numbers} if numbers else {}


ASKING = ("publicity", "consultation")
"""The kinds of steps at which people have their say."""


class CaseActs(Walls, Doors, Privacy, Answering):
    """What may be done to a case whatever step it stands at. Not a node of any graph.

    A late objection becomes an opinion here: who could speak at a notice or a consultation that has
    ended may still hand one in, and those who answered there answer it, even after the case.
    """

    kind = "case"

    def __init__(self) -> None:
        super().__init__(title=_("事项管理"))
        self.app_name = CASE

    def allowed(self, spec: ActSpec, case: Case) -> Roles:
        """Overseers of the procedure; who handles, may speak and answers at its steps; else as
        named."""
        if not isinstance(spec.by, str):
            return tuple(spec.by)
        if spec.by == "handlers":
            by = [role for step in case.declared.steps() for role in step.by]
            return tuple(dict.fromkeys([*by, *directory().typists]))
        if spec.by == "paper":
            return tuple(directory().on_paper)
        asking = [step for step in case.declared.steps() if step.kind in ASKING]
        if spec.by == "overseers":
            stops = spec.name in ("case.suspended", "case.resumed")
            return () if stops and not case.declared.suspendable else case.declared.overseers
        if spec.by == "participants":
            return tuple(dict.fromkeys(role for step in asking for role in step.participants))
        return self.answering(case)

    @staticmethod
    def answering(case: Case) -> Roles:
        """Who answers late opinions."""
        asking = [step for step in case.declared.steps() if step.kind in ASKING]
        return tuple(dict.fromkeys(role for step in asking for role in step.by))

    def fits(self, spec: ActSpec, case: Case) -> bool:
        """Whether an act makes sense for the case now. Not a guard."""
        if spec.name != "opinion.submitted":
            return True
        asking = [step.name for step in case.declared.steps() if step.kind in ASKING]
        return case.runs.filter(name__in=asking, finished__isnull=False).exists()

    @act("opinion.submitted", title=_("补交意见"), by="participants", form=LateOpinionForm)
    def submit(self, doing: Act) -> Written:
        """Hand in what comes too late for its step; it is answered all the same."""
        opinion = write_opinion(doing, text=doing.data["text"], late=True)
        body = {"files": len(doing.files), "late": True}
        return Written(body, {"text": opinion.text}, opinion)

    @act(
        "opinion.replied",
        title=_("答复意见"),
        by="by",
        form=ReplyForm,
        button=False,
        after_close=True,
    )
    def reply_late(self, doing: Act) -> Written:
        """Answer late opinions, also when the case has been closed meanwhile."""
        return self.reply_to(doing)

    def prefill(self, doing: Act, query: Any) -> dict[str, Any]:
        """A reply begins with the chosen opinions and the first one's text, masked."""
        if doing.spec.name == "opinion.replied":
            return self.draft(self.picked(doing.case, query))
        return super().prefill(doing, query)

    def picked(self, case: Case, query: Any) -> list[Opinion]:
        """The late opinions that a page is about, in clear."""
        keys = keys_in(query.getlist("opinions"), 500)
        rows = self.scope(case, None).filter(pk__in=keys, life="submitted")
        return list(rows.select_related("record").prefetch_related("record__files"))

    @act("case.suspended", title=_("中止"), by="overseers", form=SuspensionForm)
    def suspend(self, doing: Act) -> Written:
        """Suspend the case with a published reason; its terms stand still."""
        return Written(self._stand_still(doing))

    @act("case.resumed", title=_("恢复"), by="overseers", form=ReasonForm, while_suspended=True)
    def resume(self, doing: Act) -> Written:
        """Resume the case: each open term runs on for what was left of it."""
        parent = doing.case.parent.process if doing.case.parent else None
        if parent is not None and parent.suspended_at:
            message = _("所属事项（%(number)s）仍在中止，请先恢复所属事项。")
            raise refuse(message % {"number": parent.number}, code="suspended")
        return Written(self._go_on(doing))

    @act("parent.suspended", title=_("随所属事项中止"), by=("clock",), form=ReasonForm, page=False)
    def suspend_with_parent(self, doing: Act) -> Written:
        """The case to which this one belongs is suspended."""
        return Written(self._stand_still(doing))

    @act(
        "parent.resumed",
        title=_("随所属事项恢复"),
        by=("clock",),
        form=ReasonForm,
        while_suspended=True,
        page=False,
    )
    def resume_with_parent(self, doing: Act) -> Written:
        """The case to which this one belongs goes on."""
        return Written(self._go_on(doing))

    def _stand_still(self, doing: Act) -> dict[str, Any]:
        case, reason = doing.case, doing.data["reason"]
        case.suspended_at = doing.at
        case.suspended_reason = reason
        case.save(update_fields=["suspended_at", "suspended_reason"])
        running = open_children(case).filter(suspended_at__isnull=True)
        return {"reason": reason, **_follow(running, "parent.suspended", reason)}

    def _go_on(self, doing: Act) -> dict[str, Any]:
        case, reason = doing.case, doing.data["reason"]
        if case.suspended_at is None:
            raise refuse(_("该事项没有中止。"), code="closed_step")
        moved: list[dict[str, Any]] = []
        for run in StepRun.objects.filter(process=case, finished__isnull=True):
            if not isinstance(run.flow_task, Step):
                continue
            run.process = case
            body = self._run_on(run, case.suspended_at, doing.at)
            body |= run.step.resumed(run, case.suspended_at, doing.at)
            if body:
                moved.append({"step": run.name, **body})
        case.suspended_at = None
        case.suspended_reason = ""
        case.save(update_fields=["suspended_at", "suspended_reason"])
        # A child case that had been suspended for a reason of its own stays so.
        how = Record.objects.filter(case=OuterRef("pk"), act__in=SUSPENSIONS).order_by("-seq")
        waiting = open_children(case).filter(suspended_at__isnull=False)
        with_it = waiting.annotate(how=Subquery(how.values("act")[:1]))
        followed = _follow(with_it.filter(how="parent.suspended"), "parent.resumed", reason)
        return {"reason": reason, "terms": moved, **followed}

    @staticmethod
    def _run_on(run: StepRun, suspended: dt.datetime, resumed: dt.datetime) -> dict[str, Any]:
        """Move the term of a run, unless it had run out before."""
        if run.ends_at is None or run.starts_on is None or run.overdue_at:
            return {}
        if run.ends_at <= suspended:
            return {}
        run.step.shift_term(run, suspended, resumed)
        run.save()
        return term_body(run)

    @act(
        "trail.downloaded",
        title=_("调取完整案卷"),
        by=("auditor",),
        while_suspended=True,
        after_close=True,
        page=False,
    )
    def take_trail(self, doing: Act) -> Written:
        """An auditor takes the full trail, with what is not public; the record says that."""
        taken = TrailDownload(case=doing.case, user_id=doing.party.user_id, full=True, at=doing.at)
        return Written(fact=taken)

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
