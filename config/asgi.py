"""ASGI entry point: HTTP, and hints for pages that are looked at over WebSocket."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SANWEN_POOL", "20")
site = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  once Django is set up
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.urls import path  # noqa: E402

from config.together import Together  # noqa: E402
from notifications.live import live  # noqa: E402
from workflows.portal.fast import LogFirst  # noqa: E402

sockets = AllowedHostsOriginValidator(URLRouter([path("live/", live)]))
application = ProtocolTypeRouter({"http": LogFirst(Together(site)), "websocket": sockets})
