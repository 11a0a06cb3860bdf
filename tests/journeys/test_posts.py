"""A call for public-welfare posts from the announcement to the last exit, by way of the pages.

Named after the source article: 岗位公开、职责公开、程序公开、结果公开、管理公开;
个人申请、民主评议、审核公示、岗前培训各环节把关; 监督举报专线; 退出管理.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess

import pytest

from processes.community.models import Person
from processes.public_posts.models import Applicant, Holder
from processes.public_posts.story import PDF, identity
from workflows import clock, records, sweep
from workflows.models import Case, StepRun

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.city]

FILE = {"name": "材料.pdf", "mimeType": "application/pdf", "buffer": PDF}
PROGRAMME = {"name": "身份证.png", "mimeType": "image/png", "buffer": b"MZ\x90\x00" + bytes(60)}
BORN = dt.date(1970, 5, 1)
YOUNG = dt.date(1999, 5, 1)


class Journey:
    """What the steps of the journey share."""

    def __init__(self, town, walker):
        self.walker = walker
        self.office = walker(town.staff["office"], width=1280)
        self.village = walker(town.staff["residents_committee"])
        names = {"jia": "演示申请人甲", "wu": "演示申请人戊", "lin": "演示邻居"}
        self.people = {
            name: Person.objects.create_user(name, display_name=shown)
            for name, shown in names.items()
        }
        self.number = ""

    def do(self, step: str, act: str, query: str = "") -> str:
        return f"/cases/{self.number}/do/{step}/{act}/{query}"

    def run(self, step: str) -> StepRun:
        return StepRun.objects.get(process__number=self.number, name=step, finished__isnull=True)

    def due(self, step: str) -> None:
        """Time passes until the open run of a step is due, and the sweep does it."""
        clock.set_now(max(self.run(step).scheduled, clock.now()) + dt.timedelta(hours=9))
        sweep.sweep()

    def on(self, day: str) -> None:
        clock.set_now(dt.datetime.combine(dt.date.fromisoformat(day), dt.time(9), clock.SHANGHAI))
        sweep.sweep()

    def confirmed(self, person, path: str, data, *sees: str) -> None:
        """An act about many: previewed, with what the preview must say, and confirmed."""
        person.go(path)
        person.fill(data)
        person.page.get_by_role("button", name="预览，还不提交").click()
        person.page.wait_for_load_state()
        person.sees("预览：还没有提交", *sees)
        person.fits()
        person.page.get_by_role("button", name="确认").click()
        person.page.wait_for_load_state()
        assert "/done/" in person.page.url, person.page.locator("main").inner_text()

    def told(self, at: int, sign: str, born: dt.date = BORN, **more):
        post = Case.objects.get(number=self.number).posts.get(number=1)
        return {
            "post": str(post.pk),
            "name": f"演示申请人{sign}",
            "identity": identity(born, at),
            "born": born.isoformat(),
            "village": "示范东村",
            "contact": "13800000000",
            "group": "rural_older",
            "pledge": True,
            "papers": FILE,
            **more,
        }

    def lives(self) -> dict[int, str]:
        rows = Applicant.objects.filter(case__number=self.number)
        return dict(rows.values_list("number", "life"))

    def standing_at(self, *steps: str) -> None:
        runs = StepRun.objects.filter(process__number=self.number, finished__isnull=True)
        assert set(runs.filter(status="STARTED").values_list("name", flat=True)) == set(steps)


def test_posts_are_filled_by_application_evaluation_publicity_and_training(town, walker):
    clock.set_now(dt.datetime(2026, 3, 2, 9, tzinfo=clock.SHANGHAI))
    go = Journey(town, walker)
    announced(go)
    applications_online_and_on_paper(go)
    check_with_a_refusal_and_an_objection(go)
    evaluation_by_two_thirds_with_a_relative_standing_back(go)
    vetting_source_by_source(go)
    publicity_with_an_objection_and_the_reserve_list(go)
    training_and_agreement(go)
    assessment_by_thirty_fifty_and_twenty(go)
    exits_and_the_end(go)

    case = Case.objects.get(number=go.number)
    assert case.outcome == "completed"
    assert records.first_fault(case) is None
    for record in case.records.all():
        said = json.dumps(record.body, ensure_ascii=False)
        assert record.canonical.isascii()
        assert not any(word in said for word in ("演示申请人", "1380000", "999999", "代表一"))
    reader = walker(None, javascript=False)
    reader.go(f"/cases/{go.number}/posts/1/")
    reader.sees("岗位公开", "职责公开", "程序公开", "结果公开", "管理公开", "0532-00000000", "演*")
    reader.go(f"/verify/?case={go.number}")
    reader.sees("全部衔接完好")


def announced(go: Journey) -> None:
    """岗位公开、职责公开: the office opens the call and announces two posts."""
    office = go.office
    office.go("/procedures/public_posts/open/")
    office.fill({"title": "2026年公益性岗位", "apply__term": 5})
    office.page.locator("main form.form .actions button").first.click()
    office.page.wait_for_load_state()
    assert "/cases/POST-" in office.page.url, office.page.locator("main").inner_text()
    go.number = office.page.url.rstrip("/").rsplit("/", 1)[1]
    office.act(
        go.do("announce", "task.done"),
        {
            "posts": "保洁员|示范东村|2|800|村道保洁\n护林员|示范西村|1|900|林地巡护",
            "conditions": "本街道户籍，有劳动能力",
            "groups": ["rural_older", "disabled"],
            "exclusions": ["enterprise_pension", "business"],
            "born_from_rural_older": "1961-03-01",
            "born_until_rural_older": "1981-03-01",
            "exit_rules": "期满退出，考核不合格退出",
            "steps": "申请、初审、评议、审核、公示、培训、上岗",
            "complaint_line": "0532-00000000",
            "channels": ["web", "board"],
        },
    )


def applications_online_and_on_paper(go: Journey) -> None:
    """个人申请: online on a phone without scripts; the village types in what came on paper."""
    phone = go.walker(go.people["jia"], javascript=False)
    phone.go(f"/cases/{go.number}/posts/1/")
    phone.sees("现在可以申请", "1961年3月1日至1981年3月1日出生")
    phone.page.get_by_role("link", name="申请这个岗位").click()
    phone.fits()
    path = phone.page.url.removeprefix(phone.address)
    said = phone.refused(path, go.told(1, "甲", YOUNG))
    assert "出生日期晚于公告规定的范围" in said
    assert "刚才选的照片和文件没有保留" in said
    phone.act(path, go.told(1, "甲"))
    phone.go("/my/")
    phone.sees("待初审", "查看我的申请")
    phone.fits()

    paper = go.do("apply", "application.handed_in")
    said = go.village.refused(paper, go.told(2, "乙", papers=PROGRAMME))
    assert "不能接收" in said or "无法识别" in said
    go.village.act(paper, go.told(2, "乙", household="代表一、演示家人"))
    go.village.act(paper, go.told(3, "丙"))
    go.village.act(paper, go.told(4, "丁"))
    young = go.walker(go.people["wu"])
    said = young.refused(paper, go.told(5, "戊", YOUNG))
    assert "仍然提交申请" in said
    # Whoever thinks that the table is wrong sends it all the same.
    young.fill({**go.told(5, "戊", YOUNG), "insist": True})
    young.page.locator("main form.form .actions button").first.click()
    young.page.wait_for_load_state()
    assert "/done/" in young.page.url, young.page.locator("main").inner_text()
    go.village.act(paper, go.told(6, "己"))
    assert len(go.lives()) == 6


def check_with_a_refusal_and_an_objection(go: Journey) -> None:
    """资格初审: papers are looked at one by one, the rest by the table; reasons for one alone."""
    go.due("apply")
    village = go.village
    village.go(f"/cases/{go.number}/posts/applications/?find=演示申请人己")
    village.page.get_by_role("link", name="6", exact=True).click()
    village.sees("申请材料", "演示申请人己", "13800000000")
    village.fits()
    village.page.get_by_role("link", name="单件不予通过").click()
    village.fill({"reason": "papers"})
    village.page.locator("main form.form .actions button").first.click()
    village.page.wait_for_load_state()
    go.office.go(go.do("check", "applications.checked"))
    go.office.sees("通过 4 件，不通过 1 件", "出生日期晚于公告规定的范围")
    go.office.act(go.do("check", "applications.checked"), {"confirm": True})
    assert [n for n, life in go.lives().items() if life == "refused"] == [5, 6]

    young = go.walker(go.people["wu"])
    young.go("/my/")
    young.sees("初审未通过", "出生日期晚于公告规定的范围", "24时前提出异议")
    young.page.get_by_role("link", name="提出异议").click()
    young.fill({"text": "请再核对。"})
    young.page.locator("main form.form .actions button").first.click()
    young.page.wait_for_load_state()
    stranger = go.walker(go.people["lin"])
    stranger.go(f"/cases/{go.number}/steps/{go.run('check').pk}/")
    assert "出生日期" not in stranger.page.locator("main").inner_text()
    decided = {"number": 5, "decision": "dismissed", "reason": "身份证上的日期超出公告范围。"}
    go.office.act(go.do("check", "refusal.decided"), decided)
    young.go("/my/")
    young.sees("身份证上的日期超出公告范围。")
    go.due("check")
    go.standing_at("evaluate")


def evaluation_by_two_thirds_with_a_relative_standing_back(go: Journey) -> None:
    """民主评议: one of three is too few; of two, one is in an applicant's household book."""
    village, invite = go.village, go.do("evaluate", "representatives.invited")
    held, sheet = go.do("evaluate", "evaluation.held"), go.do("evaluate", "sheet.entered")
    village.act(invite, {"names": "代表一\n代表二\n代表三"})
    village.act(held, {"present": "2"})
    assert StepRun.objects.filter(process__number=go.number, outcome="again").exists()
    village.act(invite, {"names": "代表一\n代表二\n代表三"})
    village.act(held, {"present": "1 2"})
    said = village.refused(sheet, {"representative": 1, "points": "1 95\n2 90\n3 80\n4 70"})
    assert "回避" in said
    village.act(sheet, {"representative": 1, "points": "1 95\n3 80\n4 70"})
    village.act(sheet, {"representative": 2, "points": "1 95\n2 90\n3 80\n4 70"})
    village.act(go.do("evaluate", "ranking.made"), {"confirm": True})
    reader = go.walker(None)
    reader.go(f"/cases/{go.number}/posts/1/")
    reader.sees("95.00", "90.00", "80.00", "70.00", "候补")
    assert "代表二" not in reader.page.locator("main").inner_text()


