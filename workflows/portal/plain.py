"""Where a case stands, in a few plain sentences: to read, or to have read out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

AT_ONCE = 4
"""Steps and ways to take part that are named; beyond, nobody listens any more."""


def text(page: Mapping[str, Any]) -> str:
    """The sentences one after another; in Chinese nothing stands between them."""
    chinese = (get_language() or "").startswith("zh")
    return ("" if chinese else " ").join(sentences(page))


def sentences(page: Mapping[str, Any]) -> list[str]:
    """What `readers.case_page` has found, said plainly: what it is, what goes on, until when, what
    one can do oneself."""
    case = page["case"]
    said = [
        _("%(title)s，地点：%(place)s，%(day)s立项。")
        % {
            "title": case.title,
            "place": case.community.name,
            "day": date_format(timezone.localtime(case.created), "DATE_FORMAT"),
        }
    ]
    if case.suspended_at:
        said.append(_("本事项已中止，恢复办理后时限接着计算。"))
    for at, item in enumerate(page["open_now"][:AT_ONCE]):
        now = _("同时办理的还有：%(step)s。") if at else _("现在办理的是：%(step)s。")
        said.append(now % {"step": item["title"]})
        if item["to_come"] and not case.suspended_at:
            said.append(_("时间、地点：%(when)s。") % {"when": _("；").join(item["to_come"])})
        if item["ends_on"] is not None and not case.suspended_at:
            said.append(_until(item))
    if case.finished:
        day = date_format(timezone.localtime(case.finished), "DATE_FORMAT")
        said.append(
            _("%(day)s办结，结果：%(result)s。") % {"day": day, "result": page["state_label"]}
        )
    offers = [
        str(offer.title)
        for item in page["open_now"]
        for offer in item["buttons"]
        if not offer.paper
    ]
    if offers:
        named = _("、").join(dict.fromkeys(offers[:AT_ONCE]))
        said.append(_("您可以：%(acts)s。") % {"acts": named})
    return said


def _until(item: Mapping[str, Any]) -> str:
    day = date_format(item["ends_on"], "DATE_FORMAT")
    left: int = item["days_left"]
    if left < 0:
        text = ngettext(
            "原定%(day)s截止，已超过%(n)s天。", "原定%(day)s截止，已超过%(n)s天。", -left
        )
        return text % {"day": day, "n": -left}
    if left == 0:
        return _("今天截止。")
    return ngettext("%(day)s截止，还有%(n)s天。", "%(day)s截止，还有%(n)s天。", left) % {
        "day": day,
        "n": left,
    }
