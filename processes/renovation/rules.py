"""Rules and lists of the renovation procedure: the menu, the score sheets, tender law.

What law fixes stands in rule sets (`workflows.law`), chosen by the day of the decision; what
neither article nor law fixes is a parameter here, marked D.
"""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext_lazy as _

from workflows import law, terms
from workflows.steps.act import Words
from workflows.steps.ballot import Ballot
from workflows.steps.consultation import MenuItem
from workflows.steps.panel import Criterion, Score, SeatSpec

# State Council guidance of 2020 on old estates: basic must, improving should, upgrading may.
BASIC, IMPROVING, UPGRADING = "basic", "improving", "upgrading"
MENU_CLASSES = {BASIC: _("基础类"), IMPROVING: _("完善类"), UPGRADING: _("提升类")}
RENOVATION_MENU = (
    MenuItem("roof", _("屋面防水"), BASIC, MENU_CLASSES[BASIC]),
    MenuItem("pipes", _("供排水管网"), BASIC, MENU_CLASSES[BASIC]),
    MenuItem("roads", _("道路硬化"), BASIC, MENU_CLASSES[BASIC]),
    MenuItem("lighting", _("楼道及小区照明"), BASIC, MENU_CLASSES[BASIC]),
    MenuItem("security", _("安防设施"), BASIC, MENU_CLASSES[BASIC]),
    MenuItem("doors", _("单元门"), BASIC, MENU_CLASSES[BASIC]),
    MenuItem("greening", _("绿化"), IMPROVING, MENU_CLASSES[IMPROVING]),
    MenuItem("parking", _("停车位"), IMPROVING, MENU_CLASSES[IMPROVING]),
    MenuItem("bicycles", _("非机动车棚及充电"), IMPROVING, MENU_CLASSES[IMPROVING]),
    MenuItem("insulation", _("外墙保温"), IMPROVING, MENU_CLASSES[IMPROVING]),
    MenuItem("ramps", _("无障碍坡道"), IMPROVING, MENU_CLASSES[IMPROVING]),
    MenuItem("lifts", _("加装电梯"), UPGRADING, MENU_CLASSES[UPGRADING]),
    MenuItem("elderly", _("养老服务用房"), UPGRADING, MENU_CLASSES[UPGRADING]),
    MenuItem("childcare", _("托育与儿童活动场地"), UPGRADING, MENU_CLASSES[UPGRADING]),
)

# The joint review: who sits, and what is scored. The pledged share is one item (A). D: the weights.
REVIEWERS = (
    SeatSpec("housing", _("住建部门"), "reviewer"),
    SeatSpec("planning", _("规划部门"), "reviewer"),
    SeatSpec("finance", _("财政部门"), "reviewer"),
    SeatSpec("community", _("社区"), "reviewer"),
)
SHORTLIST = Score(
    sheet=(
        Criterion("faults", _("设施老化与安全隐患"), 30),
        Criterion("will", _("居民改造意愿"), 30),
        Criterion("pledge", _("居民出资承诺"), 20),
        Criterion("upkeep", _("长效管理条件"), 20),
    ),
    mean_at_least=70,
)

# The six parties of acceptance (source article). D: their weights.
SIX_PARTIES = (
    SeatSpec("design", _("勘察设计单位"), "designer", weight=15),
    SeatSpec("construction", _("实施工程单位"), "contractor", weight=15),
    SeatSpec("supervision", _("监理单位"), "supervisor", weight=20),
    SeatSpec("community", _("社区"), "residents_committee", weight=15),
    SeatSpec("owners", _("业主委员会"), "owners_committee", weight=15),
    SeatSpec("residents", _("居民代表"), "residents_representative", weight=20),
)
ACCEPTANCE = Score(
    sheet=(
        Criterion("quality", _("工程质量"), 40),
        Criterion("completeness", _("按图完成"), 20),
        Criterion("safety", _("安全与文明施工"), 20),
        Criterion("satisfaction", _("群众满意"), 20),
    ),
    weighted_at_least=80,
)


def owners_ballot(title: Words, *, by: tuple[str, ...], matter: str | None = None) -> Ballot:
    """A ballot of the owners; who calls it classes the matter where `matter` does not.

    Which majority carries, `workflows.counting` knows. D: the days to vote, the objections to the
    preliminary count (询异公示), and how soon it is confirmed.
    """
    return Ballot(
        title=title,
        by=by,
        participants=("owner",),
        electorate="owners",
        matter=matter,
        notice=terms.Days(15),
        term=terms.Days(15),
        objections=terms.WorkingDays(3),
        confirm_within=terms.Days(3),
        source=_(
            "《民法典》第二百七十八条；《物业管理条例》第十四条：15日前通知全体业主；"
            "默认：投票15日，询异公示3个工作日，3日内确认"
        ),
    )


