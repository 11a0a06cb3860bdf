"""What the engine says, and what news makes of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.dispatch import receiver

from workflows.acts import acted, acting
from workflows.erasing import Subject
from workflows.models import Case, Record
from workflows.records.erasure import erasing

from . import live, what
from .models import Channel, Delivery, Hook, News, Reader, Subscription


@receiver(acting)
def keep(sender: Any, *, case: Case, record: Record, moved: bool, **_more: Any) -> None:
    """One row in the act's transaction, however many it concerns; none where it is no news."""
    if (case.declared.listed or case.parent_id is not None) and what.of_act(record, moved):
        case.unwritten.append(
            News(
                key=f"act:{record.pk}",
                case=case,
                record=record,
                last=case.length - 1,
                at=record.at,
            )
        )


@receiver(acted)
def hint(sender: Any, *, number: str, community_id: int, **_more: Any) -> None:
    """Pages of the case, and lists of tasks where it is held, ask again."""
    live.hint(live.of_case(number), live.of_work(community_id))


@receiver(erasing)
def forget(sender: Any, *, subject: Subject, at: dt.datetime, **_more: Any) -> dict[str, int]:
    """Everything that is kept of an account: subscriptions, addresses, deliveries."""
    if not subject.users:
        return {}
    theirs = {"reader__user__in": subject.users}
    counts = {
        "subscriptions": Subscription.objects.filter(**theirs).count(),
        "channels": Channel.objects.filter(**theirs).exclude(address="").count(),
        "deliveries": Delivery.objects.filter(channel__reader__user__in=subject.users).count(),
    }
    programs = Hook.objects.filter(account__in=subject.users)
    Reader.objects.filter(pk__in=list(programs.values_list("channel__reader", flat=True))).delete()
    Reader.objects.filter(user__in=subject.users).delete()
    return counts
