"""The configuration as a Django app: only where there is a broker."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Has acts ask for what they leave to be done."""

    name = "config"

    def ready(self) -> None:
        """Listen to the engine."""
        from . import wake  # noqa: F401
