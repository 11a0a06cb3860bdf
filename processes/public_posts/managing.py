"""On the post: monthly assessment, agreements renewed, exits and what becomes of the vacancy."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Count
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from viewflow.workflow.status import STATUS

from workflows import clock
from workflows.acts import Act, Written
from workflows.models import StepRun
from workflows.parties import Party
from workflows.steps.act import ActSpec, Words, act, refuse
from workflows.steps.base import look_at
from workflows.terms import month_words

from . import forms, rules
from .models import Applicant, Assessment, Holder
from .noticing import NOTICE, move_up, watch
from .people import LABELS, Lane, Progress, Seen

ON_POST = ("on_post", "notified")
OF_HOLDERS = {
    "holder.left": "on_post",
    "holder.notified": "on_post",
    "holder.kept": "notified",
    "holder.dismissed": "notified",
}
"""The acts about one holder, and in which life."""
ENDS_SOON = dt.timedelta(days=30)  # D


class Holders(Lane):
    """A step about those who hold posts."""

    waits_for = ("publicised", "cleared", "trained")
    shows = ("appointed",)

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Seen]:
        """Also all holders of all calls; two queries."""
        seen = super().glances(runs)
        of_case: dict[int, list[Holder]] = defaultdict(list)
        rows = Holder.objects.filter(applicant__case__in={run.process_id for run in runs})
        for row in rows.select_related("applicant__post").order_by("applicant__number"):
            of_case[row.applicant.case_id].append(row)
        for run in runs:
            seen[run.pk].holders = of_case[run.process_id]
        return seen

    def in_life(self, run: StepRun, *lives: str) -> list[Holder]:
        """The holders in one of the lives, by number."""
        return [row for row in self.glance(run).holders if row.life in lives]

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
        on_post = sum(row.life in ON_POST for row in self.glance(run).holders)
        still: list[Words] = [_("还有%(n)s人在岗") % {"n": on_post}] if on_post else []
        return [*super().unmet(run), *still]


class Manage(Holders):
    """Monthly assessment (在岗管理): village 30, sub-district 50, democratic 20, by the 10th.

    Assessed is every whole month on the post. What is missing stands in the inbox of whoever gives
    that part, due on the 10th.
    """

    explained = _("每月考核，满分100分：村（社区）30分、街道50分、民主评议20分，次月10日前报送。")
    gives: ClassVar = {
        "residents_committee": ("village", "democratic"),
        "office": ("office", "democratic"),
    }

    expects: ClassVar = {"residents_committee": ("village", "democratic"), "office": ("office",)}
    """Whose inbox asks for which part."""

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Seen]:
        """Also which parts of which months are given; three queries."""
        seen = super().glances(runs)
        of_case: dict[int, set[tuple[int, dt.date, str]]] = defaultdict(set)
        rows = Assessment.objects.filter(
            holder__applicant__case__in={run.process_id for run in runs}
        ).order_by()
        for case, holder, month, *points in rows.values_list(
            "holder__applicant__case", "holder", "month", *rules.WEIGHTS
        ):
            for part, given in zip(rules.WEIGHTS, points, strict=True):
                if given is not None:
                    of_case[case].add((holder, month, part))
        for run in runs:
            seen[run.pk].given = of_case[run.process_id]
        return seen

    def months(self, run: StepRun) -> dict[dt.date, dict[str, tuple[int, int]]]:
        """Month by month and part by part: how many holders have it, of how many."""
        seen: Seen = self.glance(run)
        if seen.months is not None:
            return seen.months
        found: dict[dt.date, dict[str, tuple[int, int]]] = {}
        for row in seen.holders:
            for month in rules.months_to_assess(row.starts, row.left_on, clock.today()):
                parts = found.setdefault(month, dict.fromkeys(rules.WEIGHTS, (0, 0)))
                for part, (given, of) in parts.items():
                    parts[part] = given + ((row.pk, month, part) in seen.given), of + 1
        seen.months = dict(sorted(found.items()))
        return seen.months

    def missing(self, run: StepRun, parts: Collection[str]) -> dict[dt.date, int]:
        """How many points of those parts are still to be given, by month."""
        counted = {
            month: sum(of - given for part, (given, of) in rows.items() if part in parts)
            for month, rows in self.months(run).items()
        }
        return {month: n for month, n in counted.items() if n}

    def waiting(self, run: StepRun, roles: set[str]) -> list[Words]:
        """Months to assess; for the office agreements that end within thirty days."""
        parts = {part for role in roles for part in self.expects.get(role, ())}
        found: list[Words] = [
            _("%(month)s考核：%(n)s项待登记") % {"month": month_words(month), "n": n}
            for month, n in self.missing(run, parts).items()
        ]
        if "office" in roles:
            soon = clock.today() + ENDS_SOON
            n = sum(row.life == "on_post" and row.until <= soon for row in self.glance(run).holders)
            found += [_("%(n)s份协议三十日内到期或者已经到期") % {"n": n}] if n else []
        return found

    def next_due(self, run: StepRun) -> dt.date | None:
        """The 10th after the first month that is not assessed in full."""
        left = self.missing(run, rules.WEIGHTS)
        return rules.report_due(min(left)) if left else None

    @classmethod
    def late(cls, runs: Sequence[StepRun]) -> Mapping[int, dt.date]:
        """Where a month was to be reported before today and is not."""
        look_at(runs)
        dues = {run.pk: run.step.next_due(run) for run in runs}
        today = clock.today()
        return {pk: due for pk, due in dues.items() if due is not None and due < today}

    def progress(self, run: StepRun) -> Iterator[Progress]:
        """The last six months to assess, part by part."""
        today = clock.today()
        for month, parts in list(self.months(run).items())[-6:]:
            due = rules.report_due(month)
            for part, (given, of) in parts.items():
                title = format_lazy("{} {}", month_words(month), LABELS[part])
                yield Progress(title, given, of, due, late=given < of and due < today)

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Assessing while points are missing; agreements while somebody is on a post."""
        if spec.name == "assessment.entered":
            return bool(self.missing(run, rules.WEIGHTS))
        if spec.name == "agreement.renewed":
            return any(row.life == "on_post" for row in self.glance(run).holders)
        return super().offered(spec, run)

    def able(self, spec: ActSpec, run: StepRun, parties: tuple[Party, ...]) -> tuple[Party, ...]:
        """Whoever gives a part that is missing."""
        if spec.name != "assessment.entered":
            return parties
        lacking = {part for part in rules.WEIGHTS if self.missing(run, {part})}
        return tuple(party for party in parties if lacking & {*self.gives.get(party.role, ())})

    def roster(self, run: StepRun) -> Mapping[str, Words]:
        """Everybody's points, month by month."""
        rows = Assessment.objects.filter(holder__applicant__case=run.process)
        return {
            f"{row.holder.applicant.number} {row.holder.applicant.name} {row}": " + ".join(
                "—" if given is None else str(given)
                for given in (row.village, row.office, row.democratic)
            )
            for row in rows.select_related("holder__applicant").order_by(
                "holder__applicant__number"
            )
        }

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """Whom to assess, whose agreement to renew: a list with numbers to copy."""
        if spec.name == "agreement.renewed":
            return {"holders": self.in_life(run, "on_post")}
        if spec.name != "assessment.entered":
            return {}
        return {"holders": self.in_life(run, *ON_POST), "progress": list(self.progress(run))}

    @act(
        "assessment.entered",
        title=_("登记月度考核"),
        by="by",
        form=forms.AssessmentForm,
        preview=True,
    )
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

    def __init__(self, *, supplement: str, lanes: Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supplement, self.lanes = supplement, tuple(lanes)

    def vacant(self, run: StepRun) -> dict[int, list[Holder]]:
        """Who left before the agreement was over and whose vacancy nobody decided on, by the number
        of the post. One that nobody decides on waits for another call."""
        found: dict[int, list[Holder]] = defaultdict(list)
        for row in self.glance(run).holders:
            if row.life not in ON_POST and not row.vacancy and row.cause != "term_over":
                found[row.applicant.post.number].append(row)
        return found

    def waiting(self, run: StepRun, roles: set[str]) -> list[Words]:
        """Who is to be heard, and vacancies, for the office."""
        if not roles & {*self.by}:
            return []
        seen: Seen = self.glance(run)
        heard = sum(row.life == "notified" for row in seen.holders)
        n = sum(map(len, self.vacant(run).values()))
        return [
            *([_("%(n)s人已告知，待听取陈述后决定") % {"n": heard}] if heard else []),
            *([_("%(n)s个空缺待处理") % {"n": n}] if n else []),
        ]

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """What fits somebody's life."""
        lives = {row.life for row in self.glance(run).holders}
        if spec.name == "vacancy.filled":
            return bool(self.vacant(run))
        if spec.name in ("holder.left", "holder.notified"):
            return "on_post" in lives
        if spec.name in ("holder.kept", "holder.dismissed"):
            return "notified" in lives
        return super().offered(spec, run)

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """Vacancies, each with the length of its reserve list; else whom the act may be about."""
        if spec.name in OF_HOLDERS:
            return {"holders": self.in_life(run, OF_HOLDERS[spec.name])}
        if spec.name != "vacancy.filled":
            return {}
        rows = Applicant.objects.filter(case=run.process, life="reserve").order_by()
        reserve = dict(rows.values_list("post__number").annotate(n=Count("pk")))
        return {
            "vacancies": [
                (left[0].applicant.post, len(left), reserve.get(number, 0))
                for number, left in self.vacant(run).items()
            ]
        }

    @act(
        "vacancy.filled",
        title=_("处理空缺"),
        by="by",
        form=forms.VacancyForm,
        optional=True,
        preview=True,
    )
    def fill(self, doing: Act) -> Written:
        """A place that fell vacant: the first of the reserve list moves up with a notice of their
        own, or it waits for another call."""
        post, how = doing.data["post"], doing.data["how"]
        left = self.vacant(doing.open_run).get(post)
        if not left:
            raise refuse(_("该岗位没有待处理的空缺。"), field="post", code="duplicate")
        body: dict[str, Any] = {"post": post, "how": how}
        if how == "from_list":
            if not self._reserve(doing, post):
                raise refuse(_("候补名单已经用完，请选择另行招聘。"), field="how")
            started = StepRun.objects.filter(process=doing.case, status=STATUS.STARTED)
            still = set(started.values_list("name", flat=True))
            if not still.issuperset(self.lanes):
                raise refuse(
                    _("公示、培训或者上岗环节已经办结，请选择另行招聘。"), field="how", code="late"
                )
        holder = left[0]
        holder.vacancy = how
        holder.save(update_fields=["vacancy"])
        if how == "from_list":
            moved = move_up(doing.case, doing.at, NOTICE)
            watch(doing.case, self.supplement)
            body["moved_up"] = [person.number for person in moved]
            body |= {"notice_until": moved[0].notice_until.isoformat()} if moved else {}  # type: ignore[union-attr]
        return Written(body)

    def _reserve(self, doing: Act, post: int) -> bool:
        here = Applicant.objects.filter(case=doing.case, post__number=post, life="reserve")
        return here.exists()

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
