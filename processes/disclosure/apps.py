"""Disclosure on request as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DisclosureConfig(AppConfig):
    """依申请公开: from an application to the reply and its remedies."""

    name = "processes.disclosure"
    label = "disclosure"
    verbose_name = _("依申请公开")
    demo = "processes.disclosure.demo"

    def ready(self) -> None:
        """Declare the procedure."""
        from . import procedure  # noqa: F401
