"""What all tests share: a browser, a time that stands still, no network beyond this machine."""

from __future__ import annotations

import datetime as dt
import glob
import ipaddress
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as trials

from tools import messages
from workflows import calendars, clock
from workflows.parties import directory

# Playwright keeps an event loop running in the test's own thread, where Django would then refuse
# every query. The site's pages are plain functions on threads of their own.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# How fast a machine thinks of examples says nothing of the code.
trials.register_profile("sanwen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
trials.load_profile("sanwen")

MORNING = dt.datetime(2026, 3, 3, 10, 0, tzinfo=clock.SHANGHAI)
"""A Tuesday, an ordinary working day, in office hours."""


def pytest_configure(config: pytest.Config) -> None:
    """English pages need their compiled texts."""
    if not hasattr(config, "workerinput"):
        messages.compile_all()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """A test that asks for a browser is a browser test, marked or not; those come last.

    Playwright's event loop goes on in its thread after a browser test. What starts a loop of its
    own (a signature, an ASGI request) would fail there, and Django would take another connection.
    """
    for item in items:
        if {"browser", "browser_type", "page", "context"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")
    yield
    items.sort(key=lambda item: "browser" in item.keywords)


# --- time


@pytest.fixture(autouse=True)
def _no_language_is_left() -> Iterator[None]:
    """A page in English leaves its language in the thread: no test leaves it to the next."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _time_runs_again() -> Iterator[None]:
    """No test leaves its time to the next."""
    yield
    clock.set_now(None)


@pytest.fixture
def frozen() -> Iterator[Callable[[dt.datetime], None]]:
    """Time stands at `MORNING`; call the fixture's value with a moment to move it."""
    with clock.at(MORNING):
        yield clock.set_now


@pytest.fixture(autouse=True)
def _minutes_do_not_end_within_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits count within minutes of the machine's clock, and one ends in every sixtieth second."""
    begun = int(time.time())
    monkeypatch.setattr("django_ratelimit.core._get_window", lambda _value, period: begun + period)


# --- the site


@pytest.fixture
def site(db: None, settings: Any) -> Iterator[None]:
    """The site as it runs, its database empty: people and places from the database, no second
    factor, no limit to how often somebody may send; the calendar is loaded."""
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    directory.cache_clear()
    calendars.seed()
    yield
    directory.cache_clear()


# --- network


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """A connection to anywhere but this machine fails the test that tries it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _only_here(getattr(socket.socket, name)))
        yield


def _only_here(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise AssertionError(f"a test reaches out to {address}")
        return original(self, address)

    return connect


# --- browser (pytest-playwright)


def chromium() -> str:
    """The machine's Chromium, or the one in Playwright's own cache; fails if there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    cached = glob.glob(str(Path.home() / ".cache/ms-playwright/chromium*/*/*"))
    for path in cached:
        if path.endswith(("/chrome", "/headless_shell", "/chrome-headless-shell")):
            return path
    pytest.fail("no Chromium on this machine: run `make setup`, which installs it or says how")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Our Chromium, asking nobody on the network for anything."""
    return {
        **browser_type_launch_args,
        "executable_path": chromium(),
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A reader in China; a new profile for each context."""
    return {**browser_context_args, "locale": "zh-CN", "timezone_id": "Asia/Shanghai"}
