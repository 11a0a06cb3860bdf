"""Gateways that refuse, are down, are slow or have a rate; channels with a quota."""

from __future__ import annotations

import datetime as dt
import logging
import socket

import pytest
from django.test import Client

from notifications import fanout, figures, gateways, sending, worker
from notifications.gateways import robots
from notifications.models import (
    ROBOT,
    SMS,
    Channel,
    Delivery,
    Gateway,
    Reader,
    Subscription,
    reader_of,
)
from tests.notifications.conftest import OFFICE, channel_of, follow
from workflows import acts, clock

pytestmark = pytest.mark.django_db


def write(case, text="写好了"):
    return acts.perform(case, "write", "task.done", OFFICE, {"text": text})


@pytest.fixture
def ready(case, account):
    """A follower with an address; the digest's hour has come and one piece of news waits."""
    fanout.run_waiting()
    user = account("a", "a@example.org")
    follow(user, case=case)
    write(case)
    fanout.run_waiting()
    clock.set_now(clock.now().replace(hour=18))
    return user


def mail() -> Delivery:
    return Delivery.objects.get(gateway="email")


def later(**delta) -> None:
    clock.set_now(clock.now() + dt.timedelta(**delta))


def test_a_refused_message_is_tried_again_with_growing_pauses_and_then_given_up(post, ready):
    post.answers = ["451 later"] * 20
    pauses = []
    for _ in range(sending.TRIES - 1):
        before = clock.now()
        worker.run_once()
        assert mail().state == "failed"
        assert mail().fault == "smtp_451"
        pauses.append((mail().due - before).total_seconds())
        worker.run_once()  # not before its time
        clock.set_now(mail().due + dt.timedelta(seconds=1))
    assert pauses == sorted(pauses)
    assert pauses[0] >= 60
    worker.run_once()
    assert mail().state == "given_up"
    assert mail().tries == sending.TRIES
    assert len(post.answers) == 20 - sending.TRIES
    assert not post.mails


def test_what_is_refused_once_is_sent_the_next_time(post, ready):
    post.answers = ["451 later"]
    worker.run_once()
    assert not post.mails
    later(minutes=2)
    worker.run_once()
    assert mail().state == "sent"
    assert mail().fault == ""
    assert len(post.mails) == 1


def test_an_address_that_is_no_more_is_given_up_and_closed(post, ready):
    post.answers = ["550 nobody"]
    worker.run_once()
    assert mail().state == "given_up"
    channel = Channel.objects.get(kind="email")
    assert channel.closed_at
    assert channel.closed_why == "smtp_550"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_gateway_that_is_down_costs_no_tries_rests_and_delays_nobody_else(
    settings, web, post, ready
):
    settings.EMAIL_PORT = closed_port()
    settings.SANWEN_SMS = f"json://127.0.0.1:{web.port}/send?:to={{phone}}"
    channel_of(ready, "+8613800000000", SMS)
    for _ in range(sending.BEFORE_REST + 1):
        worker.run_once()
    assert mail().state == "failed"
    assert mail().tries == 0
    assert "email" not in sending.due_gateways(), "it rests"
    write_again(ready)
    worker.run_once()
    assert len(web.got) == 1, "the other gateway is not kept waiting"
    settings.EMAIL_PORT = post.port
    later(minutes=16)
    worker.run_once()
    assert len(post.mails) == 1
    assert Gateway.objects.get(code="email").failures == 0


def write_again(user) -> None:
    """More news, which the SMS channel hears of too."""
    case = Subscription.objects.get(reader__user=user).case
    acts.perform(case, "check_a", "task.done", OFFICE, {"note": "核对过了"})
    fanout.run_waiting()
    Delivery.objects.filter(gateway="sms").update(due=clock.now())


def test_a_rate_is_not_exceeded_and_the_rest_is_sent_the_next_minute(settings, post, case, account):
    settings.SANWEN_NEWS_RATES = {**settings.SANWEN_NEWS_RATES, "email": 3}
    fanout.run_waiting()
    for number in range(7):
        follow(account(f"u{number}", f"u{number}@example.org"), case=case)
    write(case)
    fanout.run_waiting()
    clock.set_now(clock.now().replace(hour=18))
    counts = []
    for _ in range(4):
        worker.run_once()
        worker.run_once()
        counts.append(len(post.mails))
        later(seconds=61)
    assert counts == [3, 6, 7, 7]
    assert len(set(post.rcpts)) == 7


