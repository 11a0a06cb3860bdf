"""Ballot (表决): notice, a frozen roll, votes online and on paper, a count that stands open to
objections, and its confirmation.

Civil Code (民法典) 278; Supreme People's Court on strata ownership 8 and 9; `workflows.counting`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import rfc8785
from django import forms
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from .. import clock, counting, law, terms
from ..acts import Act, Refused, Written
from ..doors import Kind
from ..models.case import StepRun
from ..parties import Member, directory
from ..uploads import UploadField
from .ballot_rows import BallotPaper, BallotQuestion, ResultObjection, RollRow, RollWay
from .base import (
    NOTHING,
    SHOWN,
    ActForm,
    ActSpec,
    Words,
    act,
    counted_by_run,
    refuse,
    term_body,
)
from .mandates import STATED, Mandates, RowForm
from .opinion import AnswerForm, Keys, PublicText, Reply, fingerprint, reply_body
from .publicity_rows import DECISIONS

__all__ = ["Ballot", "BallotPaper", "BallotQuestion", "ResultObjection", "RollRow", "RollWay"]

DRAFT, NOTICED, VOTING, PRELIMINARY, CONFIRM = (
    "draft",
    "noticed",
    "voting",
    "preliminary",
    "confirm",
)
PHASES: dict[str, Words] = {
    DRAFT: _("拟定表决事项"),
    NOTICED: _("会前公告"),
    VOTING: _("投票"),
    PRELIMINARY: _("初步结果询异公示"),
    CONFIRM: _("确认结果"),
}
CHOICES: dict[str, Words] = {"for": _("同意"), "against": _("反对"), "abstain": _("弃权")}
MATTERS: dict[str, Words] = {"ordinary": _("一般事项"), "special": _("特别事项")}
ROLL_FAULTS: dict[str, Words] = {
    "twice": _("重复登记"),
    "no_area": _("没有面积"),
    "no_owner": _("没有产权人"),
}
MOST_QUESTIONS = 10


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
        run = self.act.open_run
        mine = RollWay.objects.filter(run=run, party_key=self.act.party.key)
        if self.act.party.via != "online":
            # A paper that was handed out is for one's own vote, by its code and typed in.
            own = run.door_forms.filter(party_key=self.act.party.key, withdrawn_at=None)
            if own.exists():
                mine = mine.filter(proxy=False)
        self.rows = list(RollRow.objects.filter(ways__in=mine).distinct())
        if len(self.rows) > 1:
            self.fields["row"] = forms.ChoiceField(
                label=_("为哪一户投票"),
                choices=[(str(row.pk), row.label) for row in self.rows],
                widget=forms.RadioSelect,
            )
        for question in run.questions.all():
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
    def row(self) -> RollRow | None:
        """The head whose vote it is."""
        if len(self.rows) > 1:
            return next(row for row in self.rows if str(row.pk) == self.cleaned_data["row"])
        return self.rows[0] if self.rows else None


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


class Ballot(Mandates):
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
    outcomes: ClassVar[dict[str, Words]] = {
        "carried": _("表决通过"),
        "lost": _("表决未通过"),
        "no_quorum": _("参与人数或面积不足"),
    }
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
    def begin(self, run: StepRun, now: dt.datetime) -> None:
        """A ballot begins as a draft; its terms begin with its phases."""
        run.phase = DRAFT
        super().begin(run, now)

    def term_in(self, case: Any, at: dt.datetime | None = None) -> terms.AnyTerm | None:
        """The voting term, for `_open_voting` alone; the draft has none."""
        return None

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

    def _in_phase(self, run: StepRun, *phases: str) -> None:
        if run.phase not in phases:
            early = list(PHASES).index(run.phase) < list(PHASES).index(phases[0])
            raise refuse(
                _("表决正处于“%(phase)s”阶段，现在不能办理这一操作。")
                % {"phase": PHASES[run.phase]},
                code="early" if early else "late",
            )

    @act("ballot.called", title=_("发布表决公告"), by="by", form=CallForm)
    def call(self, doing: Act) -> Written:
        """Post the questions; nothing else may be voted on."""
        run, data = doing.open_run, doing.data
        self._in_phase(run, DRAFT)
        self._roll(run)  # must be fit to vote with
        rule = self.rule or f"owners_{data['matter']}"
        BallotQuestion.objects.bulk_create(
            BallotQuestion(run=run, number=number, text=text, rule=rule)
            for number, text in enumerate(data["questions"], start=1)
        )
        opens_at = dt.datetime.combine(data["opens_on"], dt.time(), clock.SHANGHAI)
        run.phase = NOTICED
        run.term = self.notice.code
        run.starts_on = timezone.localtime(doing.at).date()
        run.ends_on = data["opens_on"] - dt.timedelta(days=1)
        run.ends_at = run.scheduled = opens_at
        run.term_rule = "notice"
        run.provisional = False
        run.overdue_at = None
        run.data = {
            "matter": data.get("matter", ""),
            "item": data.get("item", ""),
            "reason": data["reason"],
            "opens_on": data["opens_on"].isoformat(),
        }
        run.save()
        return Written({"questions": data["questions"], **run.data})

    def _roll(self, run: StepRun) -> list[counting.RollEntry]:
        """The roll as it would now be frozen; refuses an empty or a faulty one."""
        units = directory().roll(self.electorate, run.process.community)
        if not units:
            raise refuse(_("名册是空的，请先导入名册。"), code="unmet")
        try:
            return counting.freeze_roll(self.electorate, units)
        except counting.CountingError as error:
            raise refuse(
                _("名册不完整，不能表决：请核对各户的面积和产权人。"), code="unmet"
            ) from error

    def roll_faults(self, run: StepRun) -> list[tuple[counting.RollUnit, str]]:
        """The units with which the roll cannot be frozen, with why (`ROLL_FAULTS`)."""
        units = directory().roll(self.electorate, run.process.community)
        return counting.roll_faults(self.electorate, units)

    @act("ballot.recalled", title=_("撤回表决公告"), by="by", form=ReasonForm, optional=True)
    def recall(self, doing: Act) -> Written:
        """Take the call back before voting opens; a new call has its full notice."""
        run = doing.open_run
        self._in_phase(run, NOTICED)
        BallotQuestion.objects.filter(run=run).delete()
        run.phase = DRAFT
        run.data = {}
        run.term = ""
        run.starts_on = run.ends_on = run.ends_at = run.scheduled = None
        run.save()
        return Written({"reason": doing.data["reason"]})

    @act("ballot.opened", title=_("开始投票"), by="by")
    def open(self, doing: Act) -> Written:
        """Open the vote that the clock could not open for its roll, once that is in order."""
        run = doing.open_run
        self._in_phase(run, NOTICED)
        if not run.term_over(doing.at):
            raise refuse(_("公告期未满，不能开始投票。"), code="early")
        self._open_voting(run, doing.at)
        run.save()
        return Written({"phase": run.phase, **self.phase_body(run)})

    def shift_term(self, run: StepRun, suspended: dt.datetime, resumed: dt.datetime) -> None:
        """A notice that stood still hangs for as many days more: voting opens that much later."""
        if run.phase != NOTICED:
            super().shift_term(run, suspended, resumed)
            return
        assert run.ends_on is not None
        first, last = (timezone.localtime(moment).date() for moment in (suspended, resumed))
        run.ends_on += (last - first) + terms.ONE_DAY
        opens_on = run.ends_on + terms.ONE_DAY
        run.ends_at = run.scheduled = dt.datetime.combine(opens_on, dt.time(), clock.SHANGHAI)
        run.data = {**run.data, "opens_on": opens_on.isoformat()}

    def term_ended(self, run: StepRun, now: dt.datetime) -> str | None:
        """Opens the vote, closes it, or closes the objections; never confirms by itself."""
        if run.phase == NOTICED:
            try:
                self._open_voting(run, now)
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
            body["roll"] = {**self._totals(run), "sha256": digest}
        elif run.phase == PRELIMINARY:
            body["tallies"] = [question.tally for question in run.questions.all()]
        return body

    def _open_voting(self, run: StepRun, now: dt.datetime) -> None:
        rows = []
        entries = self._roll(run)
        for entry in entries:
            rows.append(
                RollRow(
                    run=run,
                    key=entry.key,
                    area=entry.area,
                    heads=entry.heads,
                    units=list(entry.units),
                    label=entry.label,
                    public_label=entry.public_label,
                )
            )
        RollRow.objects.bulk_create(rows)
        by_key = {row.key: row for row in RollRow.objects.filter(run=run)}
        RollWay.objects.bulk_create(
            RollWay(run=run, row=by_key[entry.key], party_key=way)
            for entry in entries
            for way in entry.may_vote_via
        )
        run.phase = VOTING
        voting = super().term_in(run.process)
        assert voting is not None
        self.start_term(run, voting, now)

    def _close_voting(self, run: StepRun, now: dt.datetime) -> None:
        self._count(run, now)
        run.phase = PRELIMINARY
        self.start_term(run, self.objections, now)

    def _count(self, run: StepRun, now: dt.datetime) -> None:
        roll = [
            counting.RollEntry(row.key, row.area, (), "", "", (), row.heads)
            for row in RollRow.objects.filter(run=run)
        ]
        papers = list(
            BallotPaper.objects.filter(run=run, standing=True).values_list("row__key", "choices")
        )
        on = timezone.localtime(now).date()
        for question in run.questions.all():
            votes = {key: choices[str(question.number)] for key, choices in papers}
            tally = counting.count(roll, votes, counting.rule_for(question.rule, on, law.here()))
            question.tally = tally_body(question, tally)
            question.save(update_fields=["tally"])

    def _totals(self, run: StepRun) -> dict[str, int]:
        found = RollRow.objects.filter(run=run).aggregate(heads=Sum("heads"), area=Sum("area"))
        return {"heads": found["heads"] or 0, "area": found["area"] or 0}

    # --- votes
    @act("vote.cast", title=_("投票"), by="participants", form=VoteForm)
    def cast(self, doing: Act) -> Written:
        """Vote. What was chosen is in no record in clear; the voter's receipt can prove it."""
        run, party = doing.open_run, doing.party
        self._in_phase(run, VOTING)
        if run.term_over(doing.at) and not doing.entered_late:  # urns are counted with the rest
            raise refuse(_("投票已经截止，不能再投票。"), code="late")
        row = doing.form.row
        if row is None:
            raise refuse(_("您不在本次表决的名册上，不能投票。"), code="wrong_party")
        way = RollWay.objects.get(row=row, party_key=party.key)
        channel = "paper" if party.via == "paper" else "proxy" if way.proxy else "online"
        before = BallotPaper.objects.filter(row=row, standing=True).select_related("record").first()
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
            before.save(update_fields=["standing", "ended"])
        paper = BallotPaper.objects.create(
            run=run,
            row=row,
            party_key=party.key,
            channel=channel,
            serial=serial,
            choices=choices,
            at=doing.at,
        )
        if before is None and self._all_in(run):
            self._close_voting(run, doing.at)
            run.save()
            body |= {"all_in": True, "phase": run.phase, **self.phase_body(run)}
        chosen = " ".join(f"{number}:{choice}" for number, choice in sorted(choices.items()))
        return Written(body, {"choices": chosen}, paper)

    def _all_in(self, run: StepRun) -> bool:
        return not RollRow.objects.filter(run=run).exclude(papers__standing=True).exists()

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
        self._in_phase(doing.open_run, VOTING)
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
        self._in_phase(run, VOTING)
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
        self._in_phase(run, PRELIMINARY, CONFIRM)
        paper = self._standing(doing.data["row"])
        if paper is None:
            raise refuse(_("这一户没有计入的票。"), field="row")
        paper.standing, paper.ended = False, "struck"
        paper.save(update_fields=["standing", "ended"])
        self._count(run, doing.at)
        return Written(
            {
                "strikes": paper.record.seq if paper.record else None,
                "reason": doing.data["reason"],
                "tallies": [question.tally for question in run.questions.all()],
            }
        )

    def _standing(self, row: RollRow) -> BallotPaper | None:
        return BallotPaper.objects.filter(row=row, standing=True).select_related("record").first()

    # --- the result
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
        self._in_phase(run, PRELIMINARY)
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
        self._in_phase(run, PRELIMINARY, CONFIRM)
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
        self._in_phase(run, CONFIRM)
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

    def unmet(self, run: StepRun) -> list[Words]:
        """What is missing in this phase."""
        if run.phase == DRAFT:
            return [_("尚未发布表决公告")]
        if run.phase == NOTICED and run.overdue_at:
            return self._roll_lacks(run)
        if run.phase == NOTICED:
            return [_("公告期满后开始投票")]
        if run.phase == VOTING:
            return [_("投票截止后计票")]
        missing: list[Words] = []
        if waiting := self.glance(run).get("raised", 0):
            missing.append(_("还有%(count)s件计票异议未核查") % {"count": waiting})
        missing.append(_("结果尚未确认"))
        return missing

    def _roll_lacks(self, run: StepRun) -> list[Words]:
        """What keeps the vote from being opened, in numbers: rooms are for those who handle it."""
        if not directory().roll(self.electorate, run.process.community):
            return [_("名册是空的，导入名册后才能开始投票")]
        codes = [code for _unit, code in self.roll_faults(run)]
        if not codes:
            return [_("名册已经可用，可以开始投票")]
        return [
            _("名册有误：%(n)s户%(fault)s，更正名册后才能开始投票")
            % {"n": codes.count(code), "fault": words}
            for code, words in ROLL_FAULTS.items()
            if code in codes
        ]

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
    def prefill(self, doing: Act, query: Any) -> dict[str, Any]:
        """A decision begins with the chosen objections."""
        if doing.spec.name != "result.objection_decided":
            return super().prefill(doing, query)
        return {"objections": [key for key in query.getlist("objections") if key.isdecimal()]}

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """What is being voted on, or the objections to decide."""
        if spec.name == "result.objection_decided":
            keys = [int(k) for k in query.getlist("objections")[:100] if k.isdecimal()]
            rows = self.undecided(run).filter(pk__in=keys).select_related("record")
            return {"opinions": list(rows.prefetch_related("record__files"))}
        return {}

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
            "area": self._totals(run)["area"],
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


