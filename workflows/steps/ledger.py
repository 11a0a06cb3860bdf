"""Ledger (台账): entries of declared kinds, each with a life of its own, until it is closed."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django import forms
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import clock
from ..acts import Act, Written
from ..models.case import Case, StepRun
from .base import NOTHING, SHOWN, ActForm, ActSpec, Roles, Step, Words, act, choices_of, refuse
from .children import open_child
from .ledger_rows import LedgerEntry, LedgerMove
from .nodes import Closing
from .opinion import PublicText, fingerprint

__all__ = ["Elsewhere", "EntryForm", "EntryKind", "Ledger", "LedgerEntry", "LedgerMove", "Move"]


@dataclass(slots=True)
class Entry:
    """What a form says of an entry. Amounts in fen; `private` and `subject_key` are not public."""

    on: dt.date
    amount: int | None = None
    value: int | None = None
    public: dict[str, Any] = field(default_factory=dict)
    private: dict[str, str] = field(default_factory=dict)
    subject_key: str = ""
    mark: str = ""


class EntryForm(ActForm):
    """The form of a kind of entry; procedures give their own fields and `entry`."""

    kind = forms.CharField(widget=forms.HiddenInput)
    on = forms.DateField(label=_("日期"), widget=forms.DateInput(attrs={"type": "date"}))

    def clean_on(self) -> dt.date:
        """Not in the future."""
        on: dt.date = self.cleaned_data["on"]
        if on > timezone.localtime(self.act.at).date():
            raise forms.ValidationError(_("日期不能晚于今天。"))
        return on

    def entry(self) -> Entry:
        """What the answers mean."""
        return Entry(on=self.cleaned_data["on"])


class MoveForm(ActForm):
    """The form of a move; procedures add fields. `public` and `private` go into its row."""

    entry = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**63 - 1)
    to = forms.CharField(widget=forms.HiddenInput)

    def public(self) -> dict[str, Any]:
        """What everybody may read of the move."""
        return {}

    def private(self) -> dict[str, str]:
        """What is not public; enters the record as digests."""
        return {}

    def change(self, entry: LedgerEntry) -> None:
        """Change the entry's figures with the move (a payment's day, say)."""


class NotedMoveForm(MoveForm):
    """A move with words on what was done."""

    note = PublicText(label=_("说明（将公开）"), max_length=1000)

    def public(self) -> dict[str, Any]:
        """The words."""
        return {"note": self.cleaned_data["note"]}


@dataclass(frozen=True, slots=True)
class Move:
    """A step in the life of an entry: from `source` to `target`, done by `by`."""

    name: str
    title: Words
    source: str
    target: str
    by: Roles
    form: type[MoveForm] = NotedMoveForm


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Entries that a case of another procedure decides about while the ledger goes on.

    Those of which `when` holds are in `state` until that case ends; then the state that is named as
    its end is theirs.
    """

    procedure: str
    when: Callable[[Entry], bool]
    state: str


@dataclass(frozen=True, slots=True)
class EntryKind:
    """A kind of entry: who enters it with which form, its life, and what blocks closing.

    `waiting` are the states in which the ledger cannot be closed; in the `hidden` ones the public
    knows of the entry in numbers only. `check` refuses an entry that does not fit the others.
    `elsewhere` says which entries a child case decides about. `ends` is the last day of an
    entry that runs for a time (a warranty): `remind` days before a record says so and the keepers'
    inbox asks for it; after that day it goes to the state `ended` by itself. It runs in the states
    `runs`, or if none are named in all but `ended`. None while that day is still a guess.
    `labels` are what people read for the names of its public fields, where it has words of its own.
    """

    code: str
    title: Words
    by: Roles
    form: type[EntryForm]
    start: str
    states: dict[str, Words]
    moves: tuple[Move, ...] = ()
    waiting: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    unit: str = ""
    check: Callable[[QuerySet[LedgerEntry], Entry], None] | None = None
    elsewhere: Elsewhere | None = None
    ends: Callable[[LedgerEntry], dt.date | None] | None = None
    remind: int = 30
    ended: str = ""
    runs: frozenset[str] = frozenset()
    labels: Mapping[str, Words] = field(default_factory=dict)