def test_addresses_do_not_stand_in_the_log(post, ready, caplog):
    caplog.set_level(logging.DEBUG)
    post.answers = ["550 <a@example.org> unknown"]
    worker.run_once()
    assert mail().state == "given_up"
    ours = [line for line in caplog.records if not line.name.startswith("mail.")]  # the server's
    assert ours
    assert not [line for line in ours if "a@example.org" in line.getMessage()]


def test_a_channel_held_by_another_worker_is_left_alone_until_its_lease_is_over(post, ready):
    channel = Channel.objects.get(kind="email")
    Channel.objects.filter(pk=channel.pk).update(
        lease=clock.now() + sending.LEASE, holder="another"
    )
    worker.run_once()
    assert not post.mails
    later(seconds=sending.LEASE.total_seconds() + 1)
    worker.run_once()
    assert len(post.mails) == 1


def test_a_worker_that_was_overtaken_does_not_settle(post, ready, monkeypatch):
    real = gateways.send

    def slow(channel, message, batch):
        real(channel, message, batch)
        Channel.objects.filter(pk=channel.pk).update(holder="another")

    monkeypatch.setattr(gateways, "send", slow)
    sending.run_waiting("email")
    assert mail().state == "queued"
    assert mail().batch


def test_an_interrupted_batch_is_sent_again_as_the_same_message(post, ready, monkeypatch):
    real = sending._settle
    monkeypatch.setattr(sending, "_settle", lambda *args, **more: None)  # killed after sending
    sending.run_waiting("email")
    monkeypatch.setattr(sending, "_settle", real)
    assert len(post.mails) == 1
    later(seconds=sending.LEASE.total_seconds() + 1)
    worker.run_once()
    first, again = post.mails
    assert first["Message-ID"] == again["Message-ID"]
    assert mail().state == "sent"
    later(days=1)
    worker.run_once()
    assert len(post.mails) == 2


# --- robots and quotas --------------------------------------------------------------------------


WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123456789abcdef0123456789abcdef"
DINGTALK = "https://oapi.dingtalk.com/robot/send?access_token=0123456789abcdef"
FEISHU = "https://open.feishu.cn/open-apis/bot/v2/hook/01234567-89ab-cdef-0123-456789abcdef"


def outlet(estate, url: str, per_day: int | None = None) -> Channel:
    kind, address = robots.robot_of(url)
    reader = Reader.objects.create(title="示范小区群", place=estate)
    Subscription.objects.create(
        reader=reader, place=estate, key=f"place:{estate.pk}", since=clock.now()
    )
    return Channel.objects.create(
        reader=reader, kind=ROBOT, gateway=kind, address=address, per_day=per_day,
        created=clock.now(), verified_at=clock.now(),
    )  # fmt: skip


@pytest.fixture
def robot_web(web, monkeypatch):
    """The three platforms, on this machine."""
    here = f"http://127.0.0.1:{web.port}"
    monkeypatch.setattr(robots.wecombot.NotifyWeComBot, "notify_url", here + "/wecom?key={key}")
    monkeypatch.setattr(
        robots.dingtalk.NotifyDingTalk, "notify_url", here + "/dingtalk?access_token={token}"
    )
    monkeypatch.setattr(robots.feishu.NotifyFeishu, "notify_url", here + "/feishu/{token}/")
    return web


@pytest.mark.parametrize(
    ("url", "path", "words"),
    [
        (WECOM, "/wecom?key=0123456789abcdef0123456789abcdef", lambda b: b["text"]["content"]),
        (DINGTALK, "/dingtalk?access_token=0123456789abcdef", lambda b: b["text"]["content"]),
        (FEISHU, "/feishu/01234567-89ab-cdef-0123-456789abcdef/", lambda b: b["content"]["text"]),
    ],
)
def test_a_group_robot_tells_its_group(robot_web, estate, case, url, path, words):
    fanout.run_waiting()
    outlet(estate, url)
    write(case, "井盖已经换好")
    fanout.run_waiting()
    clock.set_now(clock.now().replace(hour=18))
    worker.run_once()
    [got] = robot_web.got
    assert got["path"].startswith(path.split("&")[0])
    assert "甲事" in words(robot_web.json())
    assert case.number in words(robot_web.json())


