"""Rows of news: who hears, of what, by which way, and what came of each delivery.

An act writes one `News` row, whomever it concerns. `fanout` turns it into `Delivery` rows,
`sending` brings them to their channels. Addresses stand in `Channel` alone and go with the account.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from workflows.models import Case, Community, Record, StepRun

QUEUED, SENT, FAILED, GIVEN_UP = "queued", "sent", "failed", "given_up"
PAGE, EMAIL, SMS, PUSH, ROBOT, HAND = "page", "email", "sms", "push", "robot", "hand"
HOOK = "hook"


def _secret() -> str:
    return secrets.token_urlsafe(24)


class Reader(models.Model):
    """Who hears (收件人): an account, or an outlet of the office (发布渠道), such as the group of
    an estate or the official account.

    An outlet has a `title` and the `place` whose staff look after it, and no `user`.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="reader"
    )
    title = models.CharField(_("名称"), max_length=60, blank=True)
    place = models.ForeignKey(Community, on_delete=models.PROTECT, null=True, related_name="+")
    language = models.CharField(_("语言"), max_length=10, default="zh-hans")
    digest_at = models.TimeField(_("每天汇总的时间"), default=dt.time(18, 0))
    quiet_from = models.TimeField(_("免打扰开始"), default=dt.time(21, 0))
    quiet_until = models.TimeField(_("免打扰结束"), default=dt.time(8, 0))

    def __str__(self) -> str:
        return f"reader {self.pk}"


class Audience(models.Model):
    """Whom a kind of news looks for by itself (受众): who qualifies, as data.

    Whoever holds one of `roles` in the case's community, when the news is of the kind that
    `place` (and all within it), `procedure` and `topic` name; empty: any.
    """

    code = models.SlugField(max_length=40, unique=True)
    title = models.CharField(_("名称"), max_length=60)
    roles = models.JSONField(_("身份"))
    place = models.ForeignKey(
        Community, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    procedure = models.CharField(_("程序"), max_length=40, blank=True)
    topics = models.JSONField(_("主题"), default=list, blank=True)
    active = models.BooleanField(_("启用"), default=True)

    class Meta:
        ordering: ClassVar = ["code"]

    def __str__(self) -> str:
        return self.code


class Subscription(models.Model):
    """What a reader wants to hear of (订阅): news that fit every one of the filled in columns.

    `off`: what the reader does not want to hear, although it would reach them otherwise (a case, an
    audience that they belong to). `key` repeats the columns, so that nobody subscribes twice.
    """

    reader = models.ForeignKey(Reader, on_delete=models.CASCADE, related_name="subscriptions")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, null=True, related_name="+")
    place = models.ForeignKey(Community, on_delete=models.CASCADE, null=True, related_name="+")
    procedure = models.CharField(max_length=40, blank=True)
    topic = models.CharField(max_length=30, blank=True)
    audience = models.ForeignKey(Audience, on_delete=models.CASCADE, null=True, related_name="+")
    off = models.BooleanField(default=False)
    key = models.CharField(max_length=120)
    since = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reader", "key"], name="one_subscription_a_thing")
        ]
        indexes: ClassVar = [
            models.Index(fields=["case", "reader"], name="subscription_by_case"),
            models.Index(fields=["place", "reader"], name="subscription_by_place"),
            models.Index(fields=["procedure", "reader"], name="subscription_by_procedure"),
            models.Index(fields=["topic", "reader"], name="subscription_by_topic"),
        ]

    def __str__(self) -> str:
        return self.key


class Channel(models.Model):
    """A way to a reader (渠道): the page, an e-mail address, a telephone, a browser, a group robot.

    `address` is personal (the page has none) and is never logged; it is used only once
    `verified_at` is set. `secret` is what leaving by one click takes. A worker that sends holds the
    channel by `lease` and `holder`, so that no other sends at the same time.
    """

    KINDS: ClassVar = [
        (PAGE, _("站内消息")),
        (EMAIL, _("电子邮件")),
        (SMS, _("短信")),
        (PUSH, _("浏览器通知")),
        (ROBOT, _("群机器人")),
        (HAND, _("人工推送")),
        (HOOK, _("程序推送")),
    ]

    reader = models.ForeignKey(Reader, on_delete=models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=10, choices=KINDS)
    gateway = models.CharField(max_length=20)
    """What it goes through: the kind, or of robots which one (``wecom``)."""
    address = models.TextField(blank=True)
    only_ending = models.BooleanField(_("只发有时限的"), default=False)
    per_day = models.PositiveSmallIntegerField(_("每天最多几次"), null=True, blank=True)
    """How often a day it may send; None: no limit."""
    created = models.DateTimeField()
    verified_at = models.DateTimeField(null=True)
    code = models.CharField(max_length=64, blank=True)
    """Digest of the code that was sent to verify the address."""
    code_sent_at = models.DateTimeField(null=True)
    code_tries = models.PositiveSmallIntegerField(default=0)
    closed_at = models.DateTimeField(null=True)
    """When the reader left it, or the gateway said that it is no more."""
    closed_why = models.CharField(max_length=20, blank=True)
    secret = models.CharField(max_length=40, unique=True, default=_secret)
    lease = models.DateTimeField(null=True)
    holder = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["reader"], condition=Q(kind=PAGE), name="one_page_a_reader"
            )
        ]

    def __str__(self) -> str:
        return f"channel {self.pk}"


