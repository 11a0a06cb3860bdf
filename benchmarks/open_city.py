"""The site on a generated city as anybody reads it, without limits for a single reader; for
`benchmarks.spread`."""

from __future__ import annotations

from config.settings import *  # noqa: F403
from config.settings import STORAGES

RATELIMIT_ENABLE = False
ALLOWED_HOSTS = ["127.0.0.1"]
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
