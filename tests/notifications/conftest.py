"""What tests of news share: an estate, accounts, and gateways that are real servers."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.contrib.auth import get_user_model

from notifications import following
from notifications.models import EMAIL, Channel, reader_of
from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars, clock
from workflows.models import Community
from workflows.parties import Party

OFFICE = Party("office", "person:1", label="经办人")


class OnAnyPort(Controller):
    """aiosmtpd's, on a port that the system chooses."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Post:
    """A mail server of its own; `answers` are given to RCPT one after another, then 250."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.rcpts: list[str] = []
        self.answers: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.controller = OnAnyPort(self, hostname="127.0.0.1", port=0, ready_timeout=60)
        self.controller.start()
        self.port = self.controller.port

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        if self.answers and (answer := self.answers.pop(0)) != "250":
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:
        self.raw.append(envelope.content)
        self.rcpts += envelope.rcpt_tos
        return "250 taken"

    @property
    def mails(self) -> list[Any]:
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in self.raw]


@pytest.fixture
def post(settings) -> Iterator[Post]:
    """The site's mail goes to a real server on this machine."""
    server = Post()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.SANWEN_EMAIL = "smtp://127.0.0.1"
    settings.SITE_ADDRESS = "https://sanwen.example.org"
    settings.DEFAULT_FROM_EMAIL = "sanwen@sanwen.example.org"
    yield server
    server.controller.stop()


class Web:
    """An HTTP server; `answers` (status, body) are given one after another, then `always`."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.always = (200, b'{"errcode": 0}')
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                web.got.append({"path": self.path, "headers": self.headers, "body": body})
                status, answer = web.answers.pop(0) if web.answers else web.always
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def json(self, at: int = -1) -> Any:
        return json.loads(self.got[at]["body"])


@pytest.fixture
def web() -> Iterator[Web]:
    """A gateway that speaks HTTP."""
    server = Web()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture(autouse=True)
def _ground() -> Iterator[None]:
    """The calendar, an empty directory, a Tuesday morning."""
    SandboxDirectory.reset()
    with clock.at(dt.datetime(2026, 3, 3, 10, tzinfo=clock.SHANGHAI)):
        yield


@pytest.fixture
def estate(db) -> Community:
    calendars.seed()
    street = Community.objects.create(code="street", name="示范街道", kind="subdistrict")
    return Community.objects.create(code="demo", name="示范小区", kind="estate", parent=street)


@pytest.fixture
def case(estate):
    return acts.open_case(Errand, estate, OFFICE, title="甲事")


@pytest.fixture
def account(db) -> Callable[..., Any]:
    """Makes accounts, with a verified address if one is given."""

    def make(name: str, address: str = "") -> Any:
        user = get_user_model().objects.create_user(name)
        if address:
            channel_of(user, address)
        return user

    return make


def channel_of(user: Any, address: str, kind: str = EMAIL, **more: Any) -> Channel:
    """A verified channel of an account."""
    now = clock.now()
    more = {"gateway": kind, "created": now, "verified_at": now, **more}
    return Channel.objects.create(reader=reader_of(user), kind=kind, address=address, **more)


def follow(user: Any, **thing: Any) -> Any:
    """Follow something."""
    return following.follow(reader_of(user), following.Thing(**thing))
