"""What operators see of messages: how many wait or were lost, and which gateways take none."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from workflows import clock
from workflows.watch import Figure, collecting

from .models import GIVEN_UP, Delivery
from .sending import state_of_gateways


@receiver(collecting)
def waiting(sender: Any, **_more: Any) -> list[Figure]:
    """Deliveries that are queued, failed and were given up, by gateway; three queries, each by an
    index that holds no others."""
    now = clock.now()
    rows = state_of_gateways()
    lost = Delivery.objects.filter(state=GIVEN_UP).order_by()
    given_up = dict(lost.values_list("gateway").annotate(n=Count("pk")))
    behind = {
        row["code"]: max(0.0, (now - row["first"]).total_seconds()) if row["first"] else 0.0
        for row in rows
    }
    return [
        Figure(
            "deliveries_waiting",
            "messages that are queued, by gateway",
            {row["code"]: row["waiting"] - row["failed"] for row in rows},
            "gateway",
            title=_("等待发送的消息"),
        ),
        Figure(
            "deliveries_failing",
            "messages that did not go through and are tried again, by gateway",
            {row["code"]: row["failed"] for row in rows},
            "gateway",
            title=_("未能发出、将重试的消息"),
        ),
        Figure(
            "deliveries_given_up",
            "messages given up in the last half year, by gateway",
            {**dict.fromkeys(behind, 0), **given_up},
            "gateway",
            title=_("近半年放弃发送的消息"),
        ),
        Figure(
            "deliveries_lag_seconds",
            "since when the longest waiting message should have gone, by gateway",
            behind,
            "gateway",
            title=_("等待最久的消息已超时（秒）"),
        ),
        Figure(
            "gateways_resting",
            "gateways that failed several times in a row and are left alone for a while",
            {row["code"]: float(row["resting_until"] is not None) for row in rows},
            "gateway",
            title=_("连续失败、暂停使用的网关"),
        ),
    ]
