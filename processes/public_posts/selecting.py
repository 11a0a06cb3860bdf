"""Who is chosen: the evaluation by representatives, and what every source says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_lazy as _

from workflows.acts import Act, Written
from workflows.models import Case, StepRun
from workflows.steps.act import ActSpec, Words, act, refuse

from . import forms, rules
from .models import Applicant, Points, Post, Representative
from .people import People, Progress, counts_of


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
        if spec.name == "evaluation.held":
            return invited and not present
        # Sheets while some are missing, the result once all are in.
        return present and bool(self.unmet(run)) == (spec.name == "sheet.entered")

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """Who is invited, with their numbers; for the sheets also who came, whose are entered and
        from whom they stand back."""
        if spec.name not in ("evaluation.held", "sheet.entered"):
            return {}
        given = Exists(Points.objects.filter(representative=OuterRef("pk")))
        rows = self.panel(run).annotate(given=given).order_by("number")
        return {"representatives": list(rows), "sheets": spec.name == "sheet.entered"}

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

    def progress(self, run: StepRun) -> Iterator[Progress]:
        """How many of the sheets are in."""
        present = self.panel(run).filter(present=True)
        there = present.count()
        if there:
            given = present.filter(points__isnull=False).distinct().count()
            yield Progress(_("已登记的评分表"), given, there)

    def _eligible(self, case: Case) -> QuerySet[Applicant]:
        return Applicant.objects.filter(case=case, life="eligible")

    def unmet(self, run: StepRun) -> list[Words]:
        """Sheets that are missing."""
        present = self.panel(run).filter(present=True)
        if not present.exists():
            return [_("尚未登记到会")]
        everyone = set(self._eligible(run.process).values_list("number", flat=True))
        left = [
            row for row in present.filter(points__isnull=True) if everyone - set(row.stands_back)
        ]
        return [_("还有%(n)s份评分表未登记") % {"n": len(left)}] if left else []


class Vet(People):
    """The sub-district asks every source (审核)."""

    explained = _("街道逐一向社会保险、经营主体登记等来源核查。")
    outcomes: ClassVar[dict[str, Words]] = {"done": _("审核完成"), "none": _("无人通过审核")}
    shows = ("proposed", "reserve")

    @act("source.asked", title=_("登记核查结果"), by="by", form=forms.SourceForm, preview=True)
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

    def progress(self, run: StepRun) -> Iterator[Progress]:
        """Which sources have answered."""
        asked = run.data.get("asked", [])
        for code, title in rules.SOURCES.items():
            yield Progress(title, int(code in asked), 1)

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
