"""The shipped nginx configuration, started before two servers: what is kept, and for whom."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from tests import factories
from tests.test_tasks import free_port
from tests.workflows.test_concurrency import ROOT, database_address
from tools import nginx
from workflows import acts, calendars, clock
from workflows.parties import Party

CITY = os.environ.get("SANWEN_TEST_STACK") == "city"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.skipif(not CITY, reason="two servers need PostgreSQL and Redis"),
]
ENGLISH, CHINESE = {"Accept-Language": "en-US,en;q=0.9"}, {"Accept-Language": "zh-CN,zh;q=0.9"}


class Site:
    """nginx on a port of loopback, and the case that is looked at."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, **headers: str) -> tuple[http.client.HTTPMessage, str]:
        """The headers of a page that is there, and its text."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        link.request("GET", path, headers={"Host": f"127.0.0.1:{self.port}", **headers})
        answer = link.getresponse()
        text = answer.read().decode(errors="replace")
        link.close()
        assert answer.status == 200, f"{path}: {answer.status}"
        return answer.headers, text

    def twice(self, path: str, **headers: str) -> list[tuple[http.client.HTTPMessage, str]]:
        """The same page made and then given again; asked for until both lie within a second."""
        for _n in range(60):
            time.sleep(1.001 - time.time() % 1)
            both = [self.get(path, **headers), self.get(path, **headers)]
            if both[1][0]["X-Cache"] == "HIT":
                return both
        raise AssertionError(f"{path} is never kept")


def well(port: int) -> bool:
    """Whether something says that it is well there."""
    try:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        link.request("GET", "/healthz")
        return link.getresponse().status == 200
    except OSError:
        return False


@pytest.fixture
def site(transactional_db, settings) -> Iterator[Site]:
    """Two servers on the test's database, nginx before them."""
    program = nginx.program()
    if program is None:
        pytest.fail(nginx.MISSING)
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    calendars.seed()
    folder = Path(tempfile.mkdtemp(prefix="sanwen-nginx-"))
    static = folder / "static"
    env = {
        **os.environ,
        "SANWEN_DATABASE": database_address(),
        "SANWEN_BEHIND_PROXY": "1",
        "SANWEN_DEMO": "1",
        "SANWEN_STATIC": str(static),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": str(ROOT),
    }
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=env, check=True)
    ports = [free_port(), free_port()]
    parts = [
        subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port),
             "--lifespan", "off", "--log-level", "warning", "--no-access-log"],
            cwd=ROOT, env=env,
        )
        for port in ports
    ]  # fmt: skip
    port = free_port()
    conf = nginx.render(folder / "nginx", port, ports, static)
    as_anybody = {}
    if os.geteuid() == 0:  # the tests may run as root; nginx must not need it
        nobody = 65534
        for each in (folder, *folder.rglob("*")):
            os.chown(each, nobody, nobody)
        as_anybody = {"user": nobody, "group": nobody, "extra_groups": []}
    parts.append(subprocess.Popen([program, "-e", "stderr", "-c", str(conf)], **as_anybody))
    try:
        end = time.monotonic() + 120
        while not all(well(each) for each in (*ports, port)):
            assert all(part.poll() is None for part in parts), "a part of it ended"
            assert time.monotonic() < end
            time.sleep(0.2)
        yield Site(port)
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            part.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def case(site):
    """A case of an estate."""
    from processes.open_days.procedure import OpenDay

    street = factories.make_street()
    estate = factories.make_estate(units=2, parent=street)
    office = factories.make_person("office", "office", community=street)
    site.party = Party("office", f"person:{office.pk}", office.pk)
    site.office = office
    return acts.open_case(OpenDay, estate.community, site.party, title="示范开放日", demo=True)


