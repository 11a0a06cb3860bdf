"""Open days as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OpenDaysConfig(AppConfig):
    """公众开放日: called, signed up for, held, minuted; what visitors said, answered."""

    name = "processes.open_days"
    label = "open_days"
    verbose_name = _("公众开放日")
    demo = "processes.open_days.demo"

    def ready(self) -> None:
        """Declare the procedure."""
        from . import procedure  # noqa: F401
