"""The demo of open days: one that begins soon, at whose door one can sign in now; one that is over.

They take place in estates of the other demos, where there are any.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.db.models import Q
from django.utils import timezone

from workflows import acts, clock, sweep
from workflows.models import Case, Community
from workflows.parties import Party

from ..community import demo
from ..community.models import HouseholdMember
from .procedure import OpenDay

STAFF = {"juwei": ("residents_committee", "", "示范社区居委会")}
RESIDENTS: tuple[str, ...] = ()
SOON, OVER = "demo-01", "demo-13"


def load(today: dt.datetime) -> Iterator[str]:
    """Load both, where their estates are there and they are not."""
    yield from _load(today, SOON, OVER)


def patterns(today: dt.datetime, _heads: int) -> Iterator[str]:
    """The same in estates whose cases are copied (`community.city`)."""
    yield from _load(today, "pattern-01", "pattern-13")


def _load(today: dt.datetime, soon: str, over: str) -> Iterator[str]:
    key = demo.serving(STAFF, today)["residents_committee"]
    committee = Party("residents_committee", f"person:{key}", key)
    for code, tell in ((soon, _soon), (over, _over)):
        place = Community.objects.filter(code=code).first()
        told = Case.objects.filter(procedure=OpenDay.code, community__code=code)
        if place is not None and not told.exists():
            yield tell(place, committee, today)


def _call(case: Case, committee: Party, starts: dt.datetime, place: str, places: int) -> int:
    data = {
        "starts_at": f"{timezone.localtime(starts):%Y-%m-%dT%H:%M}",
        "place": place,
        "agenda": "看改造内容、改造过程和改造成果，现场答疑。",
        "places": places,
    }
    acts.perform(case, "visit", "meeting.called", committee, data)
    session = case.runs.get(name="visit").sessions.latest("pk")
    return int(session.pk)


def _open(place: Community, committee: Party) -> Case:
    return acts.open_case(OpenDay, place, committee, title=f"{place.name}公众开放日", demo=True)


def _soon(place: Community, committee: Party, today: dt.datetime) -> str:
    """Two sessions: the door of the first is open now; the second is full."""
    clock.set_now(today - dt.timedelta(days=2))
    case = _open(place, committee)
    _call(case, committee, today + dt.timedelta(minutes=50), "示范改造点（甲）", 40)
    second = _call(case, committee, today + dt.timedelta(days=3), "示范改造点（乙）", 2)
    for guest in _guests(place)[:3]:
        acts.perform(case, "visit", "meeting.signed_up", guest, {"session": second})
    return f"{place.name}: open day soon"


def _over(place: Community, committee: Party, today: dt.datetime) -> str:
    """Held, minuted, one opinion answered, closed."""
    clock.set_now(today - dt.timedelta(days=20))
    case = _open(place, committee)
    session = _call(case, committee, today - dt.timedelta(days=16), "示范改造点（丙）", 30)
    guests = _guests(place)
    for guest in guests:
        acts.perform(case, "visit", "meeting.signed_up", guest, {"session": session})
    door = case.runs.get(name="visit").sessions.get(pk=session).door
    clock.set_now(today - dt.timedelta(days=16))
    for guest in guests:
        acts.perform(case, "visit", "meeting.signed_in", guest, {"door": door})
    clock.set_now(today - dt.timedelta(days=15))
    held = {"session": session, "attendance": 21}
    acts.perform(case, "visit", "meeting.held", committee, held)
    minutes = {
        "session": session,
        "minutes": "参观了屋面、楼道和停车位，现场回答了工期和质保的问题。",
    }
    acts.perform(case, "visit", "meeting.minuted", committee, minutes)
    acts.perform(case, "visit", "meetings.closed", committee)
    text = {"text": "希望开放日多安排在周末，上班的人也能来。"}
    for guest in guests[:1]:
        acts.perform(case, "feedback", "opinion.submitted", guest, text)
    said = case.runs.get(name="feedback").opinions.get()
    reply = {
        "opinions": [said.pk],
        "outcome": "adopted",
        "public_text": said.text,
        "reason": "下次开放日安排在周六上午。",
    }
    acts.perform(case, "feedback", "opinion.replied", committee, reply)
    run = case.runs.get(name="feedback")
    clock.set_now(run.ends_at + dt.timedelta(hours=1))
    sweep.sweep(Q(process=case))
    return f"{place.name}: open day over"


def _guests(place: Community) -> list[Party]:
    """The demo's residents of the estate."""
    here = {"household__unit__stairwell__building__estate__community": place}
    rows = HouseholdMember.objects.filter(**here).select_related("household").order_by("pk")
    return [Party("household", f"household:{row.household.unit_id}", row.person_id) for row in rows]
