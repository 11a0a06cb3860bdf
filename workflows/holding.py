"""A case in the hand of one act: locked, one object of it, and what is asked once it is held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from viewflow.workflow.status import STATUS

from . import records, statements
from .models.case import Case, StepRun
from .models.log import Checkpoint
from .models.record import Alias, Record
from .parties import Party

_in_hand: ContextVar[dict[int, Case] | None] = ContextVar("cases_in_hand", default=None)


def in_hand(case_id: int) -> Case | None:
    """The case object that the running act holds locked; nodes must not load a second copy."""
    cases = _in_hand.get()
    return cases.get(case_id) if cases else None


@contextmanager
def hold(case: Case) -> Iterator[None]:
    """Within, this is the object of the case."""
    cases = dict(_in_hand.get() or {})
    cases[case.pk] = case
    token = _in_hand.set(cases)
    try:
        yield
    finally:
        _in_hand.reset(token)


def lock_children(case: Case | int | str) -> None:
    """Lock the open child cases before their parent, in the order in which a closing child does."""
    name = "number" if isinstance(case, str) else "pk"
    key = case.pk if isinstance(case, Case) else case
    rows = Case.objects.filter(finished__isnull=True, **{f"parent__process__{name}": key})
    list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk"))


def _locked() -> models.QuerySet[Case]:
    return Case.objects.select_for_update(of=("self",)).select_related("community").order_by()


_BY_PK = statements.Question(lambda: _locked().filter(pk=statements.slot("pk", Case, "id")))
_BY_NUMBER = statements.Question(
    lambda: _locked().filter(number=statements.slot("number", Case, "number"))
)


def lock(case: Case | int | str) -> Case:
    """The case by object, primary key or public number, locked until the transaction ends; the one
    in hand, where it is. Raises ``Case.DoesNotExist``."""
    lookup: dict[str, Any]
    if isinstance(case, Case):
        already = in_hand(case.pk)
        if already is not None:
            return already
        lookup = {"pk": case.pk}
    else:
        lookup = {"number": case} if isinstance(case, str) else {"pk": case}
    # PostgreSQL locks the row; on SQLite the transaction took the write lock when it began.
    for held in (_BY_NUMBER if "number" in lookup else _BY_PK).ask(**lookup):
        return held
    raise Case.DoesNotExist


_BEFORE = statements.Question(
    lambda: (
        Record.objects.filter(
            case=statements.slot("case", Record, "case"), key=statements.slot("key", Record, "key")
        )
        .select_related("trace")
        .order_by()
    )
)
_RUN = statements.Question(
    lambda: StepRun.objects.filter(
        process=statements.slot("case", StepRun, "process"),
        name=statements.slot("name", StepRun, "name"),
        status=STATUS.STARTED,
    ).order_by("-pk")[:1]
)
# The party's name in the case; until when the case and the log are recorded: where the machine's
# clock was set back, records go on from there.
_BESIDE = statements.Question(
    lambda: (
        Case.objects.filter(pk=statements.slot("case", Case, "id"))
        .order_by()
        .values_list(
            models.Subquery(
                Alias.objects.filter(
                    case=models.OuterRef("pk"),
                    party_key=statements.slot("party_key", Alias, "party_key"),
                ).values("name")[:1]
            ),
            models.Subquery(
                Record.objects.filter(case=models.OuterRef("pk")).order_by("-seq").values("at")[:1]
            ),
            models.Subquery(Checkpoint.objects.order_by("-size").values("at")[:1]),
        )
    )
)


@dataclass(slots=True)
class Read:
    """What the door asks at once, when it holds the case: nobody else can change it now."""

    before: Record | None
    run: StepRun | None
    found: records.Found


def read(case: Case, step: str, party: Party, key: str) -> Read:
    """The same submission, if it came before; the open run of a step (of none where the act is on
    the case as a whole); what the act's record needs.

    Not with the lock in one statement: what is joined to a row that one had to wait for is as it
    was before the wait.
    """
    asked = {"beside": _BESIDE.with_values(case=case.pk, party_key=party.key)}
    if key:
        asked["before"] = _BEFORE.with_values(case=case.pk, key=key)
    if step:
        asked["run"] = _RUN.with_values(case=case.pk, name=step)
    if connection.vendor == "postgresql":
        asked["pk"] = records.next_pk()
    answers = statements.together(list(asked.values()))
    first = {name: rows[0] if rows else None for name, rows in zip(asked, answers, strict=True)}
    pk = first.get("pk")
    [(alias, *times)] = answers[0]
    case.recorded_until = max(filter(None, (case.recorded_until, *times)), default=None)
    found = records.Found(case.length, pk and pk[0], alias)
    return Read(first.get("before"), first.get("run"), found)
