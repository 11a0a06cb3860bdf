"""A street with an estate, its office, two persons in a unit, another unit, and a supervisor."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from processes.appeals.procedure import Appeals
from tests import factories
from workflows import acts, calendars, clock, sweep
from workflows.models import Case
from workflows.parties import Party, directory

START = dt.datetime(2026, 3, 3, 9, tzinfo=clock.SHANGHAI)
"""A Tuesday."""
ASSIGNED = {"decision": "assigned", "kind": "repair", "unit": "housing"}
ANSWER = {"decision": "replied", "answer": "已换好。", "result": "solved", "note": "已修复路灯"}


class Town:
    """Plain functions that do what people do, through the one door."""

    def __init__(self) -> None:
        street = self.street = factories.make_street()
        self.estate = factories.make_estate(parent=street)
        self.community = self.estate.community
        make = factories.make_person
        self.people = {
            "office": make("clerk", "office", community=street),
            "first": make("first", "handler:housing", community=street),
            "second": make("second", "handler:housing", community=street),
            "city": make("city", "handler:city", community=street),
            "overseer": make("overseer", "overseer", community=street),
        }

    def party(self, who: str) -> Party:
        """The capacity of somebody who serves."""
        return directory().parties_of(self.people[who], self.community, clock.now())[0]

    def submit(self, **more: Any) -> tuple[Case, Party, str]:
        """Somebody without an account reports; the case, who it is, the receipt."""
        author = Party("anyone", f"drawn:{secrets.token_hex(16)}")
        case = acts.open_case(Appeals, self.community, author)
        data = {"kind": "repair", "text": "3号楼楼道灯坏了，王小明报修", **more}
        done = acts.perform(case, "submit", "task.done", author, data)
        return self.now(case), author, done.receipt

    def do(self, case: Case, step: str, who: str, data: dict[str, Any], act: str = "task.done"):
        """An act of somebody who serves."""
        return acts.perform(case, step, act, self.party(who), data)

    def now(self, case: Case) -> Case:
        """The case as it stands."""
        return Case.objects.get(pk=case.pk)

    def at(self, case: Case) -> str:
        """The open step, or how it ended."""
        run = case.runs.filter(finished__isnull=True).order_by("-pk").first()
        return run.name if run else self.now(case).outcome

    def assigned(self, **more: Any) -> tuple[Case, Party]:
        """A matter that the housing office has."""
        case, author, _receipt = self.submit()
        self.do(case, "classify", "office", {**ASSIGNED, **more})
        return case, author

    def day(self, text: str, hour: int = 0) -> None:
        """Time goes on to that day; the clock does what is due."""
        moment = dt.datetime.fromisoformat(text).replace(hour=hour, minute=1, tzinfo=clock.SHANGHAI)
        clock.set_now(moment)
        sweep.sweep()


@pytest.fixture
def town(db, settings) -> Iterator[Town]:
    """The street on a Tuesday morning."""
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    directory.cache_clear()
    calendars.seed()
    clock.set_now(START)
    yield Town()
    directory.cache_clear()
    clock.set_now(None)
