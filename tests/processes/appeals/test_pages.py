"""Pages of appeals: what is found in lists, who reads what, how much is asked."""

from __future__ import annotations

import json
import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from processes.appeals import reading, rules, views
from processes.community import plans
from tests import factories
from workflows import acts
from workflows.models import Attachment, Case
from workflows.portal import paging

from .conftest import ANSWER, ASSIGNED
from .reports import (
    _fresh,  # noqa: F401 - fixtures
    phone_photo,
    report,
    text_of,
)


def test_words_of_two_characters_are_found_in_what_is_public(town):
    case, _author, _receipt = town.submit(may_show="on")
    town.do(case, "classify", "office", {**ASSIGNED, "wording": "楼道路灯不亮"})
    assert [row.case_id for row in reading.rows({"q": "路灯"})] == [case.pk]
    assert not reading.rows({"q": "报修"})  # stands only in what the author wrote
    assert [row.case_id for row in reading.rows({"unit": "housing", "state": "open"})] == [case.pk]
    assert not reading.rows({"unit": "city"})
    assert not reading.rows({"state": "done"})
    page = Client().get("/appeals/?q=路灯&place=estate&kind=repair").content.decode()
    assert case.number in page


def test_the_list_asks_the_same_however_long(town, django_assert_num_queries, client):
    for _each in range(3):
        town.submit()
    client.get("/appeals/")
    with django_assert_num_queries(5):  # the figures were counted a moment ago
        assert client.get("/appeals/").status_code == 200
    for _each in range(9):
        town.submit()
    with django_assert_num_queries(5):
        client.get("/appeals/")
    cache.clear()
    with django_assert_num_queries(6):
        client.get("/appeals/")


def test_a_long_list_leads_on_to_the_older(town, client, monkeypatch):
    monkeypatch.setattr(paging, "MOST", 2)
    monkeypatch.setattr(views, "PER_PAGE", 2)
    numbers = [town.submit()[0].number for _each in range(3)]
    page = client.get("/appeals/")
    assert "共 2 件以上" in page.text
    assert page.context["older"] == numbers[1]
    older = client.get(f"/appeals/?before={numbers[1]}")
    assert [row["case"].number for row in older.context["rows"]] == numbers[:1]
    assert "更早的事项" not in older.text
    assert "回到最新的事项" in older.text


def test_figures_are_not_shown_below_five(town):
    for count in range(1, 6):
        case, _author = town.assigned()
        town.do(case, "handle", "first", ANSWER)
        shown = reading.figures()[0]
        assert (shown["in_time"] is None) == (count < rules.FEW)
    assert shown["in_time"] == shown["n"] == 5
    assert shown["overdue"] == 0
    assert shown["satisfied"] is None


def test_who_reads_an_appeal_and_its_photos(town):
    resident = Client()
    receipt = report(resident, photos=phone_photo(), may_show="")["Location"]
    case = Case.objects.get()
    photo = Attachment.objects.get().get_absolute_url()
    by_receipt = f"{receipt}files/{photo.rsplit('/', 2)[1]}/"

    def sees(who: str) -> bool:
        client = Client()
        client.force_login(town.people[who])
        page = client.get(case.get_absolute_url()).content.decode()
        read = client.get(photo).status_code == 200
        assert ("三天没人修" in page) == read
        assert (photo in page) == read
        return read

    assert [who for who in town.people if sees(who)] == ["office", "overseer"]
    done = town.do(case, "classify", "office", {**ASSIGNED, "joint": ["city"]})
    # Of the officer's own receipt nobody gets what the officer reads by the account.
    officers = f"/r/{done.receipt}/"
    assert Client().get(officers).status_code == 200
    assert Client().get(f"{officers}files/{photo.rsplit('/', 2)[1]}/").status_code == 404
    assert [who for who in town.people if sees(who)] == list(town.people)
    town.do(case, "handle", "city", {"note": "已清理现场"}, act="part.done")
    client = Client()
    client.force_login(town.people["first"])
    assert "已清理现场" in client.get(case.get_absolute_url()).content.decode()
    told = {"decision": "returned", "reason": "不属于住建职责"}
    town.do(case, "handle", "first", told)
    assert [who for who in town.people if sees(who)] == ["office", "overseer"]
    page = resident.get(receipt).content.decode()
    assert by_receipt in page
    assert "已清理现场" not in page  # what units tell one another is theirs
    assert Client().get(by_receipt).status_code == 200
    assert Client().get(photo).status_code == 404
    other = report(Client(), text="另外一件事情，与此无关")["Location"]
    assert Client().get(f"{other}files/{photo.rsplit('/', 2)[1]}/").status_code == 404


def test_whom_the_rules_bar_from_an_act_reads_why_before_writing_anything(town):
    case, author = town.assigned()

    def opened(who: str, step: str) -> str:
        client = Client()
        client.force_login(town.people[who])
        return client.get(f"{case.get_absolute_url()}do/{step}/task.done/").content.decode()

    assert 'name="answer"' in opened("first", "handle")
    shown = opened("city", "handle")
    assert "这一事项没有交给您所在的单位。" in shown
    assert 'name="answer"' not in shown
    town.do(case, "handle", "first", ANSWER)
    acts.perform(case, "rate", "task.done", author, {"rating": "unsatisfied"})
    shown = opened("first", "rework")
    assert "须由另一人办理：您办理了上一环节。" in shown
    assert '<form class="form"' not in shown
    assert '<form class="form"' in opened("second", "rework")


