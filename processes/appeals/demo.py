"""The demo of appeals: one at every stage, and enough that are closed for figures to be shown."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from workflows import calendars
from workflows.models import Case, Community

from ..community import demo, plans
from ..community.models import Building, Estate, Person, Stairwell
from .story import Story

STAFF = {
    "jiedao": ("office", "", "示范街道办事处"),
    "zhujian1": ("handler", "housing", "示范住建部门（经办一）"),
    "zhujian2": ("handler", "housing", "示范住建部门（经办二）"),
    "chengguan": ("handler", "city", "示范城市管理部门"),
    "wuye": ("handler", "property", "示范物业服务企业"),
    "duban": ("overseer", "", "示范街道督查室"),
}
RESIDENTS: tuple[str, ...] = ()
ESTATE = ("demo-lane", "示范里")
BLOCKS = 8
MANHOLE = "35.49992,122.50105"
EAST, NORTH = 122.5, 35.5
"""Where the demo estate is drawn: in the sea, so that it is nobody's."""
Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """One appeal: how many working days ago it came in, what it says, what has happened since."""

    title: str
    days: int
    walk: Callable[[Story], object]
    told: Told = field(default_factory=dict)
    photos: int = 0


def _said(text: str, kind: str = "repair", building: str = "", **more: Any) -> Told:
    return {"text": text, "kind": kind, "building": building, **more}


def _joint(story: Story) -> None:
    """A lead and a unit beside it, which has done its part."""
    story.assign("city", "property").wait(hours=3)
    story.act("wuye", "handle", {"note": "已通知堆放人，三日内清走。"}, act="part.done")


def _extended(story: Story) -> None:
    """More time, once, for a published reason."""
    story.assign().wait(days=1)
    told = {"days": 8, "reason": "需要采购配件，厂家发货周期较长。"}
    story.act("zhujian1", "handle", told, act="term.extended")


def _answered(story: Story) -> Story:
    return story.assign().wait(hours=30).answer("zhujian1", "已更换灯具，现场已恢复照明。")


def _again(story: Story) -> Story:
    """Not satisfied: another person takes it up."""
    return _answered(story).wait(days=1).rate("unsatisfied")


def _twice(story: Story) -> Story:
    """Twice not satisfied: a supervision sheet."""
    _again(story).wait(days=1).answer("zhujian2", "已再次检修线路。", step="rework")
    return story.wait(days=1).rate("unsatisfied", "rate_again")


def _supervised(story: Story) -> Story:
    """Answered under the sheet; the supervising body looks."""
    return _twice(story).wait(days=1).answer("zhujian1", "已整体更换楼道线路。", step="supervised")


def _reviewed(story: Story) -> None:
    """Looked at on the spot, and closed."""
    _supervised(story).wait(days=1)
    told = {"decision": "settled", "finding": "已到现场核查，照明恢复正常。"}
    story.act("duban", "inspect", told)


def _referred(story: Story) -> None:
    story.act("office", "classify", {"decision": "referred", "kind": "other", "door": "labour"})


def _spam(story: Story) -> None:
    told = {"decision": "spam", "reason": "内容为商业广告，不是诉求。"}
    story.act("office", "screen", told)