def test_a_robot_that_answers_200_and_an_error_has_not_been_told(robot_web, estate, case):
    fanout.run_waiting()
    channel = outlet(estate, WECOM)
    write(case)
    fanout.run_waiting()
    clock.set_now(clock.now().replace(hour=18))
    robot_web.answers = [(200, b'{"errcode": 45009, "errmsg": "api freq out of limit"}')]
    worker.run_once()
    row = Delivery.objects.get(channel=channel)
    assert (row.state, row.fault) == ("failed", "answer_45009")
    robot_web.answers = [(200, b'{"errcode": 93000, "errmsg": "invalid webhook url"}')]
    later(minutes=2)
    worker.run_once()
    assert Delivery.objects.get(channel=channel).state == "given_up"
    channel.refresh_from_db()
    assert channel.closed_at


@pytest.mark.parametrize(
    "url",
    [
        "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x",
        "https://qyapi.weixin.qq.com.evil.example/cgi-bin/webhook/send?key=x",
        "https://user@open.feishu.cn/open-apis/bot/v2/hook/x",
        "https://127.0.0.1/robot/send?access_token=x",
        "json://127.0.0.1/",
        "",
    ],
)
def test_only_robots_of_the_three_platforms_are_called(url):
    assert robots.robot_of(url) is None


def test_a_channel_with_a_quota_sends_once_a_day_and_the_rest_waits(robot_web, estate, case):
    fanout.run_waiting()
    channel = outlet(estate, WECOM, per_day=1)
    write(case)
    fanout.run_waiting()
    clock.set_now(clock.now().replace(hour=18))
    worker.run_once()
    assert len(robot_web.got) == 1
    acts.perform(case, "check_a", "task.done", OFFICE, {"note": "核对过了"})
    fanout.run_waiting()
    Delivery.objects.filter(channel=channel, state="queued").update(due=clock.now())
    worker.run_once()
    assert len(robot_web.got) == 1, "the day's one is used up"
    waiting = Delivery.objects.get(channel=channel, state="queued")
    assert waiting.due == (clock.now() + dt.timedelta(days=1)).replace(hour=18)
    clock.set_now(waiting.due)
    worker.run_once()
    assert len(robot_web.got) == 2


def test_an_sms_gateway_is_given_the_number_and_the_short_text(settings, web, ready):
    settings.SANWEN_SMS = f"json://127.0.0.1:{web.port}/send?:to={{phone}}"
    channel = channel_of(ready, "+8613800000000", SMS)
    write_again(ready)
    worker.run_once()
    body = web.json()
    assert body["to"] == "+8613800000000"
    assert "甲事" in body["message"]
    assert Delivery.objects.get(channel=channel).state == "sent"
    assert reader_of(ready).channels.count() == 3


def test_the_operator_sees_what_waits_failed_and_was_given_up(post, ready, settings):
    settings.SANWEN_METRICS_TOKEN = "geheim"

    def figure(name: str) -> float:
        headers = {"Authorization": "Bearer geheim"}
        text = Client().get("/metrics", headers=headers).content.decode()
        assert "example.org" not in text
        [line] = [each for each in text.splitlines() if each.startswith(f"sanwen_{name}{{")]
        label, _space, value = line.partition(" ")
        assert label == f'sanwen_{name}{{gateway="email"}}'
        return float(value)

    later(minutes=10)
    assert (figure("deliveries_waiting"), figure("deliveries_failing")) == (1, 0)
    assert figure("deliveries_lag_seconds") == (clock.now() - mail().due).total_seconds() > 0
    post.answers = ["451 later"] * 20
    worker.run_once()
    assert (figure("deliveries_waiting"), figure("deliveries_failing")) == (0, 1)
    assert figure("deliveries_given_up") == 0
    while mail().state != "given_up":
        clock.set_now(mail().due)
        worker.run_once()
    assert (figure("deliveries_waiting"), figure("deliveries_failing")) == (0, 0)
    assert (figure("deliveries_given_up"), figure("gateways_resting")) == (1, 0)


def test_the_operator_sees_a_gateway_that_rests(post, ready, settings):
    settings.EMAIL_PORT = 1
    for _ in range(sending.BEFORE_REST):
        worker.run_once()
    resting = {each.name: each.values for each in figures.waiting(None)}["gateways_resting"]
    assert resting == {"email": 1}
