"""The Regulations on Open Government Information (政府信息公开条例, 2019) as rules.

Terms and outcomes. Each rule is one function without input or output, with its article; a calendar
is handed in. Plain article numbers are those of the Regulations, and were read against their text.
What is said of the Administrative Reconsideration Law and the Administrative Litigation Law was
not: their texts were not at hand. See `remedies`; an office reads both before it relies on it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from workflows import law, terms
from workflows.steps.act import Words
from workflows.terms import Calendar, Deadline, WorkingDays

REGULATIONS = dt.date(2019, 5, 15)
"""Since when the Regulations of 2019 are in force."""
RECONSIDERATION_LAW, RECONSIDERATION_LAW_REVISED = dt.date(1999, 10, 1), dt.date(2024, 1, 1)
LITIGATION_LAW_REVISED = dt.date(2015, 5, 1)

law.declare(
    law.Rule(
        code="disclosure_correction",
        title=_("自收到申请之日起7个工作日内一次性告知补正"),
        source=_("《政府信息公开条例》第三十条"),
        effective_from=REGULATIONS,
        values={"days": 7},
    ),
    law.Rule(
        code="disclosure_reply",
        title=_("自收到申请之日起20个工作日内答复，征求意见所需时间不计算在内"),
        source=_("《政府信息公开条例》第三十三条"),
        effective_from=REGULATIONS,
        values={"days": 20},
    ),
    law.Rule(
        code="disclosure_extension",
        title=_("经负责人同意并告知申请人，延长最长不超过20个工作日"),
        source=_("《政府信息公开条例》第三十三条"),
        effective_from=REGULATIONS,
        values={"days": 20},
    ),
    law.Rule(
        code="disclosure_opinion",
        title=_("自收到征求意见书之日起15个工作日内提出意见"),
        source=_("《政府信息公开条例》第三十二条、第三十四条"),
        effective_from=REGULATIONS,
        values={"days": 15},
    ),
    law.Rule(
        code="reconsideration",
        title=_("自知道之日起60日内申请行政复议"),
        source=_("《行政复议法》（1999年）第九条"),
        effective_from=RECONSIDERATION_LAW,
        effective_to=RECONSIDERATION_LAW_REVISED,
        values={"days": 60, "first": 0},
    ),
    law.Rule(
        code="reconsideration",
        title=_("自知道之日起60日内申请行政复议；不予公开的，应当先申请行政复议"),
        source=_("《行政复议法》（2023年）第二十条、第二十三条"),
        effective_from=RECONSIDERATION_LAW_REVISED,
        values={"days": 60, "first": 1},
    ),
    law.Rule(
        code="suit",
        title=_("自知道之日起6个月内提起行政诉讼；经复议的，自收到复议决定书之日起15日内"),
        source=_("《行政诉讼法》第四十五条、第四十六条"),
        effective_from=LITIGATION_LAW_REVISED,
        values={"months": 6, "after": 15},
    ),
)

CONFIRM = WorkingDays(1)
"""D: within how long the office confirms with the applicant what came over the network. For an
ordinary letter article 31 (2) itself says: on the same day."""
CORRECTION_LEAST, CORRECTION_USUAL, CORRECTION_MOST = 5, 15, 60
"""D: working days that are a reasonable term for a correction (article 30: 合理的补正期限)."""
POSTPONED_MOST = 60
"""D: working days that are a reasonable delay (article 35: 延迟答复的合理期限)."""
CORRECTION_NOTICE = law.ByLaw("disclosure_correction", unit=WorkingDays)
REPLY = law.ByLaw("disclosure_reply", unit=WorkingDays)
OPINION = law.ByLaw("disclosure_opinion", unit=WorkingDays)


def extension_most(on: dt.date) -> int:
    """By how many working days a reply may be extended at most. Article 33."""
    return law.rule("disclosure_extension", on).values["days"]


# Article 31: how an application came in, which decides on what day it was received.
CHANNELS: dict[str, Words] = {
    "web": _("互联网渠道"),
    "in_person": _("当面提交"),
    "oral": _("口头提出，由工作机构代为填写"),
    "signed_mail": _("邮寄（需签收）"),
    "ordinary_mail": _("平常信函（无需签收）"),
    "fax": _("传真"),
}


def received_on(
    channel: str,
    handed_in: dt.date,
    *,
    signed: dt.date | None = None,
    confirmed: dt.date | None = None,
) -> dt.date:
    """The day on which an application counts as received. Article 31.

    In person (also spoken, article 29): the day it is handed in. By mail that is signed for: the
    day the office signs. By ordinary letter, over the network or by fax: the day on which both
    sides have confirmed. ValueError where that day is missing or lies before `handed_in`.
    """
    if channel in ("in_person", "oral"):
        return handed_in
    day = signed if channel == "signed_mail" else confirmed
    if day is None or day < handed_in:
        raise ValueError(channel)
    return day


def correction_notice_due(received: dt.date, calendar: Calendar) -> Deadline:
    """Until when the office may ask for a correction: 7 working days from receipt. Article 30."""
    return terms.end_of(CORRECTION_NOTICE.on(received), received, calendar)


def correction_refused(
    received: dt.date, today: dt.date, asked_before: bool, calendar: Calendar
) -> str:
    """Why a correction may not be asked for: ``again``, ``late``, or empty. Article 30: once.

    Beyond days of which no notice speaks yet nobody is late.
    """
    if asked_before:
        return "again"
    due = correction_notice_due(received, calendar)
    return "late" if today > due.ends_on and not due.provisional else ""


def correction_due(asked: dt.date, days: int, calendar: Calendar) -> Deadline:
    """The reasonable term for a correction that the office has set, from the notice. Article 30."""
    return terms.end_of(WorkingDays(days), asked, calendar)


def opinion_due(letter_received: dt.date, calendar: Calendar) -> Deadline:
    """Until when whoever is consulted answers: 15 working days from the letter. Articles 32, 34."""
    return terms.end_of(OPINION.on(letter_received), letter_received, calendar)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Days on which the term for the reply stood still, both included."""

    first: dt.date
    last: dt.date


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch or overlap as one: several are consulted side by side."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.first <= found[-1].last + terms.ONE_DAY:
            found[-1] = Span(found[-1].first, max(found[-1].last, span.last))
        else:
            found.append(span)
    return found


