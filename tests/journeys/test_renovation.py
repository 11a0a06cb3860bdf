"""One old estate from application to a closed case, by way of the pages.

Named after the source article: 自下而上申请、联合审查入围; 逐户发放填写《老旧小区改造意见征求表》;
意见件件有回应、可查询; 在楼道公告栏公示20天; 居民出资到账情况; 工程监督员;
联合验收+综合评分+长效管理.
"""

from __future__ import annotations

import datetime as dt
import json

import pytest

from processes.renovation.cast import PDF, paper, photo
from workflows import clock, records, sweep
from workflows.models import Case, Objection, Opinion, StepRun

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.city]

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


def test_an_old_estate_from_application_to_a_closed_case(town, walker, clerk):
    clock.set_now(at(3, 2))
    go = Journey(town, walker, clerk)
    survey_and_application(go)
    joint_review(go)
    asking_needs(go)
    ballot_lost_by_area_then_carried_at_three_quarters(go)
    design(go)
    publicity_over_national_day_with_an_upheld_objection(go)
    money_tender_and_supervisors(go)
    works(go)
    acceptance_fails_once(go)
    results_and_upkeep(go)

    case = go.case()
    assert case.outcome == "completed"
    assert records.first_fault(case) is None
    assert all(opinion.life != "submitted" for opinion in Opinion.objects.all())
    keys = [f'"{household.unit.label}' for household in town.households]
    for record in case.records.all():
        assert "household:" not in record.canonical
        assert record.canonical.isascii()  # codes and numbers; words stand beside it
        assert not any(key in json.dumps(record.body, ensure_ascii=False) for key in keys)

    reader = walker(None, javascript=False)
    reader.go(f"/cases/{go.number}/")
    reader.sees("办结", "全过程", "联合验收", "长效管理表决")
    reader.go(f"/verify/?case={go.number}")
    reader.sees("全部衔接完好")


def survey_and_application(go: Journey) -> None:
    """The office opens the case, the committee surveys, the estate applies from below."""
    office = go.walker(go.town.staff["office"], width=1280)
    office.go("/procedures/renovation/open/")
    office.fill({"community": "estate", "title": "示范小区改造", "ask_needs__term": 15})
    office.page.locator("main form.form .actions button").first.click()
    office.page.wait_for_load_state()
    assert "/cases/RENO-" in office.page.url, office.page.locator("main").inner_text()
    go.number = office.page.url.rstrip("/").rsplit("/", 1)[1]
    office.sees("示范小区改造", "摸底", go.number)

    committee = go.walker(go.town.staff["residents_committee"])
    committee.go("/inbox/")
    committee.sees("摸底")
    receipt = committee.act(
        go.do("survey", "task.done"),
        {
            "built_before": "1994",
            "buildings": "2",
            "households": "40",
            "findings": "屋面渗漏，管网老化。",
            "policy_explained": True,
            "chosen": "qualifies",
            "reference_prices": FILE,
        },
    )
    assert len(receipt.replace("-", "")) == 20
    application = {
        "applicant": "residents_committee",
        "supporters": "36",
        "faults": "屋面渗漏，停车困难。",
        "wishes": "屋面防水、增设车位。",
        "pledged_percent": "10",
    }
    committee.act(go.do("apply", "task.done"), application)
    committee.fits()
    go.application = application


def joint_review(go: Journey) -> None:
    """联合审查: one seat returns it with a reason; it applies again and is shortlisted."""
    points = {"score_will": 25, "score_pledge": 14, "score_upkeep": 15, "score_faults": 26}

    def sign(seat, **more):
        data = {"decision": "approve", **points, **more}
        go.send(seat, "joint_review", "panel.signed", data)

    reviewer = go.walker(go.town.staff["housing"])
    reviewer.go(go.do("joint_review", "panel.signed"))
    reviewer.sees("审阅材料", "屋面渗漏，停车困难。")
    reviewer.act(
        go.do("joint_review", "panel.signed"),
        {
            **{name: str(value) for name, value in points.items()},
            "decision": "return",
            "reason": "请补充各楼栋渗漏点位图。",
        },
    )
    for seat in ("planning", "finance", "community"):
        sign(seat)
    go.standing_at("apply")
    go.send("residents_committee", "apply", "task.done", go.application)
    for seat in ("housing", "planning", "finance", "community"):
        sign(seat)
    go.standing_at("shortlist")
    go.due("shortlist")
    go.standing_at("needs_meetings", "ask_needs")


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


