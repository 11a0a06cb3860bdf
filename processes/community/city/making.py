"""The plan of a generated city, and its making: patterns, ground, copies, log.

Copies are written by several processes, each batch in one transaction of its own. A break leaves
whole cases but half a city, which is told from a whole one by what it has not: begin again in an
empty database.
"""

from __future__ import annotations

import datetime as dt
import math
import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, connections, transaction
from django.utils import timezone

from workflows import clock
from workflows import procedure as procedures
from workflows.models import Case, Community, NumberSeries, Record
from workflows.portal import sums
from workflows.records import log

from .. import demo
from ..models import Household, HouseholdMember
from . import ground, patterns, store
from .copies import Copy, Drawn, Filler, Place

Tell = Callable[[str], None]
CHUNK = 4000
"""About how many records are written in one transaction."""
AT_MOST_LATER = dt.timedelta(hours=1)
"""Copies of a case happened at other minutes of the same days."""
HOMES = "pattern-"
"""How the codes of estates begin whose cases are copied to estates like them."""


class HoldsCity(Exception):
    """A city was generated in this database already, or half of one."""


class NoPatterns(Exception):
    """No package has walked a case that can be copied."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large: accounts of residents, cases and their records besides the demo's own."""

    residents: int
    cases: int
    records: int
    seed: int = 1

    @property
    def heads(self) -> int:
        """Owners of an estate, by how long cases are to be."""
        return max(24, min(300, self.records // max(self.cases, 1) * 6 // 10))


def refuse() -> None:
    """Raise where the database holds anything real, or a generated city."""
    demo.refuse_real()
    if Community.objects.filter(code__startswith=ground.CODE).exists():
        raise HoldsCity


def walk(today: dt.datetime, heads: int) -> Iterator[str]:
    """Walk the demo, and larger cases where a package offers them (`patterns` in its module)."""
    yield from demo.load(today)
    try:
        for module in demo.offered():
            if hasattr(module, "patterns"):
                yield from module.patterns(today, heads)
    finally:
        clock.set_now(None)


def families(read_at: dt.datetime) -> list[patterns.Pattern]:
    """The walked cases that are copied: those of pattern estates and of places without homes."""
    roots = Case.objects.filter(parent=None, demo=True).select_related("community").order_by("pk")
    found = []
    for case in roots.exclude(community__code__startswith=ground.CODE):
        code = case.community.code
        if code.startswith(HOMES) or not ground.layout(case.community):
            found.append(patterns.read(case, read_at))
    return found


# --- the plan ----------------------------------------------------------------------------------


def shares(sizes: Sequence[tuple[int, int]], cases: int, records: int) -> list[int]:
    """How many copies of each family, given its cases and records: `cases` in all, and about
    `records` where the families allow it.

    Long families are taken the more often the longer the cases are to be.
    """
    longest = max(r for _c, r in sizes)

    def weights(tilt: float) -> list[float]:
        return [math.exp(tilt * (r / c) / longest) for c, r in sizes]

    def length(tilt: float) -> float:
        w = weights(tilt)
        return sum(x * r for x, (_c, r) in zip(w, sizes, strict=True)) / sum(
            x * c for x, (c, _r) in zip(w, sizes, strict=True)
        )

    low, high = -60.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if length(middle) < records / cases else (low, middle)
    chosen = weights(high)
    whole = sum(x * c for x, (c, _r) in zip(chosen, sizes, strict=True))
    counts = [int(x * cases / whole) for x in chosen]
    # What rounding left over goes to the families that lack most, and to those that fit at last.
    order = sorted(range(len(sizes)), key=lambda n: counts[n] - chosen[n] * cases / whole)
    left = cases - sum(n * c for n, (c, _r) in zip(counts, sizes, strict=True))
    while left > 0:
        fits = [n for n in order if sizes[n][0] <= left]
        if not fits:
            break
        for n in fits:
            if sizes[n][0] <= left:
                counts[n] += 1
                left -= sizes[n][0]
    return counts


@dataclass
class Plan:
    """What will be written where."""

    size: Size
    read: list[patterns.Pattern]
    homes: ground.Homes
    estates: list[ground.Home] = field(default_factory=list)
    copies: list[tuple[int, Copy]] = field(default_factory=list)
    """Which pattern, and the copy."""
    chunks: list[tuple[int, int]] = field(default_factory=list)
    records: int = 0

    @property
    def cases(self) -> int:
        """How many there will be."""
        return sum(len(copy.numbers) for _n, copy in self.copies)


def plan(size: Size, read: list[patterns.Pattern], keys: store.Keys) -> Plan:
    """Plan a city of that size from the patterns; writes the sub-districts."""
    at_home = [p for p in read if p.community.code.startswith(HOMES)]
    if not at_home:
        raise NoPatterns
    like = {tuple(ground.layout(p.community)) for p in at_home}
    if len(like) > 1:
        raise NoPatterns
    homes = {p.community.pk: ground.Homes(p.community) for p in at_home}
    made = Plan(size, read, next(iter(homes.values())))
    sizes = [(len(p.cases), len(p.records)) for p in read]
    counts = shares(sizes, size.cases, size.records)
    alone = sum(
        n
        for n, p in zip(counts, read, strict=True)
        if p.cases[0].open and procedures.current(p.code, made_on(p)).one_at_a_time
    )
    wanted = -(-size.residents * 10 // (24 * made.homes.households))
    count = max(wanted, alone, 1)
    streets = ground.streets(-(-count // ground.ESTATES_A_STREET), keys, demo.street())
    made.estates = ground.settle_homes(made.homes, streets, count, size.residents, keys)
    _copies(made, counts, homes, streets, keys)
    return made


def made_on(pattern: patterns.Pattern) -> dt.date:
    """The day on which the pattern's first case was opened."""
    return timezone.localdate(pattern.cases[0].created)


def _copies(
    made: Plan,
    counts: list[int],
    homes: dict[int, ground.Homes],
    streets: list[ground.Street],
    keys: store.Keys,
) -> None:
    rng = random.Random(made.size.seed)  # noqa: S311 - demo data, the same for the same seed
    order = [n for n, count in enumerate(counts) for _ in range(count)]
    rng.shuffle(order)
    numbers = _Numbers()
    turn: Counter[str] = Counter()
    speakers: dict[int, dict[int, int]] = {}
    gathered = 0
    for index in order:
        pattern = made.read[index]
        community = pattern.community
        kind = f"{pattern.code} {'open' if pattern.cases[0].open else ''}"
        estate = made.estates[turn[kind] % len(made.estates)]
        turn[kind] += 1
        if community.pk in homes:
            if community.pk not in speakers:
                speakers[community.pk] = _speakers(community, homes[community.pk])
            place = ground.place_of(homes[community.pk], estate, speakers[community.pk])
        else:
            place = _elsewhere(made, pattern, estate, streets, rng)
        first = {model: keys.take(model, len(rows)) for model, rows in pattern.rows.items()}
        later = dt.timedelta(seconds=rng.randrange(int(_room(pattern).total_seconds()) + 1))
        given = tuple(numbers.give(case.number) for case in pattern.cases)
        made.copies.append((index, Copy(place, first, given, rng.getrandbits(62), later)))
        made.records += len(pattern.records)
        gathered += len(pattern.records)
        if gathered >= CHUNK:
            made.chunks.append((made.chunks[-1][1] if made.chunks else 0, len(made.copies)))
            gathered = 0
    if gathered:
        made.chunks.append((made.chunks[-1][1] if made.chunks else 0, len(made.copies)))
    numbers.save()


def _room(pattern: patterns.Pattern) -> dt.timedelta:
    return min(pattern.room, AT_MOST_LATER)


def _speakers(community: Community, homes: ground.Homes) -> dict[int, int]:
    rows = HouseholdMember.objects.filter(
        household__unit__stairwell__building__estate__community=community
    )
    places = homes.order[Household]
    return {row.person_id: places[row.household_id] for row in rows}


def _elsewhere(
    made: Plan,
    pattern: patterns.Pattern,
    estate: ground.Home,
    streets: list[ground.Street],
    rng: random.Random,
) -> Place:
    """A place for what is of no home: the sub-district, or an estate of it. Whoever acts without a
    role is some resident there."""
    staff = estate.street.staff
    people = dict(staff)
    for blank in pattern.blanks.numbers:
        if blank[0] == "person" and blank[1] not in people:
            account = estate.people + rng.randrange(max(estate.accounts, 1))
            people[blank[1]] = account  # type: ignore[index]
    if pattern.community.kind == "subdistrict":
        return Place(estate.street.community, estate.street.name, people)
    return Place(estate.community, estate.name, people)


class _Numbers:
    """Public numbers of new cases, in the series of their prefix and year."""

    def __init__(self) -> None:
        self.series = {(row.prefix, row.year): row for row in NumberSeries.objects.all()}

    def give(self, like: str) -> str:
        """The next number of the series of another."""
        prefix, year, _number = like.split("-")
        row = self.series[prefix, int(year)]
        row.last += 1
        return str(row)

    def save(self) -> None:
        """Let the door go on behind them."""
        NumberSeries.objects.bulk_update(self.series.values(), ["last"])


# --- the making --------------------------------------------------------------------------------

_made: Plan
"""What the forked writers see."""
_fillers: dict[int, Filler] = {}


def _write_estates(part: tuple[int, int]) -> int:
    batch = store.Batch()
    since = timezone.localdate() - dt.timedelta(days=700)
    for number in range(*part):
        ground.add_home(batch, _made.homes, _made.estates[number], number, since)
    batch.flush()
    return sum(_made.estates[number].accounts for number in range(*part))


def _write_copies(part: tuple[int, int]) -> int:
    batch, count = store.Batch(), 0
    for index, copy in _made.copies[part[0] : part[1]]:
        if index not in _fillers:
            _fillers[index] = Filler(_made.read[index])
        for model, lines in _fillers[index].fill(copy, Drawn(copy.seed)):
            batch.add(model, lines)
        count += len(_made.read[index].records)
    batch.flush()
    return count


def _each(work: Callable[[Any], int], parts: Sequence[Any], processes: int) -> Iterator[int]:
    """Do parts, in several processes where the database takes several writers."""
    if processes < 2 or connection.vendor != "postgresql":
        yield from map(work, parts)
        return
    connections.close_all()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(work, parts)


def _counted(done: Iterable[int], whole: int, what: str, tell: Tell) -> None:
    began, count, told = timezone.now(), 0, 0
    for more in done:
        count += more
        if count * 20 // max(whole, 1) > told or count == whole:
            told = count * 20 // max(whole, 1)
            seconds = max((timezone.now() - began).total_seconds(), 0.001)
            tell(f"  {count:,} of {whole:,} {what}, {count / seconds:,.0f} a second")


def make(
    size: Size, tell: Tell, processes: int = 2, read: list[patterns.Pattern] | None = None
) -> Plan:
    """Make the city; `read` are the patterns where they are walked already.

    Raises `HoldsCity`, `demo.HoldsRealCases`, `NoPatterns`, and `log.NoKey` where the log cannot
    be signed, before anything is written.
    """
    global _made
    refuse()
    log.signer()
    now = clock.now()
    if read is None:
        tell("walking patterns through the door")
        for line in walk(now, size.heads):
            tell(f"  {line}")
        read = families(clock.now())
    keys = store.Keys()
    with transaction.atomic():
        _made = plan(size, read, keys)
        keys.taken()
    _fillers.clear()
    tell(
        f"writing {len(_made.estates):,} estates with {size.residents:,} residents, "
        f"{_made.cases:,} cases with {_made.records:,} records, from {len(read)} patterns"
    )
    step = max(1, 4000 // max(1, size.residents // len(_made.estates)))
    parts = [(n, min(n + step, len(_made.estates))) for n in range(0, len(_made.estates), step)]
    _counted(_each(_write_estates, parts, processes), size.residents, "residents", tell)
    _counted(_each(_write_copies, _made.chunks, processes), _made.records, "records", tell)
    tell("giving all their places in the log")
    waiting = Record.objects.filter(log_index=None).count()
    _counted(iter(lambda: log.integrate(100_000), 0), waiting, "records", tell)
    sums.forget()
    store.settle()
    sums.keep()
    return _made
