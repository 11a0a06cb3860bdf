"""An old estate is walked from its application to a vote that carries."""

from __future__ import annotations

from workflows import clock
from workflows.models import Opinion

from .renovation_walk import BIG, FILE, SPECIAL, Journey, ballot, meeting


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
