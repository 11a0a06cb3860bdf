"""What holds for every address at once: tokens, ways out, headers; and how long a session lasts.

The addresses come from the URLconf, so that a new one is tried without anybody thinking of it.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from processes.community import middleware
from processes.community.models import Person
from tests.factories import PASSWORD, make_estate, make_person
from tests.permissions import routes
from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.processes.community.test_sign_in import activate, code_now, sign_in
from tests.test_permissions import World

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent

WITHOUT_TOKEN = {
    "settings/text-size/",  # the reader's own comfort: from a page of ours, as the browser says
    "i18n/setlang/",
    "log/cosignatures",  # witnesses: what they send is signed
    "news/leave/<str:secret>/",  # mail programs (RFC 8058): the secret in the address counts
}
EVIL = ("https://evil.example/", "/\\evil.example")
FIELDS = ("next", "next_url", "redirect", "redirect_to", "return", "url", "u", "continue")


def callbacks() -> dict[str, Any]:
    """Every view of the site by its route."""

    def walk(resolver: Any, before: str) -> Any:
        for pattern in resolver.url_patterns:
            route = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, route)
            elif isinstance(pattern, URLPattern):
                yield route, pattern.callback

    return dict(walk(get_resolver("config.urls"), ""))


def library(route: str) -> str:
    """An address of django-allauth with something in its places."""
    route = re.sub(r"<(?:\w+:)?\w+>", "1", route.replace("^", "").replace("$", ""))
    route = re.sub(r"\(\?P<\w+>[^)]*\)", "1", route)
    return "/" + route


@pytest.fixture
def world(place: Place, django_user_model: Any) -> World:
    """Everybody of the permission matrix."""
    cache.clear()
    return World(place, django_user_model)


def address(world: World, route: str) -> str:
    """An address of the site, of a thing that is there."""
    return library(route) if route.startswith("accounts/") else world.address(route, own=True)


# --- forms


def test_no_address_takes_a_form_without_its_token(world: World) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(world.people["office"])
    free = set()
    for route in routes():
        answer = client.post(address(world, route))
        # The token is looked for before the view is asked whether it takes forms at all.
        if "403_csrf.html" not in [each.name for each in answer.templates]:
            free.add(route)
    # The API has no session to be misused: what it takes by POST needs a token of its own.
    nowhere = {route for route in free if "(?P<" in route}  # the library's, with codes we have not
    assert {r for r in free - nowhere if not r.startswith("api/")} == WITHOUT_TOKEN
    exempt = {r for r, view in callbacks().items() if getattr(view, "csrf_exempt", False)}
    assert {route for route in exempt if not route.startswith("api/")} == WITHOUT_TOKEN


@pytest.mark.city
@pytest.mark.parametrize("packed", [False, True])
def test_signs_that_no_database_takes_are_refused_in_forms_too(place: Place, packed: bool) -> None:
    """PostgreSQL takes no NUL in a text: none comes as far as a query, whichever view reads it."""
    cache.clear()
    street = place.community.parent
    auditor = make_person("auditor", "auditor", community=street)
    for person, where, field in (
        (place.others[0], "/news/follow/", "case"),
        (place.others[0], "/news/settings/stop/", "key"),
        (place.others[0], "/news/hooks/", "hook"),
        (auditor, "/audit/take/", "case"),
        (None, "/appeals/new/", "community"),
    ):
        client = Client(raise_request_exception=False)
        if person is not None:
            client.force_login(person)
        more = {} if packed else {"content_type": "application/x-www-form-urlencoded"}
        sent: Any = {field: "x\0y"} if packed else f"{field}=x%00y"
        assert client.post(where, sent, **more).status_code == 400, where


HUGE = ("9" * 19, "9" * 30, "9" * 5000)
"""Numbers that are larger than a database takes, and than Python reads."""


@pytest.mark.slow
@pytest.mark.city
def test_no_number_in_an_address_is_too_large_for_us(world: World) -> None:
    wrong = []
    client = world.client("office")
    client.raise_request_exception = False
    for route in routes():
        for numbered in re.findall(r"<int:\w+>|<run>|<seq>", route):
            for number in HUGE:
                here = address(world, route.replace(numbered, number, 1))
                for answer in (client.get(here), client.post(here)):
                    if answer.status_code >= 500:
                        wrong.append(f"{route} with {len(number)} digits: {answer.status_code}")
    case = f"/cases/{world.places[True]['number']}"
    step = f"{case}/steps/{world.places[True]['run']}/"
    for path in (
        f"{case}/do/ask/opinion.replied/?opinions=", f"{case}/do/ask/opinion.submitted/?as=",
        f"{case}/do/case/opinion.replied/?opinions=",
        f"{case}/records/?step=", f"{case}/?page=", f"{step}?page=", f"{step}?find=",
        "/cases/?page=", "/supervision/?since=", "/inbox/?page=", "/news/?page=",
        "/api/v1/cases?limit=", f"/api/v1{case}/records?run=",
        "/staff/codes/estate/?stairwell=", "/procedures/sandbox_needs/?version=",
        "/news/queue/?page=",
    ):  # fmt: skip
        for number in HUGE:
            if (answer := client.get(path + number)).status_code >= 500:
                wrong.append(f"{path} with {len(number)} digits: {answer.status_code}")
    for number in HUGE:
        sent = {"opinions": [number], "outcome": "adopted", "public_text": "x", "reason": "x"}
        for path, fields in (
            (f"{case}/do/ask/opinion.replied/", sent),
            ("/news/hooks/", {"do": "test", "hook": number}),
            ("/news/audiences/", {"do": "end", "audience": number}),
        ):
            if (answer := client.post(path, fields)).status_code >= 500:
                wrong.append(f"{path} sent {len(number)} digits: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


# --- ways out


@pytest.mark.slow
def test_no_address_of_the_site_sends_people_elsewhere(world: World) -> None:
    wrong = []
    clients = {role: world.client(role) for role in ("visitor", "office")}
    for route in routes():
        if route == "accounts/logout/":
            continue  # tried in test_permissions; here it would end the session
        for evil in EVIL:
            fields = dict.fromkeys(FIELDS, evil)
            for role, client in clients.items():
                here = address(world, route)
                answers = [client.get(here, fields, headers={"Referer": evil})]
                answers.append(client.post(here, fields, headers={"Referer": evil}))
                for answer in answers:
                    target = answer.headers.get("Location", "")
                    if re.match(r"\s*([a-z]+:)?[/\\]{2}|[a-z]+:", target.split("?")[0]):
                        wrong.append(f"{here} as {role} leads to {target}")
                    if answer.status_code >= 500 and answer.status_code != 503:
                        wrong.append(f"{here} as {role}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


# --- headers

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def bare(answer: Any) -> list[str]:
    """What an answer lacks. A stricter policy of its own is none."""
    missing = [name for name, value in FIXED.items() if answer.headers.get(name) != value]
    policy = answer.headers.get("Content-Security-Policy", "")
    # Pages with a secret in their address tell not even other pages of the site.
    if answer.headers.get("Referrer-Policy") not in ("same-origin", "strict-origin"):
        missing.append("Referrer-Policy")
    closed = "frame-ancestors 'none'" in policy or "sandbox" in policy
    good = "default-src 'none'" in policy and closed
    if not good or "unsafe" in policy or "*" in policy:
        missing.append(f"Content-Security-Policy: {policy}")
    if "camera=()" not in answer.headers.get("Permissions-Policy", ""):
        missing.append("Permissions-Policy")
    return missing


@pytest.mark.slow
def test_every_kind_of_answer_has_every_header(world: World) -> None:
    wrong, kinds = [], set()
    for role in ("visitor", "resident", "office"):
        client = world.client(role)
        for route in routes():
            if route == "accounts/logout/":
                continue
            strange = (client.options, client.put) if role == "visitor" else ()
            for send in (client.get, client.post, *strange):
                answer = send(address(world, route))
                kinds.add(
                    (answer.status_code, answer.headers.get("Content-Type", "").split(";")[0])
                )
                wrong += [f"{send.__name__} /{route}: {each}" for each in bare(answer)]
    assert not wrong, "\n".join(sorted(set(wrong)))
    codes = {status for status, _type in kinds}
    assert codes >= {200, 302, 403, 404, 405, 422}
    types = {content for _status, content in kinds}
    assert types >= {
        "text/html", "application/pdf", "text/csv", "application/json", "image/svg+xml",
        "text/calendar", "application/atom+xml", "image/png",
    }  # fmt: skip


def test_faults_and_files_have_every_header(client: Client, monkeypatch: Any) -> None:
    client.raise_request_exception = False
    assert client.get("/static/sanwen/favicon.svg").status_code == 200
    assert not bare(client.get("/static/sanwen/favicon.svg"))
    assert not bare(client.get("/static/sanwen/none.svg"))
    assert not bare(client.get("/cases/?q=%00"))
    strange = client.get("/", headers={"host": "evil.example"})
    assert strange.status_code == 400
    assert not bare(strange)

    def fault(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("workflows.portal.readers.home", fault, raising=True)
    broken = client.get("/")
    assert broken.status_code == 500
    assert not bare(broken)
    assert "on purpose" not in broken.content.decode()


def test_under_https_cookies_are_bound_to_the_host_and_never_plain(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import django; django.setup(); from django.conf import settings as s;"
        "print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY,"
        " s.SESSION_COOKIE_SAMESITE, s.SESSION_COOKIE_DOMAIN, s.SESSION_COOKIE_PATH,"
        " s.CSRF_COOKIE_NAME, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT,"
        " s.SECURE_HSTS_SECONDS)"
    )
    environment = {"SANWEN_HOME": str(tmp_path), "SANWEN_HTTPS": "1"}
    environment |= {"DJANGO_SETTINGS_MODULE": "config.settings", "PATH": "/usr/bin:/bin"}
    said = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=ROOT.parent,
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert said == [
        "__Host-sessionid", "True", "True", "Lax", "None", "/",
        "__Host-csrftoken", "True", "True", "31536000",
    ]  # fmt: skip


# --- sessions


@pytest.fixture
def clerk(settings: Any) -> Person:
    """Somebody who serves."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    settings.SANWEN_STAFF_TOTP = False
    return make_person("clerk", "office", community=make_estate().community)


