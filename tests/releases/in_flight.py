"""Cases in flight at the end of a release, and how each is brought home by a later one.

`lay` runs under the release that is kept (`tools/keep_release.py`), `bring_home` under the present
one, on its restored database. Each case is known by its title, so that what a release has kept
stays readable: add scenes for the next release, change none that a kept one has.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Max, Q

from processes.appeals import demo as appeals_demo
from processes.appeals.story import Story as Appeal
from processes.community import demo, generator
from processes.community.models import Office, Person
from processes.disclosure import demo as disclosure_demo
from processes.disclosure.story import Cast as DisclosureCast
from processes.disclosure.story import Story as Disclosure
from processes.open_days.procedure import OpenDay
from processes.public_posts import demo as posts_demo
from processes.public_posts.models import Applicant
from processes.public_posts.story import Cast as PostsCast
from processes.public_posts.story import Story as Posts
from processes.renovation import demo as renovation_demo
from processes.renovation.cast import Cast
from processes.renovation.story import Story
from workflows import acts, calendars, clock, sweep
from workflows.models import Case, Community, Opinion, Record, StepRun
from workflows.models.record import Trace
from workflows.parties import Party, directory

NOW = dt.datetime(2025, 9, 16, 10, tzinfo=clock.SHANGHAI)
"""When the release is kept: a year that has been announced lies before it."""
NEEDS, BALLOT, WORKS = "示范甲区改造", "示范乙区改造", "示范丙区改造"
OPEN_DAY, CALL = "示范甲区公众开放日", "2025年示范街道公益性岗位（演示）"
ASKED, APPEAL = "示范路雨污分流工程施工合同（演示）", "六号楼单元门关不严（演示）。"


# --- the release that is kept ------------------------------------------------------------------


def lay() -> None:
    """A case of every procedure, open at a step with a term, an answer or a child to come."""
    calendars.seed()
    cast = renovation_demo._people(NOW)
    needs = _renovation("keep-a", NEEDS, cast, 20, "ask_needs")
    for number in range(3):
        item, stance, text = Story.OPINIONS[number]
        told = {"item": item, "stance": stance, "text": text}
        needs.perform("ask_needs", "opinion.submitted", needs.resident(number), told)
    renovation_demo._voting(_renovation("keep-b", BALLOT, cast, 50, "owner_ballot"))
    works = _renovation("keep-c", WORKS, cast, 200, "construction")
    works.progress(30)
    works.finding(through=False)
    on = clock.today().isoformat()
    change = {"kind": "change", "text": "北侧道路改为透水铺装。", "reason": "雨季积水。"}
    change |= {"yuan": "900000.00", "on": on, "percent": 10}
    works.act("construction", "entry.added", "office", change)
    _open_day(needs.community, cast)
    _call()
    _asked()
    _appeal()
    clock.set_now(NOW)
    assert not sweep.due(NOW), sweep.due(NOW)


def _renovation(code: str, title: str, cast: Cast, days: int, stage: str) -> Story:
    roll = generator.generate(seed=3, blocks=1, heads=8, area=80_000)
    place = demo.estate(code, title[:4], NOW, by=cast.committee, residents=("jumin1",), rows=roll)
    story = Story(place, cast, NOW - dt.timedelta(days=days), title=title).until(stage)
    assert clock.now() < NOW, (title, clock.now())
    return story


def _open_day(place: Community, cast: Cast) -> None:
    """Held and minuted; an opinion waits for its answer."""
    committee, clock_at = cast.party("residents_committee"), NOW - dt.timedelta(days=3)
    clock.set_now(clock_at)
    case = acts.open_case(OpenDay, place, committee, title=OPEN_DAY, demo=True)
    starts = clock_at + dt.timedelta(minutes=5)
    call = {"starts_at": starts.strftime("%Y-%m-%dT%H:%M"), "place": "示范楼门前"}
    acts.perform(case, "visit", "meeting.called", committee, {**call, "agenda": "参观改造现场。"})
    session = case.runs.get(name="visit").sessions.get().pk
    clock.set_now(starts + dt.timedelta(hours=1))
    held = {"session": session, "attendance": 5}
    acts.perform(case, "visit", "meeting.held", committee, held)
    minutes = {"session": session, "minutes": "参观了屋面和楼道。"}
    acts.perform(case, "visit", "meeting.minuted", committee, minutes)
    acts.perform(case, "visit", "meetings.closed", committee)
    resident = Person.objects.get(username="jumin1")
    [party] = [
        p for p in directory().parties_of(resident, place, clock.now()) if p.role == "household"
    ]
    said = {"text": "希望开放日安排在周末。"}
    acts.perform(case, "feedback", "opinion.submitted", party, said)


def _call() -> None:
    """The notice of those who were chosen stands; an objection waits."""
    keys = demo.serving(posts_demo.STAFF, NOW)
    cast = PostsCast(keys["office"], keys["residents_committee"])
    story = Posts(demo.street(), cast, NOW - dt.timedelta(days=24), title=CALL)
    posts_demo._standing(story)
    assert clock.now() < NOW, clock.now()


def _asked() -> None:
    """A third party was asked; its answer is not there."""
    street, keys = demo.street(), demo.serving(disclosure_demo.STAFF, NOW)
    Office.objects.get_or_create(
        community=street, name="示范街道办事处", defaults={"kind": "subdistrict"}
    )
    applicant = demo.person("shenqing", "王示范").pk
    cast = DisclosureCast(applicant, keys["office"], keys["office_head"], keys["checker"])
    start = NOW - dt.timedelta(days=9)
    story = Disclosure(street, cast, start, description=ASKED)
    story.receive().clear().handle("consult").send_letter()


def _appeal() -> None:
    """Answered; its author has not said whether that will do."""
    demo.serving(appeals_demo.STAFF, NOW)
    place = appeals_demo._estate()
    story = Appeal(place, _staff(), NOW - dt.timedelta(days=4), text=APPEAL, building="6号楼")
    appeals_demo._answered(story)
    assert clock.now() < NOW, clock.now()


def _staff() -> dict[str, Any]:
    staff = {name: Person.objects.get(username=name) for name in appeals_demo.STAFF}
    return {**staff, "office": staff["jiedao"]}


# --- the present release -----------------------------------------------------------------------


def bring_home() -> dict[str, str]:
    """Walk each case to its end under the present code; how each ended, by its title."""
    return dict(_homes())


def _homes() -> Iterator[tuple[str, str]]:
    homes: tuple[tuple[str, Callable[[Case], object]], ...] = (
        (NEEDS, _needs_home),
        (BALLOT, _ballot_home),
        (WORKS, _works_home),
        (OPEN_DAY, _open_day_home),
        (CALL, _call_home),
    )
    for title, home in homes:
        clock.set_now(NOW)
        case = Case.objects.get(title=title)
        home(case)
        yield title, _ended(case)
    for procedure, home in (("disclosure", _asked_home), ("appeals", _appeal_home)):
        clock.set_now(NOW)
        case = Case.objects.get(procedure=procedure)
        home(case)
        yield procedure, _ended(case)
    clock.set_now(Record.objects.aggregate(last=Max("at"))["last"])


def _ended(case: Case) -> str:
    case.refresh_from_db()
    children = Case.objects.filter(parent__process=case)
    assert not children.filter(finished=None).exists()
    return str(case.outcome) if case.finished else f"open: {_open(case)}"


def _open(case: Case) -> list[str]:
    return list(case.runs.filter(finished=None).values_list("name", flat=True))


def _goes_on(case: Case) -> Story:
    cast = renovation_demo._people(NOW)
    households = list(directory().members("households", case.community))
    return Story.of(case, cast=cast, households=households, photos=500)


def _rest(story: Story, after: str) -> None:
    for stage in story.STAGES[story.STAGES.index(after) + 1 :]:
        getattr(story, stage)()


def _needs_home(case: Case) -> None:
    story = _goes_on(case)
    step, on = "ask_needs", clock.today().isoformat()
    for member in story.households[3:]:
        told = {"household": member.key, "result": "returned", "on": on}
        story.act(step, "household.visited", "residents_committee", told)
    story.answer(step)
    story.wait_for(step)  # and stands where the next case begins


def _ballot_home(case: Case) -> None:
    story = _goes_on(case)
    run = story.run("owner_ballot")
    for number, member in enumerate(story.households):
        entry = run.roll.filter(ways__party_key=member.key, papers=None).first()
        if entry is not None:
            party = Party("owner", member.key, story.cast.committee, via="paper")
            told = {"q1": "for", "q2": "for", "serial": f"P9{number:03d}"}
            story.perform("owner_ballot", "vote.cast", party, told)
    story.wait_for("owner_ballot")
    story.wait_for("owner_ballot")
    told = {"reason": "询异公示期满，无异议。"}
    story.act("owner_ballot", "result.confirmed", "residents_committee", told)
    story.wait(days=1)
    _rest(story, "owner_ballot")


def _works_home(case: Case) -> None:
    story = _goes_on(case)
    step = "construction"
    run = story.run(step)
    finding = run.ledger_entries.get(kind="finding")
    for role, to in (("contractor", "fixed"), ("resident_supervisor", "checked")):
        story.act(
            step,
            "entry.moved",
            role,
            {"entry": finding.pk, "to": to, "note": "安全网已补挂，复查到位。"},
        )
    child = Case.objects.get(parent=run)
    places = list(
        StepRun.objects.get(process=child, name="publicity").postings.values_list(
            "place", flat=True
        )
    )
    photos = [story.picture("posted") for _place in places]
    told = {"places": places}
    story.act(
        "publicity", "notice.posted", "residents_committee", told, {"photos": photos}, case=child
    )
    story.wait_for("publicity", child)
    story.progress(100)
    story.act(step, "ledger.closed", "office", {"reason": "工程完工，均已复查。"})
    _rest(story, step)


def _open_day_home(case: Case) -> None:
    key = renovation_demo._people(NOW).committee
    committee = Party("residents_committee", f"person:{key}", key)
    run = case.runs.get(name="feedback")
    said = Opinion.objects.get(run=run)
    reply = {"opinions": [said.pk], "outcome": "adopted", "public_text": said.text}
    acts.perform(
        case, "feedback", "opinion.replied", committee, {**reply, "reason": "下次安排在周六上午。"}
    )
    clock.set_now(run.ends_at + dt.timedelta(hours=1))
    sweep.sweep(Q(process=case))


def _call_home(case: Case) -> None:
    keys = demo.serving(posts_demo.STAFF, NOW)
    cast = PostsCast(keys["office"], keys["residents_committee"])
    posts = {post.number: post for post in case.posts.all()}
    applied = Applicant.objects.filter(case=case).count()
    story = Posts.of(case, cast=cast, posts=posts, applied=applied)
    story.decide(1, "dismissed").wait_for("publicity").wait(days=2).train().onboard()
    story.wait(days=3)
    for number in story.numbers("appointed"):
        story.leave(number)
    story.wait(days=3).close()


def _asked_home(case: Case) -> None:
    keys = demo.serving(disclosure_demo.STAFF, NOW)
    applicant = demo.person("shenqing", "王示范").pk
    cast = DisclosureCast(applicant, keys["office"], keys["office_head"], keys["checker"])
    story = Disclosure.of(case, cast=cast)
    letter = case.runs.get(name="consult").ledger_entries.get()
    story.answer(letter).consulted().handle()
    text = "施工合同除单价分析表外现予公开，见附件。单价分析表第三方不同意公开，不予公开。"
    story.decide("partial", "third_party", text=text).check().deliver()


def _appeal_home(case: Case) -> None:
    # Its author has the receipt; whoever sends with it is the party of the first record.
    key = Trace.objects.get(record__case=case, record__seq=0).party_key
    author = Party("anyone", key)
    acts.perform(case.pk, "rate", "task.done", author, {"rating": "satisfied", "comment": ""})
