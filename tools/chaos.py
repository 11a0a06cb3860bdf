"""Break the city profile on purpose, under load, and count afterwards.

    make chaos                                    a short form
    .venv/bin/python tools/chaos.py --seconds 600 --seed 7

Residents give opinions over HTTP while, at random moments, servers, clocks, Redis and PostgreSQL
are killed with -9 and started again; Redis is also lost for a long stretch. The residents keep
account of what was accepted, and send again what was not answered. Then nothing more is broken,
and: everything accepted is there, once, at the place that its receipt page named; nothing is there
that nobody sent; every term that ended fired once; every chain and the log hold.
"""

from __future__ import annotations

import argparse
import datetime as dt
import http.client
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
from urllib.parse import urlencode

from city import ROOT, City

RESIDENTS, CASES, TIMERS = 24, 3, 40
PACE = 0.15
"""Seconds between two opinions of one resident."""
WANTED = {"server": 4, "clock": 3, "redis": 2, "postgres": 2}
"""How often each kind of part is broken, against the others."""


@dataclass
class Ground:
    """What there is before anything breaks: cases that take opinions, and who gives them."""

    cases: list[tuple[str, str]]
    """Number and step of each."""
    sessions: list[str]
    timers: list[int]
    """Runs whose terms end while things break."""


@dataclass
class Account:
    """What residents sent, and what was answered."""

    sent: dict[str, str] = field(default_factory=dict)
    """Submission → case."""
    accepted: dict[str, int] = field(default_factory=dict)
    """Submission → position of its record."""
    faults: list[str] = field(default_factory=list)
    tries: int = 0


def lay(seconds: float) -> Ground:
    """Lay the ground, in the database that the environment names."""
    import django

    sys.path.insert(0, str(ROOT))
    django.setup()
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from processes.open_days.procedure import OpenDay
    from tests import factories
    from workflows import calendars, clock
    from workflows.models import StepRun
    from workflows.parties import Party

    calendars.seed()
    street = factories.make_street()
    estate = factories.make_estate(units=RESIDENTS, parent=street)
    office = factories.make_person("office", "office", community=street)
    party = Party("office", f"person:{office.pk}", office.pk)
    people = factories.make_members(factories.units_of(estate))
    sessions = []
    for person in people:
        store = SessionStore()
        store[SESSION_KEY] = str(person.pk)
        store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        store[HASH_SESSION_KEY] = person.get_session_auth_hash()
        store.create()
        sessions.append(str(store.session_key))
    now = clock.now()
    runs = []
    for number in range(CASES + TIMERS):
        clock.set_now(now - dt.timedelta(days=3))
        runs.append(_asking(OpenDay, estate.community, party, number))
        clock.set_now(None)
    timers = [run.pk for run in runs[CASES:]]
    for pk in timers:
        moment = now + dt.timedelta(seconds=random.uniform(5, max(6, seconds)))
        StepRun.objects.filter(pk=pk).update(ends_at=moment, scheduled=moment)
    cases = [(run.process.number, run.name) for run in runs[:CASES]]
    return Ground(cases, sessions, timers)


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


