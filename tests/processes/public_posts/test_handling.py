"""Those who handle a call: previews, progress, what waits, vacancies, how long data are kept."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from processes.public_posts.models import (
    Applicant,
    Assessment,
    Holder,
    NoticeObjection,
    Representative,
)
from workflows import clock, erasing, records, sweep
from workflows.acts import Refused
from workflows.models import Attachment, Disclosure, Record, Refusal
from workflows.portal import mine
from workflows.steps.base import look_at

from .test_applications import client_of


def sent(client: Client, walk: Any, step: str, act: str, **data: Any) -> Any:
    return client.post(f"/cases/{walk.case.number}/do/{step}/{act}/", data)


def on_posts(walk: Any) -> None:
    """Two on the posts of the first place from 20 April, two on reserve."""
    walk.until_publicity()
    to_posts(walk)


def to_posts(walk: Any) -> None:
    walk.after(12)
    walk.do("train", "training.entered", {"results": "1 80\n2 90"})
    for number in (1, 2):
        told = {"number": number, "starts": "2026-04-20", "pension": "2040-05-01"}
        walk.do("onboard", "agreement.signed", told, agreement=[walk.paper()])


def at(day: str) -> None:
    clock.set_now(dt.datetime.combine(dt.date.fromisoformat(day), dt.time(10), clock.SHANGHAI))


def late_list(client: Any) -> list[dict[str, Any]]:
    """What the list of what is overdue shows."""
    return client.get("/supervision/overdue/").context["rows"]


def test_training_is_previewed_with_whoever_would_move_up_and_nothing_is_done(walk):
    walk.until_publicity()
    walk.after(12)
    office = client_of(walk.people["office"])
    before = Record.objects.count()
    page = sent(office, walk, "train", "training.entered", results="2 90", absent="1", preview="1")
    text = page.content.decode()
    assert page.status_code == 200
    assert "预览：还没有提交" in text
    for words in ("公示无异议", "培训未通过", "培训合格", "候补", "公示中"):
        assert words in text
    assert "2 90</textarea>" in text  # what was filled in is still there, to be confirmed
    assert Record.objects.count() == before
    assert walk.lives() == {1: "cleared", 2: "cleared", 3: "reserve", 4: "reserve"}
    wrong = sent(office, walk, "train", "training.entered", results="9 90", preview="1")
    assert wrong.status_code == 422
    assert "不在待培训人员" in wrong.content.decode()
    assert not Refusal.objects.exists()  # a preview is no attempt
    done = sent(office, walk, "train", "training.entered", results="2 90", absent="1")
    assert done.status_code == 302
    assert walk.lives() == {1: "failed", 2: "trained", 3: "publicised", 4: "reserve"}


def test_vetting_is_previewed_and_its_progress_shown(walk):
    walk.announce()
    for number in (1, 2, 3):
        walk.apply(number)
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    walk.after(10)
    walk.evaluate({1: 90, 2: 80, 3: 70})
    office = client_of(walk.people["office"])
    told = {"source": "business_register", "found": "1", "reason": "business"}
    text = sent(office, walk, "vet", "source.asked", preview="1", **told).content.decode()
    assert "审核未通过" in text
    assert walk.lives()[1] == "proposed"
    walk.do("vet", "source.asked", told)
    step = office.get(f"/cases/{walk.case.number}/steps/{walk.run('vet').pk}/").content.decode()
    assert step.count("1/1") == 1
    assert step.count("0/1") == 3


def test_months_to_assess_wait_in_the_inbox_until_the_tenth(walk):
    on_posts(walk)

    def note(role):
        for row in mine.inbox(walk.people[role]):
            if "考核" in row["note"]:
                return row
        return None

    at("2026-05-20")
    assert note("residents_committee") is None  # April was not a whole month
    at("2026-06-03")
    assert "2026年5月考核：4项待登记" in note("residents_committee")["note"]
    assert "2026年5月考核：2项待登记" in note("office")["note"]
    assert note("office")["ends"] == dt.date(2026, 6, 10)
    village = client_of(walk.people["residents_committee"])
    told = {"month": "2026-05-09", "part": "village", "points": "1 28\n2 27"}
    text = sent(village, walk, "manage", "assessment.entered", preview="1", **told)
    assert "28 + — + —" in text.content.decode()
    assert not Assessment.objects.exists()
    walk.do("manage", "assessment.entered", told, walk.village)
    told = {"month": "2026-05-09", "part": "democratic", "points": "1 18\n2 17"}
    walk.do("manage", "assessment.entered", told, walk.village)
    assert note("residents_committee") is None
    at("2026-06-12")
    assert note("office")["state"] == "overdue"
    listed = late_list(client_of(walk.people["office"]))
    assert [(row["case"].pk, row["step"], row["last_day"], row["days"]) for row in listed] == [
        (walk.case.pk, "在岗管理", dt.date(2026, 6, 10), 2)
    ]
    step = client_of(walk.people["office"]).get(
        f"/cases/{walk.case.number}/steps/{walk.run('manage').pk}/"
    )
    assert "已逾期" in step.content.decode()
    told = {"month": "2026-05-09", "part": "office", "points": "1 48\n2 40"}
    walk.do("manage", "assessment.entered", told)
    assert note("office") is None
    assert not late_list(client_of(walk.people["office"]))


def test_whom_an_act_is_about_stands_beside_its_form(walk):
    walk.announce()
    for number in (1, 2):
        walk.apply(number)
    walk.apply(3, born="1990-01-01")
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    walk.do("check", "refusal.objected", {"number": 3, "text": "出生日期填错了"}, walk.village)
    base = f"/cases/{walk.case.number}/do"
    decide = client_of(walk.people["office"]).get(f"{base}/check/refusal.decided/").content.decode()
    assert Applicant.objects.get(number=3).name in decide
    assert "出生日期填错了" in decide
    assert "出生日期晚于公告规定的范围" in decide
    decided = {"number": 3, "decision": "dismissed", "reason": "与身份证不符"}
    walk.do("check", "refusal.decided", decided)
    walk.after(10)
    walk.do(
        "evaluate", "representatives.invited", {"names": "代表一\n代表二\n代表三"}, walk.village
    )
    walk.do("evaluate", "evaluation.held", {"present": "1 2", "stands_back": ""}, walk.village)
    village = client_of(walk.people["residents_committee"])
    sheet = village.get(f"{base}/evaluate/sheet.entered/").content.decode()
    for shown in ("代表一", "代表二", "代表三", "待登记", "未到会"):
        assert shown in sheet


def test_an_invitation_to_everybody_waits_in_nobodys_inbox(walk):
    walk.announce()
    office = walk.people["office"]
    step = f"/cases/{walk.case.number}/steps/{walk.run('apply').pk}/"
    page = client_of(office).get(step).content.decode()
    assert "/do/apply/" in page  # staff may apply, as everybody may
    assert not [row for row in mine.inbox(office) if row["case_number"] == walk.case.number]


def test_agreements_that_end_soon_wait_in_the_inbox_of_the_office(walk):
    on_posts(walk)
    at("2027-03-25")
    notes = [row["note"] for row in mine.inbox(walk.people["office"])]
    assert any("2份协议三十日内到期" in note for note in notes)


def test_whether_a_supplement_may_be_closed_is_read_for_all_calls_at_once(
    walk, django_assert_num_queries
):
    def offered() -> bool:
        run = walk.run("supplement")
        run.process = walk.case
        look_at([run])
        with django_assert_num_queries(0):
            found = run.step.offered(run.step.acts["lane.closed"], run)
        assert found == (not run.step.unmet(run))
        return found

    walk.until_publicity()
    walk.after(12)
    assert offered() is False  # who is in training may still fail
    walk.do("train", "training.entered", {"results": "1 80\n2 90"})
    assert offered() is True


def test_a_vacancy_goes_to_the_reserve_list_with_a_notice_or_waits_for_another_call(walk):
    on_posts(walk)
    at("2026-06-10")
    said = {"cause": "own_wish", "on": "2026-06-10", "note": "家中有事"}
    with pytest.raises(Refused, match="日期不能晚于今天"):
        walk.do("exit", "holder.left", {"number": 1, **said, "on": "2026-06-11"})
    walk.do("exit", "holder.left", {"number": 1, **said})
    assert walk.lives()[3] == "reserve"  # nobody moves up by itself
    notes = [row["note"] for row in mine.inbox(walk.people["office"])]
    assert any("1个空缺待处理" in note for note in notes)
    post = client_of(walk.people["office"]).get(f"/cases/{walk.case.number}/posts/1/")
    assert "已退出" in post.content.decode()  # and no longer 已上岗
    form = client_of(walk.people["office"]).get(
        f"/cases/{walk.case.number}/do/exit/holder.notified/"
    )
    text = form.content.decode()
    assert Applicant.objects.get(number=2).name in text  # whom it may be about, by name
    assert Applicant.objects.get(number=1).name not in text
    assert "顶岗、脱岗" in text
    assert "协议期满" not in text.partition("<select")[2]
    office = client_of(walk.people["office"])
    told = {"post": 1, "how": "from_list"}
    shown = sent(office, walk, "exit", "vacancy.filled", preview="1", **told).content.decode()
    assert "由候补人员依次递补" in shown
    assert "递补的申请编号" in shown
    done = walk.do("exit", "vacancy.filled", told)
    assert done.record.body["moved_up"] == [3]
    assert walk.lives()[3] == "publicised"
    with pytest.raises(Refused, match="没有待处理的空缺"):
        walk.do("exit", "vacancy.filled", told)
    walk.after(12)  # the notice of their own has stood
    assert walk.lives()[3] == "cleared"
    walk.do("train", "training.entered", {"results": "3 80"})
    walk.do("exit", "holder.left", {"number": 2, **said})
    walk.do("exit", "vacancy.filled", {"post": 1, "how": "new_call"})
    assert walk.lives() == {1: "appointed", 2: "appointed", 3: "trained", 4: "reserve"}
    assert dict(Holder.objects.values_list("applicant__number", "vacancy")) == {
        1: "from_list",
        2: "new_call",
    }


def test_nobody_moves_up_into_steps_that_are_closed(walk):
    on_posts(walk)
    for lane in ("supplement", "train", "onboard"):
        walk.do(lane, "lane.closed", {"confirm": "on"})
    at("2026-06-10")
    said = {"number": 1, "cause": "own_wish", "on": "2026-06-10", "note": "家中有事"}
    walk.do("exit", "holder.left", said)
    with pytest.raises(Refused, match="另行招聘"):
        walk.do("exit", "vacancy.filled", {"post": 1, "how": "from_list"})
    walk.do("exit", "vacancy.filled", {"post": 1, "how": "new_call"})


def test_whoever_declines_the_place_gives_it_to_the_next(walk):
    walk.until_publicity()
    walk.after(12)
    stranger = walk.stranger()
    with pytest.raises(Refused, match="自己提交"):
        walk.do("train", "place.declined", {"number": 1}, stranger)
    walk.do("train", "place.declined", {"number": 1}, walk.village)
    assert walk.lives() == {1: "withdrawn", 2: "cleared", 3: "publicised", 4: "reserve"}
    walk.after(12)
    assert walk.lives()[3] == "cleared"
    step = f"/cases/{walk.case.number}/steps/{walk.run('train').pk}/"
    page = client_of(walk.people["stranger"]).get(step).content.decode()
    assert "place.declined" not in page  # who has no application is offered nothing
    with pytest.raises(Refused, match="不能放弃"):
        walk.do("train", "place.declined", {"number": 1}, walk.village)


def held(number: int) -> tuple[Any, ...]:
    row = Applicant.objects.get(number=number)
    return row.name, row.born, row.mark, row.contact, row.group, row.household


def papers(number: int) -> list[bool]:
    record = Applicant.objects.get(number=number).record_id
    return [bool(file.file) for file in Attachment.objects.filter(record=record)]


GONE = ("", None, None, "", "", [])


def test_what_applicants_told_is_erased_half_a_year_after_it_was_over(walk):
    walk.announce()
    walk.apply(1)
    walk.apply(2, born="1999-05-01", household="演示家人")
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    at("2026-04-01")
    sweep.sweep()
    checked = walk.case.runs.get(name="check").finished
    clock.set_now(checked + dt.timedelta(days=179))
    sweep.sweep()
    assert held(2) != GONE
    clock.set_now(checked + dt.timedelta(days=180))
    sweep.sweep()
    assert held(2) == GONE
    assert papers(2) == [False]
    assert held(1) != GONE  # who is still in the course
    assert papers(1) == [True]
    record = Record.objects.get(act="retention.ended")
    assert record.body["erased"] == {"disclosures": 2, "files": 1, "people": 1}
    assert record.body["reason"] == "retention"
    page = Client().get(f"/cases/{walk.case.number}/records/{record.seq}/").content.decode()
    assert "保存期限已满" in page
    assert records.first_fault(walk.fresh()) is None
    sweep.sweep()
    assert Record.objects.filter(act="retention.ended").count() == 1  # once


def test_of_those_chosen_half_a_year_after_the_case_was_closed(walk):
    walk.until_publicity()
    objection = walk.object(2)
    payload = {"objection": objection, "decision": "dismissed", "reason": "经核查不属实"}
    walk.do("publicity", "notice.decided", payload)
    to_posts(walk)
    at("2026-06-10")
    for number in (1, 2):
        said = {"number": number, "cause": "own_wish", "on": "2026-06-10", "note": "家中有事"}
        walk.do("exit", "holder.left", said)
    for lane in ("supplement", "train", "onboard", "manage", "exit"):
        walk.do(lane, "lane.closed", {"confirm": "on"})
    closed = walk.fresh().finished
    clock.set_now(closed + dt.timedelta(days=179))
    sweep.sweep()
    assert held(1) != GONE
    clock.set_now(closed + dt.timedelta(days=181))
    sweep.sweep()
    assert [held(number) for number in (1, 2, 3, 4)] == [GONE] * 4
    left = Disclosure.objects.filter(record__case=walk.case, public=False)
    assert {row.record.act for row in left} == {"agreement.signed"}
    kept = Attachment.objects.filter(run__process=walk.case).exclude(file="")
    assert {file.record.act for file in kept} == {"agreement.signed"}
    assert set(Representative.objects.values_list("name", flat=True)) == {""}
    assert set(NoticeObjection.objects.values_list("text", flat=True)) == {""}
    assert walk.fresh().outcome == "completed"
    assert Client().get(f"/cases/{walk.case.number}/posts/1/").status_code == 200
    office = client_of(walk.people["office"])
    page = office.get(f"/cases/{walk.case.number}/posts/applications/1/").content.decode()
    assert "个人信息已经删除" in page


def test_what_an_officer_wrote_of_somebody_in_private_goes_with_their_data(walk):
    walk.announce()
    walk.apply(1)
    walk.apply(2)
    rows = {row.number: row for row in Applicant.objects.all()}
    subject = erasing.Subject(names=frozenset({rows[2].name}))
    report = erasing.carry_out(subject, "request", lambda case: walk.office)
    assert report.cases == [walk.case.number]

    def names(number):
        own = Disclosure.objects.filter(record=rows[number].record, name="name")
        return own.count()

    assert (names(1), names(2)) == (1, 0)
    assert (papers(1), papers(2)) == ([True], [False])
