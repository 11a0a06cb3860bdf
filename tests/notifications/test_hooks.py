"""Programs that hear of public news: signed, tried first, and led nowhere inside."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import socket
import ssl
import threading
import time
from typing import Any

import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from notifications import fanout, gateways, hooks, sending, worker
from notifications.gateways import hooks as gateway
from notifications.models import FAILED, HOOK, SENT, Channel, Delivery, Gateway, Hook, Reader
from tests.test_wapiti import certificate
from workflows import acts, clock
from workflows.records import erasure

from .conftest import OFFICE, Web

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/news/hooks/"


@pytest.fixture
def owner(account: Any) -> Client:
    client = Client()
    client.force_login(account("programmer"))
    return client


@pytest.fixture
def here(web: Web, settings: Any) -> str:
    """An address on this machine, which the operator has named."""
    settings.SANWEN_HOOK_INSIDE = [f"127.0.0.1:{web.port}"]
    settings.SITE_ADDRESS = "https://sanwen.example.org"
    web.always = (204, b"")
    return f"http://127.0.0.1:{web.port}/hear"


def named(client: Client, address: str, **more: str) -> Any:
    return client.post(PAGE, {"do": "add", "title": "数据平台", "address": address, **more})


def secret_in(answer: Any) -> str:
    (secret,) = set(re.findall(r"whsec_[A-Za-z0-9+/=]{44}", answer.content.decode()))
    return secret


def hook() -> Hook:
    return Hook.objects.select_related("channel").get()


def do(client: Client, what: str) -> Any:
    return client.post(PAGE, {"do": what, "hook": hook().pk})


def happen(case: Any) -> None:
    acts.perform(case, "case", "case.suspended", OFFICE, {"reason": "等待资金到位后继续"})


def heard(web: Web, secret: str, at: int = -1) -> Any:
    """What came, once its signature is found good."""
    got = web.got[at]
    now = got["headers"]["webhook-timestamp"]
    signed = Webhook(secret).sign(
        got["headers"]["webhook-id"],
        dt.datetime.fromtimestamp(int(now), dt.UTC),
        got["body"].decode(),
    )
    assert signed in got["headers"]["webhook-signature"].split(" ")
    return json.loads(got["body"])


def test_a_program_hears_the_public_record_once_a_test_has_arrived(
    owner: Client, web: Web, here: str, case: Any
) -> None:
    answer = named(owner, here, case=case.number)
    assert answer.status_code == 200, answer.content.decode()
    secret = secret_in(answer)
    assert secret not in owner.get(PAGE).content.decode()
    assert secret not in str(Hook.objects.values().get()), "kept nowhere"
    happen(case)
    worker.run_once()
    assert not web.got, "whoever has not answered a test is sent nothing"
    do(owner, "test")
    assert heard(web, secret)["type"] == "test"
    acts.perform(case, "case", "case.resumed", OFFICE, {"reason": "资金已经到位"})
    worker.run_once()
    said = heard(web, secret)
    (told,) = said["data"]["cases"]
    assert told["number"] == case.number
    record = case.records.get(act="case.resumed")
    (shown,) = [each for each in told["records"] if each["seq"] == record.seq]
    assert shown["leaf_hash"] == bytes(record.leaf_hash).hex()
    assert shown["body"]["reason"] == "资金已经到位"
    text = web.got[-1]["body"].decode()
    assert "person:1" not in text
    assert "经办人" not in text
    assert "已发送" in owner.get(PAGE).content.decode()


def test_two_secrets_count_while_one_changes_over(owner: Client, web: Web, here: str) -> None:
    from workflows.models import Community

    Community.objects.create(code="x", name="示范", kind="estate")
    first = secret_in(named(owner, here, place="x"))
    second = secret_in(do(owner, "rotate"))
    assert first != second
    do(owner, "test")
    heard(web, first)
    heard(web, second)
    clock.set_now(clock.now() + dt.timedelta(days=8))
    do(owner, "test")
    heard(web, second)
    with pytest.raises(AssertionError):
        heard(web, first)
    with pytest.raises(WebhookVerificationError):
        Webhook(second).verify(b"{}", {"webhook-id": "x"})


def test_what_fails_is_tried_again_and_delays_no_other(
    owner: Client, web: Web, here: str, case: Any
) -> None:
    worker.run_once()  # that the case was opened is told before
    named(owner, here, case=case.number)
    do(owner, "test")
    web.answers = [(503, b"")]
    happen(case)
    fanout.run_waiting()
    (code,) = sending.due_gateways()
    assert code == f"{HOOK}:{hook().channel_id}", "a gateway of its own"
    assert sending.run_waiting(code) == 0
    row = Delivery.objects.get()
    assert (row.state, row.fault, row.tries) == (FAILED, "http_503", 1)
    assert "http_503" in owner.get(PAGE).content.decode()
    assert row.due > clock.now()
    clock.set_now(row.due + dt.timedelta(seconds=1))
    assert sending.run_waiting(code) == 1
    assert Delivery.objects.get().state == SENT
    assert not Gateway.objects.filter(resting_until__isnull=False).exists()
    web.answers = [(410, b"")]
    acts.perform(case, "case", "case.resumed", OFFICE, {"reason": "资金已经到位"})
    worker.run_once()
    assert hook().channel.closed_at is not None, "410: it wants no more"


@pytest.mark.parametrize(
    "address",
    [
        "http://hear.example.org/",
        "https://hear.example.org:8443/",
        "https://user:secret@hear.example.org/",
        "https://hear.example.org/#part",
        "ftp://hear.example.org/",
        "https:///nothing",
        "https://hear.example.org:99999/",
        "https://hear.example.org/a b",
        "hear.example.org",
    ],
)
def test_an_address_that_is_none_is_refused(owner: Client, case: Any, address: str) -> None:
    assert named(owner, address, case=case.number).status_code == 422
    assert not Hook.objects.exists()


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False),
        ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False), ("fe80::1%eth0", False),
        ("fd00::1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False), ("::10.0.0.1", False), ("fec0::1", False),
        ("2001:0:a00:1::1", False), ("no address", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, may: bool) -> None:
    assert gateway.public(address) is may


def channel_to(url: str) -> Channel:
    reader = Reader.objects.create(title="x")
    channel = Channel.objects.create(
        reader=reader, kind=HOOK, gateway="hook:1", address=url, created=clock.now()
    )
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.create_user("someone")
    Hook.objects.create(channel=channel, account_id=user.pk)
    return channel


def fault_of(url: str) -> str:
    with pytest.raises(gateways.Fault) as caught:
        gateway.deliver(channel_to(url), {"type": "test"}, "a")
    return caught.value.code


def test_a_name_that_leads_inside_is_not_called(web: Web, monkeypatch: Any) -> None:
    looked = []

    def leads(host: str, port: int, *args: Any, **more: Any) -> Any:
        looked.append(host)
        # Public at first, and one inside beside it.
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
            for ip in ("93.184.216.34", "127.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", leads)
    assert fault_of("https://hear.example.org/") == "private_address"
    assert looked == ["hear.example.org"]
    assert not web.got


def test_the_peer_is_looked_at_before_anything_is_said(
    web: Web, monkeypatch: Any, settings: Any
) -> None:
    """The look-up says a public address, the connection lands inside."""
    reached = []
    monkeypatch.setattr(gateway, "public", lambda address: address == "localhost")
    monkeypatch.setattr(
        gateway.HTTPSConnection,
        "_new_conn",
        lambda self: reached.append(1) or socket.create_connection(("127.0.0.1", web.port)),
    )
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, *a, **k: (
            [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("localhost", port))]
            if host == "hear.example.org"
            else real(host, port, *a, **k)
        ),
    )
    assert fault_of("https://hear.example.org/") == "private_address"
    assert reached
    assert not web.got


def test_no_redirect_is_followed(web: Web, here: str) -> None:
    web.always = (302, b"")
    assert fault_of(here) == "http_302"
    assert len(web.got) == 1


def test_a_program_that_never_ends_is_ended(settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(gateway, "WHOLE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        settings.SANWEN_HOOK_INSIDE = ["127.0.0.1"]
        assert fault_of(f"http://127.0.0.1:{port}/") == "unreachable"


@pytest.mark.parametrize("begins", [True, False])
def test_nor_does_one_that_drips_behind_tls(
    settings: Any, monkeypatch: Any, tmp_path: Any, begins: bool
) -> None:
    """Each byte comes in time, the end never: in the handshake, or in the head of the answer."""
    monkeypatch.setattr(gateway, "WHOLE", 1.0)
    private, public = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    settings.SANWEN_HOOK_INSIDE = ["127.0.0.1"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    reached, over = threading.Event(), threading.Event()

    def drip(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            link: socket.socket = server.accept()[0]
            if begins:
                link = context.wrap_socket(link, server_side=True)
                link.sendall(b"HTTP/1.1 2")
            reached.set()
            with link:
                if not begins:  # the head of a long record
                    link.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb")
                while not over.wait(0.1):
                    link.send(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=[server], daemon=True).start()
        began = time.monotonic()
        try:
            assert fault_of(f"https://127.0.0.1:{server.getsockname()[1]}/") in (
                "unreachable",
                "bad_certificate",
            )
        finally:
            over.set()
        assert reached.is_set()
        assert time.monotonic() - began < 5


def test_everybody_sees_and_keeps_their_own(
    owner: Client, account: Any, here: str, case: Any
) -> None:
    named(owner, here, case=case.number)
    other = Client()
    other.force_login(account("other"))
    assert here not in other.get(PAGE).content.decode()
    for what in ("test", "rotate", "remove"):
        assert do(other, what).status_code == 404
    assert Client().get(PAGE).status_code == 302
    do(owner, "remove")
    assert not Channel.objects.filter(kind=HOOK).exists()


def test_it_goes_with_the_account(owner: Client, here: str, case: Any) -> None:
    named(owner, here, case=case.number)
    user = hook().account_id
    subject = erasure.Subject(frozenset({user}))
    erasure.erasing.send(erasure.Subject, subject=subject, at=clock.now())
    assert not Hook.objects.exists()
    assert not Reader.objects.filter(title="数据平台").exists()


def test_not_very_many(owner: Client, here: str, case: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(hooks, "MOST", 1)
    assert named(owner, here, case=case.number).status_code == 200
    assert named(owner, here, case=case.number).status_code == 422
    assert named(owner, here).status_code == 422
