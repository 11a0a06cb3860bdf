"""The steps until the ranking is vetted: announcement, applications, check, evaluation, sources."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any, ClassVar

from django.db.models import Count, Max, QuerySet
from django.utils.translation import gettext_lazy as _

from workflows.acts import Act, Written
from workflows.models import Case, StepRun
from workflows.steps.base import ActSpec, Roles, Step, Words, act, refuse
from workflows.steps.opinion import fingerprint
from workflows.steps.task import Task

from . import forms, rules
from .models import Applicant, Call, Points, Post, Representative

APPLY: Roles = ("applicant", "residents_committee")


LABELS: dict[str, Words] = {
    "about": _("异议对象"),
    "person": _("公示的人员"),
    "procedure": _("招聘程序"),
    "agreement_until": _("协议期满"),
    "channel": _("提交方式"),
    "decision": _("核查结论"),
    "due": _("报送期限"),
    "failed": _("未通过"),
    "found": _("不符合条件的人数"),
    "holders": _("考核人数"),
    "invited": _("受邀代表"),
    "late": _("逾期报送"),
    "month": _("考核月份"),
    "moved_up": _("递补的申请编号"),
    "notice_until": _("补充公示至"),
    "objection": _("异议编号"),
    "online": _("网上"),
    "paper": _("纸质"),
    "part": _("考核部分"),
    "passed": _("合格"),
    "people": _("公示人数"),
    "post": _("岗位序号"),
    "present": _("到会"),
    "removed": _("取消资格的申请编号"),
    "scored": _("评分人数"),
    "source": _("核查来源"),
    "stand_back": _("回避的代表人数"),
    "starts": _("上岗日期"),
    "village": _("村（社区）评分"),
    "office": _("街道评分"),
    "democratic": _("民主评议评分"),
}
"""What people read for the fields and codes of these records."""


class Announce(Task):
    """The announcement with its posts and its eligibility table (岗位公告)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(form=forms.AnnounceForm, **kwargs)

    @act("task.done", title=_("办理"), by="by", form="task_form")
    def do(self, doing: Act) -> Written:
        """Write the announcement, its posts and its table."""
        form: forms.AnnounceForm = doing.form
        Call.objects.create(
            case=doing.case, groups=form.table(), exclusions=doing.data["exclusions"]
        )
        Post.objects.bulk_create(
            Post(case=doing.case, number=at, **post) for at, post in enumerate(form.parsed, 1)
        )
        return super().do(doing)


class People(Step):
    """A step through a list of applicants: those in the lives `shows` are its page, masked."""

    kind = "posts"
    paged = "people"
    shows: ClassVar[tuple[str, ...]] = ()

    @property
    def codes(self) -> dict[str, Words]:
        """The lives of applicants, sources, and what the records' fields are called."""
        return {**Applicant.STATES, **rules.SOURCES, **LABELS}

    def people(self, case: Case) -> QuerySet[Applicant]:
        """Whom the step is about."""
        found = Applicant.objects.filter(case=case, life__in=self.shows)
        return found.select_related("post").order_by("post__number", "rank", "number")

    def page(self, run: StepRun) -> dict[str, Any]:
        """Numbers by life, and the list; two queries and the page's own."""
        lives = Applicant.objects.filter(case=run.process).values("life").order_by()
        counted = {row["life"]: row["n"] for row in lives.annotate(n=Count("pk"))}
        counts = [(title, counted.get(code, 0)) for code, title in Applicant.STATES.items()]
        return {"people": self.people(run.process), "counts": [row for row in counts if row[1]]}

    def of_number(self, doing: Act, number: int) -> Applicant:
        """The applicant of a number; refuses one who is none."""
        found = Applicant.objects.filter(case=doing.case, number=number).first()
        if found is None:
            raise refuse(_("没有编号为%(n)s的申请。") % {"n": number}, field="number")
        return found


