"""What pages read of posts: all of it public, masked, in a constant number of queries."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from workflows.models import Case, StepRun

from .models import Applicant, Assessment, Holder, Post

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


def results(post: Post) -> QuerySet[Applicant]:
    """Who is ranked for a post, the best first."""
    return Applicant.objects.filter(post=post, life__in=NAMED, rank__isnull=False).order_by("rank")


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


def assessed(post: Post) -> dict[str, Any] | None:
    """The mean of the complete monthly assessments of a post as a plot; nobody is named. A month
    with fewer than two people assessed is left out, where the mean would be somebody's."""
    months: dict[str, list[int]] = {}
    for row in Assessment.objects.filter(holder__applicant__post=post).order_by("month"):
        if row.total is not None:
            months.setdefault(f"{row.month:%Y-%m}", []).append(row.total)
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
