"""A ballot from its call to its confirmation: notice, roll, count, objections, result."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.sandbox.ballot_procedures import Assembly, Vote, Works
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, clock, records, sweep
from workflows.counting import RollUnit
from workflows.models import Case, Community, RollRow
from workflows.parties import Party

from .ballot_cases import (
    COMMITTEE,
    FIVE,
    OFFICE,
    _fresh,  # noqa: F401 - fixtures
    at,
    open_ballot,
    owner,
    refused,
    unit,
    vote,
    voting,
)


def close(case, *, confirm=True):
    clock.set_now(at(3, month=7))
    sweep.sweep()
    clock.set_now(at(9, month=7))
    sweep.sweep()
    if confirm:
        acts.perform(case, "ballot", "result.confirmed", COMMITTEE, {"reason": "询异期满无异议"})
    return Case.objects.get(pk=case.pk)


def test_a_ballot_from_notice_to_confirmation(client):
    case = voting(FIVE)
    for number in (1, 2, 3):
        vote(case, owner(number))
    vote(case, owner(4), "abstain", "against")
    closed = close(case)
    assert closed.outcome == "carried"
    assert records.first_fault(closed) is None
    tally = closed.records.get(act="result.confirmed").body["tallies"][0]
    assert tally["heads"] == {"for": 3, "against": 0, "abstain": 1}
    assert tally["lines"][0]["needed"] == 33334
    assert client.get(f"/cases/{case.number}/").status_code == 200


def test_notice_is_fifteen_full_days():
    with pytest.raises(acts.Refused) as refused:
        open_ballot(FIVE, opens=16)
    assert "opens_on" in refused.value.errors


def test_who_abstains_takes_part_and_two_thirds_must_take_part():
    case = voting(FIVE)
    for number in (1, 2, 3):
        vote(case, owner(number))
    assert close(case).outcome == "lost"  # 3 of 5 is below two thirds
    tally = case.records.get(act="result.confirmed").body["tallies"][0]
    assert tally["outcome"] == "no_quorum"


def test_lost_by_area_alone_while_heads_carry_then_carried_at_exactly_three_quarters():
    units = [unit(1, 30000), unit(2, 30000), unit(3, 15000), unit(4, 25000)]
    SandboxDirectory.rolls["owners"] = units
    special = {"matter": "special", "item": "raise_fund", "reason": "筹集维修资金"}
    case = open_ballot(units, **special)
    clock.set_now(at(17, hour=0))
    sweep.sweep()
    clock.set_now(at(18))
    vote(case, owner(1), "against")
    for number in (2, 3, 4):
        vote(case, owner(number))
    closed = close(case)
    lines = closed.records.get(act="result.confirmed").body["tallies"][0]["lines"]
    assert [(line["unit"], line["met"]) for line in lines if line["code"] == "for"] == [
        ("area", False),
        ("heads", True),
    ]
    assert closed.outcome == "lost"


def test_exactly_three_quarters_carries():
    units = [unit(n, 25000) for n in range(1, 5)]
    case = open_ballot(units, matter="special", item="rebuild", reason="改建附属设施")
    clock.set_now(at(17, hour=0))
    sweep.sweep()
    clock.set_now(at(18))
    vote(case, owner(1), "against")
    for number in (2, 3, 4):
        vote(case, owner(number))
    assert close(case).outcome == "carried"


def test_owner_of_several_units_is_one_head_and_the_developer_one():
    units = [
        unit(1, 10000, "owner:1"),
        unit(2, 12000, "owner:1"),
        unit(3, 9000, "owner:3", "owner:4"),
        unit(5, 8000, unsold=True),
        unit(6, 8000, unsold=True),
    ]
    voting(units)
    rows = list(RollRow.objects.values_list("heads", "area"))
    assert rows == [(1, 22000), (1, 9000), (1, 16000)]


def test_all_votes_in_closes_the_vote_early():
    case = voting(FIVE)
    for number in range(1, 6):
        vote(case, owner(number))
    assert case.runs.get(name="ballot").phase == "preliminary"


def test_an_upheld_objection_strikes_a_vote_and_counts_again():
    case = voting(FIVE)
    for number in range(1, 5):
        vote(case, owner(number))
    clock.set_now(at(3, month=7))
    sweep.sweep()
    clock.set_now(at(3, month=7, hour=10))
    acts.perform(case, "ballot", "result.objected", owner(5), {"text": "一号的票不是本人所投"})
    clock.set_now(at(9, month=7))
    sweep.sweep()
    assert case.runs.get(name="ballot").phase == "preliminary"
    acts.perform(
        case,
        "ballot",
        "vote.struck",
        COMMITTEE,
        {"row": "1号楼1单元1室", "reason": "经核实不是本人签名"},
    )
    objection = case.runs.get(name="ballot").result_objections.get()
    acts.perform(
        case,
        "ballot",
        "result.objection_decided",
        COMMITTEE,
        {
            "objections": [objection.pk],
            "decision": "upheld",
            "public_text": "有一张票不是本人所投",
            "reason": "核对签名后认定无效",
        },
    )
    acts.perform(case, "ballot", "result.confirmed", COMMITTEE, {"reason": "核查完毕"})
    assert Case.objects.get(pk=case.pk).outcome == "lost"  # three of five take part


def test_a_notice_that_stood_still_hangs_as_many_days_more():
    """Suspended from 5 to 8 June: four days do not count, 25 June becomes 29 June."""
    case = open_ballot(FIVE, opens=25)
    clock.set_now(at(5))
    acts.perform(case, "case", "case.suspended", OFFICE, {"reason": "汛期"})
    clock.set_now(at(8))
    acts.perform(case, "case", "case.resumed", OFFICE, {"reason": "汛期已过"})
    run = case.runs.get(name="ballot")
    assert run.data["opens_on"] == "2026-06-29"
    assert run.ends_on == dt.date(2026, 6, 28)
    clock.set_now(at(28, hour=23))
    assert sweep.sweep() == 0
    clock.set_now(at(29, hour=0))
    assert sweep.sweep() == 1
    assert case.runs.get(name="ballot").phase == "voting"


@pytest.mark.parametrize(
    ("votes", "outcome"),
    [
        (["for"] * 4 + ["against"] * 2, "carried"),
        (["for"] * 3 + ["against"] * 3, "lost"),
        (["for"] * 3, "no_quorum"),
    ],
)
def test_members_of_a_collective_decide_by_their_own_rule(votes, outcome, client):
    """Two thirds of all six members, whoever came; heads alone, no areas."""
    members = [RollUnit(f"m:{n}", f"成员{n}", "成员*", may_vote_via=(f"m:{n}",)) for n in range(6)]
    SandboxDirectory.rolls["members"] = members
    village = Community.objects.create(code="village", name="示范村", kind="village")
    case = acts.open_case(Assembly, village, OFFICE, title="收益分配")
    data = {"questions": "是否分配", "reason": "成员大会职权。", "opens_on": "2026-06-12"}
    acts.perform(case, "ballot", "ballot.called", OFFICE, data)
    clock.set_now(at(12, hour=0))
    sweep.sweep()
    for number, choice in enumerate(votes):
        acts.perform(case, "ballot", "vote.cast", Party("member", f"m:{number}"), {"q1": choice})
    while case.runs.get(name="ballot").phase != "confirm":
        clock.set_now(case.runs.get(name="ballot").scheduled)
        sweep.sweep()
    page = client.get(f"/cases/{case.number}/steps/{case.runs.get(name='ballot').pk}/")
    assert "农村集体经济组织法" in page.content.decode()
    assert "平方米" not in page.content.decode()
    acts.perform(case, "ballot", "result.confirmed", OFFICE, {"reason": "询异期满无异议"})
    assert Case.objects.get(pk=case.pk).outcome == {"no_quorum": "again"}.get(outcome, outcome)
    (tally,) = case.records.get(act="result.confirmed").body["tallies"]
    assert (tally["rule"], tally["rule_from"]) == ("members", "2025-05-01")
    assert {line["unit"] for line in tally["lines"]} == {"heads"}


def test_a_change_of_the_roll_after_the_opening_changes_no_ballot():
    case = voting(FIVE)
    SandboxDirectory.rolls["owners"] = [unit(n, 99999) for n in range(1, 11)]
    assert refused(case, "vote.cast", owner(6), {"q1": "for", "q2": "for"}) == "wrong_party"
    for number in range(1, 6):
        vote(case, owner(number))
    tally = case.runs.get(name="ballot").questions.first().tally
    assert (tally["heads"]["for"], tally["area"]["for"]) == (5, 50000)


@pytest.mark.parametrize(
    "call",
    [
        {"questions": ""},
        {"questions": "甲\n甲"},
        {"questions": "\n".join(str(n) * 3 for n in range(11))},
        {"questions": "长" * 301},
        {"matter": "special"},
        {"matter": "other"},
        {"reason": ""},
        {"reason": "无"},
        {"opens_on": ""},
        {"opens_on": "2026-06-31"},
        {"opens_on": "2028-06-30"},
    ],
)
def test_a_call_with_a_fault_is_refused(call):
    with pytest.raises(acts.Refused) as refused:
        open_ballot(FIVE, **call)
    assert refused.value.code == "invalid"


def test_an_empty_or_faulty_roll_cannot_be_called():
    for units in ([], [unit(1, 0)]):
        Community.objects.all().delete() if not Case.objects.exists() else None
        SandboxDirectory.rolls["owners"] = units
        estate, _made = Community.objects.get_or_create(
            code="demo", defaults={"name": "示范小区", "kind": "estate"}
        )
        case = acts.open_case(Vote, estate, OFFICE, title="表决")
        with pytest.raises(acts.Refused) as refused:
            acts.perform(
                case,
                "ballot",
                "ballot.called",
                COMMITTEE,
                {
                    "questions": "甲事",
                    "matter": "ordinary",
                    "reason": "属于其他重大事项",
                    "opens_on": "2026-06-20",
                },
            )
        assert refused.value.code == "unmet"


def test_children_are_opened_and_the_parent_goes_on_when_all_have_ended_well():
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    parent = acts.open_case(Works, estate, OFFICE, title="工程")
    first, second = Case.objects.filter(parent__process=parent).order_by("pk")
    acts.perform(first, "decide", "task.done", OFFICE, {"note": "可", "chosen": "yes"})
    acts.perform(second, "decide", "task.done", OFFICE, {"note": "可", "chosen": "no"})
    parent = Case.objects.get(pk=parent.pk)
    assert parent.finished is None
    with pytest.raises(acts.Refused):
        acts.perform(parent, "tender", "lot.reopened", OFFICE, {"lot": "a", "reason": "无"})
    acts.perform(parent, "tender", "lot.reopened", OFFICE, {"lot": "b", "reason": "流标后重来"})
    third = Case.objects.filter(parent__process=parent).latest("pk")
    acts.perform(third, "decide", "task.done", OFFICE, {"note": "可", "chosen": "yes"})
    parent = Case.objects.get(pk=parent.pk)
    assert parent.outcome == "finished"
    for case in Case.objects.all():
        assert records.first_fault(case) is None


# --- a roll that has become faulty --------------------------------------------------------------


def test_a_roll_that_became_faulty_is_said_and_opened_once_it_is_in_order(client):
    case = open_ballot([unit(1, 5000), unit(2, 5000)])
    broken = RollUnit("unit:3", "1号楼1单元3室", "1号楼1单元***室", 0, ("owner:3",))
    SandboxDirectory.rolls["owners"] = [unit(1, 5000), unit(2, 5000), broken]
    assert refused(case, "ballot.opened", COMMITTEE, {}) == "early"
    clock.set_now(at(17, hour=0))
    assert sweep.sweep() == 1
    assert sweep.sweep() == 0  # it is said once, not tried again and again
    run = case.runs.get(name="ballot")
    assert (run.phase, run.scheduled) == ("noticed", None)
    assert run.overdue_at is not None
    assert case.records.filter(act="term.ended").count() == 1
    (lacks,) = run.step.unmet(run)
    assert "1户没有面积" in str(lacks)
    assert "3室" not in str(lacks)  # everybody may read it
    assert run.step.waiting(run, {"residents_committee"})
    assert not run.step.waiting(run, {"owner"})
    assert run.step.desk(run)["faulty"] == [("1号楼1单元3室", "没有面积")]
    page = client.get(f"/cases/{case.number}/steps/{run.pk}/").content.decode()
    assert "1户没有面积" in page
    assert "1号楼1单元3室" not in page
    assert refused(case, "ballot.opened", COMMITTEE, {}) == "unmet"
    assert run.step.offered(run.step.acts["ballot.opened"], run)

    clock.set_now(at(20))
    SandboxDirectory.rolls["owners"] = [unit(1, 5000), unit(2, 5000), unit(3, 4000)]
    assert "可以开始投票" in str(run.step.unmet(run)[0])
    done = acts.perform(case, "ballot", "ballot.opened", COMMITTEE)
    assert done.record.body["phase"] == "voting"
    assert done.record.body["roll"]["heads"] == 3
    run.refresh_from_db()
    assert (run.phase, run.overdue_at) == ("voting", None)
    assert (run.starts_on, run.ends_on) == (dt.date(2026, 6, 20), dt.date(2026, 7, 6))
    assert refused(case, "ballot.opened", COMMITTEE, {}) == "late"
    vote(case, owner(3))


def test_a_roll_that_has_become_empty_opens_no_vote():
    case = open_ballot([unit(1, 5000)])
    SandboxDirectory.rolls["owners"] = []
    clock.set_now(at(17, hour=0))
    sweep.sweep()
    run = case.runs.get(name="ballot")
    assert run.phase == "noticed"
    assert "名册是空的" in str(run.step.unmet(run)[0])
    assert run.step.desk(run)["faulty"] == []


@pytest.mark.parametrize("phase", ["voting", "preliminary"])
def test_the_page_of_a_ballot_costs_the_same_with_many_voters(client, django_user_model, phase):
    client.force_login(django_user_model.objects.get(pk=9))
    case = voting([unit(number, 5000) for number in range(1, 9)])
    run = case.runs.get(name="ballot")
    path = f"/cases/{case.number}/steps/{run.pk}/"

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        return len(queries)

    vote(case, owner(1))
    if phase == "preliminary":
        clock.set_now(at(3, month=7))
        assert sweep.sweep() == 1
        object_to = {"text": "计票与我家所投的不一致。"}
        acts.perform(case, "ballot", "result.objected", owner(1), object_to)
    before = asked()
    if phase == "preliminary":
        for number in range(2, 8):
            acts.perform(case, "ballot", "result.objected", owner(number), object_to)
    else:
        for number in range(2, 8):
            vote(case, owner(number))
    assert asked() <= before
