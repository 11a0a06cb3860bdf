"""What others do shows on a page that is looked at: told by a socket, or asked for where none is
let through. Never by loading the page anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from notifications import following, live, worker
from notifications.models import EMAIL, Channel, Delivery, reader_of
from tests.journeys.walker import Walker
from tests.notifications.conftest import post  # noqa: F401 - a fixture
from tests.sandbox.ballot_procedures import Vote
from workflows import acts, clock, sweep
from workflows.models import StepRun
from workflows.parties import Party

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NINE = dt.datetime(2026, 6, 1, 9, tzinfo=clock.SHANGHAI)
HALF_A_MINUTE = 33_000
"""Milliseconds in which a page without a socket asks at least once."""


def party(town: Any, role: str) -> Party:
    pk = town.staff[role].pk
    return Party(role, f"person:{pk}", pk)


class Looker(Walker):
    """Somebody who opens a page and leaves it open."""

    def looks(self, path: str, told: bool) -> None:
        """Open it; `told`: a socket comes about, else every one is refused."""
        if not told:
            self.page.route_web_socket("**/live/**", lambda socket: socket.close())
            self.page.clock.install()
        self.told = told
        self.go(path)
        self.page.evaluate("window.stays = true")
        for _ in range(600):
            if not told or any(hub.sockets for hub in list(live._hubs.values())):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("no socket was opened")

    def finds(self, part: str, text: str) -> None:
        """The part comes to show it, without reload."""
        if not self.told:
            self.page.clock.run_for(HALF_A_MINUTE)
        expect(self.page.locator(part)).to_contain_text(text, timeout=25_000)
        assert self.page.evaluate("window.stays"), "without reload"


@pytest.fixture
def looker(browser: Any, sockets: str) -> Iterator[Callable[..., Looker]]:
    made: list[Looker] = []

    def make(person: Any = None, **kwargs: Any) -> Looker:
        made.append(Looker(browser, sockets, person, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.close()


told = pytest.mark.parametrize("told", [True, False], ids=["socket", "polling"])


def called(town: Any) -> Any:
    """A case whose owners vote from the seventeenth on."""
    case = acts.open_case(Vote, town.community, party(town, "office"), title="停车位划线")
    data = {
        "questions": "是否划线",
        "matter": "ordinary",
        "reason": "属于其他重大事项",
        "opens_on": "2026-06-17",
    }
    acts.perform(case, "ballot", "ballot.called", party(town, "residents_committee"), data)
    return case


@told
def test_the_turnout_of_a_ballot_grows_as_neighbours_vote(town, looker, clerk, told):
    clock.set_now(NINE)
    case = called(town)
    clock.set_now(NINE.replace(day=18))
    sweep.sweep()
    run = StepRun.objects.get(process=case, name="ballot")
    reader = looker()
    reader.looks(f"/cases/{case.number}/steps/{run.pk}/", told)
    expect(reader.page.locator("#shown")).to_contain_text("0 人，共 40 人")
    clerk(town.resident(3)).act(f"/cases/{case.number}/do/ballot/vote.cast/", {"q1": "for"})
    reader.finds("#shown", "1 人，共 40 人")
    expect(reader.page.locator("#shown")).to_contain_text("50.00")
    clerk(town.resident(5)).act(f"/cases/{case.number}/do/ballot/vote.cast/", {"q1": "against"})
    reader.finds("#shown", "2 人，共 40 人")


@told
def test_what_waits_for_staff_and_its_count_follow_what_others_do(town, looker, told):
    clock.set_now(NINE)
    committee = looker(town.staff["residents_committee"], width=1200)
    committee.looks("/inbox/", told)
    expect(committee.page.locator("#waiting")).to_contain_text("没有待办")
    expect(committee.page.locator("#todo .count")).to_have_count(0)
    acts.open_case(Vote, town.community, party(town, "office"), title="停车位划线")
    committee.finds("#waiting", "停车位划线")
    committee.finds("#todo", "1")
    acts.open_case(Vote, town.community, party(town, "office"), title="加装扶手")
    committee.finds("#todo", "2")


@told
def test_a_residents_tasks_and_unread_messages_follow_what_others_do(town, looker, told):
    clock.set_now(NINE)
    case = called(town)
    worker.run_once()
    person = town.resident(3)
    following.follow(reader_of(person), following.Thing(case))
    resident = looker(person)
    resident.looks("/my/", told)
    expect(resident.page.locator("#waiting")).not_to_contain_text("停车位划线")
    expect(resident.page.locator("#unread .count")).to_have_count(0)
    clock.set_now(NINE.replace(day=18))
    sweep.sweep()
    resident.finds("#waiting", "停车位划线")
    worker.run_once()
    resident.finds("#unread", "1")


@told
def test_what_became_of_a_message_shows_where_it_is_looked_at(town, looker, post, told):  # noqa: F811
    clock.set_now(NINE)
    office, person = town.staff["office"], town.resident(3)
    Channel.objects.create(
        reader=reader_of(person),
        kind=EMAIL,
        gateway=EMAIL,
        address="resident@example.org",
        created=NINE,
        verified_at=NINE,
    )
    case = called(town)
    worker.run_once()
    following.follow(reader_of(person), following.Thing(case))
    desk = looker(office, width=1200)
    desk.looks("/news/queue/", told)
    expect(desk.page.locator("#gateways")).to_contain_text("还没有通过网关发送过消息")
    acts.perform(case, "case", "case.suspended", party(town, "office"), {"reason": "等待批复"})
    worker.run_once()
    desk.finds("#gateways", "email")
    row = desk.page.locator("#gateways tbody tr")
    expect(row.locator("td").first).to_have_text("1")
    delivery = Delivery.objects.get(gateway=EMAIL)
    reader = looker(person)
    reader.looks(f"/news/why/{delivery.pk}/", told)
    expect(reader.page.locator("#delivery")).to_contain_text("等待发送")
    clock.set_now(NINE.replace(hour=18))
    worker.run_once()
    assert len(post.mails) == 1
    reader.finds("#delivery", "已发送")
    if not told:
        desk.page.clock.run_for(HALF_A_MINUTE)
    expect(row.locator("td").first).to_have_text("0", timeout=25_000)
