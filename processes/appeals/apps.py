"""Appeals and requests as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AppealsConfig(AppConfig):
    """民呼我应: from a matter that anyone reports to the answer and its rating."""

    name = "processes.appeals"
    label = "appeals"
    verbose_name = _("群众诉求")
    demo = "processes.appeals.demo"

    def ready(self) -> None:
        """Declare the procedure."""
        from . import procedure  # noqa: F401
