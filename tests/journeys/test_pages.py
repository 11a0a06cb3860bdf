"""Every page of a whole case: reachable by all three kinds of people, in both languages."""

from __future__ import annotations

import datetime as dt
import re
import zipfile

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from processes.community.models import Person
from processes.public_posts import story as posts
from processes.renovation.cast import Cast
from processes.renovation.story import Story
from workflows import clock, jobs, sweep
from workflows.models import Case, StepRun
from workflows.procedure import all_declared

pytestmark = [pytest.mark.browser, pytest.mark.slow]

START = dt.datetime(2025, 3, 3, 9, tzinfo=clock.SHANGHAI)


@pytest.fixture
def cast(town) -> Cast:
    """The people of the town in their parts."""
    keys = {name: person.pk for name, person in town.staff.items()}
    return Cast(
        office=keys["office"],
        committee=keys["residents_committee"],
        owners_committee=keys["owners_committee"],
        designer=keys["designer"],
        contractor=keys["contractor"],
        supervisor=keys["supervisor"],
        resident_supervisor=keys["resident_supervisor"],
        representative=keys["residents_representative"],
        reviewers={seat: keys[seat] for seat in ("housing", "planning", "finance", "community")},
    )


def story(town, cast, stage: str) -> Story:
    told = Story(town.community, cast, START, title="示范小区改造", demo=True)
    return told.until(stage)