def counts_of(case: Case) -> dict[str, int]:
    """How many applicants are in which life."""
    rows = Applicant.objects.filter(case=case).values("life").annotate(n=Count("pk")).order_by()
    return {row["life"]: row["n"] for row in rows}


class Apply(People):
    """Applications within the term (个人申请): online, or typed in by the village from paper."""

    explained = _("符合条件的人可以在网上申请，也可以把纸质申请表交到村（社区）。")
    outcomes: ClassVar[dict[str, Words]] = {"done": _("申请截止"), "none": _("无人申请")}

    @act(
        "application.handed_in", title=_("申请"), by=APPLY, form=forms.ApplicationForm, in_term=True
    )
    def hand_in(self, doing: Act) -> Written:
        """Apply for one post of the call; only once under one identity number."""
        data = doing.data
        mark = fingerprint(doing.case, "identity", data["identity"])
        here = Applicant.objects.filter(case=doing.case)
        if here.filter(mark=mark).exclude(life="withdrawn").exists():
            raise refuse(
                _("该身份证号已经申请过本次招聘的岗位。"), field="identity", code="duplicate"
            )
        number = (here.aggregate(most=Max("number"))["most"] or 0) + 1
        applicant = Applicant(
            case=doing.case,
            post=data["post"],
            number=number,
            party_key=doing.party.key,
            channel="online" if doing.party.role == "applicant" else "paper",
            mark=mark,
            **{
                name: data[name]
                for name in ("name", "born", "village", "contact", "group", "facts", "household")
            },
        )
        body = {"number": number, "post": data["post"].number, "channel": applicant.channel}
        return Written(body, {"name": data["name"], "group": data["group"]}, applicant)

    @act(
        "application.withdrawn",
        title=_("撤回申请"),
        by=APPLY,
        form=forms.NumberForm,
        in_term=True,
        optional=True,
    )
    def take_back(self, doing: Act) -> Written:
        """Take back an application that one handed in."""
        applicant = self.of_number(doing, doing.data["number"])
        if applicant.party_key != doing.party.key:
            raise refuse(_("只能撤回自己提交的申请。"), field="number", code="wrong_party")
        if applicant.life != "applied":
            raise refuse(_("该申请已经撤回。"), field="number", code="duplicate")
        applicant.withdraw()
        applicant.save(update_fields=["life"])
        return Written({"number": applicant.number})

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """When the term is over."""
        if not run.term_over(now):
            return None
        applied = Applicant.objects.filter(case=run.process, life="applied")
        return "done" if applied.exists() else "none"


