"""What follows the count of a ballot: objections to it, and its confirmation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from .. import terms
from ..acts import Act, Written
from ..models.case import StepRun
from .act import ActSpec, act, refuse
from .ballot_count import tally_card
from .ballot_forms import ReasonForm, ResultDecisionForm, ResultObjectionForm
from .ballot_rows import CONFIRM, PRELIMINARY, ResultObjection, require_phase
from .base import Step, counted_by_run
from .opinion import reply_body, wording
from .opinion_forms import keys_in
from .opinion_rows import Reply, fingerprint
from .run_terms import term_body


class Counted(Step):
    """A step whose count stands open to objections before it is confirmed; `ballot.Ballot`."""

    confirm_within: terms.AnyTerm

    @act(
        "result.objected",
        title=_("对计票结果提出异议"),
        by="participants",
        form=ResultObjectionForm,
        in_term=True,
    )
    def object_to_result(self, doing: Act) -> Written:
        """Object to the preliminary count."""
        run, text = doing.open_run, doing.data["text"]
        require_phase(run, PRELIMINARY)
        mark = fingerprint(doing.case, text)
        mine = ResultObjection.objects.filter(run=run, party_key=doing.party.key)
        if mine.filter(fingerprint=mark).exists():
            raise refuse(_("同样的异议已经提出过，无需重复提交。"), code="duplicate")
        objection = ResultObjection.objects.create(
            case=doing.case,
            run=run,
            party_key=doing.party.key,
            text=text,
            channel=doing.party.via,
            fingerprint=mark,
            created=doing.at,
        )
        return Written({"files": len(doing.files)}, {"text": text}, objection)

    @act(
        "result.objection_decided",
        title=_("核查计票异议"),
        by="by",
        form=ResultDecisionForm,
        button=False,
    )
    def decide_objection(self, doing: Act) -> Written:
        """Decide objections to the count; an invalid vote is struck by its own act."""
        run, keys, decision = doing.open_run, doing.data["objections"], doing.data["decision"]
        require_phase(run, PRELIMINARY, CONFIRM)
        rows = list(
            ResultObjection.objects.filter(run=run, pk__in=keys, life="raised").select_related(
                "record"
            )
        )
        if len(rows) != len(keys):
            raise refuse(_("所选异议不属于本环节或者已经核查，请刷新后重试。"), field="objections")
        doing.form.check_public(rows)
        reply = Reply.objects.create(
            run=run,
            case=doing.case,
            outcome=decision,
            reason=doing.data["reason"],
            public_text=doing.data["public_text"],
            at=doing.at,
            first_at=doing.at,
        )
        for row in rows:
            (row.uphold if decision == "upheld" else row.dismiss)()
        ResultObjection.objects.filter(pk__in=keys).update(life=decision, reply=reply)
        body = reply_body(reply, rows, "objections")
        over = run.phase == PRELIMINARY and run.term_over(doing.at)
        if over and not self.undecided(run).exists():
            run.phase = CONFIRM
            self.start_term(run, self.confirm_within, doing.at)
            run.save()
            body |= {"phase": CONFIRM, **term_body(run)}
        return Written(body, fact=reply)

    @act("result.confirmed", title=_("确认并公布结果"), by="by", form=ReasonForm)
    def confirm(self, doing: Act) -> Written:
        """Confirm the count; the first question decides where the case goes."""
        run = doing.open_run
        require_phase(run, CONFIRM)
        if self.undecided(run).exists():
            raise refuse(_("还有计票异议没有核查，不能确认结果。"), code="unmet")
        questions = list(run.questions.all())
        outcome = questions[0].tally["outcome"]
        if outcome == "no_quorum" and "no_quorum" not in self.outcomes_to:
            outcome = "lost"
        body = {
            "reason": doing.data["reason"],
            "tallies": [question.tally for question in questions],
        }
        return Written(body, outcome=outcome)

    def undecided(self, run: StepRun) -> QuerySet[ResultObjection]:
        """Objections to the count that wait for a decision."""
        return ResultObjection.objects.filter(run=run, life="raised")

    def grounds(self, run: StepRun) -> list[str]:
        """The lines of the count that were not met."""
        lines = []
        for question in run.questions.all():
            for row in tally_card(question)["rows"] if question.tally else ():
                if not row["met"]:
                    said = {"name": row["label"], "value": f"{row['value']}。{row['needed']}"}
                    lines.append(str(_("%(name)s：%(value)s") % said))
        return lines

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """Objections to the count by state."""
        lives = counted_by_run(ResultObjection.objects.filter(run__in=runs), "life")
        return {run.pk: lives.get(run.pk, {}) for run in runs}

    def prefill(self, doing: Act, query: Any) -> dict[str, Any]:
        """A decision begins with the chosen objections and the first one's text, masked."""
        if doing.spec.name != "result.objection_decided":
            return super().prefill(doing, query)
        picked = self._chosen(doing.run, query)
        return {"objections": [row.pk for row in picked], "public_text": wording(picked)}

    def _chosen(self, run: StepRun | None, query: Any) -> list[ResultObjection]:
        keys = keys_in(query.getlist("objections"), 100)
        rows = self.undecided(run) if run else ResultObjection.objects.none()
        found = rows.filter(pk__in=keys).select_related("record", "case__community")
        return list(found.prefetch_related("record__files"))

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """What is being voted on, or the objections to decide."""
        if spec.name == "result.objection_decided":
            return {"opinions": self._chosen(run, query)}
        return {}
