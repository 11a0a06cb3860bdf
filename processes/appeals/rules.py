"""Terms, kinds, units and doors of appeals. A marks the source article, D our default.

The terms follow Shandong's rules for the government hotline (2020) and its provincial line (2017).
Each rule is one function without input or output; a calendar is handed in.
"""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext_lazy as _

from workflows import terms
from workflows.steps.act import Words
from workflows.terms import Calendar, WorkingDays

ASSIGN = WorkingDays(1)
"""D: a matter is classified and assigned by the next working day (A: 即时受理)."""
REPLY = WorkingDays(5)
"""Hotline rules: a reply within five working days of the assignment."""
EXTENSION_MOST = WorkingDays(10)
"""The same: complex matters, once, by at most ten more."""
RETURN = WorkingDays(2)
"""The same: what is not the unit's duty goes back within two working days, with a reason."""
SUPERVISED = WorkingDays(3)
"""D: what a supervision sheet gives the unit."""
SUPERVISED_FOR: dict[tuple[str, str], Words] = {
    ("handle", "overdue"): _("未在期限内答复"),
    ("rework", "overdue"): _("重新办理未在期限内答复"),
    ("rate_again", "unsatisfied"): _("诉求人两次评价不满意"),
    ("inspect", "again"): _("督办核查没有办到位"),
}
"""Why a matter is supervised, by the step before and its outcome (hotline rules: overdue, or twice
unsatisfied)."""
RATING = WorkingDays(10)
"""D: how long the author may rate; the office asks in between (A: 跟踪问效)."""
FEW = 5
"""Public figures below this number are not shown: they might speak of one person."""

# What a matter is about. D: the reply's term is the same for all but advice.
KINDS: dict[str, Words] = {
    "repair": _("设施维修"),
    "sanitation": _("环境卫生"),
    "property": _("物业管理"),
    "traffic": _("道路停车"),
    "noise": _("噪声扰民"),
    "safety": _("安全隐患"),
    "service": _("便民服务"),
    "advice": _("意见建议"),
    "other": _("其他"),
}
TERMS: dict[str, WorkingDays] = {"safety": WorkingDays(2), "service": WorkingDays(3)}
"""D: kinds that are answered sooner than `REPLY`."""

UNITS: dict[str, Words] = {
    "housing": _("住建部门"),
    "city": _("城市管理部门"),
    "police": _("公安派出所"),
    "market": _("市场监管部门"),
    "community": _("社区"),
    "property": _("物业服务企业"),
}

# How a matter comes that an officer types in.
WAYS: dict[str, Words] = {
    "phone": _("电话"),
    "visit": _("来访"),
    "letter": _("来信、便条"),
    "hotline": _("12345热线转来"),
    "grid": _("网格员上门收集"),
}
ENTERED_WITHIN = dt.timedelta(days=30)
"""D: how long after it came a matter may be typed in."""

# Matters with a course of their own, and whose door it is.
DOORS: dict[str, Words] = {
    "petition": _("信访事项：向街道信访接待窗口或者国家信访平台提出（信访工作条例）"),
    "emergency": _("正在发生的险情、案件：拨打110、119、120"),
    "reconsideration": _("不服行政行为：向上一级机关申请行政复议"),
    "court": _("民事纠纷、已进入诉讼：向人民法院提出，或者先到人民调解委员会"),
    "labour": _("劳动争议：向劳动人事争议仲裁委员会申请仲裁"),
    "discipline": _("检举公职人员：向纪检监察机关提出"),
    "disclosure": _("申请政府信息公开：走“依申请公开”程序"),
}


def reply_term(kind: str) -> WorkingDays:
    """Within how many working days a matter of that kind is answered."""
    return TERMS.get(kind, REPLY)


def return_refused(
    assigned: dt.date, today: dt.date, returned_before: bool, calendar: Calendar
) -> str:
    """Why a unit may not return a matter: ``again``, ``late``, or empty.

    Once, within two working days of the assignment.
    """
    if returned_before:
        return "again"
    due = terms.end_of(RETURN, assigned, calendar)
    return "late" if today > due.ends_on else ""


def shown(number: int, among: int) -> int | None:
    """A number that the public may see: None where it is taken among fewer than five."""
    return number if among >= FEW else None
