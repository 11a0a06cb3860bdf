"""Group robots (WeCom, DingTalk, Feishu) and SMS gateways, through apprise."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from apprise import Apprise
from apprise.plugins import custom_form, custom_json, dingtalk, feishu, wecombot
from django.conf import settings
from django.utils.translation import gettext as _

from ..digest import Message
from ..models import Channel
from . import TIMEOUT, Down, Gone, Refused

KINDS = {"wecom": "企业微信", "dingtalk": "钉钉", "feishu": "飞书"}

LONGEST = 1900
"""Bytes of a message; WeCom takes 2,048."""

GONE = {93000, 19001, 300001, 40035}
"""Answers that say that there is no such robot any more (WeCom, Feishu, DingTalk)."""


class _Watched:
    """`requests` for a plugin of apprise, which keeps what came of the last call of a thread.

    apprise says only whether it worked, and takes the robots' “200, errcode 45009” for sent.
    """

    last = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        return self.request("POST", *args, **kwargs)

    def request(self, method: str, *args: Any, **kwargs: Any) -> requests.Response:
        self.last.status, self.last.code = None, 0
        kwargs["allow_redirects"] = False
        kwargs.setdefault("timeout", TIMEOUT)
        answer = requests.request(method, *args, **kwargs)  # noqa: S113 - just above
        self.last.status = answer.status_code
        try:
            body = json.loads(answer.content)
        except ValueError:
            body = {}
        if isinstance(body, dict):
            code = body.get("errcode") or body.get("code") or 0
            self.last.code = code if isinstance(code, int) else 0
        return answer


_watched = _Watched()
for _plugin in (custom_form, custom_json, dingtalk, feishu, wecombot):
    _plugin.requests = _watched  # type: ignore[attr-defined]


def robot_of(url: str) -> tuple[str, str] | None:
    """The kind of a robot and its address for apprise, from the address that its platform shows;
    None for what is none. No other address is ever taken."""
    parts = urlsplit(url.strip())
    query = parse_qs(parts.query)
    if parts.scheme != "https":
        return None
    if parts.netloc == "qyapi.weixin.qq.com" and parts.path == "/cgi-bin/webhook/send":
        key = query.get("key", [""])[0]
        return ("wecom", f"wecombot://{quote(key, safe='')}/") if key else None
    if parts.netloc == "oapi.dingtalk.com" and parts.path == "/robot/send":
        token = query.get("access_token", [""])[0]
        return ("dingtalk", f"dingtalk://{quote(token, safe='')}/") if token else None
    start = "/open-apis/bot/v2/hook/"
    if parts.netloc == "open.feishu.cn" and parts.path.startswith(start):
        token = parts.path.removeprefix(start).strip("/")
        return ("feishu", f"feishu://{quote(token, safe='')}/") if token else None
    return None


def send_robot(channel: Channel, message: Message, batch: str) -> None:
    """To a group: what happened, case by case, with the addresses; as much as the robot takes."""
    _notify(channel.address, _cut(f"{message.subject}\n{message.brief}"))


def send_sms(channel: Channel, message: Message, batch: str) -> None:
    """To a telephone, in short."""
    text(channel, message.short)


def text(channel: Channel, words: str) -> None:
    """To a telephone, these words. Raises a `Fault`."""
    address = settings.SANWEN_SMS.replace("{phone}", quote(channel.address, safe=""))
    _notify(address, words)


def _cut(words: str) -> str:
    if len(words.encode()) <= LONGEST:
        return words
    cut = words.encode()[:LONGEST].decode(errors="ignore")
    return cut.rsplit("\n", 1)[0] + "\n" + _("更多见网站。")


def _notify(address: str, words: str) -> None:
    plugin = Apprise.instantiate(address, suppress_exceptions=True)
    if plugin is None:
        raise Gone("bad_address")
    _watched.last.status, _watched.last.code = None, 0
    worked = plugin.notify(body=words)
    status, code = _watched.last.status, _watched.last.code
    if status is None:
        raise Down("unreachable")
    if code in GONE or status in (404, 410):
        raise Gone(f"answer_{code or status}")
    if status >= 500:
        raise Down(f"http_{status}")
    if not worked or code:
        raise Refused(f"answer_{code or status}")
