"""An appeal from a phone to its review, by way of the pages.

Named after the source article: 即时受理、分类转办、限时答复、全程督办、跟踪问效.
"""

from __future__ import annotations

import datetime as dt
import re

import pytest

from processes.appeals import demo
from processes.appeals.models import Appeal
from processes.appeals.story import picture
from tests import factories
from workflows import clock, records, sweep
from workflows.models import Attachment, Case

from .test_pages import sound

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHOTO = {"name": "IMG_1.jpg", "mimeType": "image/jpeg", "buffer": picture().read()}
ANSWER = {
    "decision": "replied",
    "answer": "王示范您好，楼道灯已经换好。",
    "result": "solved",
    "note": "已更换楼道灯。",
}


def at(month: int, day: int, hour: int = 9) -> None:
    """Time goes on; the clock does what is due."""
    clock.set_now(dt.datetime(2026, month, day, hour, tzinfo=clock.SHANGHAI))
    sweep.sweep()


@pytest.fixture
def units(town) -> dict:
    """Those who handle: two persons of one unit, one of another, the supervising body."""
    street = town.community.parent
    make = factories.make_person
    return {
        "office": town.staff["office"],
        "overseer": town.staff["overseer"],
        "first": make("housing1", "handler:housing", community=street),
        "second": make("housing2", "handler:housing", community=street),
        "city": make("city1", "handler:city", community=street),
    }


def submitted(page) -> None:
    page.locator("main form.form .actions button").first.click()
    page.wait_for_load_state()


@pytest.mark.city
def test_即时受理_分类转办_限时答复_全程督办_跟踪问效(town, units, walker):
    at(3, 3)
    # 即时受理: on a phone, without an account, without JavaScript
    phone = walker(None, javascript=False)
    page = phone.go("/")
    page.get_by_role("navigation").get_by_role("link", name="提诉求").click()
    page.locator("#place").select_option("estate")
    page.locator("main form button").click()
    phone.fits()
    phone.fill(
        {
            "kind": "repair",
            "text": "一单元楼道灯坏了，我是王示范，电话13812345678。",
            "building": "1号楼",
            "spot": "一单元三楼拐角",
            "point": "36.8131，118.0548",
            "photos": PHOTO,
            "name": "王示范",
            "may_show": True,
        }
    )
    submitted(page)
    receipt = page.url.removeprefix(phone.address)
    assert receipt.startswith("/r/")
    phone.sees("已登记，记录完好", "一单元楼道灯坏了", "一单元三楼拐角", "撤回")
    phone.fits()
    case = Case.objects.get()
    assert Attachment.objects.get().public is False

    # 分类转办: returned once, with a reason, and given to the right unit
    do = f"/cases/{case.number}/do"
    office = walker(units["office"])
    office.go("/inbox/")
    office.sees(case.number)
    given = {"decision": "assigned", "kind": "repair", "unit": "city"}
    refused = office.refused(f"{do}/classify/task.done/", {**given, "wording": "王示范家门口灯坏"})
    assert "个人信息" in refused
    office.act(f"{do}/classify/task.done/", {**given, "wording": "楼道灯不亮"})
    city = walker(units["city"])
    city.go("/inbox/")
    city.sees(case.number)
    back = {"decision": "returned", "reason": "不属于城市管理职责。"}
    city.act(f"{do}/handle/task.done/", back)
    city.go(f"/cases/{case.number}/")
    assert "王示范" not in city.page.content()  # no longer theirs
    office.act(f"{do}/classify/task.done/", {**given, "unit": "housing"})

    # 限时答复: the yellow card the day before the last
    at(3, 9)
    first = walker(units["first"])
    first.go(f"/cases/{case.number}/")
    first.sees("黄牌提醒", "王示范", "一单元三楼拐角")
    again = "已经退回过一次"
    assert again in first.refused(f"{do}/handle/task.done/", back)
    first.act(f"{do}/handle/task.done/", {**ANSWER, "photos": PHOTO})

    # 跟踪问效: not satisfied, another person takes it up; still not, it is supervised
    phone.go(receipt)
    phone.sees("已经换好")
    assert phone.page.locator("main ul.photos img").count() == 2
    phone.page.get_by_role("link", name="满意度评价").click()
    phone.fill({"rating": "unsatisfied", "comment": "晚上还是不亮。"})
    submitted(phone.page)
    rework = {name: value for name, value in ANSWER.items() if name != "decision"}
    first.go(f"{do}/rework/task.done/")
    first.sees("须由另一人办理")
    assert first.page.locator("main form.form").count() == 0
    second = walker(units["second"])
    second.go(f"{do}/rework/task.done/")
    second.sees("晚上还是不亮。")
    second.act(f"{do}/rework/task.done/", rework)
    phone.go(f"{receipt}do/rate_again/task.done/")
    phone.fill({"rating": "unsatisfied"})
    submitted(phone.page)

    # 全程督办
    first.act(f"{do}/supervised/task.done/", rework)
    overseer = walker(units["overseer"])
    overseer.go("/inbox/")
    overseer.sees(case.number)
    found = {"decision": "settled", "finding": "已到现场核查，照明恢复正常。"}
    overseer.act(f"{do}/inspect/task.done/", found)
    phone.go(receipt)
    phone.sees("已到现场核查")

    # what everybody reads names nobody
    anybody = walker(None)
    for path in ("/appeals/", f"/cases/{case.number}/", f"/cases/{case.number}/records/"):
        anybody.go(path)
        shown = anybody.page.content()
        for private in ("王示范", "13812345678", "拐角", "36.8131", "晚上还是不亮", "您好"):
            assert private not in shown, (path, private)
    anybody.go("/appeals/?q=楼道&place=estate")
    anybody.sees(case.number, "楼道灯不亮", "示范小区1号楼", "已办结")
    assert records.first_fault(Case.objects.get()) is None