class DuesForm(ActForm):
    """What every household is to pay."""

    amount = forms.DecimalField(
        label=_("每户应缴（元）"), min_value=0, max_digits=10, decimal_places=2
    )

    def clean_amount(self) -> int:
        """In fen, more than nothing."""
        fen = int(self.cleaned_data["amount"] * 100)
        if fen <= 0:
            raise forms.ValidationError(_("金额应大于零。"))
        return fen


class CorrectionForm(ActForm):
    """Which entry is wrong, and why; the right one is entered anew."""

    entry = forms.IntegerField(label=_("台账条目"), widget=forms.HiddenInput, min_value=1)
    reason = PublicText(label=_("更正原因（将公开）"), max_length=500)


class CloseForm(ActForm):
    """Why the ledger is complete."""

    reason = PublicText(label=_("说明（将公开）"), max_length=500)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many entries of a kind stand in a state, and the largest of their values."""

    kind: str
    state: str
    n: int
    most: int | None


@dataclass(slots=True)
class Kept:
    """What lists ask of a ledger: what stands in it, and the entries that run for a time."""

    standing: Sequence[Standing]
    timed: Sequence[LedgerEntry]


class Ledger(Step):
    """Entries of several `kinds`, kept until the office closes the ledger.

    A ledger that is opened again (a back edge) goes on with the entries it has. `dues` names the
    kind of which each household gets an entry by one act. `closing_guard` says what else lacks, by
    what stands in it.
    """

    kind = "ledger"
    explained = _("每一笔、每一项进展都登记公开。")
    paged = "entries"
    outcomes: ClassVar[dict[str, Words]] = {"done": _("已结清")}

    def __init__(
        self,
        *,
        title: Words,
        kinds: Iterable[EntryKind],
        dues: str = "",
        closing_guard: Callable[[Sequence[Standing]], list[Words]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(title=title, **kwargs)
        self.kinds = {kind.code: kind for kind in kinds}
        self.dues = dues
        self.closing_guard = closing_guard
        roles = [role for kind in self.kinds.values() for role in kind.by]
        roles += [r for kind in self.kinds.values() for move in kind.moves for r in move.by]
        self.keepers: Roles = tuple(dict.fromkeys([*self.by, *roles]))

    @property
    def desk_roles(self) -> Roles:
        """All who enter or move something."""
        return self.keepers

    @property
    def codes(self) -> dict[str, Words]:
        """Kinds, their states, and the choices of their forms."""
        found: dict[str, Words] = {}
        for kind in self.kinds.values():
            found |= {kind.code: kind.title, **kind.states, **choices_of(kind.form)}
            for move in kind.moves:
                found |= choices_of(move.form)
        return found

    @property
    def labels(self) -> dict[str, Words]:
        """As its kinds have them."""
        return {name: label for kind in self.kinds.values() for name, label in kind.labels.items()}

    def faults(self) -> Iterator[str]:
        """Also: kinds without a start, moves between states that are none, one field under two
        names."""
        yield from super().faults()
        found = [row for kind in self.kinds.values() for row in kind.labels.items()]
        for name, label in found:
            if label != self.labels[name]:
                yield f"the field {name!r} has two labels: {label}, {self.labels[name]}"
        for kind in self.kinds.values():
            known = set(kind.states)
            named = {kind.start, *kind.waiting, *kind.hidden, *([kind.ended] if kind.ends else [])}
            if kind.elsewhere is not None:
                named |= {kind.elsewhere.state, *_endings(kind.elsewhere.procedure)}
            named |= {state for move in kind.moves for state in (move.source, move.target)}
            if named - known:
                yield f"kind {kind.code}: states {sorted(named - known)} are not declared"
        if self.dues and self.dues not in self.kinds:
            yield "the kind of the dues is not declared"

    def entries(self, case: Case) -> QuerySet[LedgerEntry]:
        """The entries of this ledger through all runs of the step."""
        return LedgerEntry.objects.filter(case=case, step=self.name)

    def standing(self, case: Case) -> QuerySet[LedgerEntry]:
        """Those that count."""
        return self.entries(case).filter(standing="stands")

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """What stands in each ledger, and its entries that run for a time."""
        rows = LedgerEntry.objects.filter(
            case__in={run.process_id for run in runs},
            step__in={run.name for run in runs},
            standing="stands",
        )
        standing: dict[tuple[int, str], list[Standing]] = defaultdict(list)
        counts = rows.order_by("kind", "state").values_list("case", "step", "kind", "state")
        for case, step, kind, state, n, most in counts.annotate(n=Count("pk"), most=Max("value")):
            standing[case, step].append(Standing(kind, state, n, most))
        timed: dict[tuple[int, str], list[LedgerEntry]] = defaultdict(list)
        kinds = {code for run in runs for code in run.step.timed}
        for row in rows.filter(kind__in=kinds).order_by("pk") if kinds else ():
            timed[row.case_id, row.step].append(row)
        places = {run.pk: (run.process_id, run.name) for run in runs}
        return {pk: Kept(standing[place], timed[place]) for pk, place in places.items()}

    @property
    def timed(self) -> dict[str, EntryKind]:
        """The kinds whose entries run for a time."""
        return {code: kind for code, kind in self.kinds.items() if kind.ends is not None}

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Moves and corrections have their buttons beside the entries."""
        if spec.name in ("entry.moved", "entry.corrected"):
            return False
        if spec.name == "dues.set":
            kept: Kept = self.glance(run)
            return bool(self.dues) and all(row.kind != self.dues for row in kept.standing)
        if spec.name == "ledger.closed":
            return not self.unmet(run)
        return True

    def variants(self, spec: ActSpec, run: StepRun, roles: set[str]) -> list[tuple[str, Words]]:
        """One button for each kind that the viewer may enter."""
        if spec.name != "entry.added":
            return super().variants(spec, run, roles)
        return [
            (f"kind={kind.code}", _("登记%(kind)s") % {"kind": kind.title})
            for kind in self.kinds.values()
            if roles.intersection(kind.by) and kind.code != self.dues
        ]

    def act_title(self, spec: ActSpec, query: Any) -> Words:
        """The kind that is entered, or the move that is made."""
        kind = self.kinds.get(str(query.get("kind", "")))
        if spec.name == "entry.added" and kind is not None:
            return _("登记%(kind)s") % {"kind": kind.title}
        moves = {move.name: move.title for each in self.kinds.values() for move in each.moves}
        to = str(query.get("to", ""))
        return moves.get(to, spec.title) if spec.name == "entry.moved" else spec.title

    # --- acts
    def entry_form(self, doing: Act) -> type[EntryForm]:
        """The form of the kind that is meant."""
        kind = self.kinds.get(str(doing.payload.get("kind", "")))
        if kind is None:
            raise refuse(_("请从台账页面选择要登记的种类。"))
        return kind.form

    @act("entry.added", title=_("登记台账"), by="keepers", form="entry_form", optional=True)
    def add(self, doing: Act) -> Written:
        """Enter something."""
        kind = self._kind(doing, doing.data["kind"])
        entry: Entry = doing.form.entry()
        if kind.check is not None:
            kind.check(self.standing(doing.case).filter(kind=kind.code), entry)
        row = self._write(doing, kind, entry)
        if kind.elsewhere is not None and kind.elsewhere.when(entry):
            self._decide_elsewhere(doing, kind.elsewhere, row)
        body: dict[str, Any] = {"kind": kind.code, "on": entry.on.isoformat(), **row.public}
        if entry.amount is not None:
            body["amount"] = entry.amount
        if entry.value is not None:
            body["value"] = entry.value
        if kind.ends is not None:
            self._look_again(doing.open_run, doing.at)
            doing.open_run.save(update_fields=["scheduled"])
        return Written(body, entry.private, row)

    def _decide_elsewhere(self, doing: Act, where: Elsewhere, row: LedgerEntry) -> None:
        kind = self.kinds[row.kind]
        child = open_child(doing.open_run, where.procedure, kind.code, kind.title, doing.at)
        row.move(where.state)
        row.public = {**row.public, "decided_in": child.number}
        row.save(update_fields=["state", "public"])

    @act("child.closed", title=_("公示结论"), by=("clock",), page=False)
    def decided_elsewhere(self, doing: Act) -> Written:
        """The case that decides about an entry has ended: its end is the entry's state."""
        child = Case.objects.get(number=doing.payload["number"], parent__process=doing.case)
        row = self._entry_of(child)
        source = row.state
        row.move(child.outcome)
        row.save(update_fields=["state"])
        move = LedgerMove(entry=row, name="decided", source=source, target=row.state, at=doing.at)
        body = {"kind": row.kind, "to": row.state, "entry": row.seq, "decided_in": child.number}
        return Written(body, fact=move)

    def _entry_of(self, child: Case) -> LedgerEntry:
        assert child.parent is not None
        return self.entries(child.parent.process).get(public__decided_in=child.number)

    def handed(self, child: Case) -> dict[str, Any]:
        """The words of the entry that a child case decides about, and its public papers."""
        row = self._entry_of(child)
        papers = row.record.files.filter(public=True) if row.record is not None else ()
        return {"document": row.public, "files": list(papers)}

    def _kind(self, doing: Act, code: str) -> EntryKind:
        kind = self.kinds.get(code)
        if kind is None or doing.party.role not in kind.by:
            raise refuse(_("您的身份不能登记这一种类。"), code="wrong_party")
        return kind

    def _write(self, doing: Act, kind: EntryKind, entry: Entry) -> LedgerEntry:
        mark = fingerprint(doing.case, kind.code, entry.mark) if entry.mark else None
        if mark and self.standing(doing.case).filter(kind=kind.code, mark=mark).exists():
            raise refuse(_("同样的条目已经登记过。"), code="duplicate")
        return LedgerEntry.objects.create(
            case=doing.case,
            step=self.name,
            run=doing.open_run,
            seq=None if kind.start in kind.hidden else doing.case.length,
            kind=kind.code,
            state=kind.start,
            on=entry.on,
            amount=entry.amount,
            value=entry.value,
            public=entry.public,
            private=entry.private,
            subject_key=entry.subject_key,
            mark=mark,
            created=doing.at,
        )

    @act("dues.set", title=_("确定每户应缴"), by="by", form=DuesForm)
    def set_dues(self, doing: Act) -> Written:
        """Give every household an entry of what it is to pay. Who has not paid is never public."""
        from ..parties import directory

        kind = self.kinds.get(self.dues)
        if kind is None or self.standing(doing.case).filter(kind=self.dues).exists():
            raise refuse(_("每户应缴金额已经确定。"), code="duplicate")
        members = directory().members("households", doing.case.community)
        if not members:
            raise refuse(_("名册是空的，请先导入名册。"), code="unmet")
        today = timezone.localtime(doing.at).date()
        LedgerEntry.objects.bulk_create(
            LedgerEntry(
                case=doing.case,
                step=self.name,
                run=doing.open_run,
                kind=kind.code,
                state=kind.start,
                on=today,
                amount=doing.data["amount"],
                public={"unit": member.public_label},
                private={"unit": member.label},
                subject_key=member.key,
                created=doing.at,
            )
            for member in members
        )
        return Written(
            {"kind": kind.code, "amount": doing.data["amount"], "households": len(members)}
        )

    def move_form(self, doing: Act) -> type[MoveForm]:
        """The form of the move that is meant."""
        for kind in self.kinds.values():
            for move in kind.moves:
                if move.name == doing.payload.get("to"):
                    return move.form
        raise refuse(_("请从台账页面选择要办理的条目。"))

    @act("entry.moved", title=_("办理台账条目"), by="keepers", form="move_form")
    def move(self, doing: Act) -> Written:
        """Take an entry one step on in its life."""
        row = self._row(doing)
        kind = self.kinds[row.kind]
        move = next((m for m in kind.moves if m.name == doing.data["to"]), None)
        if move is None or doing.party.role not in move.by:
            raise refuse(_("您的身份不能办理这一操作。"), code="wrong_party")
        if row.state != move.source:
            raise refuse(
                _("该条目现在是“%(state)s”，不能办理这一操作。")
                % {"state": kind.states[row.state]},
                code="duplicate",
            )
        form: MoveForm = doing.form
        form.change(row)
        row.move(move.target)
        if kind.ends is not None:
            row.save()
            self._look_again(doing.open_run, doing.at)
            doing.open_run.save(update_fields=["scheduled"])
        was_hidden = move.source in kind.hidden and move.target not in kind.hidden
        if was_hidden or row.seq is None:
            row.seq = None if move.target in kind.hidden else doing.case.length
        row.save()
        step = LedgerMove.objects.create(
            entry=row,
            name=move.name,
            source=move.source,
            target=move.target,
            public=form.public(),
            private=form.private(),
            at=doing.at,
        )
        body: dict[str, Any] = {"kind": kind.code, "to": move.target, **form.public()}
        if was_hidden:
            body |= {"amount": row.amount, "on": row.on.isoformat(), **row.public}
        elif row.seq is not None:
            body["entry"] = row.seq
        return Written(body, form.private(), step)

    @act(
        "entry.corrected", title=_("更正台账条目"), by="keepers", form=CorrectionForm, optional=True
    )
    def correct(self, doing: Act) -> Written:
        """Strike a wrong entry; it stays visible, and the right one is entered anew."""
        row = self._row(doing)
        kind = self._kind(doing, row.kind)
        if kind.elsewhere is not None and row.state == kind.elsewhere.state:
            raise refuse(
                _("该条目正在公示（%(number)s），公示结束后方可更正。")
                % {"number": row.public["decided_in"]},
                code="early",
            )
        row.strike()
        row.save()
        if row.kind == self.dues:  # what the household owes is not wrong, its payment was
            LedgerEntry.objects.create(
                case=doing.case,
                step=self.name,
                run=doing.open_run,
                kind=row.kind,
                state=kind.start,
                on=timezone.localtime(doing.at).date(),
                amount=row.amount,
                public=row.public,
                private=row.private,
                subject_key=row.subject_key,
                created=doing.at,
            )
        body = {"kind": row.kind, "reason": doing.data["reason"]}
        return Written(body, corrects=row.seq)

    def _row(self, doing: Act) -> LedgerEntry:
        row = self.standing(doing.case).filter(pk=doing.data["entry"]).first()
        if row is None:
            raise refuse(_("没有找到该条目，请刷新后重试。"), field="entry")
        return row

    @act("ledger.closed", title=_("台账结清"), by="by", form=CloseForm)
    def close(self, doing: Act) -> Written:
        """Close the ledger, when nothing waits in it."""
        if missing := self.unmet(doing.open_run):
            raise refuse(missing[0], code="unmet")
        return Written({"reason": doing.data["reason"]}, outcome="done")

    # --- entries that run for a time
    def _running(self, run: StepRun) -> list[tuple[LedgerEntry, EntryKind, dt.date]]:
        """Entries that have not ended yet, each with its last day, the soonest first."""
        timed = self.timed
        found = []
        for row in self.glance(run).timed if timed else ():
            kind = timed.get(row.kind)
            if kind is None or kind.ends is None:
                continue
            runs = row.state in kind.runs if kind.runs else row.state != kind.ended
            last = kind.ends(row) if runs else None
            if last is not None:
                found.append((row, kind, last))
        return sorted(found, key=lambda each: (each[2], each[0].pk))

    def _look_again(self, run: StepRun, now: dt.datetime) -> None:
        """Schedule the next reminder, or the next end."""
        told = run.data.get("reminded", [])
        days = [
            last + dt.timedelta(days=1) if row.pk in told else last - dt.timedelta(days=kind.remind)
            for row, kind, last in self._running(run)
        ]
        run.scheduled = (
            max(dt.datetime.combine(min(days), dt.time(), clock.SHANGHAI), now) if days else None
        )

    def term_ended(self, run: StepRun, now: dt.datetime) -> str | None:
        """Reminds of what ends soon, and ends what has run out; never closes the ledger."""
        today = timezone.localtime(now).date()
        reminded, said = list(run.data.get("reminded", [])), []
        for row, kind, last in self._running(run):
            if today > last:
                row.move(kind.ended)
                row.save()
            elif row.pk in reminded or today < last - dt.timedelta(days=kind.remind):
                continue
            else:
                reminded.append(row.pk)
            said.append(
                {"entry": row.seq, "kind": row.kind, "life": row.state, "ends_on": last.isoformat()}
            )
        run.data = {**run.data, "reminded": reminded, "said": said}
        self._look_again(run, now + dt.timedelta(seconds=1))
        return None

    def phase_body(self, run: StepRun) -> dict[str, Any]:
        """Which entries end soon or have ended."""
        return {"entries": run.data["said"]} if run.data.get("said") else {}

    def next_due(self, run: StepRun) -> dt.date | None:
        """The soonest end of which the keepers have been reminded."""
        told = run.data.get("reminded", [])
        return next((last for row, _kind, last in self._running(run) if row.pk in told), None)

    # --- completion
    def unmet(self, run: StepRun) -> list[Words]:
        """Entries that wait, and what the procedure adds."""
        kept: Kept = self.glance(run)
        missing: list[Words] = []
        for row in kept.standing:
            kind = self.kinds.get(row.kind)
            if kind is not None and row.state in kind.waiting:
                missing.append(
                    _("%(kind)s：还有%(n)s项“%(state)s”")
                    % {"kind": kind.title, "n": row.n, "state": kind.states[row.state]}
                )
        if self.dues and all(row.kind != self.dues for row in kept.standing):
            missing.append(_("尚未确定每户应缴金额"))
        if self.closing_guard is not None:
            missing.extend(self.closing_guard(kept.standing))
        return missing

    def result(self, run: StepRun) -> dict[str, Any]:
        """Entries and amounts by kind and state."""
        return {"totals": self._totals(run.process)}

    def _totals(self, case: Case) -> list[dict[str, Any]]:
        rows = (
            self.standing(case)
            .order_by("kind", "state")
            .values("kind", "state")
            .annotate(n=Count("pk"), amount=Sum("amount"))
        )
        return [
            {
                "kind": row["kind"],
                "state": row["state"],
                "n": row["n"],
                **({"amount": row["amount"]} if row["amount"] is not None else {}),
            }
            for row in rows
        ]

    # --- reading
    def page(self, run: StepRun) -> dict[str, Any]:
        """Totals by kind and state, series for plots, and what the public may read."""
        case = run.process
        entries = (
            self.entries(case)
            .filter(seq__isnull=False)
            .prefetch_related("moves", "record__files")
            .order_by("-on", "-pk")
        )
        totals = [
            {
                **row,
                "kind_title": self.kinds[row["kind"]].title,
                "state_title": self.kinds[row["kind"]].states.get(row["state"], row["state"]),
            }
            for row in self._totals(case)
            if row["kind"] in self.kinds
        ]
        return {
            "totals": totals,
            "entries": entries,
            "kinds": self.kinds,
            "plots": [plot for kind in self.kinds.values() if (plot := self._plot(case, kind))],
        }

    def _plot(self, case: Case, kind: EntryKind) -> dict[str, Any] | None:
        """Paid amounts added up by day, or the latest value by day; thousandths for the drawing."""
        rows = self.standing(case).filter(kind=kind.code, seq__isnull=False).order_by("on", "pk")
        if kind.unit == "percent":
            series = [(on, value or 0) for on, value in rows.values_list("on", "value")[:500]]
            top = 100
        elif kind.hidden:
            series, total = [], 0
            for on, amount in rows.values_list("on", "amount")[:5000]:
                total += amount or 0
                series.append((on, total))
            whole = self.standing(case).filter(kind=kind.code).aggregate(s=Sum("amount"))["s"]
            top = max(whole or 0, total, 1)
        else:
            return None
        by_day = dict(series)
        if len(by_day) < 2:
            return None
        days = sorted(by_day)
        span = (days[-1] - days[0]).days or 1
        points = [
            {
                "x": (day - days[0]).days * 1000 // span,
                "y": by_day[day] * 1000 // top,
                "label": day,
                "raw": by_day[day],
            }
            for day in days
        ]
        return {
            "title": kind.title,
            "percent": kind.unit == "percent",
            "points": points,
            "line": " ".join(f"{point['x']},{point['y']}" for point in points),
            "x_ticks": [days[0], days[-1]],
            "top": top,
        }

    def desk(
        self, run: StepRun, roles: set[str] | None = None, query: Mapping[str, str] = NOTHING
    ) -> dict[str, Any]:
        """`waiting`: entries that the `roles` may take a step on, in clear, with the moves for
        each, a hundred at once, narrowed by ``find``; `count` of all of them; `correctable`: the
        kinds whose entries they may correct."""
        find = " ".join(query.get("find", "").split())[:40]
        moves = self._moves(roles)
        rows = self._movable(run.process, moves)
        if find:
            rows = rows.filter(private__unit__icontains=find)
        waiting = [
            {
                "row": row,
                "kind": self.kinds[row.kind].title,
                "state": self.kinds[row.kind].states.get(row.state, row.state),
                "moves": moves[row.kind, row.state],
            }
            for row in rows.order_by("pk")[:SHOWN]
        ]
        return {
            "waiting": waiting,
            "count": rows.count(),
            "find": find,
            "correctable": {
                kind.code for kind in self.kinds.values() if roles is None or roles & {*kind.by}
            },
        }

    def _moves(self, roles: set[str] | None) -> dict[tuple[str, str], list[Move]]:
        """The moves that the roles may make, by kind and state."""
        found: dict[tuple[str, str], list[Move]] = {}
        for kind in self.kinds.values():
            for move in kind.moves:
                if roles is None or roles & {*move.by}:
                    found.setdefault((kind.code, move.source), []).append(move)
        return found

    def _movable(self, case: Case, moves: Iterable[tuple[str, str]]) -> QuerySet[LedgerEntry]:
        which = Q(pk__in=())
        for kind, state in moves:
            which |= Q(kind=kind, state=state)
        return self.standing(case).filter(which)

    def waiting(self, run: StepRun, roles: set[str]) -> list[Words]:
        """What else is missing, for who closes it; how many entries wait for a step that the roles
        may take, of those that run for a time only the ones reminded of."""
        kept: Kept = self.glance(run)
        told = run.data.get("reminded", [])
        numbers = {
            (row.kind, row.state): row.n for row in kept.standing if row.kind not in self.timed
        }
        for entry in kept.timed:
            if entry.pk in told:
                place = entry.kind, entry.state
                numbers[place] = numbers.get(place, 0) + 1
        missing: list[Words] = []
        if self.closing_guard is not None and roles & {*self.by}:
            missing = self.closing_guard(kept.standing)
        return [*missing] + [
            _("%(kind)s：%(n)s项“%(state)s”")
            % {
                "kind": self.kinds[kind].title,
                "n": numbers[kind, state],
                "state": self.kinds[kind].states[state],
            }
            for kind, state in self._moves(roles)
            if (kind, state) in numbers
        ]

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """The entry that is meant, in clear: for those who keep the ledger."""
        key = str(query.get("entry", ""))
        if spec.name not in ("entry.moved", "entry.corrected") or not key.isdecimal():
            return {}
        row = self.standing(run.process).filter(pk=int(key[:18])).first()
        if row is None:
            return {}
        kind = self.kinds[row.kind]
        return {"entry": row, "kind": kind, "state": kind.states.get(row.state, row.state)}


def _endings(code: str) -> set[str]:
    """How cases of a procedure may end."""
    from .. import procedure

    nodes = procedure.current(code, clock.today())._nodes_by_name
    return {name for name, node in nodes.items() if isinstance(node, Closing)}
