"""An old estate is walked from its design to a closed case."""

from __future__ import annotations

import datetime as dt

from processes.renovation.cast import paper
from workflows import clock, sweep
from workflows.models import Case, Objection, Opinion, StepRun

from .renovation_walk import POINTS, SIX, Journey, at, ballot, lots, meeting, tender


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
