"""What the door and the record cost an act that moves no token: an opinion.

Against the same act without its record: the same door with `records` cut out and the fact not told
of its record; everything else (lock, checks, form, fact, commit) is done. And against the bare
INSERTs and COMMIT of the same rows by the same ORM. Each by the clock on the wall and by the
processor of this process.
"""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from benchmarks import ground

ground.prepare()

from django.db import connection, transaction  # noqa: E402
from django.db.models import Model  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from tests.sandbox.opinion_procedures import OFFICE, Plans, household  # noqa: E402
from workflows import acts, calendars, records  # noqa: E402
from workflows.models import Alias, Case, Community, Record  # noqa: E402
from workflows.steps.opinion import Opinion  # noqa: E402

ROUNDS = 400


def copied(row: Model, **changed: object) -> Any:
    """Another row like one that is there, inserted."""
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    del values[row._meta.pk.attname]
    new = type(row)(**values)
    for name, value in {"log_index": None, **changed}.items():
        setattr(new, name, value)
    new.save(force_insert=True)
    return new


def main() -> None:
    """Time, and print."""
    calendars.seed()
    # News read the record, which one side has not: nobody listens on either.
    acts.acting.receivers.clear()
    acts.acting.sender_receivers_cache.clear()
    estate = Community.objects.create(code="bench", name="示范小区", kind="estate")
    with_record, without = (
        acts.open_case(Plans, estate, OFFICE, title=title) for title in ("甲", "乙")
    )
    [step] = [s for s in Plans.steps() if "opinion.submitted" in s.acts]
    told = step.acts["opinion.submitted"]

    def unrecorded(step: Any, doing: acts.Act) -> acts.Written:
        written = told.do(step, doing)
        assert written.fact is not None
        written.fact.save(force_insert=True)
        return replace(written, fact=None)

    untold = replace(told, do=unrecorded)
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
        acts.perform(
            case.pk,
            step.name,
            "opinion.submitted",
            household(number),
            {"text": f"希望在第{number}号位置加装扶手和坡道，老人上下方便。"},
            key=f"k{number}",
        )

    def bare() -> None:
        acts.records, step.acts["opinion.submitted"] = nothing, untold
        try:
            submit(without)
        finally:
            acts.records, step.acts["opinion.submitted"] = records, told

    def rows() -> None:
        """The rows of an opinion, written as they are: no check, no hash."""
        number = next(count)
        with transaction.atomic():
            record = copied(sample, case=others, seq=number, key=f"k{number}")
            copied(fact, record=record, case=others, fingerprint=f"f{number}")
            for told in sample.disclosures.all():
                copied(told, record=record)
            copied(sample.trace, record=record, receipt=number.to_bytes(32, "big"))
            Alias.objects.create(case=others, party_key=f"household:{number}", name=str(number))
            Case.objects.filter(pk=others.pk).update(length=number)

    submit(with_record)
    last = Record.objects.filter(case=with_record).select_related("trace")
    sample = last.prefetch_related("disclosures").latest("seq")
    fact = Opinion.objects.get(record=sample)
    others = acts.open_case(Plans, estate, OFFICE, title="丙")
    ways = {"with": lambda: submit(with_record), "without": bare, "rows": rows}
    for clock, name in ((time.perf_counter, "wall"), (time.process_time, "processor")):
        taken = ground.paired(ways, ROUNDS, clock=clock)
        ratio = taken["with"] / taken["without"]
        what = f"an opinion with its record : the same without ({name})"
        ground.line(what, ratio, "<= 1.3", ratio <= 1.3)
        ratio = taken["with"] / taken["rows"]
        what = f"an opinion : bare INSERTs and COMMIT of its rows ({name})"
        ground.line(what, ratio, "<= 1.5", ratio <= 1.5)
    with CaptureQueriesContext(connection) as queries:
        submit(with_record)
    ground.line("queries of an opinion with its record", len(queries), "<= 8", len(queries) <= 8)
    assert records.first_fault(Case.objects.get(pk=with_record.pk)) is None


if __name__ == "__main__":
    main()
