"""Web Push to a service on this machine: encrypted, signed, and forgotten when it is gone."""

from __future__ import annotations

import base64
import json
import os

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from notifications import fanout, worker
from notifications.gateways import push
from notifications.models import Channel, Delivery, reader_of
from tests.notifications.conftest import OFFICE, follow
from workflows import acts, clock

pytestmark = pytest.mark.django_db


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def subscriber(settings, tmp_path, web):
    """What a browser would send, and the key with which it reads."""
    settings.SANWEN_PUSH = True
    settings.SANWEN_PUSH_KEY_FILE = tmp_path / "push.key"
    settings.SANWEN_PUSH_HOSTS = ["127.0.0.1"]
    key, auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    subscription = {
        "endpoint": f"http://127.0.0.1:{web.port}/push/abc",
        "keys": {"p256dh": text(point), "auth": text(auth)},
    }
    return subscription, key, auth


def test_a_browser_is_told_and_the_service_cannot_read_it(subscriber, web, case, account):
    subscription, key, auth = subscriber
    user = account("a")
    fanout.run_waiting()
    client = Client()
    client.force_login(user)
    assert push.public_key() in client.get("/news/settings/").content.decode()
    client.post("/news/channels/push/", {"subscription": json.dumps(subscription)})
    follow(user, case=case)
    acts.perform(case, "write", "task.done", OFFICE, {"text": "井盖已经换好"})
    fanout.run_waiting()
    clock.set_now(clock.now().replace(hour=18))
    web.always = (201, b"")
    worker.run_once()
    [got] = web.got
    assert "甲事".encode() not in got["body"]
    assert got["headers"]["Authorization"].startswith("vapid t=")
    plain = http_ece.decrypt(got["body"], private_key=key, auth_secret=auth, version="aes128gcm")
    assert json.loads(plain)["title"] == "甲事有新进展"
    assert Delivery.objects.get(gateway="push").state == "sent"
    web.always = (410, b"")
    acts.perform(case, "check_a", "task.done", OFFICE, {"note": "核对"})
    fanout.run_waiting()
    clock.set_now(clock.now().replace(day=4))
    worker.run_once()
    assert Channel.objects.get(kind="push").closed_at


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://10.0.0.1/x",
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evil.example/fcm.googleapis.com",
        "file:///etc/passwd",
    ],
)
def test_only_known_push_services_are_called(settings, account, endpoint):
    settings.SANWEN_PUSH = True
    keys = {"p256dh": "x", "auth": "y"}
    assert push.subscription_of(json.dumps({"endpoint": endpoint, "keys": keys})) is None
    user = account("a")
    client = Client()
    client.force_login(user)
    body = json.dumps({"endpoint": endpoint, "keys": keys})
    client.post("/news/channels/push/", {"subscription": body})
    assert not reader_of(user).channels.filter(kind="push").exists()