def call(site, case, place: str) -> None:
    """An act that the page of the case shows."""
    starts = clock.now().astimezone(clock.SHANGHAI).replace(hour=9, minute=0)
    when = (starts + dt.timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    acts.perform(
        case, "visit", "meeting.called", site.party,
        {"starts_at": when, "place": place, "agenda": "参观改造现场。"},
    )  # fmt: skip


def session_of(person) -> str:
    """A session of somebody who has signed in."""
    store = SessionStore()
    store[SESSION_KEY] = str(person.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = person.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def test_what_is_kept_and_for_whom(site, case):
    page = f"/cases/{case.number}/"

    # Two within a second: the second is the first again, under a name of its own.
    (first, text), (second, again) = site.twice(page)
    assert text == again
    assert first["X-Request-ID"] != second["X-Request-ID"]
    for name in ("X-Request-ID", "Content-Security-Policy", "X-Content-Type-Options",
                 "Referrer-Policy", "Cross-Origin-Opener-Policy", "X-Frame-Options"):  # fmt: skip
        assert len(second.get_all(name)) == 1, name
    assert not second["X-Accel-Expires"]
    assert not second["Set-Cookie"]

    (_first, _text), (packed, _bytes) = site.twice(page, **{"Accept-Encoding": "gzip, br"})
    assert packed["Content-Encoding"] == "gzip"
    assert not second["Content-Encoding"]

    # Languages and large text are not mixed, chosen or wanted; each is kept for itself.
    wants = {
        "en": ENGLISH,
        "zh": CHINESE,
        "chosen": {**CHINESE, "Cookie": "django_language=en"},
        "large": {**CHINESE, "Cookie": "text_size=large; csrftoken=" + "c" * 32},
    }
    for _n in range(3):
        got = {name: site.twice(page, **headers)[1][1] for name, headers in wants.items()}
        got |= {f"{name} again": site.get(page, **headers)[1] for name, headers in wants.items()}
        for name, text in got.items():
            english = name.startswith(("en", "chosen"))
            assert ('<html lang="en"' in text) == english, name
            assert ("标准字号" in text) == name.startswith("large"), name

    # Who has signed in is neither given what is kept nor leaves anything.
    cookie = f"sessionid={session_of(site.office)}"
    for _n in range(2):
        site.twice(page)
        mine, own = site.get(page, Cookie=cookie)
        assert mine["X-Cache"] == "BYPASS"
        assert "/accounts/logout/" in own
        assert "no-store" in mine["Cache-Control"]
        _others, text = site.get(page)
        assert "/accounts/logout/" not in text

    # Under HTTPS the cookie has another name (`__Host-`), which is no name of an nginx variable.
    for cookie in ("__Host-sessionid=x", "a=b; __Host-sessionid=x", "messages=x"):
        site.twice(page)
        assert site.get(page, Cookie=cookie)[0]["X-Cache"] == "BYPASS", cookie
    site.twice(page)
    assert site.get(page, Authorization="Bearer x")[0]["X-Cache"] == "BYPASS"

    # A page with a form has a token: never kept.
    for _n in range(2):
        login, _text = site.get("/accounts/login/")
        assert login["X-Cache"] == "MISS"
        assert "csrftoken" in login["Set-Cookie"]

    # An act is seen by who asks a second after its commit, however often the page is asked for.
    for place in ("楼门前甲处", "楼门前乙处", "楼门前丙处"):
        before = site.twice(page)[1][1]
        call(site, case, place)
        done = time.monotonic()
        fresh = site.get(page, Cookie="messages=x")[1]
        assert fresh != before, "the act is not seen on the page at all"
        while True:
            asked = time.monotonic()
            if site.get(page)[1] == fresh:
                break
            assert asked - done < 1, "an old page after a second"

    # Styles are files, for ever; too large a form is refused; the log of visits does not exist.
    style = text.split('rel="stylesheet" href="')[1].split('"')[0]
    css, _text = site.get(style, **{"Accept-Encoding": "gzip"})
    assert css["Content-Type"].startswith("text/css")
    assert css["Content-Encoding"] == "gzip"
    assert "immutable" in css["Cache-Control"]
    assert css["X-Content-Type-Options"] == "nosniff"
    icon, _text = site.get("/static/sanwen/favicon.svg")
    assert icon["Cache-Control"] == "public, max-age=60"
    assert not css["X-Request-ID"]
    assert not icon["X-Request-ID"], "a file came from a server"
    link = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    link.putrequest("POST", "/r/")
    link.putheader("Content-Length", str(65 * 2**20))
    link.endheaders()
    assert link.getresponse().status == 413


def test_pages_hear_of_news_through_it(site, case):
    async def hear() -> str:
        address = f"ws://127.0.0.1:{site.port}/live/?case={case.number}"
        async with websockets.connect(address, origin=f"http://127.0.0.1:{site.port}") as live:
            await asyncio.sleep(0.5)
            await asyncio.to_thread(call, site, case, "楼门前")
            return str(await asyncio.wait_for(live.recv(), 30))

    assert asyncio.run(hear()).split()[0] == "changed"


def test_what_a_visitor_says_of_itself_counts_for_nothing(site):
    headers, _text = site.get("/healthz", **{"X-Request-ID": "visitors-own-name"})
    assert headers["X-Request-ID"] != "visitors-own-name"
