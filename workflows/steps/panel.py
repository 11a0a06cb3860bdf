"""Panel (联合审查、联合验收): several parties review one thing; each signs once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from django.db import connection
from django.utils.translation import gettext_lazy as _

from ..acts import Act, Written
from ..models.case import StepRun
from ..parties import Party, directory
from ..statements import Question, next_key, slot, together, updating
from .act import ActSpec, Words, act, refuse
from .base import NOTHING
from .panel_decision import SEATS, Deciding
from .panel_forms import CorrectedSignatureForm, RecusalForm, SignatureForm
from .panel_rows import Recusal, Seat, Signature
from .panel_rules import FULL, Criterion, Score, SeatSpec, needed, shown

__all__ = ["Criterion", "Panel", "Recusal", "Score", "Seat", "SeatSpec", "Signature"]

DECISIONS: dict[str, Words] = {"approve": _("同意"), "return": _("退回补正"), "reject": _("不同意")}
PASSING: dict[str, Words] = {"approve": _("合格"), "return": _("不合格，需要整改")}

_STOOD_BACK = Question(
    lambda: (
        Recusal.objects.filter(seat__run=slot("run", Seat, "run"))
        .order_by()
        .values_list("party_key", "user_id")
    )
)


class Panel(Deciding):
    """Seats of several parties review one thing; each signs once, with a reason and points.

    `attend` is the share of seats that must sign; seats that stand back do not count. Without it
    every required seat must. It is decided as soon as every seat has signed; when the term has run
    out, with the share that must attend; and before, by its convener, once every required seat has
    signed. Source: catalogue, 1 (joint review two thirds; acceptance all six parties).
    """

    kind = "panel"
    explained = _("有关各方逐一审查签字，意见和评分公开。")
    outcomes: ClassVar = {
        "approved": _("通过"),
        "returned": _("退回"),
        "rejected": _("未通过"),
    }
    optional_outcomes = frozenset({"rejected"})

    def __init__(
        self,
        *,
        title: Words,
        seats: Iterable[SeatSpec],
        attend: Fraction | None = None,
        every_must_pass: bool = False,
        score: Score | None = None,
        **kwargs: Any,
    ) -> None:
        self.seats = tuple(seats)
        roles = tuple(dict.fromkeys(seat.role for seat in self.seats))
        super().__init__(title=title, participants=roles, **kwargs)
        self.attend = attend
        self.every_must_pass = every_must_pass
        self.score = score
        self.specs = {seat.code: seat for seat in self.seats}
        self.sheet: tuple[Criterion, ...] = score.sheet if score else ()
        self.decisions = PASSING if every_must_pass else DECISIONS

    @property
    def codes(self) -> dict[str, Words]:
        """Seats, criteria and decisions."""
        seats = {seat.code: seat.title for seat in self.seats}
        return {**self.decisions, **seats, **{line.code: line.title for line in self.sheet}}

    def seats_of(self, role: str) -> list[SeatSpec]:
        """The seats that a role has."""
        return [seat for seat in self.seats if seat.role == role]

    def seats_for(self, party: Party) -> list[SeatSpec]:
        """The seats for which a party may sign: its own, where its role has several."""
        seats = self.seats_of(party.role)
        if party.seat and len(seats) > 1:
            return [seat for seat in seats if seat.code == party.seat]
        return seats

    def faults(self) -> Iterator[str]:
        """Seats and sheet must be such that a count means something."""
        yield from super().faults()
        if not self.seats or len(self.specs) != len(self.seats):
            yield "seats are missing or have the same code twice"
        if any(seat.weight < 1 for seat in self.seats):
            yield "a seat weighs less than 1"
        if self.attend is not None and not 0 < self.attend <= 1:
            yield "attend is not a share"
        if not self.every_must_pass and "rejected" not in self.outcomes_to:
            yield "the outcome 'rejected' leads nowhere"
        if self.score is not None:
            if sum(line.max for line in self.sheet) != FULL:
                yield f"the sheet does not add up to {FULL}"
            if (self.score.mean_at_least is None) == (self.score.weighted_at_least is None):
                yield "a score needs one threshold"

    def opened(self, run: StepRun, now: dt.datetime) -> dict[str, Any]:
        """Invite every seat."""
        Seat.objects.bulk_create(Seat(run=run, code=seat.code) for seat in self.seats)
        return {"seats": [seat.code for seat in self.seats]}

    # --- acts
    @act("panel.signed", title=_("签字"), by="participants", form=SignatureForm)
    def sign(self, doing: Act) -> Written:
        """Sign for one's seat. A seat that someone stood back from may be taken by another."""
        sitting = self._sitting(doing)
        seat = self._chosen(doing, sitting.seats)
        mine = _seats_of_party(doing, sitting.seats)
        if seat in mine and seat.life == "signed":
            raise refuse(_("您已经签字；如需修改，请办理“更正签字”。"), code="duplicate")
        if seat.life == "signed":
            raise refuse(_("该席位已经由他人签字。"), field="seat", code="duplicate")
        if mine:
            raise refuse(_("一人只能为一个席位签字。"), code="wrong_party")
        _require_not_recused(sitting, doing)
        return self._written(doing, sitting, seat)

    @act(
        "panel.resigned",
        title=_("更正签字"),
        by="participants",
        form=CorrectedSignatureForm,
        optional=True,
    )
    def sign_anew(self, doing: Act) -> Written:
        """Correct one's own signature before the panel closes; the former stays in the record."""
        sitting = self._sitting(doing)
        mine = _seats_of_party(doing, sitting.seats)
        if not mine:
            raise refuse(_("您还没有签字，请先签字。"), code="closed_step")
        return self._written(doing, sitting, mine[0], former=mine[0].signature)

    @act("panel.recused", title=_("回避"), by="participants", form=RecusalForm, optional=True)
    def recuse(self, doing: Act) -> Written:
        """Stand back from one's seat, since one is related to the matter."""
        sitting = self._sitting(doing)
        mine = _seats_of_party(doing, sitting.seats)
        seat = mine[0] if mine else self._chosen(doing, sitting.seats)
        if seat.life == "recused" or (seat.life == "signed" and not mine):
            raise refuse(_("该席位已经签字或者回避。"), field="seat", code="duplicate")
        _require_not_recused(sitting, doing)
        recusal = Recusal(
            seat=seat,
            party_key=doing.party.key,
            user_id=_account(doing),
            reason=doing.data["reason"],
            at=doing.at,
        )
        body: dict[str, Any] = {"seat": seat.code, "reason": recusal.reason}
        if seat.signature is not None and seat.signature.record is not None:
            body["withdrawn"] = seat.signature.record.seq
        seat.recuse()
        seat.party_key, seat.user_id, seat.signature = None, None, None
        doing.case.unwritten.append(updating(seat))
        return Written(body, fact=recusal, outcome=self.outcome_of(sitting.seats, doing))

    @act("panel.closed", title=_("汇总结论"), by="by")
    def close(self, doing: Act) -> Written:
        """Count the signatures, when enough are there."""
        seats = self.rows(doing.open_run)
        over = doing.open_run.term_over(doing.at)
        if not self.enough(seats, over=over):
            missing = self.missing(seats)
            raise refuse(missing[0] if missing else _("签字席位不足。"), code="unmet")
        verdict = self.verdict(seats)
        return Written({"decisions": verdict.decisions}, outcome=verdict.outcome)

    # --- rows
    def _sitting(self, doing: Act) -> _Sitting:
        """What an act at a seat needs, in one message where the database takes that."""
        run = doing.open_run.pk
        asked = [SEATS.with_values(run=run), _STOOD_BACK.with_values(run=run)]
        if connection.vendor == "postgresql":
            asked.append(next_key(Signature))
        seats, stood_back, *keys = together(asked)
        return _Sitting(seats, stood_back, keys[0][0][0] if keys else None)

    def _chosen(self, doing: Act, seats: Sequence[Seat]) -> Seat:
        """The seat that the party means; with one seat to the role there is nothing to choose."""
        mine = [seat.code for seat in self.seats_for(doing.party)]
        if not mine:
            raise refuse(_("本环节没有您的席位。"), code="wrong_party")
        code = doing.data.get("seat") or mine[0]
        return next(seat for seat in seats if seat.code == code)

    def _written(
        self, doing: Act, sitting: _Sitting, seat: Seat, former: Signature | None = None
    ) -> Written:
        form: SignatureForm = doing.form
        signature = Signature(
            pk=sitting.next_signature,
            seat=seat,
            former=former,
            party_key=doing.party.key,
            decision=doing.data["decision"],
            reason=doing.data["reason"],
            remarks=doing.data["remarks"],
            scores=form.scores(),
            failed=form.failed(),
            at=doing.at,
        )
        if signature.pk is None:
            signature.save()  # else with its record
        seat.sign()
        seat.party_key, seat.user_id, seat.signature = doing.party.key, _account(doing), signature
        doing.case.unwritten.append(updating(seat))
        body: dict[str, Any] = {"seat": seat.code, "decision": signature.decision}
        if self.sheet:
            body |= {"scores": signature.scores, "points": sum(signature.scores.values())}
        for name in ("failed", "reason", "remarks"):
            if getattr(signature, name):
                body[name] = getattr(signature, name)
        corrects = former.record.seq if former is not None and former.record is not None else None
        if corrects is not None:
            body |= {"former": corrects, "why": doing.data["why"]}
        outcome = self.outcome_of(sitting.seats, doing)
        return Written(body, fact=signature, outcome=outcome, corrects=corrects)

    # --- reading
    def page(self, run: StepRun) -> dict[str, Any]:
        """`seats`, `criteria`, `signed`, `sitting`, `needed`, `threshold`, `result`, `former`.

        A seat has `title`, `life`, `decision`, `decision_label`, `at`, `reason`, `remarks`,
        `points`, `scores` and `failed` (pairs of title and value), `seq`, `corrected`, `recusal`.
        Three queries.
        """
        seats = self.rows(run)
        recusals = {
            row["seat_id"]: row["reason"]
            for row in Recusal.objects.filter(seat__run=run)
            .order_by("pk")
            .values("seat_id", "reason")
        }
        sitting = sum(seat.life != "recused" for seat in seats)
        return {
            "seats": [self._line(seat, recusals.get(seat.pk, "")) for seat in seats],
            "criteria": self.sheet,
            "signed": sum(seat.life == "signed" for seat in seats),
            "sitting": sitting,
            "needed": needed(sitting, self.attend) if self.attend is not None else sitting,
            "threshold": shown(self.score.threshold) if self.score else "",
            "rule": self.score.rule if self.score else "",
            "every_must_pass": self.every_must_pass,
            "result": run.data.get("result"),
            "former": self._former(run),
        }

    def _line(self, seat: Seat, recusal: str) -> dict[str, Any]:
        spec = self.specs[seat.code]
        line: dict[str, Any] = {
            "code": seat.code,
            "title": spec.title,
            "weight": spec.weight,
            "required": spec.required,
            "life": seat.life,
            "recusal": recusal,
        }
        signature = seat.signature
        if signature is not None:
            titles = {line.code: line.title for line in self.sheet}
            line |= {
                "decision": signature.decision,
                "decision_label": self.decisions.get(signature.decision, signature.decision),
                "reason": signature.reason,
                "remarks": signature.remarks,
                "at": signature.at,
                "seq": signature.record.seq if signature.record else None,
                "corrected": signature.former_id is not None,
                "points": sum(signature.scores.values()) if self.sheet else None,
                "scores": [(titles.get(c, c), points) for c, points in signature.scores.items()],
                "failed": [(titles.get(c, c), note) for c, note in signature.failed.items()],
            }
        return line

    def _former(self, run: StepRun) -> list[dict[str, Any]]:
        """The rounds before this one, with what they came to."""
        before = StepRun.objects.filter(process_id=run.process_id, name=run.name, pk__lt=run.pk)
        return [
            {
                "run": row["pk"],
                "round": row["round"],
                "finished": row["finished"],
                "outcome": row["outcome"],
                "outcome_label": self.outcome_names.get(row["outcome"], row["outcome"]),
                "result": row["data"].get("result"),
            }
            for row in before.order_by("pk").values("pk", "round", "finished", "outcome", "data")
        ]

    def desk(
        self, run: StepRun, roles: set[str] | None = None, query: Mapping[str, str] = NOTHING
    ) -> dict[str, Any]:
        """Who signed which seat, in clear."""
        seats = self.rows(run)
        names = directory().names({seat.party_key for seat in seats if seat.party_key})
        return {
            "signers": [
                (self.specs[seat.code].title, names.get(seat.party_key or "", ""))
                for seat in seats
                if seat.party_key
            ],
            "unmet": self.unmet(run) if run.is_open else [],
        }

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """The seats with who signed, and the accounts that stood back."""
        seats: dict[int, list[Seat]] = {run.pk: [] for run in runs}
        rows = Seat.objects.filter(run__in=runs).select_related("signature__record")
        for seat in rows.order_by("pk"):
            seats[seat.run_id].append(seat)
        stood_back: dict[int, set[int | None]] = {run.pk: set() for run in runs}
        recusals = Recusal.objects.filter(seat__run__in=runs).order_by()
        for pk, account in recusals.values_list("seat__run", "user_id"):
            stood_back[pk].add(account)
        return {pk: (found, stood_back[pk]) for pk, found in seats.items()}

    def able(self, spec: ActSpec, run: StepRun, parties: tuple[Party, ...]) -> tuple[Party, ...]:
        """Signing for who has not signed, correcting for who has, neither for who stood back."""
        if spec.name not in ("panel.signed", "panel.resigned", "panel.recused"):
            return parties
        seats, stood_back = self.glance(run)
        taken = {seat.code for seat in seats if seat.life == "signed"}
        signed = {seat.user_id for seat in seats if seat.life == "signed"}
        found = []
        for party in parties:
            free = any(seat.code not in taken for seat in self.seats_for(party))
            has = party.user_id in signed
            fits = {"panel.signed": free and not has, "panel.resigned": has}.get(
                spec.name, free or has
            )
            if fits and (party.user_id is None or party.user_id not in stood_back):
                found.append(party)
        return tuple(found)

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Closing is offered only where it may be needed."""
        if spec.name != "panel.closed":
            return True
        seats, _stood_back = self.glance(run)
        return self.enough(seats, over=run.overdue_at is not None)


@dataclass(frozen=True, slots=True)
class _Sitting:
    """The seats of a panel, the parties and accounts that stood back, and the key of a signature
    to come where the database gives keys beforehand."""

    seats: list[Seat]
    stood_back: list[tuple[str, int | None]]
    next_signature: int | None


def _require_not_recused(sitting: _Sitting, doing: Act) -> None:
    account = _account(doing)
    for key, user in sitting.stood_back:
        if key == doing.party.key or (account is not None and user == account):
            raise refuse(_("您已经回避，不能再为本环节签字。"), code="wrong_party")


def _account(doing: Act) -> int | None:
    """The account of the one who acts; for a paper form it is the typist's, who is not meant."""
    return doing.party.user_id if doing.party.via == "online" else None


def _seats_of_party(doing: Act, seats: Iterable[Seat]) -> list[Seat]:
    account = _account(doing)
    return [
        seat
        for seat in seats
        if seat.party_key == doing.party.key or (account is not None and seat.user_id == account)
    ]