def vetting_source_by_source(go: Journey) -> None:
    """审核: each source is asked; one speaks against somebody, seen before it is sent."""
    ask = go.do("vet", "source.asked")
    go.confirmed(go.office, ask, {"source": "social_insurance"}, "社会保险")
    found = {"source": "business_register", "found": "4", "reason": "business"}
    go.confirmed(go.office, ask, found, "4 演示申请人丁", "审核未通过")
    go.confirmed(go.office, ask, {"source": "public_payroll"})
    go.office.go(f"/cases/{go.number}/steps/{go.run('vet').pk}/")
    go.office.sees("进度", "尚未核查：补贴享受记录")
    go.confirmed(go.office, ask, {"source": "subsidy_history"})
    go.standing_at("publicity")


def publicity_with_an_objection_and_the_reserve_list(go: Journey) -> None:
    """公示: an objection removes one; the next has a notice of their own, the others go on."""
    neighbour = go.walker(go.people["lin"], javascript=False)
    neighbour.go(f"/cases/{go.number}/posts/1/")
    neighbour.sees("任何人都可以在此前提出")
    neighbour.page.get_by_role("link", name="提出异议").click()
    neighbour.act(
        neighbour.page.url.removeprefix(neighbour.address),
        {"number": 2, "text": "已经在别处上班（演示）。"},
    )
    clock.set_now(clock.now() + dt.timedelta(days=3))
    go.office.go("/inbox/")
    go.office.sees("1件异议待核查")
    decided = {"objection": 1, "decision": "upheld", "reason": "经核查情况属实。"}
    moved = ("2 演示申请人乙", "公示异议成立", "3 演示申请人丙", "补充公示至")
    go.confirmed(go.office, go.do("publicity", "notice.decided"), decided, *moved)
    neighbour.go("/my/")
    neighbour.sees("经核查情况属实。")
    go.due("publicity")
    go.standing_at("supplement", "train", "onboard", "manage", "exit")
    assert go.lives() == {
        1: "cleared",
        2: "removed",
        3: "publicised",
        4: "barred",
        5: "refused",
        6: "refused",
    }


