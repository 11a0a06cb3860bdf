"""A large change of the design while it is built, a child case of the works (设计变更公示).

The works do not stand still meanwhile; the entry in their ledger takes its life from how this ends.
"""

from django.utils.translation import gettext_lazy as _
from viewflow import this

from workflows.procedure import Procedure
from workflows.steps.nodes import Closing, Opening
from workflows.steps.publicity import Publicity
from workflows.terms import Days


class DesignChange(Procedure):
    """Publicised as the design itself was: in every stairwell, for twenty days."""

    code, version, number_prefix = "design_change", "2026.1", "DCHG"
    title = _("设计变更公示")
    summary = _("重大设计变更同设计方案一样公示，异议成立的不作变更。")
    listed = False

    opening = Opening().Next(this.publicity)
    publicity = (
        Publicity(
            title=_("设计变更公示"),
            by=("residents_committee", "office"),
            participants=("household", "owner"),
            term=Days(20),
            posted_in="stairwells",
            source=_("默认：占合同价10%以上的设计变更，同设计方案一样公示20天"),
        )
        .On("clean", this.established, _("变更成立"))
        .On("upheld", this.not_established, _("变更不成立"))
    )
    established = Closing(_("变更成立"))
    not_established = Closing(_("变更不成立"), good=False)
