"""For those who run the site: readiness, figures for Prometheus, and a page of them."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from .. import watch
from ..models.job import Job
from ..records import log, seen
from .views import context

TITLES = {
    "records": _("记录总数"),
    "cases": _("事项"),
    "steps_overdue": _("已超期的环节"),
    "terms_unfired": _("到期而时钟尚未处理的时限"),
    "clock_lag_seconds": _("其中等待最久的（秒）"),
    "log_size": _("已进入日志的记录"),
    "log_waiting": _("尚未进入日志的记录"),
    "log_lag_seconds": _("其中等待最久的（秒）"),
    "jobs": _("后台工作"),
    "refusals_last_hour": _("一小时内被拒绝的操作"),
}
KINDS = {
    ("cases", "open"): _("进行中"),
    ("cases", "suspended"): _("已中止"),
    ("cases", "done"): _("已办结"),
    **{("jobs", state): words for state, words in Job.STATES},
}
PARTS = {
    "database": _("数据库"),
    "migrations": _("数据库结构"),
    "cache": _("缓存"),
    "clock": _("时钟与日志"),
    "log": _("公开日志完整"),
}


@require_GET
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether this worker should be sent requests: 200, or 503 with the parts that are not well."""
    parts = watch.readiness()
    ok = all(parts.values())
    return JsonResponse({"ok": ok, "parts": parts}, status=200 if ok else 503)


class _Figures(Collector):
    def collect(self) -> Iterator[Any]:
        for figure in watch.figures():
            kind = CounterMetricFamily if figure.total else GaugeMetricFamily
            labels = [figure.label] if figure.label else None
            family = kind(f"sanwen_{figure.name}", figure.meaning, labels=labels)
            for label, value in figure.values.items():
                family.add_metric([label] if labels else [], value)
            yield family


@require_GET
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus's format, for who knows the token or asks from an allowed network;
    to everybody else there is no such page."""
    if not _may_watch(request):
        raise Http404
    registry = CollectorRegistry()
    registry.register(_Figures())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_watch(request: HttpRequest) -> bool:
    token: str = settings.SANWEN_METRICS_TOKEN
    given = request.headers.get("Authorization", "")
    if token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return True
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    networks = (ipaddress.ip_network(text) for text in settings.SANWEN_METRICS_FROM)
    return any(address in network for network in networks)


@require_GET
@login_required
@never_cache
def operate(request: HttpRequest) -> HttpResponse:
    """How the site does, for its operators (superusers)."""
    if not getattr(request.user, "is_superuser", False):
        raise PermissionDenied
    parts = watch.readiness()
    figures = [
        {
            "title": figure.title or TITLES.get(figure.name, figure.meaning),
            "values": [
                (KINDS.get((figure.name, kind), kind), value)
                for kind, value in sorted(figure.values.items()) or [("", 0)]
            ],
        }
        for figure in watch.figures()
    ]
    ready = [(PARTS[name], "done" if ok else "overdue") for name, ok in parts.items()]
    shown = context(
        request,
        "operate",
        parts=ready,
        figures=figures,
        loss=seen.lost(log.origin()),
        slow_ms=settings.SANWEN_SLOW_QUERY_MS,
        tracing=settings.SANWEN_TRACING,
        metrics=bool(settings.SANWEN_METRICS_TOKEN or settings.SANWEN_METRICS_FROM),
    )
    return render(request, "portal/operate.html", shown)
