"""The demo of news: who follows what, what was sent and what was not, what waits for a quota.

It tells what the other packages' demos have done, so it comes after them. What happened long ago
has been read; the addresses lead nowhere (``.invalid``), and the robots' platforms are not called.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from django.contrib.auth import get_user_model

from workflows import clock
from workflows.models import Case, Community
from workflows.parties import directory

from . import fanout, following, sending
from .models import EMAIL, HAND, PAGE, Channel, Delivery, News, Reader, reader_of

STAFF: dict[str, tuple[str, str, str]] = {}
RESIDENTS: tuple[str, ...] = ()
UNREAD = 5
"""So many of the newest messages of each account have not been read."""
LATELY = 4
"""So many of the newest messages of other channels have not been settled."""
DAY = dt.timedelta(days=1)


def load(today: dt.datetime) -> Iterator[str]:
    """Tell everything that the demo has done so far; does nothing where news has been told."""
    told = News.objects.filter(spread_at__isnull=False)
    cases = Case.objects.filter(demo=True, parent=None, unlisted=False, finished=None)
    if told.exists() or not cases.exists():
        return
    with clock.at(today):
        since = today - dt.timedelta(days=600)
        outlets = _outlets(since)
        readers = _readers(list(cases.select_related("community").order_by("pk")), since)
        _in_order()
        count = fanout.run_waiting()
        for channel in Channel.objects.select_related("reader"):
            _settle(channel, today)
    yield f"news: {count} told, {len(readers)} followers, {len(outlets)} outlets"


def _in_order() -> None:
    """The demo tells one story after another; its news shall stand in the order of time."""
    rows = list(News.objects.order_by("at", "pk"))
    News.objects.all().delete()
    for row in rows:
        row.pk = None
    News.objects.bulk_create(rows, batch_size=500)


def _outlets(since: dt.datetime) -> list[Reader]:
    """An official account that may push once a day, and a group that an officer copies to."""
    place = Community.objects.filter(kind="subdistrict").order_by("pk").first()
    if place is None:
        return []
    found = []
    for title, topic, often in (("示范公众号（演示）", "", 1), ("示范居民群（演示）", "ballot", 3)):
        reader = Reader.objects.create(title=title, place=place)
        made = {"kind": HAND, "gateway": HAND, "created": since, "verified_at": since}
        Channel.objects.create(reader=reader, per_day=often, **made)
        _follow(reader, since, following.Thing(None, place, "", topic))
        found.append(reader)
    return found


def _readers(cases: list[Case], since: dt.datetime) -> list[Reader]:
    """Residents who follow a case, an estate, a procedure or a topic, some by e-mail; what looks
    for an audience finds them by itself, and one does not want to hear of one case."""
    here = cases[0]
    others = [case for case in cases if case.community_id != here.community_id]
    elsewhere = (others or cases)[-1]
    accounts = directory().accounts(("household", "owner"), here.community, clock.now(), 0, 3)
    things = [
        following.Thing(procedure=elsewhere.procedure),
        following.Thing(place=elsewhere.community),
        following.Thing(case=elsewhere),
    ]
    found = []
    users = get_user_model()._default_manager.filter(pk__in=accounts).order_by("pk")
    for number, (user, thing) in enumerate(zip(users, things, strict=False)):
        reader = reader_of(user)
        _follow(reader, since, thing)
        if number == 0:
            _follow(reader, since, following.Thing(topic="meeting"))
        if number < 2:
            Channel.objects.create(
                reader=reader,
                kind=EMAIL,
                gateway=EMAIL,
                address=f"{user.get_username()}@example.invalid",
                created=since,
                verified_at=since,
            )
        else:
            following.silence_case(reader, here)
        found.append(reader)
    return found


def _follow(reader: Reader, since: dt.datetime, thing: following.Thing) -> None:
    row = following.follow(reader, thing)
    row.since = since
    row.save(update_fields=["since"])


def _settle(channel: Channel, today: dt.datetime) -> None:
    """What came of a channel's messages: the old ones were sent in their time and read."""
    rows = list(
        Delivery.objects.filter(channel=channel).select_related("news").order_by("-news_id")
    )
    if channel.kind == PAGE:
        for number, row in enumerate(rows):
            row.sent_at = min(row.news.at, today)
            row.read_at = None if number < UNREAD else min(row.news.at + DAY, today)
    elif channel.kind == HAND and (channel.per_day or 0) == 1:
        # The push of today has gone out; what came after it waits for tomorrow's.
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
        pushed = max(midnight, today - dt.timedelta(hours=1))
        _sent(rows[2 * LATELY :], lambda row: row.due)
        _sent(rows[LATELY : 2 * LATELY], lambda row: pushed)
    elif channel.kind == HAND:
        _sent(rows[LATELY:], lambda row: row.due)
    else:
        first = not Channel.objects.filter(kind=channel.kind, pk__lt=channel.pk).exists()
        for row in rows[:LATELY]:
            if first:
                row.due = fanout.due(channel.reader, today, urgent=False)
            else:  # the mail server did not take it; tried again in some hours
                row.fail("smtp_451", today + dt.timedelta(seconds=sending.BACKOFF[-2]))
        old = rows[LATELY:]
        if not first and old:
            old.pop(0).give_up("too_old")
        _sent(old, lambda row: min(row.due, today))
    fields = ["state", "sent_at", "read_at", "fault", "due", "tries", "batch"]
    Delivery.objects.bulk_update(rows, fields, batch_size=200)


def _sent(rows: list[Delivery], when: Callable[[Delivery], dt.datetime]) -> None:
    """One message a day of all that was due on it."""
    for row in rows:
        at = when(row)
        row.batch = f"demo{row.channel_id}-{at:%Y%m%d}"
        row.succeed(at)
