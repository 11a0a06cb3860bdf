"""What a panel comes to: who must still sign, when enough have, and what their signatures say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext_lazy as _

from ..acts import Act
from ..models.case import StepRun
from ..statements import Question, slot
from .act import Words
from .base import Step
from .panel_rows import Seat
from .panel_rules import (
    Criterion,
    Said,
    Score,
    SeatSpec,
    Verdict,
    in_record,
    judged,
    needed,
    quorate,
    shown,
)

SEATS = Question(
    lambda: (
        Seat.objects.filter(run=slot("run", Seat, "run"))
        .select_related("signature__record")
        .order_by("pk")
    )
)


class Deciding(Step):
    """A step that seats decide; see `Panel`."""

    specs: Mapping[str, SeatSpec]
    sheet: tuple[Criterion, ...]
    attend: Fraction | None
    every_must_pass: bool
    score: Score | None

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """Decided once every seat has signed, or enough of them when the term has run out."""
        return self._decided(self.rows(run), over=run.term_over(now))

    def outcome_of(self, seats: Sequence[Seat], doing: Act) -> str | None:
        """What it has come to with the act at hand, by the seats as it leaves them."""
        return self._decided(seats, over=doing.open_run.term_over(doing.at))

    def _decided(self, seats: Sequence[Seat], *, over: bool) -> str | None:
        everyone = all(seat.life != "invited" for seat in seats)
        if self._quorate(seats) and (everyone or over):
            return self.verdict(seats).outcome
        return None

    def grounds(self, run: StepRun) -> list[str]:
        """The reasons of the seats that did not approve, and what failed."""
        titles = {line.code: line.title for line in self.sheet}
        lines: list[str] = []
        for seat in self.rows(run):
            said = seat.signature
            if said is None or said.decision == "approve":
                continue
            who = self.specs[seat.code].title
            lines.append(str(_("%(name)s：%(value)s") % {"name": who, "value": said.reason}))
            lines += [
                str(_("%(name)s：%(value)s") % {"name": titles.get(code, code), "value": note})
                for code, note in said.failed.items()
            ]
        return lines

    def unmet(self, run: StepRun) -> list[Words]:
        """Which seats have not signed, while they are still needed."""
        seats, _stood_back = self.glance(run)
        return [] if self._quorate(seats) and run.overdue_at else self.missing(seats)

    def missing(self, seats: Sequence[Seat]) -> list[Words]:
        """Who has not signed, and how many are needed, in words for people."""
        lines: list[Words] = [
            _("%(seat)s尚未签字") % {"seat": self.specs[seat.code].title}
            for seat in seats
            if seat.life == "invited"
        ]
        sitting = [seat for seat in seats if seat.life != "recused"]
        if not sitting:
            return [_("所有席位都已回避，请另派人员签字")]
        signed = sum(seat.life == "signed" for seat in sitting)
        if self.attend is not None and not quorate(signed, len(sitting), self.attend):
            least = needed(len(sitting), self.attend)
            lines.append(
                _("至少需要%(least)s个席位签字，现有%(signed)s个")
                % {"least": least, "signed": signed}
            )
        return lines

    def _required_signed(self, seats: Sequence[Seat]) -> bool:
        waited = [seat for seat in seats if self.specs[seat.code].required]
        signed = any(seat.life == "signed" for seat in seats)
        return signed and all(seat.life != "invited" for seat in waited)

    def _quorate(self, seats: Sequence[Seat]) -> bool:
        if self.attend is None:
            return self._required_signed(seats)
        sitting = [seat for seat in seats if seat.life != "recused"]
        return quorate(sum(s.life == "signed" for s in sitting), len(sitting), self.attend)

    def verdict(self, seats: Iterable[Seat]) -> Verdict:
        """What the signatures come to."""
        said = [
            Said(
                seat.signature.decision,
                sum(seat.signature.scores.values()),
                self.specs[seat.code].weight,
            )
            for seat in seats
            if seat.signature is not None
        ]
        return judged(said, self.score, every_must_pass=self.every_must_pass)

    def result(self, run: StepRun) -> dict[str, Any]:
        """Decisions, the exact score, what each seat gave, and which criteria failed."""
        seats = self.rows(run)
        verdict = self.verdict(seats)
        body: dict[str, Any] = {"decisions": verdict.decisions, "seats": []}
        failed = []
        for seat in seats:
            line: dict[str, Any] = {"seat": seat.code, "life": seat.life}
            signature = seat.signature
            if signature is not None:
                line["decision"] = signature.decision
                if self.sheet:
                    line["points"] = sum(signature.scores.values())
                seq = signature.record.seq if signature.record else None
                failed += [
                    {"item": item, "seat": seat.code, "record": seq} for item in signature.failed
                ]
            body["seats"].append(line)
        if self.score is not None and verdict.score is not None:
            body |= in_record(verdict.score)
            body |= {"rule": self.score.rule, "threshold": shown(self.score.threshold)}
        if failed:
            body["failed"] = failed
        run.data = {**run.data, "result": body}
        return body

    def enough(self, seats: Sequence[Seat], *, over: bool) -> bool:
        """Whether the panel may be closed: enough have signed, and every required seat unless the
        term is over."""
        return self._quorate(seats) and (over or self._required_signed(seats))

    def rows(self, run: StepRun) -> list[Seat]:
        """The seats of a run with their signatures, in order; one query."""
        return SEATS.ask(run=run.pk)
