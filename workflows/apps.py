"""The engine as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkflowsConfig(AppConfig):
    """Steps, acts, terms, counting and the public record."""

    name = "workflows"
    verbose_name = _("程序引擎")

    def ready(self) -> None:
        """Declare the site's own procedure; register checks; listen for erasures."""
        from . import erasing, site, soundness, watch  # noqa: F401

        watch.watch_queries()
