"""A renovation walked from outside, act by act: for the demo and for tests of whole cases."""

from __future__ import annotations

from workflows import acts, clock
from workflows.models import Opinion, StepRun

from .cast import paper
from .plans_story import PlansStory


class Story(PlansStory):
    """One case on its way."""

    STAGES = (
        "survey",
        "apply",
        "joint_review",
        "shortlist",
        "needs_meetings",
        "ask_needs",
        "owner_ballot",
        "design_tender",
        "design_session",
        "plan",
        "ask_plans",
        "drawings",
        "design_publicity",
        "funding",
        "contributions",
        "tender",
        "supervisors",
        "construction",
        "acceptance",
        "ask_results",
        "upkeep_ballot",
        "handover",
        "upkeep",
    )

    def funding(self) -> None:
        """出资方案: a share by household."""
        self.act(
            "funding",
            "task.done",
            "residents_committee",
            {
                "reason": "居民承担提升类项目的一部分。",
                "share_yuan": "43250.00",
                "chosen": "share",
            },
        )

    def contributions(self) -> None:
        """居民出资: a share for every household, paid one after another."""
        step = "contributions"
        self.act(step, "dues.set", "residents_committee", {"amount": "500.00"})
        entries = list(self.run(step).ledger_entries.filter(state="due").order_by("pk"))
        for number, entry in enumerate(entries):
            if number % 60 == 59:
                self.wait(days=1)
            if number % 37 == 36:
                data = {"to": "waived", "note": "符合减免条件。"}
            else:
                data = {"to": "paid", "on": clock.today().isoformat(), "receipt": f"S{number}"}
            self.act(step, "entry.moved", "residents_committee", {"entry": entry.pk, **data})
        self.act(step, "ledger.closed", "residents_committee", {"reason": "全部到账或者减免。"})

    def tender(self) -> None:
        """施工、监理招标."""
        for lot in self.lots("tender"):
            self.tender_lot(lot)

    def supervisors(self) -> None:
        """工程监督员: three enrol, two judges mark, they are chosen."""
        step = "supervisors"
        if not StepRun.objects.filter(process=self.case, name=step, finished__isnull=True).exists():
            return
        run = self.run(step)
        if run.phase == "enrol" and run.ends_at and clock.now() >= run.ends_at:
            self.wait(minutes=1)  # enrolment was too poor and runs again
        for number in range(3):
            acts.perform(
                self.case.pk,
                step,
                "candidate.enrolled",
                self.resident(number),
                {
                    "name": f"示范居民{number + 1}",
                    "statement": "退休前从事建筑工作，愿意义务监督。",
                    "consent": "on",
                },
            )
        self.wait_for(step)
        run = self.run(step)
        for candidate in run.candidates.all():
            for role, points in (("residents_committee", 88), ("owners_committee", 91)):
                self.act(
                    step,
                    "mark.given",
                    role,
                    {"candidate": candidate.pk, "points": points - candidate.number},
                )
        self.wait_for(step)

    def construction(self) -> None:
        """施工公开: progress, payments, a finding followed to its re-check."""
        self.progress(30)
        self.finding()
        self.wait(days=25)
        self.progress(70)
        self.wait(days=25)
        self.progress(100)
        self.act("construction", "ledger.closed", "office", {"reason": "工程完工，问题均已复查。"})

    def progress(self, percent: int) -> None:
        """How far the works are, and a payment."""
        on = clock.today().isoformat()
        self.act(
            "construction",
            "entry.added",
            "contractor",
            {"kind": "progress", "on": on, "percent": percent, "text": f"完成{percent}%。"},
            {"photos": [self.picture("works")]},
        )
        self.act(
            "construction",
            "entry.added",
            "office",
            {
                "kind": "payment",
                "on": on,
                "yuan": "800000.00",
                "payee": "contractor",
                "text": f"进度款，完成{percent}%。",
            },
        )

    def finding(self, *, through: bool = True) -> None:
        """A resident supervisor finds something; it is fixed and checked again."""
        step = "construction"
        done = self.act(
            step,
            "entry.added",
            "resident_supervisor",
            {
                "kind": "finding",
                "on": clock.today().isoformat(),
                "area": "safety",
                "text": "3号楼脚手架未挂安全网。",
            },
            {"photos": [self.picture("finding")]},
        )
        assert done.fact is not None
        if not through:
            return
        entry = done.fact.pk
        self.wait(days=2)
        note = {"entry": entry, "to": "fixed", "note": "安全网已补挂。"}
        self.act(step, "entry.moved", "contractor", note)
        note = {"entry": entry, "to": "checked", "note": "现场复查，已整改到位。"}
        self.act(step, "entry.moved", "resident_supervisor", note)

    def acceptance(self, failing: str = "") -> None:
        """联合验收: six parties sign and score; with `failing` one of them fails it first."""
        if failing:
            self.signatures(failing)
            self.act(
                "rectify",
                "task.done",
                "contractor",
                {"items": "地下室排水不畅", "measures": "更换水泵并重新找坡，试水合格。"},
                {"photos": [self.picture("rectified")]},
            )
        self.signatures("")

    SIX = (
        ("design", "designer"),
        ("construction", "contractor"),
        ("supervision", "supervisor"),
        ("community", "residents_committee"),
        ("owners", "owners_committee"),
        ("residents", "residents_representative"),
    )

    def signatures(self, failing: str) -> None:
        """All six sign; the seat `failing` does not pass it."""
        for seat, role in self.SIX:
            data = {
                "decision": "approve",
                "score_quality": 36,
                "score_completeness": 18,
                "score_safety": 18,
                "score_satisfaction": 17,
            }
            if seat == failing:
                data |= {
                    "decision": "return",
                    "score_quality": 20,
                    "failed_quality": "地下室排水不畅，雨后积水。",
                    "reason": "排水不合格，应当整改。",
                }
            self.act("acceptance", "panel.signed", role, data)
        self.wait(days=1)

    def ask_results(self) -> None:
        """问效: satisfaction and what is left."""
        step = "ask_results"
        for number in range(min(30, len(self.households))):
            answer = ("very_satisfied", "satisfied", "satisfied", "basically")[number % 4]
            acts.perform(
                self.case.pk, step, "survey.answered", self.resident(number), {"answer": answer}
            )
        acts.perform(
            self.case.pk,
            step,
            "opinion.submitted",
            self.resident(2),
            {"text": "二单元门口的灯晚上不亮。"},
        )
        opinion = Opinion.objects.get(run=self.run(step), life="submitted")
        self.act(
            step,
            "opinion.replied",
            "residents_committee",
            {
                "opinions": [opinion.pk],
                "outcome": "adopted",
                "public_text": "二单元门口的灯晚上不亮。",
                "reason": "已通知施工单位更换，保修期内免费。",
            },
        )
        self.wait_for(step)

    def upkeep_ballot(self) -> None:
        """长效管理表决."""
        self.ballot(
            "upkeep_ballot",
            "是否同意长效管理公约和收费标准",
            matter="ordinary",
            reason="属于有关共有和共同管理权利的其他重大事项",
        )

    def handover(self) -> None:
        """移交与保修."""
        self.act(
            "handover",
            "task.done",
            "residents_committee",
            {
                "keeper": "示范物业服务中心",
                "duties": "保洁、绿化、设施巡查，每季度公布收支。",
            },
            {"agreement": paper("agreement")},
        )

    def upkeep(self) -> None:
        """长效管理与保修: a repair, and a warranty until it ends."""
        step = "upkeep"
        on = clock.today().isoformat()
        text = "新栽苗木未成活的免费补植。"
        warranty = {"kind": "warranty", "on": on, "item": "other", "months": 6, "text": text}
        self.act(step, "entry.added", "residents_committee", warranty)
        repair = {"kind": "repair", "on": on, "text": "二单元地下室阀门渗水。"}
        done = self.act(step, "entry.added", "owners_committee", repair)
        assert done.fact is not None
        entry = done.fact.pk
        self.act(
            step,
            "entry.moved",
            "contractor",
            {"entry": entry, "to": "repaired", "note": "已更换阀门。"},
        )
        note = {"entry": entry, "to": "checked", "note": "现场查看，不再渗水。"}
        self.act(step, "entry.moved", "owners_committee", note)
        self.wait_for(step)
        self.wait_for(step)
        self.act(
            step, "ledger.closed", "residents_committee", {"reason": "保修期满，转入日常管理。"}
        )
