"""Web Push (RFC 8030, 8291) with VAPID (RFC 8292), by pywebpush."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from py_vapid import Vapid
from pywebpush import WebPushException, webpush

from ..digest import Message
from ..models import Channel
from . import TIMEOUT, Down, Gone, Refused

LIVES = 24 * 3600
"""Seconds for which the push service keeps a message for a browser that is off."""


def key() -> Vapid:
    """The key of this installation, made when it is first used."""
    path = Path(settings.SANWEN_PUSH_KEY_FILE)
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            made = Vapid()
            made.generate_keys()
            file.write(made.private_pem())
    except FileExistsError:
        pass
    return Vapid.from_pem(path.read_bytes())


def public_key() -> str:
    """What browsers are given to subscribe with."""
    raw = key().public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def subscription_of(text: str) -> dict[str, Any] | None:
    """A browser's subscription, checked; None for what is none, or of a service that nobody knows:
    the address comes from outside, and this server will call it."""
    try:
        given = json.loads(text)
        endpoint, keys = str(given["endpoint"]), given["keys"]
        found = {
            "endpoint": endpoint,
            "keys": {"p256dh": str(keys["p256dh"]), "auth": str(keys["auth"])},
        }
    except (ValueError, KeyError, TypeError):
        return None
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    known = any(
        host == each or (each.startswith(".") and host.endswith(each))
        for each in settings.SANWEN_PUSH_HOSTS
    )
    loopback = host == "127.0.0.1"  # only where the list names it
    return found if known and (parts.scheme == "https" or loopback) else None


def send(channel: Channel, message: Message, batch: str) -> None:
    """Encrypted for the browser alone; the service replaces one with the same topic."""
    first = message.groups[0]
    body = first.ends[0] if first.ends else first.lines[0].title
    data = {
        "title": message.subject,
        "body": f"{first.case.title}: {body}"[:300],
        "url": "/news/",
        "tag": batch[:16],
    }
    try:
        webpush(
            json.loads(channel.address),
            json.dumps(data, ensure_ascii=False),
            vapid_private_key=key(),
            vapid_claims={"sub": settings.SITE_ADDRESS or "mailto:nobody@sanwen.invalid"},
            ttl=LIVES,
            timeout=TIMEOUT,
            headers={"Topic": batch[:32], "Urgency": "normal"},
        )
    except WebPushException as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (404, 410):
            raise Gone(f"push_{status}") from None
        if status == 0 or status >= 500:
            raise Down(f"push_{status}") from None
        raise Refused(f"push_{status}") from None
    except requests.RequestException as error:
        raise Down(type(error).__name__) from None
