"""From one piece of news to a delivery for each whom it concerns: in pieces, by any worker.

A worker holds the news by a lease. Each piece is one transaction that writes deliveries and how far
it has come; a worker that is killed leaves whole pieces, and the next goes on after them. Whatever
is done twice changes nothing: a channel hears of a piece of news once.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Iterable, Mapping

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Q

from workflows import clock
from workflows.models import Case, Community, StepRun, Trace
from workflows.parties import directory
from workflows.procedure import unfeatured
from workflows.steps.base import Step

from . import live, what
from .models import (
    HOOK,
    OWN,
    PAGE,
    SENT,
    Audience,
    Channel,
    Delivery,
    News,
    Reader,
    Subscription,
    pages_of,
)

log = logging.getLogger("sanwen.news")

LEASE = dt.timedelta(minutes=2)
PIECE = 1000
"""Readers a transaction."""
KEPT = dt.timedelta(days=180)
"""How long news and deliveries stay."""
REMINDED = dt.timedelta(days=2)
"""How long before its end a term is told of once more."""
DEEPEST = 5


class Lost(Exception):
    """Another worker has taken it up."""


def run_waiting() -> int:
    """Spread what has not been spread; returns how many pieces of news were."""
    remind()
    count = 0
    while (news := _claimed()) is not None:
        try:
            _spread(news)
            count += 1
        except Lost:
            log.warning("news %s was taken up by another worker", news.pk)
        except IntegrityError:
            # Somebody was erased meanwhile; what is left of this piece is done at the next round.
            News.objects.filter(pk=news.pk, holder=news.holder).update(lease=None, holder="")
            log.info("news %s is spread again", news.pk)
            break
    return count


def remind() -> int:
    """Write news of terms of residents that end soon; each end once, however many workers ask."""
    now = clock.now()
    soon = StepRun.objects.filter(
        finished__isnull=True,
        provisional=False,
        ends_at__gt=now,
        ends_at__lte=now + REMINDED,
        process__finished__isnull=True,
        process__suspended_at__isnull=True,
    ).select_related("process")
    rows = []
    for run in soon:
        node = run.flow_task
        # Those whom the opening itself told in the last days need not hear it again.
        if not isinstance(node, Step) or not node.participants or _young(run, now):
            continue
        newest = run.process.records.order_by("-seq").first()
        if newest is not None:
            rows.append(
                News(
                    key=f"ending:{run.pk}:{run.ends_on}",
                    case=run.process,
                    record=newest,
                    last=newest.seq,
                    run=run,
                    at=now,
                )
            )
    known = set(
        News.objects.filter(key__in=[row.key for row in rows]).values_list("key", flat=True)
    )
    News.objects.bulk_create([r for r in rows if r.key not in known], ignore_conflicts=True)
    return len(rows) - len(known)


def _young(run: StepRun, now: dt.datetime) -> bool:
    return run.started is not None and now - run.started < what.SOON


def _claimed() -> News | None:
    now = clock.now()
    free = Q(lease__isnull=True) | Q(lease__lt=now)
    waiting = News.objects.filter(free, spread_at__isnull=True).order_by("pk")
    holder = secrets.token_hex(8)
    for pk in waiting.values_list("pk", flat=True)[:20]:
        # Of several workers that saw the same row one changes it.
        mine = News.objects.filter(free, pk=pk, spread_at__isnull=True)
        if mine.update(lease=now + LEASE, holder=holder):
            found = News.objects.select_related("record", "run", "case__community__parent")
            return found.get(pk=pk)
    return None


def _spread(news: News) -> None:
    case = news.case
    now = clock.now()
    one = what.told(news, case)
    ends = what.ends_soon(case, one.runs, now)
    skip = _who_need_not(news)
    if news.stage == 0:
        own = {} if news.ending else _readers(what.concerned(case, one))
        _write(news, dict.fromkeys(own.values(), OWN), ends, set(), stage=1, after=0)
    if not one.records and not news.ending:
        _done(news)
        return
    match = _matching(news, one)
    while news.stage == 1:
        subscribed = Subscription.objects.filter(
            match, off=False, since__lte=news.at, reader__gt=news.after
        )
        keys = list(subscribed.order_by("reader", "pk").values_list("reader", "key")[:PIECE])
        reasons: dict[int, str] = {}
        for reader, key in keys:
            reasons.setdefault(reader, key)
        last = keys[-1][0] if len(keys) == PIECE else None
        _write(
            news, reasons, ends, skip,
            stage=1 if last is not None else 2, after=last if last is not None else 0,
        )  # fmt: skip
    for audience in _audiences(news, one):
        _spread_to(news, audience, ends, skip)
    _done(news)


def _spread_to(news: News, audience: Audience, ends: dt.datetime | None, skip: set[int]) -> None:
    if news.stage > 1 + audience.pk:
        return
    if news.stage < 1 + audience.pk:
        news.stage, news.after = 1 + audience.pk, 0
    reason = f"audience:{audience.code}"
    while True:
        accounts = directory().accounts(
            audience.roles, news.case.community, clock.now(), news.after, PIECE
        )
        readers = _readers(accounts)
        whole = len(accounts) < PIECE
        _write(
            news, dict.fromkeys(readers.values(), reason), ends, skip,
            stage=2 + audience.pk if whole else 1 + audience.pk,
            after=0 if whole else accounts[-1], audience=audience,
        )  # fmt: skip
        if whole:
            return


def _audiences(news: News, one: what.Told) -> list[Audience]:
    if not one.wide or news.case.unlisted or news.case.procedure in unfeatured():
        return []
    here = _upwards(news.case.community)
    found = Audience.objects.filter(
        Q(place=None) | Q(place__in=here),
        Q(procedure="") | Q(procedure=news.case.procedure),
        active=True,
    ).order_by("pk")
    return [each for each in found if not each.topics or one.topics.intersection(each.topics)]


def _matching(news: News, one: what.Told) -> Q:
    """Of subscriptions: that the news is what they are of."""
    cases = [news.case_id]
    here: Case | None = news.case
    while here is not None and here.parent_id is not None and len(cases) < DEEPEST:
        here = Case.objects.filter(runs=here.parent_id).first()
        if here is not None:
            cases.append(here.pk)
    found = Q(case__in=cases)
    if one.wide and not news.case.unlisted:  # what is in no public list is told in none
        procedure = Q(procedure="") | Q(procedure=news.case.procedure)
        topic = Q(topic="") | Q(topic__in=one.topics)
        if news.case.procedure not in unfeatured():
            found |= Q(case=None, place__in=_upwards(news.case.community)) & procedure & topic
            found |= Q(case=None, place=None, procedure="", topic__in=one.topics)
        found |= Q(case=None, place=None, procedure=news.case.procedure) & topic
    return found & Q(audience=None)


def _upwards(place: Community) -> list[int]:
    found = [place.pk]
    here: Community | None = place
    while here is not None and here.parent_id is not None and len(found) < DEEPEST:
        here = here.parent
        if here is not None:
            found.append(here.pk)
    return found


def _who_need_not(news: News) -> set[int]:
    """Readers who know it already: who did the act; of a term about to end, who took part in it."""
    traces = Trace.objects.filter(user__isnull=False)
    if news.ending:
        traces = traces.filter(record__run=news.run_id)
    else:
        traces = traces.filter(record=news.record_id)
    accounts = traces.values_list("user_id", flat=True)
    return set(Reader.objects.filter(user__in=accounts).values_list("pk", flat=True))


def _readers(accounts: Iterable[int]) -> dict[int, int]:
    """Readers by account, made where there is none yet."""
    wanted = set(accounts)
    if not wanted:
        return {}
    rows = Reader.objects.filter(user__in=wanted)
    found = dict(rows.values_list("user_id", "pk"))
    new = wanted - found.keys()
    if new:
        there = get_user_model()._default_manager.filter(pk__in=new, is_active=True)
        Reader.objects.bulk_create(
            [Reader(user_id=pk) for pk in there.values_list("pk", flat=True)],
            ignore_conflicts=True,
        )
        found = dict(rows.values_list("user_id", "pk"))
        pages_of(list(found.values()))
    return found


def _write(
    news: News,
    reasons: Mapping[int, str],
    ends: dt.datetime | None,
    skip: set[int],
    *,
    stage: int,
    after: int,
    audience: Audience | None = None,
) -> None:
    """One piece: the deliveries of these readers, and how far the news has come; or neither."""
    now = clock.now()
    with transaction.atomic():
        mine = News.objects.filter(pk=news.pk, holder=news.holder, spread_at__isnull=True)
        if not mine.update(stage=stage, after=after, lease=now + LEASE):
            raise Lost
        wanted = set(reasons) - skip
        off = Subscription.objects.filter(off=True, reader__in=wanted).filter(
            Q(case=news.case_id) | (Q(audience=audience) if audience else Q(pk=None))
        )
        wanted -= set(off.values_list("reader", flat=True))
        channels = Channel.objects.filter(
            reader__in=wanted, verified_at__isnull=False, closed_at__isnull=True
        ).select_related("reader")
        rows, urgent = [], ends is not None
        for channel in channels:
            if channel.only_ending and not urgent:
                continue
            why = reasons[channel.reader_id]
            row = Delivery(channel=channel, news=news, gateway=channel.gateway, why=why)
            if channel.kind == PAGE:  # there as soon as it is written
                row = Delivery(
                    channel=channel, news=news, gateway=PAGE, why=why, state=SENT, sent_at=now
                )
            at_once = channel.kind in (PAGE, HOOK)
            row.due = now if at_once else due(channel.reader, news.at, urgent=urgent)
            rows.append(row)
        Delivery.objects.bulk_create(rows, batch_size=PIECE, ignore_conflicts=True)
    news.stage, news.after = stage, after
    shown = {channel.reader.user_id for channel in channels if channel.kind == PAGE}
    live.hint(*(live.of_account(user) for user in shown if user is not None))
    if any(row.gateway != PAGE for row in rows):
        live.hint(live.QUEUE)


def _done(news: News) -> None:
    mine = News.objects.filter(pk=news.pk, holder=news.holder)
    mine.update(spread_at=clock.now(), lease=None, holder="")


def due(reader: Reader, at: dt.datetime, *, urgent: bool) -> dt.datetime:
    """When a reader may be sent what happened `at` a moment: in the digest of the day, or at once
    where something ends soon; never in the quiet hours."""
    moment = at
    if not urgent:
        moment = _at(at, reader.digest_at)
        if moment <= at:
            moment = _at(at + dt.timedelta(days=1), reader.digest_at)
    return out_of_quiet(reader, moment)


def out_of_quiet(reader: Reader, moment: dt.datetime) -> dt.datetime:
    """The moment, or the end of the quiet hours that it lies in."""
    begin, end = reader.quiet_from, reader.quiet_until
    local = moment.astimezone(clock.SHANGHAI)
    time = local.time()
    if begin == end:
        return moment
    if begin < end:
        return _at(local, end) if begin <= time < end else moment
    if time >= begin:
        return _at(local + dt.timedelta(days=1), end)
    return _at(local, end) if time < end else moment


def _at(day: dt.datetime, time: dt.time) -> dt.datetime:
    local = day.astimezone(clock.SHANGHAI)
    return dt.datetime.combine(local.date(), time, tzinfo=clock.SHANGHAI)


def tidy() -> None:
    """Forget what is old; a few hundred at a time."""
    old = News.objects.filter(at__lt=clock.now() - KEPT, spread_at__isnull=False)
    News.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:300])).delete()