class Later:
    """A clock of its own for the sessions' rules."""

    def __init__(self, monkeypatch: Any) -> None:
        self.seconds = 0.0
        monkeypatch.setattr(middleware.time, "time", self)
        self.began = self._real()

    @staticmethod
    def _real(real: Any = time.time) -> float:
        return float(real())

    def __call__(self) -> float:
        return self.began + self.seconds


@pytest.fixture
def later(monkeypatch: Any) -> Later:
    """Time that the test moves."""
    return Later(monkeypatch)


def inside(client: Client) -> bool:
    """Whether the session still is somebody's."""
    return client.get("/my/").status_code == 200


def test_a_session_of_who_serves_ends_when_nothing_is_done(clerk: Person, later: Later) -> None:
    client = Client()
    sign_in(client, "clerk")
    for _ in range(4):
        later.seconds += 29 * 60
        assert inside(client)
    later.seconds += 31 * 60
    assert not inside(client)
    assert not client.session.get("_auth_user_id")


def test_what_a_page_fetches_by_itself_keeps_no_session(clerk: Person, later: Later) -> None:
    client = Client()
    sign_in(client, "clerk")
    for _ in range(2):
        later.seconds += 16 * 60
        client.get("/my/", headers={"HX-Request": "true"})
    assert not inside(client)


