"""What those who handle a renovation see and may do: seats, inbox, lists to work through."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from workflows import acts, clock
from workflows.models import HouseholdReturn, LedgerEntry

APPROVE = {
    "decision": "approve",
    "score_faults": 25,
    "score_will": 25,
    "score_pledge": 14,
    "score_upkeep": 15,
}


def page(client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def test_a_reviewer_signs_for_their_own_seat_alone(place, told):
    story = told("joint_review")
    other = {**APPROVE, "seat": "finance"}
    housing = place.cast.party("reviewer", "housing")
    done = acts.perform(story.case.pk, "joint_review", "panel.signed", housing, other)
    assert done.record.body["seat"] == "housing"


def test_a_seat_that_one_does_not_hold_is_refused(place, told):
    story = told("joint_review")
    pretender = replace(place.cast.party("reviewer", "housing"), seat="finance")
    for party in (pretender, replace(pretender, seat="")):
        with pytest.raises(acts.Refused) as refused:
            acts.perform(
                story.case.pk, "joint_review", "panel.signed", party, {**APPROVE, "seat": "finance"}
            )
        assert refused.value.code == "wrong_party"


def test_who_has_signed_may_correct_and_has_nothing_waiting(place, told):
    story = told("joint_review")
    client = place.client("housing")
    do = f"/cases/{story.case.number}/do/joint_review"
    assert "联合审查" in page(client, "/inbox/")
    assert client.post(f"{do}/panel.signed/", APPROVE).status_code == 302
    assert "联合审查" not in page(client, "/inbox/")
    shown = page(client, f"/cases/{story.case.number}/")
    assert f"{do}/panel.signed/" not in shown
    assert f"{do}/panel.resigned/" in shown
    assert f"{do}/panel.signed/" in page(place.client("planning"), f"/cases/{story.case.number}/")


def test_the_inbox_says_what_waits_and_until_when(place, told):
    story = told("design_publicity")
    story.post("design_publicity")
    committee = place.client("residents_committee")
    assert "设计方案公示" not in page(committee, "/inbox/")
    acts.perform(
        story.case.pk,
        "design_publicity",
        "objection.raised",
        story.resident(1),
        {"ground": "content", "text": "车棚挡住消防登高场地。"},
    )
    due = story.run("design_publicity").step.next_due(story.run("design_publicity"))
    rows = committee.get("/inbox/").context["rows"]
    row = next(row for row in rows if "1件异议待核查" in row["note"])
    assert row["ends"] == due < story.run("design_publicity").ends_on
    clock.set_now(clock.now() + dt.timedelta(days=12))
    row = committee.get("/inbox/").context["rows"][0]
    assert (row["state"], row["ends"]) == ("overdue", due)


def test_households_to_visit_are_listed_and_found(place, told):
    story = told("ask_needs")
    committee = place.client("residents_committee")
    path = f"/cases/{story.case.number}/steps/{story.run('ask_needs').pk}/"
    first = story.households[0]
    assert committee.get(path).context["desk"]["to_visit_count"] == 8
    found = committee.get(path, {"find": first.label}).context["desk"]["to_visit"]
    assert [row["label"] for row in found] == [first.label]
    form = page(
        committee,
        f"/cases/{story.case.number}/do/ask_needs/household.visited/?household={first.key}",
    )
    assert f'value="{first.label}"' in form
    HouseholdReturn.objects.filter(party_key=first.key).update(life="refused")
    assert committee.get(path).context["desk"]["to_visit_count"] == 7
    assert first.label not in page(place.client("designer"), path)


def paying(told):
    story = told("contributions")
    story.act("contributions", "dues.set", "residents_committee", {"amount": "500.00"})
    return story


def test_a_payment_is_found_by_room_registered_and_put_right(place, told):
    story = paying(told)
    committee = place.client("residents_committee")
    number, run = story.case.number, story.run("contributions")
    path = f"/cases/{number}/steps/{run.pk}/"
    entry = LedgerEntry.objects.order_by("pk").first()
    room = entry.private["unit"]
    found = committee.get(path, {"find": room}).context["desk"]
    assert ([item["row"].pk for item in found["waiting"]], found["count"]) == ([entry.pk], 1)
    move = f"/cases/{number}/do/contributions/entry.moved/"
    assert room in page(committee, f"{move}?entry={entry.pk}&to=paid")
    paid = {"entry": entry.pk, "to": "paid", "on": clock.today().isoformat(), "receipt": "S1"}
    assert committee.post(move, paid).status_code == 302
    assert f"entry.corrected/?entry={entry.pk}" in page(committee, path)
    assert "entry.corrected" not in page(place.client("contractor"), path)

    wrong = {"entry": entry.pk, "reason": "登记到了别的户。"}
    correct = f"/cases/{number}/do/contributions/entry.corrected/"
    assert committee.post(correct, wrong).status_code == 302
    again = LedgerEntry.objects.get(subject_key=entry.subject_key, standing="stands")
    assert (again.state, again.amount, again.seq) == ("due", 50_000, None)
    assert (
        "未到账"
        in committee.post(
            f"/cases/{number}/do/contributions/ledger.closed/", {"reason": "试行结清。"}
        ).content.decode()
    )


def test_only_those_moves_are_offered_that_one_may_make(place, told):
    story = told("construction")
    story.finding(through=False)
    path = f"/cases/{story.case.number}/steps/{story.run('construction').pk}/"
    assert "to=fixed" in page(place.client("contractor"), path)
    assert "to=fixed" not in page(place.client("office"), path)
    assert "1项“待整改”" in page(place.client("contractor"), "/inbox/")
    assert "待整改" not in page(place.client("office"), "/inbox/")
    assert "安全：" in page(place.client("office"), path)


def test_papers_to_judge_say_words_not_codes(place, told):
    story = told("joint_review")
    path = f"/cases/{story.case.number}/do/joint_review/panel.signed/"
    shown = page(place.client("housing"), path)
    assert "residents_committee" not in shown
    assert "不合格情况" not in shown
    record = story.case.records.get(act="task.done", step="apply")
    assert (
        "residents_committee"
        not in page(
            place.client("auditor"), f"/cases/{story.case.number}/records/{record.seq}/"
        ).split("<pre")[0]
    )
