"""Renovation of old estates as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RenovationConfig(AppConfig):
    """老旧小区改造: three asks, from application to a closed case."""

    name = "processes.renovation"
    label = "renovation"
    verbose_name = _("老旧小区改造")
    demo = "processes.renovation.demo"

    def ready(self) -> None:
        """Declare the procedures."""
        from . import change, procedure, tender  # noqa: F401
