"""An estate of eight households with all its offices, and a renovation told up to a stage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from processes.community.models import Person
from processes.renovation.cast import Cast
from processes.renovation.story import Story
from tests import factories
from workflows import calendars, clock
from workflows.parties import directory

START = dt.datetime(2025, 3, 3, 9, tzinfo=clock.SHANGHAI)
SEATS = ("housing", "planning", "finance", "community")


class Place:
    """The estate, its people by role (reviewers by seat), and browsers for them."""

    def __init__(self) -> None:
        street = self.street = factories.make_street()
        self.estate = factories.make_estate(stairwells=2, units=4, parent=street)
        roles = (
            "office",
            "residents_committee",
            "owners_committee",
            "designer",
            "contractor",
            "supervisor",
            "resident_supervisor",
            "residents_representative",
            "auditor",
        )
        self.people: dict[str, Person] = {
            role: factories.make_person(role, role, community=street) for role in roles
        }
        for seat in SEATS:
            self.people[seat] = factories.make_person(seat, f"reviewer:{seat}", community=street)
        keys = {name: person.pk for name, person in self.people.items()}
        self.cast = Cast(
            office=keys["office"],
            committee=keys["residents_committee"],
            owners_committee=keys["owners_committee"],
            designer=keys["designer"],
            contractor=keys["contractor"],
            supervisor=keys["supervisor"],
            resident_supervisor=keys["resident_supervisor"],
            representative=keys["residents_representative"],
            reviewers={seat: keys[seat] for seat in SEATS},
        )

    def story(self, stage: str) -> Story:
        """A case that stands at a stage."""
        told = Story(self.estate.community, self.cast, START, title="示范小区改造")
        return told.until(stage)

    def client(self, who: str) -> Client:
        """Someone signed in."""
        client = Client()
        client.force_login(self.people[who], backend="django.contrib.auth.backends.ModelBackend")
        return client


@pytest.fixture
def place(db, settings) -> Iterator[Place]:
    """The estate; time stands where the story has left it."""
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    directory.cache_clear()
    calendars.seed()
    yield Place()
    directory.cache_clear()
    clock.set_now(None)


@pytest.fixture
def told(place: Place) -> Callable[[str], Story]:
    """Tells a case up to a stage."""
    return place.story
