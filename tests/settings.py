"""The project's settings, with what the tests add: their own procedures and directory."""

from tests import stack

stack.prepare()

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, INSTALLED_APPS, STORAGES  # noqa: E402

INSTALLED_APPS = [*INSTALLED_APPS, "tests.sandbox"]
SANWEN_DIRECTORY = "tests.sandbox.directory.SandboxDirectory"
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Every test begins a log of its own.
SANWEN_LOG_SEEN = None
# No test survives a power cut.
if "init_command" in DATABASES["default"].get("OPTIONS", {}):
    _options = DATABASES["default"]["OPTIONS"]
    _options["init_command"] = _options["init_command"].replace("=FULL", "=NORMAL")
# A connection kept open by a thread of a live server would hold on to the test database.
DATABASES["default"]["CONN_MAX_AGE"] = 0
# The live server of the tests serves the file store, which the site never does: not over its pages.
MEDIA_URL = "/file-store/"