def training_and_agreement(go: Journey) -> None:
    """岗前培训, 上岗: attendance and test; an agreement to sign, opened as PDF."""
    train, sign = go.do("train", "training.entered"), go.do("onboard", "agreement.signed")
    go.confirmed(go.office, train, {"results": "1 88"}, "1 演示申请人甲", "培训合格")
    told = {"starts": "2026-04-20", "pension": "2040-05-01", "agreement": FILE}
    go.office.act(sign, {"number": 1, **told})
    go.due("supplement")
    assert go.lives()[3] == "cleared"
    go.confirmed(go.office, train, {"results": "3 75"})
    go.office.act(sign, {"number": 3, **told})
    go.office.go(f"/cases/{go.number}/steps/{go.run('onboard').pk}/")
    address = go.office.page.get_by_role("link", name="协议 1").get_attribute("href")
    paper = go.office.context.request.get(go.office.address + address)
    assert paper.headers["content-type"] == "application/pdf"
    shown = subprocess.run(
        ["pdftotext", "-raw", "-", "-"], input=paper.body(), capture_output=True, check=True
    )
    text = "".join(shown.stdout.decode().split())
    for words in ("演示申请人甲", "村道保洁", "2026年4月20日–2027年4月20日"):
        assert words in text
    own = go.walker(go.people["jia"])
    own.go(f"/cases/{go.number}/posts/applications/1/")
    own.sees("已上岗", "2026年4月20日")
    own.fits()


