"""The demo of news: something of every kind to look at, and nobody begins with a hundred unread."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db.models import Count

from notifications import demo, outlets, sending
from notifications.models import EMAIL, HAND, PAGE, Channel, Delivery, News, Subscription
from notifications.views import PER_PAGE
from tests.notifications.conftest import OFFICE
from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, clock
from workflows.models import Case, Community

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(estate, account):
    """A demo of a month, loaded story by story, and its news."""
    today = clock.now()
    other = Community.objects.create(
        code="other", name="示范二区", kind="estate", parent=estate.parent
    )
    SandboxDirectory.holders[estate.pk] |= {account(f"jumin{n}").pk for n in range(3)}
    SandboxDirectory.holders[other.pk] = SandboxDirectory.holders[estate.pk]
    for place in (estate, other):
        for day in range(30, 0, -1):
            with clock.at(today - dt.timedelta(days=day)):
                acts.open_case(Errand, place, OFFICE, title=f"示范{day}", demo=True)
    assert len(list(demo.load(today))) == 1
    return today


def test_what_is_long_ago_has_been_read_and_a_handful_has_not(told):
    pages = Channel.objects.filter(kind=PAGE)
    assert pages.count() == 3
    for channel in pages:
        rows = channel.deliveries.order_by("-news__at", "-news_id")
        unread = [row.pk for row in rows if row.read_at is None]
        assert len(unread) <= demo.UNREAD
        assert unread == [row.pk for row in rows[: len(unread)]]
    assert Delivery.objects.filter(channel__kind=PAGE, read_at=None).exists()


def test_something_was_sent_something_failed_something_waits(told):
    states = set(Delivery.objects.filter(channel__kind=EMAIL).values_list("state", flat=True))
    assert states == {"queued", "sent", "failed", "given_up"}
    addresses = Channel.objects.filter(kind=EMAIL).values_list("address", flat=True)
    assert all(address.endswith(".invalid") for address in addresses)
    assert not Channel.objects.exclude(kind__in=(PAGE, EMAIL, HAND)).exists()
    columns = Subscription.objects.values_list("case", "place", "procedure", "topic", "off")
    for number in range(4):
        assert any(row[number] for row in columns), number
    assert any(row[4] for row in columns)
    assert sending.run_waiting(EMAIL) == 0, "nothing is due at once"


def test_the_official_account_has_used_up_its_day_and_says_so(told):
    shown = [outlets._shown(channel) for channel in Channel.objects.filter(kind=HAND)]
    spent = shown[0]
    assert (spent["used"], spent["count"]) == (1, demo.LATELY)
    assert "今天的次数已用完" in spent["why"]


def test_news_stand_in_the_order_of_time_and_are_told_once(told):
    times = list(News.objects.order_by("pk").values_list("at", flat=True))
    assert times == sorted(times)
    count = Delivery.objects.count()
    assert list(demo.load(told)) == []
    assert Delivery.objects.count() == count


def test_where_no_demo_is_nothing_is_made(estate, account):
    acts.open_case(Errand, estate, OFFICE, title="真事")
    assert list(demo.load(clock.now())) == []
    assert not Channel.objects.exists()
    assert Case.objects.count() == 1


def test_the_first_page_of_many_messages_has_the_newest(told, client):
    channel = Channel.objects.filter(kind=PAGE).annotate(n=Count("deliveries")).order_by("-n")[0]
    assert channel.n > PER_PAGE
    client.force_login(channel.reader.user)
    shown = list(client.get("/news/").context["page"].object_list)
    newest = channel.deliveries.order_by("-news__id").values_list("pk", flat=True)
    assert [row.pk for row in shown] == list(newest[:PER_PAGE])


def test_what_is_pushed_by_hand_is_all_that_was_shown(told):
    shown = Channel.objects.filter(kind=HAND).first()
    shown.per_day = 9
    shown.save()
    upto = str(outlets._shown(shown)["upto"])
    assert outlets.pushed(shown, upto) == demo.LATELY
