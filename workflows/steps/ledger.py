"""Ledger (台账): entries of declared kinds, each with a life of its own, until it is closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import clock
from ..acts import Act, Written
from ..models.case import Case, StepRun
from .act import ActSpec, Roles, Words, act, choices_of, refuse
from .children import open_child
from .ledger_book import Book
from .ledger_kinds import (
    CloseForm,
    CorrectionForm,
    DuesForm,
    Elsewhere,
    Entry,
    EntryForm,
    EntryKind,
    Kept,
    MoveForm,
    Standing,
)
from .ledger_rows import LedgerEntry, LedgerMove
from .nodes import Closing
from .opinion_rows import fingerprint

__all__ = ["Ledger", "LedgerEntry", "LedgerMove"]


class Ledger(Book):
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
        row = LedgerEntry(
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
        if kind.elsewhere is not None or kind.ends is not None:
            row.save()  # who decides on it, or until when it runs, is asked of the database
        return row

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


def _endings(code: str) -> set[str]:
    """How cases of a procedure may end."""
    from .. import procedure

    nodes = procedure.current(code, clock.today())._nodes_by_name
    return {name for name, node in nodes.items() if isinstance(node, Closing)}
