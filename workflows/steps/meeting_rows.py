"""The facts of a meeting: sessions, who signed up, who signed in at the door."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..models.case import StepRun
from ..models.record import Record

EARLY = dt.timedelta(hours=1)
"""How long before a session begins one may sign in at its door."""
SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Digits and letters that nobody mixes up on paper."""


def draw_door() -> str:
    """The code on a session's door: 49 bits, unguessable within the hours that it holds."""
    return "".join(secrets.choice(SIGNS) for _sign in range(10))


class MeetingSession(models.Model):
    """One session that was called (场次). Changes only through `acts.perform`.

    Life: called → held → minuted, or called → cancelled with a reason. `places` is the most who may
    sign up; null: as many as like. `minutes` are public. `door` is the code on the paper at the
    door, by which those who are there sign in.
    """

    run = models.ForeignKey(StepRun, on_delete=models.PROTECT, related_name="sessions")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    starts_at = models.DateTimeField(_("开会时间"))
    place = models.CharField(_("地点"), max_length=120)
    agenda = models.CharField(_("议题"), max_length=2000)
    places = models.PositiveIntegerField(_("名额"), null=True)
    life = FSMField(_("状态"), default="called", protected=True)
    held_at = models.DateTimeField(_("实际召开时间"), null=True)
    attendance = models.PositiveIntegerField(_("到会人数"), null=True)
    minutes = models.TextField(_("会议记录"), blank=True)
    reason = models.CharField(_("取消原因"), max_length=300, blank=True)
    door = models.CharField(max_length=10, unique=True, default=draw_door)

    class Meta:
        ordering: ClassVar = ["starts_at", "pk"]
        indexes: ClassVar = [models.Index(fields=["run", "life"], name="session_by_life")]

    def __str__(self) -> str:
        return f"session {self.pk} on {self.starts_at:%Y-%m-%d}"

    @property
    def door_opens(self) -> dt.datetime:
        """From when on one may sign in."""
        return self.starts_at - EARLY

    def door_is_open(self, at: dt.datetime) -> bool:
        """Whether those who are there may sign in: until it is registered as held, at the latest
        until the end of its day."""
        last = timezone.localtime(self.starts_at).date()
        return self.life == "called" and self.door_opens <= at and timezone.localdate(at) <= last

    @transition(field=life, source="called", target="held")
    def hold(self) -> None:
        """It took place."""

    @transition(field=life, source="held", target="minuted")
    def minute(self) -> None:
        """Its minutes are public."""

    @transition(field=life, source="called", target="cancelled")
    def cancel(self) -> None:
        """It does not take place; `reason` says why."""


class SignUp(models.Model):
    """That someone wants to come to a session (预约). Changes only through `acts.perform`.

    Life: waiting → coming when a place falls free; either → cancelled by the person.
    """

    kept_while_open: ClassVar = True

    session = models.ForeignKey(MeetingSession, on_delete=models.PROTECT, related_name="sign_ups")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    party_key = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    channel = models.CharField(_("渠道"), max_length=10, default="online")
    life = FSMField(_("状态"), default="coming", protected=True)
    created = models.DateTimeField(_("预约时间"))

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["session", "party_key"],
                condition=~Q(life="cancelled"),
                name="one_sign_up_a_party",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["session", "life"], name="sign_up_by_life")]

    def __str__(self) -> str:
        return f"sign-up {self.pk}"

    @transition(field=life, source="waiting", target="coming")
    def move_up(self) -> None:
        """A place fell free."""

    @transition(field=life, source=["coming", "waiting"], target="cancelled")
    def cancel(self) -> None:
        """The person does not come."""


class SignIn(models.Model):
    """That someone was there (签到), by the door's code. Changes only through `acts.perform`."""

    kept_while_open: ClassVar = True

    session = models.ForeignKey(MeetingSession, on_delete=models.PROTECT, related_name="sign_ins")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    party_key = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created = models.DateTimeField(_("签到时间"))

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "party_key"], name="one_sign_in_a_party")
        ]

    def __str__(self) -> str:
        return f"sign-in {self.pk}"
