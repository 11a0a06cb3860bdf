"""A call for 300 posts with 2,000 applicants stays usable: pages ask no more for many than for few.

`manage.py generate_call` makes one of that size; here two smaller ones are compared.
"""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from processes.community.models import Person
from processes.public_posts.models import Applicant, Holder
from processes.public_posts.story import Cast, large
from tests import factories
from workflows import calendars, clock
from workflows.models import Case
from workflows.parties import directory

from .test_applications import client_of

START = dt.datetime(2026, 3, 2, 9, tzinfo=clock.SHANGHAI)
PATHS = (
    "",
    "posts/",
    "posts/1/",
    "posts/applications/",
    "do/manage/assessment.entered/",
    "do/exit/vacancy.filled/",
)


@pytest.fixture(autouse=True)
def _ground(db, settings):
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    directory.cache_clear()
    calendars.seed()
    yield
    directory.cache_clear()
    clock.set_now(None)


def counts(story, client: Client) -> dict[str, int]:
    base = f"/cases/{story.case.number}/"
    runs = story.case.runs.filter(flow_task_type="STEP")
    paths = [base + path for path in PATHS]
    paths += [f"{base}steps/{run.pk}/" for run in runs]
    found = {}
    for path, name in zip(paths, [*PATHS, *(run.name for run in runs)], strict=True):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.get(path).status_code == 200, path
        found[name] = len(asked)
    return found


@pytest.mark.slow
def test_pages_ask_the_same_of_a_large_call_as_of_a_small_one():
    street = factories.make_street()
    office = factories.make_person("office", "office", community=street)
    village = factories.make_person("village", "residents_committee", community=street)
    cast = Cast(office.pk, village.pk)
    client = client_of(office)
    seen = []
    for posts, applicants in ((2, 8), (9, 60)):
        story = large(street, cast, START, posts=posts, applicants=applicants, until="manage")
        story.until_day(dt.date(2026, 7, 3))
        story.leave(Holder.objects.latest("pk").applicant.number)
        client.get("/")  # what is read once a process
        seen.append(counts(story, client))
    assert seen[0] == seen[1]
    assert max(seen[1].values()) <= 30
    assert Applicant.objects.filter(case=story.case).count() == 60
    assert Holder.objects.filter(applicant__case=story.case).count() > 8


def test_the_command_makes_a_call_and_leaves_real_cases_alone(capsys):
    call_command("generate_call", posts=3, applicants=21, until="check")
    assert "check" in capsys.readouterr().out
    case = Case.objects.get()
    assert case.demo
    lives = [row.life for row in Applicant.objects.filter(case=case)]
    assert lives == ["applied"] * 21
    Case.objects.update(demo=False)
    with pytest.raises(CommandError, match="left alone"):
        call_command("generate_call", posts=1, applicants=1)
    assert Person.objects.count() == 3
