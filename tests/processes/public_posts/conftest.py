"""A sub-district with its offices, and a call for posts walked through the one door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from processes.community.models import Person
from processes.public_posts.models import Applicant
from processes.public_posts.procedure import PublicPosts
from tests import factories
from workflows import acts, calendars, clock, sweep
from workflows.models import Case, StepRun
from workflows.parties import Party, directory

START = dt.datetime(2026, 3, 2, 9, tzinfo=clock.SHANGHAI)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
ANNOUNCEMENT = {
    "posts": "保洁员|示范东村|2|800|村道保洁\n护林员|示范西村|1|900|林地巡护",
    "conditions": "本街道户籍，有劳动能力",
    "groups": ["rural_older", "disabled"],
    "exclusions": ["enterprise_pension", "business"],
    "born_from_rural_older": "1961-03-01",
    "born_until_rural_older": "1981-03-01",
    "exit_rules": "期满退出，考核不合格退出",
    "steps": "申请、初审、评议、审核、公示",
    "complaint_line": "0532-00000000",
    "channels": ["web", "board"],
}


def identity(born: dt.date, serial: int) -> str:
    """A sound identity number that nobody has."""
    head = f"370211{born:%Y%m%d}{serial:03d}"
    total = sum(int(digit) * (2 ** (17 - at) % 11) for at, digit in enumerate(head))
    return head + "10X98765432"[total % 11]


class Walk:
    """A call, and what one does with it."""

    def __init__(self) -> None:
        street = self.street = factories.make_street()
        self.people = {
            role: factories.make_person(role, role, community=street)
            for role in ("office", "residents_committee", "auditor")
        }
        self.office, self.village = self.party("office"), self.party("residents_committee")
        with clock.at(START):
            self.case = acts.open_case(
                PublicPosts, street, self.office, title="2026年示范街道公益性岗位"
            )

    def party(self, role: str) -> Party:
        person = self.people[role]
        return Party(role, f"person:{person.pk}", person.pk)

    def do(
        self, step: str, act: str, payload: Any, party: Party | None = None, **files: Any
    ) -> Any:
        return acts.perform(self.case, step, act, party or self.office, payload, files=files)

    def announce(self, **changes: Any) -> None:
        self.do("announce", "task.done", {**ANNOUNCEMENT, **changes})

    def told(self, at: int, post: int = 1, **changes: Any) -> dict[str, Any]:
        born = dt.date.fromisoformat(changes.get("born", "1970-05-01"))
        return {
            "post": self.case.posts.get(number=post).pk,
            "name": f"示{'甲乙丙丁戊己庚辛壬癸'[at % 10]}{'子丑寅卯'[at // 10 % 4]}",
            "identity": identity(born, at),
            "born": born.isoformat(),
            "village": "示范东村",
            "contact": "13800000000",
            "group": "rural_older",
            "pledge": "on",
            "insist": "on",
            **changes,
        }

    def apply(self, at: int, post: int = 1, **changes: Any) -> Any:
        payload = self.told(at, post, **changes)
        return self.do(
            "apply", "application.handed_in", payload, self.village, papers=[self.paper()]
        )

    def run(self, step: str) -> StepRun:
        return StepRun.objects.get(process=self.case, name=step, finished__isnull=True)

    def stranger(self) -> Party:
        """An account that has no application."""
        person = Person.objects.create_user("stranger", display_name="演示邻居")
        self.people["stranger"] = person
        return Party("applicant", f"person:{person.pk}", person.pk, everyone=True)

    def paper(self) -> SimpleUploadedFile:
        return SimpleUploadedFile("paper.png", PNG, "image/png")

    def after(self, days: int) -> None:
        """So many days later, with what the clock does."""
        clock.set_now(clock.now() + dt.timedelta(days=days))
        sweep.sweep()

    def evaluate(self, points: dict[int, int]) -> None:
        """Three representatives of whom two come, and a ranking."""
        self.do(
            "evaluate", "representatives.invited", {"names": "代表一\n代表二\n代表三"}, self.village
        )
        self.do("evaluate", "evaluation.held", {"present": "1 2"}, self.village)
        sheet = "\n".join(f"{number} {given}" for number, given in points.items())
        for number in (1, 2):
            payload = {"representative": number, "points": sheet}
            self.do("evaluate", "sheet.entered", payload, self.village)
        self.do("evaluate", "ranking.made", {"confirm": "on"}, self.village)

    def vet(self, **found: str) -> None:
        for source in ("social_insurance", "business_register", "public_payroll"):
            payload = {"source": source, "found": found.get(source, ""), "reason": "business"}
            self.do("vet", "source.asked", payload)
        self.do("vet", "source.asked", {"source": "subsidy_history"})

    def object(self, number: int | None, step: str = "publicity") -> int:
        done = self.do(
            step, "notice.objected", {"number": number or "", "text": "情况不属实"}, self.village
        )
        return done.fact.number

    def uphold(self, objection: int, step: str = "publicity") -> Any:
        payload = {"objection": objection, "decision": "upheld", "reason": "经核查情况属实"}
        return self.do(step, "notice.decided", payload)

    def until_publicity(self, people: Iterable[int] = range(1, 5)) -> None:
        """Four for the two places of the first post: 1 and 2 have them, 3 and 4 are on reserve."""
        self.announce()
        for at in people:
            self.apply(at)
        self.after(20)
        self.do("check", "applications.checked", {"confirm": "on"})
        self.after(10)
        self.evaluate({at: 100 - at for at in people})
        self.vet()

    def lives(self) -> dict[int, str]:
        return dict(Applicant.objects.filter(case=self.case).values_list("number", "life"))

    def open_steps(self) -> set[str]:
        runs = StepRun.objects.filter(process=self.case, finished__isnull=True)
        return {run.name for run in runs if run.is_open}

    def fresh(self) -> Case:
        return Case.objects.get(pk=self.case.pk)


@pytest.fixture
def walk(db: None, settings: Any) -> Iterator[Walk]:
    """A call that was just opened, on a Monday morning."""
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    directory.cache_clear()
    calendars.seed()
    with clock.at(START):
        yield Walk()
    directory.cache_clear()
