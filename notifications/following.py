"""What readers want to hear, and by which way: what changes it, and its words."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F, QuerySet
from django.utils import translation
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workflows import clock
from workflows import procedure as procedures
from workflows.models import Case, Community
from workflows.steps.act import Words

from .models import (
    EMAIL,
    OWN,
    PAGE,
    PUSH,
    SMS,
    Audience,
    Channel,
    Delivery,
    Reader,
    Subscription,
)

TOPICS: dict[str, Words] = {
    "consultation": gettext_lazy("征求意见"),
    "publicity": gettext_lazy("公示"),
    "ballot": gettext_lazy("表决"),
    "meeting": gettext_lazy("会议"),
    "selection": gettext_lazy("评议评选"),
    "panel": gettext_lazy("联合审查和验收"),
    "ledger": gettext_lazy("资金、工程等台账"),
}
"""Kinds of steps that one may follow wherever they occur."""

AUDIENCES: dict[str, Words] = {
    "residents": gettext_lazy("小区居民：征求意见、公示和表决"),
}
"""Titles of the audiences that an installation begins with."""

CODE_LIVES = dt.timedelta(minutes=30)
CODE_TRIES = 5
MOST_CHANNELS = 3
"""Addresses of a kind that a reader may have."""
MOST_SUBSCRIPTIONS = 200


class NotNow(Exception):
    """It cannot be done; `str()` tells a person why and what to do."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What one may follow."""

    case: Case | None = None
    place: Community | None = None
    procedure: str = ""
    topic: str = ""

    @property
    def key(self) -> str:
        """The same for the same thing."""
        parts = (
            f"case:{self.case.pk}" if self.case else "",
            f"place:{self.place.pk}" if self.place else "",
            f"procedure:{self.procedure}" if self.procedure else "",
            f"topic:{self.topic}" if self.topic else "",
        )
        return "+".join(part for part in parts if part)

    @property
    def query(self) -> str:
        """The same in an address."""
        parts = {
            "case": self.case.number if self.case else "",
            "place": self.place.code if self.place else "",
            "procedure": self.procedure,
            "topic": self.topic,
        }
        return "&".join(f"{name}={value}" for name, value in parts.items() if value)

    @property
    def title(self) -> str:
        """In words."""
        if self.case is not None:
            return f"{self.case.title}（{self.case.number}）"
        parts = [self.place.name if self.place else ""]
        if self.procedure:
            parts.append(str(procedure_title(self.procedure)))
        if self.topic:
            parts.append(str(TOPICS.get(self.topic, self.topic)))
        return " · ".join(part for part in parts if part)

    @property
    def url(self) -> str:
        """Its own page, if it has one."""
        if self.case is not None:
            return self.case.get_absolute_url()
        if self.place is not None:
            return f"/estates/{self.place.code}/"
        return f"/procedures/{self.procedure}/" if self.procedure else ""


def thing_of(row: Subscription) -> Thing:
    """What a subscription is of."""
    return Thing(row.case, row.place, row.procedure, row.topic)


def audience_title(audience: Audience) -> Words:
    """In words; the office's own audiences have one language."""
    return AUDIENCES.get(audience.code, audience.title)


def procedure_title(code: str) -> Words:
    """The title of a procedure that is or was in force."""
    found = procedures.versions(code)
    return found[0].title if found else code


def follow(reader: Reader, thing: Thing) -> Subscription:
    """Subscribe; the same twice is once, and undoes a silence. Raises `NotNow`."""
    if not thing.key:
        raise NotNow(_("请先选择要关注什么。"))
    if reader.subscriptions.count() >= MOST_SUBSCRIPTIONS:
        raise NotNow(_("关注的内容太多了，请先取消一些。"))
    row, _made = Subscription.objects.update_or_create(
        reader=reader,
        key=thing.key,
        defaults={"off": False},
        create_defaults={
            "case": thing.case,
            "place": thing.place,
            "procedure": thing.procedure,
            "topic": thing.topic,
            "since": clock.now(),
        },
    )
    return row


def unfollow(reader: Reader, key: str) -> None:
    """Hear of it no more; what has not been sent is not."""
    Subscription.objects.filter(reader=reader, key=key).delete()
    _unsent(reader).filter(why=key).delete()


def silence_case(reader: Reader, case: Case) -> None:
    """Hear nothing of a case, whatever it would have come by."""
    Subscription.objects.update_or_create(
        reader=reader,
        key=f"case:{case.pk}",
        defaults={"off": True},
        create_defaults={"case": case, "off": True, "since": clock.now()},
    )
    _unsent(reader).filter(news__case=case).delete()


def silence_audience(reader: Reader, audience: Audience) -> None:
    """Hear nothing that looks for this audience."""
    Subscription.objects.update_or_create(
        reader=reader,
        key=f"audience:{audience.code}",
        defaults={"off": True},
        create_defaults={"audience": audience, "off": True, "since": clock.now()},
    )
    _unsent(reader).filter(why=f"audience:{audience.code}").delete()


def _unsent(reader: Reader) -> QuerySet[Delivery]:
    return Delivery.objects.filter(channel__reader=reader, state__in=("queued", "failed"))


def leave(channel: Channel) -> None:
    """Send nothing to a channel any more, at once; its address is forgotten."""
    Channel.objects.filter(pk=channel.pk).exclude(kind=PAGE).update(
        closed_at=clock.now(), closed_why="left", address="", code=""
    )
    Delivery.objects.filter(channel=channel, state__in=("queued", "failed")).delete()


# --- words of why -------------------------------------------------------------------------------


