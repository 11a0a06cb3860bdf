"""A sub-district with its office, a second checker, a head, and people who ask."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from processes.community.models import Office, Person
from processes.disclosure.story import Cast, Story
from tests import factories
from workflows import calendars, clock
from workflows.parties import directory

START = dt.datetime(2026, 3, 2, 9, tzinfo=clock.SHANGHAI)


class Street:
    """The sub-district, its people by role, and browsers for them."""

    def __init__(self) -> None:
        self.community = factories.make_street()
        Office.objects.create(community=self.community, kind="subdistrict", name="示范街道办事处")
        roles = ("office", "office_head", "checker", "auditor", "residents_committee")
        self.people: dict[str, Person] = {
            role: factories.make_person(role, role, community=self.community) for role in roles
        }
        self.people["applicant"] = factories.make_person("applicant")
        self.people["stranger"] = factories.make_person("stranger")
        keys = {name: person.pk for name, person in self.people.items()}
        self.cast = Cast(keys["applicant"], keys["office"], keys["office_head"], keys["checker"])

    def story(self, **said: Any) -> Story:
        """An application of 2 March 2026, a Monday."""
        return Story(self.community, self.cast, said.pop("start", START), **said)

    def client(self, who: str) -> Client:
        """Someone signed in."""
        client = Client()
        client.force_login(self.people[who], backend="django.contrib.auth.backends.ModelBackend")
        return client


@pytest.fixture
def street(db, settings) -> Iterator[Street]:
    """The sub-district; time stands where the story has left it."""
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    directory.cache_clear()
    calendars.seed()
    yield Street()
    directory.cache_clear()
    clock.set_now(None)


@pytest.fixture
def told(street: Street) -> Callable[..., Story]:
    """Tells an application."""
    return street.story


def ends(story, step):
    return story.run(step).ends_on.isoformat()


def last(story, act="task.done"):
    return story.case.records.filter(act=act).latest("seq")
