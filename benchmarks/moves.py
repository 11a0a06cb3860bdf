"""What a step costs that moves the token: a task done, the next one opened, with their records.

Against bare viewflow: its own nodes on the same models, so that the same rows are written, without
fact, form, permission or record. And against SpiffWorkflow, whose state is loaded, moved on and
saved as JSON in the same database at every step. Each by the clock on the wall and by the
processor of this process; a case of five steps in a row, of which the five moves are timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks import ground

ground.prepare()

from django.db import connection, transaction  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from viewflow.workflow.status import STATUS  # noqa: E402

from benchmarks import spiff  # noqa: E402
from tests.sandbox.rows import Bare, Row  # noqa: E402
from workflows import acts, calendars, records  # noqa: E402
from workflows.models import Case, Community, StepRun  # noqa: E402
from workflows.parties import Party  # noqa: E402

ROUNDS = 60
OFFICE = Party("office", "person:9001")
NAMES = ("one", "two", "three", "four", "five")


def main() -> None:
    """Time, and print."""
    calendars.seed()
    acts.acting.receivers.clear()
    acts.acting.sender_receivers_cache.clear()
    estate = Community.objects.create(code="bench", name="示范小区", kind="estate")
    count = iter(range(10**9))

    def ours() -> Iterator[Callable[[], object]]:
        case = acts.open_case(Row, estate, OFFICE, title="甲").pk
        for name in NAMES:
            yield lambda name=name: acts.perform(
                case, name, "task.done", OFFICE, {"note": "已经办好。"}, key=name
            )
        assert records.first_fault(Case.objects.get(pk=case)) is None

    def bare() -> Iterator[Callable[[], object]]:
        number = next(count)
        Bare.start.run(
            number=f"BARE-2026-{number:06d}", procedure="bare", version="1", community=estate
        )
        case = Case.objects.get(number=f"BARE-2026-{number:06d}").pk

        def move(name: str) -> None:
            with transaction.atomic():
                run = StepRun.objects.get(process=case, name=name, status=STATUS.NEW)
                getattr(Bare, name).run(run)

        for name in NAMES:
            yield lambda name=name: move(name)
        assert Case.objects.get(pk=case).finished

    sides = {"ours": ours, "bare": bare, "spiff": lambda: spiff.moves(NAMES)}
    for clock, what in ((time.perf_counter, "wall"), (time.process_time, "processor")):
        taken = ground.stages(sides, ROUNDS, clock=clock)
        ratio = taken["ours"] / taken["bare"]
        ground.line(
            f"a step with its record : bare viewflow ({what})", ratio, "<= 0.8", ratio <= 0.8
        )
        ratio = taken["ours"] / taken["spiff"]
        ground.line(f"a step with its record : SpiffWorkflow ({what})", ratio, "<= 3", ratio <= 3)
    for name, side in sides.items():
        moves = side()
        next(moves)()
        move = next(moves)
        with CaptureQueriesContext(connection) as queries:
            move()
        print(f"queries of a step, {name}: {len(queries)}")


if __name__ == "__main__":
    main()
