"""The notice for the wall of who is to have a post: names partly hidden, villages, posts."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.utils.translation import gettext as _

from workflows import notices
from workflows.models import StepRun
from workflows.steps.act import Words

from .models import Applicant
from .noticing import Notice

STANDING = ("publicised", "cleared", "trained", "appointed")


@notices.of_step.register
def _of_notice(step: Notice, run: StepRun) -> notices.Listed:
    title = _("关于%(title)s拟安置人员的公示") % {"title": run.process.title}
    if step.supplementary:
        title = _("关于%(title)s拟安置人员的补充公示") % {"title": run.process.title}
    return {notices.STANDS: (title, partial(_people, step, run, title))}


def _people(step: Notice, run: StepRun, title: Words) -> notices.Notice:
    """Who stands in it now: in the first notice all who have its term, in the supplement each with
    a term of their own; three queries."""
    case = run.process
    rows = Applicant.objects.filter(case=case, life__in=STANDING, notice_until__isnull=False)
    first = StepRun.objects.filter(process=case, name="publicity").order_by("-pk").first()
    ends = first.ends_at if first is not None else None
    rows = (
        rows.exclude(notice_ends_at=ends)
        if step.supplementary
        else rows.filter(notice_ends_at=ends)
    )
    announced = StepRun.objects.filter(process=case, name="announce").order_by("-pk").first()
    lines: list[Any] = []
    for at, row in enumerate(rows.select_related("post").order_by("post__number", "rank"), 1):
        said = {
            "n": at,
            "name": row.masked,
            "number": row.number,
            "village": row.village,
            "post": row.post,
            "a": notices.day_words(row.notice_from),
            "b": notices.day_words(row.notice_until),
        }
        line = (
            _("%(n)s. %(name)s（申请编号%(number)s），%(village)s，拟安置岗位：%(post)s。") % said
        )
        if step.supplementary:
            line += _("公示时间：%(a)s至%(b)s。") % said
        lines.append(line)
    period = {"a": notices.day_words(run.starts_on), "b": notices.day_words(run.ends_on)}
    when = _("%(a)s至%(b)s，起算当日不计。") % period
    if step.supplementary:
        when = _("每人的公示时间写在姓名之后，起算当日不计。")
    phone = (announced.data if announced else {}).get("complaint_line", "")
    return notices.Notice(
        title,
        _(
            "对名单上的人或者招聘程序有异议的，公示期满前任何人都可以提出，每一件都会核查并说明理由。"
        ),
        _("按照公告的条件和程序，经个人申请、资格初审、民主评议和审核，现将拟安置人员予以公示。"),
        [
            notices.Section(_("拟安置人员"), lines or [_("目前没有公示中的人员。")]),
            notices.Section(_("公示时间"), [when]),
            notices.Section(_("公示地点"), [_("村（社区）公告栏、街道公告栏、本事项网页。")]),
            notices.Section(_("监督举报电话"), [phone]),
        ],
        run.starts_on or (run.started.date() if run.started else None),
        objections=True,
    )
