"""Paper and page on equal terms: notices in the stairwells, forms at the door, typing them in.

Named after the source article: 在楼道公告栏公示20天; 逐户发放填写《老旧小区改造意见征求表》.
"""

from __future__ import annotations

import datetime as dt
import re
import time

import pytest

from processes.renovation.cast import Cast, photo
from processes.renovation.story import Story
from tests.pdfs import text_of
from workflows import clock
from workflows.models import DoorForm, Opinion, StepRun

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CODE = re.compile(r"[2-9A-Z]{5}(?:-[2-9A-Z]{5}){3}")
START = dt.datetime(2025, 3, 3, 9, tzinfo=clock.SHANGHAI)

KEYSTROKE, HANDLING = 0.28, 4.0
"""Seconds of an average typist for a key (Card, Moran and Newell's keystroke-level model), and for
taking the next sheet from the stack and holding it under the scanner."""
FORMS_AN_HOUR = 200


@pytest.fixture
def story(town):
    """A case of the town's estate, told by its own people."""

    def tell(stage: str) -> Story:
        keys = {name: person.pk for name, person in town.staff.items()}
        cast = Cast(
            office=keys["office"],
            committee=keys["residents_committee"],
            owners_committee=keys["owners_committee"],
            designer=keys["designer"],
            contractor=keys["contractor"],
            supervisor=keys["supervisor"],
            resident_supervisor=keys["resident_supervisor"],
            representative=keys["residents_representative"],
            reviewers={s: keys[s] for s in ("housing", "planning", "finance", "community")},
        )
        return Story(town.community, cast, START, title="示范小区改造").until(stage)

    return tell


def codes_of(content: bytes) -> list[str]:
    return list(dict.fromkeys(CODE.findall(text_of(content))))


def printed(clerk, path: str, data: dict | None = None) -> list[str]:
    response = clerk.client.post(path, data or {})
    assert response.status_code == 200, response
    return codes_of(response.content)


def test_a_notice_is_printed_put_up_and_photographed_by_phone(town, story, walker, clerk):
    case = story("design_publicity").case
    run = StepRun.objects.get(process=case, name="design_publicity", finished=None)
    desk = clerk(town.staff["residents_committee"])
    base = f"/cases/{case.number}/notices/{run.pk}/notice"
    codes = printed(desk, f"{base}/sheets.pdf")
    assert len(codes) == 4
    phone = walker(None)  # whoever puts them up has no account
    for number, code in enumerate(codes[:3]):
        phone.go(f"/p/{code}/")
        phone.sees("张贴地点", "登记张贴")
        phone.fits()
        file = photo(number)
        picture = {"name": "IMG_1.png", "mimeType": "image/png", "buffer": file.read()}
        phone.fill({"photos": picture})
        phone.page.locator("main form.form .actions button").click()
        phone.sees("已登记，谢谢")
    reader = walker(None, javascript=False)
    reader.go(f"/cases/{case.number}/")
    reader.sees("还没有张贴照片的地点", "已张贴 3 处，共 4 处")
    missing = reader.page.locator(".places .badge.is-overdue")
    assert missing.count() == 1
    reader.go(f"/cases/{case.number}/notices/")
    reader.sees("关于示范小区改造设计方案的公示", "A3，大字版（PDF）")
    reader.fits()


def test_a_household_answers_on_its_phone_by_the_code_on_its_form(town, story, walker, clerk):
    case = story("ask_needs").case
    run = StepRun.objects.get(process=case, name="ask_needs", finished=None)
    desk = clerk(town.staff["residents_committee"])
    codes = printed(desk, f"/cases/{case.number}/forms/{run.pk}/form.returned/print.pdf")
    assert len(codes) == 40
    phone = walker(None, javascript=False)
    phone.go("/f/")
    phone.fill({"code": codes[0].lower().replace("-", "")})
    phone.page.locator("main form.form .actions button").click()
    phone.sees("意见征求表", "屋面防水")
    phone.fits()
    phone.fill({"item_roof": "want", "text": "楼道很暗。"})
    phone.page.locator("main form.form .actions button").click()
    phone.page.wait_for_load_state()
    phone.sees("已登记，记录完好")
    phone.go(f"/f/{codes[0]}/")
    phone.sees("这份表已经在网上交过", "以先交的为准")
    assert Opinion.objects.count() == 2


def test_two_hundred_forms_an_hour_by_keyboard_alone(town, story, walker, clerk):
    """A scripted run: no mouse, the focus is always where the next key belongs, and keys, handling
    and waiting for the page leave room for two hundred forms an hour."""
    case = story("ask_needs").case
    run = StepRun.objects.get(process=case, name="ask_needs", finished=None)
    desk = clerk(town.staff["residents_committee"])
    base = f"/cases/{case.number}/forms/{run.pk}/form.returned"
    codes = printed(desk, f"{base}/print.pdf")
    typist = walker(town.staff["residents_committee"], width=1280)
    page = typist.page
    typist.go(f"{base}/type/")
    items = len(run.step.items)
    seconds = []
    for number, code in enumerate(codes[:12]):
        page.locator("#code:focus").wait_for()  # a page focuses when it is painted, not when parsed
        began, keys = time.monotonic(), 0
        page.keyboard.insert_text(code)  # the scanner
        page.keyboard.press("Enter")  # which it sends too
        page.wait_for_selector("[data-typing]")
        page.locator("input[type=radio]:focus").wait_for()
        for item in range(items):
            name = page.evaluate("document.activeElement.name")
            assert name == f"item_{list(run.step.items)[item]}"
            page.keyboard.press("120"[(number + item) % 3])
            keys += 1
        assert page.evaluate("document.activeElement.name") == "text"
        words = "楼道很暗" if number % 3 == 0 else ""
        page.keyboard.insert_text(words)
        keys += 4 * len(words)  # by pinyin
        page.keyboard.press("Control+Enter")
        keys += 2
        page.wait_for_selector("#code")
        waited = time.monotonic() - began  # of browser and server, scripts type in no time
        seconds.append(HANDLING + keys * KEYSTROKE + waited)
    typist.sees("第12号已登记", "已录入 12 份")
    assert DoorForm.objects.filter(via="paper").count() == 12
    said = Opinion.objects.filter(party_key=DoorForm.objects.get(serial=1).party_key)
    assert said.filter(stance="want").count() + said.filter(stance="not_want").count() == 10
    mean = sum(seconds) / len(seconds)
    print(f"{mean:.1f} s a form, {3600 / mean:.0f} an hour")
    assert mean <= 3600 / FORMS_AN_HOUR, seconds


def test_typing_works_without_scripts(town, story, walker, clerk):
    case = story("ask_needs").case
    run = StepRun.objects.get(process=case, name="ask_needs", finished=None)
    desk = clerk(town.staff["residents_committee"])
    base = f"/cases/{case.number}/forms/{run.pk}/form.returned"
    codes = printed(desk, f"{base}/print.pdf")
    typist = walker(town.staff["residents_committee"], javascript=False)
    typist.go(f"{base}/type/")
    page = typist.page
    page.keyboard.insert_text(codes[0])
    page.keyboard.press("Enter")
    page.locator("[data-typing]").wait_for()
    typist.fits()
    page.locator("#id_item_roof_0").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    typist.sees("第1号已登记")
    assert Opinion.objects.get().item == "roof"
