"""Figures of supervision from kept sums: a city's years in milliseconds, and exact.

What fell into the months up to a moment (`SumsHead.until`) is kept summed up; what came since is
counted from the facts, as is everything at places where something summed up has changed
(`Recount`: a term that was moved, a case that came into public lists or went from them). So the
figures are those of the facts at every moment, whoever brings the sums up and whenever; tests
compare both ways of counting. `keep` brings them up, beside the clock.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth

from .. import clock, doubt
from ..forever import repeat
from ..models.case import Community, StepRun
from ..models.figure import MonthSum, Recount, SumsHead
from ..steps.opinion_rows import Reply
from .figures import MEASURES, Scope, Source

log = logging.getLogger("sanwen.sums")

BEHIND = dt.timedelta(minutes=15)
"""Sums stay so far behind: longer by far than an act takes from its moment to its commit, and than
clocks differ (`clock.SKEW`)."""
STEP = dt.timedelta(minutes=15)
"""They are brought up when there is so much to add."""
PAUSE = 20.0
"""Seconds between two looks whether they are to be."""
BATCH = 2000

Key = tuple[str, str, int]
"""Holder, procedure, month by its place in the scope (-1: now)."""
Counts = Mapping[str, Counter[Key]]
Row = tuple[int, int, str, str, str, dt.date]
"""A sum: level, place, code, holder, procedure, month."""


@dataclass(frozen=True, slots=True)
class _Head:
    """How far sums are kept, and of which places they are not to be used."""

    until: dt.datetime | None
    version: int
    stale: tuple[int, ...]


def _head() -> _Head:
    until, version = SumsHead.objects.values_list("until", "version").first() or (None, 0)
    if until is None:
        return _Head(None, version, ())
    stale = Recount.objects.order_by("place").values_list("place", flat=True).distinct()
    return _Head(until, version, tuple(stale))


def _changed(head: _Head) -> bool:
    """Whether sums were brought up since."""
    return not SumsHead.objects.filter(version=head.version).exists()


def count(scope: Scope) -> Counts:
    """Every measure, by holder, procedure and month: from kept sums, and what they lack."""
    for _try in range(3):
        head = _head()
        found = _counted(scope, head)
        if head.until is None or not _changed(head):
            return found
    return count_anew(scope)


def count_anew(scope: Scope) -> Counts:
    """The same from the facts alone."""
    return _counted(scope, _Head(None, 0, ()))


def _counted(scope: Scope, head: _Head) -> Counts:
    now = clock.now()
    found: dict[str, Counter[Key]] = {code: Counter() for code in MEASURES}
    if head.until is None:
        parts: list[_Part] = [_Part(whole=True)]
    else:
        _add_kept(found, scope, head)
        parts = [_since(head)]
        if head.stale:
            parts.append(_Part(places=head.stale, before=head.until))
    for code, measure in MEASURES.items():
        for source in measure.sources:
            for part in parts if source.at else [_Part(whole=True)]:
                which = part.of(source)
                if which is None:
                    continue
                for holder, procedure, month, n in source.grouped(scope, now, which):
                    found[code][holder, procedure, month] += n
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """Facts that sums lack: all of them, those of some steps and replies, those of some places."""

    whole: bool = False
    finished: tuple[tuple[int, str], ...] = ()
    broken: tuple[tuple[int, str], ...] = ()
    replies: tuple[int, ...] = ()
    after: dt.datetime | None = None
    before: dt.datetime | None = None
    places: tuple[int, ...] = ()

    def of(self, source: Source) -> Q | None:
        """Which rows of a source; None where there are none."""
        which = Q()
        if self.after is not None:
            which &= Q(**{f"{source.at}__gte": self.after})
        if self.before is not None:
            which &= Q(**{f"{source.at}__lt": self.before})
        if self.whole:
            return which
        if self.places:
            return which & Q(**{f"{source.run}process__community__in": self.places})
        # Keys rather than a moment alone, of which a planner thinks that many rows come after it.
        if source.run:
            return which & Q(reply__in=self.replies) if self.replies else None
        names = source.names() if source.names is not None else None
        runs = self.broken if source.at == "broken_at" else self.finished
        keys = [pk for pk, name in runs if names is None or name in names]
        return which & Q(pk__in=keys) if keys else None


def _since(head: _Head, end: dt.datetime | None = None) -> _Part:
    """What came since sums were brought up, or from then to `end`; three queries."""
    assert head.until is not None

    def moments(name: str) -> dict[str, Any]:
        found = {f"{name}__gte": head.until}
        return found if end is None else {**found, f"{name}__lt": end}

    done = StepRun.objects.filter(flow_task_type="STEP", **moments("finished")).order_by()
    broken = StepRun.objects.filter(**moments("broken_at")).order_by()
    replies = Reply.objects.filter(**moments("first_at")).order_by()
    return _Part(
        finished=tuple(done.values_list("pk", "name")),
        broken=tuple(broken.values_list("pk", "name")),
        replies=tuple(replies.values_list("pk", flat=True)),
        after=head.until,
        before=end,
    )


def _add_kept(found: dict[str, Counter[Key]], scope: Scope, head: _Head) -> None:
    months = {month: place for place, month in enumerate(scope.months)}
    kept = MonthSum.objects.filter(month__gte=scope.first, month__lte=scope.last)
    if scope.procedure:
        kept = kept.filter(procedure=scope.procedure)
    if scope.office:
        kept = kept.filter(holder=scope.office)
    stale: Collection[int] = head.stale
    if scope.place is None:
        here = kept.filter(level=MonthSum.ALL, place=0)
    else:
        here = kept.filter(place=scope.place.pk, level__in=(MonthSum.OWN, MonthSum.BELOW))
        if stale:
            within = Q(pk=scope.place.pk) | Q(parent=scope.place)
            stale = Community.objects.filter(within, pk__in=stale).values_list("pk", flat=True)
    _add(found, months, here, 1)
    if stale:
        _add(found, months, kept.filter(level=MonthSum.OWN, place__in=list(stale)), -1)


def _add(
    found: dict[str, Counter[Key]],
    months: Mapping[dt.date, int],
    kept: QuerySet[MonthSum],
    sign: int,
) -> None:
    grouped = kept.order_by().values_list("code", "holder", "procedure", "month")
    for code, holder, procedure, month, n in grouped.annotate(sum=Sum("n")):
        key = holder, procedure, months[month]
        counts = found[code]
        counts[key] += sign * n
        if not counts[key]:
            del counts[key]


# --- bringing them up


def _facts(part: _Part, now: dt.datetime) -> Iterator[tuple[int, int | None, Row, int]]:
    """What some facts add: place, to which it belongs, the sum at the place itself, how much."""
    for code, measure in MEASURES.items():
        for source in measure.sources:
            which = part.of(source) if source.at else None
            if which is None:
                continue
            case = f"{source.run}process__"
            names = ("holder", f"{case}procedure", f"{case}community", f"{case}community__parent")
            rows = source.public(now).exclude(holder="").filter(which).order_by()
            month = TruncMonth(source.at, tzinfo=clock.SHANGHAI)
            found = rows.values_list(*names).annotate(month=month).values_list(*names, "month")
            for holder, procedure, place, parent, at, n in found.annotate(n=source.n):
                row = (MonthSum.OWN, place, code, holder, procedure, at.date())
                yield place, parent, row, n or 0


def _spread(
    facts: Iterable[tuple[int, int | None, Row, int]], sums: Counter[Row], sign: int = 1
) -> None:
    """Add what facts add at a place to that place, to what it belongs to, and to all."""
    for _place, parent, row, n in facts:
        sums[row] += sign * n
        if parent is not None:
            sums[(MonthSum.BELOW, parent, *row[2:])] += sign * n
        sums[(MonthSum.ALL, 0, *row[2:])] += sign * n


def keep() -> bool:
    """Bring the sums up to a quarter of an hour ago, and make those anew of places where something
    changed; whether there was anything to do. Of several at once, one does it after the other."""
    target = (clock.now() - BEHIND).replace(second=0, microsecond=0)
    head = _head()
    if head.until is not None and target - head.until < STEP and not head.stale:
        return False
    with transaction.atomic():
        SumsHead.objects.get_or_create(pk=1)
        row = SumsHead.objects.select_for_update().get(pk=1)
        sums: Counter[Row] = Counter()
        fresh = row.until is None
        # Those that are seen now: what changes them later writes a row of its own.
        recounts = dict(Recount.objects.values_list("pk", "place"))
        if row.until is None:
            MonthSum.objects.all().delete()
            _spread(_facts(_Part(whole=True, before=target), clock.now()), sums)
            row.until = target
        else:
            if recounts:
                _anew(tuple(set(recounts.values())), row.until, sums)
            if row.until < target:
                part = _since(_Head(row.until, 0, ()), target)
                _spread(_facts(part, clock.now()), sums)
                row.until = target
        _write(sums, fresh)
        Recount.objects.filter(pk__in=recounts).delete()
        row.version += 1
        row.save()
    return True


def _anew(places: tuple[int, ...], until: dt.datetime, sums: Counter[Row]) -> None:
    """What is to be added to the sums of places so that they are those of the facts again."""
    parents = dict(Community.objects.filter(pk__in=places).values_list("pk", "parent"))
    kept = MonthSum.objects.filter(level=MonthSum.OWN, place__in=places)
    _spread(((row.place, parents.get(row.place), _key(row), row.n) for row in kept), sums, -1)
    _spread(_facts(_Part(places=places, before=until), clock.now()), sums)


def _key(row: MonthSum) -> Row:
    return row.level, row.place, row.code, row.holder, row.procedure, row.month


def _write(sums: Counter[Row], fresh: bool) -> None:
    """Add to the rows there are; none where they are `fresh`."""
    rows = [(row, n) for row, n in sums.items() if n]
    for at in range(0, len(rows), BATCH):
        some = rows[at : at + BATCH]
        before: dict[Row, int] = {}
        if not fresh:
            places = {row[1] for row, _n in some}
            months = {row[5] for row, _n in some}
            known = MonthSum.objects.filter(place__in=places, month__in=months)
            before = {_key(row): row.n for row in known}
        MonthSum.objects.bulk_create(
            (_sum(row, n + before.get(row, 0)) for row, n in some),
            update_conflicts=True,
            unique_fields=["place", "level", "month", "code", "holder", "procedure"],
            update_fields=["n"],
        )


def _sum(row: Row, n: int) -> MonthSum:
    level, place, code, holder, procedure, month = row
    return MonthSum(
        level=level, place=place, code=code, holder=holder, procedure=procedure, month=month, n=n
    )


def forget() -> None:
    """Keep no sums until they are brought up again: for those who bring facts in that were not
    done now, as a demonstration does."""
    SumsHead.objects.update(until=None, version=F("version") + 1)
    MonthSum.objects.all().delete()
    Recount.objects.all().delete()


def keep_forever(stop: threading.Event, pause: float = PAUSE) -> None:
    """Bring the sums up until `stop` is set; not by a clock that is in doubt."""
    repeat(keep_soundly, stop, pause, log)


def keep_soundly() -> None:
    """Bring the sums up, unless time stands still or the machine's clock is in doubt."""
    if not clock.stands() and not doubt.machine().doubts():
        keep()