@pytest.mark.city
def test_红牌_超期转督办_来电登记(town, units, walker):
    at(3, 3)
    office = walker(units["office"], width=1280)
    office.go("/appeals/")
    office.page.get_by_role("link", name="登记来电、来访、来信").click()
    office.page.locator("#place").select_option("estate")
    office.page.locator("main form button").click()
    told = {"way": "phone", "happened_on": "2026-03-02", "kind": "safety"}
    office.fill({**told, "text": "井盖松动，走上去会响。"})
    submitted(office.page)
    assert office.page.get_by_role("button", name="打印回执").is_visible()
    code = office.page.locator(".receipt-code").inner_text().strip()
    case = Case.objects.get()
    given = {"decision": "assigned", "kind": "safety", "unit": "housing", "joint": ["city"]}
    office.act(f"/cases/{case.number}/do/classify/task.done/", given)
    at(3, 6)  # two working days for a danger: the red card on the third
    overseer = walker(units["overseer"])
    overseer.go("/appeals/?state=red")
    overseer.sees(case.number, "红牌（超期）")
    overseer.go(f"/cases/{case.number}/")
    overseer.sees("督办件办理", "井盖松动")
    caller = walker(None)
    caller.go("/r/")
    caller.page.locator("#r-code").fill(code)
    caller.page.locator("main form button").click()
    caller.sees("井盖松动", "提出诉求", "督办件办理", "超期，转督办")
    done = office.page.url.removeprefix(office.address)
    sound(office, [f"/cases/{case.number}/", "/inbox/", "/appeals/enter/"])
    sound(caller, [f"/r/{code}/"])
    slip = walker(units["office"])
    sound(slip, [done] if "/done/" in done else [])


def test_every_page_of_appeals_is_accessible(town, units, walker):
    today = dt.datetime(2026, 11, 24, 12, tzinfo=clock.SHANGHAI)
    clock.set_now(today)
    list(demo.load(today))
    clock.set_now(today)
    appeals = {row.case.runs.filter(finished=None).first(): row for row in Appeal.objects.all()}
    open_at = {run.name: row.case for run, row in appeals.items() if run is not None}
    public = ["/", "/appeals/", "/appeals/?q=没有", "/appeals/?state=red", "/appeals/new/"]
    public += ["/appeals/new/?place=demo-lane", "/procedures/appeals/"]
    public += [case.get_absolute_url() for case in Case.objects.order_by("pk")[4:10]]
    sound(walker(None), public)
    sound(walker(None, language="en-GB"), ["/appeals/", "/appeals/new/?place=demo-lane"])
    english = walker(None, language="en-GB")
    named = re.compile("示范|中文|简体|号楼")
    for path in ("/appeals/new/", "/appeals/new/?place=demo-lane", "/procedures/appeals/"):
        english.go(path)
        for line in english.page.locator("main").inner_text().splitlines():
            assert named.search(line) or not re.search("[\u4e00-\u9fff]", line), (path, line)
    sound(walker(None, width=1280), ["/appeals/", open_at["supervised"].get_absolute_url()])
    office = walker(units["office"])  # serves another sub-district
    office.go("/appeals/")
    people = {each: factories.Person.objects.get(username=each) for each in demo.STAFF}
    pages = {
        "jiedao": ["/appeals/enter/?place=demo-lane", "classify", "screen"],
        "zhujian1": ["handle", "supervised"],
        "zhujian2": ["rework"],
        "duban": ["inspect"],
    }
    for who, wanted in pages.items():
        paths = [
            page if "/" in page else f"/cases/{open_at[page].number}/do/{page}/task.done/"
            for page in wanted
            if "/" in page or open_at[page]
        ]
        sound(walker(people[who]), paths)
