"""Every page of the demo, as each kind of person is shown it: whole, light, and for everybody.

A crawl follows the links of the demo's pages as a visitor, a resident, a committee member, an
officer, an auditor, a moderator and an operator, one address of a kind. Each shape of page is tried
once as it is, and each address of the URLconf once more in English, large and dark.
SANWEN_TEST_PAGES=all follows four addresses of a kind for each of them, also as a handler and an
overseer, and tries each kind of page of every shape in both languages and sizes, light and dark
(over half an hour); SANWEN_TEST_MODES names some of these modes, to go on where one ended.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import polib
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from processes.community import generator
from processes.community.models import Person
from tests.crawl import SIGNED_IN, START, Outline, Page, Texts, crawl
from tests.demonstration import chinese, demonstration, written
from workflows.procedure import all_declared

__all__ = ["demonstration"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(7200)]

ALL = os.environ.get("SANWEN_TEST_PAGES") == "all"
ROOT = Path(__file__).resolve().parents[2]
PEOPLE = {"committee": "juwei", "office": "jiedao", "resident": "jumin1", "visitor": ""}
PEOPLE |= {"auditor": "shenji", "moderator": "shenhe", "operator": "operator"}
PEOPLE |= {"handler": "zhujian1", "overseer": "duban"} if ALL else {}
LIMIT = 100 * 1024
"""Bytes that a page may bring to a phone: its HTML, and its style sheets and scripts."""
FOREIGN = {
    "English", "PDF", "JSON", "JSONL", "CSV", "SVG", "BPMN", "OCEL", "XES", "Atom", "iCalendar",
    "API", "OpenAPI", "JPEG", "PNG", "WebP", "SHA-256", "SHA", "Base64", "RFC", "WCAG",
    "JavaScript", "Webhook", "GeoJSON", "Excel", "Ed25519", "Sanwen", "URL", "XLSX", "HTML", "OCR",
    "C2SP", "tlog-tiles", "verify", "checkpoint", "DNS", "Chrome", "Edge", "Safari", "Firefox",
    "Prometheus", "UTF-8", "AA", "Standard", "Webhooks", "https", "base64url",
}  # fmt: skip
"""Words that are Chinese too: names of formats and of programs."""
NAMES = re.compile(r"\.?[\w-]+(\.[a-z]+)+|[A-Z]+(_[A-Z]+)+|/[a-z]+/", re.ASCII)
"""Names of files and of variables, and addresses."""
RUN_AXE = """axe.run({resultTypes: ["violations"]}).then(found => found.violations.map(
    each => each.id + ": " + each.nodes.slice(0, 2).map(node => node.html.slice(0, 160)).join(" ")))
"""
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def told(line: str) -> None:
    """Where the crawl is, for who waits for it (pytest -s)."""
    print(f"{time.monotonic():.0f} {line}", flush=True)


def client_of(username: str) -> Client:
    """Somebody's own client."""
    client = Client(raise_request_exception=False)
    if username:
        person = Person.objects.get(username=username)
        client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


@pytest.fixture
def pages(demonstration: None) -> list[Page]:
    """Every page that the people of the demo get to, one of each kind and person at least."""
    Person.objects.create_superuser("operator", password="示范密码一二三四五六")
    sandbox = {p.code for p in all_declared() if p.__module__.startswith("tests.")}
    found: list[Page] = []
    wrong: list[str] = []
    shared: Counter[Any] = Counter()
    for role, username in PEOPLE.items():
        client = client_of(username)
        start = (*START, *SIGNED_IN) if username else START
        most = 4 if ALL else 1
        counted = Counter() if ALL else shared
        seen, led = crawl(role, client, most=most, begin=start, beside=sandbox, shared=counted)
        told(f"{len(seen)} pages as {role}")
        found += seen
        wrong += [f"as {role}: {each}" for each in led]
    assert not wrong, "\n".join(wrong)
    return found


def one_of_each(pages: Iterable[Page], key: Callable[[Page], Any]) -> list[Page]:
    """The first page of each key, by person."""
    kept: dict[Any, Page] = {}
    for page in pages:
        kept.setdefault(key(page), page)
    return sorted(kept.values(), key=lambda page: page.role)


@cache
def weight(address: str) -> int:
    """Bytes of a static file as they are sent: WhiteNoise keeps it compressed."""
    import gzip

    found = finders.find(address.removeprefix("/static/"))
    return len(gzip.compress(Path(str(found)).read_bytes()))


def heavy(pages: Iterable[Page]) -> list[str]:
    """Pages above `LIMIT`. The site itself sends HTML as it is, scripts and styles compressed."""
    wrong = []
    for page in pages:
        parts = re.findall(r'(?:src|stylesheet" href)="(/static/[^"]+\.(?:js|css))"', page.html)
        total = len(page.html.encode()) + sum(map(weight, parts))
        if total > LIMIT:
            wrong.append(f"{page.address} as {page.role} weighs {total} bytes")
    return wrong


def ill_built(pages: Iterable[Page]) -> list[str]:
    """Pages without a title, with gaps between headings, or with what the CSP bars; and of pages
    that are there once, those with the title of another. (A step is called as what is done there.)
    """
    wrong = []
    routes: dict[str, dict[frozenset[str], str]] = defaultdict(dict)
    for page in pages:
        outline = Outline(page.html)
        if "<" not in page.route:
            routes[outline.title].setdefault(page.templates, page.route)
        wrong += [f"{page.address} as {page.role}: {fault}" for fault in outline.faults]
    alike = {title: sorted(set(made.values())) for title, made in routes.items()}
    return wrong + [f"{title}: {of}" for title, of in alike.items() if len(of) > 1]


