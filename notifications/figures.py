"""What operators see of messages: how many wait, and which gateways do not take theirs."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from workflows.watch import Figure, collecting

from .models import FAILED, QUEUED, Delivery


@receiver(collecting)
def waiting(sender: Any, **_more: Any) -> list[Figure]:
    """Deliveries that are queued, and those that failed and are tried again, by gateway."""
    found = Delivery.objects.order_by().filter(state__in=(QUEUED, FAILED))
    counted = list(found.values_list("gateway", "state").annotate(n=Count("pk")))

    def of(state: str) -> dict[str, float]:
        return {gateway: n for gateway, its, n in counted if its == state}

    return [
        Figure(
            "deliveries_waiting",
            "messages that are queued, by gateway",
            of(QUEUED),
            "gateway",
            title=_("等待发送的消息"),
        ),
        Figure(
            "deliveries_failing",
            "messages that did not go through and are tried again, by gateway",
            of(FAILED),
            "gateway",
            title=_("未能发出、将重试的消息"),
        ),
    ]