def asking_needs(go: Journey) -> None:
    """问需: forty opinions, online and on paper; every one answered, some not adopted."""
    step = "ask_needs"
    phone = go.walker(go.town.resident(0))
    phone.go("/my/")
    phone.sees("问需")
    receipt = phone.act(
        go.do(step, "opinion.submitted"),
        {"item": "lifts", "stance": "want", "text": "老人上下楼不便，希望加装电梯。"},
    )
    again = phone.refused(
        go.do(step, "opinion.submitted"),
        {"item": "lifts", "stance": "want", "text": "老人上下楼不便，希望加装电梯。"},
    )
    assert "已经提交过" in again
    phone.fits()

    old_phone = go.walker(go.town.resident(1), javascript=False)
    old_phone.act(
        go.do(step, "opinion.submitted"),
        {"item": "parking", "stance": "want", "text": "希望划出车位。"},
    )

    items = ("roof", "parking", "lifts", "lighting")
    day = clock.today().isoformat()
    for number in range(2, 40):
        form = {
            "resident": go.town.label(number),
            "happened_on": day,
            "item": items[number % 4],
            "stance": "want",
            "text": f"希望尽快改造（第{number}份表）。",
        }
        go.send("residents_committee", step, "opinion.submitted", form, query="?paper=1")
    assert Opinion.objects.count() == 40

    desk = go.walker(go.town.staff["residents_committee"], width=1280)
    run = go.run(step)
    desk.go(f"/cases/{go.number}/steps/{run.pk}/")
    desk.sees("待答复", "老人上下楼不便")
    lifts = list(Opinion.objects.filter(item="lifts"))
    for opinion in lifts:
        desk.page.locator(f"#pick-{opinion.pk}").check()
    desk.page.get_by_role("button", name="答复所选").click()
    desk.page.wait_for_load_state()
    desk.sees("原文", "老人上下楼不便")
    desk.fill(
        {
            "outcome": "not_adopted",
            "reason": "加装电梯须由本单元业主另行表决和申报，不在本次改造范围。",
        }
    )
    desk.page.locator("main form.form .actions button").first.click()
    desk.page.wait_for_url("**/done/**", timeout=5000)
    for item in ("roof", "parking", "lighting"):
        keys = list(Opinion.objects.filter(item=item).values_list("pk", flat=True))
        go.send(
            "residents_committee",
            step,
            "opinion.replied",
            {
                "opinions": keys,
                "outcome": "adopted",
                "public_text": "希望尽快改造。",
                "reason": "已列入改造内容。",
            },
        )

    assert not Opinion.objects.filter(reply=None).exists()
    not_adopted = Opinion.objects.filter(reply__outcome="not_adopted")
    assert 1 <= not_adopted.count() < 40
    assert not not_adopted.filter(reply__reason="").exists()

    stranger = go.walker(None)
    stranger.go(f"/r/{receipt}/")
    stranger.sees("未采纳", "另行表决和申报")
    phone.go("/my/")
    phone.sees("未采纳", "另行表决和申报")
    stranger.go(f"/cases/{go.number}/steps/{run.pk}/")
    stranger.sees("意见反馈册", "未采纳", "已列入改造内容")
    assert "王示" not in stranger.page.content()
    stranger.fits()

    meeting(go, "needs_meetings", "residents_committee")
    go.due(step)
    go.standing_at("owner_ballot")


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


def ballot_lost_by_area_then_carried_at_three_quarters(go: Journey) -> None:
    """业主表决: 36 of 40 heads but 1,800 of 2,600 m² is lost; then 1,950 m² is exactly 3/4."""
    public, run = ballot(go, "owner_ballot", BIG, questions="是否实施改造\n是否按户出资", **SPECIAL)
    tally = run.questions.first().tally
    assert tally["outcome"] == "lost"
    met = {(line["code"], line["unit"]): line["met"] for line in tally["lines"]}
    assert met["for", "heads"]
    assert not met["for", "area"]
    public.page.reload()
    public.sees("未达到", "1,800.00平方米")
    go.standing_at("after_lost_ballot")
    go.send(
        "residents_committee",
        "after_lost_ballot",
        "task.done",
        {"reason": "大户型业主顾虑出资标准，再征求意见。", "chosen": "ask_again"},
    )
    second_asking(go)
    public, run = ballot(
        go, "owner_ballot", (0, 10, 20, 5), questions="是否实施改造\n是否按户出资", **SPECIAL
    )
    tally = run.questions.first().tally
    assert tally["outcome"] == "carried"
    assert tally["area"] == {"for": 195_000, "against": 65_000, "abstain": 0}
    go.standing_at("design_tender")


