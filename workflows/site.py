"""The site's own case: acts that belong to no matter of residents, in the same public record.

A new log key, an erasure that touched several cases: they are records of one standing case of an
unlisted procedure, opened when the first of them comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from viewflow import this

from . import acts
from .models.case import Case, Community
from .models.record import Record
from .parties import Party
from .procedure import Procedure
from .steps.act import act
from .steps.matters import CaseActs
from .steps.nodes import Closing, Opening
from .steps.task import NoteForm, Task


class SiteActs(CaseActs):
    """What the site does in its own name; its operators do it by command, not on a page."""

    @act("log.key_rotated", title=_("更换日志签名密钥"), by=("clock",), page=False)
    def rotate_key(self, doing: acts.Act) -> acts.Written:
        """A new key signs the log from now on; both public keys are named."""
        return acts.Written({"old": doing.payload["old"], "new": doing.payload["new"]})

    @act("log.shortened", title=_("日志缺少已公布的记录"), by=("clock",), page=False)
    def shortened(self, doing: acts.Act) -> acts.Written:
        """Records that the log had signed for are lost: how many there were, with the root of the
        log that was seen, and how many are held."""
        return acts.Written({name: doing.payload[name] for name in ("seen", "root", "held")})


class Site(Procedure):
    """The standing case of the site (本站). It ends with the site."""

    code, version, number_prefix = "site", "1", "SITE"
    title = _("本站运行")
    summary = _("不属于任何一件事项的操作，例如更换日志签名密钥，也留有公开记录。")
    opened_by = ("clock",)
    overseers = ()
    community_kinds = ("site",)
    listed = False
    _case_acts = SiteActs()

    opening = Opening().Next(this.running)
    running = Task(title=_("运行"), by=("clock",), form=NoteForm).Next(this.ended)
    ended = Closing(_("停止运行"))


def case() -> Case:
    """The site's case; opened on first use."""
    found = Case.objects.filter(procedure=Site.code, finished=None).order_by("pk").first()
    if found is not None:
        return found
    community, _made = Community.objects.get_or_create(
        code="site", defaults={"name": str(_("本站")), "kind": "site"}
    )
    # The key makes two that begin at once open one case.
    return acts.open_case(
        Site, community, Party.clock(), title=str(Site.title), key="site", parent=None
    )


def record(name: str, body: Mapping[str, Any]) -> Record:
    """Do one of the site's acts through the one door; its record."""
    return acts.perform(case(), acts.CASE, name, Party.clock(), body).record
