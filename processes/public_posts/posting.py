"""The steps from the notice on: publicity, training, agreements, assessment, exits."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django.db.models import Max, Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from viewflow.workflow.status import STATUS

from workflows import calendars, terms
from workflows.acts import Act, Written
from workflows.models import Case, StepRun
from workflows.steps.base import Step, Words, act, refuse

from . import forms, rules
from .models import Applicant, Assessment, Holder, NoticeObjection, Post
from .selecting import People

GONE = ("removed", "barred", "withdrawn", "failed")
NOTICE = terms.WorkingDays(5)  # D: catalogue, section 2


def move_up(case: Case, now: dt.datetime, term: terms.AnyTerm) -> list[Applicant]:
    """Publicise the first of each reserve list for whom a place is free, each in a notice of their
    own that begins now; three queries and one for each who moves up."""
    lists: dict[int, list[Applicant]] = {}
    for row in Applicant.objects.filter(case=case, rank__isnull=False).order_by("rank"):
        lists.setdefault(row.post_id, []).append(row)
    moved: list[Applicant] = []
    deadline = terms.end_of(term, now, calendars.current())
    for post in Post.objects.filter(case=case):
        ranking = lists.get(post.pk, [])
        gone = {row.number for row in ranking if row.life in GONE}
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

    def unmet(self, run: StepRun) -> list[Words]:
        """Objections and notices that are open; whoever is trained might still fail."""
        missing: list[Words] = []
        if n := self.undecided(run.process).count():
            missing.append(_("还有%(n)s件异议未核查") % {"n": n})
        waiting = ("publicised", "cleared") if self.supplementary else ()
        if n := Applicant.objects.filter(case=run.process, life__in=waiting).count():
            missing.append(_("还有%(n)s人在公示或者培训中") % {"n": n})
        return missing

    @act("lane.closed", title=_("办结补充公示"), by="by", form=forms.CloseForm, optional=True)
    def close(self, doing: Act) -> Written:
        """End the supplement, once nobody can move up any more."""
        if not self.supplementary:
            raise refuse(_("公示应当满期。"), code="early")
        return close_lane(self, doing)

    def offered(self, spec: Any, run: StepRun) -> bool:
        """Closing only a supplement; deciding only what waits."""
        if spec.name == "lane.closed":
            return self.supplementary and not self.unmet(run)
        return spec.name != "notice.decided" or self.undecided(run.process).exists()


def close_lane(step: Step, doing: Act) -> Written:
    """End a step that runs beside others, once nothing in it is missing."""
    if missing := step.unmet(doing.open_run):
        raise refuse(missing[0], code="unmet")
    return Written({}, outcome="done")


class Lane(People):
    """A step that runs beside others for people who come to it one after the other."""

    waits_for: ClassVar[tuple[str, ...]] = ()
    """Lives of applicants who are still to come through it."""

    @act("lane.closed", title=_("办结本环节"), by="by", form=forms.CloseForm, optional=True)
    def close(self, doing: Act) -> Written:
        """End it, once everybody is through."""
        return close_lane(self, doing)

    def offered(self, spec: Any, run: StepRun) -> bool:
        """Closing once nothing is missing."""
        return spec.name != "lane.closed" or not self.unmet(run)

    def unmet(self, run: StepRun) -> list[Words]:
        """Those who are still to come."""
        n = Applicant.objects.filter(case=run.process, life__in=self.waits_for).count()
        return [_("还有%(n)s人未办完") % {"n": n}] if n else []


class Train(Lane):
    """Training before the post, with attendance and a test (岗前培训)."""

    explained = _("到课并且考试合格的上岗；未通过的由候补人员依次递补。")
    waits_for = ("publicised", "cleared")
    shows = ("cleared", "trained")

    def __init__(self, *, supplement: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supplement = supplement

    @act("training.entered", title=_("登记培训结果"), by="by", form=forms.TrainingForm)
    def enter(self, doing: Act) -> Written:
        """Who passed; whoever did not gives place to the first of the reserve list."""
        results, absent = doing.data["results"], doing.data["absent"]
        if (not results and not absent) or set(results) & set(absent):
            raise refuse(_("请填写成绩或者缺课人员，同一人不能两处都填。"), field="results")
        people = list(
            Applicant.objects.filter(
                case=doing.case, life="cleared", number__in=[*results, *absent]
            )
        )
        if len(people) != len(results) + len(absent):
            raise refuse(_("有的编号不在待培训人员中。"), field="results")
        for person in people:
            (person.train if results.get(person.number, 0) >= rules.PASS else person.fail)()
        Applicant.objects.bulk_update(people, ["life"], batch_size=500)
        passed = sum(person.life == "trained" for person in people)
        moved = move_up(doing.case, doing.at, NOTICE)
        supplement = StepRun.objects.filter(
            process=doing.case, name=self.supplement, status=STATUS.STARTED
        ).first()
        if moved and supplement is not None:
            supplement.process = doing.case
            supplement.step._look_again(supplement)
        return Written(
            {
                "passed": passed,
                "failed": len(people) - passed,
                "moved_up": [person.number for person in moved],
            }
        )


class Onboard(Lane):
    """Agreements (上岗): a year (D), within the subsidy's time (L)."""

    explained = _("签订协议后上岗；补贴期限最长三年，距退休不足五年的可至退休。")
    waits_for = ("publicised", "cleared", "trained")
    shows = ("trained", "appointed")

    @act("agreement.signed", title=_("登记上岗协议"), by="by", form=forms.OnboardForm)
    def sign(self, doing: Act) -> Written:
        """Someone trained starts."""
        person = self.of_number(doing, doing.data["number"])
        if person.life != "trained":
            raise refuse(_("该申请人尚未培训合格，或者已经上岗。"), field="number")
        person.appoint()
        person.save(update_fields=["life"])
        starts = doing.data["starts"]
        subsidy = rules.subsidy_until(starts, doing.data["pension"])
        holder = Holder(
            applicant=person,
            starts=starts,
            until=rules.agreement_until(starts, subsidy),
            subsidy_until=subsidy,
        )
        body = {
            "number": person.number,
            "post": person.post.number,
            "starts": starts.isoformat(),
            "agreement_until": holder.until.isoformat(),
        }
        return Written(body, {"subsidy_until": subsidy.isoformat()}, holder)


