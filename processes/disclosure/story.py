"""An application walked from outside, act by act: for the demo and for tests of whole cases."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from workflows import acts, clock, story
from workflows.models import Community, LedgerEntry
from workflows.parties import Party

from .replies import CheckForm

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
WISH = "示范路雨污分流工程的中标通知书和施工合同（2025年）"


def paper(name: str = "paper") -> SimpleUploadedFile:
    """A small PDF."""
    return SimpleUploadedFile(f"{name}.pdf", PDF)


@dataclass(frozen=True)
class Cast:
    """Who acts: accounts by role."""

    applicant: int
    office: int
    office_head: int
    checker: int

    def party(self, role: str) -> Party:
        """The party of a role."""
        account = getattr(self, role)
        return Party(role, f"person:{account}", account, everyone=role == "applicant")


class Story(story.Story):
    """One application on its way."""

    def __init__(
        self,
        street: Community,
        cast: Cast,
        start: dt.datetime,
        *,
        channel: str = "web",
        demo: bool = True,
        **said: Any,
    ) -> None:
        self.cast = cast
        told = {
            "kind": "person",
            "name": "王示范",
            "contact": "示范路1号，电话13800000000",
            "description": WISH,
            "form": "electronic",
            "way": "web",
            **said,
        }
        files = {"identity": paper("identity")}
        party = cast.party("applicant")
        if channel != "web":
            told |= {
                "channel": channel,
                "handed_in": start.date().isoformat(),
                "identity_checked": "on",
                "way": "mail",
            }
            files, party = {}, cast.party("office")
        super().__init__("disclosure", street, party, start, first=told, files=files, demo=demo)

    # --- moving about
    def do(
        self, step: str, data: dict | None = None, files: dict | None = None, role: str = "office"
    ) -> acts.Done:
        """Do a task."""
        return self.act(step, "task.done", data, files, role)

    def act(
        self,
        step: str,
        name: str,
        data: dict | None = None,
        files: dict | None = None,
        role: str = "office",
    ) -> acts.Done:
        """One act by the party of a role."""
        party = self.cast.party(role)
        return self.perform(step, name, party, data, files)

    def on(self, day: str, hour: int = 10) -> Story:
        """Let time pass until a day (ISO)."""
        moment = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(hour), clock.SHANGHAI)
        clock.advance_to(moment)
        return self.sweep()

    # --- what happens
    def receive(self, **days: str) -> Story:
        """Confirmed today."""
        self.do("receive", days or {"confirmed_on": clock.today().isoformat()})
        return self

    def clear(self) -> Story:
        """It is clear what is asked for."""
        self.do("examine", {"chosen": "clear"})
        return self

    def unclear(self, days: int = 15) -> Story:
        """It is not; a correction is asked for."""
        told = {"chosen": "unclear", "days": days, "asked_for": "请写明工程的名称和年份。"}
        self.do("examine", told)
        return self

    def correct(self) -> Story:
        """The applicant corrects."""
        self.do("complete", {"description": WISH}, role="applicant")
        return self

    def handle(self, chosen: str = "decide") -> Story:
        """What is found, and how it goes on."""
        self.do("handle", {"chosen": chosen, "note": "已检索本机关档案。"})
        return self

    def send_letter(self, name: str = "示范建设公司", kind: str = "letter") -> LedgerEntry:
        """A letter goes out, to a third party most often, and arrives the same day."""
        today = clock.today().isoformat()
        told = {"kind": kind, "on": today, "name": name}
        self.act("consult", "entry.added", {**told, "text": "是否同意公开施工合同。"})
        letter = LedgerEntry.objects.filter(case=self.case).latest("pk")
        self.move(letter, "reached", on=today)
        return letter

    def move(self, letter: LedgerEntry, to: str, **data: str) -> None:
        """One step in the life of a letter."""
        self.act("consult", "entry.moved", {"entry": letter.pk, "to": to, **data})

    def answer(self, letter: LedgerEntry, to: str = "objected") -> Story:
        """The third party answers today."""
        today = clock.today().isoformat()
        self.move(letter, to, on=today, text="合同单价属于商业秘密，其余同意公开。")
        return self

    def consulted(self) -> Story:
        """All answers are in."""
        self.act("consult", "ledger.closed", {"reason": "意见已征求完毕。"})
        return self

    def extend(self, days: int = 20) -> Story:
        """The head approves, the applicant is told."""
        self.handle("extend")
        told = {"chosen": "approved", "days": days, "reason": "review"}
        self.do("extend", told, role="office_head")
        self.do("notify", {"on": clock.today().isoformat(), "way": "web"})
        return self

    def decide(self, outcome: str = "granted", ground: str = "", **more: Any) -> Story:
        """A draft."""
        self.do(
            "decide",
            {
                "outcome_code": outcome,
                "ground": ground,
                "topic": "示范路雨污分流工程中标通知书、施工合同",
                "text": "您申请公开的信息现予提供，见附件。",
                **more,
            },
            {"materials": paper("contract")},
        )
        return self

    def check(self) -> Story:
        """The second person approves."""
        self.do("check", {"chosen": "approved", "checks": list(CheckForm.CHECKS)}, role="checker")
        return self

    def deliver(self) -> Story:
        """The reply goes out today."""
        self.do("deliver", {"on": clock.today().isoformat(), "way": "web"})
        return self
