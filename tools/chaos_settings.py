"""The settings of a city that is broken on purpose (`tools/chaos.py`): nobody is told to wait an
hour before the next act, and pages need no gathered static files."""

from config.settings import *  # noqa: F403
from config.settings import STORAGES

RATELIMIT_ENABLE = False
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