class Hook(models.Model):
    """An address of a program that hears of public news (程序推送), signed by Standard Webhooks.

    Its channel has a reader of its own, which is no person: it hears what everybody may. `account`
    looks after it. Its secrets are worked out from the installation's (`hooks.secret_of`) and kept
    nowhere: `serial` numbers the one in force, the one before counts as well until `old_until`.
    """

    channel = models.OneToOneField(Channel, on_delete=models.CASCADE, related_name="hook")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    serial = models.PositiveIntegerField(default=1)
    old_until = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"hook {self.pk}"


class Gateway(models.Model):
    """What several channels go through: how much of its rate is used up, and whether it rests.

    `used` messages since `window` (a minute); after failures in a row nothing is tried until
    `resting_until`.
    """

    code = models.CharField(max_length=20, unique=True)
    window = models.DateTimeField(null=True)
    used = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    resting_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.code


class News(models.Model):
    """That something happened (动态): one row an act, written in the act's own transaction.

    `record` to `last` are the act's records. Or that the term of `run` is about to end, where
    `record` is the newest of the case. No texts: who reads it is shown the records as they now
    stand. `stage` and `after` say how far `fanout` has come.
    """

    key = models.CharField(max_length=60, unique=True)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="news")
    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    last = models.PositiveIntegerField()
    run = models.ForeignKey(StepRun, on_delete=models.CASCADE, null=True, related_name="+")
    at = models.DateTimeField()
    stage = models.PositiveIntegerField(default=0)
    after = models.BigIntegerField(default=0)
    spread_at = models.DateTimeField(null=True)
    """When everybody whom it concerns had a delivery."""
    lease = models.DateTimeField(null=True)
    holder = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(
                fields=["id"], condition=Q(spread_at__isnull=True), name="news_not_spread"
            ),
            models.Index(fields=["case", "-id"], name="news_of_case"),
            models.Index(fields=["at"], name="news_by_age"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def ending(self) -> bool:
        """Whether it tells of a term that is about to end."""
        return self.run_id is not None


OWN = "own"


class Delivery(models.Model):
    """One piece of news on its way to one channel (投递): ``queued → sent``, or ``failed`` and
    tried again, or ``given_up``.

    `why` is ``own`` (it answers what the reader did, or is the reader's own case), or the key of
    the subscription, or ``audience:CODE``. Deliveries that are sent together share `batch`, which
    names the message for ever: what is sent again after a kill is the same message.
    """

    STATES: ClassVar = [
        (QUEUED, _("等待发送")),
        (SENT, _("已发送")),
        (FAILED, _("未成功，将重试")),
        (GIVEN_UP, _("未能送达")),
    ]

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    news = models.ForeignKey(News, on_delete=models.CASCADE, related_name="deliveries")
    gateway = models.CharField(max_length=20)
    state = FSMField(default=QUEUED, choices=STATES, protected=True)
    why = models.CharField(max_length=120)
    due = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    fault = models.CharField(max_length=40, blank=True)
    """A code of what went wrong last; never words of a gateway, which may hold the address."""
    batch = models.CharField(max_length=32, blank=True)
    sent_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        # By the column: "-news" would take the order of news itself, turned round.
        ordering: ClassVar = ["-news_id", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["channel", "news"], name="nothing_said_twice")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["gateway", "due"],
                condition=Q(state__in=(QUEUED, FAILED)),
                name="delivery_waiting",
            ),
            models.Index(
                fields=["channel"], condition=Q(read_at__isnull=True), name="delivery_unread"
            ),
            models.Index(fields=["gateway"], condition=Q(state=GIVEN_UP), name="delivery_given_up"),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk} {self.state}"

    @transition(field=state, source=[QUEUED, FAILED], target=SENT)
    def succeed(self, at: dt.datetime) -> None:
        """The gateway took it."""
        self.sent_at, self.fault = at, ""

    @transition(field=state, source=[QUEUED, FAILED], target=FAILED)
    def fail(self, fault: str, again: dt.datetime, counts: bool = True) -> None:
        """It did not go through, for now; `counts`: as one of the tries."""
        self.fault, self.due, self.batch = fault, again, ""
        self.tries += counts

    @transition(field=state, source=[QUEUED, FAILED], target=GIVEN_UP)
    def give_up(self, fault: str) -> None:
        """It will not go through."""
        self.fault = fault


def reader_of(user: Any) -> Reader:
    """The reader of an account, with the page as its first channel."""
    found, made = Reader.objects.get_or_create(user_id=user.pk)
    if made:
        pages_of([found.pk])
    return found


def pages_of(readers: list[int]) -> None:
    """Give readers the page, who have none."""
    from workflows import clock

    now = clock.now()
    Channel.objects.bulk_create(
        [
            Channel(reader_id=pk, kind=PAGE, gateway=PAGE, created=now, verified_at=now)
            for pk in readers
        ],
        ignore_conflicts=True,
    )
