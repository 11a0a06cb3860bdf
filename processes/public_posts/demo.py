"""The demo of public-welfare posts: a call at every stage, from applications to the last exit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import transaction

from workflows import clock
from workflows.models import Case

from ..community import demo
from .story import Cast, Story

STAFF = {
    "jiedao": ("office", "", "示范街道办事处"),
    "juwei": ("residents_committee", "", "示范社区居委会"),
}
RESIDENTS = ("yingpin",)
"""Who applies online and lives nowhere here."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One call: at least how many days ago it began, and what has happened since."""

    title: str
    days: int
    walk: Callable[[Story], object]


def _refusals(story: Story) -> None:
    """Checked by the table; who was refused may object, and one has."""
    story.apply_many().check().wait(days=1)
    said = {"number": 9, "text": "营业执照已经注销（演示）。"}
    story.act("check", "refusal.objected", said, "residents_committee")


def _evaluating(story: Story) -> None:
    """Held with three of four; two sheets are in."""
    story.apply_many().check().to_evaluation().invite()
    story.sheet(1)
    story.sheet(2)


def _vetting(story: Story) -> None:
    """Two of the sources have answered."""
    story.apply_many().check().evaluate().ask("social_insurance", "business_register")


def _standing(story: Story) -> None:
    """The notice stands; an objection is looked into."""
    story.to_publicity().wait(days=1)
    story.object(1)


def _moved_up(story: Story) -> None:
    """One removed; the next has a notice of their own beside the others' training."""
    objection = story.to_publicity().wait(days=3).object(1)
    story.wait(days=1).decide(objection).wait_for("publicity")


def _training(story: Story) -> None:
    """Two are trained, two are to come; the first has signed."""
    story.to_publicity().moved_up()
    first, second, *_rest = story.numbers("cleared")
    story.act("train", "training.entered", {"results": f"{first} 92\n{second} 84"})
    story.onboard(first)


def _on_posts(story: Story) -> list[int]:
    """Everybody of the first places is on a post."""
    story.to_publicity().wait_for("publicity").wait(days=2).train().onboard()
    return story.numbers("appointed")


def _months(story: Story, people: list[int], months: int) -> None:
    """So many months are assessed in full, each by the fifth of the next."""
    following = clock.today().replace(day=1)
    for month in range(months + 1):
        following = (following + dt.timedelta(days=32)).replace(day=5)
        story.until_day(following)
        if month:  # the month in which they started is not a whole one
            good = {n: (28 - (n + month) % 4, 45 - (n * month) % 6, 18) for n in people}
            story.assess(good)


def _managed(story: Story) -> None:
    """Four months are assessed; of the month after that the village's part is in."""
    people = _on_posts(story)
    _months(story, people, 4)
    following = (clock.today() + dt.timedelta(days=32)).replace(day=5)
    story.until_day(following).assess(dict.fromkeys(people, (27, 46, 18)), parts=1)


def _exits(story: Story) -> None:
    """One left for other work, one was told of a fault and is heard."""
    people = _on_posts(story)
    _months(story, people, 2)
    story.leave(people[0], "other_job").wait(days=1)
    story.leave(people[1], "absence", "holder.notified")


def _closed(story: Story) -> None:
    """All have left, every lane is closed."""
    people = _on_posts(story)
    _months(story, people, 3)
    for at, number in enumerate(people):
        story.wait(days=1).leave(number, ("own_wish", "other_job", "age")[at % 3])
    story.wait(days=3).close()


SCENES = (
    Scene("第一批", 120, _closed),
    Scene("第二批", 200, _managed),
    Scene("第三批", 90, _exits),
    Scene("第四批", 30, _training),
    Scene("第五批", 28, _moved_up),
    Scene("第六批", 20, _standing),
    Scene("第七批", 18, _vetting),
    Scene("第八批", 18, _evaluating),
    Scene("第九批", 12, _refusals),
    Scene("第十批", 3, lambda story: story.apply_many()),
    Scene("第十一批", 20, lambda story: story.wait_for("apply")),
)
"""The last one is of a call to which nobody came."""


def load(today: dt.datetime) -> Iterator[str]:
    """Load the calls, unless they are there; yields one line for all."""
    if Case.objects.filter(procedure="public_posts").exists():
        return
    keys = demo.serving(STAFF, today)
    applicants = tuple(demo.person(name, "演示申请人甲").pk for name in RESIDENTS)
    cast = Cast(keys["office"], keys["residents_committee"], applicants)
    for scene in SCENES:
        days = scene.days
        while (late := _walk(scene, cast, today, days)) > 0:
            days += late  # by how the days off fell this year
    yield f"{demo.street().name}: {len(SCENES)} calls for public-welfare posts"


def _walk(scene: Scene, cast: Cast, today: dt.datetime, days: int) -> int:
    """Walk a scene that began so many days ago; how many days beyond today it ends. One that would
    end after now leaves nothing behind."""
    with transaction.atomic():
        start = today - dt.timedelta(days=days)
        title = f"{start.year}年示范街道公益性岗位（{scene.title}）"
        scene.walk(Story(demo.street(), cast, start, title=title))
        late = -((today - clock.now()) // dt.timedelta(days=1))
        if late > 0:
            transaction.set_rollback(True)
    return late