def sound(walker, paths: list[str]) -> None:
    """Each page answers, fits a phone, and gives axe nothing to find."""
    axe = Axe()
    for path in paths:
        walker.go(path)
        walker.fits()
        found = axe.run(walker.page, options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"


def public_pages(case: Case) -> list[str]:
    runs = StepRun.objects.filter(process=case).exclude(name__in=("opening",))
    steps = {run.name: run.pk for run in runs if hasattr(run.flow_task, "kind")}
    base = f"/cases/{case.number}/"
    child = Case.objects.filter(parent__process=case).first()
    return [
        "/",
        "/cases/",
        "/search/?q=没有",
        "/procedures/",
        "/procedures/renovation/",
        "/verify/",
        "/r/",
        "/accessibility/",
        "/accounts/login/",
        "/accounts/signup/",
        base,
        base + "records/",
        base + "records/3/",
        *(f"{base}steps/{key}/" for key in steps.values()),
        f"{base}book/{steps['ask_needs']}/",
        f"/estates/{case.community.code}/",
        *([f"/cases/{child.number}/"] if child else []),
    ]


def test_every_public_page_of_a_finished_case_is_accessible(town, cast, walker):
    told = Story(town.community, cast, START, title="示范小区改造", demo=True).finish()
    case = Case.objects.get(pk=told.case.pk)
    assert case.outcome == "completed"
    sound(walker(None), public_pages(case))


def test_pages_in_english_have_no_chinese_but_what_people_wrote(town, cast, walker):
    told = story(town, cast, "design_publicity")
    case = Case.objects.get(pk=told.case.pk)
    reader = walker(None, language="en-GB")
    written = re.compile("示范|简体|中文|三问|问需|问计|问效|号楼|单元|室")
    sandbox = {str(p.title) for p in all_declared() if p.__module__.startswith("tests.")}
    for path in ["/", "/cases/", "/procedures/", "/procedures/renovation/", "/verify/", "/r/"]:
        reader.go(path)
        for line in reader.page.locator("main").inner_text().splitlines():
            if re.search("[\u4e00-\u9fff]", line) and line.strip() not in sandbox:
                assert written.search(line), f"{path}: {line}"
    sound(reader, ["/", f"/cases/{case.number}/", "/procedures/renovation/"])


def test_large_text_and_dark_are_accessible_too(town, cast, walker):
    told = story(town, cast, "ask_needs")
    reader = walker(None)
    reader.context.add_cookies([{"name": "text_size", "value": "large", "url": reader.address}])
    reader.page.emulate_media(color_scheme="dark")
    run = told.run("ask_needs")
    number = told.case.number
    sound(reader, ["/", f"/cases/{number}/", f"/cases/{number}/steps/{run.pk}/"])


def test_pages_of_people_who_act_are_accessible(town, cast, walker):
    told = story(town, cast, "ask_needs")
    number, run = told.case.number, told.run("ask_needs")
    do = f"/cases/{number}/do/ask_needs"
    resident = walker(town.resident(0))
    sound(resident, ["/my/", "/my/claim/", f"/cases/{number}/", f"{do}/opinion.submitted/"])
    receipt = resident.act(
        f"{do}/opinion.submitted/", {"item": "roof", "stance": "want", "text": "漏水。"}
    )
    sound(resident, [f"/r/{receipt}/", "/my/"])
    staff = walker(town.staff["residents_committee"])
    sound(
        staff,
        [
            "/inbox/",
            "/staff/rolls/",
            "/staff/codes/estate/",
            f"/cases/{number}/steps/{run.pk}/",
            f"{do}/opinion.submitted/?paper=1",
            f"{do}/household.visited/",
        ],
    )
    office = walker(town.staff["office"])
    sound(office, ["/procedures/renovation/open/", f"/cases/{number}/do/case/case.suspended/"])


def test_without_javascript_an_opinion_is_given_and_followed(town, cast, walker):
    told = story(town, cast, "ask_needs")
    old = walker(town.resident(0), javascript=False)
    receipt = old.act(
        f"/cases/{told.case.number}/do/ask_needs/opinion.submitted/",
        {"item": "roof", "stance": "want", "text": "顶楼漏水。"},
    )
    stranger = walker(None, javascript=False)
    stranger.go("/r/")
    stranger.page.locator("#r-code").fill(receipt.lower().replace("-", " "))
    stranger.page.locator("main form button").click()
    stranger.sees("提交意见", "尚无答复")


def test_signing_in_with_a_password_and_out_again(town, walker):
    visitor = walker(None)
    visitor.go("/accounts/login/?next=/inbox/")
    visitor.fill({"login": "residents_committee", "password": "示范密码一二三四"})
    visitor.page.locator("main form.form .actions button").first.click()
    visitor.page.wait_for_load_state()
    visitor.sees("待办", "退出")
    visitor.page.get_by_role("button", name="退出").click()
    visitor.page.wait_for_load_state()
    visitor.sees("登录")


def test_the_auditors_pages_are_accessible_and_work_without_javascript(town, cast, walker):
    told = story(town, cast, "ask_plans")
    number = told.case.number
    auditor = walker(town.staff["auditor"])
    auditor.go("/")
    auditor.page.get_by_role("link", name="审计", exact=True).click()
    auditor.sees(number)
    pages = ["/audit/", "/audit/?term=broken", "/audit/?since=2026-02-02&until=2026-01-01"]
    pages += ["/audit/take/?which=all", "/audit/downloads/"]
    sound(auditor, pages)
    sound(walker(town.staff["auditor"], language="en-GB"), pages)
    old = walker(town.staff["auditor"], javascript=False)
    old.go("/audit/?procedure=renovation")
    old.page.locator(f"#pick-{number}").check()
    old.page.get_by_role("button", name="调取所选").click()
    old.sees("1 件，共")
    old.page.get_by_label("完整案卷").check()
    old.page.get_by_role("button", name="登记并开始制作").click()
    old.sees("已完成 0%")
    assert jobs.run_waiting() == 1
    # The page looks again by itself.
    expect(old.page.locator("main")).to_contain_text("案卷已经做好", timeout=30_000)
    with old.page.expect_download() as caught:
        old.page.get_by_role("link", name="下载压缩包").click()
    with zipfile.ZipFile(caught.value.path()) as held:
        assert set(held.namelist()) == {
            f"{number}-trail-full.pdf",
            "manifest.json",
            "SHA256SUMS",
        }
    sound(auditor, [old.page.url.removeprefix(old.address), "/audit/downloads/"])
    auditor.sees(number, "完整案卷")


def test_supervision_leads_from_a_number_to_its_steps_and_back(town, cast, walker):
    told = story(town, cast, "ask_plans")
    run = StepRun.objects.get(process=told.case, name="ask_plans")
    # Two opinions have no answer when the days are over.
    clock.set_now(run.ends_at + dt.timedelta(days=2))
    sweep.sweep()
    reader = walker(None, javascript=False)
    reader.go("/")
    reader.page.get_by_role("link", name="监督", exact=True).click()
    reader.sees("时限内办结", "居民委员会")
    reader.page.get_by_label("程序", exact=True).select_option("renovation")
    reader.page.get_by_role("button", name="筛选").click()
    assert "procedure=renovation" in reader.page.url
    here = reader.page.url
    row = reader.page.locator("[aria-labelledby=by-office] tbody tr", has_text="居民委员会").first
    row.get_by_role("link", name="现在超期").click()
    reader.sees("问计", told.case.number, "已超期")
    reader.page.get_by_role("link", name="问计").click()
    reader.sees("问计")
    reader.page.go_back()
    reader.page.go_back()
    assert reader.page.url == here
    assert reader.page.get_by_label("程序", exact=True).input_value() == "renovation"
    public = ["/supervision/", "/supervision/steps/?what=kept", "/supervision/?since=2026-13"]
    public += ["/supervision/?procedure=tender"]
    sound(walker(None), public)
    sound(walker(None, language="en-GB"), public)
    office = walker(town.staff["office"])
    office.go("/supervision/")
    office.page.get_by_role("link", name="我负责地点的超期事项").click()
    office.sees("问计", "已超", told.case.number)
    sound(office, ["/supervision/overdue/", "/supervision/overdue/?procedure=tender"])


VOICE = """
window.said = [];
const voice = { getVoices: () => [{ lang: "zh-CN" }], cancel: () => window.said.push("stop"),
  speak: (words) => window.said.push(words.text), addEventListener: () => {} };
Object.defineProperty(window, "speechSynthesis", { value: voice });
"""


def test_the_summary_of_a_case_is_read_out_where_the_browser_has_a_voice(town, cast, walker):
    case = story(town, cast, "ask_needs").case
    reader = walker(town.resident(1))
    reader.context.add_init_script(VOICE)
    page = reader.go(case.get_absolute_url())
    button = page.get_by_role("button", name="朗读")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    said = page.evaluate("window.said")
    assert said[-1].startswith("示范小区改造，地点：示范小区")
    assert "您可以：" in said[-1]
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("window.said")[-1] == "stop"
    english = walker(town.resident(2), language="en-GB")
    english.context.add_init_script(VOICE)  # a Chinese voice cannot read English
    english.go(case.get_absolute_url())
    expect(english.page.locator("#plain")).to_contain_text("Now under way")
    assert english.page.locator("[data-read]").is_hidden()
    mute = walker(town.resident(3), javascript=False)
    mute.go(case.get_absolute_url())
    assert mute.page.locator("[data-read]").is_hidden()


def call_for_posts(town, applicant):
    """A call with everybody somewhere: on a post, in training, with a notice of their own."""
    people = posts.Cast(
        town.staff["office"].pk, town.staff["residents_committee"].pk, (applicant.pk,)
    )
    start = dt.datetime(2025, 3, 3, 9, tzinfo=clock.SHANGHAI)
    told = posts.Story(town.community.parent, people, start, title="示范街道公益性岗位")
    told.to_publicity().moved_up()
    first, second, *_rest = told.numbers("cleared")
    told.act("train", "training.entered", {"results": f"{first} 92\n{second} 84"})
    told.onboard()
    told.until_day(dt.date(2025, 6, 5)).assess({first: (28, 45, 18), second: (25, 40, 17)})
    told.until_day(dt.date(2025, 7, 5)).leave(first)
    return told


def test_pages_of_a_call_for_posts_are_accessible(town, walker):
    applicant = Person.objects.create_user("yingpin", display_name="演示申请人甲")
    told = call_for_posts(town, applicant)
    base = f"/cases/{told.case.number}/"
    runs = {run.name: run.pk for run in told.case.runs.filter(flow_task_type="STEP")}
    step = base + "steps/{}/"
    public = [base, base + "posts/", base + "posts/1/", base + "posts/3/"]
    public += [step.format(runs[name]) for name in ("announce", "vet", "publicity", "manage")]
    inside = [base + "posts/applications/", base + "posts/applications/2/", "/inbox/"]
    inside += [step.format(runs[name]) for name in ("supplement", "train", "onboard", "manage")]
    do = f"{base}do/"
    acts = ("train/training.entered", "manage/assessment.entered", "exit/vacancy.filled")
    inside += [f"{do}{act}/" for act in acts]
    own = ["/my/", base + "posts/applications/1/"]
    fresh = posts.Story(told.case.community, told.cast, clock.now(), title="第二次招聘")
    form = f"/cases/{fresh.case.number}/do/apply/application.handed_in/"
    for language, width in (("zh-CN", 390), ("en-GB", 1280)):
        sound(walker(None, language=language, width=width), public)
        office = walker(town.staff["office"], language=language, width=width)
        sound(office, inside)
        office.go(f"{do}exit/vacancy.filled/")
        office.fill({"post": 1, "how": "from_list"})
        office.page.locator("main form.form .actions button").first.click()
        office.page.wait_for_load_state()
        assert office.page.locator("#preview").count() == 1
        found = Axe().run(office.page, options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
        sound(walker(applicant, language=language, width=width), [*own, form])
