"""The notice, objections to it, and who moves up with a notice of their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Count, Max, Min, QuerySet
from django.utils.translation import gettext_lazy as _
from viewflow.workflow.status import STATUS

from workflows import calendars, terms
from workflows.acts import Act, Written
from workflows.models import Case, Record, StepRun
from workflows.steps.act import ActSpec, Words, act, refuse
from workflows.steps.answers import Following
from workflows.steps.base import SHOWN

from . import forms, rules
from .models import Applicant, Holder, NoticeObjection, Post
from .people import People, Seen, close_lane

GONE = ("removed", "barred", "withdrawn", "failed")
NOTICE = terms.WorkingDays(5)  # D: catalogue, section 2


def move_up(case: Case, now: dt.datetime, term: terms.AnyTerm) -> list[Applicant]:
    """Publicise the first of each reserve list for whom a place is free, each in a notice of their
    own that begins now; five queries and one for each who moves up. The places are those of the
    call, and those of holders who left and are to be replaced."""
    lists: dict[int, list[Applicant]] = {}
    for row in Applicant.objects.filter(case=case, rank__isnull=False).order_by("rank"):
        lists.setdefault(row.post_id, []).append(row)
    replaced = set(
        Holder.objects.filter(applicant__case=case, vacancy="from_list").values_list(
            "applicant", flat=True
        )
    )
    moved: list[Applicant] = []
    deadline = terms.end_of(term, now, calendars.current())
    for post in Post.objects.filter(case=case):
        ranking = lists.get(post.pk, [])
        gone = {row.number for row in ranking if row.life in GONE or row.pk in replaced}
        first = set(rules.placed([row.number for row in ranking], gone, post.places))
        for row in ranking:
            if row.number in first and row.life in ("proposed", "reserve"):
                row.publicise()
                row.notice_from, row.notice_until = deadline.start, deadline.ends_on
                row.notice_ends_at = deadline.ends_at
                moved.append(row)
    Applicant.objects.bulk_update(
        moved, ["life", "notice_from", "notice_until", "notice_ends_at"], batch_size=500
    )
    return moved


def watch(case: Case, supplement: str) -> None:
    """Let the open supplement look again when the next of its notices is over."""
    run = StepRun.objects.filter(process=case, name=supplement, status=STATUS.STARTED).first()
    if run is not None:
        run.process = case
        run.step._look_again(run)


class Notice(People):
    """The notice of those proposed (公示), and with `supplementary` of those who moved up.

    An objection to a person, when right, removes only that person; one to the procedure sends all
    back. Each person's notice stands for its own term; a waiting objection holds only its person.
    """

    explained = _("公示姓名（部分隐去）、村和岗位；异议逐件核查。")
    outcomes: ClassVar[dict[str, Words]] = {
        "done": _("公示期满"),
        "procedure": _("对程序的异议成立"),
    }
    optional_outcomes = frozenset({"procedure"})
    shows = ("publicised", "cleared", "trained", "appointed")

    def __init__(self, *, supplementary: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supplementary = supplementary

    def opened(self, run: StepRun, now: dt.datetime) -> dict[str, Any]:
        """Publicise whoever has a place; a supplement takes over those whose notice still runs."""
        if self.supplementary:
            self._look_again(run)
            return {"people": self._standing(run.process).count()}
        people = move_up(run.process, now, self.term_in(run.process) or NOTICE)
        return {"people": len(people)}

    def _standing(self, case: Case) -> QuerySet[Applicant]:
        return Applicant.objects.filter(case=case, life="publicised")

    def _look_again(self, run: StepRun) -> None:
        ends = self._standing(run.process).aggregate(at=Min("notice_ends_at"))["at"]
        if self.supplementary:
            run.scheduled = ends
            run.save(update_fields=["scheduled"])

    @act(
        "notice.objected",
        title=_("提出异议"),
        by="participants",
        form=forms.ObjectionForm,
        optional=True,
    )
    def object(self, doing: Act) -> Written:
        """Object to a person whose notice stands, or to the procedure."""
        number = doing.data["number"]
        person = None
        if number is not None:
            person = self.of_number(doing, number)
            ends = person.notice_ends_at
            if person.life != "publicised" or ends is None or ends <= doing.at:
                raise refuse(_("该申请人不在公示中。"), field="number", code="late")
        elif self.supplementary or doing.open_run.term_over(doing.at):
            raise refuse(_("对程序的异议应当在首次公示期内提出。"), field="number", code="late")
        case_wide = NoticeObjection.objects.filter(run__process=doing.case)
        count = (case_wide.aggregate(most=Max("number"))["most"] or 0) + 1
        objection = NoticeObjection(
            run=doing.open_run,
            applicant=person,
            party_key=doing.party.key,
            text=doing.data["text"],
            number=count,
        )
        body = {"objection": count, "about": "person" if person else "procedure"}
        return Written(body, {"text": objection.text}, objection)

    def undecided(self, case: Case) -> QuerySet[NoticeObjection]:
        """What waits for a decision, whichever notice it was raised to."""
        return NoticeObjection.objects.filter(run__process=case, life="raised")

    @act(
        "notice.decided",
        title=_("核查公示异议"),
        by="by",
        form=forms.ObjectionDecisionForm,
        optional=True,
        preview=True,
    )
    def decide(self, doing: Act) -> Written:
        """Decide; a person removed gives place to the first of the reserve list."""
        row = self.undecided(doing.case).filter(number=doing.data["objection"]).first()
        if row is None:
            raise refuse(_("没有该编号的待核查异议。"), field="objection", code="duplicate")
        upheld = doing.data["decision"] == "upheld"
        row.reason = doing.data["reason"]
        (row.uphold if upheld else row.dismiss)()
        row.save(update_fields=["life", "reason"])
        body: dict[str, Any] = {
            "objection": row.number,
            "decision": doing.data["decision"],
            "reason": row.reason,
        }
        if upheld and row.applicant is None:
            return Written(body, outcome=self._all_back(doing.case))
        if upheld and row.applicant is not None:
            if row.applicant.life == "publicised":
                row.applicant.remove()
                row.applicant.save(update_fields=["life"])
            body["removed"] = row.applicant.number
            moved = move_up(doing.case, doing.at, NOTICE)
            body["moved_up"] = [person.number for person in moved]
            body |= {"notice_until": moved[0].notice_until.isoformat()} if moved else {}  # type: ignore[union-attr]
        self._clear(doing.case, doing.at)
        self._look_again(doing.open_run)
        return Written(body, settle=True)

    def _all_back(self, case: Case) -> str:
        people = list(Applicant.objects.filter(case=case, life__in=Applicant.RANKED))
        for person in people:
            person.evaluate_again()
            person.rank = person.points = person.sheets = None
            person.notice_from = person.notice_until = person.notice_ends_at = None
        Applicant.objects.bulk_update(
            people,
            ["life", "rank", "points", "sheets", "notice_from", "notice_until", "notice_ends_at"],
            batch_size=500,
        )
        self.undecided(case).update(life="dismissed", reason=str(_("程序异议成立，重新评议")))
        return "procedure"

    def _clear(self, case: Case, now: dt.datetime) -> None:
        held = self.undecided(case).exclude(applicant=None).values("applicant")
        due = self._standing(case).filter(notice_ends_at__lte=now).exclude(pk__in=held)
        people = list(due)
        for person in people:
            person.clear()
        Applicant.objects.bulk_update(people, ["life"], batch_size=500)

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """The first notice ends with its term, unless the procedure is objected to; who moved up,
        or is objected to, goes on in the supplement. That one is closed by hand."""
        if self.supplementary or not run.term_over(now):
            return None
        if self.undecided(run.process).filter(applicant=None).exists():
            return None
        self._clear(run.process, now)
        return "done"

    def term_ended(self, run: StepRun, now: dt.datetime) -> str | None:
        """Notices that have stood in full are over."""
        if not self.supplementary:
            return self.settle(run, now)
        self._clear(run.process, now)
        later = self._standing(run.process).filter(notice_ends_at__gt=now)
        run.scheduled = later.aggregate(at=Min("notice_ends_at"))["at"]
        return None

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """The objections that wait, in clear, for whoever decides."""
        if spec.name != "notice.decided":
            return {}
        rows = self.undecided(run.process).select_related("applicant", "record")
        return {"objections": rows.prefetch_related("record__files")[:SHOWN]}

    def waiting(self, run: StepRun, roles: set[str]) -> list[Words]:
        """Objections for those who decide."""
        n = self.glance(run).objections
        return [_("%(n)s件异议待核查") % {"n": n}] if n and roles & {*self.by} else []

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Seen]:
        """Also the objections that wait; two queries."""
        seen = super().glances(runs)
        rows = NoticeObjection.objects.filter(
            life="raised", run__process__in={run.process_id for run in runs}
        ).order_by()
        n = dict(rows.values_list("run__process").annotate(n=Count("pk")))
        for run in runs:
            seen[run.pk].objections = n.get(run.process_id, 0)
        return seen

    @classmethod
    def became(cls, records: Sequence[Record]) -> Mapping[int, Following]:
        """What an objection came to; one query."""
        rows = NoticeObjection.objects.filter(record__in=[record.pk for record in records])
        return {
            row.record_id: Following(
                answers=[{"outcome": row.life, "reason": row.reason, "at": None}]
                if row.life != "raised"
                else []
            )
            for row in rows
            if row.record_id is not None
        }

    def unmet(self, run: StepRun) -> list[Words]:
        """Objections and notices that are open; whoever is trained might still fail."""
        missing: list[Words] = []
        if n := self.undecided(run.process).count():
            missing.append(_("还有%(n)s件异议未核查") % {"n": n})
        waiting = ("publicised", "cleared") if self.supplementary else ()
        if n := Applicant.objects.filter(case=run.process, life__in=waiting).count():
            missing.append(_("还有%(n)s人在公示或者培训中") % {"n": n})
        return missing

    @act(
        "lane.closed",
        title=_("办结补充公示"),
        by="by",
        form=forms.SupplementCloseForm,
        optional=True,
    )
    def close(self, doing: Act) -> Written:
        """End the supplement, once nobody can move up any more."""
        if not self.supplementary:
            raise refuse(_("公示应当满期。"), code="early")
        return close_lane(self, doing)

    def offered(self, spec: Any, run: StepRun) -> bool:
        """Closing only a supplement; deciding only what waits."""
        if spec.name == "lane.closed":
            seen: Seen = self.glance(run)
            over = not seen.objections and not seen.among(("publicised", "cleared"))
            return self.supplementary and over
        if spec.name == "notice.decided":
            return bool(self.glance(run).objections)
        return not self.supplementary or bool(self.glance(run).lives["publicised"])
