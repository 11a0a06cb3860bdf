"""Bringing deliveries to their channels: claimed by lease, in batches, retried, within rates.

A worker holds a channel while it sends to it, so that no two send the same. What is sent is marked
first (`batch`) and settled after; a worker that is killed in between leaves a batch that is sent
again under the same message id, for a gateway cannot be asked whether it took it.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import secrets
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, Min, Q

from workflows import clock

from . import digest, gateways, live
from .fanout import out_of_quiet
from .models import FAILED, HAND, PAGE, QUEUED, SENT, Channel, Delivery, Gateway

log = logging.getLogger("sanwen.news")

LEASE = dt.timedelta(minutes=3)
AT_ONCE = 10
"""Channels that a worker claims at once; each renews its lease before it is sent to."""
MOST = 200
"""Deliveries in one message."""
TRIES = 8
TOO_OLD = dt.timedelta(days=7)
"""News that could not be sent for so long are no news; the page has them."""
BACKOFF = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
"""Seconds until the next try."""
REST = dt.timedelta(seconds=30)
LONGEST_REST = dt.timedelta(minutes=15)
BEFORE_REST = 3
"""Failures in a row of a gateway until it rests."""

WAITING = (QUEUED, FAILED)
BY_PEOPLE = {PAGE, HAND}
"""What no worker sends through."""


def due_gateways() -> list[str]:
    """Gateways that something waits for now and that do not rest."""
    now = clock.now()
    waiting = Delivery.objects.filter(state__in=WAITING, due__lte=now).order_by()
    codes = set(waiting.values_list("gateway", flat=True).distinct()) - BY_PEOPLE
    resting = Gateway.objects.filter(code__in=codes, resting_until__gt=now)
    return sorted(codes - set(resting.values_list("code", flat=True)))


def run_waiting(code: str) -> int:
    """Send what waits for a gateway, until nothing does, its rate is used up or it rests; returns
    how many messages were sent."""
    sent = 0
    while room := _room(code):
        claimed = _claim(code, min(room, AT_ONCE))
        if not claimed:
            break
        for number, channel in enumerate(claimed):
            if not _take(code):
                _release(claimed[number:])
                return sent
            try:
                sent += _send(channel)
            except gateways.Down:
                _release(claimed[number:])
                if _tired(code):
                    return sent
    return sent


def _claim(code: str, most: int) -> list[Channel]:
    """Channels that something waits for, now this worker's, the longest waiting first."""
    now = clock.now()
    free = Q(lease__isnull=True) | Q(lease__lt=now)
    waiting = Delivery.objects.filter(gateway=code, state__in=WAITING, due__lte=now)
    by_due = waiting.filter(Q(channel__lease__isnull=True) | Q(channel__lease__lt=now)).order_by(
        "due"
    )
    wanted = list(dict.fromkeys(by_due.values_list("channel_id", flat=True)[: most * 20]))[:most]
    if not wanted:
        return []
    holder = secrets.token_hex(16)
    with transaction.atomic():
        rows = Channel.objects.filter(free, pk__in=wanted)
        locked = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))
        Channel.objects.filter(pk__in=locked).update(lease=now + LEASE, holder=holder)
    found = Channel.objects.filter(pk__in=locked, holder=holder).select_related("reader")
    return sorted(found, key=lambda channel: wanted.index(channel.pk))


def _release(channels: list[Channel]) -> None:
    for channel in channels:
        Channel.objects.filter(pk=channel.pk, holder=channel.holder).update(lease=None, holder="")


def _held(channel: Channel) -> bool:
    """Whether the channel is still this worker's; renews the lease."""
    mine = Channel.objects.filter(pk=channel.pk, holder=channel.holder)
    return bool(mine.update(lease=clock.now() + LEASE))


def _send(channel: Channel) -> bool:
    """Send one message to a channel, and settle what came of it. Raises `gateways.Down`."""
    with transaction.atomic():
        if not _held(channel):
            return False
        rows = _batch(channel)
    if not rows:
        _release([channel])
        return False
    message = digest.compose(channel, rows)
    if message is None:
        _settle(channel, rows, lambda row: row.give_up("nothing_left"))
        return False
    now = clock.now()
    try:
        gateways.send(channel, message, rows[0].batch)
    except gateways.Gone as gone:
        code = gone.code
        _settle(channel, rows, lambda row: row.give_up(code), gone=code)
        log.info("channel %s is gone: %s", channel.pk, code)
        return False
    except gateways.Refused as refused:
        code = refused.code
        _settle(channel, rows, lambda row: _again(row, code, now))
        log.info("channel %s was refused: %s", channel.pk, code)
        _well(channel.gateway)
        return False
    except gateways.Down as down:
        code = down.code
        _settle(channel, rows, lambda row: _later(row, code, now))
        log.warning("gateway %s does not work: %s", channel.gateway, code)
        raise
    _settle(channel, rows, lambda row: row.succeed(now))
    _well(channel.gateway)
    return True


def _batch(channel: Channel) -> list[Delivery]:
    """What is sent now, marked as one batch: an unsettled one again, or all that waits."""
    now = clock.now()
    waiting = Delivery.objects.filter(channel=channel, state__in=WAITING)
    if channel.closed_at is not None or channel.verified_at is None:
        waiting.delete()
        return []
    begun = waiting.exclude(batch="").order_by("pk").first()
    if begun is not None:
        return list(waiting.filter(batch=begun.batch).order_by("-news_id"))
    if not waiting.filter(due__lte=now).exists():
        return []
    later = next_slot(channel, now)
    if later is not None:
        waiting.filter(due__lte=now).update(due=later)
        return []
    rows = list(waiting.order_by("-news_id")[:MOST])
    batch = secrets.token_hex(16)
    Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(batch=batch)
    for row in rows:
        row.batch = batch
    return rows


