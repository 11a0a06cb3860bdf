"""People and places as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from workflows.parties import name_roles


class CommunityConfig(AppConfig):
    name = "processes.community"
    label = "community"

    def ready(self) -> None:
        """Listen for erasures; name the roles of a neighbourhood."""
        from . import erasure  # noqa: F401

        name_roles({"household": _("住户"), "owner": _("业主"), "applicant": _("申请人")}, own=True)
        name_roles(
            {
                "residents_committee": _("居民委员会"),
                "owners_committee": _("业主委员会"),
                "residents_representative": _("居民代表"),
            }
        )
