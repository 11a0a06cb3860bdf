"""ASGI entry point: HTTP now, live updates over WebSocket with notifications."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
site = get_asgi_application()

from workflows.portal.fast import LogFirst  # noqa: E402  once Django is set up

application = LogFirst(site)
