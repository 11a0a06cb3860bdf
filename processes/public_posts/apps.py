"""Public-welfare posts as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PublicPostsConfig(AppConfig):
    """城乡公益性岗位: a call of a sub-district, from its announcement to the last exit."""

    name = "processes.public_posts"
    label = "public_posts"
    verbose_name = _("城乡公益性岗位")
    demo = "processes.public_posts.demo"

    def ready(self) -> None:
        """Declare the procedure and its notices for the wall."""
        from . import papers, procedure  # noqa: F401