def reply_due(
    received: dt.date,
    calendar: Calendar,
    *,
    consulted: Iterable[Span] = (),
    extended: int = 0,
    postponed: int = 0,
) -> Deadline:
    """Until when the office answers. Articles 33 and 35.

    20 working days from receipt; where a correction was asked for, `received` is the day on which
    it came (article 30: the term starts anew). `extended` more working days, at most 20. What it
    takes to consult third parties and other organs is not counted: no day of `consulted` is, from
    the letter to the answer or the end of its term, and counting goes on the day after. Who asks
    for clearly too much, and for a good reason, may be told a reasonable later day: `postponed`
    working days more (35). ValueError for an extension that the law does not know.
    """
    if not 0 <= extended <= extension_most(received) or not 0 <= postponed <= POSTPONED_MOST:
        raise ValueError(extended, postponed)
    term = REPLY.on(received)
    due = terms.end_of(term, received, calendar)
    if extended or postponed:
        due = terms.extend(term, due, WorkingDays(extended + postponed), calendar)
    for span in joined(consulted):
        due = terms.resume(term, due, span.first, span.last, calendar)
    return due


def extension_refused(due: Deadline, today: dt.date, extended_before: bool) -> str:
    """Why a reply may not be extended: ``again``, ``late``, or empty. Article 33: before the term
    has run out, since the applicant must be told."""
    if extended_before:
        return "again"
    return "late" if today > due.ends_on and not due.provisional else ""


