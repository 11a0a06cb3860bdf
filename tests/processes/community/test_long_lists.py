"""Lists of a city: counted so far as it matters, and every matter is reached by following them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import make_estate
from workflows import clock
from workflows.models import Case
from workflows.portal import paging, places, readers, views

from .supervision_cases import _fresh, opened, town_fixture  # noqa: F401 - fixtures


@pytest.fixture
def short(monkeypatch: Any) -> Iterator[None]:
    """Six are counted, on pages of three."""
    monkeypatch.setattr(paging, "MOST", 6)
    monkeypatch.setattr(views, "PER_PAGE", 3)
    yield
    cache.delete(readers.GOING)


def followed(start: str) -> tuple[list[str], list[str]]:
    """The cases of a list and all that it leads on to, in order, and what it says of its length."""
    seen, said, path = [], [], start
    while path:
        page = Client().get(path).text
        seen += re.findall(r'href="/cases/([A-Z]+-\d+-\d+)/"', page)
        said += re.findall(r"共 \d+ 件[以上]*", page)
        links = re.findall(r'<a rel="next"[^>]*href="([^"]+)"', page)
        path = f"/cases/{links[0].replace('&amp;', '&')}" if links else ""
    return list(dict.fromkeys(seen)), said


def test_every_case_is_reached(town: SimpleNamespace, short: None) -> None:
    for _each in range(14):
        opened(town)
    newest = list(Case.objects.values_list("number", flat=True))
    seen, said = followed("/cases/?procedure=errand")
    assert seen == newest
    assert said == ["共 6 件以上"] * 4 + ["共 2 件"]
    assert followed("/cases/?q=示范")[0] == newest


@pytest.mark.parametrize("named", [1000, 0])
def test_a_word_of_many_places_finds_what_is_there(
    town: SimpleNamespace,
    monkeypatch: Any,
    named: int,
) -> None:
    monkeypatch.setattr(places, "NAMED", named)
    case = opened(town)
    for page in ("/cases/", "/appeals/"):
        assert Client().get(f"{page}?q=没有这个地方").status_code == 200
    found = Client().get(f"/cases/?q={case.community.name[-2:]}").text
    assert case.number in found
    assert case.number not in Client().get("/cases/?q=没有这个地方").text


def test_a_list_that_is_counted_out_leads_nowhere(town: SimpleNamespace, short: None) -> None:
    for _each in range(6):
        opened(town)
    seen, said = followed("/cases/")
    assert len(seen) == 6
    assert said == ["共 6 件"] * 2
    assert "更早的事项" not in Client().get("/cases/?page=2").text
    assert Client().get("/cases/?before=NONE-2026-0001").status_code == 200


def test_the_place_asked_for_is_offered_however_many_there_are(
    town: SimpleNamespace,
    monkeypatch: Any,
) -> None:
    def asked(path: str) -> tuple[int, str]:
        with CaptureQueriesContext(connection) as caught:
            page = Client().get(path).text
        return len(caught), page

    opened(town)
    few, page = asked("/cases/")
    assert '<option value="near">' in page
    assert '<option value="far">' not in page  # has no cases
    make_estate("third")
    monkeypatch.setattr(places, "MOST", 2)
    many, page = asked("/cases/")
    assert many == few
    assert '<option value="street">' in page
    assert '<option value="near">' not in page
    assert '<option value="near" selected>' in asked("/cases/?community=near")[1]


def test_one_address_searches_no_more_often_than_people_do(
    town: SimpleNamespace,
    settings: Any,
    monkeypatch: Any,
) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.RATELIMIT_ENABLE = True
    monkeypatch.setattr(views, "SEARCHES", "3/m")
    monkeypatch.setattr("django_ratelimit.core._get_window", lambda _key, _seconds: 0)
    for page in ("/search/?q=电梯", "/appeals/?q=电梯"):
        cache.clear()
        codes = [Client().get(page).status_code for _time in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        assert Client().get(page.partition("?")[0]).status_code == 200  # lists go on


def test_the_main_page_says_as_many_as_its_list_has(town: SimpleNamespace, short: None) -> None:
    """A suspended case waits, and is on another list; a part of a case is none of its own."""

    def said() -> list[str]:
        return re.findall(r'/cases/\?state=open">全部 (\d+) 件进行中的事项', Client().get("/").text)

    cases = [opened(town) for _each in range(4)]
    Case.objects.filter(pk=cases[0].pk).update(suspended_at=clock.now())
    assert said() == ["3"]
    assert "共 3 件<" in Client().get("/cases/?state=open").text
    assert "3 件进行中" in Client().get("/procedures/").text
    opened(town)
    assert said() == ["4"]


def test_very_many_are_counted_once_a_minute(town: SimpleNamespace, short: None) -> None:
    for _each in range(7):
        opened(town)
    with CaptureQueriesContext(connection) as first:
        assert readers.going() == {"errand": 7}
    opened(town)
    with CaptureQueriesContext(connection) as again:
        assert readers.going() == {"errand": 7}
    assert (len(first), len(again)) == (1, 0)
    cache.delete(readers.GOING)
    assert readers.going() == {"errand": 8}
