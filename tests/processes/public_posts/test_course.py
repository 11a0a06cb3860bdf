"""The course of a call: 个人申请、民主评议、审核公示、岗前培训、退出管理."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from processes.public_posts.models import Applicant, Assessment, Holder
from tests.pdfs import text_of
from workflows import clock
from workflows.acts import Refused
from workflows.models import Record


def test_applications_are_refused_by_the_table_with_reasons_and_may_object(walk):
    walk.announce()
    walk.apply(1)
    walk.apply(2, born="1990-01-01")
    walk.apply(3, facts=["business"])
    with pytest.raises(Refused, match="已经申请"):
        walk.apply(1, post=2)
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    assert walk.lives() == {1: "eligible", 2: "refused", 3: "refused"}
    assert Applicant.objects.get(number=2).reasons == ["born_after"]
    walk.do("check", "refusal.objected", {"number": 3, "text": "已经注销"}, walk.village)
    walk.after(10)
    assert walk.open_steps() == {"check"}  # an objection waits
    payload = {"number": 3, "decision": "upheld", "reason": "登记已注销"}
    walk.do("check", "refusal.decided", payload)
    assert walk.lives()[3] == "eligible"
    assert walk.open_steps() == {"evaluate"}


def test_nothing_personal_is_in_a_public_record(walk):
    walk.until_publicity()
    said = json.dumps([record.body for record in Record.objects.filter(case=walk.case)])
    said = said.encode().decode("unicode_escape", errors="ignore")
    for applicant in Applicant.objects.all():
        assert applicant.name not in said
    assert "370211" not in said
    for word in ("代表一", "13800000000"):
        assert word not in said
    hand_in = Record.objects.filter(act="application.handed_in").first()
    assert set(hand_in.body) <= {"number", "post", "channel"}


def test_too_few_representatives_and_it_is_called_again(walk):
    walk.announce()
    walk.apply(1)
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    walk.after(10)
    walk.do(
        "evaluate", "representatives.invited", {"names": "代表一\n代表二\n代表三"}, walk.village
    )
    walk.do("evaluate", "evaluation.held", {"present": "1"}, walk.village)
    assert walk.open_steps() == {"evaluate"}
    walk.evaluate({1: 90})
    assert walk.lives() == {1: "proposed"}


def test_relatives_stand_back_declared_and_by_the_household_book(walk):
    walk.announce()
    walk.apply(1, household="代表一 代表九")
    walk.apply(2)
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    walk.after(10)
    walk.do(
        "evaluate", "representatives.invited", {"names": "代表一\n代表二\n代表三"}, walk.village
    )
    held = {"present": "1 2 3", "declared": "2 2"}
    walk.do("evaluate", "evaluation.held", held, walk.village)

    def sheet(who, points):
        payload = {"representative": who, "points": points}
        walk.do("evaluate", "sheet.entered", payload, walk.village)

    with pytest.raises(Refused, match="回避"):
        sheet(1, "1 90\n2 80")
    with pytest.raises(Refused, match="回避"):
        sheet(2, "1 90\n2 80")
    with pytest.raises(Refused, match="全部参评"):
        sheet(3, "1 90")
    sheet(1, "2 80")
    sheet(2, "1 90")
    with pytest.raises(Refused, match="评分表未登记"):
        walk.do("evaluate", "ranking.made", {"confirm": "on"}, walk.village)
    sheet(3, "1 70\n2 90")
    walk.do("evaluate", "ranking.made", {"confirm": "on"}, walk.village)
    ranked = {row.number: (row.points, row.sheets, row.rank) for row in Applicant.objects.all()}
    assert ranked == {1: (160, 2, 2), 2: (170, 2, 1)}


def test_whoever_a_source_speaks_against_is_barred_and_the_next_moves_up(walk):
    walk.announce()
    for at in (1, 2, 3):
        walk.apply(at)
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    walk.after(10)
    walk.evaluate({1: 90, 2: 80, 3: 70})
    assert walk.lives() == {1: "proposed", 2: "proposed", 3: "reserve"}
    walk.vet(business_register="1")
    assert walk.lives() == {1: "barred", 2: "publicised", 3: "publicised"}


def test_an_objection_removes_only_its_person_and_the_others_go_on(walk):
    walk.until_publicity()
    assert walk.lives() == {1: "publicised", 2: "publicised", 3: "reserve", 4: "reserve"}
    objection = walk.object(1)
    walk.after(3)
    walk.uphold(objection)
    assert walk.lives() == {1: "removed", 2: "publicised", 3: "publicised", 4: "reserve"}
    first, moved = (Applicant.objects.get(number=n) for n in (2, 3))
    assert moved.notice_until > first.notice_until  # a supplementary notice of their own
    clock.set_now(first.notice_ends_at)
    walk.after(0)
    assert walk.open_steps() == {"supplement", "train", "onboard", "manage", "exit"}
    assert walk.lives() == {1: "removed", 2: "cleared", 3: "publicised", 4: "reserve"}
    walk.do("train", "training.entered", {"results": "2 88"})
    with pytest.raises(Refused, match="不在待培训人员"):
        walk.do("train", "training.entered", {"results": "3 88"})
    clock.set_now(moved.notice_ends_at)
    walk.after(0)
    assert walk.lives()[3] == "cleared"
    walk.do("train", "training.entered", {"absent": "3"})  # the next of the reserve list
    assert walk.lives() == {1: "removed", 2: "trained", 3: "failed", 4: "publicised"}
    walk.after(12)
    assert walk.lives()[4] == "cleared"


def test_an_objection_waiting_holds_only_its_person(walk):
    walk.until_publicity()
    objection = walk.object(1)
    walk.after(12)
    assert walk.lives() == {1: "publicised", 2: "cleared", 3: "reserve", 4: "reserve"}
    payload = {"objection": objection, "decision": "dismissed", "reason": "经核查不属实"}
    walk.do("supplement", "notice.decided", payload)
    assert walk.lives()[1] == "cleared"


def test_an_objection_to_the_procedure_sends_all_back(walk):
    walk.until_publicity()
    removed = walk.object(1)
    walk.uphold(removed)
    walk.uphold(walk.object(None))
    assert walk.open_steps() == {"evaluate"}
    assert walk.lives() == {1: "removed", 2: "eligible", 3: "eligible", 4: "eligible"}
    walk.evaluate({2: 60, 3: 70, 4: 80})
    assert walk.lives() == {1: "removed", 2: "reserve", 3: "proposed", 4: "proposed"}


def on_post(walk, numbers=(1, 2)):
    walk.until_publicity()
    walk.after(12)
    walk.do("train", "training.entered", {"results": "\n".join(f"{n} 80" for n in numbers)})
    for number in numbers:
        payload = {"number": number, "starts": "2026-05-06", "pension": "2040-05-01"}
        walk.do("onboard", "agreement.signed", payload, agreement=[walk.paper()])


def test_monthly_assessment_of_thirty_fifty_and_twenty_by_the_tenth(walk):
    on_post(walk)
    holder = Holder.objects.get(applicant__number=1)
    assert (holder.until, holder.subsidy_until) == (dt.date(2027, 5, 6), dt.date(2029, 5, 6))
    clock.set_now(dt.datetime(2026, 6, 10, 10, tzinfo=clock.SHANGHAI))

    def give(part, points, party):
        payload = {"month": "2026-05-01", "part": part, "points": points}
        return walk.do("manage", "assessment.entered", payload, party).record.body

    with pytest.raises(Refused, match="30"):
        give("village", "1 31", walk.village)
    with pytest.raises(Refused, match="身份"):
        give("office", "1 50", walk.village)
    assert "late" not in give("village", "1 28\n2 20", walk.village)
    with pytest.raises(Refused, match="已经登记"):
        give("village", "1 28", walk.village)
    give("democratic", "1 18\n2 10", walk.village)
    assert Assessment.objects.get(holder=holder).total is None
    clock.set_now(dt.datetime(2026, 6, 11, 10, tzinfo=clock.SHANGHAI))
    assert give("office", "1 45\n2 20", walk.office)["late"] is True
    assert [row.total for row in Assessment.objects.order_by("holder")] == [91, 50]


def test_exits_each_with_its_record_and_for_a_fault_after_a_hearing(walk):
    on_post(walk)
    clock.set_now(dt.datetime(2026, 6, 10, 10, tzinfo=clock.SHANGHAI))
    said = {"on": "2026-06-10", "note": "情况说明"}
    with pytest.raises(Refused, match="先告知"):
        walk.do("exit", "holder.left", {"number": 1, "cause": "absence", **said})
    with pytest.raises(Refused, match="没有不合格"):
        walk.do("exit", "holder.notified", {"number": 1, "cause": "failed_assessment", **said})
    walk.do("exit", "holder.notified", {"number": 1, "cause": "absence", **said})
    walk.do("exit", "holder.kept", {"number": 1, "note": "当日请假"})
    walk.do("exit", "holder.notified", {"number": 1, "cause": "fraud", **said})
    done = walk.do("exit", "holder.dismissed", {"number": 1, "cause": "fraud", **said})
    assert done.record.body == {"number": 1, "on": "2026-06-10"}  # the cause is not public
    with pytest.raises(Refused, match="在岗"):
        walk.do("exit", "lane.closed", {"confirm": "on"})
    walk.do("exit", "holder.left", {"number": 2, "cause": "own_wish", **said})
    assert [row.life for row in Holder.objects.order_by("applicant")] == ["dismissed", "left"]
    for lane in ("supplement", "train", "onboard", "manage", "exit"):
        walk.do(lane, "lane.closed", {"confirm": "on"})
    assert walk.fresh().outcome == "completed"


def test_an_agreement_is_renewed_within_the_subsidy(walk):
    on_post(walk)
    for until in ("2028-05-06", "2029-05-06"):
        walk.do("manage", "agreement.renewed", {"number": 1}, agreement=[walk.paper()])
        assert Holder.objects.get(applicant__number=1).until.isoformat() == until
    with pytest.raises(Refused, match="补贴期限"):
        walk.do("manage", "agreement.renewed", {"number": 1}, agreement=[walk.paper()])


def test_a_call_without_applications_ends(walk):
    walk.announce()
    walk.after(20)
    assert walk.fresh().outcome == "unfilled"


def test_the_trail_has_the_records_of_each_step_and_no_list_of_another_kind(walk, client):
    walk.until_publicity()
    made = client.get(f"/cases/{walk.case.number}/trail.pdf")
    text = text_of(b"".join(made) if made.streaming else made.content)
    assert "民主评议" in text
    assert "公布评议结果" in text
    for wrong in ("意见与答复", "等待答复", "没有公开的具体内容", "cal="):
        assert wrong not in text
    assert "年节假日安排（第" in "".join(text.split())


def test_the_result_is_offered_once_all_sheets_are_in(walk):
    walk.announce()
    walk.apply(1)
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    walk.after(10)
    run = walk.run("evaluate")

    def offered():
        return {spec.name for spec in run.step.acts.values() if run.step.offered(spec, run)}

    walk.do("evaluate", "representatives.invited", {"names": "代表一\n代表二"}, walk.village)
    walk.do("evaluate", "evaluation.held", {"present": "1 2"}, walk.village)
    for number in (1, 2):
        assert "sheet.entered" in offered()
        assert "ranking.made" not in offered()
        payload = {"representative": number, "points": "1 90"}
        walk.do("evaluate", "sheet.entered", payload, walk.village)
    assert "ranking.made" in offered()
    assert "sheet.entered" not in offered()
