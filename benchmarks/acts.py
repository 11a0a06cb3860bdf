"""What the record costs an act: an opinion with its record, against the same without.

Without means: the same act through the same door, with `records` cut out and the fact not told of
its record; everything else (lock, checks, form, fact, commit) is done.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from benchmarks import ground

ground.prepare()

from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from tests.sandbox.opinion_procedures import OFFICE, Plans, household  # noqa: E402
from workflows import acts, calendars, records  # noqa: E402
from workflows.models import Case, Community, Record  # noqa: E402

ROUNDS = 400


def main() -> None:
    """Time, and print."""
    calendars.seed()
    estate = Community.objects.create(code="bench", name="示范小区", kind="estate")
    with_record, without = (
        acts.open_case(Plans, estate, OFFICE, title=title) for title in ("甲", "乙")
    )
    [step] = [s for s in Plans.steps() if "opinion.submitted" in s.acts]
    told = step.acts["opinion.submitted"]
    untold = replace(told, do=lambda step, doing: replace(told.do(step, doing), fact=None))
    nothing = SimpleNamespace(
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

    taken = ground.paired({"with": lambda: submit(with_record), "without": bare}, ROUNDS)
    with CaptureQueriesContext(connection) as queries:
        submit(with_record)
    ratio = taken["with"] / taken["without"]
    ground.line("an opinion with its record : the same without", ratio, "<= 1.3", ratio <= 1.3)
    print(f"queries of an opinion with its record: {len(queries)}")
    assert records.first_fault(Case.objects.get(pk=with_record.pk)) is None


if __name__ == "__main__":
    main()
