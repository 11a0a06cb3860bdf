"""The call of a ballot: its questions, its notice, and the roll that is frozen when it opens."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import clock, counting, terms
from ..acts import Act, Written
from ..models.case import StepRun
from ..parties import directory
from .act import Words, act, refuse
from .ballot_forms import CallForm, ReasonForm
from .ballot_rows import DRAFT, NOTICED, VOTING, BallotQuestion, RollRow, RollWay, require_phase
from .base import Step

ROLL_FAULTS: dict[str, Words] = {
    "twice": _("重复登记"),
    "no_area": _("没有面积"),
    "no_owner": _("没有产权人"),
}


class Called(Step):
    """A step whose vote is called, stands under notice, and opens with a frozen roll."""

    electorate: str
    rule: str
    notice: terms.Days

    def begin(self, run: StepRun, now: dt.datetime) -> None:
        """A ballot begins as a draft; its terms begin with its phases."""
        run.phase = DRAFT
        super().begin(run, now)

    def term_in(self, case: Any, at: dt.datetime | None = None) -> terms.AnyTerm | None:
        """The voting term, for `open_voting` alone; the draft has none."""
        return None

    @act("ballot.called", title=_("发布表决公告"), by="by", form=CallForm)
    def call(self, doing: Act) -> Written:
        """Post the questions; nothing else may be voted on."""
        run, data = doing.open_run, doing.data
        require_phase(run, DRAFT)
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
        require_phase(run, NOTICED)
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
        require_phase(run, NOTICED)
        if not run.term_over(doing.at):
            raise refuse(_("公告期未满，不能开始投票。"), code="early")
        self.open_voting(run, doing.at)
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

    def open_voting(self, run: StepRun, now: dt.datetime) -> None:
        """Freeze the roll and begin the voting term; `Refused` while the roll is not in order."""
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

    def roll_lacks(self, run: StepRun) -> list[Words]:
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