def assessment_by_thirty_fifty_and_twenty(go: Journey) -> None:
    """管理公开: village 30, sub-district 50, democratic 20, by the 10th; the mean is public."""
    go.on("2026-06-04")
    go.village.go("/inbox/")
    go.village.sees("2026年5月考核：4项待登记")
    assess = go.do("manage", "assessment.entered")
    month = {"month": "2026-05-01"}
    village = {**month, "part": "village", "points": "1 28\n3 26"}
    go.confirmed(go.village, assess, village, "28 + — + —")
    too_many = {**month, "part": "democratic", "points": "1 21\n3 15"}
    go.village.go(assess)
    go.village.fill(too_many)
    go.village.page.get_by_role("button", name="预览，还不提交").click()
    go.village.sees("分数不能超过20分")
    go.confirmed(go.village, assess, {**month, "part": "democratic", "points": "1 18\n3 16"})
    go.confirmed(go.office, assess, {**month, "part": "office", "points": "1 45\n3 40"})
    reader = go.walker(None)
    reader.go(f"/cases/{go.number}/posts/1/")
    reader.sees("月度考核平均分", "2026年5月")
    reader.page.get_by_text("用表格看数字").click()
    reader.sees("86.50")
    reader.fits()


def exits_and_the_end(go: Journey) -> None:
    """退出管理: each exit has its record; the vacancy waits for another call; lanes are closed."""
    go.on("2026-07-01")
    leave = go.do("exit", "holder.left")
    said = {"cause": "own_wish", "on": "2026-07-01", "note": "家中有事（演示）"}
    go.office.act(leave, {"number": 1, **said})
    filled = {"post": 1, "how": "new_call"}
    go.confirmed(go.office, go.do("exit", "vacancy.filled"), filled, "另行招聘")
    go.office.act(leave, {"number": 3, **said, "cause": "other_job"})
    assert {row.life for row in Holder.objects.all()} == {"left"}
    for lane in ("supplement", "train", "onboard", "manage", "exit"):
        go.office.act(go.do(lane, "lane.closed"), {"confirm": True})
