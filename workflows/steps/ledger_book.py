"""What people see of a ledger (台账): what stands in it, its plots, what waits for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from ..models.case import Case, StepRun
from .act import ActSpec, Words
from .base import NOTHING, SHOWN, Step
from .ledger_kinds import EntryKind, Kept, Move, Standing
from .ledger_rows import LedgerEntry


class Book(Step):
    """The reading side of a `ledger.Ledger`."""

    kinds: dict[str, EntryKind]
    closing_guard: Callable[[Sequence[Standing]], list[Words]] | None

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