def whys(deliveries: Iterable[Delivery]) -> dict[str, str]:
    """Why one got a message, in words, by the code; one query a kind."""
    codes = {delivery.why for delivery in deliveries}
    audiences = {f"audience:{each.code}": each for each in Audience.objects.all()}
    found: dict[str, str] = {}
    numbers: dict[str, set[str]] = {"case": set(), "place": set()}
    for code in codes:
        for part in code.split("+"):
            kind, _sep, value = part.partition(":")
            if kind in numbers:
                numbers[kind].add(value)
    cases = {str(each.pk): each for each in Case.objects.filter(pk__in=numbers["case"])}
    places = {str(each.pk): each for each in Community.objects.filter(pk__in=numbers["place"])}
    for code in codes:
        if code == OWN:
            found[code] = _("这是您自己提出的事项，或者是对您所提内容的答复。")
        elif code in audiences:
            title = audience_title(audiences[code])
            found[code] = _("您属于“%(audience)s”。") % {"audience": title}
        else:
            parts = dict(part.split(":", 1) for part in code.split("+") if ":" in part)
            thing = Thing(
                cases.get(parts.get("case", "")),
                places.get(parts.get("place", "")),
                parts.get("procedure", ""),
                parts.get("topic", ""),
            )
            found[code] = _("您关注了：%(thing)s。") % {"thing": thing.title}
    return found


# --- addresses ----------------------------------------------------------------------------------


def masked(channel: Channel) -> str:
    """An address for its own reader to recognise, and for nobody to use."""
    if channel.kind == EMAIL:
        name, _sep, host = channel.address.partition("@")
        return f"{name[:1]}***@{host}" if host else ""
    if channel.kind == SMS:
        return f"{channel.address[:3]}****{channel.address[-4:]}" if channel.address else ""
    return ""


def offered() -> list[str]:
    """The kinds of channels that this installation can send through."""
    kinds = []
    if settings.SANWEN_EMAIL:
        kinds.append(EMAIL)
    if settings.SANWEN_SMS:
        kinds.append(SMS)
    if settings.SANWEN_PUSH:
        kinds.append(PUSH)
    return kinds


def add(reader: Reader, kind: str, address: str) -> Channel:
    """Write down an address and send a code to it; nothing else is sent there before the code has
    come back. Raises `NotNow`."""
    there = Channel.objects.filter(reader=reader, kind=kind, closed_at=None)
    found = there.filter(address=address).first()
    if found is not None and found.verified_at is not None:
        raise NotNow(_("这个地址已经登记。"))
    if found is None:
        if there.count() >= MOST_CHANNELS:
            raise NotNow(_("同一种方式最多登记三个地址，请先删除一个。"))
        found = Channel(reader=reader, kind=kind, gateway=kind, address=address)
        found.created, found.only_ending = clock.now(), kind == SMS
    code = f"{secrets.randbelow(10**6):06d}"
    found.code, found.code_sent_at, found.code_tries = _digest(found, code), clock.now(), 0
    found.save()
    _send_code(found, code)
    return found


def add_browser(reader: Reader, subscription: dict[str, Any]) -> Channel:
    """The browser that asks, by its subscription. Raises `NotNow`."""
    address = json.dumps(subscription, sort_keys=True)
    there = Channel.objects.filter(reader=reader, kind=PUSH, closed_at=None)
    found = there.filter(address=address).first()
    if found is not None:
        return found
    if there.count() >= MOST_CHANNELS:
        raise NotNow(_("同一种方式最多登记三个地址，请先删除一个。"))
    now = clock.now()
    return Channel.objects.create(
        reader=reader, kind=PUSH, gateway=PUSH, address=address, created=now, verified_at=now
    )


def _send_code(channel: Channel, code: str) -> None:
    from . import gateways
    from .gateways import mail, robots

    with translation.override(channel.reader.language):
        said = _("您的验证码是%(code)s，30分钟内有效。如果不是您本人操作，请不要理会。")
        text = said % {"code": code}
        try:
            if channel.kind == EMAIL:
                subject = _("三问：验证电子邮件地址")
                mail.deliver(EmailMultiAlternatives(subject, text + "\n", to=[channel.address]))
            else:
                robots.text(channel, text)
        except gateways.Gone as gone:
            Channel.objects.filter(pk=channel.pk).delete()
            raise NotNow(_("这个地址无法送达，请核对后重填。")) from gone
        except gateways.Fault as fault:
            raise NotNow(_("验证码暂时发不出去，请过几分钟再试。")) from fault


def _digest(channel: Channel, code: str) -> str:
    return salted_hmac("sanwen.news.code", f"{channel.secret}:{code}").hexdigest()


def verify(channel: Channel, code: str) -> None:
    """The code came back: the address is the reader's. Raises `NotNow`."""
    now = clock.now()
    mine = Channel.objects.filter(pk=channel.pk, verified_at=None, closed_at=None)
    sent = channel.code_sent_at
    if not channel.code or sent is None or now - sent > CODE_LIVES:
        raise NotNow(_("验证码已过期，请重新获取。"))
    # Counted before it is compared, so that many at once guess no more often.
    if not mine.filter(code_tries__lt=CODE_TRIES).update(code_tries=F("code_tries") + 1):
        raise NotNow(_("验证码输错次数过多，请重新获取。"))
    if not constant_time_compare(channel.code, _digest(channel, code.strip())):
        raise NotNow(_("验证码不对，请核对后重填。"))
    mine.update(verified_at=now, code="")


def open_channels(reader: Reader) -> list[dict[str, Any]]:
    """The reader's channels besides the page, for their own page."""
    rows = reader.channels.filter(closed_at=None).exclude(kind=PAGE).order_by("pk")
    return [{"row": row, "address": masked(row)} for row in rows]
