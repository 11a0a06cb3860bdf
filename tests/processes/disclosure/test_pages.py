"""The pages: applying, the annual report, the open list, the demo."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from processes.community import demo as ground
from processes.disclosure import demo, report, rules
from processes.disclosure.models import Application, OpenItem
from processes.disclosure.story import WISH, paper
from workflows import clock, records
from workflows.models import Case, Record
from workflows.portal import words

OPEN = "/procedures/disclosure/open/"
SENT = {
    "community": "street",
    "kind": "person",
    "name": "王示范",
    "contact": "13800000000",
    "description": WISH,
    "form": "electronic",
    "way": "web",
}


def queries(client, path) -> int:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(path).status_code == 200
    return len(caught)


# --- applying


def test_anybody_with_an_account_applies_and_gets_a_receipt(street, frozen):
    client = street.client("stranger")  # nobody's resident
    page = client.get(OPEN).content.decode()
    assert "提出申请" in page
    assert "handed_in" not in page  # the office's fields
    answer = client.post(OPEN, {**SENT, "identity": paper("id"), "idempotency_key": "k"})
    assert answer.status_code == 302
    case = Case.objects.get()
    assert answer["Location"] == f"/cases/{case.number}/done/2/"
    assert "回执" in client.get(answer["Location"]).content.decode()
    assert Application.objects.get().channel == "web"
    again = client.post(OPEN, {**SENT, "identity": paper("id"), "idempotency_key": "k"})
    assert again["Location"] == answer["Location"]
    back = client.post(OPEN, {**SENT, "identity": paper("id"), "idempotency_key": "loaded anew"})
    assert back["Location"] == answer["Location"]
    assert Case.objects.count() == 1
    other = {**SENT, "description": "另一份文件", "identity": paper("id"), "idempotency_key": "n"}
    assert client.post(OPEN, other)["Location"] != answer["Location"]
    assert Case.objects.count() == 2


def test_an_applicant_finds_the_application_its_state_and_its_answer_among_their_own(street):
    client = street.client("applicant")
    story = street.story()
    base = story.case.get_absolute_url()

    def own() -> str:
        page = client.get("/my/").content.decode()
        return page[page.index("我办过的") : page.index("与我有关的事项")]

    waits = own()
    assert waits.count('class="what"') == 1  # the act that opened the case says nothing to them
    assert "提出申请</a>" in waits
    assert f'<span class="code">{story.case.number}</span>' in waits
    assert "进行中" in waits
    assert f'<a href="{base}">查看办理情况和答复</a>' in waits
    story.receive().clear().handle().decide().check().deliver()
    answered = own()
    assert "进行中" not in answered
    assert "已答复" in answered
    said = re.search(r'<a href="(/cases/[^"]+/done/[^"]+)">提出申请', answered)
    assert said is not None
    assert "“提出申请”已登记" in client.get(said[1]).content.decode()


def test_a_form_with_faults_opens_no_case(street, frozen):
    client = street.client("stranger")
    answer = client.post(OPEN, {**SENT, "description": ""})
    assert answer.status_code == 422
    assert "请填写这一项" in answer.content.decode()
    assert not Case.objects.exists()
    assert not Record.objects.exists()


def test_without_an_account_one_signs_in_first(street, client):
    assert client.get(OPEN)["Location"].startswith("/accounts/login/")
    assert OPEN in client.get("/procedures/disclosure/").content.decode()


def test_the_office_types_in_what_came_on_paper(street, frozen):
    client = street.client("office")
    page = client.get(OPEN).content.decode()
    assert "handed_in" in page
    assert "?as=applicant" in page  # an officer may apply as well
    assert "handed_in" not in client.get(f"{OPEN}?as=applicant").content.decode()
    sent = {**SENT, "channel": "signed_mail", "handed_in": "2026-03-03", "identity_checked": "on"}
    assert client.post(OPEN, sent).status_code == 302
    application = Application.objects.get()
    assert (application.channel, application.handed_in) == ("signed_mail", dt.date(2026, 3, 3))


def test_who_has_another_role_types_in_nothing(street, frozen):
    client = street.client("auditor")
    assert "handed_in" not in client.get(OPEN).content.decode()  # as an applicant only


def test_my_matters_show_my_application_and_no_other(told, street):
    story = told().receive().unclear()
    path = f"{story.case.get_absolute_url()}do/complete/task.done/"
    assert path in street.client("applicant").get("/my/").content.decode()
    mine = street.client("stranger").get("/my/").content.decode()
    assert story.case.number not in mine
    calendar = street.client("stranger").get("/my/terms.ics").content.decode()
    assert story.case.number not in calendar
    assert story.case.number in street.client("applicant").get("/my/terms.ics").content.decode()


def test_the_office_sees_on_the_page_of_an_act_what_was_asked_for(told, street):
    story = told().receive().clear()
    path = f"{story.case.get_absolute_url()}do/handle/task.done/"
    assert WISH in street.client("office").get(path).content.decode()


def test_applications_do_not_crowd_the_home_page(told, client):
    story = told().receive()
    assert story.case.number not in client.get("/").content.decode()
    assert story.case.number in client.get("/cases/?procedure=disclosure").content.decode()


# --- lists: as many queries for many as for one


def test_lists_ask_the_same_however_long_they_are(told, street, client):
    story = told().receive().clear()
    office = street.client("office")
    paths = ("/cases/?procedure=disclosure", "/disclosure/street/report/2026/")
    told().receive().clear().handle().decide()
    client.get("/"), office.get("/inbox/")
    one = [queries(client, path) for path in paths], queries(office, "/inbox/")
    for _number in range(4):
        told().receive().clear()
        told().receive()
        told().receive().clear().handle().decide()
    clock.advance_to(story.case.created + dt.timedelta(hours=1))
    many = [queries(client, path) for path in paths], queries(office, "/inbox/")
    assert many == one
    assert one[0][1] <= 8


def test_the_open_list_asks_the_same(told, street, client):
    path = "/disclosure/street/open-list/"

    def listed(number):
        case = told().case
        OpenItem.objects.create(case=case, title=f"信息{number}", at=clock.now())

    listed(1)
    one = queries(client, path)
    for number in range(2, 7):
        listed(number)
    assert queries(client, path) == one
    assert "信息6" in client.get(path).content.decode()


# --- the annual report


def totals(place, year):
    return {str(line.title): line.total for line in report.table(place, year)}


def test_the_report_counts_by_outcome_and_kind(told, street):
    told().receive().clear().handle().decide().check().deliver()
    firm = told(kind="enterprise", name="示范公司").receive().clear().handle()
    firm.decide("refused", "internal").check().deliver()
    told().receive().clear().handle("withdrawn")
    told().receive().clear().handle()
    found = totals(street.community, 2026)
    assert found["一、本年新收政府信息公开申请数量"] == 4
    assert found["（一）予以公开"] == 1
    assert found["5.属于三类内部事务信息"] == 1
    assert found["2.其他（申请人撤回）"] == 1
    assert found["（七）总计"] == 3
    assert found["四、结转下年度继续办理"] == 1
    refused = next(
        line for line in report.table(street.community, 2026) if str(line.title).startswith("5.")
    )
    assert refused.counts == (0, 1, 0, 0, 0, 0)


def test_what_is_not_settled_is_carried_into_the_next_year(told, street):
    start = dt.datetime(2025, 12, 30, 9, tzinfo=clock.SHANGHAI)
    story = told(start=start).receive().clear()
    before = totals(street.community, 2025)
    assert before["四、结转下年度继续办理"] == 1
    story.on("2026-01-06").handle().decide().check().deliver()
    assert totals(street.community, 2025) == before
    after = totals(street.community, 2026)
    assert after["一、本年新收政府信息公开申请数量"] == 0
    assert after["二、上年结转政府信息公开申请数量"] == 1
    assert after["（一）予以公开"] == after["（七）总计"] == 1
    assert totals(street.community, 2027)["二、上年结转政府信息公开申请数量"] == 0


def test_every_outcome_has_its_row():
    codes = {row.code for row in report.RESULT_ROWS}
    for outcome, known in rules.OUTCOMES.items():
        for basis in rules.GROUNDS if not known.row else ("",):
            assert report.result_row(outcome, basis) in codes, outcome


def test_the_report_as_a_page_and_as_a_table(told, street, client):
    story = told().receive().clear().on("2026-03-31").handle()
    story.decide("refused", "internal").check().deliver()
    told_remedy = {"kind": "reconsideration", "result": "corrected", "on": "2026-03-31"}
    story.act("case", "remedy.entered", told_remedy)
    page = client.get("/disclosure/street/report/2026/").content.decode()
    assert "逾期答复" in page
    assert "行政复议" in page
    answer = client.get("/disclosure/street/report/2026.csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    by_name = {row[0]: row[1:] for row in rows if row}
    assert by_name["5.属于三类内部事务信息"] == ["1", "0", "0", "0", "0", "0", "1"]
    assert by_name["行政复议"] == ["0", "1", "0", "0", "1"]
    assert by_name["逾期答复"] == ["1"]
    assert client.get("/disclosure/street/report/2030/").status_code == 404
    assert client.get("/disclosure/", follow=True).status_code == 200


# --- the demo


@pytest.fixture
def today(street):
    moment = dt.datetime(2026, 11, 24, 12, tzinfo=clock.SHANGHAI)
    with clock.at(moment):
        yield moment


def test_the_demo_has_every_stage_in_words(today, client):
    assert len(list(demo.load(today))) == 1
    cases = Case.objects.all()
    assert all(case.demo for case in cases)
    assert {"answered", "abandoned", "withdrawn", ""} == set(
        cases.values_list("outcome", flat=True)
    )
    open_steps = {run.name for case in cases for run in case.runs.filter(finished=None)}
    assert open_steps == {
        "receive", "examine", "complete", "lapse", "handle", "consult", "extend", "check",
        "deliver", "open_list",
    }  # fmt: skip
    assert all(records.first_fault(case) is None for case in cases)
    assert not Record.objects.filter(at__gt=today).exists()
    bare = {
        (record.act, str(label))
        for record in Record.objects.select_related("case").prefetch_related("disclosures")
        for label, _value in words.body_lines(record.case, record)
        if str(label).isascii()
    }
    assert bare == set()
    told = [
        (run.name, str(label), str(value))
        for case in cases
        for run in case.runs.all()
        for label, value in words.task_lines(run)
    ]
    assert len(told) > 20
    assert [each for each in told if each[1].isascii() or re.fullmatch(r"[a-z_]+", each[2])] == []
    done = next(run for case in cases for run in case.runs.filter(name="examine", outcome="clear"))
    page = client.get(f"{done.process.get_absolute_url()}steps/{done.pk}/").text
    assert "尚未办理" not in page
    assert list(demo.load(today)) == []
    assert client.get("/disclosure/demo-street/report/2026/").status_code == 200


def test_packages_offer_their_demos():
    staff, residents = ground.accounts()
    assert {"jiedao", "zhujian", "fuhe", "fuze"} <= set(staff)
    assert {"jumin1", "shenqing"} <= set(residents)
