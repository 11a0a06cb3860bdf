"""The demo: estates at every stage of a renovation, so that each page has something to see.

Everything is plainly demo data and goes through the one door, with the clock set back. The cases
stand where they stand today; their open terms lie around today.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from django.db import transaction

from workflows import acts, clock
from workflows.models import Case, Community

from ..community import demo, generator
from .cast import Cast
from .story import Story

STAFF = {
    "jiedao": ("office", "", "示范街道办事处"),
    "juwei": ("residents_committee", "", "示范社区居委会"),
    "yeweihui": ("owners_committee", "", "示范业主委员会"),
    "zhujian": ("reviewer", "housing", "住建部门"),
    "guihua": ("reviewer", "planning", "规划部门"),
    "caizheng": ("reviewer", "finance", "财政部门"),
    "shequ": ("reviewer", "community", "社区"),
    "sheji": ("designer", "", "示范设计单位"),
    "shigong": ("contractor", "", "示范施工单位"),
    "jianli": ("supervisor", "", "示范监理单位"),
    "jiandu": ("resident_supervisor", "", "工程监督员"),
    "daibiao": ("residents_representative", "", "居民代表"),
    "shenji": ("auditor", "", "示范审计单位"),
    "shenhe": ("moderator", "", "示范街道办事处"),
}
RESIDENTS = ("jumin1", "jumin2", "jumin3")

# How many days before today each story begins, so that its last stage is open today.
DAYS = {
    "apply": 4,
    "joint_review": 6,
    "shortlist": 7,
    "needs_meetings": 13,
    "ask_needs": 16,
    "owner_ballot": 30,
    "design_session": 97,
    "ask_plans": 99,
    "design_publicity": 119,
    "funding": 141,
    "construction": 200,
    "acceptance": 255,
    "ask_results": 246,
    "upkeep_ballot": 266,
    "end": 304 + 184,  # half a year of warranty
}


@dataclass(frozen=True, slots=True)
class Scene:
    """One estate and the stage at which its case stands; `then` goes on from there, for so many
    days (`after`)."""

    code: str
    name: str
    stage: str
    then: Callable[[Story], None] | None = None
    big: bool = False
    after: int = 1


def _needs(story: Story) -> None:
    """Forms come in, some are answered."""
    household = 0
    for household in range(60):
        item, stance, text = story.OPINIONS[household % len(story.OPINIONS)]
        acts.perform(
            story.case.pk,
            "ask_needs",
            "opinion.submitted",
            story.resident(household),
            {"item": item, "stance": stance, "text": text},
        )
        if household == 35:
            story.answer("ask_needs")
    for number, member in enumerate(story.households[60:200]):
        result = "not_met" if number % 7 == 6 else "returned"
        story.act(
            "ask_needs",
            "household.visited",
            "residents_committee",
            {"household": member.key, "result": result, "on": clock.today().isoformat()},
        )


def _voting(story: Story) -> None:
    """The vote is on; more than half have voted."""
    opens = clock.today() + dt.timedelta(days=16)
    story.act(
        "owner_ballot",
        "ballot.called",
        "residents_committee",
        {
            "questions": "是否同意按征求意见后的方案实施改造\n是否同意居民按户出资",
            "matter": "special",
            "item": "rebuild",
            "reason": "改建建筑物附属设施",
            "opens_on": opens.isoformat(),
        },
    )
    story.wait_for("owner_ballot")
    story.vote("owner_ballot", share=6, begin=len(RESIDENTS))  # theirs are still to come


def _standing(story: Story) -> None:
    """The design stands in every stairwell, one objection waits."""
    story.post("design_publicity")
    story.wait(days=3)
    acts.perform(
        story.case.pk,
        "design_publicity",
        "objection.raised",
        story.resident(3),
        {"ground": "content", "text": "充电车棚离窗户太近，担心噪声和安全。"},
    )


def _building(story: Story) -> None:
    """Works are under way, a finding waits to be fixed."""
    story.progress(25)
    story.wait(days=10)
    story.progress(45)
    story.finding(through=False)


def _paying(story: Story) -> None:
    """A share is set, two thirds have paid."""
    story.funding()
    story.act("contributions", "dues.set", "residents_committee", {"amount": "500.00"})
    entries = list(story.run("contributions").ledger_entries.filter(state="due").order_by("pk"))
    for number, entry in enumerate(entries[: len(entries) * 2 // 3]):
        if number % 5 == 4:
            story.wait(days=1)
        story.act(
            "contributions",
            "entry.moved",
            "residents_committee",
            {
                "entry": entry.pk,
                "to": "paid",
                "on": clock.today().isoformat(),
                "receipt": f"S{number}",
            },
        )


def _failed(story: Story) -> None:
    """The first acceptance has failed; it is being put right."""
    story.signatures("residents")


def _suspended(story: Story) -> None:
    """Suspended, with a published reason."""
    story.act("case", "case.suspended", "office", {"reason": "汛期停止室外作业，汛后恢复。"})


def _rejected(story: Story) -> None:
    """Not shortlisted."""
    for seat in ("housing", "planning", "finance", "community"):
        story.act(
            "joint_review",
            "panel.signed",
            "reviewer",
            {
                "seat": seat,
                "decision": "approve" if seat == "community" else "reject",
                "score_faults": 12,
                "score_will": 15,
                "score_pledge": 2,
                "score_upkeep": 8,
                "reason": "" if seat == "community" else "居民意愿不足，条件暂不成熟。",
            },
            seat=seat,
        )


SCENES = (
    Scene("demo-01", "示范一区", "ask_needs", _needs, big=True),
    Scene("demo-02", "示范二区", "apply"),
    Scene("demo-03", "示范三区", "joint_review"),
    Scene("demo-04", "示范四区", "joint_review", _rejected),
    Scene("demo-05", "示范五区", "shortlist"),
    Scene("demo-06", "示范六区", "owner_ballot", _voting, after=19),
    Scene("demo-07", "示范七区", "ask_plans"),
    Scene("demo-08", "示范八区", "design_publicity", _standing, after=4),
    Scene("demo-09", "示范九区", "funding", _paying, after=5),
    Scene("demo-10", "示范十区", "construction", _building, after=12),
    Scene("demo-11", "示范十一区", "acceptance", _failed),
    Scene("demo-12", "示范十二区", "ask_results"),
    Scene("demo-13", "示范十三区", "end"),
    Scene("demo-14", "示范十四区", "construction", _suspended),
)


def load(today: dt.datetime) -> Iterator[str]:
    """Load the estates scene by scene, yielding what was loaded; those that are there stay."""
    cast = _people(today)
    for scene in SCENES:
        if not Case.objects.filter(community__code=scene.code).exists():
            yield _scene(scene, cast, today)


def _people(today: dt.datetime) -> Cast:
    keys = demo.serving(STAFF, today)
    return Cast(
        office=keys["office"],
        committee=keys["residents_committee"],
        owners_committee=keys["owners_committee"],
        designer=keys["designer"],
        contractor=keys["contractor"],
        supervisor=keys["supervisor"],
        resident_supervisor=keys["resident_supervisor"],
        representative=keys["residents_representative"],
        reviewers={s: keys[s] for s in ("housing", "planning", "finance", "community")},
    )


def patterns(today: dt.datetime, heads: int) -> Iterator[str]:
    """Walk every scene on an estate of so many owners, for copies (`community.city`)."""
    cast = _people(today)
    roll = generator.generate(blocks=max(2, heads // 34), heads=heads, area=heads * 8_300)
    for number, scene in enumerate(SCENES, 1):
        name, then = f"样板{number:02d}区", _crowd if scene.big else scene.then
        like = replace(scene, code=f"pattern-{number:02d}", name=name, then=then)
        if not Case.objects.filter(community__code=like.code).exists():
            yield _scene(like, cast, today, roll)


def _crowd(story: Story) -> None:
    """Three opinions of every household; most are answered."""
    count = len(story.households)
    for number in range(count * 3):
        household, turn = number % count, number // count
        item, stance, text = story.OPINIONS[(household + turn) % len(story.OPINIONS)]
        said = {"item": item, "stance": stance, "text": text}
        party = story.resident(household)
        acts.perform(story.case.pk, "ask_needs", "opinion.submitted", party, said)
        if number == count * 2:
            story.answer("ask_needs")


def _scene(
    scene: Scene, cast: Cast, today: dt.datetime, rows: list[dict[str, str]] | None = None
) -> str:
    community = demo.estate(
        scene.code,
        scene.name,
        today,
        by=cast.committee,
        residents=RESIDENTS,
        rows=generator.generate() if scene.big and rows is None else rows,
    )
    further = scene.after
    while (late := _walk(scene, community, cast, today, further)) > 0:
        further += late + 1  # days off fell otherwise this year: begin earlier
    return f"{scene.name}: {scene.stage}"


def _walk(scene: Scene, community: Community, cast: Cast, today: dt.datetime, further: int) -> int:
    """Walk a scene that begins `further` days before its usual start; how many days beyond today
    it ends. A scene that would end tomorrow or later leaves nothing behind."""
    with transaction.atomic():
        start = today - dt.timedelta(days=DAYS[scene.stage] + further)
        story = Story(community, cast, start, title=f"{scene.name}改造")
        if scene.stage == "end":
            story.finish()
        else:
            story.until(scene.stage)
        if scene.then is not None:
            scene.then(story)
        late = -((today - clock.now()) // dt.timedelta(days=1))
        if late > 0:
            transaction.set_rollback(True)
    return late
