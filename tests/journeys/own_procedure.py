"""The package of docs/write-a-procedure.md, walked by its people at their browsers.

Not collected with the others: `test_write_a_procedure` writes the package and runs this beside it.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from workflows import clock, records, sweep
from workflows.models import Case, Objection, Opinion, Record, StepRun
from workflows.records import log
from workflows.records.trail import seal

ROOT = Path(__file__).resolve().parents[2]
WISH = {
    "place": "东门北侧",
    "bays": "12",
    "reason": "人行道上轮椅过不去。",
    "contact": "13800000000",
}
LATER = {**WISH, "place": "西门南侧", "contact": "13800000001"}


@pytest.fixture(autouse=True)
def _a_demo(settings, tmp_path):
    """Trails are signed by a certificate made here."""
    settings.DEMO = True
    settings.SANWEN_TRAIL_DEMO = tmp_path / "trail"
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "log.key"
    seal.signer.cache_clear()
    yield
    seal.signer.cache_clear()


class Walk:
    """What the parts of the walk share."""

    def __init__(self, town, walker):
        self.town, self.walker = town, walker
        self.number = ""

    def do(self, step: str, act: str, query: str = "") -> str:
        return f"/cases/{self.number}/do/{step}/{act}/{query}"

    def staff(self, role: str):
        return self.walker(self.town.staff[role], width=1280)

    def run(self, step: str) -> StepRun:
        return StepRun.objects.get(process__number=self.number, name=step, finished=None)

    def due(self, step: str) -> None:
        """The clock moves past the term of a step, and fires it."""
        clock.set_now(self.run(step).ends_at + dt.timedelta(hours=9))
        assert sweep.sweep()

    def opinion(self, number: int, text: str) -> None:
        """A neighbour says something; the committee answers."""
        neighbour = self.walker(self.town.resident(number))
        neighbour.act(self.do("consult", "opinion.submitted"), {"text": text})
        said = Opinion.objects.get(life="submitted")
        reply = {"outcome": "adopted", "public_text": text, "reason": "已与单车企业商定。"}
        committee = self.staff("residents_committee")
        committee.go("/inbox/")
        committee.sees(self.number)
        committee.act(self.do("consult", "opinion.replied", f"?opinions={said.pk}"), reply)


def test_a_place_for_bicycles(town, walker, tmp_path):
    clock.set_now(dt.datetime(2026, 3, 3, 10, tzinfo=clock.SHANGHAI))
    walk = Walk(town, walker)

    # A resident applies, on the page of opening, on a phone without JavaScript.
    resident = walker(town.resident(0), javascript=False)
    resident.go("/procedures/bike-places/")
    resident.sees("征求意见", "7日", "选址公示", "5个工作日", "单车企业", "办法第四条")
    resident.page.get_by_role("link", name="申请", exact=True).click()
    resident.fill(WISH)
    resident.page.locator("main form.form .actions button").first.click()
    resident.page.wait_for_load_state()
    assert "/done/" in resident.page.url, resident.page.locator("main").inner_text()
    case = Case.objects.get()
    walk.number = case.number
    assert case.number == "BIKE-2026-0001"

    # Opinions; the telephone is the committee's alone.
    walk.opinion(1, "希望离窗户远一点。")
    committee = walk.staff("residents_committee")
    committee.go(f"/cases/{walk.number}/")
    committee.sees(WISH["contact"])
    reader = walker(None)
    for path in ("", "records/", "records.jsonl", f"steps/{walk.run('consult').pk}/"):
        answer = reader.page.request.get(f"{reader.address}/cases/{walk.number}/{path}")
        assert answer.ok
        assert WISH["contact"] not in answer.text()

    # The terms fire by the clock; an objection that is right sends it back.
    walk.due("consult")
    objector = walker(town.resident(2))
    objection = {"ground": "interest", "text": "挡住消防通道。"}
    objector.act(walk.do("publicity", "objection.raised"), objection)
    raised = Objection.objects.get()
    decision = {"decision": "upheld", "public_text": "挡住消防通道。", "reason": "核实属实。"}
    query = f"?objections={raised.pk}"
    committee.act(walk.do("publicity", "objection.decided", query), decision)
    walk.due("publicity")
    resident.act(walk.do("apply", "task.done"), LATER)

    # The second time nobody objects; three sign.
    walk.opinion(3, "西门更合适。")
    walk.due("consult")
    walk.due("publicity")
    for role in ("residents_committee", "owners_committee", "bike_company"):
        walk.staff(role).act(walk.do("sign", "panel.signed"), {"decision": "approve"})
    case.refresh_from_db()
    assert case.outcome == "agreed"
    assert records.first_fault(case) is None
    assert all(record.canonical.isascii() for record in Record.objects.all())

    # Everybody reads the result, in both languages, on any screen.
    for language, width, words in (
        ("zh-CN", 390, "已定的停放点"),
        ("en-GB", 1280, "Places agreed"),
    ):
        visitor = walker(None, language=language, width=width, javascript=False)
        visitor.go("/bike-places/")
        visitor.sees(words, LATER["place"], walk.number)
        visitor.go(f"/cases/{walk.number}/")
        visitor.sees(LATER["place"])
        seen = walker(None, language=language, width=width)
        for path in ("/bike-places/", "/procedures/bike-places/", f"/cases/{walk.number}/"):
            seen.go(path)
            seen.fits()
            found = Axe().run(seen.page, options={"resultTypes": ["violations"]})
            assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
            seen.picture(tmp_path / f"{language}{path.strip('/').replace('/', '-')}.png")

    # The trail, and its check without the site; the clock has brought the records into the log.
    while log.integrate():
        pass
    answer = reader.page.request.get(f"{reader.address}/cases/{walk.number}/trail.pdf")
    assert answer.ok, answer.status
    trail = tmp_path / "trail.pdf"
    trail.write_bytes(answer.body())
    code, said = verified(trail)
    assert code == 0, said
    changed = bytearray(answer.body())
    changed[len(changed) // 2] ^= 1
    trail.write_bytes(bytes(changed))
    code, said = verified(trail)
    assert code == 1, said


def verified(trail: Path) -> tuple[int, str]:
    """What `sanwen verify` ends with, and says."""
    key = str(log.signer().verifier)
    command = [sys.executable, "-m", "sanwen", "verify", str(trail), "--key", key]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr
