"""Selection (评议、评选): people put themselves forward, judges mark them, the best are chosen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.db import models
from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from .. import clock, terms
from ..acts import Act, Written
from ..doors import Kind
from ..models.case import StepRun
from ..models.record import Record
from ..parties import directory
from .act import ActForm, ActSpec, Roles, Words, act, refuse
from .base import NOTHING, Step, counted_by_run
from .opinion_forms import PublicText
from .run_terms import term_body


class Candidate(models.Model):
    """Someone who put themselves forward (报名人). Changes only through `acts.perform`.

    `number` is the order of enrolment and the public name; `name` and `statement` are private and
    are emptied when the person's data are erased. Life: enrolled → withdrawn by the person, refused
    with a reason, or, when the selection is decided, chosen, reserve or not chosen.
    """

    personal: ClassVar[dict[str, Any]] = {"name": "", "statement": ""}

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="candidates")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    number = models.PositiveIntegerField(_("报名号"))
    party_key = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    name = models.CharField(_("姓名"), max_length=40, blank=True)
    statement = models.TextField(_("自荐说明"), blank=True)
    channel = models.CharField(_("渠道"), max_length=10, default="online")
    life = FSMField(_("状态"), default="enrolled", protected=True)
    refusal = models.CharField(_("不予通过的理由"), max_length=1000, blank=True)
    created = models.DateTimeField(_("报名时间"))
    points = models.PositiveIntegerField(_("总分"), default=0)
    marked = models.PositiveIntegerField(_("评分人数"), default=0)
    rank = models.PositiveIntegerField(_("名次"), null=True)
    tied = models.BooleanField(_("同分"), default=False)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_candidate_a_number"),
            models.UniqueConstraint(
                fields=["run", "party_key"],
                condition=~Q(life="withdrawn"),
                name="one_candidacy_a_party",
            ),
            models.UniqueConstraint(
                fields=["run", "rank"], condition=Q(rank__isnull=False), name="one_candidate_a_rank"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["run", "life", "rank"], name="candidate_by_life")]

    def __str__(self) -> str:
        return f"candidate {self.number} of run {self.run_id}"

    @transition(field=life, source="enrolled", target="withdrawn")
    def withdraw(self) -> None:
        """The person no longer stands."""

    @transition(field=life, source="enrolled", target="refused")
    def refuse(self) -> None:
        """The person does not fulfil the conditions; `refusal` says which."""

    @transition(field=life, source="enrolled", target="chosen")
    def choose(self) -> None:
        """The person has a place."""

    @transition(field=life, source="enrolled", target="reserve")
    def hold(self) -> None:
        """The person moves up when a place falls free."""

    @transition(field=life, source="enrolled", target="not_chosen")
    def pass_over(self) -> None:
        """Others had more points."""


class Mark(models.Model):
    """What one judge gave one candidate (评分). Changes only through `acts.perform`.

    The last one before the end counts. Life: given (again and again), or recused when the judge is
    related to the candidate; then it never counts.
    """

    kept_while_open: ClassVar = True

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="marks")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    candidate = models.ForeignKey(Candidate, on_delete=models.PROTECT, related_name="marks")
    party_key = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    points = models.PositiveSmallIntegerField(_("得分"), null=True)
    life = FSMField(_("状态"), default="given", protected=True)
    at = models.DateTimeField(_("评分时间"))

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["candidate", "party_key"], name="one_mark_a_judge"),
            models.CheckConstraint(
                condition=Q(life="given", points__isnull=False, points__lte=100)
                | Q(life="recused", points__isnull=True),
                name="mark_given_or_recused",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["run", "life"], name="mark_by_life")]

    def __str__(self) -> str:
        return f"mark of candidate {self.candidate_id}"

    @transition(field=life, source="given", target="given")
    def give(self) -> None:
        """The judge has marked, or marked anew."""

    @transition(field=life, source="given", target="recused")
    def recuse(self) -> None:
        """The judge stands back from this candidate."""


ENROL, MARK = "enrol", "mark"
PHASES: dict[str, Words] = {ENROL: _("报名"), MARK: _("评议")}
LIVES: dict[str, Words] = {
    "enrolled": _("已报名"),
    "withdrawn": _("已退出"),
    "refused": _("不符合条件"),
    "chosen": _("入选"),
    "reserve": _("候补"),
    "not_chosen": _("未入选"),
}

# --- forms -------------------------------------------------------------------------------------


class EnrolForm(ActForm):
    """Who puts themselves forward, with consent to be judged."""

    name = forms.CharField(label=_("姓名（不公开）"), max_length=40)
    statement = forms.CharField(
        label=_("自荐说明（不公开）"), max_length=2000, widget=forms.Textarea(attrs={"rows": 5})
    )
    consent = forms.BooleanField(label=_("本人同意参加评议，并同意公布报名号和评议结果"))


class CandidateForm(ActForm):
    """One of those who have enrolled."""

    candidate = forms.ModelChoiceField(label=_("报名人"), queryset=Candidate.objects.none())

    def setup(self) -> None:
        """Those who still stand."""
        found = Candidate.objects.filter(run=self.act.run, life="enrolled")
        self.fields["candidate"].queryset = found  # type: ignore[attr-defined]
        self.fields["candidate"].label_from_instance = _candidate_words  # type: ignore[attr-defined]


class RefusalForm(CandidateForm):
    """Why someone does not fulfil the conditions."""

    reason = PublicText(label=_("理由（将公开，不写姓名）"), max_length=1000)


class MarkForm(CandidateForm):
    """Points for one candidate."""

    points = forms.IntegerField(label=_("评分（0至100）"), min_value=0, max_value=100)


class ReasonForm(ActForm):
    """A reason, which is published."""

    reason = PublicText(label=_("说明（将公开）"), max_length=500)


def _candidate_words(candidate: Candidate) -> str:
    """For those who handle the step: number and name."""
    return f"{candidate.number} {candidate.name}"


# --- the node ----------------------------------------------------------------------------------


class Selection(Step):
    """People enrol, `judges` mark them from 0 to 100, the best by mean are chosen.

    `places` is the least and the most to be chosen; `reserve` stand by after them. Of the same
    mean the one who enrolled earlier comes first. With too few candidates enrolment runs again,
    unless the procedure leads ``too_few`` somewhere. With `appoints` those chosen have that role in
    the community from then on; who enrolled on paper has no account to hold it.
    """

    kind = "selection"
    explained = _("报名后公开评议选定。")
    outcomes: ClassVar[dict[str, Words]] = {"chosen": _("已选定"), "too_few": _("人数不足")}
    optional_outcomes = frozenset({"too_few"})

    def __init__(
        self,
        *,
        title: Words,
        places: tuple[int, int],
        judges: Iterable[str],
        enrol_term: terms.AnyTerm,
        reserve: int = 0,
        appoints: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(title=title, **kwargs)
        self.places = places
        self.judges: Roles = tuple(judges)
        self.enrol_term = enrol_term
        self.reserve = reserve
        self.appoints = appoints

    def faults(self) -> Iterator[str]:
        """Also: nobody judges, no term, places that make no sense."""
        yield from super().faults()
        if not self.judges or self.term is None:
            yield "nobody judges, or no term to judge in"
        if not 1 <= self.places[0] <= self.places[1]:
            yield "places are not least and most"

    def begin(self, run: StepRun, now: dt.datetime) -> None:
        """It begins with enrolment."""
        run.phase = ENROL
        super().begin(run, now)

    def term_in(self, case: Any, at: dt.datetime | None = None) -> terms.AnyTerm | None:
        """The enrolment term first; the judging term begins with its phase."""
        return self.enrol_term

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """Those who put themselves forward, by life."""
        lives = counted_by_run(Candidate.objects.filter(run__in=runs), "life")
        return {run.pk: lives.get(run.pk, {}) for run in runs}

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Each act in its phase; what is about somebody who enrolled, once somebody has."""
        if spec.name in ("candidate.refused", "candidate.withdrawn"):
            return bool(self.glance(run).get("enrolled"))
        phases = {
            "candidate.enrolled": ENROL,
            "mark.given": MARK,
            "mark.recused": MARK,
            "selection.decided": MARK,
        }
        return phases.get(spec.name, run.phase) == run.phase

    def _in(self, run: StepRun, phase: str) -> None:
        if run.phase != phase:
            raise refuse(
                _("现在是“%(phase)s”阶段，不能办理这一操作。") % {"phase": PHASES[run.phase]},
                code="late" if phase == ENROL else "early",
            )

    # --- acts
    @act("candidate.enrolled", title=_("报名"), by="participants", form=EnrolForm, in_term=True)
    def enrol(self, doing: Act) -> Written:
        """Put oneself forward; the public knows a number only."""
        run, party = doing.open_run, doing.party
        self._in(run, ENROL)
        candidates = Candidate.objects.filter(run=run)
        if candidates.filter(party_key=party.key).exclude(life="withdrawn").exists():
            raise refuse(_("您已经报名，无需重复报名。"), code="duplicate")
        candidate = Candidate.objects.create(
            run=run,
            number=candidates.count() + 1,
            party_key=party.key,
            user_id=party.user_id if party.via == "online" else None,
            name=doing.data["name"],
            statement=doing.data["statement"],
            channel=party.via,
            created=doing.at,
        )
        private = {"name": candidate.name, "statement": candidate.statement}
        return Written({"number": candidate.number}, private, candidate)

    def door_kinds(self, run: StepRun) -> list[Kind]:
        """An application (报名表), while people enrol."""
        role = next((role for role in directory().on_paper if role in self.participants), "")
        if run.phase != ENROL or not role:
            return []
        community = run.process.community
        members = partial(directory().members, "households", community)
        return [Kind("candidate.enrolled", _("报名表"), role, members)]

    @act("candidate.withdrawn", title=_("退出报名"), by="participants", optional=True)
    def withdraw(self, doing: Act) -> Written:
        """No longer stand."""
        candidate = Candidate.objects.filter(
            run=doing.run, party_key=doing.party.key, life="enrolled"
        ).first()
        if candidate is None:
            raise refuse(_("您没有报名，或者已经退出。"))
        candidate.withdraw()
        candidate.save()
        return Written({"number": candidate.number})

    @act("candidate.refused", title=_("认定不符合条件"), by="by", form=RefusalForm, optional=True)
    def refuse_candidate(self, doing: Act) -> Written:
        """Someone does not fulfil the conditions, for a published reason."""
        candidate: Candidate = doing.data["candidate"]
        candidate.refuse()
        candidate.refusal = doing.data["reason"]
        candidate.save()
        return Written({"number": candidate.number, "reason": candidate.refusal})

    @act("mark.given", title=_("评分"), by="judges", form=MarkForm)
    def mark(self, doing: Act) -> Written:
        """Give points; the last ones before the end count."""
        run, party = doing.open_run, doing.party
        self._in(run, MARK)
        candidate: Candidate = doing.data["candidate"]
        own = Q(party_key=party.key)
        if party.user_id:
            own |= Q(user_id=party.user_id)
        if Candidate.objects.filter(own, pk=candidate.pk).exists():
            raise refuse(_("不能为自己评分。"), field="candidate", code="wrong_party")
        row = Mark.objects.filter(candidate=candidate, party_key=party.key).first()
        if row is not None and row.life == "recused":
            raise refuse(_("您已对该报名人回避，不能再评分。"), code="wrong_party")
        changed = row is not None
        row = row or Mark(run=run, candidate=candidate, party_key=party.key, user_id=party.user_id)
        row.points, row.at = doing.data["points"], doing.at
        row.save()
        return Written(
            {"number": candidate.number, "changed": changed},
            {"points": str(row.points)},
            row,
        )

    @act("mark.recused", title=_("对报名人回避"), by="judges", form=CandidateForm, optional=True)
    def recuse(self, doing: Act) -> Written:
        """Stand back from a relative; one's points never count."""
        run, candidate = doing.open_run, doing.data["candidate"]
        self._in(run, MARK)
        row = Mark.objects.filter(candidate=candidate, party_key=doing.party.key).first()
        if row is None:
            row = Mark(
                run=run,
                candidate=candidate,
                party_key=doing.party.key,
                user_id=doing.party.user_id,
                points=0,
            )
        if row.life == "recused":
            raise refuse(_("您已经回避。"), code="duplicate")
        row.recuse()
        row.points, row.at = None, doing.at
        row.save()
        return Written({"number": candidate.number}, fact=row)

    @act("selection.decided", title=_("汇总评议结果"), by="by", form=ReasonForm)
    def decide(self, doing: Act) -> Written:
        """Rank and choose before the term has run out, once somebody has marked everybody."""
        run = doing.open_run
        self._in(run, MARK)
        unmarked = Candidate.objects.filter(run=run, life="enrolled").exclude(marks__life="given")
        if unmarked.exists():
            raise refuse(_("还有报名人没有评分，不能汇总。"), code="unmet")
        outcome = self._rank(run)
        return Written({"reason": doing.data["reason"]}, outcome=outcome)

    # --- deciding
    def term_ended(self, run: StepRun, now: dt.datetime) -> str | None:
        """Enrolment ends: judging begins, or enrolment runs again. Judging ends: it is ranked."""
        standing = Candidate.objects.filter(run=run, life="enrolled").count()
        if standing < self.places[0]:
            if "too_few" in self.outcomes_to:
                return "too_few"
            run.phase = ENROL
            self.start_term(run, self.enrol_term, now)
            return None
        if run.phase == ENROL:
            run.phase = MARK
            assert self.term is not None
            self.start_term(run, self.term, now)
            return None
        marked = Mark.objects.filter(run=run, life="given").exists()
        return self._rank(run) if marked else None

    def phase_body(self, run: StepRun) -> dict[str, Any]:
        """Term of the phase."""
        return term_body(run)

    def _rank(self, run: StepRun) -> str:
        given = Q(marks__life="given")
        rows = list(
            Candidate.objects.filter(run=run, life="enrolled").annotate(
                total=Sum("marks__points", filter=given), times=Count("marks", filter=given)
            )
        )

        def mean(row: Any) -> Fraction:
            return Fraction(row.total or 0, row.times) if row.times else Fraction(-1)

        rows.sort(key=lambda row: (-mean(row), row.number))
        means = [mean(row) for row in rows]
        for rank, row in enumerate(rows, start=1):
            row.points, row.marked, row.rank = row.total or 0, row.times, rank
            row.tied = means.count(mean(row)) > 1
            if rank <= self.places[1] and row.times:
                row.choose()
                if self.appoints and row.user_id is not None:
                    here, today = run.process.community, timezone.localdate(clock.now())
                    directory().appoint(self.appoints, row.user_id, here, today)
            elif rank <= self.places[1] + self.reserve and row.times:
                row.hold()
            else:
                row.pass_over()
            row.save()
        return "chosen"

    def unmet(self, run: StepRun) -> list[Words]:
        """What is missing in this phase."""
        if run.phase == ENROL:
            return [_("报名截止后开始评议")]
        return [_("评议截止后汇总结果")]

    def result(self, run: StepRun) -> dict[str, Any]:
        """The ranking by number: points, how many judges, what became of each."""
        rows = Candidate.objects.filter(run=run, rank__isnull=False).order_by("rank")
        ranking = [
            {
                "number": row.number,
                "points": row.points,
                "judges": row.marked,
                "life": row.life,
                "tied": row.tied,
            }
            for row in rows
        ]
        return {"ranking": ranking, "tie": "earlier_enrolment"}

    # --- reading
    @property
    def desk_roles(self) -> Roles:
        """Those who handle it and those who judge."""
        return (*self.by, *self.judges)

    def page(self, run: StepRun) -> dict[str, Any]:
        """Phase and candidates by number; no names."""
        rows = Candidate.objects.filter(run=run).order_by("rank", "number")
        return {
            "phase": PHASES.get(run.phase, ""),
            "places": self.places,
            "candidates": [
                {
                    "number": row.number,
                    "life": row.life,
                    "life_title": LIVES[row.life],
                    "rank": row.rank,
                    "points": row.points,
                    "judges": row.marked,
                    "tied": row.tied,
                    "refusal": row.refusal,
                }
                for row in rows[:500]
            ],
        }

    def desk(
        self, run: StepRun, roles: set[str] | None = None, query: Mapping[str, str] = NOTHING
    ) -> dict[str, Any]:
        """Candidates in clear."""
        return {"candidates": Candidate.objects.filter(run=run).order_by("number")[:500]}
