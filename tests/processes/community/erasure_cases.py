"""An estate whose first owner is erased: who they are, what cases hold of them."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from processes.community.erasure import eraser, subject_of
from processes.community.models import Owner, Ownership
from tests.factories import make_estate, make_member, make_person, make_street, units_of
from tests.sandbox.ballot_procedures import Vote
from tests.sandbox.opinion_procedures import Needs, photo
from workflows import acts, calendars, clock, erasing, sweep
from workflows.models import (
    Case,
    Opinion,
)
from workflows.parties import Party, directory

NAME, PHONE = "欧阳示范乙", "19900004321"
TEXT = f"我是{NAME},家里进水,电话{PHONE},独有的一句原话"
MASKED = "家里进水,独有的公开说法"
ROOM = "1号楼1单元101室"


@pytest.fixture
def place(settings: Any, tmp_path: Path) -> Any:
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    settings.MEDIA_ROOT = tmp_path / "media"
    directory.cache_clear()
    calendars.seed()
    clock.set_now(dt.datetime(2026, 6, 1, 9, tzinfo=clock.SHANGHAI))
    street = make_street()
    estate = make_estate(units=4, parent=street)
    yield Place(estate, street)
    directory.cache_clear()


class Place:
    """An estate of four units; the first one's owner is whom this is about."""

    def __init__(self, estate: Any, street: Any) -> None:
        self.estate, self.community = estate, estate.community
        self.units = units_of(estate)
        self.office = make_person("clerk", "office", community=street)
        self.committee = make_person("committee", "residents_committee", community=street)
        self.person = make_person("wanglaoshi", name=NAME)
        Owner.objects.filter(ownerships__unit=self.units[0]).update(name=NAME)
        make_member(self.units[0], self.person)
        self.others = [make_member(unit).person for unit in self.units[1:]]

    def staff(self, role: str) -> Party:
        person = self.office if role == "office" else self.committee
        return Party(role, f"person:{person.pk}", person.pk)

    def owner(self, number: int, role: str = "owner", **more: Any) -> Party:
        person = self.person if number == 0 else self.others[number - 1]
        return Party(role, f"household:{self.units[number].pk}", person.pk, **more)

    def consultation(self) -> Case:
        """The person says something with a photo; so does a neighbour; both are answered."""
        case = acts.open_case(Needs, self.community, self.staff("office"), title="问需")
        for number, text in ((0, TEXT), (1, "邻居的意见留着")):
            acts.perform(
                case,
                "ask",
                "opinion.submitted",
                self.owner(number, "household"),
                {"text": text},
                {"photos": [photo(77 + number)]},
            )
        mine, other = Opinion.objects.order_by("pk")
        for opinion, wording in ((mine, MASKED), (other, "邻居的公开说法")):
            acts.perform(
                case,
                "ask",
                "opinion.replied",
                self.staff("residents_committee"),
                {
                    "opinions": [opinion.pk],
                    "outcome": "adopted",
                    "public_text": wording,
                    "reason": "已列入本次改造的工程。",
                },
            )
        acts.perform(
            case,
            "ask",
            "household.visited",
            self.staff("residents_committee"),
            {"household": self.units[3].label, "result": "not_met", "on": "2026-06-01"},
        )
        return case

    def ballot(self) -> Case:
        """All four vote, and it is counted and confirmed."""
        case = acts.open_case(Vote, self.community, self.staff("office"), title="表决")
        call = {
            "questions": "是否改造",
            "matter": "ordinary",
            "reason": "属于其他重大事项",
            "opens_on": "2026-06-17",
        }
        chair = self.staff("residents_committee")
        acts.perform(case, "ballot", "ballot.called", chair, call)
        clock.set_now(dt.datetime(2026, 6, 17, 9, tzinfo=clock.SHANGHAI))
        sweep.sweep()
        for number, choice in enumerate(("for", "for", "for", "against")):
            acts.perform(case, "ballot", "vote.cast", self.owner(number), {"q1": choice})
        return case

    def confirm(self, case: Case) -> None:
        clock.set_now(dt.datetime(2026, 7, 9, 9, tzinfo=clock.SHANGHAI))
        sweep.sweep()
        chair = self.staff("residents_committee")
        acts.perform(case, "ballot", "result.confirmed", chair, {"reason": "询异期满无异议"})

    def moved_out(self) -> None:
        """Sold: another owns the unit now."""
        Ownership.objects.filter(unit=self.units[0]).delete()
        heir = Owner.objects.create(estate=self.estate, name="示范新主")
        Ownership.objects.create(unit=self.units[0], owner=heir)

    def erase(self, **more: Any) -> erasing.Report:
        subject = subject_of(self.person, self.units[0], **more)
        return erasing.carry_out(subject, "request", lambda case: eraser(self.office, case))


def dump() -> bytes:
    """All that the database holds: the files with their log, or every row of every table."""
    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"])
        files = [path, path.with_name(path.name + "-wal")]
        # By another process: to close such a file in this one would end SQLite's locks on it.
        there = [str(file) for file in files if file.exists()]
        return subprocess.run(["cat", *there], capture_output=True, check=True).stdout
    out = io.BytesIO()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            with cursor.copy(f'COPY "{table}" TO STDOUT') as rows:  # psycopg
                for row in rows:
                    out.write(bytes(row))
    return out.getvalue()


def on_disk(*folders: Path) -> bytes:
    """What lies in folders: contents and names."""
    found = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return b"".join(file.read_bytes() + file.name.encode() for file in found)


def forms_of(value: str) -> list[bytes]:
    """A value as it might stand in a row: plain, in JSON, or in a disclosure (base64)."""
    import base64

    plain = value.encode()
    escaped = value.encode("ascii", "backslashreplace")
    windows = [base64.urlsafe_b64encode(plain[at:])[4:-6] for at in range(3)]
    return [plain, escaped, *(window for window in windows if len(window) > 8)]
