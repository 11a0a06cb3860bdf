"""One case that gathers opinions: how many a second, and whether the ten-thousandth is dearer.

    .venv/bin/python -m benchmarks.opinions [--sqlite] [MOST]

Against SpiffWorkflow, where an opinion is a row in the data of the task that waits, and the state
is loaded and saved as JSON at each. It grows with every opinion, so it is timed at five sizes
spread evenly over the gathering, which stand for those between.
"""

from __future__ import annotations

import statistics
import sys
import time

from benchmarks import ground

ground.prepare()

from benchmarks import spiff  # noqa: E402
from tests.sandbox.opinion_procedures import OFFICE, Plans, household  # noqa: E402
from workflows import acts, calendars, records  # noqa: E402
from workflows.models import Case, Community  # noqa: E402

FEW = 1_000
SAMPLE = 40
CLOCKS = (time.perf_counter, time.process_time)


def text(number: int) -> str:
    """What a household says."""
    return f"希望在第{number}号位置加装扶手和坡道，老人上下方便。"


def per_opinion(case: int, numbers: range) -> tuple[list[float], list[float]]:
    """The seconds of each opinion, by the clock on the wall and by the processor."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in numbers:
        begun = [clock() for clock in CLOCKS]
        acts.perform(
            case,
            "ask",
            "opinion.submitted",
            household(number),
            {"text": text(number)},
            key=f"k{number}",
        )
        for times, clock, at in zip(taken, CLOCKS, begun, strict=True):
            times.append(clock() - at)
    return taken


def by_spiff(most: int) -> tuple[float, float]:
    """The mean seconds of an opinion while a SpiffWorkflow gathers as many."""
    key = spiff.begun(("ask",))
    count = iter(range(10**9))

    def one() -> dict[str, str]:
        number = next(count)
        return {
            "party": f"household:{number}",
            "text": text(number),
            "at": "2026-11-25T12:00:00+08:00",
        }

    means: list[list[float]] = [[], []]
    at_size = 0
    for fifth in range(5):
        size = most * (2 * fifth + 1) // 10
        more = [one() for _ in range(size - at_size)]
        spiff.stepped(key, ("ask",), lambda flow, more=more: spiff.gather(flow, more))  # type: ignore[misc]
        begun = [clock() for clock in CLOCKS]
        for _ in range(SAMPLE):
            spiff.stepped(key, ("ask",), lambda flow: spiff.gather(flow, [one()]))
        for mean, clock, since in zip(means, CLOCKS, begun, strict=True):
            mean.append((clock() - since) / SAMPLE)
        at_size = size + SAMPLE
    return statistics.fmean(means[0]), statistics.fmean(means[1])


def main() -> None:
    """Time, and print."""
    numbers = [int(each) for each in sys.argv[1:] if each.isdecimal()]
    most = numbers[0] if numbers else 10_000
    calendars.seed()
    estate = Community.objects.create(code="bench", name="示范小区", kind="estate")
    warm, case = (acts.open_case(Plans, estate, OFFICE, title=title).pk for title in ("甲", "乙"))
    per_opinion(warm, range(200))
    taken = per_opinion(case, range(most))
    few, many = by_spiff(FEW), by_spiff(most)
    for at, what in enumerate(("wall", "processor")):
        # By medians: what else the machine did in those minutes is in the means.
        first, last = (statistics.median(t) for t in (taken[at][:FEW], taken[at][-FEW:]))
        ground.line(
            f"opinions {most - FEW}-{most} : the first {FEW} ({what})",
            last / first,
            "<= 1.1",
            last <= 1.1 * first,
        )
        for name, theirs, ours in ((FEW, few, taken[at][:FEW]), (most, many, taken[at])):
            ratio = theirs[at] / statistics.fmean(ours)
            ground.line(
                f"rate of {name} opinions : SpiffWorkflow's ({what})", ratio, ">= 10", ratio >= 10
            )
        print(f"opinions a second: {1 / statistics.fmean(taken[at]):.0f} ({what})")
    assert records.first_fault(Case.objects.get(pk=case)) is None


if __name__ == "__main__":
    main()