class Check(People):
    """Every application against the call's table (资格初审); refusals can be objected to."""

    explained = _("按公告的条件逐人核对；未通过的告知理由，可以提出异议。")
    outcomes: ClassVar[dict[str, Words]] = {"done": _("初审完成"), "none": _("无人符合条件")}
    kind = "posts_check"
    shows = ("eligible",)

    def against(self, case: Case) -> list[tuple[Applicant, list[str]]]:
        """Every application that waits, with what speaks against it; two queries."""
        call = Call.objects.get(case=case)
        days = dt.date.fromisoformat
        table = {
            code: rules.Bounds(*(days(day) if day else None for day in ends))
            for code, ends in call.groups.items()
        }
        return [
            (
                row,
                rules.reasons_against(
                    table, call.exclusions, group=row.group, born=row.born, facts=row.facts
                ),
            )
            for row in Applicant.objects.filter(case=case, life="applied")
        ]

    @act("applications.checked", title=_("按条件批量初审"), by="by", form=forms.CloseForm)
    def check_all(self, doing: Act) -> Written:
        """Decide all that wait by the table; the page of the act shows before what would come."""
        judged = self.against(doing.case)
        if not judged:
            raise refuse(_("没有待初审的申请。"), code="duplicate")
        for row, reasons in judged:
            row.reasons = reasons
            (row.refuse if reasons else row.accept)()
        Applicant.objects.bulk_update(
            [row for row, _reasons in judged], ["life", "reasons"], batch_size=500
        )
        refused = {str(row.number): reasons for row, reasons in judged if reasons}
        body = {"eligible": len(judged) - len(refused), "refused": len(refused)}
        return Written(body, {"reasons": str(refused)} if refused else {}, settle=True)

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """What a check of all would come to, reason by reason."""
        if spec.name != "applications.checked":
            return {}
        judged = self.against(run.process)
        reasons = Counter(code for _row, codes in judged for code in codes)
        refused = sum(bool(codes) for _row, codes in judged)
        return {
            "eligible": len(judged) - refused,
            "refused": refused,
            "reasons": [(rules.REASONS[code], n) for code, n in reasons.most_common()],
        }

    @act(
        "application.refused",
        title=_("单件不予通过"),
        by="by",
        form=forms.RefuseForm,
        optional=True,
    )
    def refuse_one(self, doing: Act) -> Written:
        """Refuse one after looking at the papers."""
        row = self.of_number(doing, doing.data["number"])
        if row.life != "applied":
            raise refuse(_("该申请已经初审。"), field="number", code="duplicate")
        row.reasons = [doing.data["reason"]]
        row.refuse()
        row.save(update_fields=["life", "reasons"])
        return Written({"number": row.number}, {"reason": row.reasons[0]}, settle=True)

    @act(
        "refusal.objected",
        title=_("对初审结果提出异议"),
        by=APPLY,
        form=forms.RefusalObjectionForm,
        in_term=True,
        optional=True,
    )
    def object_to_refusal(self, doing: Act) -> Written:
        """The applicant says why the refusal is wrong."""
        row = self.of_number(doing, doing.data["number"])
        if row.party_key != doing.party.key:
            raise refuse(_("只能对自己提交的申请提出异议。"), field="number", code="wrong_party")
        if row.life != "refused" or row.objection:
            raise refuse(
                _("该申请没有被拒绝，或者已经提出异议。"), field="number", code="duplicate"
            )
        row.objection = doing.data["text"]
        row.save(update_fields=["objection"])
        return Written({"number": row.number}, {"text": row.objection})

    @act(
        "refusal.decided",
        title=_("核查对初审结果的异议"),
        by="by",
        form=forms.RefusalDecisionForm,
        optional=True,
    )
    def decide_refusal(self, doing: Act) -> Written:
        """Decide an objection to a refusal."""
        row = self.of_number(doing, doing.data["number"])
        if row not in self.objected(doing.case):
            raise refuse(_("该申请没有待核查的异议。"), field="number", code="duplicate")
        if doing.data["decision"] == "upheld":
            row.reasons = []
            row.accept()
        else:
            row.reasons = [*row.reasons, "heard"]
        row.save(update_fields=["life", "reasons"])
        body = {"number": row.number, "decision": doing.data["decision"]}
        return Written(body, {"reason": doing.data["reason"]}, settle=True)

    def objected(self, case: Case) -> list[Applicant]:
        """Refused, objected, and not yet decided."""
        rows = Applicant.objects.filter(case=case, life="refused").exclude(objection="")
        return [row for row in rows if "heard" not in row.reasons]

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """The time to object is over and nothing waits."""
        if not run.term_over(now) or self.unmet(run):
            return None
        eligible = Applicant.objects.filter(case=run.process, life="eligible")
        return "done" if eligible.exists() else "none"

    def unmet(self, run: StepRun) -> list[Words]:
        """Applications and objections that wait."""
        missing: list[Words] = []
        if n := Applicant.objects.filter(case=run.process, life="applied").count():
            missing.append(_("还有%(n)s件申请待初审") % {"n": n})
        if n := len(self.objected(run.process)):
            missing.append(_("还有%(n)s件对初审结果的异议待核查") % {"n": n})
        return missing


