"""The first half of a renovation walked from outside: from survey to the posted design."""

from __future__ import annotations

import datetime as dt

from django.core.files.uploadedfile import SimpleUploadedFile

from workflows import acts, clock, story
from workflows.models import Case, Community, Objection, Opinion, StepRun
from workflows.parties import Member, Party, directory

from .cast import Cast, paper, photo


class PlansStory(story.Story):
    """One case on its way to an agreed design; `story.Story` goes on from there."""

    def __init__(
        self, community: Community, cast: Cast, start: dt.datetime, *, title: str, demo: bool = True
    ) -> None:
        self.cast = cast
        self.households: list[Member] = list(directory().members("households", community))
        office = cast.party("office")
        super().__init__("renovation", community, office, start, title=title, demo=demo)
        self.photos = 0

    # --- moving about
    def act(
        self,
        step: str,
        name: str,
        role: str,
        data: dict | None = None,
        files: dict | None = None,
        *,
        seat: str = "",
        case: Case | None = None,
    ) -> acts.Done:
        """One act by the party of a role."""
        party = self.cast.party(role, seat)
        return self.perform(step, name, party, data, files, case=case)

    def resident(self, number: int, role: str = "household", via: str = "paper") -> Party:
        """A household of the roll, whose paper form the committee types in."""
        key = self.households[number % len(self.households)].key
        return Party(role, key, self.cast.committee, via=via)

    def picture(self, words: str = "") -> SimpleUploadedFile:
        """A picture like no other of this story."""
        self.photos += 1
        return photo(self.photos + 1000 * self.case.pk, words)

    # --- the stages
    def survey(self) -> None:
        """摸底."""
        self.act(
            "survey",
            "task.done",
            "residents_committee",
            {
                "built_before": 1994,
                "buildings": 12,
                "households": len(self.households),
                "findings": "屋面多处渗漏，供排水管网老化，楼道照明不足。",
                "policy_explained": "on",
                "chosen": "qualifies",
            },
            {"reference_prices": paper("prices")},
        )
        self.wait(days=2)

    def apply(self) -> None:
        """自下而上申请."""
        self.act(
            "apply",
            "task.done",
            "residents_committee",
            {
                "applicant": "residents_committee",
                "supporters": max(1, len(self.households) * 4 // 5),
                "faults": "屋面渗漏、管网老化、停车困难。",
                "wishes": "屋面防水、管网更新、增设停车位和充电设施。",
                "pledged_percent": 10,
            },
            {"papers": paper("application")},
        )
        self.wait(days=2)

    def joint_review(self) -> None:
        """联合审查: three of four approve, one has doubts and says so in its points."""
        points = {"housing": 26, "planning": 24, "finance": 22, "community": 28}
        for seat, first in points.items():
            self.act(
                "joint_review",
                "panel.signed",
                "reviewer",
                {
                    "seat": seat,
                    "decision": "approve",
                    "score_faults": first,
                    "score_will": first,
                    "score_pledge": 14,
                    "score_upkeep": 15,
                },
                seat=seat,
            )
        self.wait(days=1)

    def shortlist(self) -> None:
        """入围公示."""
        self.wait_for("shortlist")

    def needs_meetings(self) -> None:
        """意见征询会."""
        self.meetings("needs_meetings", "residents_committee", "改造意见征询会")

    def meetings(self, step: str, role: str, agenda: str) -> None:
        """Call a meeting, hold it, minute it, close."""
        starts = clock.now() + dt.timedelta(days=3)
        self.act(
            step,
            "meeting.called",
            role,
            {
                "starts_at": starts.strftime("%Y-%m-%dT19:00"),
                "place": "社区活动室",
                "agenda": agenda,
                "places": 60,
            },
        )
        session = self.run(step).sessions.latest("pk")
        self.wait(days=4)
        self.act(
            step,
            "meeting.held",
            role,
            {"session": session.pk, "attendance": 42},
            {"photos": [self.picture("meeting")]},
        )
        self.act(
            step,
            "meeting.minuted",
            role,
            {"session": session.pk, "minutes": "逐项介绍政策和造价参考标准，记录居民意见。"},
        )
        self.act(step, "meetings.closed", role)

    OPINIONS = (
        ("roof", "want", "顶楼雨天漏水，希望把屋面防水一次做好。"),
        ("parking", "want", "下班回来没有地方停车，希望划出车位。"),
        ("lifts", "want", "老人上下楼不便，希望能加装电梯。"),
        ("bicycles", "want", "希望有能充电的非机动车棚。"),
        ("greening", "not_want", "不要为了绿化减少停车的地方。"),
        ("lighting", "want", "楼道灯经常不亮。"),
        ("ramps", "want", "单元门口的台阶太高，轮椅上不去。"),
        ("roads", "want", "路面坑洼，下雨积水。"),
    )

    def ask_needs(self, opinions: int | None = None) -> None:
        """问需: opinions, visits to every household, a reply to every opinion."""
        step = "ask_needs"
        count = min(opinions or 40, len(self.households))
        for number in range(count):
            item, stance, text = self.OPINIONS[number % len(self.OPINIONS)]
            acts.perform(
                self.case.pk,
                step,
                "opinion.submitted",
                self.resident(number),
                {"item": item, "stance": stance, "text": text},
            )
        on = clock.today().isoformat()
        for number, member in enumerate(self.households[count:]):
            result = "refused" if number % 23 == 22 else "returned"
            self.act(
                step,
                "household.visited",
                "residents_committee",
                {"household": member.key, "result": result, "on": on},
            )
        self.wait(days=1)
        self.answer(step)
        self.wait_for(step)

    REPLIES = {
        "lifts": ("not_adopted", "加装电梯须由单元业主另行表决和申报，不在本次改造范围。"),
        "bicycles": ("partly", "东侧增设充电车棚；北侧占用消防登高场地，不设。"),
        "greening": ("partly", "保留现有乔木，整理绿地，不减少停车位。"),
    }

    def answer(self, step: str) -> None:
        """One reply to all opinions on the same item."""
        run = self.run(step)
        waiting = Opinion.objects.filter(run=run, life="submitted")
        for item in waiting.order_by("item").values_list("item", flat=True).distinct():
            group = list(waiting.filter(item=item))
            outcome, reason = self.REPLIES.get(item, ("adopted", "已列入改造内容，设计时落实。"))
            self.act(
                step,
                "opinion.replied",
                "residents_committee",
                {
                    "opinions": [opinion.pk for opinion in group],
                    "outcome": outcome,
                    "public_text": group[0].text or "对该项目表明态度。",
                    "reason": reason,
                },
            )

    def owner_ballot(self) -> None:
        """业主表决, as a special matter: carried."""
        self.ballot(
            "owner_ballot",
            "是否同意按征求意见后的方案实施改造\n是否同意居民按户出资",
            matter="special",
            item="rebuild",
            reason="改建建筑物附属设施",
        )

    def ballot(self, step: str, questions: str, *, against: int = 5, **call: str) -> None:
        """Call, wait for the notice, vote on paper, let the count stand, confirm."""
        opens = clock.today() + dt.timedelta(days=16)
        self.act(
            step,
            "ballot.called",
            "residents_committee",
            {"questions": questions, "opens_on": opens.isoformat(), **call},
        )
        self.wait_for(step)
        self.vote(step, against=against)
        self.wait_for(step)
        self.wait_for(step)
        self.act(
            step, "result.confirmed", "residents_committee", {"reason": "询异公示期满，无异议。"}
        )
        self.wait(days=1)

    def vote(self, step: str, *, against: int = 5, share: int = 9, begin: int = 0) -> None:
        """Nine in ten vote on paper, every `against`-th of them against; not the first `begin`."""
        run = self.run(step)
        numbers = run.questions.count()
        voted = set()
        for number, member in enumerate(self.households):
            if number >= begin and number % 10 >= share:
                continue
            row = run.roll.filter(ways__party_key=member.key).first()
            if row is None or row.pk in voted:
                continue
            voted.add(row.pk)
            if number < begin:
                continue
            choice = "against" if against and number % (against * 2) == 1 else "for"
            data = {f"q{n}": choice for n in range(1, numbers + 1)}
            party = Party("owner", member.key, self.cast.committee, via="paper")
            acts.perform(
                self.case.pk, step, "vote.cast", party, {**data, "serial": f"P{number:04d}"}
            )

    def lots(self, step: str) -> list[Case]:
        """The child cases of a tender step."""
        return list(Case.objects.filter(parent=self.run(step)).order_by("pk"))

    def design_tender(self) -> None:
        """设计招标."""
        for lot in self.lots("design_tender"):
            self.tender_lot(lot)

    def tender_lot(self, lot: Case) -> None:
        """One lot from documents to award."""

        def do(step: str, data: dict, files: dict | None = None) -> None:
            self.act(step, "task.done", "office", data, files, case=lot)

        do(
            "documents",
            {"method": "open", "scope": "详见招标文件。"},
            {"documents": paper("tender")},
        )
        self.wait_for("bidding", lot)
        do("bid_opening", {"bidders": "示范甲公司\n示范乙公司\n示范丙公司"})
        do(
            "evaluation",
            {
                "received_on": clock.today().isoformat(),
                "members": 5,
                "experts": 4,
                "candidates": "示范甲公司\n示范丙公司",
                "report": "按招标文件规定的标准评审，排序如上。",
            },
        )
        self.wait_for("candidates", lot)
        do("award", {"winner": "示范甲公司", "price_yuan": "1234567.89"})

    def design_session(self) -> None:
        """居民参与设计."""
        self.meetings("design_session", "residents_committee", "居民参与设计座谈")

    def plan(self) -> None:
        """方案设计."""
        version = StepRun.objects.filter(process=self.case, name="plan").count()
        self.act(
            "plan",
            "task.done",
            "designer",
            {
                "version": f"第{version}版",
                "changes": "屋面防水、管网更新、增设车位与充电车棚。",
                "cost_yuan": "8650000.00",
            },
            {"drawings": paper("plan")},
        )

    def ask_plans(self) -> None:
        """问计."""
        step = "ask_plans"
        for number in range(min(6, len(self.households))):
            acts.perform(
                self.case.pk,
                step,
                "opinion.submitted",
                self.resident(number),
                {"text": f"建议第{number + 1}处车位离单元门远一些，避免挡住消防通道。"},
            )
        run = self.run(step)
        for opinion in Opinion.objects.filter(run=run, life="submitted"):
            self.act(
                step,
                "opinion.replied",
                "designer",
                {
                    "opinions": [opinion.pk],
                    "outcome": "adopted",
                    "public_text": opinion.text,
                    "reason": "已在总平面图中调整。",
                },
            )
        self.wait_for(step)
        self.act(
            step,
            "consultation.closed",
            "residents_committee",
            {"reason": "意见均已答复，方案确定。", "outcome": "done"},
        )

    def drawings(self) -> None:
        """施工图设计."""
        self.wait(days=5)
        number = StepRun.objects.filter(process=self.case, name="drawings").count()
        self.act(
            "drawings",
            "task.done",
            "designer",
            {"filing_number": f"示范审字第{number:03d}号", "summary": "施工图齐全。"},
            {"drawings": paper("drawings")},
        )

    def post(self, step: str) -> None:
        """Put the notice up in every stairwell, a photo each."""
        places = [m.key for m in directory().members("stairwells", self.community)]
        for at in range(0, len(places), 20):
            batch = places[at : at + 20]
            self.act(
                step,
                "notice.posted",
                "residents_committee",
                {"places": batch},
                {"photos": [self.picture("posted") for _place in batch]},
            )

    def design_publicity(self) -> None:
        """设计方案公示20天: clean."""
        self.post("design_publicity")
        self.wait_for("design_publicity")

    def upheld_objection(self) -> None:
        """An objection that is right sends the design back; then a new 20 days."""
        step = "design_publicity"
        self.post(step)
        self.wait(days=4)
        acts.perform(
            self.case.pk,
            step,
            "objection.raised",
            self.resident(1),
            {"ground": "content", "text": "图上的车棚挡住了消防登高场地。"},
        )
        self.wait(days=2)
        objection = Objection.objects.get(run=self.run(step), life="raised")
        self.act(
            step,
            "objection.decided",
            "residents_committee",
            {
                "objections": [objection.pk],
                "decision": "upheld",
                "public_text": "图上的车棚挡住了消防登高场地。",
                "reason": "经现场核实属实，退回修改。",
            },
        )
        self.act(
            step, "publicity.withdrawn", "residents_committee", {"reason": "按异议修改后重新公示。"}
        )
        self.act(
            "choose_return",
            "task.done",
            "office",
            {"reason": "调整车棚位置后重新出图。", "chosen": "to_drawings"},
        )