# --- outcomes ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an application may come to: its words, its article, its row in the annual report.

    `opens`: the applicant gets the information, or is told where it is. Without a `row` the ground
    has one.
    """

    title: Words
    article: Words
    row: str = ""
    opens: bool = False


OUTCOMES: dict[str, Outcome] = {
    "already_public": Outcome(
        _("已主动公开，告知获取方式"), _("第三十六条第一项"), "open", opens=True
    ),
    "granted": Outcome(_("予以公开"), _("第三十六条第二项"), "open", opens=True),
    "partial": Outcome(_("部分公开"), _("第三十七条"), "partial", opens=True),
    "refused": Outcome(_("不予公开"), _("第三十六条第三项")),
    "not_exist": Outcome(_("政府信息不存在"), _("第三十六条第四项"), "not_held"),
    "not_ours": Outcome(_("不属于本机关负责公开"), _("第三十六条第五项"), "not_held"),
    "duplicate": Outcome(_("重复申请，不予重复处理"), _("第三十六条第六项"), "duplicate"),
    "special_register": Outcome(
        _("依照有关法律、行政法规的规定查询"), _("第三十六条第七项"), "register"
    ),
    "needs_processing": Outcome(_("需要加工、分析，不予提供"), _("第三十八条"), "needs_processing"),
    "not_a_request": Outcome(
        _("信访、投诉、举报等，不作为政府信息公开申请处理"),
        _("第三十九条第一款"),
        "not_a_request",
    ),
    "publication": Outcome(
        _("公开出版物，告知获取途径"), _("第三十九条第二款"), "publication", opens=True
    ),
    "unclear": Outcome(_("补正后申请内容仍不明确"), _("第三十条"), "unclear"),
    "excessive": Outcome(_("无正当理由大量、反复申请，不予处理"), _("第三十五条"), "excessive"),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """Why information is not opened, with its article and its row in the annual report."""

    title: Words
    article: Words
    row: str


GROUNDS: dict[str, Ground] = {
    "state_secret": Ground(_("属于国家秘密"), _("第十四条"), "state_secret"),
    "forbidden": Ground(_("其他法律、行政法规禁止公开"), _("第十四条"), "forbidden"),
    "safety": Ground(_("可能危及国家安全、公共安全、经济安全、社会稳定"), _("第十四条"), "safety"),
    "third_party": Ground(_("损害第三方合法权益"), _("第十五条"), "third_party"),
    "internal": Ground(_("内部事务信息"), _("第十六条第一款"), "internal"),
    "process": Ground(_("过程性信息"), _("第十六条第二款"), "process"),
    "enforcement": Ground(_("行政执法案卷信息"), _("第十六条第二款"), "enforcement"),
}


def outcome_fault(
    outcome: str,
    ground: str,
    *,
    asked_correction: bool,
    asked_reasons: bool,
    objected: bool,
    overriding: bool,
) -> str:
    """What is wrong with an outcome: a code, or empty.

    ``ground``: refusing, also in part, needs a ground of articles 14 to 16, and nothing else has
    one (36 (3), 37). ``unclear``: an application is unclear only after a correction was asked for
    (30). ``reasons``: who asks too much is asked for reasons first (35). ``third_party``: harm to a
    third party is a ground only where one that was consulted objected; where one did, opening all
    needs the finding that not opening would gravely harm the public, `overriding` (15, 32).
    """
    if (outcome in ("refused", "partial")) != bool(ground):
        return "ground"
    if outcome == "unclear" and not asked_correction:
        return "unclear"
    if outcome == "excessive" and not asked_reasons:
        return "reasons"
    if ground == "third_party" and not objected:
        return "third_party"
    if objected and outcome == "granted" and not overriding:
        return "overriding"
    return ""


@dataclass(frozen=True, slots=True)
class Remedies:
    """What a reply tells of remedies (article 51): `first`, whether reconsideration comes before
    the court; `days` for it; `months` for a suit at once, `after` days for one after it."""

    first: bool
    days: int
    months: int
    after: int


def remedies(outcome: str, on: dt.date) -> Remedies:
    """The remedies against a reply of that day.

    Administrative Reconsideration Law (行政复议法), article 20; since 2024 its article 23 (4):
    where an organ does not open what was applied for, reconsideration comes first. Refusing a part
    is read as refusing (D). Administrative Litigation Law (行政诉讼法), articles 45 and 46. The
    texts of these two laws were not at hand; the Regulations (51) name both ways and no term.
    """
    asked, suit = law.rule("reconsideration", on).values, law.rule("suit", on).values
    first = bool(asked["first"]) and outcome in ("refused", "partial")
    return Remedies(first, asked["days"], suit["months"], suit["after"])


def wanted_by_many(opens: bool, applicants: int, suggested: bool) -> bool:
    """Whether the office considers opening information to everybody. Article 44.

    Several applicants asked for the same, and it may be opened; or an applicant suggested it.
    """
    return opens and (applicants > 1 or suggested)
