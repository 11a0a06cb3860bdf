"""设计变更公示: a large change stands before the residents while the works go on."""

from __future__ import annotations

import pytest

from processes.renovation.cast import photo
from processes.renovation.story import Story
from tests.processes.renovation.test_desk import page
from workflows import acts, clock, sweep
from workflows.models import Case, LedgerEntry, StepRun

CHANGE = {
    "kind": "change",
    "text": "北侧道路改为透水铺装。",
    "reason": "雨季积水。",
    "yuan": "900000.00",
}


def change(story: Story, percent: int) -> LedgerEntry:
    """The office enters a change of that share of the contract."""
    data = {**CHANGE, "on": clock.today().isoformat(), "percent": percent}
    done = story.act("construction", "entry.added", "office", data)
    return entry_of(done)


def entry_of(told: acts.Done | LedgerEntry) -> LedgerEntry:
    """An entry as it now stands."""
    fact = told.fact if isinstance(told, acts.Done) else told
    assert fact is not None
    return LedgerEntry.objects.get(pk=fact.pk)


def post(story: Story, child: Case) -> StepRun:
    """The notice hangs in every stairwell."""
    run = StepRun.objects.get(process=child, name="publicity")
    places = list(run.postings.values_list("place", flat=True))
    photos = [photo(900 + number) for number, _place in enumerate(places)]
    story.act(
        "publicity",
        "notice.posted",
        "residents_committee",
        {"places": places},
        {"photos": photos},
        case=child,
    )
    run.refresh_from_db()
    return run


def test_the_works_go_on_while_a_large_change_is_publicised(place, told):
    story = told("construction")
    entry = change(story, 10)
    assert entry.state == "publicised"
    (child,) = Case.objects.filter(parent=story.run("construction"))
    assert entry.public["decided_in"] == child.number
    assert (child.procedure, child.title) == ("design_change", "示范小区改造·设计变更")
    story.progress(40)  # progress and a payment
    story.finding()  # found, fixed, checked
    with pytest.raises(acts.Refused, match="公示中"):
        story.act("construction", "ledger.closed", "office", {"reason": "工程完工。"})
    correct = {"entry": entry.pk, "reason": "金额有误。"}
    with pytest.raises(acts.Refused, match="公示结束后方可更正"):
        story.act("construction", "entry.corrected", "office", correct)

    run = post(story, child)
    assert run.term == "20d"
    office = place.client("office")
    shown = page(office, f"/cases/{child.number}/steps/{run.pk}/")
    assert CHANGE["text"] in shown
    ledger = f"/cases/{story.case.number}/steps/{story.run('construction').pk}/"
    assert child.number in page(office, ledger)
    story.wait_for("publicity", child)
    entry = entry_of(entry)
    child.refresh_from_db()
    assert (child.outcome, entry.state) == ("established", "established")
    record = story.case.records.get(act="child.closed", step="construction")
    assert record.body == {
        "kind": "change",
        "to": "established",
        "entry": entry.seq,
        "decided_in": child.number,
    }
    assert "变更成立" in page(office, ledger)
    story.progress(100)
    story.act("construction", "ledger.closed", "office", {"reason": "工程完工，均已复查。"})


def test_an_upheld_objection_means_that_there_is_no_change(place, told):
    story = told("construction")
    entry = change(story, 30)
    (child,) = Case.objects.filter(parent=story.run("construction"))
    run = post(story, child)
    objection = {"ground": "content", "text": "透水铺装影响消防车通行。"}
    acts.perform(child.pk, "publicity", "objection.raised", story.resident(1), objection)
    decided = {
        "objections": [run.objections.get().pk],
        "decision": "upheld",
        "public_text": "透水铺装影响消防车通行。",
        "reason": "经核查属实，不作变更。",
    }
    story.act("publicity", "objection.decided", "residents_committee", decided, case=child)
    story.wait_for("publicity", child)
    entry = entry_of(entry)
    assert entry.state == "not_established"
    assert story.run("construction").is_open


def test_a_small_change_is_entered_and_that_is_all(place, told):
    story = told("construction")
    entry = change(story, 9)
    assert entry.state == "decided"
    assert "decided_in" not in entry.public
    assert not Case.objects.filter(parent=story.run("construction")).exists()


def test_a_change_stands_still_with_the_works(place, told):
    story = told("construction")
    change(story, 10)
    (child,) = Case.objects.filter(parent=story.run("construction"))
    post(story, child)
    story.act("case", "case.suspended", "office", {"reason": "汛期暂停。"})
    story.wait(days=40)
    sweep.sweep()
    child.refresh_from_db()
    assert child.finished is None
    story.act("case", "case.resumed", "office", {"reason": "汛期已过。"})
    story.wait(days=30)
    child.refresh_from_db()
    assert child.outcome == "established"