def test_a_session_ends_after_twelve_hours_whatever_is_done(clerk: Person, later: Later) -> None:
    make_person("resident")
    for name in ("clerk", "resident"):
        client = Client()
        sign_in(client, name)
        for _ in range(47):
            later.seconds += 15 * 60
            assert inside(client), later.seconds
        later.seconds += 16 * 60
        assert not inside(client)


def test_a_resident_may_take_their_time(clerk: Person, later: Later) -> None:
    make_person("resident")
    client = Client()
    sign_in(client, "resident")
    later.seconds += 11 * 3600
    assert inside(client)


def test_signing_in_changes_the_session_and_signing_out_ends_it(clerk: Person) -> None:
    client = Client()
    client.post("/i18n/setlang/", {"language": "en"})
    session = client.session
    session["before"] = "somebody else's"
    session.save()
    client.cookies["sessionid"] = session.session_key
    sign_in(client, "clerk")
    inner = client.session.session_key
    assert inner != session.session_key
    stolen = Client()
    stolen.cookies["sessionid"] = session.session_key
    assert not inside(stolen)
    stolen.cookies["sessionid"] = inner
    assert inside(stolen)
    client.post("/accounts/logout/")
    assert not inside(stolen)


def test_a_new_password_ends_every_other_session(clerk: Person) -> None:
    here, elsewhere = Client(), Client()
    sign_in(here, "clerk")
    sign_in(elsewhere, "clerk")
    told = {
        "oldpassword": PASSWORD,
        "password1": "示范的新密码七八九十",
        "password2": "示范的新密码七八九十",
    }
    assert here.post("/accounts/password/change/", told).status_code == 302
    assert inside(here)
    assert not inside(elsewhere)


# --- second factor


def test_a_code_is_good_once(clerk: Person, settings: Any) -> None:
    settings.SANWEN_STAFF_TOTP = True
    client = Client()
    sign_in(client, "clerk")
    secret = activate(client)
    client.post("/accounts/logout/")
    code = code_now(secret)
    first = sign_in(client, "clerk")["Location"]
    assert client.post(first, {"code": code}).status_code == 302
    assert inside(client)
    other = Client()
    second = sign_in(other, "clerk")["Location"]
    assert other.post(second, {"code": code}).status_code == 200
    assert not inside(other)


def test_guessing_codes_is_stopped(clerk: Person, settings: Any) -> None:
    settings.SANWEN_STAFF_TOTP = True
    client = Client()
    sign_in(client, "clerk")
    secret = activate(client)
    client.post("/accounts/logout/")
    thief = Client(REMOTE_ADDR="192.0.2.9")
    where = sign_in(thief, "clerk")["Location"]
    for _ in range(30):
        thief.post(where, {"code": "000000"})
    thief.post(where, {"code": code_now(secret)})
    assert not inside(thief)
    # Its owner comes in from elsewhere all the same.
    owner = Client(REMOTE_ADDR="192.0.2.10")
    owner.post(sign_in(owner, "clerk")["Location"], {"code": code_now(secret)})
    assert inside(owner)


# --- the table


def test_the_table_of_security_names_tests_that_are_there() -> None:
    page = (ROOT.parent / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w-]+/)*(?:test_\w+|conftest)\.py)(?:::(\w+))?`", page))
    assert len(named) > 10
    for file, test in named:
        path = ROOT / file
        assert path.is_file(), f"docs/security.md names {file}"
        if test:
            assert re.search(rf"def {test}\(", path.read_text(encoding="utf-8")), f"{file}::{test}"