def test_held_matters_are_in_no_public_list(town):
    shown, _author = town.assigned()
    held, _author, receipt = town.submit(held="flood")
    pages = ["/", "/cases/", f"/search/?q={held.number}", "/appeals/", "/estates/estate/"]
    pages += ["/procedures/appeals/feed.atom", "/procedures/appeals/terms.ics"]
    pages += ["/procedures/appeals/ocel.json", "/procedures/appeals/log.xes"]

    def found() -> set[str]:
        return {page for page in pages if held.number in text_of(Client().get(page))}

    said = "没有找到" in Client().get(pages[2]).content.decode()
    assert said
    assert found() <= {pages[2]}  # where the reader's own words are shown again
    assert shown.number in text_of(Client().get("/cases/"))
    assert Client().get(f"/r/{receipt}/").status_code == 200
    town.do(held, "screen", "office", {"decision": "genuine", "reason": "电话核实"})
    assert {"/cases/", "/appeals/", "/estates/estate/", pages[7]} <= found()
    spam, _author, _receipt = town.submit(held="same")
    town.do(spam, "screen", "office", {"decision": "spam", "reason": "广告"})
    assert spam.number not in text_of(Client().get("/cases/"))
    assert spam.number not in text_of(Client().get("/appeals/"))


def test_facets_by_office_kind_state_and_estate(town):
    other = factories.make_estate("other", parent=town.street).community
    first, _author = town.assigned()
    town.do(first, "handle", "first", ANSWER)
    second, _author = town.assigned(unit="city", kind="traffic")
    town.do(second, "handle", "city", ANSWER)
    town.community = other
    third, author = town.assigned()
    town.do(third, "handle", "first", ANSWER)
    acts.perform(third, "rate", "task.done", author, {"rating": "satisfied"})

    def found(query: str) -> set[str]:
        page = Client().get(f"/appeals/?{query}").content.decode()
        numbers = {case.number for case in (first, second, third)}
        return {number for number in numbers if f"/cases/{number}/" in page}

    assert found("") == {first.number, second.number, third.number}
    assert found("unit=city") == {second.number}
    assert found("kind=repair") == {first.number, third.number}
    assert found("state=done") == found("place=other") == {third.number}
    assert found("unit=housing&place=estate&state=open") == {first.number}
    assert found("unit=nobody&kind=nothing") == found("")
    chosen = Client().get("/appeals/?unit=city").content.decode()
    assert '<option value="city" selected>' in chosen


def test_cards_stand_in_the_list_and_on_the_page(town):
    near, _author = town.assigned(joint=["city"])
    town.day("2026-03-09", 9)
    later, _author = town.assigned()

    def listed(state: str) -> set[str]:
        page = Client().get(f"/appeals/?state={state}").content.decode()
        return {case.number for case in (near, later) if f"/cases/{case.number}/" in page}

    assert listed("yellow") == {near.number}
    assert listed("red") == set()
    page = Client().get(near.get_absolute_url()).content.decode()
    assert "黄牌提醒" in page
    assert "城市管理部门" in page
    town.day("2026-03-11", 9)
    assert listed("yellow") == set()
    assert listed("red") == {near.number}
    assert listed("open") == {near.number, later.number}
    sheet = {name: value for name, value in ANSWER.items() if name != "decision"}
    town.do(near, "supervised", "first", sheet)
    town.do(near, "inspect", "overseer", {"decision": "settled", "finding": "已核查"})
    assert listed("red") == set()
    assert listed("done") == {near.number}


def test_the_plan_is_picked_from_and_shows_the_point_to_those_who_handle_it(town):
    assert "<svg viewBox" not in Client().get("/appeals/new/?place=estate").content.decode()
    square = [[122.5, 35.5], [122.5003, 35.5], [122.5003, 35.5002], [122.5, 35.5]]
    shape = {"type": "Polygon", "coordinates": [square]}
    feature = {"properties": {"number": 1}, "geometry": shape}
    plans.apply(town.estate, json.dumps({"features": [feature]}).encode())
    page = Client().get("/appeals/new/?place=estate").content.decode()
    link = re.search(r'<a href="([^"]+)" aria-label="1号楼"', page)[1].replace("&amp;", "&")
    picked = Client().get(link).content.decode()
    assert '<option value="1号楼" selected>' in picked
    assert 'aria-current="true"' in picked
    assert report(Client(), point="36.8131,118.0548").status_code == 422
    receipt = report(Client(), building="1号楼", point="35.5001,122.5001")["Location"]
    case = Case.objects.get()
    assert "圆点是诉求人给的坐标" in Client().get(receipt).content.decode()
    assert "圆点是诉求人给的坐标" not in Client().get(case.get_absolute_url()).content.decode()
    clerk = Client()
    clerk.force_login(town.people["office"])
    assert "圆点是诉求人给的坐标" in clerk.get(case.get_absolute_url()).content.decode()


@pytest.mark.parametrize("who", ["office", "first", "city", "overseer"])
def test_an_inbox_asks_the_same_however_full(town, who):
    client = Client()
    client.force_login(town.people[who])

    def asked(more: int) -> int:
        for _each in range(more):
            town.submit()
            town.assigned(joint=["city"])
            case, _author = town.assigned(unit="city")
            town.do(case, "handle", "city", {"days": 3, "reason": "采购配件"}, "term.extended")
            supervised, _author = town.assigned()
            town.do(supervised, "handle", "first", ANSWER)
        client.get("/inbox/")
        with CaptureQueriesContext(connection) as found:
            assert client.get("/inbox/").status_code == 200
        return len(found)

    few = asked(1)
    assert asked(5) <= few
