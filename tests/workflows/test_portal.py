"""Generic pages: every procedure gets them without a line of its own."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars, clock
from workflows.models import Community
from workflows.parties import Party
from workflows.portal import mine

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
OFFICE = Party("office", "person:1")


@pytest.fixture(autouse=True)
def _fresh(db):
    calendars.seed()
    SandboxDirectory.reset()
    with clock.at(NOON):
        yield


@pytest.fixture
def estate():
    return Community.objects.create(code="demo", name="示范小区", kind="estate")


@pytest.fixture
def case(estate):
    return acts.open_case(Errand, estate, OFFICE, title="示范差事")


@pytest.fixture
def officer(django_user_model, client):
    user = django_user_model.objects.create_user("officer", password="示范-密码-一二三")
    client.force_login(user)
    return user


PUBLIC = [
    "/",
    "/cases/",
    "/cases/?q=示范&state=open",
    "/search/?q=没有的",
    "/procedures/",
    "/procedures/errand/",
    "/cases/ERR-2026-0001/",
    "/cases/ERR-2026-0001/records/",
    "/cases/ERR-2026-0001/records/1/",
    "/cases/ERR-2026-0001/records.jsonl",
    "/verify/?case=ERR-2026-0001",
    "/verify/?case=none",
    "/r/",
    "/accessibility/",
    "/healthz",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_pages_open_without_an_account(client, case, address):
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["/cases/none/", "/procedures/none/", "/cases/ERR-2026-0001/records/99/", "/r/AAAAA/"],
)
def test_what_is_not_there_is_not_found(client, case, address):
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    "address",
    ["/my/", "/inbox/", "/procedures/errand/open/", "/cases/ERR-2026-0001/do/write/task.done/"],
)
def test_pages_of_people_ask_to_sign_in(client, case, address):
    response = client.get(address)
    assert response.status_code == 302
    assert "/accounts/login/" in response["Location"]


def test_a_case_is_opened_and_moved_by_way_of_the_pages(client, estate, officer):
    opened = client.post(
        "/procedures/errand/open/",
        {"community": "demo", "title": "示范差事", "decide__term": 20, "idempotency_key": "a"},
    )
    assert opened.status_code == 302
    page = opened["Location"]
    assert "起草" in client.get(page).content.decode()
    act = page + "do/write/task.done/"
    assert client.get(act).status_code == 200
    empty = client.post(act, {"text": ""})
    assert empty.status_code == 422
    done = client.post(act, {"text": "好", "idempotency_key": "k"}, follow=True)
    assert "回执" in done.content.decode()
    again = client.post(act, {"text": "好", "idempotency_key": "k"}, follow=True)
    assert again.redirect_chain == done.redirect_chain
    mine = client.get("/my/").content.decode()
    assert "核对甲" in mine


def test_opening_twice_by_a_double_click_opens_one_case(client, estate, officer):
    data = {"community": "demo", "title": "甲", "decide__term": 20, "idempotency_key": "a"}
    first = client.post("/procedures/errand/open/", data)["Location"]
    assert client.post("/procedures/errand/open/", data)["Location"] == first


def test_a_receipt_opens_without_an_account_and_tells_no_referrer(client, case):
    done = acts.perform(case, "write", "task.done", OFFICE, {"text": "甲", "name": "张三"})
    page = client.get(f"/r/{done.receipt}/")
    assert page.status_code == 200
    assert page["Referrer-Policy"] == "strict-origin"
    assert "张三" not in page.content.decode()
    assert f'receipt-code">{done.receipt}<' in page.content.decode()  # to write down
    typed = client.post("/r/", {"code": done.receipt.lower().replace("-", "")})
    assert typed["Location"] == f"/r/{done.receipt}/"


def test_the_case_page_costs_the_same_with_many_records(client, case, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        client.get("/cases/ERR-2026-0001/")
    for _ in range(30):
        acts.perform(case, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正"})
    with CaptureQueriesContext(connection) as many:
        client.get("/cases/ERR-2026-0001/")
    assert len(many) <= len(few)


@pytest.mark.parametrize("address", ["/", "/cases/"])
def test_lists_cost_the_same_with_many_cases(client, estate, address):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    acts.open_case(Errand, estate, OFFICE, title="甲")
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for number in range(6):
        acts.open_case(Errand, estate, OFFICE, title=f"乙{number}")
    with CaptureQueriesContext(connection) as many:
        client.get(address)
    assert len(many) <= len(few)


def test_the_course_gives_terms_and_true_numbers_and_leads_to_the_rest(client, case):
    acts.perform(case, "write", "task.done", OFFICE, {"text": "甲"})
    page = client.get("/cases/ERR-2026-0001/").content.decode()
    assert "时限5日，至2026年6月22日" in page
    run = case.runs.get(name="write")
    kept = case.records.filter(run=run).count()
    assert f"{kept} 条公开记录" in page
    rows = client.get(f"/cases/ERR-2026-0001/records/?step={run.pk}")
    assert len(rows.context["rows"]) == kept
    assert client.get("/cases/ERR-2026-0001/records/?step=999").status_code == 404


def test_who_looks_without_an_account_is_told_how_to_take_part(client, estate):
    from tests.sandbox.opinion_procedures import Needs

    case = acts.open_case(Needs, estate, OFFICE, title="甲")
    for address in (case.get_absolute_url(), f"{case.get_absolute_url()}steps/{_open(case)}/"):
        page = client.get(address).content.decode()
        assert "登录后参与" in page
        assert "纸质表" in page


def _open(case):
    return next(run.pk for run in case.runs.order_by("-pk") if run.is_open)


def test_who_opens_a_case_finds_that_unless_an_act_of_theirs_follows_at_once(
    django_user_model, monkeypatch
):
    user = django_user_model.objects.create_user("neighbour", password="示范-密码-一二三")
    estate = Community.objects.create(code="own", name="示范小区", kind="estate")
    acts.open_case(Errand, estate, Party("office", f"person:{user.pk}", user.pk), title="自行车棚")
    monkeypatch.setattr(mine, "own_roles", lambda: frozenset({"office"}))
    assert [trace.record.act for trace in mine.my_deeds(user)] == ["case.opened"]
    monkeypatch.setattr(Errand, "opens_with", ("note", "task.done"))
    assert not list(mine.my_deeds(user))
    assert [trace.record.act for trace in mine.my_acts(user)] == ["case.opened"]