class Evaluate(People):
    """Representatives score in secret; the result is public (民主评议)."""

    explained = _("受邀代表三分之二以上到会方为有效；亲属回避；评分不公开，结果公开。")
    outcomes: ClassVar[dict[str, Words]] = {
        "done": _("评议完成"),
        "again": _("到会人数不足，重新召集"),
        "none": _("无人入选"),
    }
    shows = ("eligible", "proposed", "reserve")

    def panel(self, run: StepRun) -> QuerySet[Representative]:
        """The representatives invited to this evaluation."""
        return Representative.objects.filter(run=run)

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """One after the other."""
        invited, present = self.panel(run).exists(), self.panel(run).filter(present=True).exists()
        if spec.name == "representatives.invited":
            return not invited
        return invited and not present if spec.name == "evaluation.held" else present

    @act("representatives.invited", title=_("邀请评议代表"), by="by", form=forms.InvitationForm)
    def invite(self, doing: Act) -> Written:
        """Write down who is invited, numbered."""
        run = doing.open_run
        if self.panel(run).exists():
            raise refuse(_("评议代表已经确定。"), code="duplicate")
        names = doing.data["names"]
        Representative.objects.bulk_create(
            Representative(run=run, number=at, name=name) for at, name in enumerate(names, 1)
        )
        return Written({"invited": len(names)}, {"names": " ".join(names)})

    @act("evaluation.held", title=_("登记到会"), by="by", form=forms.MeetingForm)
    def hold(self, doing: Act) -> Written:
        """Who came; too few, and it is called again. Relatives stand back: declared, and by the
        names in the household books."""
        run = doing.open_run
        panel = {row.number: row for row in self.panel(run)}
        if not panel or any(row.present for row in panel.values()):
            raise refuse(_("请先邀请评议代表；到会只登记一次。"), code="unmet")
        present: list[int] = doing.data["present"]
        if strangers := set(present) - set(panel):
            raise refuse(_("没有序号为%(n)s的代表。") % {"n": min(strangers)}, field="present")
        numbers = set(self._eligible(doing.case).values_list("number", flat=True))
        back: dict[int, set[int]] = {number: set() for number in panel}
        for who, number in doing.data["declared"]:
            if who not in panel or number not in numbers:
                raise refuse(_("回避填写的序号或者编号有误。"), field="declared")
            back[who].add(number)
        for row in self._eligible(doing.case):
            kin = {row.name, *row.household}
            for who, member in panel.items():
                if member.name in kin:
                    back[who].add(row.number)
        for number, member in panel.items():
            member.present = number in present
            member.stands_back = sorted(back[number])
        Representative.objects.bulk_update(panel.values(), ["present", "stands_back"])
        body = {
            "invited": len(panel),
            "present": len(present),
            "stand_back": sum(bool(back[number]) for number in present),
        }
        short = not rules.quorate(len(present), len(panel))
        return Written(body, outcome="again" if short else None)

    @act("sheet.entered", title=_("登记评分表"), by="by", form=forms.SheetForm)
    def enter_sheet(self, doing: Act) -> Written:
        """One representative's points: for everyone but those from whom they stand back."""
        number, points = doing.data["representative"], doing.data["points"]
        member = self.panel(doing.open_run).filter(number=number, present=True).first()
        if member is None:
            raise refuse(_("该代表没有到会。"), field="representative")
        if member.points.exists():
            raise refuse(_("该代表的评分表已经登记。"), field="representative", code="duplicate")
        people = {row.number: row for row in self._eligible(doing.case)}
        if set(points) & set(member.stands_back):
            raise refuse(_("该代表应当回避的申请人不能由其评分。"), field="points")
        if set(points) != set(people) - set(member.stands_back):
            raise refuse(_("评分表应当包括全部参评的申请人（回避的除外）。"), field="points")
        Points.objects.bulk_create(
            Points(representative=member, applicant=people[n], points=p) for n, p in points.items()
        )
        return Written({"scored": len(points)}, {"representative": str(number)})

    @act("ranking.made", title=_("公布评议结果"), by="by", form=forms.CloseForm)
    def rank(self, doing: Act) -> Written:
        """Sum up; within each post the first have the places, the next are the reserve list."""
        run = doing.open_run
        if missing := self.unmet(run):
            raise refuse(missing[0], code="unmet")
        scores: dict[int, dict[int, list[int]]] = {}
        given = Points.objects.filter(representative__run=run).select_related("applicant")
        for row in given:
            person = row.applicant
            scores.setdefault(person.post_id, {}).setdefault(person.number, []).append(row.points)
        people = {row.number: row for row in self._eligible(doing.case)}
        if any(n not in scores.get(row.post_id, {}) for n, row in people.items()):
            raise refuse(_("有的申请人没有任何代表评分，请增加代表后重新评议。"), code="unmet")
        for post in Post.objects.filter(case=doing.case):
            of_post = scores.get(post.pk, {})
            order = [number for number, _mean in rules.ranked(of_post)]
            first = set(rules.placed(order, (), post.places))
            for number, points in of_post.items():
                person = people[number]
                person.points, person.sheets = sum(points), len(points)
                person.rank = order.index(number) + 1 if number in order else None
                if number not in order:
                    person.leave_unplaced()
                else:
                    (person.propose if number in first else person.put_on_reserve)()
        Applicant.objects.bulk_update(
            people.values(), ["life", "points", "sheets", "rank"], batch_size=500
        )
        counts = counts_of(doing.case)
        body = {life: counts.get(life, 0) for life in ("proposed", "reserve", "unplaced")}
        return Written(body, outcome="done" if counts.get("proposed") else "none")

    def _eligible(self, case: Case) -> QuerySet[Applicant]:
        return Applicant.objects.filter(case=case, life="eligible")

    def unmet(self, run: StepRun) -> list[Words]:
        """Sheets that are missing."""
        present = self.panel(run).filter(present=True)
        if not present.exists():
            return [_("尚未登记到会")]
        left = [
            row
            for row in present.filter(points__isnull=True)
            if self._eligible(run.process).exclude(number__in=row.stands_back).exists()
        ]
        return [_("还有%(n)s份评分表未登记") % {"n": len(left)}] if left else []


