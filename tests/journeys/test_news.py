"""A resident follows a case, is told by e-mail and on the page, asks why, and leaves."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from notifications import worker
from notifications.models import Channel
from processes.renovation.procedure import Renovation
from tests.journeys.walker import Walker
from tests.notifications.conftest import post  # noqa: F401 - a fixture
from workflows import acts, clock
from workflows.parties import Party

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NINE = dt.datetime(2026, 3, 3, 9, tzinfo=clock.SHANGHAI)


def opener(town) -> Party:
    role = Renovation.opened_by[0]
    pk = town.staff[role].pk
    return Party(role, f"person:{pk}", pk)


def sound(walker) -> None:
    """The page fits, and axe finds nothing."""
    walker.fits()
    found = Axe().run(walker.page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, f"{walker.page.url}\n{found.generate_report()}"
    if folder := os.environ.get("SANWEN_PICTURES"):
        name = re.sub(r"\W+", "-", walker.page.url.split("/", 3)[3])[:30]
        width = walker.page.viewport_size["width"]
        walker.picture(Path(folder) / f"{name}-{width}.png")


def press(walker, name: str) -> None:
    walker.page.get_by_role("button", name=name).first.click()
    walker.page.wait_for_load_state()


@pytest.mark.parametrize(("javascript", "width"), [(False, 390), (True, 1200)])
def test_a_resident_follows_is_told_asks_why_and_leaves(
    town, walker, post, javascript, width  # noqa: F811
):  # fmt: skip
    clock.set_now(NINE)
    case = acts.open_case(Renovation, town.community, opener(town), title="示范小区改造", demo=True)
    worker.run_once()
    resident = town.resident(1)
    phone = walker(resident, javascript=javascript, width=width)
    looker = walker(resident, width=width)  # axe needs scripts
    phone.go(case.get_absolute_url())
    phone.page.get_by_role("link", name="关注本事项").click()
    press(phone, "关注")
    phone.sees("已关注")
    looker.go(f"/news/follow/?case={case.number}")
    sound(looker)

    phone.go("/news/settings/")
    phone.page.locator("summary", has_text="添加邮箱").click()
    phone.page.locator('[name="kind"][value="email"]').check()
    phone.page.locator('[name="address"]').fill("resident@example.org")
    press(phone, "发送验证码")
    code = re.search(r"\d{6}", post.mails[0].get_content())
    assert code is not None
    looker.go("/news/settings/")
    sound(looker)
    phone.page.locator('[name="code"]').fill("000000" if code[0] != "000000" else "111111")
    press(phone, "验证")
    phone.sees("验证码不对")
    phone.page.locator('[name="code"]').fill(code[0])
    press(phone, "验证")
    phone.sees("已验证", "r***@example.org")

    office = Party("office", f"person:{town.staff['office'].pk}", town.staff["office"].pk)
    acts.perform(case, "case", "case.suspended", office, {"reason": "等待上级批复资金"})
    clock.set_now(NINE.replace(hour=18))
    worker.run_once()
    mail = post.mails[1]
    text = mail.get_body(("plain",)).get_content()
    assert "等待上级批复资金" in text
    phone.go("/news/")
    phone.sees("示范小区改造", "等待上级批复资金", "您关注了")
    looker.go("/news/")
    sound(looker)
    phone.page.get_by_role("link", name="为什么收到").first.click()
    phone.sees("为什么收到这条消息", "站内消息")
    looker.go(phone.page.url.removeprefix(phone.address))
    sound(looker)

    leave = mail["List-Unsubscribe"].strip(" <>").removeprefix("https://sanwen.example.org")
    stranger = walker(None, javascript=javascript, width=width)
    stranger.go(leave)
    stranger.sees("r***@example.org")
    press(stranger, "退订")
    stranger.sees("已退订")
    assert Channel.objects.get(kind="email").closed_at
    stranger.go(f"/news/follow/?case={case.number}")
    stranger.sees("登录后关注", "Atom")


def test_staff_see_what_waits_in_an_outlet_and_why_and_push_once_a_day(town, walker):
    clock.set_now(NINE)
    office = town.staff["office"]
    desk = walker(office, width=1200)
    desk.go("/news/queue/")
    desk.sees("还没有发布渠道")
    desk.page.locator('[name="title"]').fill("示范街道公众号")
    desk.page.locator('[name="place"]').select_option(label="示范街道")
    press(desk, "添加")
    desk.sees("示范街道公众号", "没有等待发布的内容")
    for number in (1, 2):
        party = Party("office", f"person:{office.pk}", office.pk)
        if number == 1:
            case = acts.open_case(
                Renovation, town.community, opener(town), title="示范小区改造", demo=True
            )
        else:
            acts.perform(case, "case", "case.suspended", party, {"reason": "等待批复"})
        worker.run_once()
        desk.go("/news/queue/")
        if number == 1:
            desk.sees("等待人工推送")
            sound(desk)
            press(desk, "登记为已推送")
            desk.sees("已登记为推送", "今天已发 1 次")
        else:
            desk.sees("今天的次数已用完")
    phone = walker(office)
    phone.go("/news/queue/")
    sound(phone)
    resident = walker(town.resident(1))
    assert resident.page.goto(resident.address + "/news/queue/").status == 403
    english = walker(office, language="en")
    english.go("/news/queue/")
    english.sees("Channels", "quota")
    resident.errors.clear()


def test_a_case_that_is_looked_at_changes_without_reload(town, browser, sockets):
    clock.set_now(NINE)
    case = acts.open_case(Renovation, town.community, opener(town), title="示范小区改造", demo=True)
    reader = Walker(browser, sockets, None)
    reader.go(case.get_absolute_url())
    part = reader.page.locator("#current")
    expect(part).not_to_contain_text("已中止")
    before = part.inner_html()
    reader.page.evaluate("window.stays = true")
    office = Walker(browser, sockets, town.staff["office"])
    office.act(f"{case.get_absolute_url()}do/case/case.suspended/", {"reason": "等待批复"})
    reader.page.wait_for_function(
        "before => document.querySelector('#current').innerHTML !== before",
        arg=before,
        timeout=25_000,
    )
    assert reader.page.evaluate("window.stays"), "without reload"
    reader.close()
    office.close()
