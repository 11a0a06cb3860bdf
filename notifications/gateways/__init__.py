"""What takes messages to people. Each gateway sends one message to one channel, or says why not.

`Refused` concerns the message or the channel and is tried again, with pauses; `Gone` ends the
channel; `Down` concerns the gateway: it is nobody's try. None of them carries an address or words
of the gateway, only a short `code`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

from ..models import EMAIL, HOOK, PUSH, ROBOT, SMS

if TYPE_CHECKING:
    from ..digest import Message
    from ..models import Channel

TIMEOUT = 20
"""Seconds that a gateway may take."""


class Fault(Exception):
    """It did not go through; `code` says why, for logs and staff."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code[:40]


class Refused(Fault):
    """Not this time."""


class Gone(Fault):
    """Never again: there is nobody there."""


class Down(Fault):
    """The gateway does not work."""


WAYS = {
    EMAIL: "notifications.gateways.mail.send",
    SMS: "notifications.gateways.robots.send_sms",
    ROBOT: "notifications.gateways.robots.send_robot",
    PUSH: "notifications.gateways.push.send",
    HOOK: "notifications.gateways.hooks.send",
}


def send(channel: Channel, message: Message, batch: str) -> None:
    """Send, or raise a `Fault`; `batch` names the message, also when it is sent again."""
    import_string(WAYS[channel.kind])(channel, message, batch)
