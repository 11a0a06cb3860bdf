"""A case in plain sentences, to read and to have read out."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import translation

from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars, clock, sweep
from workflows.models import Community
from workflows.parties import Party

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
OFFICE = Party("office", "person:1")


@pytest.fixture
def case(db):
    calendars.seed()
    SandboxDirectory.reset()
    with clock.at(NOON):
        estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
        yield acts.open_case(Errand, estate, OFFICE, title="示范差事")


def said(client, case) -> str:
    page = client.get(case.get_absolute_url()).content.decode()
    return page.split('id="plain">', 1)[1].split("</p>", 1)[0]


def test_it_says_what_is_under_way_and_until_when(client, case):
    run = case.runs.get(name="write")
    text = said(client, case)
    assert text.startswith("示范差事，地点：示范小区，2026年6月15日立项。")
    assert "立项。现在办理的是：起草。" in text
    assert f"还有{(run.ends_on - clock.today()).days}天。" in text
    clock.set_now(run.ends_at - dt.timedelta(minutes=1))
    assert "今天截止。" in said(client, case)
    clock.set_now(run.ends_at + dt.timedelta(days=1, hours=1))
    sweep.sweep()
    assert "已超过2天。" in said(client, case)


def test_it_says_what_the_reader_can_do_and_nothing_to_others(client, case, django_user_model):
    assert "您可以" not in said(client, case)
    client.force_login(django_user_model.objects.create(username="officer"))
    assert "您可以：" in said(client, case)


def test_it_is_whole_in_english(client, case):
    with translation.override("en"):
        client.cookies["django_language"] = "en"
        text = said(client, case)
    assert "opened on June 15, 2026." in text
    assert ". Now under way" in text


def test_days_are_those_of_here_also_before_eight_in_the_morning(client, case):
    with clock.at(NOON.replace(hour=1) + dt.timedelta(days=1)):
        estate = Community.objects.get(code="demo")
        early = acts.open_case(Errand, estate, OFFICE, title="清早的差事")
        assert "2026年6月16日立项。" in said(client, early)
