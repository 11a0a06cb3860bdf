"""Programs that hear of public news: signed JSON by Standard Webhooks, to public addresses only.

People name the addresses, and this server calls them. So the name is looked up here, every address
that it has must be public, the connection goes to the one that was looked at, and its peer is
looked at once more before anything is said (no second look-up can lead it elsewhere). No redirect
is followed, no answer is read beyond its head, and all of it has an end.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hmac
import ipaddress
import json
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from standardwebhooks.webhooks import Webhook
from urllib3.connection import HTTPConnection, HTTPSConnection

from workflows import clock
from workflows.models import Case, Record
from workflows.portal.api.read import record_row

from ..digest import Message
from ..models import Channel, Hook
from . import Gone, Refused

WHOLE = 15
"""Seconds that all of it may take."""
TIMEOUT = urllib3.Timeout(connect=5, read=10)
OLD_COUNTS = dt.timedelta(days=7)
"""How long the secret before counts as well, so that a program can change over."""
_TRANSLATED = [
    ipaddress.ip_network(each)
    for each in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
]
"""Networks in whose addresses others are hidden (RFC 4291, 6052, 8215, 3056, 4380)."""
_SITES = ipaddress.ip_network("fec0::/10")
"""Once the private addresses of IPv6 (RFC 3879); networks may still use them."""


class Inside(Exception):
    """The address is none of the public network."""


def inside(url: str) -> bool:
    """Whether the operator has named the host as one within the own network."""
    parts = urlsplit(url)
    return bool({parts.hostname, parts.netloc} & set(settings.SANWEN_HOOK_INSIDE))


def acceptable(url: str) -> bool:
    """Whether an address may be named: HTTPS on its own port, without a password or a fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.password is not None:
        return False
    if parts.fragment or any(ord(sign) <= 32 or ord(sign) > 126 for sign in url):
        return False
    if inside(url):
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and port in (None, 443)


def public(address: str) -> bool:
    """Whether an address is one of the public network, and no other is hidden in it."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif any(found in network for network in (*_TRANSLATED, _SITES)):
            return False
    return found.is_global and not found.is_multicast


class _Looked:
    """Of a connection: goes only where it may."""

    anywhere = False
    timer: threading.Timer | None = None
    handle: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        host: str = self.host  # type: ignore[attr-defined]
        rows = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)  # type: ignore[attr-defined]
        addresses = [str(row[4][0]) for row in rows]
        if not self.anywhere and not all(public(address) for address in addresses):
            raise Inside
        self._dns_host = addresses[0]
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        if not self.anywhere and not public(str(made.getpeername()[0])):
            made.close()
            raise Inside
        # TLS takes the socket over and leaves an empty one: a second handle ends what either is.
        self.handle = made.dup()
        self.timer = threading.Timer(WHOLE, _end, [self.handle])
        self.timer.daemon = True
        self.timer.start()
        return made

    def let_go(self) -> None:
        """It has ended, one way or another."""
        if self.timer is not None:
            self.timer.cancel()
        if self.handle is not None:
            self.handle.close()
        self.close()  # type: ignore[attr-defined]


def _end(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


class _Plain(_Looked, HTTPConnection):
    pass


class _Tls(_Looked, HTTPSConnection):
    pass


def secret_of(hook: Hook, serial: int | None = None) -> str:
    """A secret of a program, by its number; the one in force. Worked out, kept nowhere."""
    said = f"hook {hook.channel.secret} {serial or hook.serial}".encode()
    raw = hmac.digest(settings.SECRET_KEY.encode(), said, "sha256")
    return f"whsec_{base64.b64encode(raw).decode()}"


def secrets_of(hook: Hook) -> list[str]:
    """The secrets that count now, the newest first."""
    found = [secret_of(hook)]
    if hook.serial > 1 and hook.old_until is not None and hook.old_until > clock.now():
        found.append(secret_of(hook, hook.serial - 1))
    return found


def told(message: Message) -> dict[str, Any]:
    """The news of a message: by case, its records as the API shows them, the oldest first."""
    return {
        "type": "news",
        "timestamp": clock.now().isoformat(),
        "data": {
            "cases": [
                {
                    **_case(group.case),
                    "records": [
                        record_row(group.case, line.record, [])
                        for line in sorted(group.lines, key=_order)
                        if line.record is not None
                    ],
                    "ends": group.ends,
                }
                for group in message.groups
            ]
        },
    }


def _order(line: Any) -> int:
    record: Record | None = line.record
    return record.seq if record is not None else 0


def _case(case: Case) -> dict[str, Any]:
    return {
        "number": case.number,
        "title": case.title,
        "procedure": case.procedure,
        "place": case.community.code,
        "url": settings.SITE_ADDRESS.rstrip("/") + case.get_absolute_url(),
    }


def send(channel: Channel, message: Message, batch: str) -> None:
    """Bring it to the program. Raises a `Fault`."""
    deliver(channel, told(message), batch)


def deliver(channel: Channel, said: dict[str, Any], name: str) -> None:
    """Sign it with each secret that counts, and send it; `name` is the message's id. Raises
    `Refused`, tried again later, or `Gone`."""
    hook = Hook.objects.select_related("channel").get(channel=channel)
    body = json.dumps(said, ensure_ascii=False, default=str)
    now = clock.now().astimezone(dt.UTC)
    signed = [Webhook(secret).sign(f"msg_{name}", now, body) for secret in secrets_of(hook)]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Sanwen-Webhooks/1",
        "webhook-id": f"msg_{name}",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }
    status = _post(channel.address, body.encode(), headers)
    if status == 410:
        raise Gone("http_410")
    if not 200 <= status < 300:
        raise Refused(f"http_{status}")


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of the answer."""
    if not acceptable(url):
        raise Refused("bad_address")
    parts = urlsplit(url)
    made: list[Any] = []

    def connection(kind: Any) -> Any:
        def make(*args: Any, **given: Any) -> Any:
            one = kind(*args, **given)
            one.anywhere = inside(url)
            made.append(one)
            return one

        return make

    plain = parts.scheme == "http"
    pool: Any = (urllib3.HTTPConnectionPool if plain else urllib3.HTTPSConnectionPool)(
        parts.hostname or "", parts.port, timeout=TIMEOUT, retries=False, maxsize=1
    )
    pool.ConnectionCls = connection(_Plain if plain else _Tls)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        answer = pool.urlopen(
            "POST", path, body=body, headers=headers, redirect=False, preload_content=False
        )
        return int(answer.status)
    except Inside:
        raise Refused("private_address") from None
    except urllib3.exceptions.SSLError:
        raise Refused("bad_certificate") from None
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        raise Refused("unreachable") from None
    finally:
        for one in made:
            one.let_go()
        pool.close()
