"""News as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    """Who hears of what, by which way; listens to the engine."""

    name = "notifications"
    verbose_name = _("消息")
    demo = "notifications.demo"
    beside_clock = ("notifications.worker.run_forever",)
    """What the clock process runs on a thread of its own."""

    def ready(self) -> None:
        """Listen."""
        from . import figures, listen  # noqa: F401
