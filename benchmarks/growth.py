"""What an act and a page cost in a city of a thousand cases and in larger ones, in the same run.

    .venv/bin/python -m benchmarks.growth [--least 1000 --largest 10000]

The act is an opinion of a resident through the door, at a case that is as long in each city; by the
clock on the wall, in turn. The smallest of them is the measure of all.
"""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

from benchmarks import cities, ground

if __name__ == "__main__":
    OPTIONS = cities.options(least=1000, largest=10_000, rounds=60)
    COUNTS = [10**power for power in (3, 4, 5, 6) if OPTIONS.least <= 10**power <= OPTIONS.largest]
    SIZES = {f"cases{count}": (count * 5, count, count * 15) for count in COUNTS}
    cities.prepare(OPTIONS.server, SIZES)

MOST = 1.2


class Speaker:
    """A resident of each estate of a city that is asked for its needs, one after the other."""

    def __init__(self) -> None:
        from django.test import Client

        from processes.community.models import HouseholdMember
        from workflows.models import StepRun
        from workflows.parties import Party

        asked = StepRun.objects.filter(
            name="ask_needs", finished=None, process__community__code__startswith="sample-"
        )
        run = asked.select_related("process__community").order_by("pk")[0]
        members = HouseholdMember.objects.filter(
            household__unit__stairwell__building__estate__community=run.process.community,
            owns=True,
        ).select_related("household")
        self.parties = itertools.cycle(
            Party("household", f"household:{each.household.unit_id}", each.person_id)
            for each in members
        )
        self.case, self.count = run.process, itertools.count()
        self.client: Any = Client()

    def speak(self) -> None:
        """One opinion, in words of its own."""
        from workflows import acts

        said = {"text": f"希望在第{next(self.count)}号位置加装扶手和坡道，老人上下方便。"}
        acts.perform(self.case.pk, "ask_needs", "opinion.submitted", next(self.parties), said)

    def page(self) -> None:
        """The page of the case."""
        if self.client.get(self.case.get_absolute_url()).status_code != 200:
            raise RuntimeError(self.case.number)


def main() -> None:
    """Time, and print."""
    from django.db import transaction

    speakers = {}
    for name in SIZES:
        cities.switch(name)
        speakers[name] = Speaker()
    times: dict[tuple[str, str], list[float]] = {}
    for _turn in range(OPTIONS.rounds // 10):
        for name, speaker in speakers.items():
            cities.switch(name)
            for number in range(12):
                for what, do in (("an opinion", speaker.speak), ("its page", speaker.page)):
                    begun = time.perf_counter()
                    # What was said is taken back, so that the case stays as long as it is.
                    with transaction.atomic():
                        do()
                        taken = time.perf_counter() - begun
                        transaction.set_rollback(True)
                    if number > 1:  # the first ones warm a new connection
                        times.setdefault((what, name), []).append(taken)
    first, *others = SIZES
    for what in ("an opinion", "its page"):
        base = statistics.median(times[what, first])
        for name in others:
            ratio = statistics.median(times[what, name]) / base
            said = f"{what}: {name[5:]} cases : {first[5:]}, {base * 1000:.1f} ms"
            ground.line(said, ratio, f"<= {MOST}", ratio <= MOST)


if __name__ == "__main__":
    main()
