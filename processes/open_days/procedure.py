"""Open days, experience-sharing meetings, briefings: 公众开放日、经验分享会、政策宣讲.

The source article: residents are invited to experience-sharing meetings and public open days, "so
that they see with their own eyes what is renovated, how, and with what result".
"""

from django.utils.translation import gettext_lazy as _
from viewflow import this

from workflows.procedure import Procedure
from workflows.steps.consultation import Consultation
from workflows.steps.meeting import Meeting
from workflows.steps.nodes import Closing, Opening
from workflows.terms import Days

CONVENERS = ("residents_committee", "office")
RESIDENTS = ("household", "owner")


class OpenDay(Procedure):
    """An open day: call, sign up, hold, publish the minutes, ask and answer."""

    code, version, number_prefix = "open_day", "2026.1", "OPEN"
    title = _("公众开放日")
    summary = _("到现场看、当面问；预约参加，会后记录公开，意见件件有答复。")
    opened_by = CONVENERS
    overseers = ("office",)

    opening = Opening().Next(this.visit)

    visit = Meeting(
        title=_("现场活动"),
        by=CONVENERS,
        participants=RESIDENTS,
        sessions_at_least=1,
        source=_("三问于民：组织群众参加经验分享会、公众开放日活动"),
    ).Next(this.feedback)
    feedback = Consultation(
        title=_("参观意见"),
        by=CONVENERS,
        participants=RESIDENTS,
        term=Days(7),
        adjustable=(Days(3), Days(30)),
        source=_("三问于民：件件有回应；默认：7日"),
    ).Next(this.done)

    done = Closing(_("办结"))
