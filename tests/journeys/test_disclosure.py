"""An application for government information, by way of the pages.

Named after the Regulations on Open Government Information: 一次性告知补正 (30),
书面征求第三方的意见 (32), 征求意见所需时间不计算 and 延长 (33), 区分处理 (37), 复议和诉讼 (51),
主动公开 (44), 年度报告 (50).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import subprocess
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops

from processes.community.models import Office, Person
from processes.disclosure.replies import CheckForm
from processes.disclosure.story import PDF, WISH
from workflows import clock, records, sweep
from workflows.models import Case, LedgerEntry, StepRun

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]

FILE = {"name": "身份证明.pdf", "mimeType": "application/pdf", "buffer": PDF}
NAME, FIRM, TELEPHONE = "王示范", "示范建设公司", "13800000000"
VAGUE = "那个工程的材料"
TOPIC = "示范路雨污分流工程施工合同"


def on(month: int, day: int) -> None:
    """It is ten in the morning of that day; what was due has happened."""
    clock.set_now(dt.datetime(2026, month, day, 10, tzinfo=clock.SHANGHAI))
    sweep.sweep()


class Journey:
    """What the parts of the journey share."""

    def __init__(self, town, walker, folder: Path):
        self.town, self.walker, self.folder = town, walker, folder
        Office.objects.create(
            community=town.community.parent, kind="subdistrict", name="示范街道办事处"
        )
        person = Person.objects.create_user("applicant", password="示范密码一二三四")
        # On a phone, and without JavaScript.
        self.applicant = walker(person, javascript=False)
        self.at_home = person
        self.desks: dict = {}
        self.number = ""

    def desk(self, role: str):
        if role not in self.desks:
            self.desks[role] = self.walker(self.town.staff[role], width=1280)
        return self.desks[role]

    def path(self, step: str, act: str = "task.done", query: str = "") -> str:
        return f"/cases/{self.number}/do/{step}/{act}/{query}"

    def task(self, step: str, data: dict, role: str = "office") -> None:
        """An officer finds the task in the inbox, and does it."""
        desk = self.desk(role)
        desk.go("/inbox/")
        assert desk.page.locator(f'a[href="{self.path(step)}"]').count(), f"no {step} in the inbox"
        desk.act(self.path(step), data)

    def ends(self, step: str) -> str:
        return StepRun.objects.get(
            process__number=self.number, name=step, finished=None
        ).ends_on.isoformat()

    def letter(self, walker, title: str) -> str:
        """Download a letter from the page of the case, look at it, read it."""
        walker.go(f"/cases/{self.number}/")
        link = walker.page.get_by_role("link", name=re.compile(title)).last
        with walker.page.expect_download() as caught:
            link.click()
        path = self.folder / f"{title}.pdf"
        caught.value.save_as(path)
        looked_at(path)
        text = subprocess.run(["pdftotext", "-raw", path, "-"], capture_output=True, check=True)
        return "".join(text.stdout.decode().split())


def looked_at(path: Path) -> None:
    """Each page is A4, and more than a bare sheet; the head is in red as official letters are."""
    subprocess.run(["pdftoppm", "-r", "50", "-png", path, path.with_suffix("")], check=True)
    pages = sorted(path.parent.glob(f"{path.stem}-*.png"))
    assert pages
    first = Image.open(pages[0]).convert("RGB")
    assert abs(first.width / first.height - 210 / 297) < 0.01
    top = first.crop((0, 0, first.width, first.height // 4))
    red, green, blue = (band.point(lambda value: 255 * (value > 150)) for band in top.split())
    assert ImageChops.subtract(red, ImageChops.lighter(green, blue)).getbbox()
    for page in pages:
        assert sum(Image.open(page).convert("L").histogram()[:120]) > 100, page


@pytest.fixture
def go(town, walker, tmp_path) -> Journey:
    on(3, 2)
    return Journey(town, walker, tmp_path)


def test_an_application_from_a_phone_to_the_annual_report(go):
    applies(go)
    is_asked_to_correct(go)
    a_third_party_is_consulted(go)
    the_term_is_extended(go)
    is_answered_in_part(go)
    is_opened_to_everybody(go)
    a_reconsideration_is_noted(go)
    the_year_is_reported(go)
    case = Case.objects.get()
    assert case.outcome == "answered"
    assert records.first_fault(case) is None
    nothing_private_is_public(go)
    every_page_is_accessible_in_both_languages(go)


def applies(go: Journey) -> None:
    """书面形式 (29), by the network (31): nothing runs before both sides have confirmed."""
    phone = go.applicant
    phone.go("/procedures/disclosure/")
    phone.page.get_by_role("link", name="提出申请").click()
    phone.fits()
    form = {"kind": "person", "name": NAME, "contact": TELEPHONE, "description": VAGUE}
    form |= {"form": "electronic", "way": "web", "suggests": True}
    phone.fill(form)  # the proof of identity is missing
    phone.page.locator("main form.form .actions button").first.click()
    phone.sees("请选择文件")
    phone.fill({"identity": FILE})
    phone.page.locator("main form.form .actions button").first.click()
    phone.page.wait_for_load_state()
    assert "/done/" in phone.page.url, phone.page.locator("main").inner_text()
    phone.fits()
    go.number = Case.objects.get().number
    on(3, 3)
    go.task("receive", {"confirmed_on": "2026-03-03"})
    assert go.ends("examine") == "2026-03-12"  # 7 working days


def is_asked_to_correct(go: Journey) -> None:
    """一次性告知补正: the letter says what, and until when."""
    asked = {"asked_for": "请写明工程的名称和年份。", "days": "15", "chosen": "unclear"}
    go.task("examine", asked)
    text = go.letter(go.applicant, "补正告知书")
    for said in (f"{NAME}：", "第三十条", "请写明工程的名称和年份", "至2026年3月24日"):
        assert said in text, said
    on(3, 6)
    phone = go.applicant
    phone.go("/my/")
    phone.page.locator(f'a[href="{go.path("complete")}"]').first.click()
    phone.sees("请写明工程的名称和年份")
    phone.act(go.path("complete"), {"description": WISH})
    assert go.ends("handle") == "2026-04-03"  # 20 working days from the correction


def a_third_party_is_consulted(go: Journey) -> None:
    """书面征求第三方的意见; 所需时间不计算."""
    go.task("handle", {"note": "合同涉及施工单位。", "chosen": "consult"})
    office = go.desk("office")
    entry = {"on": "2026-03-06", "name": FIRM, "text": "拟公开施工合同全文，含单价分析表。"}
    office.go(f"/cases/{go.number}/")
    office.act(go.path("consult", "entry.added", "?kind=letter"), entry)
    text = go.letter(office, "征求意见书")
    for said in (f"{FIRM}：", "第三十二条", "15个工作日", "单价分析表", "意见回执", "不同意公开"):
        assert said in text, said
    assert NAME not in text
    row = LedgerEntry.objects.get()
    move = f"?entry={row.pk}&to="
    reached = {"on": "2026-03-06"}
    office.act(go.path("consult", "entry.moved", f"{move}reached"), reached)
    on(3, 16)
    answer = {"on": "2026-03-16", "text": "单价是商业秘密，其余同意公开。", "papers": FILE}
    office.act(go.path("consult", "entry.moved", f"{move}objected"), answer)
    office.act(go.path("consult", "ledger.closed"), {"reason": "意见已收到。"})
    assert go.ends("handle") == "2026-04-14"  # seven working days stood still


def the_term_is_extended(go: Journey) -> None:
    """经负责人同意并告知申请人."""
    go.task("handle", {"note": "附件较多，需要逐项审查。", "chosen": "extend"})
    approved = {"days": "10", "reason": "review", "chosen": "approved"}
    go.task("extend", approved, role="office_head")
    go.task("notify", {"on": "2026-03-16", "way": "web"})
    assert go.ends("handle") == "2026-04-28"
    text = go.letter(go.applicant, "延期答复告知书")
    for said in ("第三十三条", "延长10个工作日", "至2026年4月28日"):
        assert said in text, said


def is_answered_in_part(go: Journey) -> None:
    """区分处理: what can be opened is; a second person reads it; the remedies are told."""
    on(3, 20)
    go.task("handle", {"note": "已检索。", "chosen": "decide"})
    draft = {"outcome_code": "granted", "topic": TOPIC, "text": "现予公开。", "materials": FILE}
    refused = go.desk("office").refused(go.path("decide"), draft)
    assert "应当认定公共利益" in refused
    draft |= {"outcome_code": "partial", "ground": "third_party"}
    draft["text"] = "施工合同除单价分析表外现予公开，见附件。单价分析表属于商业秘密，不予公开。"
    go.task("decide", draft)
    go.task("check", {"note": "请写明第三方意见。", "chosen": "returned"}, role="checker")
    go.task("decide", {"materials": FILE})  # the draft is still there
    every = {"checks": list(CheckForm.CHECKS), "chosen": "approved"}
    go.task("check", every, role="checker")
    phone = go.applicant
    phone.go(f"/cases/{go.number}/")
    assert "单价分析表" not in phone.page.locator("main").inner_text()  # not before it is sent
    go.task("deliver", {"on": "2026-03-20", "way": "web"})
    text = go.letter(phone, "答复书")
    for said in (
        "示范街道办事处",
        "依申请〔2026〕1号",
        f"{NAME}：",
        WISH,
        "部分公开（条例第三十七条）",
        "损害第三方合法权益（条例第十五条）",
        "60日内",
        "行政复议",
        "行政诉讼",
        "2026年3月20日",
    ):
        assert said in text, said


def is_opened_to_everybody(go: Journey) -> None:
    """主动公开 (44): the applicant suggested it; the office has looked, and opened it."""
    listed = {"name": TOPIC, "reason": "涉及公共工程，公众关心。", "chosen": "listed"}
    go.task("open_list", listed)
    anyone = go.walker(None, javascript=False)
    anyone.go("/disclosure/")
    anyone.page.locator("main a").first.click()
    anyone.go("/disclosure/street/open-list/")
    anyone.sees(TOPIC, go.number)


def a_reconsideration_is_noted(go: Journey) -> None:
    """申请行政复议 (51), as the annual report counts it."""
    on(4, 13)
    office = go.desk("office")
    noted = {"kind": "reconsideration", "result": "pending", "on": "2026-04-10"}
    office.go(f"/cases/{go.number}/")
    office.page.get_by_role("link", name="登记复议、诉讼").first.click()
    office.act(go.path("case", "remedy.entered"), noted)
    office.act(go.path("case", "remedy.entered"), {**noted, "result": "kept"})


def the_year_is_reported(go: Journey) -> None:
    """收到和处理政府信息公开申请的情况 (50), counted from the records."""
    anyone = go.walker(None, javascript=False)
    anyone.go("/disclosure/street/report/2026/")
    anyone.sees("收到和处理政府信息公开申请情况", "按期答复")
    with anyone.page.expect_download() as caught:
        anyone.page.get_by_role("link", name="下载表格").click()
    content = Path(caught.value.path()).read_text(encoding="utf-8-sig")
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(content)) if row}
    assert rows["一、本年新收政府信息公开申请数量"] == ["1", "0", "0", "0", "0", "0", "1"]
    part = next(cells for title, cells in rows.items() if "部分公开" in title)
    assert part == ["1", "0", "0", "0", "0", "0", "1"]
    assert rows["行政复议"] == ["1", "0", "0", "0", "1"]
    assert rows["按期答复"] == ["1"]


def nothing_private_is_public(go: Journey) -> None:
    anyone = go.walker(None)
    base = f"/cases/{go.number}/"
    steps = [f"{base}steps/{run.pk}/" for run in StepRun.objects.exclude(name="opening")]
    for path in (base, f"{base}records/", f"{base}records.jsonl", *steps):
        answer = anyone.page.request.get(anyone.address + path)
        if answer.status == 404:  # a node between steps
            continue
        for secret in (NAME, TELEPHONE, WISH, VAGUE, FIRM, "单价是商业秘密", "见附件"):
            assert secret not in answer.text(), f"{path}: {secret}"


WRITTEN = re.compile("示范|依申请〔|简体|中文|公众关心|意见已收到|政府信息公开申请$")
"""What people wrote and how the case is called, which stays in the language of the record."""


def every_page_is_accessible_in_both_languages(go: Journey) -> None:
    """On a phone and on a desk; the English pages hold no Chinese but what people wrote."""
    base = f"/cases/{go.number}/"
    public = ["/procedures/disclosure/", "/disclosure/", "/disclosure/street/report/2026/"]
    public += ["/disclosure/street/open-list/", base, f"{base}records/"]
    own = [base, "/my/", "/procedures/disclosure/open/"]
    offices = [base, "/inbox/", "/procedures/disclosure/open/", go.path("case", "remedy.entered")]
    readers = ((None, public), (go.at_home, own), (go.town.staff["office"], offices))
    for language in ("zh-CN", "en-GB"):
        for width in (390, 1280):
            for person, paths in readers:
                reader = go.walker(person, language=language, width=width)
                for path in paths:
                    reader.go(path)
                    reader.fits()
                    found = Axe().run(reader.page, options={"resultTypes": ["violations"]})
                    assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
                    name = path.strip("/").replace("/", "-") or "home"
                    who = getattr(person, "username", "anyone")
                    reader.picture(go.folder / f"{language}-{width}-{who}-{name}.png")
                    if language == "en-GB" and person is None:
                        in_english(reader)


def in_english(reader) -> None:
    for line in reader.page.locator("main").inner_text().splitlines():
        if re.search("[\u4e00-\u9fff]", line):
            assert WRITTEN.search(line), f"{reader.page.url}: {line}"
