"""Every page of the site that somebody can get to by its links, once for each shape.

A crawl follows links as one person, from the pages named, by Django's own client. Two addresses
have the same `kind` where the same view shows the same sort of thing (a step of the same procedure,
the form of the same act): of each kind so many are opened. Two pages have the same `shape` where
the same view made them of the same templates.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import PurePath
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from django.test import Client
from django.urls import Resolver404, resolve

from workflows.models import Case, StepRun

PLACEHOLDERS = {"number", "run_id", "run", "seq", "pk", "uid", "post", "applicant", "year", "leaf"}
"""What of an address names one thing among its like."""
START = ("/", "/cases/", "/search/?q=示范", "/r/", "/f/", "/accounts/signup/")
SIGNED_IN = (
    "/my/",
    "/inbox/",
    "/news/",
    "/accounts/2fa/totp/activate/",
    "/accounts/reauthenticate/",
)

LEADING = {"", "cases/", "cases/<str:number>/", "my/", "inbox/", "news/", "procedures/<slug:code>/"}
"""Pages whose links depend on who looks."""


@dataclass(frozen=True)
class Page:
    """A page as one person was shown it."""

    role: str
    address: str
    route: str
    kind: tuple[Any, ...]
    templates: frozenset[str]
    html: str

    @property
    def shape(self) -> tuple[str, frozenset[str]]:
        """What it was made of."""
        return self.route, self.templates


class Links(HTMLParser):
    """The addresses that a page's links name, and its forms by GET that have a button, sent as
    they stand."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._action: str | None = None
        self._sent: dict[str, str] = {}
        self._chosen = ""
        self._button = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Gather a link, or what a form holds."""
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href"):
            self.found.append(given["href"])
        elif tag == "form" and given.get("method", "get").lower() == "get":
            self._action, self._sent, self._button = given.get("action", ""), {}, False
        elif self._action is not None and tag == "button":
            self._button = True
        elif self._action is not None and tag in ("input", "select"):
            kept = given.get("type") not in ("checkbox", "radio", "submit") or "checked" in given
            if given.get("name") and kept:
                self._sent[given["name"]] = given.get("value", "")
            self._chosen = given.get("name", "") if tag == "select" else ""
        elif self._action is not None and tag == "option" and "selected" in given:
            self._sent[self._chosen] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """A form is whole."""
        if tag == "form" and self._action is not None:
            self.found += [f"{self._action}?{urlencode(self._sent)}"] if self._button else []
            self._action = None


def kind_of(address: str) -> tuple[Any, ...] | None:
    """What an address shows, without which one of its like; None where there is no such page."""
    parts = urlsplit(address)
    try:
        match = resolve(parts.path)
    except Resolver404:
        return None
    named = dict(match.kwargs)
    case = Case.objects.filter(number=named.get("number", "")).first()
    run = StepRun.objects.filter(pk=named["run_id"]).first() if "run_id" in named else None
    rest = tuple(sorted((k, str(v)) for k, v in named.items() if k not in PLACEHOLDERS))
    asked = tuple(sorted(name for name, _ in parse_qsl(parts.query, keep_blank_values=True)))
    about = (case.procedure, case.outcome) if case is not None else ()
    return match.route, about, (run.name, run.is_open) if run is not None else (), rest, asked


def crawl(
    role: str,
    client: Client,
    *,
    most: int,
    begin: Iterable[str] = START,
    beside: Collection[str] = (),
    shared: Counter[Any] | None = None,
) -> tuple[list[Page], list[str]]:
    """The HTML pages that the person of `client` gets to, at most `most` of each kind; and links
    that lead nowhere, to what that person may not see, or to a fault of ours. Procedures with a
    code of `beside` are left alone. `shared` counts what several people have opened together, of
    pages that lead elsewhere for each of them apart.
    """
    waiting = deque((each, "") for each in begin)
    seen: set[str] = set()
    shared = Counter() if shared is None else shared
    opened: Counter[Any] = Counter()
    pages: list[Page] = []
    wrong: list[str] = []
    while waiting:
        address, source = waiting.popleft()
        if address in seen:
            continue
        seen.add(address)
        kind = kind_of(address)
        if kind is None:
            if not address.startswith("/static/"):
                wrong.append(f"{source} leads to {address}, which is nowhere")
            continue
        count = opened if kind[0] in LEADING else shared
        if count[kind] >= most:
            continue
        count[kind] += 1
        if any(code in address for code in beside):
            continue
        path = urlsplit(address).path
        if not path.endswith("/") and PurePath(path).suffix:
            continue  # a file to take home; those have tests of their own
        answer = client.get(address)
        if answer.status_code >= 400:
            wrong.append(f"{source or 'the start'} leads to {address}: {answer.status_code}")
        if answer.status_code in (301, 302):
            target = urljoin(address, answer["Location"])
            if not urlsplit(target).netloc:
                waiting.append((target, address))
            continue
        if not answer.get("Content-Type", "").startswith("text/html") or answer.status_code >= 400:
            continue
        html = answer.content.decode()
        templates = frozenset(each.name for each in answer.templates if each.name)
        pages.append(Page(role, address, kind[0], kind, templates, html))
        for link in Links(html).found:
            parts = urlsplit(urljoin(address, link))
            if parts.netloc or parts.scheme:
                continue
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            if target not in seen:
                waiting.append((target, address))
    return pages, wrong


class Outline(HTMLParser):
    """How a page is built: its title and description, its headings, and what must not be in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.title = self.description = ""
        self.faults: list[str] = []
        self._levels: list[int] = []
        self._ids: Counter[str] = Counter()
        self._in_title = False
        self.feed(html)
        if self._levels.count(1) != 1:
            self.faults.append(f"{self._levels.count(1)} h1")
        for before, level in zip([0, *self._levels], self._levels, strict=False):
            if level > before + 1:
                self.faults.append(f"h{level} after h{before}")
        self.faults += [f"id {name} {n} times" for name, n in self._ids.items() if n > 1]
        self.faults += [] if self.title and self.description else ["no title or no description"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        given = {name: value or "" for name, value in attrs}
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self._levels.append(int(tag[1]))
        if tag == "meta" and given.get("name") == "description":
            self.description = given.get("content", "")
        self._in_title = tag == "title"
        if "id" in given:
            self._ids[given["id"]] += 1
        data = given.get("type") in ("application/json", "application/ld+json")
        if tag == "style" or (tag == "script" and "src" not in given and not data):
            self.faults.append(f"<{tag}> within the page")
        self.faults += [f"{n}= at <{tag}>" for n in given if n == "style" or n.startswith("on")]

    def handle_data(self, data: str) -> None:
        """The title, the first one: an SVG has its own."""
        if self._in_title and not self.title:
            self.title = " ".join(data.split())


class Texts(HTMLParser):
    """What a page says: its texts, and those attributes that are read out or shown."""

    SPOKEN = {"title", "aria-label", "alt", "placeholder", "data-label", "content"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes; what a machine reads is left out, and what says its own language."""
        if tag in ("script", "style"):
            self._silent += 1
        if tag == "meta" and ("name", "description") not in attrs:
            return
        self.found += [v.strip() for name, v in attrs if name in self.SPOKEN and v]

    def handle_endtag(self, tag: str) -> None:
        """Machines' text ends."""
        if tag in ("script", "style"):
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        """One text."""
        if not self._silent and data.strip():
            self.found.append(" ".join(data.split()))
