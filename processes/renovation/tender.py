"""One lot of an open tender, a child case of the step that needs it (公开招标).

Sources: Tender Law (招标投标法) 24, 28, 37; its Implementing Regulations (招标投标法实施条例) 54.
"""

from django.utils.translation import gettext_lazy as _
from viewflow import this

from workflows.procedure import Procedure
from workflows.steps.base import Closing, Opening
from workflows.steps.publicity import Publicity
from workflows.steps.task import Task
from workflows.terms import Days

from . import forms

OFFICE = ("office",)
ANYONE = ("household", "owner", "bidder", "office")  # the office enters what bidders hand in


class Tender(Procedure):
    """One lot: documents, at least 20 days to bid, evaluation, candidates stand, award."""

    code, version, number_prefix = "tender", "2026.1", "TEND"
    title = _("公开招标")
    summary = _("招标文件、开标、评标、中标候选人全程公开。")
    listed = False

    opening = Opening().Next(this.documents)
    documents = Task(title=_("发出招标文件"), by=OFFICE, form=forms.TenderDocumentsForm).Next(
        this.bidding
    )
    bidding = (  # Tender Law 24: at least 20 days from the documents to the bids
        Publicity(title=_("招标公告"), by=OFFICE, participants=ANYONE, term=Days(20))
        .On("clean", this.bid_opening)
        .On("upheld", this.documents, _("修改招标文件"))
    )
    bid_opening = (  # Tender Law 28: fewer than three bidders, tendered anew
        Task(title=_("开标"), by=OFFICE, form=forms.BidOpeningForm)
        .On("opened", this.evaluation, _("投标人达到三家"))
        .On("anew", this.documents, _("投标人少于三家，重新招标"))
    )
    evaluation = Task(  # Tender Law 37: five or more, odd, two thirds experts
        title=_("评标"), by=OFFICE, form=forms.EvaluationForm
    ).Next(this.candidates)
    candidates = (  # Implementing Regulations 54: 3 days, an objection suspends, answered in 3
        Publicity(
            title=_("中标候选人公示"), by=OFFICE, participants=ANYONE, term=Days(3), verify=Days(3)
        )
        .On("clean", this.award)
        .On("upheld", this.evaluation, _("重新评标"))
    )
    award = Task(title=_("定标"), by=OFFICE, form=forms.AwardForm).Next(this.awarded)
    awarded = Closing(_("已定标"))