def untranslated(pages: Iterable[Page]) -> list[str]:
    """Chinese on English pages that nobody wrote as part of a case; foreign words on Chinese ones
    likewise."""
    exact, data = written()
    for each in all_declared():
        # Procedures of other tests have their titles as they are, in no other language.
        if each.__module__.startswith("tests."):
            exact = {*exact, str(each.title), str(each.summary)}
            data += f"\n{each.title}\n{each.summary}"
    # The columns of a roll are the file's own.
    data += "\n" + "\n".join((*generator.HEADINGS, "业主编号"))
    ours = {
        entry.msgid for entry in polib.pofile(str(ROOT / "locale/en/LC_MESSAGES/django.po"))
    } - exact
    clients = {role: client_of(username) for role, username in PEOPLE.items()}
    wrong = defaultdict(list)
    for page in pages:
        if page.route == "news/queue/":
            continue  # what waits there is shown as it will be pushed, in its readers' language
        answer = clients[page.role].get(page.address, headers={"Accept-Language": "en"})
        for text in Texts(answer.content.decode()).found:
            foreign = any(run not in data for run in chinese(text))
            if (foreign or (chinese(text) and text in ours)) and text not in ("中文", "简体中文"):
                wrong[f"in English: {text}"].append(page.address)
        for text in Texts(page.html).found:
            if not chinese(text):
                continue  # an address, a fingerprint, a number
            words = NAMES.sub("", text)
            for word in re.findall(r"[A-Za-z][A-Za-z0-9-]{2,}", words):
                if word not in FOREIGN and word not in data:
                    wrong[f"in Chinese: {word} in {text}"].append(page.address)
    return [f"{text} ({len(where)} pages, {where[0]})" for text, where in wrong.items()]


def seen_by_axe(browser: Any, address: str, pages: Iterable[Page], mode: str) -> list[str]:
    """What axe finds, or what scrolls sideways on a phone."""
    wrong = []
    by_role: dict[str, list[Page]] = defaultdict(list)
    for page in pages:
        by_role[page.role].append(page)
    for role, theirs in by_role.items():
        context = browser.new_context(
            viewport={"width": 390, "height": 844},
            locale="en-GB" if "english" in mode else "zh-CN",
            color_scheme="dark" if "dark" in mode else "light",
        )
        cookies = dict(client_of(PEOPLE[role]).cookies.items()) if PEOPLE[role] else {}
        kept = {name: cookie.value for name, cookie in cookies.items()}
        kept |= {"text_size": "large"} if "large" in mode else {}
        context.add_cookies([{"name": n, "value": v, "url": address} for n, v in kept.items()])
        shown = context.new_page()
        shown.set_default_timeout(60_000)
        heard: list[str] = []
        listen(shown, heard)
        for page in theirs:
            where = f"{page.address} as {role} ({mode})"
            shown.goto(address + page.address)
            if shown.evaluate(SIDEWAYS):
                wrong.append(f"{where} scrolls sideways")
            shown.evaluate(AXE_SCRIPT)
            wrong += [f"{where}: {found}" for found in shown.evaluate(RUN_AXE)]
            wrong += [f"{where}: {each}" for each in heard]
            heard.clear()
        context.close()
    return wrong


def listen(shown: Any, heard: list[str]) -> None:
    """Gather what a browser complains of: errors of scripts, what the CSP bars, what is missing."""
    shown.on("pageerror", lambda error: heard.append(f"script: {error}"))

    def console(message: Any) -> None:
        if message.type == "error":
            heard.append(f"console: {message.text}")

    def answered(answer: Any) -> None:
        if answer.status >= 400:
            heard.append(f"{answer.status} {answer.url}")

    def failed(request: Any) -> None:
        if "/events" not in request.url:  # a stream ends when its page is left
            heard.append(f"failed: {request.url} {request.failure}")

    shown.on("console", console)
    shown.on("response", answered)
    shown.on("requestfailed", failed)


def test_every_page_is_whole_light_and_for_everybody(
    pages: list[Page], browser: Any, live_server: Any
) -> None:
    shapes = one_of_each(pages, lambda page: page.shape)
    routes = one_of_each(pages, lambda page: page.route)
    forms = one_of_each((p for p in pages if "<act>/" in p.route), lambda page: page.kind)
    wrong = heavy(pages) + ill_built(pages) + untranslated(pages if ALL else {*shapes, *forms})
    told("sizes and words are looked at")
    modes = {"plain": shapes, "english large dark": routes}
    if ALL:
        every = one_of_each(pages, lambda page: (page.kind, page.templates))
        asked = os.environ.get("SANWEN_TEST_MODES", "")
        modes = {
            f"{language} {size} {colour}": every
            for language in ("chinese", "english")
            for size in ("plain", "large")
            for colour in ("light", "dark")
            if f"{language} {size} {colour}" in asked or not asked
        }
    for mode, chosen in modes.items():
        told(f"{len(chosen)} pages {mode}")
        wrong += seen_by_axe(browser, live_server.url, chosen, mode)
    assert not wrong, "\n".join(wrong)
