"""The ground of journeys: one estate of forty households, its offices and people."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.test import Client

from processes.community import rolls
from processes.community.models import Estate, Household, HouseholdMember, Person, Role
from processes.community.roll_preview import preview
from workflows import calendars, clock
from workflows.models import Community
from workflows.parties import appointed_roles, directory

from .walker import Walker

SINCE = dt.date(2020, 1, 1)
SEATS = ("housing", "planning", "finance", "community")
HEADING = "楼号,单元,室号,专有面积,面积依据,业主,建设单位未售"


@dataclass
class Town:
    """A sub-district with one estate: forty heads, four of them with large units."""

    community: Community
    staff: dict[str, Person] = field(default_factory=dict)
    households: list[Household] = field(default_factory=list)

    def resident(self, number: int) -> Person:
        """An account of the `number`-th household."""
        household = self.households[number]
        person, made = Person.objects.get_or_create(
            username=f"resident{number}", defaults={"display_name": "示范居民"}
        )
        if made:
            HouseholdMember.objects.create(household=household, person=person, since=SINCE)
        return person

    def label(self, number: int) -> str:
        """The room of the `number`-th household, as on the roll."""
        return self.households[number].unit.label


@pytest.fixture
def town(transactional_db, settings) -> Iterator[Town]:
    """Forty heads, 2,600 m² in all: 36 units of 50 m² and four of 200 m²."""
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False  # a year passes in a minute here
    directory.cache_clear()
    calendars.seed()
    street = Community.objects.create(code="street", name="示范街道", kind="subdistrict")
    community = Community.objects.create(
        code="estate", name="示范小区", kind="estate", parent=street
    )
    estate = Estate.objects.create(community=community)
    found = Town(community)
    for role, _title in appointed_roles():
        if role != "reviewer":
            found.staff[role] = _serve(role, street, role)
    for seat in SEATS:
        found.staff[seat] = _serve(seat, street, "reviewer", seat)
    lines = [HEADING]
    for number in range(40):
        block, rest = divmod(number, 20)
        area = "200.00" if number % 10 == 0 else "50.00"
        room = f"{rest // 2 + 1}0{rest % 2 + 1}"
        lines.append(f"{block + 1},{rest // 10 + 1},{room},{area},登记,王示{number},否")
    seen = preview("\n".join(lines).encode(), "roll.csv")
    assert seen.sound, seen.problems[:3]
    rolls.apply_roll(seen, estate, seen.totals, found.staff["office"])
    found.households = list(
        Household.objects.select_related("unit__stairwell__building").order_by("unit__order")
    )
    yield found
    directory.cache_clear()
    clock.set_now(None)


def _serve(username: str, street: Community, role: str, seat: str = "") -> Person:
    person = Person.objects.create_user(username, password="示范密码一二三四")
    Role.objects.create(person=person, community=street, role=role, seat=seat, since=SINCE)
    return person


@pytest.fixture
def walker(browser, live_server) -> Iterator[Callable[..., Walker]]:
    """Makes walkers on the running site; all are closed, and must have been without faults."""
    made: list[Walker] = []

    def make(person: Any = None, **kwargs: Any) -> Walker:
        made.append(Walker(browser, live_server.url, person, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.close()


class Clerk:
    """Someone who sends many forms: the same pages, without a browser around them."""

    def __init__(self, person: Person) -> None:
        self.client = Client()
        self.client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])

    def act(self, path: str, data: dict[str, Any] | None = None) -> str:
        """Send the form of an act; it must be accepted. Where its receipt is."""
        response = self.client.post(path, data or {})
        assert response.status_code == 302, _faults(response)
        return response["Location"]

    def refused(self, path: str, data: dict[str, Any] | None = None) -> str:
        """Send the form of an act that must be refused: what the page says."""
        response = self.client.post(path, data or {})
        assert response.status_code == 422, response.status_code
        return response.content.decode()


def _faults(response: Any) -> str:
    form = (response.context or {}).get("form") if response.context else None
    refused = (response.context or {}).get("refused") if response.context else None
    return f"{response.status_code} {getattr(form, 'errors', '')} {refused}"


@pytest.fixture
def clerk() -> Callable[[Person], Clerk]:
    """Makes clerks."""
    return Clerk


@pytest.fixture
def sockets(live_server: Any) -> Iterator[str]:
    """The site on a server that has sockets, as in `make demo`; the live server only serves its
    database."""
    from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

    from config import asgi

    async def application(scope: Any, receive: Any, send: Any) -> None:
        handler = static if scope.get("path", "").startswith("/static/") else asgi.application
        await handler(scope, receive, send)

    static = ASGIStaticFilesHandler(asgi.site)
    config = uvicorn.Config(application, port=0, lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
