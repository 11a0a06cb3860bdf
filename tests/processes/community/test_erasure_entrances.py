"""Who may erase a resident, and how: the page of an officer and the command of an operator."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from processes.community.erasure import subject_of
from workflows import acts
from workflows.models import (
    Opinion,
)

from .erasure_cases import NAME, ROOM, TEXT
from .erasure_cases import place as place

pytestmark = pytest.mark.django_db(transaction=True)


def post(client: Client, **data: Any) -> Any:
    return client.post("/staff/erasure/estate/", {"reason": "request", **data})


def test_the_page_shows_first_and_erases_when_confirmed(place):
    case = place.consultation()
    cache.clear()
    client = Client()
    client.force_login(place.office)
    sent = {"unit": place.units[0].label, "account": "wanglaoshi"}
    shown = post(client, **sent)
    page = shown.content.decode()
    assert "将要删除" in page
    assert case.number in page
    assert Opinion.objects.filter(text=TEXT).exists()
    assert post(client, **sent, confirm="1").status_code == 302
    assert not Opinion.objects.filter(text=TEXT).exists()
    assert "各有一条记录" in client.get("/staff/erasure/estate/").content.decode()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "请填写户室、账号、回执码或者原业主姓名"),
        ({"receipt": "AAAAA-BBBBB-CCCCC-DDDDD"}, "本地点没有这张回执"),
        ({"unit": "9号楼9单元999室"}, "名册中没有这一户"),
        ({"account": "clerk"}, "本小区没有这个居民账号"),
        ({"former": NAME}, "名册中没有这位已不拥有房屋的业主"),
        ({"unit": ROOM, "close": "on"}, "注销账号须填写账号"),
    ],
)
def test_the_page_says_what_is_wrong(place, sent, words):
    client = Client()
    client.force_login(place.office)
    answer = post(client, **sent)
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_only_who_oversees_may_erase(place):
    client = Client()
    for person in (place.committee, place.person):
        client.force_login(person)
        assert client.get("/staff/erasure/estate/").status_code == 403
    case = place.consultation()
    client.force_login(place.office)
    sent = client.post(f"/cases/{case.number}/do/case/erasure.done/", {"reason": "request"})
    assert sent.status_code == 404
    subject = subject_of(place.person)
    with pytest.raises(acts.Refused):
        acts.perform(
            case,
            "case",
            "erasure.done",
            place.staff("residents_committee"),
            {"reason": "request", "subject": subject},
        )


def test_the_command_shows_first_and_erases_with_yes(place):
    case = place.consultation()
    out = io.StringIO()
    told = {"account": "wanglaoshi", "estate": "estate", "unit": ROOM, "by": "clerk"}
    call_command("erase", reason="request", stdout=out, **told)
    assert "尚未删除" in out.getvalue()
    assert Opinion.objects.filter(text=TEXT).exists()
    call_command("erase", reason="request", yes=True, stdout=out, **told)
    assert case.number in out.getvalue()
    assert NAME not in out.getvalue()
    assert not Opinion.objects.filter(text=TEXT).exists()


@pytest.mark.parametrize(
    "told", [{"account": "nobody"}, {"unit": "无"}, {}, {"former": NAME}, {"account": "committee"}]
)
def test_the_command_refuses_who_cannot_be_meant(place, told):
    with pytest.raises(CommandError):
        call_command("erase", reason="request", by="clerk", estate="estate", **told)
