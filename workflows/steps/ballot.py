"""Ballot (表决): notice, a frozen roll, votes online and on paper, a count that stands open to
objections, and its confirmation.

Civil Code (民法典) 278; Supreme People's Court on strata ownership 8 and 9; `workflows.counting`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import rfc8785
from django.db.models import Count, Q, Sum
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from .. import counting, terms
from ..acts import Act, Refused, Written
from ..doors import Kind
from ..models.case import StepRun
from ..parties import Member, directory
from ..statements import Question, slot, together, updating
from .act import ActSpec, Words, act, refuse
from .ballot_call import ROLL_FAULTS, Called
from .ballot_count import OUTCOMES, count, tally_card, totals
from .ballot_forms import PaperWithdrawalForm, StrikeForm, VoteForm
from .ballot_result import Counted
from .ballot_rows import (
    CONFIRM,
    DRAFT,
    MATTERS,
    NOTICED,
    PHASES,
    PRELIMINARY,
    VOTING,
    BallotPaper,
    BallotQuestion,
    ResultObjection,
    RollRow,
    RollWay,
    require_phase,
)
from .base import NOTHING, SHOWN
from .mandates import STATED, Mandates
from .run_terms import term_body

__all__ = ["Ballot", "BallotPaper", "BallotQuestion", "ResultObjection", "RollRow", "RollWay"]

_STANDING = Question(
    lambda: (
        BallotPaper.objects.filter(row=slot("row", BallotPaper, "row"), standing=True)
        .select_related("record")
        .order_by()
    )
)
"""The vote that counts for a head."""
_HEADS = Question(
    lambda: (
        RollRow.objects.filter(run=slot("run", RollRow, "run"))
        .order_by()
        .values("run")
        .annotate(n=Count("pk"))
        .values_list("n")
    )
)
_IN = Question(
    lambda: (
        BallotPaper.objects.filter(run=slot("run", BallotPaper, "run"), standing=True)
        .order_by()
        .values("run")
        .annotate(n=Count("pk"))
        .values_list("n")
    )
)
"""How many votes count so far: one a head at most."""


class Ballot(Mandates, Called, Counted):
    """A vote of an electorate: notice → voting → preliminary result → confirmation.

    `matter`: ``ordinary`` or ``special`` where the procedure fixes it; else the organiser classes
    it, with a reason. Electorates other than owners vote by the `rule` that the procedure names
    (a code of `counting.RULES`). `notice` full days lie between the call and the opening; the
    preliminary result stands open to objections for `objections`, and is confirmed within
    `confirm_within`.
    The first question decides the outcome; an electorate that does not reach its quorum has lost
    unless the procedure says otherwise.
    """

    kind = "ballot"
    explained = _("投票决定做不做，结果逐项公开。")
    paged = "roll"
    ends_with_term = frozenset({"vote.cast", "proxy.given"})
    outcomes: ClassVar[dict[str, Words]] = OUTCOMES
    optional_outcomes = frozenset({"no_quorum"})

    def __init__(
        self,
        *,
        title: Words,
        electorate: str = "owners",
        matter: str | None = None,
        rule: str = "",
        notice: terms.Days | None = None,
        objections: terms.AnyTerm | None = None,
        confirm_within: terms.AnyTerm | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(title=title, **kwargs)
        self.electorate = electorate
        self.matter = matter
        self.rule = rule
        self.notice = notice or terms.Days(15)
        self.objections = objections or terms.WorkingDays(3)
        self.confirm_within = confirm_within or terms.Days(3)

    def faults(self) -> Iterator[str]:
        """Also: nobody votes, no term."""
        yield from super().faults()
        if not self.participants:
            yield "nobody votes"
        if self.term is None:
            yield "no term"
        if self.electorate == "owners":
            if self.rule:
                yield "what owners decide is counted by the class of the matter"
        elif self.electorate not in counting.electorates_of(self.rule):
            yield f"no rule of law {self.rule!r} for {self.electorate}"

    # --- phases
    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Each act in its phase."""
        wanted = {
            "ballot.called": (DRAFT,),
            "ballot.recalled": (NOTICED,),
            "ballot.opened": (NOTICED,) if run.overdue_at else (),
            "vote.cast": (VOTING,),
            "proxy.given": (VOTING,) if self.electorate == "owners" else (),
            "proxy.registered": (VOTING,),
            "proxy.revoked": (VOTING,),
            "vote.withdrawn": (VOTING,),
            "vote.struck": (PRELIMINARY, CONFIRM),
            "result.objected": (PRELIMINARY,),
            "result.objection_decided": (PRELIMINARY, CONFIRM),
            "result.confirmed": (CONFIRM,),
        }.get(spec.name)
        return wanted is None or run.phase in wanted

    def term_ended(self, run: StepRun, now: dt.datetime) -> str | None:
        """Opens the vote, closes it, or closes the objections; never confirms by itself."""
        if run.phase == NOTICED:
            try:
                self.open_voting(run, now)
            except Refused:  # the roll: it is now overdue, and who handles it opens it
                return None
        elif run.phase == VOTING:
            self._close_voting(run, now)
        elif run.phase == PRELIMINARY and not self.undecided(run).exists():
            run.phase = CONFIRM
            self.start_term(run, self.confirm_within, now)
        return None

    def phase_body(self, run: StepRun) -> dict[str, Any]:
        """What the record of a new phase says."""
        body = term_body(run)
        if run.phase == VOTING:
            rows: list[Any] = list(
                RollRow.objects.filter(run=run).values("public_label", "heads", "area")
            )
            digest = hashlib.sha256(rfc8785.dumps(rows)).hexdigest()
            body["roll"] = {**totals(run), "sha256": digest}
        elif run.phase == PRELIMINARY:
            body["tallies"] = [question.tally for question in run.questions.all()]
        return body

    def _close_voting(self, run: StepRun, now: dt.datetime) -> None:
        count(run, now)
        run.phase = PRELIMINARY
        self.start_term(run, self.objections, now)

    # --- votes
    @act("vote.cast", title=_("投票"), by="participants", form=VoteForm)
    def cast(self, doing: Act) -> Written:
        """Vote. What was chosen is in no record in clear; the voter's receipt can prove it."""
        run, party = doing.open_run, doing.party
        require_phase(run, VOTING)
        if run.term_over(doing.at) and not doing.entered_late:  # urns are counted with the rest
            raise refuse(_("投票已经截止，不能再投票。"), code="late")
        way = doing.form.way
        if way is None:
            raise refuse(_("您不在本次表决的名册上，不能投票。"), code="wrong_party")
        row = way.row
        channel = "paper" if party.via == "paper" else "proxy" if way.proxy else "online"
        standing, [(heads,)], voted = together(
            [
                _STANDING.with_values(row=row.pk),
                _HEADS.with_values(run=run.pk),
                _IN.with_values(run=run.pk),
            ]
        )
        before: BallotPaper | None = standing[0] if standing else None
        if before is not None and before.channel == "paper":
            raise refuse(
                _("这一户已经登记了纸质票；如需改投，请先书面申请撤回纸质票。"), code="duplicate"
            )
        dated = doing.happened_at if doing.entered_late else None
        if before is not None and dated is not None and before.at > dated:
            raise refuse(_("这一户在这张纸质票之后又投了票，以后来的为准。"), code="duplicate")
        serial = doing.data.get("serial", "")
        if serial and BallotPaper.objects.filter(run=run, serial=serial, standing=True).exists():
            raise refuse(_("该表决票编号已经登记过。"), field="serial", code="duplicate")
        choices = {name[1:]: value for name, value in doing.data.items() if name.startswith("q")}
        body: dict[str, Any] = {"channel": channel}
        if before is not None:
            body["replaces"] = before.record.seq if before.record else None
            before.standing, before.ended = False, "replaced"
            doing.case.unwritten.append(updating(before))
        paper = BallotPaper(
            run=run,
            row=row,
            party_key=party.key,
            channel=channel,
            serial=serial,
            choices=choices,
            at=doing.at,
        )
        if before is None and sum(n for (n,) in voted) + 1 == heads:  # all are in
            paper.save()  # it is counted with the rest
            self._close_voting(run, doing.at)
            run.save()
            body |= {"all_in": True, "phase": run.phase, **self.phase_body(run)}
        chosen = " ".join(f"{number}:{choice}" for number, choice in sorted(choices.items()))
        return Written(body, {"choices": chosen}, paper)

    def door_kinds(self, run: StepRun) -> list[Kind]:
        """A ballot paper for each head of the frozen roll, at its first door; owners also have a
        mandate, apart from the vote, which is secret."""
        role = next((role for role in directory().on_paper if role in self.participants), "")
        if run.phase != VOTING or not role:
            return []

        def members() -> list[Member]:
            ways = RollWay.objects.filter(run=run, proxy=False).select_related("row")
            firsts: dict[int, Member] = {}
            for way in ways.order_by("row", "pk"):
                row = way.row
                label, public = row.label, row.public_label
                firsts.setdefault(row.pk, Member(way.party_key, label, public, row.area))
            return list(firsts.values())

        kinds = [Kind("vote.cast", _("表决票"), role, members, secret=True)]
        if self.electorate == "owners":
            hands = (_("受托人姓名"), _("委托人（签字）"), _("受托人（签字）"))
            kinds.append(
                Kind("proxy.given", _("授权委托书"), role, members, says=STATED, by_hand=hands)
            )
        return kinds

    def answered(self, run: StepRun, name: str, key: str) -> bool:
        """Whether the head that a household's paper is for has a vote that counts."""
        rows = RollRow.objects.filter(ways__party_key=key, ways__proxy=False, run=run)
        if name == "proxy.given":
            return RollWay.objects.filter(run=run, proxy=True, row__in=rows).exists()
        if name != "vote.cast":
            return super().answered(run, name, key)
        return BallotPaper.objects.filter(run=run, standing=True, row__in=rows).exists()

    def _may_mandate(self, doing: Act) -> None:
        require_phase(doing.open_run, VOTING)
        if doing.open_run.term_over(doing.at) and not doing.entered_late:
            raise refuse(_("投票已经截止，不能再委托。"), code="late")

    @act(
        "vote.withdrawn",
        title=_("登记撤回纸质票"),
        by="by",
        form=PaperWithdrawalForm,
        optional=True,
    )
    def withdraw(self, doing: Act) -> Written:
        """A paper vote withdrawn in writing by its owner; the head may vote again."""
        run = doing.open_run
        require_phase(run, VOTING)
        paper = self._standing(doing.data["row"])
        if paper is None or paper.channel != "paper":
            raise refuse(_("这一户没有登记纸质票。"), field="row")
        paper.standing, paper.ended = False, "withdrawn"
        paper.save(update_fields=["standing", "ended"])
        return Written({"withdraws": paper.record.seq if paper.record else None})

    @act("vote.struck", title=_("认定无效票"), by="by", form=StrikeForm, optional=True)
    def strike(self, doing: Act) -> Written:
        """Strike an invalid vote, with the reason, and count again."""
        run = doing.open_run
        require_phase(run, PRELIMINARY, CONFIRM)
        paper = self._standing(doing.data["row"])
        if paper is None:
            raise refuse(_("这一户没有计入的票。"), field="row")
        paper.standing, paper.ended = False, "struck"
        paper.save(update_fields=["standing", "ended"])
        count(run, doing.at)
        return Written(
            {
                "strikes": paper.record.seq if paper.record else None,
                "reason": doing.data["reason"],
                "tallies": [question.tally for question in run.questions.all()],
            }
        )

    def _standing(self, row: RollRow) -> BallotPaper | None:
        return next(iter(_STANDING.ask(row=row.pk)), None)

    def unmet(self, run: StepRun) -> list[Words]:
        """What is missing in this phase."""
        if run.phase == DRAFT:
            return [_("尚未发布表决公告")]
        if run.phase == NOTICED and run.overdue_at:
            return self.roll_lacks(run)
        if run.phase == NOTICED:
            return [_("公告期满后开始投票")]
        if run.phase == VOTING:
            return [_("投票截止后计票")]
        missing: list[Words] = []
        if waiting := self.glance(run).get("raised", 0):
            missing.append(_("还有%(count)s件计票异议未核查") % {"count": waiting})
        missing.append(_("结果尚未确认"))
        return missing

    def waiting(self, run: StepRun, roles: set[str]) -> list[Words]:
        """Objections to the count; a vote that could not be opened."""
        if not roles.intersection(self.by):
            return []
        if run.phase == NOTICED and run.overdue_at:
            return [_("名册有误，投票没有开始")]
        count = self.glance(run).get("raised", 0)
        return [_("%(n)s件计票异议待核查") % {"n": count}] if count else []

    def result(self, run: StepRun) -> dict[str, Any]:
        """Turnout."""
        return {"turnout": self.turnout(run)}

    # --- what pages read
    def turnout(self, run: StepRun) -> dict[str, int]:
        """Heads and area on the roll and of those who have voted; one query."""
        voted = Q(papers__standing=True)
        found = RollRow.objects.filter(run=run).aggregate(
            heads=Count("pk", distinct=True),
            area=Sum("area"),
            voted_heads=Count("pk", filter=voted, distinct=True),
        )
        area = RollRow.objects.filter(voted, run=run).aggregate(area=Sum("area"))["area"]
        return {
            "heads": found["heads"] or 0,
            "area": totals(run)["area"],
            "voted_heads": found["voted_heads"] or 0,
            "voted_area": area or 0,
        }

    def page(self, run: StepRun) -> dict[str, Any]:
        """Questions with their count, turnout, the masked roll (a queryset), decided objections."""
        published = run.phase in (PRELIMINARY, CONFIRM)
        return {
            "phase": run.phase,
            "by_area": self.electorate == "owners",
            "phase_title": PHASES.get(run.phase, ""),
            "call": run.data,
            "opens_on": parse_date(run.data.get("opens_on", "")),
            "item_title": counting.SPECIAL_MATTERS.get(run.data.get("item", ""), ""),
            "matter_title": MATTERS.get(run.data.get("matter", ""), ""),
            "questions": [
                {
                    "number": question.number,
                    "text": question.text,
                    "tally": tally_card(question.tally) if published and question.tally else None,
                }
                for question in run.questions.all()
            ],
            "turnout": self.turnout(run) if run.phase not in (DRAFT, NOTICED) else None,
            "roll": RollRow.objects.filter(run=run)
            .order_by("pk")
            .values("public_label", "heads", "area"),
            "objections": ResultObjection.objects.filter(run=run, reply__isnull=False)
            .select_related("reply")
            .order_by("pk")[:100],
        }

    def desk(
        self, run: StepRun, roles: set[str] | None = None, query: Mapping[str, str] = NOTHING
    ) -> dict[str, Any]:
        """Who has not voted (not what the others chose), undecided objections in clear, and with
        what the roll cannot be frozen."""
        faulty = self.roll_faults(run) if run.phase == NOTICED and run.overdue_at else []
        waiting = RollRow.objects.filter(run=run).exclude(papers__standing=True)
        return {
            "waiting": waiting.order_by("pk")[:300],
            "undecided": list(self.undecided(run).select_related("record")[:SHOWN]),
            "faulty": [(unit.label, ROLL_FAULTS[code]) for unit, code in faulty[:SHOWN]],
        }
