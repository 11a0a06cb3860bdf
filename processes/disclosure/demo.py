"""The demo of disclosure on request: an application at every stage, and a year to report on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workflows import clock
from workflows.models import Case

from ..community import demo
from ..community.models import Office
from .story import Cast, Story

STAFF = {
    "jiedao": ("office", "", "示范街道办事处"),
    "fuhe": ("checker", "", "示范街道办事处（复核）"),
    "fuze": ("office_head", "", "示范街道政府信息公开工作机构负责人"),
}
RESIDENTS = ("shenqing",)
"""Who applies and lives nowhere here."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One application: how many days ago it came in, and what has happened since."""

    title: str
    days: int
    walk: Callable[[Story], object]
    channel: str = "web"
    kind: str = "person"
    name: str = "王示范"


def _consulted(story: Story) -> Story:
    """A third party was asked and has objected."""
    story.receive().clear().handle("consult")
    letter = story.send_letter()
    return story.wait(days=6).answer(letter).consulted().handle()


def _refused(story: Story) -> None:
    """Refused, and brought to reconsideration."""
    story.receive().clear().handle().decide(
        "refused", "process", text="您申请的是尚在讨论的过程稿，属于过程性信息，不予公开。"
    )
    story.wait(days=1).check().deliver().wait(days=9)
    today = clock.today().isoformat()
    remedy = {"kind": "reconsideration", "result": "pending", "on": today}
    story.act("case", "remedy.entered", remedy)


def _listed(story: Story) -> None:
    """The second who wanted the same: opened to everybody."""
    story.do("receive", {})
    story.clear().handle().decide().check().deliver()
    told = {"name": "示范路雨污分流工程中标通知书、施工合同", "reason": "多人申请，且可以公开。"}
    story.do("open_list", {"chosen": "listed", **told})


def _partial(story: Story) -> None:
    """Opened but for what the third party objected to."""
    text = (
        "施工合同除单价分析表外现予公开，见附件。\n"
        "单价分析表涉及第三方的商业秘密，第三方不同意公开且有合理理由，不予公开。"
    )
    _consulted(story).decide("partial", "third_party", text=text).check().deliver()


def _not_exist(story: Story) -> None:
    """Searched for and not there."""
    text = "经检索，本机关没有制作或者保存您申请公开的信息，该政府信息不存在。"
    story.receive().clear().handle().decide("not_exist", text=text).check().deliver()


def _abandoned(story: Story) -> None:
    """No correction came, and no reason."""
    story.receive().unclear(5).wait(days=16)
    told = {"chosen": "abandoned", "reason": "经两次电话联系，申请人表示不再申请。"}
    story.do("lapse", told)


def _to_check(story: Story) -> None:
    """A draft waits for the second person."""
    text = "您申请公开的信息由示范区住房和城乡建设局负责公开，请向该局提出申请。"
    story.receive().clear().handle().decide("not_ours", text=text)


def _answered(story: Story) -> Story:
    """Opened as asked for."""
    return story.receive().clear().wait(days=5).handle().decide().check().deliver()


SCENES = (
    Scene("answered", 40, _answered),
    Scene("listed", 38, _listed, channel="in_person", name="李示范"),
    Scene("refused", 36, _refused, kind="enterprise", name="示范商贸公司"),
    Scene("partial", 34, _partial),
    Scene("not_exist", 30, _not_exist),
    Scene("abandoned", 32, _abandoned),
    Scene("withdrawn", 15, lambda story: story.receive().clear().handle("withdrawn")),
    Scene("overdue", 45, lambda story: story.receive().clear().wait(days=44)),
    Scene("lapse", 20, lambda story: story.receive().unclear(5).wait(days=18)),
    Scene("extended", 20, lambda story: story.receive().clear().wait(days=8).extend(10)),
    Scene("extend", 16, lambda story: story.receive().clear().handle("extend")),
    Scene("consult", 9, lambda story: story.receive().clear().handle("consult").send_letter()),
    Scene("deliver", 12, lambda story: story.receive().clear().handle().decide().check()),
    Scene("check", 8, _to_check),
    Scene("handle", 6, lambda story: story.receive().clear()),
    Scene("complete", 4, lambda story: story.receive().unclear()),
    Scene("examine", 2, lambda story: story.receive()),
    Scene("receive", 0, lambda story: None),
)


def load(today: dt.datetime) -> Iterator[str]:
    """Load the applications, unless they are there; yields one line for all."""
    if Case.objects.filter(procedure="disclosure").exists():
        return
    street, keys = demo.street(), demo.serving(STAFF, today)
    Office.objects.get_or_create(
        community=street, name="示范街道办事处", defaults={"kind": "subdistrict"}
    )
    applicant = demo.person(RESIDENTS[0], "王示范").pk
    cast = Cast(applicant, keys["office"], keys["office_head"], keys["checker"])
    for scene in SCENES:
        start = today - dt.timedelta(days=scene.days)
        story = Story(street, cast, start, channel=scene.channel, kind=scene.kind, name=scene.name)
        scene.walk(story)
    yield f"{street.name}: {len(SCENES)} applications for information"
