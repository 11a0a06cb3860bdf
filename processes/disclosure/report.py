"""The annual report: what was received and what came of it, in the national form.

Articles 49 and 50 (2) and (3) of the Regulations. Rows and columns are those of the form of 2021,
parts three and four (《政府信息公开工作年度报告格式》, 国办公开办函〔2021〕30号).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from django.db.models import F, OuterRef, Subquery
from django.utils.translation import gettext_lazy as _

from workflows.clock import SHANGHAI
from workflows.models import Community
from workflows.steps.act import Words

from . import rules
from .forms import APPLICANTS
from .models import Application, Decision, Remedy
from .remedies import KINDS, RESULTS


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the form and the code that it counts; one without is a heading."""

    title: Words
    level: int
    code: str = ""


RESULT_ROWS = (
    Row(_("（一）予以公开"), 1, "open"),
    Row(_("（二）部分公开（区分处理的，只计这一情形，不计其他情形）"), 1, "partial"),
    Row(_("（三）不予公开"), 1),
    Row(_("1.属于国家秘密"), 2, "state_secret"),
    Row(_("2.其他法律行政法规禁止公开"), 2, "forbidden"),
    Row(_("3.危及“三安全一稳定”"), 2, "safety"),
    Row(_("4.保护第三方合法权益"), 2, "third_party"),
    Row(_("5.属于三类内部事务信息"), 2, "internal"),
    Row(_("6.属于四类过程性信息"), 2, "process"),
    Row(_("7.属于行政执法案卷"), 2, "enforcement"),
    Row(_("8.属于行政查询事项"), 2, "register"),
    Row(_("（四）无法提供"), 1),
    Row(_("1.本机关不掌握相关政府信息"), 2, "not_held"),
    Row(_("2.没有现成信息需要另行制作"), 2, "needs_processing"),
    Row(_("3.补正后申请内容仍不明确"), 2, "unclear"),
    Row(_("（五）不予处理"), 1),
    Row(_("1.信访举报投诉类申请"), 2, "not_a_request"),
    Row(_("2.重复申请"), 2, "duplicate"),
    Row(_("3.要求提供公开出版物"), 2, "publication"),
    Row(_("4.无正当理由大量反复申请"), 2, "excessive"),
    Row(_("（六）其他处理"), 1),
    Row(_("1.申请人无正当理由逾期不补正、行政机关不再处理其政府信息公开申请"), 2, "abandoned"),
    Row(_("2.其他（申请人撤回）"), 2, "withdrawn"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: its title, how deep it stands, a number for each kind of applicant and
    their sum; no numbers in a heading."""

    title: Words
    level: int
    counts: tuple[int, ...]
    total: int | None


def result_row(outcome: str, ground: str) -> str:
    """The row of the form that an outcome is counted in."""
    known = rules.OUTCOMES[outcome]
    return known.row or rules.GROUNDS[ground].row


def table(place: Community, year: int) -> list[Line]:
    """Parts one to four of the form for a sub-district and a year; two queries.

    An application belongs to the year in which it was first received and, once settled, to the
    year in which it was; what was not settled by the end of the year is carried over.
    """
    newest = Decision.objects.filter(case=OuterRef("case")).exclude(number="").order_by("-pk")
    rows = (
        Application.objects.filter(
            case__community=place, first_received_on__lt=dt.date(year + 1, 1, 1)
        )
        .annotate(
            outcome=Subquery(newest.values("outcome")[:1]),
            ground=Subquery(newest.values("ground")[:1]),
            delivered=Subquery(newest.values("delivered_on")[:1]),
            ended=F("case__finished"),
            end=F("case__outcome"),
        )
        .values_list("kind", "first_received_on", "outcome", "ground", "delivered", "ended", "end")
    )
    kinds = list(APPLICANTS)
    new: Counter[str] = Counter()
    before: Counter[str] = Counter()
    carried: Counter[str] = Counter()
    settled: Counter[tuple[str, str]] = Counter()
    for kind, received, outcome, ground, delivered, ended, end in rows.iterator():
        on = delivered or (ended.astimezone(SHANGHAI).date() if ended else None)
        if on is not None and on.year < year:
            continue
        assert received is not None  # an application is counted from when it came in
        (new if received.year == year else before)[kind] += 1
        if on is None or on.year > year:
            carried[kind] += 1
        else:
            settled[result_row(outcome, ground) if outcome else end, kind] += 1

    def line(title: Words, level: int, found: Counter[str]) -> Line:
        counts = tuple(found[kind] for kind in kinds)
        return Line(title, level, counts, sum(counts))

    lines = [
        line(_("一、本年新收政府信息公开申请数量"), 0, new),
        line(_("二、上年结转政府信息公开申请数量"), 0, before),
        Line(_("三、本年度办理结果"), 0, (), None),
    ]
    whole: Counter[str] = Counter()
    for row in RESULT_ROWS:
        if not row.code:
            lines.append(Line(row.title, row.level, (), None))
            continue
        found = Counter({kind: settled[row.code, kind] for kind in kinds})
        whole += found
        lines.append(line(row.title, row.level, found))
    lines.append(line(_("（七）总计"), 1, whole))
    lines.append(line(_("四、结转下年度继续办理"), 0, carried))
    return lines


def remedies(place: Community, year: int) -> list[tuple[Words, list[int], int]]:
    """Reconsiderations and suits of a year by result (article 50 (3)); one query."""
    found = Counter(
        Remedy.objects.filter(case__community=place, on__year=year).values_list("kind", "result")
    )
    lines = []
    for kind, title in KINDS.items():
        counts = [found[kind, result] for result in RESULTS]
        lines.append((title, counts, sum(counts)))
    return lines


def kept(place: Community, year: int) -> dict[str, int]:
    """How many replies of a year were given in time, and how many later; one query."""
    given = Decision.objects.filter(case__community=place, delivered_on__year=year)
    pairs = list(given.values_list("delivered_on", "due_on"))
    late = sum(on > due for on, due in pairs if on is not None and due is not None)
    return {"given": len(pairs), "late": late, "in_time": len(pairs) - late}


def years(place: Community) -> list[int]:
    """The years of which there is something to report, newest first."""
    found = Application.objects.filter(case__community=place, first_received_on__isnull=False)
    days = found.dates("first_received_on", "year", order="DESC")
    return [day.year for day in days]