class Holders(Lane):
    """A step about those who hold posts."""

    waits_for = ("publicised", "cleared", "trained")
    shows = ("appointed",)

    def holder(self, doing: Act, *lives: str) -> Holder:
        """The holder with the applicant's number, in one of the `lives`."""
        rows = Holder.objects.filter(applicant__case=doing.case, life__in=lives)
        row = (
            rows.filter(applicant__number=doing.data["number"]).select_related("applicant").first()
        )
        if row is None:
            raise refuse(_("没有该编号的在岗人员，或者其状态不能办理。"), field="number")
        return row

    def unmet(self, run: StepRun) -> list[Words]:
        """Whoever is still to come, or on a post."""
        on_post = Holder.objects.filter(
            applicant__case=run.process, life__in=["on_post", "notified"]
        ).count()
        still: list[Words] = [_("还有%(n)s人在岗") % {"n": on_post}] if on_post else []
        return [*super().unmet(run), *still]


class Manage(Holders):
    """Monthly assessment (在岗管理): village 30, sub-district 50, democratic 20, by the 10th."""

    explained = _("每月考核，满分100分：村（社区）30分、街道50分、民主评议20分，次月10日前报送。")
    gives: ClassVar = {
        "residents_committee": ("village", "democratic"),
        "office": ("office", "democratic"),
    }

    @act("assessment.entered", title=_("登记月度考核"), by="by", form=forms.AssessmentForm)
    def assess(self, doing: Act) -> Written:
        """One part, for many at once; one that comes after the 10th says so."""
        month, part, points = (doing.data[name] for name in ("month", "part", "points"))
        if part not in self.gives[doing.party.role]:
            raise refuse(_("您的身份不能登记这一部分。"), field="part", code="wrong_party")
        holders = {
            row.applicant.number: row
            for row in Holder.objects.filter(
                applicant__case=doing.case, applicant__number__in=points
            ).select_related("applicant")
        }
        if strangers := set(points) - set(holders):
            raise refuse(_("编号%(n)s不是在岗人员。") % {"n": min(strangers)}, field="points")
        last = (month + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
        for number, holder in holders.items():
            if holder.starts > last or (holder.left_on and holder.left_on < month):
                raise refuse(_("编号%(n)s当月不在岗。") % {"n": number}, field="points")
        known = {
            row.holder_id: row
            for row in Assessment.objects.filter(holder__in=holders.values(), month=month)
        }
        new = [
            Assessment(holder=holder, month=month)
            for holder in holders.values()
            if holder.pk not in known
        ]
        rows = {**known, **{row.holder_id: row for row in new}}
        for number, holder in holders.items():
            if getattr(rows[holder.pk], part) is not None:
                raise refuse(
                    _("编号%(n)s的这一部分已经登记。") % {"n": number},
                    field="points",
                    code="duplicate",
                )
            setattr(rows[holder.pk], part, points[number])
        Assessment.objects.bulk_update(known.values(), [part], batch_size=500)
        Assessment.objects.bulk_create(new, batch_size=500)
        due = rules.report_due(month)
        late = timezone.localtime(doing.at).date() > due
        body = {
            "month": f"{month:%Y-%m}",
            "part": part,
            "holders": len(points),
            "due": due.isoformat(),
        }
        return Written({**body, "late": True} if late else body)

    @act(
        "agreement.renewed",
        title=_("续签协议"),
        by=("office",),
        form=forms.RenewForm,
        optional=True,
    )
    def renew(self, doing: Act) -> Written:
        """Another year, within the subsidy."""
        holder = self.holder(doing, "on_post")
        if holder.until >= holder.subsidy_until:
            raise refuse(_("补贴期限已满，不能续签。"), field="number")
        holder.renew()
        holder.until = rules.agreement_until(holder.until, holder.subsidy_until)
        holder.save(update_fields=["life", "until"])
        return Written(
            {"number": holder.applicant.number, "agreement_until": holder.until.isoformat()}
        )


class Exit(Holders):
    """Exits, each with its record (退出); for a fault only after the holder was heard."""

    explained = _("本人申请、另有工作、期满、超龄的直接退出；有过错的先告知并听取陈述。")

    @act("holder.left", title=_("登记退出"), by="by", form=forms.ExitForm, optional=True)
    def leave(self, doing: Act) -> Written:
        """Leaves without a fault."""
        if doing.data["cause"] in rules.HEARD_BEFORE:
            raise refuse(_("这一原因应当先告知本人并听取陈述。"), field="cause", code="unmet")
        holder = self.holder(doing, "on_post")
        holder.leave()
        return self._gone(doing, holder, doing.data["cause"])

    @act("holder.notified", title=_("告知拟清退"), by="by", form=forms.ExitForm, optional=True)
    def notify(self, doing: Act) -> Written:
        """Tell the holder of the fault."""
        holder, cause = self.holder(doing, "on_post"), doing.data["cause"]
        if cause not in rules.HEARD_BEFORE:
            raise refuse(_("这一原因直接办理退出。"), field="cause")
        latest = [row.total for row in holder.assessments.all() if row.total is not None]
        if cause == "failed_assessment" and not (latest and latest[-1] < rules.PASS):
            raise refuse(_("最近一次月度考核没有不合格。"), field="cause", code="unmet")
        holder.notify()
        holder.cause = cause
        holder.save(update_fields=["life", "cause"])
        return Written({"number": holder.applicant.number}, self._private(doing))

    @act(
        "holder.kept", title=_("陈述成立，继续在岗"), by="by", form=forms.HearingForm, optional=True
    )
    def keep(self, doing: Act) -> Written:
        """What the holder says is right."""
        holder = self.holder(doing, "notified")
        holder.keep()
        holder.cause = ""
        holder.save(update_fields=["life", "cause"])
        return Written({"number": holder.applicant.number}, {"note": doing.data["note"]})

    @act("holder.dismissed", title=_("登记清退"), by="by", form=forms.ExitForm, optional=True)
    def dismiss(self, doing: Act) -> Written:
        """Ends for the fault of which the holder was told."""
        holder = self.holder(doing, "notified")
        if doing.data["cause"] != holder.cause:
            raise refuse(_("清退原因应当与告知的原因一致。"), field="cause")
        holder.dismiss()
        return self._gone(doing, holder, holder.cause)

    def _private(self, doing: Act) -> dict[str, str]:
        return {"cause": doing.data["cause"], "note": doing.data["note"]}

    def _gone(self, doing: Act, holder: Holder, cause: str) -> Written:
        if doing.data["on"] < holder.starts:
            raise refuse(_("退出日期不能早于上岗日期。"), field="on")
        holder.cause, holder.left_on = cause, doing.data["on"]
        holder.save(update_fields=["life", "cause", "left_on"])
        body = {"number": holder.applicant.number, "on": holder.left_on.isoformat()}
        return Written(body, self._private(doing))
