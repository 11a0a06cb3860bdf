"""The site as the city profile serves it, with the tests' procedures; for `benchmarks.arrivals`."""

from __future__ import annotations

import os
from typing import Any

from django.urls import path

from tests.settings import *  # noqa: F403

SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
RATELIMIT_ENABLE = False
if os.environ.get("BENCHMARK_SIDE") == "plain":
    # What it is measured against: one view; an app insists on this middleware, which does nothing.
    MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
    ROOT_URLCONF = "benchmarks.served"


def one_row(request: Any) -> Any:
    """A plain Django view that inserts one row."""
    from django.http import HttpResponse
    from django.utils import timezone

    from workflows.models import Refusal

    Refusal.objects.create(at=timezone.now(), step=request.POST["text"][:60], code="benchmark")
    return HttpResponse(status=302, headers={"Location": "/done/"})


urlpatterns = [path("row/", one_row)]