SCENES = (
    *(
        Scene(
            f"closed {number}",
            40 - number,
            lambda story: _answered(story).wait(hours=20).rate("satisfied"),
            _said(f"{number}号楼楼道灯不亮，晚上看不清台阶。", building=f"{number}号楼"),
        )
        for number in range(1, 6)
    ),
    Scene("unrated", 30, _answered, _said("六号楼单元门关不严。", building="6号楼")),
    Scene("reviewed", 26, _reviewed, _said("七号楼楼道灯修了又坏。", building="7号楼"), 1),
    Scene("inspected", 14, _supervised, _said("八号楼线路老化，反复跳闸。", building="8号楼"), 1),
    Scene("supervised", 6, _twice, _said("健身器材松动，修后仍然晃动。"), 1),
    Scene("reworked", 6, _again, _said("垃圾房门锁坏了。", kind="sanitation")),
    Scene("rated", 4, _answered, _said("二号楼二单元对讲机没有声音。", building="2号楼")),
    Scene("extended", 4, _extended, _said("四号楼电梯异响，上下时抖动。", building="4号楼"), 1),
    Scene(
        "red card",
        8,
        lambda story: story.assign("city"),
        _said("东门外占道经营，早上车辆出不来。", kind="traffic"),
        1,
    ),
    Scene(
        "yellow card",
        4,
        lambda story: story.assign("property"),
        _said("五号楼门前绿地长期无人修剪。", kind="property", building="5号楼"),
    ),
    Scene(
        "joint",
        2,
        _joint,
        _said("三号楼后面堆了装修垃圾，挡住消防通道。", kind="sanitation", building="3号楼"),
        2,
    ),
    Scene("withdrawn", 5, lambda story: story.assign().own("handle", {}, "task.withdrawn")),
    Scene("referred", 3, _referred, _said("单位两个月没有发工资。", kind="other", may_show="")),
    Scene(
        "returned",
        1,
        lambda story: story.assign("city").wait(hours=5).back("chengguan", "属于物业管理职责。"),
        _said("一号楼单元门口的路灯不亮。", building="1号楼"),
    ),
    Scene(
        "assigned",
        1,
        lambda story: story.assign("property"),
        _said("一号楼单元门口的路灯晚上不亮。", building="1号楼"),
    ),
    Scene("spam", 6, _spam, _said("贷款广告，请联系。", kind="other", held="honeypot")),
    Scene("held", 0, lambda story: None, _said("同样的话又写了一遍。", kind="other", held="same")),
    Scene(
        "new",
        0,
        lambda story: None,
        _said("井盖松动，走上去会响。", kind="safety", building="2号楼", point=MANHOLE),
        1,
    ),
)


def _began(today: dt.datetime, days: int) -> dt.datetime:
    """The morning from which `days` working days have begun until today; now, where none."""
    calendar, day = calendars.current(), today.date()
    if days == 0:
        return today
    while days:
        days -= calendar.is_workday(day)
        day -= dt.timedelta(days=1)
    return today.replace(year=day.year, month=day.month, day=day.day, hour=9, minute=0)


def load(today: dt.datetime) -> Iterator[str]:
    """Load the appeals, unless they are there; yields one line for all."""
    if Case.objects.filter(procedure="appeals").exists():
        return
    demo.serving(STAFF, today)
    staff = {name: Person.objects.get(username=name) for name in STAFF}
    staff["office"] = staff.pop("jiedao")
    place = _estate()
    stories: dict[str, Story] = {}
    for scene in SCENES:
        start = _began(today, scene.days)
        story = Story(place, staff, start, photos=scene.photos, **scene.told)
        scene.walk(story)
        story.until(today)
        stories[scene.title] = story
    told = {"number": stories["returned"].number}
    stories["assigned"].act("office", "case", told, act="appeal.linked")
    yield f"{place.name}: {len(SCENES)} appeals"


def _estate() -> Community:
    """An estate of its own, with buildings to pick."""
    code, name = ESTATE
    place, _made = Community.objects.get_or_create(
        code=code, defaults={"name": name, "kind": "estate", "parent": demo.street()}
    )
    estate, made = Estate.objects.get_or_create(community=place, defaults={"address": "示范路"})
    for number in range(1, BLOCKS + 1) if made else ():
        building = Building.objects.create(estate=estate, number=str(number), order=number)
        Stairwell.objects.create(building=building, number="1", order=1)
    if made:
        plans.apply(estate, json.dumps(_drawn()).encode())
    return place


def _drawn() -> dict[str, Any]:
    """Two rows of slabs, as GeoJSON, somewhere in the sea."""
    features = []
    for number in range(1, BLOCKS + 1):
        row, column = divmod(number - 1, BLOCKS // 2)
        west, south = EAST + column * 0.0007, NORTH - row * 0.0004
        east, north = west + 0.0005, south + 0.00014
        ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
        shape = {"type": "Polygon", "coordinates": [ring]}
        features.append({"properties": {"number": str(number)}, "geometry": shape})
    return {"type": "FeatureCollection", "features": features}
