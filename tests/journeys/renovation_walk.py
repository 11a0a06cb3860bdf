"""What the steps of a renovation share, as they are walked by way of the pages."""

from __future__ import annotations

import datetime as dt

from processes.renovation.cast import PDF, paper, photo
from workflows import clock, sweep
from workflows.models import Case, StepRun

FILE = {"name": "提交.pdf", "mimeType": "application/pdf", "buffer": PDF}


def at(month: int, day: int, hour: int = 9) -> dt.datetime:
    return dt.datetime(2025, month, day, hour, tzinfo=clock.SHANGHAI)


class Journey:
    """What the steps of the journey share."""

    def __init__(self, town, walker, clerk):
        self.town, self.walker, self.clerk = town, walker, clerk
        self.number = ""
        self.photos = 0
        self.desks = {}

    def case(self) -> Case:
        return Case.objects.get(number=self.number)

    def run(self, step: str) -> StepRun:
        return StepRun.objects.get(process__number=self.number, name=step, finished__isnull=True)

    def do(self, step: str, act: str, number: str = "") -> str:
        return f"/cases/{number or self.number}/do/{step}/{act}/"

    def desk(self, who: str):
        """A clerk of that office, kept for the journey."""
        if who not in self.desks:
            self.desks[who] = self.clerk(self.town.staff[who])
        return self.desks[who]

    def send(self, who: str, step: str, act: str, data=None, number: str = "", query: str = ""):
        return self.desk(who).act(self.do(step, act, number) + query, data)

    def due(self, step: str) -> None:
        """Time passes until the open run of a step is due, and the sweep does it."""
        run = self.run(step)
        clock.set_now(max(run.scheduled, clock.now()) + dt.timedelta(hours=9))
        sweep.sweep()

    def picture(self):
        self.photos += 1
        return photo(self.photos)

    def standing_at(self, *steps: str) -> None:
        names = StepRun.objects.filter(
            process__number=self.number, status="STARTED", finished__isnull=True
        ).values_list("name", flat=True)
        assert set(names) == set(steps)


def meeting(go: Journey, step: str, who: str) -> None:
    starts = clock.now() + dt.timedelta(days=3)
    go.send(
        who,
        step,
        "meeting.called",
        {
            "starts_at": starts.strftime("%Y-%m-%dT19:00"),
            "place": "社区活动室",
            "agenda": "听取改造意见",
        },
    )
    session = go.run(step).sessions.get()
    clock.set_now(clock.now() + dt.timedelta(days=4))
    go.send(who, step, "meeting.held", {"session": session.pk, "attendance": 30})
    go.send(
        who, step, "meeting.minuted", {"session": session.pk, "minutes": "逐项讨论，记录意见。"}
    )
    go.send(who, step, "meetings.closed")


BIG = (0, 10, 20, 30)
SPECIAL = {"matter": "special", "item": "rebuild", "reason": "改建建筑物附属设施。"}


def ballot(go: Journey, step: str, against, *, questions: str, confirm: bool = True, **call):
    """Notice, votes of all forty heads, the count, its objections, the confirmation."""
    opens = clock.today() + dt.timedelta(days=16)
    early = {"questions": questions, "opens_on": clock.today().isoformat(), **call}
    assert "过早" in go.desk("residents_committee").refused(go.do(step, "ballot.called"), early)
    data = {**early, "opens_on": opens.isoformat()}
    go.send("residents_committee", step, "ballot.called", data)
    go.due(step)
    numbers = range(1, len(questions.splitlines()) + 1)
    voter = go.walker(go.town.resident(1))
    choice = "against" if 1 in against else "for"
    voter.act(go.do(step, "vote.cast"), {f"q{n}": choice for n in numbers})
    voter.go("/my/")
    day = clock.today().isoformat()
    for at_ in range(40):
        if at_ == 1:
            continue
        choice = "against" if at_ in against else "for"
        form = {
            "resident": go.town.label(at_),
            "happened_on": day,
            "serial": f"{at_:04d}",
            **{f"q{n}": choice for n in numbers},
        }
        go.send("residents_committee", step, "vote.cast", form, query="?paper=1")
    run = go.run(step)
    assert run.phase == "preliminary"  # every vote is in
    public = go.walker(None)
    public.go(f"/cases/{go.number}/steps/{run.pk}/")
    public.sees("初步结果", "参与表决的面积", "2,600.00平方米")
    go.due(step)
    go.send("residents_committee", step, "result.confirmed", {"reason": "询异公示期满，无异议。"})
    return public, run


def tender(go: Journey, lot: Case) -> None:
    """公开招标: 20 days for bids, a lawful committee, candidates stand for three days."""

    def do(step, data):
        go.send("office", step, "task.done", data, number=lot.number)

    def wait(step):
        run = StepRun.objects.get(process=lot, name=step, finished__isnull=True)
        clock.set_now(max(run.scheduled, clock.now()) + dt.timedelta(hours=9))
        sweep.sweep()

    do("documents", {"method": "open", "scope": "详见招标文件。", "documents": paper()})
    wait("bidding")
    do("bid_opening", {"bidders": "示范甲公司\n示范乙公司"})  # fewer than three: anew
    do("documents", {"method": "open", "scope": "重新招标。", "documents": paper()})
    wait("bidding")
    do("bid_opening", {"bidders": "示范甲公司\n示范乙公司\n示范丙公司"})
    today = clock.today().isoformat()
    report = {"candidates": "示范甲公司", "report": "按标准评审。", "received_on": today}
    page = go.desk("office").refused(
        go.do("evaluation", "task.done", lot.number), {"members": 6, "experts": 4, **report}
    )
    assert "单数" in page
    do("evaluation", {"members": 5, "experts": 4, **report})
    wait("candidates")
    do("award", {"winner": "示范甲公司", "price_yuan": "1234567.89"})


def lots(go: Journey, step: str) -> list[Case]:
    return list(Case.objects.filter(parent=go.run(step)).order_by("pk"))


SIX = (
    "designer",
    "contractor",
    "supervisor",
    "residents_committee",
    "owners_committee",
    "residents_representative",
)

POINTS = {
    "score_quality": 36,
    "score_completeness": 18,
    "score_safety": 18,
    "score_satisfaction": 17,
}
