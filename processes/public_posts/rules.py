"""Rules of public-welfare posts, without I/O: who fits a call, quorum, ranking, terms, assessment.

A marks what the source article says, L national law, D our default (catalogue, section 2).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from django.utils.translation import gettext_lazy as _

from workflows.steps.act import Words

ATTEND = Fraction(2, 3)  # D: of the invited representatives
PASS = 60  # D: mean of the scores, test after training, monthly assessment
SUBSIDY_YEARS, NEAR_PENSION_YEARS = 3, 5  # L: Employment Promotion rules, hardship subsidies
WEIGHTS = {"village": 30, "office": 50, "democratic": 20}  # A, adding up to 100
REPORT_DAY = 10

GROUPS: dict[str, Words] = {
    "out_of_poverty": _("脱贫享受政策人口（含防返贫监测对象）"),
    "low_income": _("农村低收入人口"),
    "disabled": _("农村残疾人"),
    "rural_older": _("农村大龄人员"),
    "zero_employment": _("城镇零就业家庭成员"),
    "urban_older_women": _("城镇大龄失业女性"),
    "urban_older_men": _("城镇大龄失业男性"),
}
EXCLUSIONS: dict[str, Words] = {
    "enterprise_pension": _("已参加企业职工养老保险或者领取养老金"),
    "business": _("已办理经营主体登记或者担任股东"),
    "public_employee": _("财政供养人员"),
    "subsidy_used": _("已享受满补贴期限"),
}
REASONS: dict[str, Words] = {
    **EXCLUSIONS,
    "group": _("不属于本次招聘的人员类别"),
    "born_before": _("出生日期早于公告规定的范围"),
    "born_after": _("出生日期晚于公告规定的范围"),
    "papers": _("申请材料不全或者与填写内容不符"),
}
SOURCES: dict[str, Words] = {
    "social_insurance": _("社会保险"),
    "business_register": _("经营主体登记"),
    "public_payroll": _("财政供养人员名册"),
    "subsidy_history": _("补贴享受记录"),
}
EXITS: dict[str, Words] = {
    "own_wish": _("本人申请退出"),
    "other_job": _("已在其他单位就业"),
    "term_over": _("协议期满"),
    "age": _("达到年龄上限"),
    "failed_assessment": _("考核不合格"),
    "absence": _("顶岗、脱岗"),
    "fraud": _("弄虚作假"),
    "offence": _("违法犯罪"),
}
VACANCIES: dict[str, Words] = {
    "from_list": _("由候补人员依次递补"),
    "new_call": _("另行招聘"),
}
RETENTION = dt.timedelta(days=180)
"""D: how long what applicants told is kept after their matter is over; one may sue within six
months of learning of a decision (L: Administrative Litigation Law 46)."""
HEARD_BEFORE = frozenset({"failed_assessment", "absence", "fraud", "offence"})
"""D: exits for a fault; the holder is told and heard before."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A group's line in the table of a call: born on or between these days; None is unbounded."""

    born_from: dt.date | None = None
    born_until: dt.date | None = None


def reasons_against(
    table: Mapping[str, Bounds],
    excluded: Collection[str],
    *,
    group: str,
    born: dt.date,
    facts: Collection[str],
) -> list[str]:
    """Why someone does not fit the call, as codes of `REASONS`; nothing if they do.

    Age is by the birth-date bounds that the call states, both days included (Civil Code 1259).
    `facts` are what is known of the exclusions; the call may name fewer of them.
    """
    found: list[str] = []
    bounds = table.get(group)
    if bounds is None:
        found.append("group")
    elif bounds.born_from is not None and born < bounds.born_from:
        found.append("born_before")
    elif bounds.born_until is not None and born > bounds.born_until:
        found.append("born_after")
    return found + [code for code in EXCLUSIONS if code in facts and code in excluded]


def identity_fits(number: str, born: dt.date) -> bool:
    """Whether a citizen's identity number is sound (GB 11643-1999) and says that birth date."""
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9X]", number):
        return False
    return check_digit(number[:17]) == number[17] and number[6:14] == f"{born:%Y%m%d}"


def check_digit(head: str) -> str:
    """The last sign of an identity number, from its first seventeen digits (GB 11643-1999)."""
    total = sum(int(digit) * (2 ** (17 - at) % 11) for at, digit in enumerate(head))
    return "10X98765432"[total % 11]


def quorate(present: int, invited: int) -> bool:
    """At least two thirds of the invited representatives attend."""
    return invited > 0 and Fraction(present, invited) >= ATTEND


def ranked(scores: Mapping[int, Sequence[int]]) -> list[tuple[int, Fraction]]:
    """Numbers of applicants with their means, the best first; those under `PASS` are left out.

    Of equal means the application that came first (the smaller number) goes before. Raises
    ZeroDivisionError for an applicant whom nobody scored.
    """
    means = {number: Fraction(sum(points), len(points)) for number, points in scores.items()}
    passed = [(number, mean) for number, mean in means.items() if mean >= PASS]
    return sorted(passed, key=lambda row: (-row[1], row[0]))


def placed(order: Sequence[int], gone: Collection[int], places: int) -> list[int]:
    """Who has a place: the first of the ranking who are not gone. The rest are the reserve list,
    of whom the first moves up for each that goes."""
    return [number for number in order if number not in gone][:places]


def years_later(day: dt.date, years: int) -> dt.date:
    """The corresponding day, or the last of its month (Civil Code 202)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def subsidy_until(start: dt.date, pension: dt.date) -> dt.date:
    """Until when the subsidy can be paid: three years, or to pension age if within five years."""
    if pension <= years_later(start, NEAR_PENSION_YEARS):
        return pension
    return years_later(start, SUBSIDY_YEARS)


def agreement_until(start: dt.date, subsidy: dt.date) -> dt.date:
    """The end of an agreement: a year (D), not beyond the subsidy."""
    return min(years_later(start, 1), subsidy)


def months_to_assess(starts: dt.date, left: dt.date | None, today: dt.date) -> Iterator[dt.date]:
    """The whole months that a holder was on the post and that are over, each by its first day."""
    month = starts if starts.day == 1 else following(starts)
    until = left or today
    while following(month) <= min(until, today):
        yield month
        month = following(month)


def following(day: dt.date) -> dt.date:
    """The first day of the next month."""
    return (day.replace(day=1) + dt.timedelta(days=31)).replace(day=1)


def report_due(month: dt.date) -> dt.date:
    """The last day to report a month's assessment: the 10th of the next one."""
    return following(month).replace(day=REPORT_DAY)
