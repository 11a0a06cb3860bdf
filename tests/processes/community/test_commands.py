"""Commands by which an operator enters the first places and people."""

from __future__ import annotations

import datetime as dt
import io
import re

import pytest
from django.core.management import CommandError, call_command

from processes.community.directory import CommunityDirectory
from processes.community.models import Committee, Estate, Office, Role
from tests.factories import make_estate, make_member, make_person, units_of
from workflows import clock
from workflows.models import Community

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 3, 3, 12, tzinfo=clock.SHANGHAI)
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _today() -> None:
    clock.set_now(NOON)


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def roles(person: object, code: str, at: dt.datetime = NOON) -> list[str]:
    community = Community.objects.get(code=code)
    return [party.role for party in CommunityDirectory().parties_of(person, community, at)]


def test_from_nothing_to_an_office_that_serves_an_estate() -> None:
    assert "示范街道" in run("add_community", "jiedao", "示范街道", "--kind", "subdistrict")
    run("add_community", "huayuan", "示范花园", "--parent", "jiedao", "--address", "示范路1号")
    clerk = make_person("clerk", name="示范办事员")
    words = run("appoint", "clerk", "office", "jiedao", "--office", "示范街道办事处")
    assert words.strip() == "示范办事员：街道办事处，示范街道，自2026-03-03。"
    estate = Estate.objects.get()
    assert (estate.address, estate.community.parent.code) == ("示范路1号", "jiedao")
    assert roles(clerk, "huayuan") == ["office"]
    run("appoint", "clerk", "auditor", "huayuan", "--office", "示范街道办事处")
    # The office is one of that community: the same name elsewhere is another.
    assert Office.objects.count() == 2


def test_a_role_is_ended_with_its_last_day() -> None:
    make_estate("huayuan")
    person = make_person("p")
    run("appoint", "p", "moderator", "huayuan", "--since", "2026-01-01")
    with pytest.raises(CommandError, match="--until"):
        run("appoint", "p", "moderator", "huayuan")
    assert "2026-03-04" in run("appoint", "p", "moderator", "huayuan", "--until", "2026-03-04")
    assert Role.objects.count() == 1
    assert roles(person, "huayuan", NOON + DAY) == ["moderator"]
    assert roles(person, "huayuan", NOON + 2 * DAY) == []


def test_a_committee_of_one_term() -> None:
    make_estate("huayuan")
    make_person("p")
    make_person("q")
    term = ["--committee", "第一届", "--term-since", "2025-01-01", "--term-until", "2029-12-31"]
    run("appoint", "p", "owners_committee", "huayuan", *term)
    run("appoint", "q", "owners_committee", "huayuan", "--committee", "第一届")
    committee = Committee.objects.get()
    assert (committee.kind, committee.roles.count()) == ("owners_committee", 2)
    assert committee.until == dt.date(2029, 12, 31)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("appoint", "nobody", "office", "huayuan"), "账号"),
        (("appoint", "p", "office", "nowhere"), "nowhere"),
        (("appoint", "p", "reviewer", "huayuan"), "席位"),
        (("appoint", "p", "office", "huayuan", "--seat", "housing"), "席位"),
        (("appoint", "p", "office", "huayuan", "--committee", "第一届"), "委员会"),
        (("appoint", "p", "office", "huayuan", "--until", "2026-03-02"), "role_days_in_order"),
        (
            (
                *("appoint", "p", "owners_committee", "huayuan"),
                *("--committee", "甲", "--office", "乙"),
            ),
            "role_of_one_body",
        ),
        (("add_community", "huayuan", "又一个"), "代码"),
        (("add_community", "花 园", "花园"), "slug|字母|标识"),
        (("add_community", "b", "花园", "--parent", "nowhere"), "nowhere"),
        (("add_community", "b", "长" * 61), "60"),
    ],
)
def test_refused_whole(words: tuple[str, ...], why: str) -> None:
    make_estate("huayuan")
    make_person("p")
    with pytest.raises(CommandError, match=why):
        run(*words)
    assert not Role.objects.exists()
    assert not Office.objects.exists()
    assert not Committee.objects.exists()
    assert Community.objects.count() == 1


def test_demo_accounts_say_where_residents_live_and_whom_staff_serve() -> None:
    said = run("demo_accounts")
    assert re.search(r"jumin1 +lives: nowhere in particular", said)
    person = make_person("jumin1")
    for code in ("jia", "yi"):
        make_member(units_of(make_estate(code))[0], person)
    said = run("demo_accounts")
    assert re.search(r"jumin1 +lives: 1号楼1单元101室, 示范小区jia、示范小区yi\n", said)
    assert re.search(r"jumin2 +lives: nowhere in particular", said)
    assert re.search(r"\n  \w+ +office \(.+\)", said)