class Vet(People):
    """The sub-district asks every source (审核)."""

    explained = _("街道逐一向社会保险、经营主体登记等来源核查。")
    outcomes: ClassVar[dict[str, Words]] = {"done": _("审核完成"), "none": _("无人通过审核")}
    shows = ("proposed", "reserve")

    @act("source.asked", title=_("登记核查结果"), by="by", form=forms.SourceForm)
    def ask(self, doing: Act) -> Written:
        """What one source says; whoever it speaks against is barred. Done with the last source."""
        run, source = doing.open_run, doing.data["source"]
        asked = run.data.get("asked", [])
        if source in asked:
            raise refuse(_("该来源已经核查。"), field="source", code="duplicate")
        for number in doing.data["found"]:
            row = self.of_number(doing, number)
            if row.life not in self.shows:
                raise refuse(
                    _("编号%(n)s不在拟安置或者候补名单中。") % {"n": number}, field="found"
                )
            row.reasons = [doing.data["reason"]]
            row.bar()
            row.save(update_fields=["life", "reasons"])
        run.data = {**run.data, "asked": [*asked, source]}
        run.save(update_fields=["data"])
        private = {"found": str(doing.data["found"])} if doing.data["found"] else {}
        return Written({"source": source, "found": len(doing.data["found"])}, private, settle=True)

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """With the last source."""
        if self.unmet(run):
            return None
        left = Applicant.objects.filter(case=run.process, life__in=self.shows)
        return "done" if left.exists() else "none"

    def unmet(self, run: StepRun) -> list[Words]:
        """Sources that are still to be asked."""
        left = [
            title for code, title in rules.SOURCES.items() if code not in run.data.get("asked", [])
        ]
        return [_("尚未核查：%(source)s") % {"source": title} for title in left]