def next_slot(channel: Channel, now: dt.datetime) -> dt.datetime | None:
    """When a channel may send again that has used up the day's quota; None: now."""
    if channel.per_day is None:
        return None
    local = now.astimezone(clock.SHANGHAI)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if sent_since(channel, midnight) < channel.per_day:
        return None
    time = channel.reader.digest_at
    tomorrow = (midnight + dt.timedelta(days=1)).date()
    return out_of_quiet(channel.reader, dt.datetime.combine(tomorrow, time, tzinfo=clock.SHANGHAI))


def sent_since(channel: Channel, moment: dt.datetime) -> int:
    """How many messages a channel has sent since a moment."""
    sent = Delivery.objects.filter(channel=channel, state=SENT, sent_at__gte=moment)
    return sent.order_by().values("batch").distinct().count()


def _settle(
    channel: Channel, rows: list[Delivery], move: Callable[[Delivery], None], gone: str = ""
) -> None:
    """Write what came of a batch, if the channel is still this worker's, and let it go."""
    with transaction.atomic():
        mine = Channel.objects.filter(pk=channel.pk, holder=channel.holder)
        closing = {"closed_at": clock.now(), "closed_why": gone[:20]} if gone else {}
        if not mine.update(lease=None, holder="", **closing):
            log.warning("channel %s was taken up by another worker, or away", channel.pk)
            return
        for row in rows:
            move(row)
        fields = ["state", "sent_at", "fault", "due", "tries", "batch"]
        Delivery.objects.bulk_update(rows, fields, batch_size=MOST)
    user = channel.reader.user_id
    live.hint(live.QUEUE, *([live.of_account(user)] if user is not None else []))


def _again(row: Delivery, fault: str, now: dt.datetime) -> None:
    if row.tries + 1 >= TRIES:
        row.tries += 1
        row.give_up(fault)
        return
    seconds = BACKOFF[min(row.tries, len(BACKOFF) - 1)]
    row.fail(fault, now + dt.timedelta(seconds=seconds * random.uniform(1, 1.2)))  # noqa: S311


def _later(row: Delivery, fault: str, now: dt.datetime) -> None:
    """The gateway's fault, not the channel's: it is no try, but some day it is too late."""
    if now - row.due > TOO_OLD:
        row.give_up("too_old")
    else:
        row.fail(fault, now, counts=False)


# --- gateways: rates and rests ------------------------------------------------------------------


def _gateway(code: str) -> Gateway:
    return Gateway.objects.get_or_create(code=code)[0]


def _rate(code: str) -> int:
    rates: dict[str, int] = settings.SANWEN_NEWS_RATES
    return rates.get(code, rates["other"])


def _room(code: str) -> int:
    """How many messages a gateway takes in what is left of the minute; 0 while it rests."""
    gateway, now = _gateway(code), clock.now()
    if gateway.resting_until is not None and gateway.resting_until > now:
        return 0
    if gateway.window is None or now - gateway.window >= dt.timedelta(minutes=1):
        return _rate(code)
    return max(0, _rate(code) - gateway.used)


def _take(code: str) -> bool:
    """Use up one message of the minute's rate, with all other workers; whether there was one."""
    now = clock.now()
    rows = Gateway.objects.filter(code=code)
    over = Q(window__isnull=True) | Q(window__lte=now - dt.timedelta(minutes=1))
    if rows.filter(over).update(window=now, used=1):
        return True
    return bool(rows.filter(used__lt=_rate(code)).update(used=F("used") + 1))


def _well(code: str) -> None:
    Gateway.objects.filter(code=code, failures__gt=0).update(failures=0, resting_until=None)


def _tired(code: str) -> bool:
    """Count a failure of a gateway; after several in a row it rests, each time longer."""
    now = clock.now()
    Gateway.objects.filter(code=code).update(failures=F("failures") + 1)
    failures = _gateway(code).failures
    if failures < BEFORE_REST:
        return False
    rest = min(REST * 2 ** min(failures - BEFORE_REST, 10), LONGEST_REST)
    Gateway.objects.filter(code=code).update(resting_until=now + rest)
    return True


# --- what waits, for staff ----------------------------------------------------------------------


def state_of_gateways() -> list[dict]:
    """Each gateway with what waits for it, since when, and whether it rests."""
    now = clock.now()
    waiting = Delivery.objects.filter(state__in=WAITING).order_by()
    rows = waiting.values("gateway").annotate(
        n=Count("pk"), first=Min("due"), failed=Count("pk", filter=Q(state=FAILED)), last=Max("due")
    )
    known: dict[str, Any] = {row["gateway"]: row for row in rows}
    resting = {gateway.code: gateway for gateway in Gateway.objects.all()}
    return [
        {
            "code": code,
            "waiting": known.get(code, {}).get("n", 0),
            "failed": known.get(code, {}).get("failed", 0),
            "first": known.get(code, {}).get("first"),
            "rate": _rate(code),
            "resting_until": (
                resting[code].resting_until
                if code in resting and (resting[code].resting_until or now) > now
                else None
            ),
        }
        for code in sorted((known.keys() | resting.keys()) - BY_PEOPLE)
    ]