def second_asking(go: Journey) -> None:
    """Back to the needs: every household is visited again."""
    meeting(go, "needs_meetings", "residents_committee")
    day = clock.today().isoformat()
    for number in range(40):
        go.send(
            "residents_committee",
            "ask_needs",
            "household.visited",
            {"household": go.town.label(number), "result": "returned", "on": day},
        )
    go.due("ask_needs")
    go.standing_at("owner_ballot")


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


def design(go: Journey) -> None:
    """The design lot first; residents take part in the design; then the drawings."""
    for lot in lots(go, "design_tender"):
        tender(go, lot)
    meeting(go, "design_session", "residents_committee")
    plan(go)
    go.send(
        "residents_committee",
        "ask_plans",
        "consultation.closed",
        {"reason": "按意见再修改一版。", "outcome": "revise"},
    )
    go.standing_at("plan")
    plan(go)
    go.send(
        "residents_committee",
        "ask_plans",
        "consultation.closed",
        {"reason": "意见均已答复，方案确定。", "outcome": "done"},
    )
    drawings(go)


def plan(go: Journey) -> None:
    go.send(
        "designer",
        "plan",
        "task.done",
        {
            "version": "一",
            "changes": "总平面调整。",
            "cost_yuan": "8650000.00",
            "drawings": paper(),
        },
    )
    go.due("ask_plans")


def drawings(go: Journey) -> None:
    go.send(
        "designer",
        "drawings",
        "task.done",
        {"filing_number": "示范审字1号", "summary": "施工图齐全。", "drawings": paper()},
    )
    go.standing_at("design_publicity")


def post(go: Journey) -> None:
    """A photo from every stairwell."""
    run = go.run("design_publicity")
    places = list(run.postings.values_list("place", flat=True))
    go.send(
        "residents_committee",
        "design_publicity",
        "notice.posted",
        {"places": places, "photos": [go.picture() for _place in places]},
    )


def publicity_over_national_day_with_an_upheld_objection(go: Journey) -> None:
    """在楼道公告栏公示20天: National Day moves the end; an upheld objection means a new 20 days."""
    clock.set_now(max(clock.now(), at(9, 14)))
    post(go)
    run = go.run("design_publicity")
    # Twenty days end on 4 October, in the holiday of 1 to 8 October 2025.
    assert (run.starts_on, run.ends_on) == (dt.date(2025, 9, 14), dt.date(2025, 10, 9))
    clock.set_now(at(9, 26))
    resident = go.walker(go.town.resident(3))
    resident.act(
        go.do("design_publicity", "objection.raised"),
        {"ground": "content", "text": "车棚挡住消防登高场地。"},
    )
    objection = Objection.objects.get()
    # Five working days: Sunday 28 September is worked (调休), 1 to 8 October are not.
    assert objection.due_on == dt.date(2025, 10, 10)
    desk = go.walker(go.town.staff["residents_committee"], width=1280)
    desk.go(f"/cases/{go.number}/steps/{run.pk}/")
    desk.page.locator(f"#obj-{objection.pk}").check()
    desk.page.get_by_role("button", name="核查所选").click()
    desk.page.wait_for_load_state()
    desk.fill({"decision": "upheld", "reason": "经现场核实属实，退回修改图纸。"})
    desk.page.locator("main form.form .actions button").first.click()
    desk.page.wait_for_url("**/done/**", timeout=5000)
    go.due("design_publicity")
    go.standing_at("choose_return")
    go.send(
        "office",
        "choose_return",
        "task.done",
        {"reason": "调整车棚位置。", "chosen": "to_drawings"},
    )
    drawings(go)
    post(go)
    again = go.run("design_publicity")
    assert again.round == 2
    assert (again.ends_on - again.starts_on).days >= 20
    go.due("design_publicity")
    go.standing_at("funding", "tender", "supervisors")