# --- rules of law ------------------------------------------------------------------------------

TENDER_LAW, TENDER_RULES = dt.date(2000, 1, 1), dt.date(2012, 2, 1)
"""Since when the Tender Law and its Implementing Regulations are in force."""

law.declare(
    law.Rule(
        code="tender_bidding",
        title=_("自招标文件发出之日起至投标截止不少于20日"),
        source=_("《招标投标法》第二十四条"),
        effective_from=TENDER_LAW,
        values={"days": 20},
    ),
    law.Rule(
        code="tender_documents_objection",
        title=_("对招标文件的异议3日内答复，答复前暂停招标"),
        source=_("《招标投标法实施条例》第二十二条"),
        effective_from=TENDER_RULES,
        values={"days": 3},
    ),
    law.Rule(
        code="tender_bidders",
        title=_("投标人少于3个的重新招标"),
        source=_("《招标投标法》第二十八条"),
        effective_from=TENDER_LAW,
        values={"bidders": 3},
    ),
    law.Rule(
        code="tender_committee",
        title=_("评标委员会5人以上单数，专家不少于三分之二"),
        source=_("《招标投标法》第三十七条"),
        effective_from=TENDER_LAW,
        values={"members": 5, "experts": 2, "experts_of": 3},
    ),
    law.Rule(
        code="tender_candidates_within",
        title=_("自收到评标报告之日起3日内公示中标候选人"),
        source=_("《招标投标法实施条例》第五十四条"),
        effective_from=TENDER_RULES,
        values={"days": 3},
    ),
    law.Rule(
        code="tender_candidates",
        title=_("中标候选人公示不少于3日"),
        source=_("《招标投标法实施条例》第五十四条"),
        effective_from=TENDER_RULES,
        values={"days": 3},
    ),
    law.Rule(
        code="tender_result_objection",
        title=_("对评标结果的异议3日内答复，答复前暂停招标"),
        source=_("《招标投标法实施条例》第五十四条"),
        effective_from=TENDER_RULES,
        values={"days": 3},
    ),
)


def bidders_suffice(bidders: int, on: dt.date) -> bool:
    """Whether a tender may be opened on that day: with too few bidders it is tendered anew."""
    return bidders >= law.rule("tender_bidders", on).values["bidders"]


def committee_faults(members: int, experts: int, on: dt.date) -> list[str]:
    """Why an evaluation committee is not lawful on that day: codes ``few``, ``even``, ``experts``.

    So many members or more, an odd number, experts not less than their share.
    """
    least = law.rule("tender_committee", on).values
    faults = []
    if members < least["members"]:
        faults.append("few")
    if members % 2 == 0:
        faults.append("even")
    if experts * least["experts_of"] < members * least["experts"]:
        faults.append("experts")
    return faults


WARRANTIES: dict[str, Words] = {
    "waterproof": _("屋面防水、外墙面防渗漏"),
    "heating": _("供热与供冷系统（两个采暖期、供冷期）"),
    "pipes": _("电气管线、给排水管道、设备安装和装修"),
    "other": _("其他项目（按合同约定）"),
}
"""The parts of works under warranty. Of ``other`` parts the contract says how long (article 40)."""


def _warranty(part: str, title: Words, months: int) -> law.Rule:
    return law.Rule(
        code=f"warranty_{part}",
        title=title,
        source=_("《建设工程质量管理条例》第四十条"),
        effective_from=dt.date(2000, 1, 30),
        values={"months": months},
    )


law.declare(
    _warranty("waterproof", _("防水、防渗漏保修不少于5年"), 60),
    _warranty("heating", _("供热、供冷系统保修不少于两个采暖期、供冷期"), 24),
    _warranty("pipes", _("管线、设备、装修保修不少于2年"), 24),
    _warranty("other", _("其他项目的保修期由合同约定"), 1),
)


def warranty_rule(part: str, start: dt.date) -> law.Rule:
    """The least warranty of a part, in ``months``, that the law has for what begins then."""
    return law.rule(f"warranty_{part}", start)


def warranty_ends(start: dt.date, months: int) -> dt.date:
    """The last day of a warranty: the corresponding day, else the month's last (Civil Code 202)."""
    return terms.corresponding_day(start, months=months)
