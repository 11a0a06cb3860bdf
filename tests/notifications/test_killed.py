"""Workers side by side, and workers that are killed: nothing twice, nothing lost."""

from __future__ import annotations

import datetime as dt
import signal

import pytest
from django.contrib.auth import get_user_model

from notifications import fanout, following, worker
from notifications.models import Channel, Delivery, News, Reader, Subscription, pages_of
from tests.notifications.conftest import OFFICE
from tests.sandbox.core_procedures import Errand
from tests.workflows.test_concurrency import finish, start
from workflows import acts, calendars, clock
from workflows.models import Community

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]

READERS = 60


@pytest.fixture
def case(transactional_db, post):
    """A case with sixty followers who have addresses, and one piece of news for them."""
    calendars.seed()
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    found = acts.open_case(Errand, estate, OFFICE, title="甲事")
    fanout.run_waiting()
    users = get_user_model().objects.bulk_create(
        get_user_model()(username=f"u{number}") for number in range(READERS)
    )
    Reader.objects.bulk_create(Reader(user=user) for user in users)
    readers = list(Reader.objects.order_by("pk"))
    pages_of([reader.pk for reader in readers])
    now = clock.now()
    thing = following.Thing(case=found)
    Subscription.objects.bulk_create(
        Subscription(reader=reader, case=found, key=thing.key, since=now) for reader in readers
    )
    Channel.objects.bulk_create(
        Channel(
            reader=reader, kind="email", gateway="email", address=f"{reader.pk}@example.org",
            created=now, verified_at=now,
        )
        for reader in readers
    )  # fmt: skip
    acts.perform(found, "write", "task.done", OFFICE, {"text": "写好了"})
    return found


def script(port: int, more: str = "") -> str:
    """A worker in a process of its own, with this test's mail server."""
    return f"""
from django.conf import settings
settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", {port}
settings.DEFAULT_FROM_EMAIL = "sanwen@sanwen.example.org"
from notifications import fanout, sending, worker, gateways
fanout.PIECE = 7
def die():
    os.kill(os.getpid(), signal.SIGKILL)
{more}
worker.run_once()
"""


def evening():
    """The next time that digests are sent: what happens after today's waits for tomorrow's."""
    now = clock.now().astimezone(clock.SHANGHAI)
    return now.replace(hour=18) + dt.timedelta(days=now.hour >= 18)


def test_two_workers_send_each_message_once(case, post):
    fanout.run_waiting()
    both = [start(script(post.port), now=evening()) for _ in range(3)]
    for process in both:
        finish(process)
    assert len(post.rcpts) == READERS
    assert len(set(post.rcpts)) == READERS
    assert Delivery.objects.filter(gateway="email", state="sent").count() == READERS


def test_two_workers_spread_each_news_once(case, post):
    both = [start(script(post.port), now=clock.now()) for _ in range(2)]
    for process in both:
        finish(process)
    assert Delivery.objects.filter(news__case=case, gateway="email").count() == READERS
    assert News.objects.filter(spread_at=None).count() == 0


KILLS = {
    "in the middle of spreading": """
real, count = fanout._write, iter(range(100))
def write(*args, **more):
    if next(count) == 4:
        die()
    real(*args, **more)
fanout._write = write
""",
    "within a piece, before its commit": """
from notifications.models import Delivery
real, count = Delivery.objects.bulk_create, iter(range(100))
def create(rows, **more):
    found = real(rows, **more)
    if next(count) == 3:
        die()
    return found
Delivery.objects.bulk_create = create
""",
    "between claiming and sending": """
real, count = sending._batch, iter(range(100))
def batch(channel):
    if next(count) == 5:
        die()
    return real(channel)
sending._batch = batch
""",
    "after a batch was marked, before it is sent": """
real, count = gateways.send, iter(range(100))
def send(*args):
    if next(count) == 5:
        die()
    real(*args)
gateways.send = send
""",
}


@pytest.mark.parametrize("moment", KILLS)
def test_a_killed_worker_loses_nothing_and_doubles_nothing(case, post, moment):
    killed = start(script(post.port, KILLS[moment]), now=evening())
    with pytest.raises(AssertionError):
        finish(killed)
    assert killed.returncode == -signal.SIGKILL
    clock.set_now(evening() + fanout.LEASE * 2)
    worker.run_once()
    worker.run_once()
    assert sorted(post.rcpts) == sorted(set(post.rcpts))
    assert len(post.rcpts) == READERS
    assert not Delivery.objects.filter(state="queued").exists()


def test_a_worker_killed_right_after_sending_sends_that_one_again_as_the_same_message(case, post):
    kill = """
real, count = sending._settle, iter(range(100))
def settle(*args, **more):
    if next(count) == 5:
        die()
    real(*args, **more)
sending._settle = settle
"""
    killed = start(script(post.port, kill), now=evening())
    with pytest.raises(AssertionError):
        finish(killed)
    clock.set_now(evening() + fanout.LEASE * 2)
    worker.run_once()
    assert len(set(post.rcpts)) == READERS
    assert len(post.rcpts) == READERS + 1
    assert len({mail["Message-ID"] for mail in post.mails}) == READERS
