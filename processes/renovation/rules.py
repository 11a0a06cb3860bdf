"""Rules and lists of the renovation procedure: the menu, the score sheets, tender law.

Each rule is one function without I/O, with its article; what neither article nor law fixes is a
parameter here, marked D.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from workflows import terms
from workflows.steps.base import Words
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


@dataclass(frozen=True, slots=True)
class WarrantyRule:
    """The least warranty of a part of the works, in months, with its source."""

    title: Words
    months: int
    source: Words
    effective_from: dt.date


_QUALITY = (_("建设工程质量管理条例第四十条"), dt.date(2000, 1, 30))
WARRANTIES = {
    "waterproof": WarrantyRule(_("屋面防水、外墙面防渗漏"), 60, *_QUALITY),
    "heating": WarrantyRule(_("供热与供冷系统（两个采暖期、供冷期）"), 24, *_QUALITY),
    "pipes": WarrantyRule(_("电气管线、给排水管道、设备安装和装修"), 24, *_QUALITY),
    "other": WarrantyRule(_("其他项目（按合同约定）"), 1, _("施工合同约定"), dt.date(2000, 1, 30)),
}


def warranty_ends(start: dt.date, months: int) -> dt.date:
    """The last day of a warranty: the corresponding day, else the month's last (Civil Code 202)."""
    return terms.corresponding_day(start, months=months)


LEAST_BIDDERS = 3


def bidders_suffice(bidders: int) -> bool:
    """Whether a tender may be opened: fewer than three bidders and it is tendered anew.

    Tender Law (招标投标法), article 28.
    """
    return bidders >= LEAST_BIDDERS


def committee_faults(members: int, experts: int) -> list[str]:
    """Why an evaluation committee is not lawful: codes ``few``, ``even``, ``experts``.

    Five or more, an odd number, experts not less than two thirds. Tender Law, article 37.
    """
    faults = []
    if members < 5:
        faults.append("few")
    if members % 2 == 0:
        faults.append("even")
    if 3 * experts < 2 * members:
        faults.append("experts")
    return faults
