"""Notifications of a browser, from the button to the page that a press opens. The push service is a
server on this machine; what it got is handed to Chromium as such a service would."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import expect

from notifications import following, worker
from notifications.models import Channel, Delivery, reader_of
from processes.renovation.procedure import Renovation
from tests.notifications.conftest import web  # noqa: F401 - a fixture
from workflows import acts, clock
from workflows.parties import Party

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NINE = dt.datetime(2026, 3, 3, 9, tzinfo=clock.SHANGHAI)

SUBSCRIBES = """
PushManager.prototype.subscribe = async function (options) {
  window.asked = {
    seen: options.userVisibleOnly,
    key: btoa(String.fromCharCode(...new Uint8Array(options.applicationServerKey))),
  };
  return { toJSON: () => (%s) };
};
"""
"""Chromium would ask Google's service; all else is its own."""

SHOWN = """async () => {
  const [worker] = await navigator.serviceWorker.getRegistrations();
  return (await worker.getNotifications()).map(
    ({ title, body, tag, data }) => ({ title, body, tag, data }));
}"""

PRESSED = """async () => {
  const [shown] = await self.registration.getNotifications();
  const opened = [];
  const opens = async (url) => { opened.push(url); };
  Object.defineProperty(self.clients, "openWindow", { value: opens });
  const press = new NotificationEvent("notificationclick", { notification: shown });
  self.dispatchEvent(press);
  for (let turn = 0; turn < 100 && !opened.length; turn += 1) {
    await new Promise((go) => setTimeout(go, 50));
  }
  return { opened, left: (await self.registration.getNotifications()).length };
}"""


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_browser_shows_what_was_pushed_and_a_press_opens_the_messages(
    town, walker, web, settings, tmp_path  # noqa: F811
):  # fmt: skip
    settings.SANWEN_PUSH = True
    settings.SANWEN_PUSH_KEY_FILE = tmp_path / "push.key"
    settings.SANWEN_PUSH_HOSTS = ["127.0.0.1"]
    web.always = (201, b"")
    clock.set_now(NINE)
    office = Party("office", f"person:{town.staff['office'].pk}", town.staff["office"].pk)
    role = Renovation.opened_by[0]
    opener = Party(role, f"person:{town.staff[role].pk}", town.staff[role].pk)
    case = acts.open_case(Renovation, town.community, opener, title="示范小区改造", demo=True)
    worker.run_once()
    person = town.resident(3)
    following.follow(reader_of(person), following.Thing(case))

    key, auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    subscription = {
        "endpoint": f"http://127.0.0.1:{web.port}/push/abc",
        "expirationTime": None,
        "keys": {"p256dh": text(point), "auth": text(auth)},
    }
    phone = walker(person)
    phone.context.grant_permissions(["notifications"], origin=phone.address)
    phone.context.add_init_script(SUBSCRIBES % json.dumps(subscription))
    devtools = phone.context.new_cdp_session(phone.page)
    registered: list[dict[str, Any]] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registered.extend(event["registrations"]),
    )
    devtools.send("ServiceWorker.enable")
    phone.go("/news/settings/")
    phone.page.get_by_role("button", name="在这个浏览器上显示通知").click()
    expect(phone.page.locator("main")).to_contain_text("浏览器通知")
    assert Channel.objects.get(kind="push").verified_at

    acts.perform(case, "case", "case.suspended", office, {"reason": "等待上级批复资金"})
    clock.set_now(NINE.replace(hour=18))
    worker.run_once()
    [got] = web.got
    assert Delivery.objects.get(gateway="push").state == "sent"
    pushed = http_ece.decrypt(
        got["body"], private_key=key, auth_secret=auth, version="aes128gcm"
    ).decode()
    assert set(json.loads(pushed)) == {"title", "body", "url", "tag"}
    for personal in (person.username, person.display_name, town.label(3), "王示3"):
        assert personal not in pushed

    for _ in range(200):
        if registered:
            break
        phone.page.wait_for_timeout(50)
    devtools.send(
        "ServiceWorker.deliverPushMessage",
        {
            "origin": phone.address,
            "registrationId": registered[0]["registrationId"],
            "data": pushed,
        },
    )
    for _ in range(200):
        if shown := phone.page.evaluate(SHOWN):
            break
        phone.page.wait_for_timeout(50)
    assert [each["title"] for each in shown] == ["示范小区改造有新进展"]
    assert shown[0]["body"].startswith("示范小区改造")
    [script] = phone.context.service_workers
    pressed = script.evaluate(PRESSED)
    assert pressed == {"opened": ["/news/"], "left": 0}
    phone.go(pressed["opened"][0])
    phone.sees("示范小区改造", "等待上级批复资金")