class Resident(threading.Thread):
    """Gives opinions, one after another; sends again whatever was not answered."""

    def __init__(self, city: City, ground: Ground, session: str, account: Account) -> None:
        super().__init__(daemon=True)
        self.city, self.ground, self.session, self.account = city, ground, session, account
        self.quiet = threading.Event()
        self.given_up = threading.Event()

    def run(self) -> None:
        """Until `quiet`: then the last one is still brought home."""
        while not self.quiet.wait(PACE):
            number, step = random.choice(self.ground.cases)
            key = secrets.token_hex(12)
            self.account.sent[key] = number
            while not self._sent(number, step, key) and not self.given_up.wait(0.3):
                pass

    def _sent(self, number: str, step: str, key: str) -> bool:
        """Whether it was answered."""
        self.account.tries += 1
        secret = "c" * 32
        body = urlencode({"text": f"建议第{key}处加装扶手。", "idempotency_key": key})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"sessionid={self.session}; csrftoken={secret}",
            "X-CSRFToken": secret,
        }
        link = http.client.HTTPConnection("127.0.0.1", random.choice(self.city.ports), timeout=20)
        try:
            link.request(
                "POST", f"/cases/{number}/do/{step}/opinion.submitted/", body.encode(), headers
            )
            answer = link.getresponse()
            page = answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            link.close()
        where = answer.getheader("Location") or ""
        if answer.status == 302 and "/done/" in where:
            self.account.accepted[key] = int(where.rstrip("/").rsplit("/", 1)[1])
            return True
        if answer.status in (429, 500, 502, 503, 504):
            return False
        self.account.faults.append(f"{answer.status} {where} {page[-200:]!r}")
        return True


def break_things(city: City, seconds: float, broken: Counter[str]) -> None:
    """Kill and start again, at random moments, for so long; in the middle Redis stays away."""
    until = time.monotonic() + seconds
    away_from, away_to = until - seconds * 0.6, until - seconds * 0.35
    names = [
        name
        for name in (*city.parts, "postgres")
        for _n in range(WANTED[name.rstrip("0123456789")])
    ]
    while (now := time.monotonic()) < until:
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
        time.sleep(random.uniform(0.5, 3.0))
    for part in city.parts.values():
        if not part.runs:
            part.start()


def count(city: City, ground: Ground, account: Account, patience: float) -> list[str]:
    """What is wrong, once nothing is broken any more; empty if nothing."""
    from django.db import connection

    from workflows import records
    from workflows.models import Case, Record, StepRun
    from workflows.records import log

    connection.close()
    wrong = list(account.faults[:20])
    found = dict(Record.objects.filter(act="opinion.submitted").values_list("key", "seq"))
    keys = {key.partition(":")[2]: seq for key, seq in found.items()}
    for key, seq in account.accepted.items():
        if keys.get(key) != seq:
            wrong.append(f"accepted as {seq}, found as {keys.get(key)}: {key}")
    total = Record.objects.filter(act="opinion.submitted").count()
    if total != len(found):
        wrong.append(f"{total} records of {len(found)} submissions")
    if unasked := set(keys) - set(account.sent):
        wrong.append(f"{len(unasked)} that nobody sent")
    if unanswered := set(account.sent) - set(account.accepted):
        wrong.append(f"{len(unanswered)} never answered, though sent until the end")
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
        city = City(options.home or Path(made), more={"SANWEN_DEMO": "1"})
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
            residents = [Resident(city, ground, s, account) for s in ground.sessions]
            for resident in residents:
                resident.start()
            say(
                f"{len(residents)} residents give opinions; "
                f"breaking things for {options.seconds:.0f} s"
            )
            break_things(city, options.seconds, broken)
            say("broken: " + ", ".join(f"{name} {n}" for name, n in sorted(broken.items())))
            for resident in residents:
                resident.quiet.set()
            city.wait()
            _home(residents, patience=60)
            say(
                f"{len(account.accepted)} accepted of {len(account.sent)} sent"
                f" in {account.tries} tries; counting"
            )
            wrong = count(city, ground, account, patience=60)
        finally:
            city.end()
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    say(
        json.dumps(
            {
                "seed": seed,
                "accepted": len(account.accepted),
                "broken": sum(broken.values()),
                "wrong": len(wrong),
            }
        )
    )
    return 1 if wrong or not account.accepted or not broken else 0


def _home(residents: list[Resident], patience: float) -> None:
    """Let every resident bring the last opinion home."""
    until = time.monotonic() + patience
    for resident in residents:
        resident.join(max(0.0, until - time.monotonic()))
        resident.given_up.set()


if __name__ == "__main__":
    raise SystemExit(main())
