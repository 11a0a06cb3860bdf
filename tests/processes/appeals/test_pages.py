"""Pages: reported on a phone without an account, followed and rated by the receipt; the list."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from processes.appeals import reading, rules
from processes.appeals.models import Appeal
from workflows import clock, records
from workflows.models import Case, Disclosure
from workflows.records import erasure
from workflows.records.erasure import Subject

from .conftest import ANSWER, ASSIGNED

SENT = {"community": "estate", "kind": "repair", "text": "楼道灯坏了三天没人修", "may_show": "on"}


@pytest.fixture(autouse=True)
def _fresh():
    cache.clear()
    yield
    cache.clear()


def report(client: Client, **more):
    return client.post("/appeals/new/", {**SENT, **more})


def test_without_an_account_by_the_receipt_alone(town):
    resident = Client()
    assert resident.get("/appeals/new/").status_code == 200
    assert resident.get("/procedures/appeals/open/").status_code == 200
    sent = report(resident)
    assert sent.status_code == 302
    receipt = sent["Location"]
    case = Case.objects.get()
    later = Client()  # another browser, with nothing but the code
    page = later.get(receipt).content.decode()
    assert "楼道灯坏了三天没人修" in page
    assert "task.withdrawn" in page
    town.do(case, "classify", "office", {**ASSIGNED, "wording": "楼道灯损坏"})
    town.do(case, "handle", "first", ANSWER)
    page = later.get(receipt).content.decode()
    assert "已换好。" in page
    rate = f"{receipt}do/rate/task.done/"
    assert later.get(rate).status_code == 200
    assert later.post(rate, {}).status_code == 422
    assert later.post(rate, {"rating": "unsatisfied"}).status_code == 302
    assert town.at(case) == "rework"
    public = Client().get(f"/cases/{case.number}/").content.decode()
    assert "三天没人修" not in public
    assert "已换好" not in public


def test_a_flood_of_one_browser_waits_and_others_are_not_held_up(town):
    one, other = Client(), Client()
    for number in range(7):
        assert report(one, text=f"第{number}件完全不同的诉求内容").status_code == 302
    assert report(other, text="别人的诉求，同一个地址").status_code == 302
    held = list(Appeal.objects.order_by("pk").values_list("held", flat=True))
    assert held == ["", "", "", "", "", "flood", "flood", ""]


def test_the_same_words_and_programs_wait(town):
    for _again in range(4):
        report(Client())
    report(Client(), text="买房请打电话联系我们", website="http://x")
    held = list(Appeal.objects.order_by("pk").values_list("held", flat=True))
    assert held == ["", "", "", "same", "honeypot"]
    assert len(reading.rows({})) == 3


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
    with django_assert_num_queries(4):
        assert client.get("/appeals/").status_code == 200
    for _each in range(9):
        town.submit()
    with django_assert_num_queries(4):
        client.get("/appeals/")


def test_figures_are_not_shown_below_five(town):
    for count in range(1, 6):
        case, _author = town.assigned()
        town.do(case, "handle", "first", ANSWER)
        shown = reading.figures()[0]
        assert (shown["in_time"] is None) == (count < rules.FEW)
    assert shown["in_time"] == shown["n"] == 5
    assert shown["overdue"] == 0
    assert shown["satisfied"] is None


def test_a_double_click_hands_in_once(town):
    resident = Client()
    resident.get("/appeals/new/")
    first, second = (report(resident, submission="one") for _ in range(2))
    assert first["Location"] == second["Location"]
    assert Appeal.objects.count() == 1
    assert report(resident, submission="two")["Location"] != first["Location"]
    assert report(Client(), submission="one")["Location"] != first["Location"]


def test_what_an_author_said_is_erased_with_the_author(town, django_user_model):
    person = django_user_model.objects.create_user("amy", display_name="王小明")
    resident = Client()
    resident.force_login(person)
    report(resident, name="王小明", phone="13812345678")
    case = Case.objects.get()
    with transaction.atomic():
        subject = Subject(users=frozenset({person.pk}), keys=frozenset({f"person:{person.pk}"}))
        erasure.erase(case, subject, clock.now())
    held = Appeal.objects.get()
    assert (held.text, held.name, held.phone) == ("", "", "")
    assert not Disclosure.objects.filter(record__case=case, record__trace__user=person).exists()
    assert records.first_fault(case) is None


def test_anybody_finds_the_way_in_from_the_home_page(town, client):
    page = client.get("/").content.decode()
    assert page.count('href="/appeals/new/"') == 2  # in the navigation and as a button
    assert 'href="/appeals/"' in page
    entry = client.get("/appeals/new/").content.decode()
    assert 'href="/appeals/new/" aria-current="page"' in entry
    assert 'href="/appeals/"' in client.get("/procedures/appeals/").content.decode()
    town.submit()
    assert "APPL-2026-0001" not in client.get("/").content.decode()  # no crowd on the home page
