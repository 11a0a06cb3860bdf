"""What the door and the record cost an act that moves no token.

An opinion, a vote, a signature and an entry of a ledger, each against the bare INSERTs, UPDATEs and
COMMIT of the same rows by the same ORM. An opinion also against the same act without its record:
the same door with `records` cut out and the fact not told of its record; everything else (lock,
checks, form, fact, commit) is done. Each by the clock on the wall and by the processor of this
process.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from benchmarks import ground

ground.prepare()

from django.db import connection, transaction  # noqa: E402
from django.db.models import Model  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from tests.sandbox.ballot_procedures import Vote  # noqa: E402
from tests.sandbox.directory import SandboxDirectory  # noqa: E402
from tests.sandbox.opinion_procedures import OFFICE, Plans, household  # noqa: E402
from tests.sandbox.panel_procedures import Kept, Review  # noqa: E402
from workflows import acts, calendars, clock, holding, records, sweep  # noqa: E402
from workflows.counting import RollUnit  # noqa: E402
from workflows.models import Alias, Case, Community, Record, RollRow, Seat  # noqa: E402
from workflows.parties import Party  # noqa: E402

ROUNDS = 400
CLOCKS = ((time.perf_counter, "wall"), (time.process_time, "processor"))
COMMITTEE = Party("residents_committee", "person:1", None)


def copied(row: Model, **changed: object) -> Any:
    """Another row like one that is there, inserted."""
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    del values[row._meta.pk.attname]
    new = type(row)(**values)
    for name, value in {"log_index": None, **changed}.items():
        setattr(new, name, value)
    new.save(force_insert=True)
    return new


@dataclass
class Kind:
    """An act: how it is done through the door, and what sets the fact of a bare copy apart.

    `acts` gives party and payload of one after the other. `fact` gives the changed fields of the
    next copy, before it is written, and `beside` writes what else the act changes, after it.
    """

    name: str
    case: Case
    step: str
    act: str
    each: Iterator[tuple[Party, Mapping[str, Any]]]
    fact: Callable[[int, Any], dict[str, object]]
    beside: Callable[[Any], object] = lambda fact: None
    new_party: bool = True
    done: int = 0

    def perform(self) -> acts.Done:
        """The next act through the door."""
        party, payload = next(self.each)
        self.done += 1
        key = f"{self.name}{self.done}"
        return acts.perform(self.case.pk, self.step, self.act, party, payload, key=key)

    def measure(self) -> None:
        """Time, and print."""
        done = self.perform()
        sample = Record.objects.select_related("trace").get(pk=done.record.pk)
        disclosures, before = list(sample.disclosures.all()), done.fact
        copy = Case.objects.get(pk=self.case.pk)
        copy.pk, copy.number = None, f"{copy.number}0"
        copy.save(force_insert=True)

        def rows() -> None:
            """The rows of the act, written as they are: no check, no hash."""
            nonlocal before
            self.done += 1
            number = self.done
            with transaction.atomic():
                record = copied(sample, case=copy, seq=number, key=f"{self.name}b{number}")
                fact = copied(done.fact, record=record, **self.fact(number, before))  # type: ignore[arg-type]
                self.beside(fact)
                for told in disclosures:
                    copied(told, record=record)
                copied(sample.trace, record=record, receipt=f"{self.name[:8]}{number}".encode())
                if self.new_party:
                    Alias.objects.create(case=copy, party_key=str(number), name=str(number))
                Case.objects.filter(pk=copy.pk).update(length=number)
            before = fact

        for told_by, name in CLOCKS:
            taken = ground.paired({"door": self.perform, "rows": rows}, ROUNDS, clock=told_by)
            ratio = taken["door"] / taken["rows"]
            what = f"{self.name} : bare INSERTs and COMMIT of its rows ({name})"
            ground.line(what, ratio, "<= 1.5", ratio <= 1.5)
        with CaptureQueriesContext(connection) as queries:
            self.perform()
        ground.line(f"queries of {self.name}", len(queries), "<= 8", len(queries) <= 8)
        assert records.first_fault(Case.objects.get(pk=self.case.pk)) is None


def saying() -> Iterator[tuple[Party, Mapping[str, Any]]]:
    """An opinion of a household each, in words of its own."""
    number = 0
    while True:
        number += 1
        yield household(number), {"text": words(number)}


def words(number: int) -> str:
    """An opinion that nobody else has."""
    return f"希望在第{number}号位置加装扶手和坡道，老人上下方便。"


def an_opinion(estate: Community) -> Kind:
    """Of a household that has said nothing before."""
    case = acts.open_case(Plans, estate, OFFICE, title="意见")
    [step] = [s for s in Plans.steps() if "opinion.submitted" in s.acts]
    return Kind(
        "an opinion",
        case,
        step.name,
        "opinion.submitted",
        saying(),
        fact=lambda number, _before: {"fingerprint": f"f{number}"},
    )


def a_vote(estate: Community) -> Kind:
    """Of a household that has not voted; two questions. Half of the heads vote by bare rows."""
    heads = 4 * ROUNDS + 200

    def unit(number: int) -> RollUnit:
        label = f"1号楼1单元{number}室"
        ways = (f"household:{number}",)
        return RollUnit(
            f"unit:{number}", label, label, 9000, (f"owner:{number}",), may_vote_via=ways
        )

    SandboxDirectory.rolls["owners"] = [unit(number) for number in range(heads)]
    case = acts.open_case(Vote, estate, OFFICE, title="表决")
    opens_on = clock.today() + dt.timedelta(days=16)
    call = {
        "questions": "是否改造\n由谁出资",
        "matter": "ordinary",
        "reason": "属于其他重大事项",
        "opens_on": opens_on.isoformat(),
    }
    acts.perform(case, "ballot", "ballot.called", COMMITTEE, call)
    clock.set_now(dt.datetime.combine(opens_on, dt.time(9), clock.SHANGHAI))
    while sweep.sweep():
        pass
    others = iter(RollRow.objects.filter(run__process=case).order_by("-pk").values_list("pk"))
    votes = (
        (Party("owner", f"household:{n}", None), {"q1": "for", "q2": "for"}) for n in range(heads)
    )
    return Kind(
        "a vote",
        case,
        "ballot",
        "vote.cast",
        iter(votes),
        fact=lambda _number, _before: {"row_id": next(others)[0]},
    )


def a_signature(estate: Community) -> Kind:
    """Given anew again and again, for seats are few; it names the former, the seat names it."""
    case = acts.open_case(Review, estate, OFFICE, title="审查")
    party = Party("reviewer", "person:11", None, seat="x")
    data = {"seat": "x", "decision": "approve", "score_a": 50, "score_b": 30}
    acts.perform(case.pk, "panel", "panel.signed", party, data)

    def anew() -> Iterator[tuple[Party, Mapping[str, Any]]]:
        while True:
            yield party, {**data, "why": "乙项的得分算错了，现予更正"}

    other = Seat.objects.get(run__process=case, code="y")
    return Kind(
        "a signature",
        case,
        "panel",
        "panel.resigned",
        anew(),
        fact=lambda _number, before: {
            "seat": other,
            "former": before if before.seat_id == other.pk else None,
        },
        beside=lambda fact: Seat.objects.filter(pk=other.pk).update(
            life="signed", party_key="person:12", signature=fact
        ),
        new_party=False,
    )


def an_entry(estate: Community) -> Kind:
    """Of an office that keeps a ledger."""
    case = acts.open_case(Kept, estate, OFFICE, title="台账")

    def entries() -> Iterator[tuple[Party, Mapping[str, Any]]]:
        while True:
            on = clock.today().isoformat()
            yield OFFICE, {"kind": "fault", "on": on, "fen": 100, "text": "灯不亮"}

    return Kind(
        "an entry of a ledger",
        case,
        "ledger",
        "entry.added",
        entries(),
        fact=lambda _number, _before: {},
        new_party=False,
    )


def unrecorded(estate: Community) -> None:
    """An opinion against the same without its record."""
    with_record, without = (
        acts.open_case(Plans, estate, OFFICE, title=title) for title in ("甲", "乙")
    )
    [step] = [s for s in Plans.steps() if "opinion.submitted" in s.acts]
    told = step.acts["opinion.submitted"]

    def fact_alone(step: Any, doing: acts.Act) -> acts.Written:
        written = told.do(step, doing)
        assert written.fact is not None
        written.fact.save(force_insert=True)
        return replace(written, fact=None)

    untold = replace(told, do=fact_alone)
    nothing = SimpleNamespace(
        Found=records.Found,
        next_pk=lambda: ("SELECT 0", [], list),
        append=lambda case, **_kwargs: Record(case=case, step="", act=""),
        flush=lambda case: None,
        receipt_code=lambda case, seq: "",
        TooLarge=records.TooLarge,
    )
    count = iter(range(10**9))

    def submit(case: Case) -> None:
        number = next(count)
        said = household(number), {"text": words(number)}
        acts.perform(case.pk, step.name, "opinion.submitted", *said, key=f"k{number}")

    def bare() -> None:
        acts.records = holding.records = nothing
        step.acts["opinion.submitted"] = untold
        try:
            submit(without)
        finally:
            acts.records = holding.records = records
            step.acts["opinion.submitted"] = told

    ways = {"with": lambda: submit(with_record), "without": bare}
    for told_by, name in CLOCKS:
        taken = ground.paired(ways, ROUNDS, clock=told_by)
        ratio = taken["with"] / taken["without"]
        what = f"an opinion with its record : the same without ({name})"
        ground.line(what, ratio, "<= 1.3", ratio <= 1.3)


def main() -> None:
    """Time, and print."""
    calendars.seed()
    # News read the record, which one side has not: nobody listens on either.
    acts.acting.receivers.clear()
    acts.acting.sender_receivers_cache.clear()
    estate = Community.objects.create(code="bench", name="示范小区", kind="estate")
    unrecorded(estate)
    for kind in (an_opinion, a_vote, a_signature, an_entry):
        kind(estate).measure()


if __name__ == "__main__":
    main()