def tally_body(question: BallotQuestion, tally: counting.Tally) -> dict[str, Any]:
    """A count as its record states it: integers only, every line to follow."""
    return {
        "question": question.number,
        "rule": tally.rule.code,
        "rule_from": tally.rule.effective_from.isoformat(),
        "jurisdiction": tally.rule.jurisdiction,
        "outcome": tally.outcome,
        "heads": dict(tally.heads),
        "area": dict(tally.area),
        "lines": [
            {
                "code": line.code,
                "unit": line.unit,
                "part": line.part,
                "whole": line.whole,
                "needed": line.needed,
                "met": line.met,
            }
            for line in tally.lines()
        ],
    }


LINES: dict[tuple[str, str], Words] = {
    ("quorum", "area"): _("参与表决的面积"),
    ("quorum", "heads"): _("参与表决的人数"),
    ("for", "area"): _("同意的面积"),
    ("for", "heads"): _("同意的人数"),
}


def _amount(unit: str, value: int) -> Words:
    if unit == "area":
        return _("%(area)s平方米") % {"area": counting.area_words(value)}
    return _("%(heads)s人") % {"heads": value}


def tally_card(tally: dict[str, Any]) -> dict[str, Any]:
    """A count for the page, line by line: of how much, how much was needed, whether it was met."""
    rows = []
    for line in tally["lines"]:
        whole = line["whole"] or 1
        part, all_of = _amount(line["unit"], line["part"]), _amount(line["unit"], line["whole"])
        rows.append(
            {
                "label": LINES[line["code"], line["unit"]],
                "value": _("%(part)s，共%(whole)s") % {"part": part, "whole": all_of},
                "permille": line["part"] * 1000 // whole,
                "needed_permille": min(line["needed"] * 1000 // whole, 1000),
                "needed": _("至少需要%(needed)s")
                % {"needed": _amount(line["unit"], line["needed"])},
                "met": line["met"],
            }
        )
    rule = counting.rule_for(
        tally["rule"], dt.date.fromisoformat(tally["rule_from"]), tally["jurisdiction"]
    )
    counts = []
    for choice, words in CHOICES.items():
        given = _amount("heads", tally["heads"][choice])
        if rule.by_area:
            area = _amount("area", tally["area"][choice])
            given = _("%(heads)s，%(area)s") % {"heads": given, "area": area}
        counts.append((words, given))
    return {
        "rows": rows,
        "counts": counts,
        "outcome": tally["outcome"],
        "outcome_title": Ballot.outcomes[tally["outcome"]],
        "source": rule.source,
        "rule_title": rule.title,
    }
