"""Signing in, and the second factor of those who serve."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.test import Client

from processes.community.models import Estate, Person
from tests.factories import PASSWORD, make_estate, make_person

pytestmark = pytest.mark.django_db
# allauth tells of a new authenticator when it is committed.
committing = pytest.mark.django_db(transaction=True)
LOGIN, ACTIVATE = "/accounts/login/", "/accounts/2fa/totp/activate/"
GIVE, DEACTIVATE = "/accounts/2fa/reauthenticate/", "/accounts/2fa/totp/deactivate/"
STAFF_PAGE, CONFIRM = "/staff/rolls/", "/accounts/reauthenticate/"


@pytest.fixture(autouse=True)
def _cache(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    settings.SANWEN_STAFF_TOTP = True


@pytest.fixture
def estate() -> Estate:
    return make_estate()


@pytest.fixture
def clerk(estate: Estate) -> Person:
    return make_person("clerk", "office", community=estate.community)


def sign_in(client: Client, name: str, password: str = PASSWORD, **extra: str) -> Any:
    return client.post(LOGIN, {"login": name, "password": password}, **extra)


def code_now(secret: str) -> str:
    """What the authenticator app shows."""
    return totp.format_hotp_value(
        totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time())))
    )


def confirm(client: Client) -> None:
    """Give the password again, as before all that touches the account itself."""
    page = client.get(CONFIRM)
    assert page.status_code == 200
    assert client.post(CONFIRM, {"password": PASSWORD}).status_code == 302


def activate(client: Client) -> str:
    """Set up the app as the page says; returns its secret."""
    confirm(client)
    page = client.get(ACTIVATE)
    assert page.status_code == 200, page
    secret = page.context["form"].secret
    answer = client.post(ACTIVATE, {"code": code_now(secret)})
    assert answer.status_code == 302, answer.context["form"].errors
    cache.clear()  # a code is good once; the next one would be half a minute away
    return secret


def where(client: Client, path: str = STAFF_PAGE) -> str:
    """Where a page sends one, or its status."""
    answer = client.get(path)
    return (
        answer["Location"].split("?")[0] if answer.status_code == 302 else str(answer.status_code)
    )


# --- staff -------------------------------------------------------------------------------------


@committing
def test_staff_get_nowhere_before_they_set_it_up(client: Client, clerk: Person) -> None:
    assert sign_in(client, "clerk").status_code == 302
    for path in (STAFF_PAGE, "/", "/my/", "/inbox/", "/staff/codes/estate/", "/my/claim/"):
        assert where(client, path) == ACTIVATE
    assert client.post(STAFF_PAGE)["Location"] == ACTIVATE
    assert where(client, ACTIVATE) == CONFIRM
    activate(client)
    assert where(client) == "200"
    assert Authenticator.objects.filter(user=clerk, type="recovery_codes").exists()


@committing
def test_staff_are_asked_at_every_sign_in(client: Client, clerk: Person) -> None:
    sign_in(client, "clerk")
    secret = activate(client)
    client.post("/accounts/logout/")
    answer = sign_in(client, "clerk")
    assert answer["Location"].split("?")[0] == "/accounts/2fa/authenticate/"
    assert where(client) == LOGIN  # not signed in yet
    assert client.post(answer["Location"], {"code": "000000"}).status_code == 200
    assert where(client) == LOGIN
    assert client.post(answer["Location"], {"code": code_now(secret)}).status_code == 302
    assert where(client) == "200"


@committing
def test_a_session_older_than_the_app_is_asked_as_well(client: Client, clerk: Person) -> None:
    old = Client()
    sign_in(old, "clerk")
    sign_in(client, "clerk")
    secret = activate(client)
    assert where(old) == GIVE
    assert old.get(STAFF_PAGE)["Location"] == f"{GIVE}?next=%2Fstaff%2Frolls%2F"
    # Whoever has only the password may not take the app away, or look at its spare codes.
    for path in (
        DEACTIVATE,
        ACTIVATE,
        "/accounts/2fa/recovery-codes/",
        "/accounts/password/change/",
    ):
        assert where(old, path) == GIVE
    assert old.post(DEACTIVATE)["Location"].startswith(GIVE)
    assert Authenticator.objects.filter(user=clerk, type="totp").exists()
    page = old.get(GIVE)
    assert page.status_code == 200
    assert old.post(f"{GIVE}?next={STAFF_PAGE}", {"code": "000000"}).status_code == 200
    assert where(old) == GIVE
    answer = old.post(GIVE, {"code": code_now(secret), "next": STAFF_PAGE})
    assert (answer.status_code, answer["Location"]) == (302, STAFF_PAGE)
    assert where(old) == "200"


def test_residents_are_not_asked(client: Client) -> None:
    make_person("resident")
    sign_in(client, "resident")
    assert where(client, "/my/") == "200"


def test_whoever_served_and_whoever_will(client: Client, estate: Estate) -> None:
    from workflows import clock

    today = clock.today()
    for name, dates in {
        "former": {"until": today.replace(year=today.year - 1)},
        "future": {"since": today.replace(year=today.year + 1, day=1)},
    }.items():
        make_person(name, "office", community=estate.community, **dates)
        sign_in(client, name)
        assert where(client, "/my/") == "200"
        client.post("/accounts/logout/")


def test_the_demo_does_not_ask(client: Client, clerk: Person, settings: Any) -> None:
    settings.SANWEN_STAFF_TOTP = False
    sign_in(client, "clerk")
    assert where(client) == "200"


def test_one_can_always_leave(client: Client, clerk: Person) -> None:
    sign_in(client, "clerk")
    assert client.post("/accounts/logout/").status_code == 302
    assert where(client) == LOGIN


# --- nobody is locked out by a neighbour -------------------------------------------------------


def test_guessing_is_stopped_and_locks_out_nobody(client: Client) -> None:
    make_person("victim")
    for _ in range(30):
        answer = sign_in(client, "victim", "wrong", REMOTE_ADDR="192.0.2.1")
    assert answer.status_code in (200, 429)
    # Stopped from there, even with the right password …
    assert sign_in(client, "victim", REMOTE_ADDR="192.0.2.1").status_code != 302
    # … and from everywhere else the owner of the account comes in.
    assert sign_in(Client(), "victim", REMOTE_ADDR="192.0.2.2").status_code == 302


def test_a_wrong_name_and_a_wrong_password_look_alike(client: Client) -> None:
    make_person("known")
    pages = set()
    for name in ("known", "unknown"):
        page = sign_in(client, name, "wrong").content.decode()
        page = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page)
        pages.add(page.replace(f'value="{name}"', ""))
    assert len(pages) == 1


def test_signing_up_takes_a_name_and_a_password(client: Client) -> None:
    assert client.get("/accounts/signup/").status_code == 200
    form = {"username": "xinren", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/accounts/signup/", form).status_code == 302
    person = Person.objects.get(username="xinren")
    assert (person.email, person.is_staff, person.is_superuser) == ("", False, False)
    assert where(client, "/my/") == "200"


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_forgotten_password_sends_nothing(client: Client, method: str, mailoutbox: Any) -> None:
    make_person("resident")
    answer = getattr(client, method)("/accounts/password/reset/", {"email": "a@example.org"})
    assert answer.status_code == 200
    assert "居委会" in answer.content.decode()
    assert 'href="/accounts/password/reset/"' in client.get(LOGIN).content.decode()
    sign_in(client, "resident")
    form = {"email": "a@example.org", "action_add": ""}
    assert getattr(client, method)("/accounts/email/", form).status_code == 404
    assert mailoutbox == []


# --- the pages are ours ------------------------------------------------------------------------


@committing
def test_the_pages_speak_chinese_and_keep_to_the_policy(client: Client, clerk: Person) -> None:
    pages = {path: client.get(path) for path in (LOGIN, "/accounts/signup/")}
    sign_in(client, "clerk")
    pages[CONFIRM] = client.get(CONFIRM)
    confirm(client)
    pages[ACTIVATE] = client.get(ACTIVATE)
    assert "办理公务的账号" in pages[ACTIVATE].content.decode()
    activate(client)
    for path in (
        "/accounts/2fa/",
        "/accounts/2fa/recovery-codes/",
        DEACTIVATE,
        "/accounts/logout/",
        "/accounts/password/change/",
        GIVE,
    ):
        pages[path] = client.get(path)
    for path, answer in pages.items():
        assert answer.status_code == 200, path
        html = answer.content.decode()
        assert '<html lang="zh-Hans"' in html, path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html), path
        assert not re.search(r"<script(?![^>]*\bsrc=)", html), path
        words = re.sub(r"<(script|head)\b.*?</\1>|<textarea.*?</textarea>", "", html, flags=re.S)
        words = re.sub(r"<[^>]+>", " ", words)
        english = re.findall(r"[A-Za-z]{2,}(?: [A-Za-z]+){2,}", words)
        assert not english, (path, english)
        assert html.count("<h1") == 1, path


def test_a_password_that_is_too_short_is_said_in_chinese(client: Client) -> None:
    short = {"username": "xinren", "password1": "七个字", "password2": "七个字"}
    page = client.post("/accounts/signup/", short).content.decode()
    assert "密码太短，至少要有10个字符。" in page
    assert "too short" not in page