def money_tender_and_supervisors(go: Journey) -> None:
    """居民出资到账情况, construction and supervision lots, 工程监督员: beside one another."""
    for number in range(3):
        go.clerk(go.town.resident(number)).act(
            go.do("supervisors", "candidate.enrolled"),
            {"name": "示范", "statement": "愿意义务监督。", "consent": "on"},
        )
    go.due("supervisors")
    for candidate in go.run("supervisors").candidates.all():
        for who, points in (("residents_committee", 90), ("owners_committee", 85)):
            go.send(
                who,
                "supervisors",
                "mark.given",
                {"candidate": candidate.pk, "points": points - candidate.number},
            )
    go.due("supervisors")

    go.send(
        "residents_committee",
        "funding",
        "task.done",
        {"reason": "提升类由居民承担一部分。", "share_yuan": "20000.00", "chosen": "share"},
    )
    go.send("residents_committee", "contributions", "dues.set", {"amount": "500.00"})
    run = go.run("contributions")
    day = clock.today().isoformat()
    for number, entry in enumerate(run.ledger_entries.all()):
        go.send(
            "residents_committee",
            "contributions",
            "entry.moved",
            {"entry": entry.pk, "to": "paid", "on": day, "receipt": f"R{number}"},
        )
        if number == 20:
            public = go.walker(None)
            public.go(f"/cases/{go.number}/steps/{run.pk}/")
            public.sees("居民出资", "500.00")
            assert "未到账</" not in public.page.locator("article").all_inner_texts().__str__()
            desk = go.desk("residents_committee")
            page = desk.refused(go.do("contributions", "ledger.closed"), {"reason": "试行结清。"})
            assert "未到账" in page
            clock.set_now(clock.now() + dt.timedelta(days=1))
            day = clock.today().isoformat()
    go.send("residents_committee", "contributions", "ledger.closed", {"reason": "全部到账。"})
    for lot in lots(go, "tender"):
        tender(go, lot)
    go.standing_at("construction")


def works(go: Journey) -> None:
    """施工公开: progress, a finding followed to its re-check, a large change publicised anew."""
    step = "construction"

    def add(who, **data):
        go.send(who, step, "entry.added", {"on": clock.today().isoformat(), **data})

    add("contractor", kind="progress", percent=40, text="完成四成。", photos=[go.picture()])
    add("office", kind="payment", yuan="800000.00", payee="contractor", text="首期进度款。")
    watcher = go.walker(go.town.staff["resident_supervisor"])
    watcher.go(f"/cases/{go.number}/")
    watcher.page.get_by_role("link", name="登记监督发现").first.click()
    watcher.page.wait_for_load_state()
    watcher.fill({"on": clock.today().isoformat(), "area": "safety", "text": "脚手架未挂安全网。"})
    watcher.page.locator("main form.form .actions button").first.click()
    watcher.page.wait_for_url("**/done/**", timeout=5000)
    entry = go.run(step).ledger_entries.get(kind="finding")
    page = go.desk("office").refused(go.do(step, "ledger.closed"), {"reason": "试行结清。"})
    assert "待整改" in page
    fixed = {"entry": entry.pk, "to": "fixed", "note": "安全网已补挂。"}
    go.send("contractor", step, "entry.moved", fixed)
    checked = {"entry": entry.pk, "to": "checked", "note": "复查合格，已到位。"}
    go.send("resident_supervisor", step, "entry.moved", checked)

    add(
        "office",
        kind="change",
        text="北侧道路改为透水铺装。",
        reason="雨季积水。",
        yuan="900000.00",
        percent=12,
    )
    (child,) = Case.objects.filter(parent=go.run(step))
    add("contractor", kind="progress", percent=60, text="公示期间不停工。")
    run = StepRun.objects.get(process=child, name="publicity")
    places = list(run.postings.values_list("place", flat=True))
    go.send(
        "residents_committee",
        "publicity",
        "notice.posted",
        {"places": places, "photos": [go.picture() for _place in places]},
        number=child.number,
    )
    page = go.desk("office").refused(go.do(step, "ledger.closed"), {"reason": "试行结清。"})
    assert "公示中" in page
    run.refresh_from_db()
    clock.set_now(max(run.scheduled, clock.now()) + dt.timedelta(hours=9))
    sweep.sweep()
    assert go.run(step).ledger_entries.get(kind="change").state == "established"
    go.standing_at(step)
    back = go.desk("contractor").refused(
        go.do(step, "entry.added"),
        {"kind": "progress", "on": clock.today().isoformat(), "percent": 30, "text": "进度倒退。"},
    )
    assert "进度不能低于" in back
    add("contractor", kind="progress", percent=100, text="全部完工。")
    go.send("office", step, "ledger.closed", {"reason": "工程完工，问题均已复查。"})


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


