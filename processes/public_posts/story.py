"""A call walked from outside, act by act: for the demo, for a call of any size, and for tests.

Names and numbers are plainly nobody's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from workflows import acts, clock, story
from workflows.models import Community, StepRun
from workflows.parties import Party

from . import rules
from .models import Applicant, NoticeObjection

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
SIGNS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
POSTS = (
    "保洁员|示范东村|2|800|村道、公共场所保洁和垃圾分类引导",
    "护林员|示范西村|1|900|林地巡护，防火巡查和登记",
    "防汛巡查员|示范河村|2|850|汛期河道、塘坝巡查和报告",
)
BORN = dt.date(1970, 5, 1)


STAGES = ("apply", "check", "evaluate", "vet", "publicity", "train", "manage")
"""How far `large` walks a call."""


def paper(name: str = "paper") -> SimpleUploadedFile:
    """A small PDF."""
    return SimpleUploadedFile(f"{name}.pdf", PDF)


def identity(born: dt.date, serial: int) -> str:
    """An identity number with a sound check digit, of an area that there is not."""
    head = f"999999{born:%Y%m%d}{serial % 1000:03d}"
    return head + rules.check_digit(head)


def name_of(at: int) -> str:
    """The name of the `at`-th applicant of a demo call."""
    return f"演示申请人{SIGNS[at] if at < len(SIGNS) else at}"


@dataclass(frozen=True)
class Cast:
    """Who acts: accounts by role; `applicants` apply online, all others on paper."""

    office: int
    committee: int
    applicants: tuple[int, ...] = ()

    def party(self, role: str) -> Party:
        """The party of a role."""
        account = self.office if role == "office" else self.committee
        return Party(role, f"person:{account}", account)


class Story(story.Story):
    """One call on its way."""

    def __init__(
        self,
        street: Community,
        cast: Cast,
        start: dt.datetime,
        *,
        title: str,
        demo: bool = True,
        posts: Iterable[str] = POSTS,
    ) -> None:
        self.cast = cast
        super().__init__(
            "public_posts", street, cast.party("office"), start, title=title, demo=demo
        )
        self.act("announce", "task.done", self._announcement(start.date(), posts))
        self.posts = {post.number: post for post in self.case.posts.all()}
        self.applied = 0

    @staticmethod
    def _announcement(day: dt.date, posts: Iterable[str]) -> dict[str, Any]:
        return {
            "posts": "\n".join(posts),
            "conditions": "本街道户籍，有劳动能力和就业愿望，能够胜任岗位工作。",
            "groups": ["rural_older", "low_income", "disabled"],
            "exclusions": list(rules.EXCLUSIONS),
            "born_from_rural_older": rules.years_later(day, -65).isoformat(),
            "born_until_rural_older": rules.years_later(day, -45).isoformat(),
            "exit_rules": "协议期满、年满六十五周岁、考核不合格、顶岗脱岗的退出；退出前告知本人。",
            "steps": "个人申请、资格初审、民主评议、审核、公示、岗前培训、上岗。",
            "complaint_line": "0532-00000000",
            "channels": ["web", "wechat", "radio", "board"],
        }

    # --- moving about
    def act(
        self,
        step: str,
        name: str,
        data: Mapping[str, Any] | None = None,
        role: str = "office",
        party: Party | None = None,
        **files: Any,
    ) -> acts.Done:
        """One act by the party of a role."""
        party = party or self.cast.party(role)
        return self.perform(step, name, party, data, files)

    def until_day(self, day: dt.date) -> Story:
        """Let time pass until nine on that day, unless it is over."""
        clock.advance_to(dt.datetime.combine(day, dt.time(9), clock.SHANGHAI))
        return self.wait()

    def run_names(self) -> str:
        """The steps that are open."""
        runs = StepRun.objects.filter(process=self.case, finished__isnull=True)
        return ", ".join(run.name for run in runs if run.is_open)

    def numbers(self, *lives: str) -> list[int]:
        """The numbers of the applicants in these lives."""
        rows = Applicant.objects.filter(case=self.case, life__in=lives).order_by("number")
        return list(rows.values_list("number", flat=True))

    # --- what happens
    def apply(self, post: int = 1, *, online: int | None = None, **said: Any) -> int:
        """One application on paper, or online by an account of the cast; its number."""
        at = self.applied
        self.applied += 1
        born = said.get("born", BORN)
        told = {
            "post": self.posts[post].pk,
            "name": name_of(at),
            "identity": identity(born, at),
            "village": self.posts[post].village,
            "contact": "13800000000",
            "group": "rural_older",
            "pledge": "on",
            **said,
            "born": born.isoformat(),
        }
        party = self.cast.party("residents_committee")
        if online is not None:
            party = Party("applicant", f"person:{online}", online, everyone=True)
        self.act("apply", "application.handed_in", told, party=party, papers=[paper()])
        return self.applied

    def apply_many(self) -> Story:
        """Nine applications: two that do not fit the call, the first one online."""
        online = self.cast.applicants[0] if self.cast.applicants else None
        self.apply(online=online)
        for post in (1, 1, 1, 2, 2, 3):
            self.apply(post, household="演示代表三" if post == 2 else "")
        self.apply(born=dt.date(1999, 5, 1), insist="on")
        self.apply(3, facts=["business"], insist="on")
        return self

    def check(self) -> Story:
        """The term of applications is over; all are checked by the table."""
        return self.wait_for("apply").check_all()

    def check_all(self) -> Story:
        """All that wait are checked by the table."""
        self.act("check", "applications.checked", {"confirm": "on"})
        return self

    def to_evaluation(self) -> Story:
        """Refusals stood; the evaluation begins."""
        return self.wait_for("check")

    def invite(self) -> Story:
        """Four representatives are invited, three come."""
        village = "residents_committee"
        names = "\n".join(f"演示代表{sign}" for sign in "一二三四")
        self.act("evaluate", "representatives.invited", {"names": names}, village)
        self.wait(days=1)
        self.act("evaluate", "evaluation.held", {"present": "1 2 3"}, village)
        return self

    def sheet(self, number: int) -> None:
        """One sheet, but for those from whom the representative stands back."""
        member = self.run("evaluate").post_representatives.get(number=number)
        rated = [n for n in self.numbers("eligible") if n not in member.stands_back]
        points = "\n".join(f"{n} {max(61, 97 - 3 * (n % 12) + number)}" for n in rated)
        told = {"representative": number, "points": points}
        self.act("evaluate", "sheet.entered", told, "residents_committee")

    def evaluate(self) -> Story:
        """The evaluation, and its public result."""
        self.to_evaluation().invite()
        for number in (1, 2, 3):
            self.sheet(number)
        self.act("evaluate", "ranking.made", {"confirm": "on"}, "residents_committee")
        return self

    def ask(self, *sources: str) -> Story:
        """Sources are asked and speak against nobody."""
        for source in sources:
            self.act("vet", "source.asked", {"source": source}, result=[])
        return self

    def vet(self) -> Story:
        """Every source is asked."""
        self.wait(days=1)
        return self.ask(*rules.SOURCES)

    def to_publicity(self) -> Story:
        """From applications to the notice."""
        return self.apply_many().check().evaluate().vet()

    def object(self, number: int, step: str = "publicity") -> int:
        """An objection to a person; its number."""
        told = {"number": number, "text": "听说已经在其他单位上班（演示）。"}
        self.act(step, "notice.objected", told, "residents_committee")
        return NoticeObjection.objects.filter(run__process=self.case).latest("pk").number

    def decide(self, objection: int, decision: str = "upheld", step: str = "publicity") -> Story:
        """A decision on an objection."""
        told = {
            "objection": objection,
            "decision": decision,
            "reason": "经核查，与反映的情况一致。" if decision == "upheld" else "经核查不属实。",
        }
        self.act(step, "notice.decided", told)
        return self

    def moved_up(self) -> Story:
        """One is removed, the first of the reserve list has a notice of their own."""
        objection = self.object(1)
        return self.wait(days=2).decide(objection).wait_for("publicity")

    def train(self, *failing: int) -> Story:
        """All that wait are trained; those named did not come."""
        here = [n for n in self.numbers("cleared") if n not in failing]
        told = {
            "results": "\n".join(f"{n} 85" for n in here),
            "absent": " ".join(map(str, failing)),
        }
        self.act("train", "training.entered", told)
        return self

    def onboard(self, *numbers: int) -> Story:
        """Agreements of those named, or of all who are trained, from tomorrow."""
        starts = clock.today() + dt.timedelta(days=1)
        for number in numbers or self.numbers("trained"):
            told = {
                "number": number,
                "starts": starts.isoformat(),
                "pension": rules.years_later(starts, 6).isoformat(),
            }
            self.act("onboard", "agreement.signed", told, agreement=[paper()])
        return self

    def assess(self, points: Mapping[int, tuple[int, int, int]], *, parts: int = 3) -> Story:
        """The month before this one: village, office and democratic points by number."""
        month = (clock.today().replace(day=1) - dt.timedelta(days=1)).replace(day=1)
        said = (
            ("village", "residents_committee"),
            ("office", "office"),
            ("democratic", "residents_committee"),
        )
        for at, (part, role) in enumerate(said[:parts]):
            lines = "\n".join(f"{number} {given[at]}" for number, given in points.items())
            told = {"month": month.isoformat(), "part": part, "points": lines}
            self.act("manage", "assessment.entered", told, role)
        return self

    def leave(self, number: int, cause: str = "own_wish", act: str = "holder.left") -> Story:
        """An exit today."""
        told = {"number": number, "cause": cause, "on": clock.today().isoformat(), "note": "演示"}
        self.act("exit", act, told)
        return self

    def close(self) -> Story:
        """Every lane is closed."""
        for lane in ("supplement", "train", "onboard", "manage", "exit"):
            self.act(lane, "lane.closed", {"confirm": "on"})
        return self


def large(
    street: Community,
    cast: Cast,
    start: dt.datetime,
    *,
    posts: int,
    applicants: int,
    until: str,
) -> Story:
    """A call with that many posts and applicants, walked to a stage; every twentieth applicant does
    not fit it. Everybody is of age on different days, so that every identity number is another."""
    lines = [f"岗位{at}|示范{at % 60 + 1}村|{at % 3 + 1}|850|演示职责" for at in range(posts)]
    title = f"{posts}个岗位的演示招聘"
    story = Story(street, cast, start, title=title, posts=lines)
    for at in range(applicants):
        misfit: dict[str, Any] = {"facts": ["business"], "insist": "on"} if at % 20 == 19 else {}
        born = BORN + dt.timedelta(days=at // 900)
        story.apply(at % posts + 1, born=born, **misfit)
    stages: tuple[tuple[str, Callable[[], object]], ...] = (
        ("apply", lambda: story.wait_for("apply")),
        ("check", story.check_all),
        ("evaluate", story.evaluate),
        ("vet", story.vet),
        ("publicity", lambda: story.wait_for("publicity")),
        ("train", lambda: story.wait(days=1).train().onboard()),
    )
    for stage, after in stages:
        if stage == until:
            break
        after()
    return story
