"""What pages read of posts: all of it public, masked, in a constant number of queries."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from workflows import clock
from workflows.models import Attachment, Case, StepRun
from workflows.terms import month_words

from . import rules
from .applying import REMOVED, follow, refusal
from .models import Applicant, Assessment, Call, Holder, Post

NAMED = ("proposed", "reserve", "publicised", "cleared", "trained", "appointed")
"""Lives in which someone is named on the page of a post. Refusals name nobody."""


def posts(case: Case, *, village: str = "", find: str = "") -> QuerySet[Post]:
    """The posts of a call with how many applied and how many started."""
    found = Post.objects.filter(case=case).annotate(
        applied=Count("applicants", filter=~Q(applicants__life="withdrawn")),
        started=Count("applicants", filter=Q(applicants__life="appointed")),
    )
    if village:
        found = found.filter(village=village)
    if find:
        found = found.filter(title__icontains=find)
    return found.order_by("number")


def villages(case: Case) -> list[str]:
    """The villages that have posts in the call."""
    return list(
        Post.objects.filter(case=case)
        .order_by("village")
        .values_list("village", flat=True)
        .distinct()
    )


def applications(
    case: Case, *, find: str = "", life: str = "", village: str = ""
) -> QuerySet[Applicant]:
    """The applicants of a call for those who handle it, in clear: by number or name, life, and the
    village of the post."""
    found = Applicant.objects.filter(case=case).select_related("post", "holder").order_by("number")
    if find.isdecimal():
        found = found.filter(number=min(int(find), 2**31 - 1))
    elif find:
        found = found.filter(name__contains=find)
    if life in Applicant.STATES:
        found = found.filter(life=life)
    if village:
        found = found.filter(post__village=village)
    return found


def application(row: Applicant) -> dict[str, Any]:
    """One application in clear, with its papers; five queries, two more of who was removed."""
    check = StepRun.objects.filter(process=row.case, name="check").order_by("-pk").first()
    reasons, until = refusal(row, check)
    holder = Holder.objects.filter(applicant=row).first()
    return {
        "answer": follow(row, check).answers[0],
        "reasons": reasons,
        "until": until,
        "remedy": REMOVED if row.life == "removed" else "",
        "group": rules.GROUPS.get(row.group, row.group),
        "facts": str(_("、")).join(str(rules.EXCLUSIONS[code]) for code in row.facts),
        "files": list(Attachment.objects.filter(record=row.record_id)) if row.record_id else [],
        "mean": mean_words(row.points, row.sheets),
        "holder": holder,
        "months": list(holder.assessments.all()) if holder else [],
    }


def results(post: Post) -> QuerySet[Applicant]:
    """Who is ranked for a post, the best first."""
    return (
        Applicant.objects.filter(post=post, life__in=NAMED, rank__isnull=False)
        .select_related("holder")
        .order_by("rank")
    )


def mean_words(points: int | None, sheets: int | None) -> str:
    """A mean with two places, cut off, never rounded up; exact means order the list."""
    if not points or not sheets:
        return "—"
    hundredths = int(Fraction(points, sheets) * 100)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def openings(post: Post) -> dict[str, Any]:
    """Duties, procedure and management of a post; the result is `results`, to be paginated."""
    announced = (
        StepRun.objects.filter(process_id=post.case_id, name="announce", finished__isnull=False)
        .order_by("-pk")
        .first()
    )
    runs = list(
        StepRun.objects.filter(process_id=post.case_id, flow_task_type="STEP").order_by("pk")
    )
    for run in runs:
        run.process = post.case
    holders = list(
        Holder.objects.filter(applicant__post=post, life="on_post").select_related("applicant")
    )
    return {
        "announced": announced.data if announced else {},
        "runs": [(run, run.step.title) for run in runs],
        "holders": holders,
        "plot": assessed(post),
    }


def may_do(post: Post) -> dict[str, Any]:
    """What anybody may do about a post today: apply, or object to a person of its notice; until
    when; and the conditions of the call. Two queries."""
    now = clock.now()
    found: dict[str, Any] = {}
    call = Call.objects.filter(case=post.case_id).first()
    if call is not None:
        found["conditions"] = call.lines()
    for run in StepRun.objects.filter(
        process=post.case_id, name__in=("apply", "publicity"), finished__isnull=True
    ):
        if post.case.open and not post.case.suspended_at and not run.term_over(now):
            found[f"{run.name}_until"] = run.ends_on
    return found


def assessed(post: Post) -> dict[str, Any] | None:
    """The mean of the complete monthly assessments of a post as a plot; nobody is named. A month
    with fewer than two people assessed is left out, where the mean would be somebody's."""
    months: dict[str, list[int]] = {}
    for row in Assessment.objects.filter(holder__applicant__post=post).order_by("month"):
        if row.total is not None:
            months.setdefault(month_words(row.month), []).append(row.total)
    means = [(month, sum(rows), len(rows)) for month, rows in months.items() if len(rows) > 1]
    if not means:
        return None
    step = 1000 // max(len(means) - 1, 1)
    points = [
        {"x": at * step, "y": total * 10 // n, "label": month, "value": mean_words(total, n)}
        for at, (month, total, n) in enumerate(means)
    ]
    return {
        "title": _("月度考核平均分"),
        "points": points,
        "line": " ".join(f"{point['x']},{point['y']}" for point in points),
        "y_ticks": ["100", "75", "50", "25", "0"],
        "x_ticks": [means[0][0], means[-1][0]] if len(means) > 1 else [means[0][0]],
        "caption": _("满分100分；当月考核不足两人的不列。"),
    }
