"""What 50,000 followers cost an act, and how long it takes until all of them have it.

.venv/bin/python -m benchmarks.news            on PostgreSQL
.venv/bin/python -m benchmarks.news --sqlite
"""

from __future__ import annotations

import time

from benchmarks import ground

ground.prepare()

from django.contrib.auth import get_user_model  # noqa: E402

from notifications import fanout, following  # noqa: E402
from notifications.models import Delivery, Reader, Subscription, pages_of  # noqa: E402
from tests.sandbox.opinion_procedures import OFFICE, Plans  # noqa: E402
from workflows import acts, calendars, clock  # noqa: E402
from workflows.models import Case, Community  # noqa: E402

FOLLOWERS = 50_000
ROUNDS = 200


def followed(case: Case) -> None:
    """Give a case its followers."""
    person = get_user_model()
    made = [person(username=f"f{number}") for number in range(FOLLOWERS)]
    person.objects.bulk_create(made, batch_size=2000)
    Reader.objects.bulk_create([Reader(user=each) for each in made], batch_size=2000)
    readers = list(Reader.objects.values_list("pk", flat=True))
    for at in range(0, FOLLOWERS, 5000):
        pages_of(readers[at : at + 5000])
    key, now = following.Thing(case=case).key, clock.now()
    rows = [Subscription(reader_id=pk, case=case, key=key, since=now) for pk in readers]
    Subscription.objects.bulk_create(rows, batch_size=2000)


def main() -> None:
    """Time, and print."""
    calendars.seed()
    estate = Community.objects.create(code="bench", name="示范小区", kind="estate")
    alone, busy = (acts.open_case(Plans, estate, OFFICE, title=title) for title in ("甲", "乙"))
    followed(busy)
    count = iter(range(10**9))

    def correct(case: Case) -> None:
        acts.perform(
            case.pk, acts.CASE, "record.corrected", OFFICE, {"seq": 0, "text": f"更正{next(count)}"}
        )

    taken = ground.paired({"busy": lambda: correct(busy), "alone": lambda: correct(alone)}, ROUNDS)
    ratio = taken["busy"] / taken["alone"]
    ground.line(f"an act for {FOLLOWERS} : the same for nobody", ratio, "<= 1.1", ratio <= 1.1)
    print(f"an act for {FOLLOWERS}: {taken['busy'] * 1000:.1f} ms")
    busy.news.all().delete()
    correct(busy)
    begun = time.perf_counter()
    fanout.run_waiting()
    seconds = time.perf_counter() - begun
    written = Delivery.objects.filter(news__case=busy).count()
    print(f"spread to {written} readers in {seconds:.1f} s")
    assert written == FOLLOWERS


if __name__ == "__main__":
    main()
