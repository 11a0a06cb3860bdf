"""Public-welfare posts: 城乡公益性岗位, one case for each call of a sub-district.

A marks what the source article says, L national law, D our default. See `rules` for the numbers,
`applying`, `selecting`, `noticing`, `posting` and `managing` for what the steps do.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from viewflow import this

from workflows.models import Attachment, Case
from workflows.parties import Party
from workflows.procedure import Procedure
from workflows.steps.act import Words
from workflows.steps.nodes import Closing, Meet, Opening, Together
from workflows.terms import WorkingDays

from . import retention
from .applying import Announce, Apply, Check
from .managing import Exit, Manage
from .noticing import Notice
from .posting import Onboard, Train
from .selecting import Evaluate, Vet

OFFICE = ("office",)
VILLAGE = ("residents_committee",)
ANYONE = ("applicant", "residents_committee")


class PublicPosts(Procedure):
    """A call for public-welfare posts, from the announcement to the last exit."""

    code, version, number_prefix = "public_posts", "2026.1", "POST"
    title = _("城乡公益性岗位")
    summary = _("五公开：岗位、职责、程序、结果、管理公开。")
    opened_by = OFFICE
    overseers = OFFICE
    community_kinds = ("subdistrict",)

    @classmethod
    def outdated(cls, now: dt.datetime) -> QuerySet[Case]:
        """Calls with applicants whose data are kept no longer."""
        return retention.outdated(now).filter(procedure=cls.code, version=cls.version)

    @classmethod
    def forget(cls, case: Case, now: dt.datetime) -> Mapping[str, int]:
        """Erase those data."""
        return retention.forget(case, now)

    @classmethod
    def may_read(cls, file: Attachment, parties: Sequence[Party], oversees: bool) -> bool:
        """Papers with identity numbers are for those who check them, and for auditors."""
        return any(party.role in {*VILLAGE, *OFFICE, "auditor"} for party in parties)

    @classmethod
    def pages(cls, case: Case) -> list[tuple[Words, str]]:
        """The posts, each with its five openings."""
        return [(_("全部岗位"), f"{case.get_absolute_url()}posts/")]

    opening = Opening().Next(this.announce)

    announce = Announce(title=_("岗位公告"), by=OFFICE).Next(this.apply)  # A: 岗位公开、职责公开
    apply = (  # A: 个人申请
        Apply(
            title=_("个人申请"),
            by=VILLAGE,
            participants=ANYONE,
            term=WorkingDays(10),
            adjustable=(WorkingDays(5), WorkingDays(30)),
        )
        .On("done", this.check)
        .On("none", this.unfilled)
    )
    check = (  # A: 资格初审; D: 5 working days in which a refusal can be objected to
        Check(title=_("资格初审"), by=(*VILLAGE, *OFFICE), participants=ANYONE, term=WorkingDays(5))
        .On("done", this.evaluate)
        .On("none", this.unfilled)
    )
    evaluate = (  # A: 民主评议; D: two thirds of the invited representatives attend
        Evaluate(title=_("民主评议"), by=VILLAGE)
        .On("done", this.vet)
        .On("again", this.evaluate)
        .On("none", this.unfilled)
    )
    vet = (  # A: 审核
        Vet(title=_("审核"), by=OFFICE).On("done", this.publicity).On("none", this.unfilled)
    )
    publicity = (  # A: 公示; D: 5 working days
        Notice(
            title=_("公示"),
            by=OFFICE,
            participants=ANYONE,
            term=WorkingDays(5),
            adjustable=(WorkingDays(5), WorkingDays(20)),
        )
        .On("done", this.posting)
        .On("procedure", this.evaluate)
    )
    posting = Together(this.supplement, this.train, this.onboard, this.manage, this.exit)
    supplement = Notice(  # D: for each who moves up, while the others go on
        title=_("补充公示"), by=OFFICE, participants=ANYONE, supplementary=True
    ).Next(this.through)
    train = Train(  # A: 岗前培训
        title=_("岗前培训"), by=OFFICE, supplement="supplement"
    ).Next(this.through)
    onboard = Onboard(title=_("上岗"), by=OFFICE).Next(this.through)  # D: a year; L: at most three
    manage = Manage(  # A: 在岗管理; D: 30 + 50 + 20 by the 10th
        title=_("在岗管理"), by=(*VILLAGE, *OFFICE)
    ).Next(this.through)
    exit = Exit(  # A: 退出管理; D: a vacancy goes to the reserve list or waits for another call
        title=_("退出管理"),
        by=OFFICE,
        supplement="supplement",
        lanes=("supplement", "train", "onboard"),
    ).Next(this.through)
    through = Meet().Next(this.completed)

    completed = Closing(_("办结"))
    unfilled = Closing(_("无人安置"), good=False)
