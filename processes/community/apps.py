"""People and places as a Django app."""

from django.apps import AppConfig


class CommunityConfig(AppConfig):
    name = "processes.community"
    label = "community"

    def ready(self) -> None:
        """Listen for erasures."""
        from . import erasure  # noqa: F401
