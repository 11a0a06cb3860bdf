"""Break the city profile on purpose, under load, and count afterwards.

    make chaos                                    a short form
    .venv/bin/python tools/chaos.py --seconds 600 --seed 7

Over HTTP residents give opinions, some with a photo, and vote again and again; an office answers,
reviewers sign. Meanwhile, at random moments, servers, clocks, Celery workers, beat, Redis and
PostgreSQL are killed with -9 and started again; Redis is also lost for a long stretch. The people
keep account of what was accepted, and send again what was not answered (`chaos_people`). Then
nothing more is broken, and: everything accepted is there, once, at the place that its receipt page
named; nothing is there that nobody sent; of each voter the last vote stands; every term that ended
fired once; every chain and the log hold.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import serve
from chaos_people import Account, Person, Sending, picture
from city import ROOT, City

RESIDENTS, CASES, TIMERS, PANELS = 24, 3, 40, 6
PACE = 0.15
"""Seconds between two acts of one resident."""
WANTED = {"server": 4, "clock": 3, "worker": 3, "beat": 1, "redis": 2, "postgres": 2}
"""How often each kind of part is broken, against the others."""
SEATS = ("housing", "planning", "finance", "community")


@dataclass
class Ground:
    """What there is before anything breaks: cases in which people can act, and who they are."""

    opinions: list[tuple[str, str]]
    """Number and step of each case that takes opinions."""
    ballot: str
    panels: list[str]
    sessions: dict[str, str]
    """Of residents (``resident0`` …), ``office``, and reviewers by seat."""
    timers: list[int]
    """Runs whose terms end while things break."""
    answered: set[int] = field(default_factory=set)
    """Opinions that the office has taken in hand."""


LEAST = 5
"""So many things are broken, however slow the machine."""


def lay(seconds: float) -> Ground:
    """Lay the ground, in the database that the environment names."""
    import django

    sys.path.insert(0, str(ROOT))
    django.setup()
    from processes.open_days.procedure import OpenDay
    from tests import factories
    from workflows import calendars, clock
    from workflows.models import StepRun
    from workflows.parties import Party

    calendars.seed()
    street = factories.make_street()
    estate = factories.make_estate(units=RESIDENTS, parent=street)
    people = factories.make_members(factories.units_of(estate))
    sessions = {f"resident{at}": _session(person) for at, person in enumerate(people)}
    cast = _cast(street, sessions)
    party = Party("office", f"person:{cast.office}", cast.office)
    now = clock.now()
    runs = []
    for number in range(CASES + TIMERS):
        clock.set_now(now - dt.timedelta(days=3))
        runs.append(_asking(OpenDay, estate.community, party, number))
    timers = [run.pk for run in runs[CASES:]]
    for pk in timers:
        moment = now + dt.timedelta(seconds=random.uniform(5, max(6, seconds)))
        StepRun.objects.filter(pk=pk).update(ends_at=moment, scheduled=moment)
    ballot = _voting(estate.community, cast, now)
    small = [factories.make_estate(f"small{at}", units=4, parent=street) for at in range(PANELS)]
    panels = [_signing(each.community, cast, now) for each in small]
    clock.set_now(None)
    opinions = [(run.process.number, run.name) for run in runs[:CASES]]
    return Ground(opinions, ballot, panels, sessions, timers)


def _session(person: Any) -> str:
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    store = SessionStore()
    store[SESSION_KEY] = str(person.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = person.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def _cast(street: Any, sessions: dict[str, str]) -> Any:
    """The offices of a renovation; those who act over HTTP get a session."""
    from processes.renovation.cast import Cast
    from tests import factories

    def serving(role: str) -> Any:
        return factories.make_person(role.replace(":", "-"), role, community=street)

    office = serving("office")
    sessions["office"] = _session(office)
    reviewers = {}
    for seat in SEATS:
        reviewer = serving(f"reviewer:{seat}")
        sessions[seat] = _session(reviewer)
        reviewers[seat] = reviewer.pk
    roles = ("residents_committee", "owners_committee", "designer", "contractor", "supervisor")
    roles += ("resident_supervisor", "residents_representative")
    keys = [serving(role).pk for role in roles]
    return Cast(office.pk, *keys, reviewers)


def _voting(community: Any, cast: Any, now: dt.datetime) -> str:
    """A ballot of all owners that is open until tomorrow."""
    from processes.renovation.story import Story
    from workflows import clock

    start = now - dt.timedelta(days=120)
    story = Story(community, cast, start, title="示范表决").until("owner_ballot")
    opens = clock.today() + dt.timedelta(days=16)
    call = {"questions": "是否同意实施改造", "matter": "special", "item": "rebuild"}
    call |= {"reason": "改建建筑物附属设施", "opens_on": opens.isoformat()}
    story.act("owner_ballot", "ballot.called", "residents_committee", call)
    story.wait_for("owner_ballot")
    run = story.run("owner_ballot")
    run.ends_at = run.scheduled = now + dt.timedelta(days=1)
    run.save(update_fields=["ends_at", "scheduled"])
    return str(story.case.number)


def _signing(community: Any, cast: Any, now: dt.datetime) -> str:
    """A joint review that waits for all four."""
    from processes.renovation.story import Story

    story = Story(community, cast, now - dt.timedelta(days=6), title="示范联合审查")
    story.until("joint_review")
    return str(story.case.number)


def _asking(procedure: Any, community: Any, party: Any, number: int) -> Any:
    """A case that has been held and minuted, and asks for opinions."""
    from workflows import acts, clock

    case = acts.open_case(procedure, community, party, title=f"示范开放日{number}", demo=True)
    starts = clock.now() + dt.timedelta(minutes=5)
    call = {"starts_at": starts.astimezone(clock.SHANGHAI).strftime("%Y-%m-%dT%H:%M")}
    call |= {"place": "示范楼门前", "agenda": "参观改造现场。"}
    acts.perform(case, "visit", "meeting.called", party, call)
    session = case.runs.get(name="visit").sessions.get()
    clock.set_now(starts + dt.timedelta(hours=1))
    acts.perform(case, "visit", "meeting.held", party, {"session": session.pk, "attendance": 3})
    minutes = {"session": session.pk, "minutes": "参观了屋面和楼道。"}
    acts.perform(case, "visit", "meeting.minuted", party, minutes)
    acts.perform(case, "visit", "meetings.closed", party)
    run = case.runs.select_related("process").get(name="feedback")
    return run


def people(city: City, ground: Ground, account: Account, seconds: float) -> list[Person]:
    """Everybody who acts."""

    def resident() -> Sending:
        # One never votes: with every vote in, the ballot would end.
        if random.random() < 0.3 and threading.current_thread().name != "resident0":
            choice = random.choice(("for", "against", "abstain"))
            return Sending(ground.ballot, "owner_ballot", "vote.cast", {"q1": choice})
        number, step = random.choice(ground.opinions)
        text = f"建议第{secrets.token_hex(6)}处加装扶手。"
        photo = picture() if random.random() < 0.2 else b""
        return Sending(number, step, "opinion.submitted", {"text": text}, photo)

    def office() -> Sending | None:
        from django.db import DatabaseError, connection

        from workflows.models import Opinion

        try:
            waiting = Opinion.objects.filter(life="submitted").exclude(pk__in=ground.answered)
            opinion = waiting.select_related("run__process").order_by("pk").first()
        except DatabaseError:
            return None
        finally:
            connection.close()
        if opinion is None:
            return None
        ground.answered.add(opinion.pk)
        told = {"opinions": str(opinion.pk), "outcome": "adopted", "public_text": "希望加装扶手。"}
        told["reason"] = "已列入改造内容，设计时落实。"
        return Sending(opinion.run.process.number, opinion.run.name, "opinion.replied", told)

    def reviewer(seat: str) -> Any:
        left = random.sample(ground.panels, len(ground.panels))
        told = {"seat": seat, "decision": "approve", "score_faults": "24", "score_will": "24"}
        told |= {"score_pledge": "14", "score_upkeep": "15"}

        def sign() -> Sending | None:
            return Sending(left.pop(), "joint_review", "panel.signed", told) if left else None

        return sign

    chosen: dict[str, tuple[Any, float]] = {"office": (office, PACE)}
    for seat in SEATS:
        chosen[seat] = (reviewer(seat), max(0.5, seconds / PANELS))
    return [
        Person(name, session, city.ports, account, *chosen.get(name, (resident, PACE)))
        for name, session in ground.sessions.items()
    ]


def break_things(city: City, seconds: float, broken: Counter[str]) -> None:
    """Kill and start again, at random moments, for so long, and until `LEAST` things are broken,
    where servers are slow to come back; in the middle Redis stays away."""
    until = time.monotonic() + seconds
    away_from, away_to = until - seconds * 0.6, until - seconds * 0.35
    names = [
        name
        for name in (*city.parts, "postgres")
        for _n in range(WANTED.get(name.rstrip("0123456789"), 1))
    ]
    while (now := time.monotonic()) < until or broken.total() < LEAST:
        if away_from < now < away_to and city.parts["redis"].runs:
            city.parts["redis"].kill()
            broken["redis away"] += 1
        elif now >= away_to and not city.parts["redis"].runs:
            city.parts["redis"].start()
        name = random.choice(names)
        if name == "postgres":
            city.kill_postgres()
            time.sleep(random.uniform(0, 0.5))
            city.start_postgres()
        elif name == "redis" and away_from < now < away_to:
            continue
        else:
            city.parts[name].kill()
            time.sleep(random.uniform(0, 0.5))
            city.parts[name].start()
        broken[name.rstrip("0123456789")] += 1
        _let_in(city)
        time.sleep(random.uniform(0.5, 3.0))
    for part in city.parts.values():
        if not part.runs:
            part.start()


def _let_in(city: City, patience: float = 60) -> None:
    """Wait until some server is well, however slow the machine: else nobody would be acting, and
    what is killed would be doing nothing."""
    until = time.monotonic() + patience
    while time.monotonic() < until and not any(
        serve.answers("127.0.0.1", port) for port in city.ports
    ):
        time.sleep(0.2)


def count(city: City, ground: Ground, account: Account, patience: float) -> list[str]:
    """What is wrong, once nothing is broken any more; empty if nothing."""
    from django.db import connection

    from workflows import records
    from workflows.models import Case, Record, StepRun
    from workflows.records import log

    connection.close()
    wrong = account.faults_in()
    until = time.monotonic() + patience
    while StepRun.objects.filter(pk__in=ground.timers, finished=None).exists():
        if time.monotonic() > until:
            wrong.append("terms that ended have not fired")
            break
        time.sleep(1)
    fired = Counter(
        Record.objects.filter(run__in=ground.timers, act="term.ended").values_list("run", flat=True)
    )
    for pk in ground.timers:
        if fired[pk] != 1:
            wrong.append(f"the term of run {pk} fired {fired[pk]} times")
    while log.latest().size < Record.objects.count():
        if time.monotonic() > until:
            wrong.append(f"the log holds {log.latest().size} of {Record.objects.count()}")
            break
        time.sleep(1)
    for case in Case.objects.all():
        if (fault := records.first_fault(case)) is not None:
            wrong.append(f"{case.number}: {fault}")
    address = f"http://127.0.0.1:{city.ports[0]}/log"
    checked = subprocess.run(
        [sys.executable, "-m", "sanwen", "verify", address, "--lang", "en"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if checked.returncode:
        wrong.append(f"sanwen verify: {checked.stdout[-800:]}{checked.stderr[-400:]}")
    return wrong


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--home", type=Path, default=None, help="folder to keep")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    random.seed(seed)
    say = lambda text: print(text, flush=True)  # noqa: E731
    with tempfile.TemporaryDirectory(prefix="sanwen-chaos-", ignore_cleanup_errors=True) as made:
        city = City(
            options.home or Path(made),
            more={"SANWEN_DEMO": "1", "DJANGO_SETTINGS_MODULE": "tools.chaos_settings"},
        )
        broken: Counter[str] = Counter()
        account = Account()
        try:
            say(f"seed {seed}: PostgreSQL, Redis, a database")
            city.stores()
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, check=True
            )
            ground = lay(options.seconds)
            city.open()
            city.wait()
            everybody = people(city, ground, account, options.seconds)
            for person in everybody:
                person.start()
            say(f"{len(everybody)} people act; breaking things for {options.seconds:.0f} s")
            break_things(city, options.seconds, broken)
            say("broken: " + ", ".join(f"{name} {n}" for name, n in sorted(broken.items())))
            for person in everybody:
                person.quiet.set()
            city.wait()
            _home(everybody, patience=120)
            say(
                f"{len(account.accepted)} accepted of {len(account.sent)} sent"
                f" in {account.tries} tries: {_by_act(account)}; counting"
            )
            wrong = count(city, ground, account, patience=180)
        finally:
            city.end()
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    say(
        json.dumps(
            {
                "seed": seed,
                "accepted": len(account.accepted),
                "by_act": _by_act(account),
                "broken": sum(broken.values()),
                "wrong": len(wrong),
            }
        )
    )
    return 1 if wrong or not account.accepted or not broken else 0


def _by_act(account: Account) -> dict[str, int]:
    return dict(Counter(account.sent[key].what.act for key in account.accepted))


def _home(everybody: list[Person], patience: float) -> None:
    """Let everybody bring the last act home."""
    until = time.monotonic() + patience
    for person in everybody:
        person.join(max(0.0, until - time.monotonic()))
        person.given_up.set()


if __name__ == "__main__":
    raise SystemExit(main())