def acceptance_fails_once(go: Journey) -> None:
    """联合验收+综合评分: one reasoned failure is rectified, whatever the score; then all pass."""
    for who in SIX[:-1]:
        go.send(who, "acceptance", "panel.signed", {"decision": "approve", **POINTS})
    both = {**POINTS, "decision": "approve", "failed_quality": "地下室雨后积水。"}
    page = go.desk("residents_representative").refused(go.do("acceptance", "panel.signed"), both)
    assert "不能同时选择" in page
    people = go.walker(go.town.staff["residents_representative"])
    people.act(
        go.do("acceptance", "panel.signed"),
        {
            **{name: str(value) for name, value in POINTS.items()},
            "decision": "return",
            "failed_quality": "地下室雨后积水。",
            "reason": "排水不合格，应当整改。",
        },
    )
    go.standing_at("rectify")
    go.send(
        "contractor",
        "rectify",
        "task.done",
        {"items": "地下室排水", "measures": "更换水泵，试水合格。", "photos": [go.picture()]},
    )
    for who in SIX:
        go.send(who, "acceptance", "panel.signed", {"decision": "approve", **POINTS})
    go.standing_at("ask_results")
    public = go.walker(None)
    last = StepRun.objects.filter(process__number=go.number, name="acceptance").latest("pk")
    public.go(f"/cases/{go.number}/steps/{last.pk}/")
    public.sees("验收合格", "第 1 轮", "89")


def results_and_upkeep(go: Journey) -> None:
    """问效, 长效管理: every complaint answered, upkeep by ballot, handover."""
    step = "ask_results"
    resident = go.walker(go.town.resident(2))
    resident.act(go.do(step, "survey.answered"), {"answer": "satisfied"})
    resident.act(go.do(step, "opinion.submitted"), {"text": "门口的灯晚上不亮。"})
    for number in range(4, 10):
        go.clerk(go.town.resident(number)).act(
            go.do(step, "survey.answered"), {"answer": "very_satisfied"}
        )
    run = go.run(step)
    clock.set_now(run.scheduled + dt.timedelta(hours=9))
    sweep.sweep()
    go.standing_at(step)  # it may not close while a complaint waits
    opinion = Opinion.objects.get(life="submitted")
    go.send(
        "residents_committee",
        step,
        "opinion.replied",
        {
            "opinions": [opinion.pk],
            "outcome": "adopted",
            "public_text": "门口的灯晚上不亮。",
            "reason": "保修期内已更换。",
        },
    )
    go.standing_at("upkeep_ballot")
    ballot(
        go,
        "upkeep_ballot",
        (3,),
        questions="是否同意长效管理公约",
        matter="ordinary",
        reason="属于其他重大事项。",
    )
    go.send(
        "residents_committee",
        "handover",
        "task.done",
        {
            "keeper": "示范物业服务中心",
            "duties": "保洁、巡查，每季公布收支。",
        },
    )
    go.standing_at("upkeep")
    step = "upkeep"
    warranty = {
        "kind": "warranty",
        "on": clock.today().isoformat(),
        "item": "waterproof",
        "months": 24,
        "text": "屋面渗漏免费维修。",
    }
    page = go.desk("residents_committee").refused(go.do(step, "entry.added"), warranty)
    assert "不得少于60个月" in page
    go.send("residents_committee", step, "entry.added", {**warranty, "months": 60})
    go.due(step)
    desk = go.walker(go.town.staff["residents_committee"])
    desk.go("/inbox/")
    desk.sees("保修：1项“保修中”", "还有 30 天")
    page = go.desk("residents_committee").refused(
        go.do(step, "ledger.closed"), {"reason": "保修期满。"}
    )
    assert "保修中" in page
    go.due(step)
    go.send("residents_committee", step, "ledger.closed", {"reason": "保修期满，转入日常管理。"})
