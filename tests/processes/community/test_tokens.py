"""The page of tokens: made with one's password, for staff with a fresh code, shown once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from processes.community.models import Estate, Person
from tests.factories import PASSWORD, make_estate, make_person
from tests.processes.community.test_sign_in import activate, code_now, confirm, sign_in
from workflows.models import ApiToken
from workflows.portal.api import tokens

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/my/tokens/"
NEW = "另一个示范密码一二三"


@pytest.fixture(autouse=True)
def _cache(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    settings.SANWEN_STAFF_TOTP = True


@pytest.fixture
def estate() -> Estate:
    return make_estate()


def signed_in(person: Person) -> Client:
    client = Client()
    sign_in(client, person.username)
    return client


def asked(*scopes: str, **more: str) -> dict[str, Any]:
    return {"name": "窗口", "scopes": scopes, "days": "30", "password": PASSWORD, **more}


def shown(answer: Any) -> str:
    (token,) = set(re.findall(r"sanwen_[A-Za-z0-9]{42}", answer.content.decode()))
    return token


def whose(token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return Client().get("/api/v1/me", headers=headers).status_code


def test_a_resident_makes_one_sees_it_once_and_takes_it_back() -> None:
    person = make_person("resident")
    client = signed_in(person)
    page = client.get(PAGE)
    assert "no-store" in page["Cache-Control"]
    assert "act.staff" not in page.content.decode(), "offered to nobody who serves nowhere"
    answer = client.post(PAGE, asked("read", "act.resident"))
    token = shown(answer)
    assert "no-store" in answer["Cache-Control"]
    assert token not in client.get(PAGE).content.decode()
    row = ApiToken.objects.get()
    assert (row.scopes, row.hint, row.confirmed_at) == (["read", "act.resident"], token[-4:], None)
    assert whose(token) == 200
    other = signed_in(make_person("other"))
    assert other.post(f"{PAGE}{row.pk}/revoke/").status_code == 404
    assert whose(token) == 200
    assert client.post(f"{PAGE}{row.pk}/revoke/").status_code == 302
    assert whose(token) == 401


def test_a_wrong_password_makes_none_and_a_staff_scope_is_no_residents() -> None:
    client = signed_in(make_person("resident"))
    assert client.post(PAGE, asked("read", password="falsch")).status_code == 422
    assert client.post(PAGE, asked("act.staff")).status_code == 422
    assert client.post(PAGE, asked()).status_code == 422
    assert not ApiToken.objects.exists()


def test_staff_give_a_fresh_code(estate: Estate) -> None:
    client = signed_in(make_person("clerk", "office", community=estate.community))
    secret = activate(client)
    assert client.post(PAGE, asked("act.staff")).status_code == 422
    assert client.post(PAGE, asked("act.staff", code="000000")).status_code == 422
    code = code_now(secret)
    token = shown(client.post(PAGE, asked("read.staff", "act.staff", code=code)))
    assert ApiToken.objects.get().confirmed_at is not None
    assert client.post(PAGE, asked("act.staff", code=code)).status_code == 422, (
        "a code is good once"
    )
    # What needs no office needs no code.
    plain = shown(client.post(PAGE, asked("read")))
    assert whose(token) == whose(plain) == 200
    confirm(client)
    assert client.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert whose(token) == 401, "without the app its tokens of staff end"
    assert whose(plain) == 200


def test_nobody_has_very_many() -> None:
    person = make_person("resident")
    for _ in range(tokens.MOST):
        tokens.give(person, "x", ["read"], 30, confirmed=False)
    answer = signed_in(person).post(PAGE, asked("read"))
    assert answer.status_code == 422
    assert ApiToken.objects.count() == tokens.MOST


def test_another_password_takes_all_tokens_back(estate: Estate) -> None:
    person, other = make_person("one"), make_person("two")
    tokens.give(other, "窗口", ["read"], 30, confirmed=False)
    token = tokens.give(person, "窗口", ["read"], 30, confirmed=False)
    assert whose(token) == 200
    client = signed_in(person)
    asked_for = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    wrong = client.post("/accounts/password/change/", {**asked_for, "oldpassword": "falsch"})
    assert wrong.status_code == 200
    assert whose(token) == 200
    answer = client.post("/accounts/password/change/", asked_for, follow=True)
    assert "令牌已全部收回" in answer.content.decode()
    assert whose(token) == 401
    assert ApiToken.objects.filter(revoked_at=None).count() == 1
