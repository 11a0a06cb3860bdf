"""One lot of an open tender, a child case of the step that needs it (公开招标).

What the Tender Law and its Implementing Regulations fix stands in `rules`.
"""

from django.utils.translation import gettext_lazy as _
from viewflow import this

from workflows.law import ByLaw
from workflows.parties import name_roles
from workflows.procedure import Procedure
from workflows.steps.act import Words
from workflows.steps.matters import CaseActs
from workflows.steps.nodes import Closing, Opening
from workflows.steps.publicity import Publicity
from workflows.steps.task import Task

from . import forms

OFFICE = ("office",)
ANYONE = ("household", "owner", "bidder", "office")  # the office enters what bidders hand in


name_roles({"bidder": _("投标人")}, own=True)

LOTS: dict[str, Words] = {
    "design": _("设计标段"),
    "construction": _("施工标段"),
    "supervision": _("监理标段"),
}
"""The lots of a renovation, by code."""


class OfLot(CaseActs):
    """What may be done to a lot whatever step it stands at; its first record says which it is."""

    @property
    def codes(self) -> dict[str, Words]:
        """Also the lots."""
        return {**super().codes, **LOTS}


class Tender(Procedure):
    """One lot: documents, time to bid, evaluation, candidates stand, award."""

    code, version, number_prefix = "tender", "2026.1", "TEND"
    title = _("公开招标")
    summary = _("招标文件、开标、评标、中标候选人全程公开。")
    listed = False
    _case_acts = OfLot()

    opening = Opening().Next(this.documents)
    documents = Task(
        title=_("发出招标文件"),
        by=OFFICE,
        form=forms.TenderDocumentsForm,
        source=_("《招标投标法》第十九条"),
    ).Next(this.bidding)
    bidding = (
        Publicity(
            title=_("招标公告"),
            by=OFFICE,
            participants=ANYONE,
            term=ByLaw("tender_bidding"),
            verify=ByLaw("tender_documents_objection"),
        )
        .On("clean", this.bid_opening)
        .On("upheld", this.documents, _("修改招标文件"))
    )
    bid_opening = (
        Task(title=_("开标"), by=OFFICE, form=forms.BidOpeningForm, laws=("tender_bidders",))
        .On("opened", this.evaluation, _("投标人达到三家"))
        .On("anew", this.documents, _("投标人少于三家，重新招标"))
    )
    evaluation = Task(
        title=_("评标"),
        by=OFFICE,
        form=forms.EvaluationForm,
        laws=("tender_committee", "tender_candidates_within"),
    ).Next(this.candidates)
    candidates = (
        Publicity(
            title=_("中标候选人公示"),
            by=OFFICE,
            participants=ANYONE,
            term=ByLaw("tender_candidates"),
            verify=ByLaw("tender_result_objection"),
        )
        .On("clean", this.award)
        .On("upheld", this.evaluation, _("重新评标"))
    )
    award = Task(
        title=_("定标"),
        by=OFFICE,
        form=forms.AwardForm,
        source=_("《招标投标法》第四十条、第四十五条"),
    ).Next(this.awarded)
    awarded = Closing(_("已定标"))
