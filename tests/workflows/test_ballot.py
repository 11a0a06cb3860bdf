"""Ballots: notice, frozen roll, votes on paper and online, a count that stands open."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.sandbox.ballot_procedures import Assembly, Vote, Works
from tests.sandbox.directory import SandboxDirectory
from workflows import acts, calendars, clock, records, sweep
from workflows.counting import RollUnit
from workflows.models import BallotPaper, Case, Community, RollRow
from workflows.parties import Member, Party

COMMITTEE = Party("residents_committee", "person:1", 1)
OFFICE = Party("office", "person:9", 9)


def at(day: int, month: int = 6, hour: int = 9) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, tzinfo=clock.SHANGHAI)


def unit(number: int, area: int, *owners: str, unsold: bool = False) -> RollUnit:
    return RollUnit(
        f"unit:{number}",
        f"1号楼1单元{number}室",
        "1号楼1单元***室",
        area,
        owners or (f"owner:{number}",),
        developer_unsold=unsold,
        may_vote_via=() if unsold else (f"household:{number}",),
    )


def owner(number: int, **kwargs) -> Party:
    return Party("owner", f"household:{number}", 100 + number, **kwargs)


def paper(number: int) -> Party:
    return Party("owner", f"household:{number}", 1, via="paper")


@pytest.fixture(autouse=True)
def _fresh(db, django_user_model):
    calendars.seed()
    SandboxDirectory.reset()
    for pk in (1, 9, *range(101, 112)):
        django_user_model.objects.create(pk=pk, username=f"u{pk}")
    with clock.at(at(1)):
        yield


def open_ballot(units, opens=17, **call):
    SandboxDirectory.rolls["owners"] = units
    SandboxDirectory.groups["households"] = [
        Member(f"household:{n}", f"1号楼1单元{n}室", "1号楼1单元***室") for n in range(1, 12)
    ]
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Vote, estate, OFFICE, title="表决")
    data = {
        "questions": "是否改造\n由谁出资",
        "matter": "ordinary",
        "reason": "属于其他重大事项",
        "opens_on": f"2026-06-{opens:02d}",
        **call,
    }
    acts.perform(case, "ballot", "ballot.called", COMMITTEE, data)
    return case


def vote(case, party, choice="for", second="for", **more):
    return acts.perform(case, "ballot", "vote.cast", party, {"q1": choice, "q2": second, **more})


def voting(units):
    case = open_ballot(units)
    clock.set_now(at(17, hour=0))
    assert sweep.sweep() == 1
    clock.set_now(at(18))
    return case


def close(case, *, confirm=True):
    clock.set_now(at(3, month=7))
    sweep.sweep()
    clock.set_now(at(9, month=7))
    sweep.sweep()
    if confirm:
        acts.perform(case, "ballot", "result.confirmed", COMMITTEE, {"reason": "询异期满无异议"})
    return Case.objects.get(pk=case.pk)


FIVE = [unit(n, 10000) for n in range(1, 6)]


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


def test_the_last_online_vote_counts_and_every_change_is_a_record():
    case = voting(FIVE)
    first = vote(case, owner(1), "against")
    again = vote(case, owner(1), "for")
    assert again.record.body["replaces"] == first.record.seq
    assert BallotPaper.objects.get(standing=True).choices["1"] == "for"


def test_the_form_says_whether_a_vote_changes_an_earlier_one():
    case = voting(FIVE)

    def advice(number):
        run = case.runs.get(name="ballot")
        run.process = case
        spec = run.step.acts["vote.cast"]
        doing = acts.Act(case, run, spec, owner(number), clock.now(), payload={})
        return str(run.step.form_for(spec, doing)(act=doing).advice)

    assert "每户一票" in advice(1)
    vote(case, owner(1))
    vote(case, paper(2), serial="A1")
    assert "以这一次为准" in advice(1)
    assert "纸质票" in advice(2)


def test_a_paper_vote_stands_until_withdrawn_in_writing(settings):
    from django.core.files.uploadedfile import SimpleUploadedFile

    case = voting(FIVE)
    vote(case, owner(1), "against")
    vote(case, paper(1), "for", serial="A-1")
    with pytest.raises(acts.Refused) as refused:
        vote(case, owner(1), "against")
    assert refused.value.code == "duplicate"
    letter = SimpleUploadedFile("x.pdf", b"%PDF-1.4\n%%EOF\n")
    acts.perform(
        case, "ballot", "vote.withdrawn", COMMITTEE, {"row": "1号楼1单元1室"}, {"letter": letter}
    )
    vote(case, owner(1), "against")
    assert BallotPaper.objects.get(standing=True).choices["1"] == "against"


def test_what_was_chosen_is_in_no_record():
    case = voting(FIVE)
    done = vote(case, owner(1), "against")
    assert "against" not in done.record.canonical
    assert len(done.record.content["_sd"]) == 1


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


def refused(case, act, party, data=None, files=None) -> str:
    before = BallotPaper.objects.count(), case.records.count()
    with pytest.raises(acts.Refused) as found:
        acts.perform(case, "ballot", act, party, data or {}, files or {})
    assert (BallotPaper.objects.count(), case.records.count()) == before
    return found.value.code


def letter():
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile("x.pdf", b"%PDF-1.4\n%%EOF\n")


ROOM = "1号楼1单元{}室"
BAD_PROXIES = [
    ("unknown row", {"row": ROOM.format(99), "proxy": ROOM.format(1)}, True, "invalid"),
    ("no row", {"row": "", "proxy": ROOM.format(1)}, True, "invalid"),
    ("unknown proxy", {"row": ROOM.format(2), "proxy": ROOM.format(99)}, True, "invalid"),
    ("no proxy", {"row": ROOM.format(2), "proxy": ""}, True, "invalid"),
    ("no mandate", {"row": ROOM.format(2), "proxy": ROOM.format(1)}, False, "invalid"),
    ("its own vote", {"row": ROOM.format(2), "proxy": ROOM.format(2)}, True, "duplicate"),
]


@pytest.mark.parametrize(
    ("data", "with_letter", "code"),
    [row[1:] for row in BAD_PROXIES],
    ids=[r[0] for r in BAD_PROXIES],
)
def test_a_mandate_with_a_fault_is_refused(data, with_letter, code):
    case = voting(FIVE)
    files = {"mandate": letter()} if with_letter else {}
    assert refused(case, "proxy.registered", COMMITTEE, data, files) == code


def test_mandates_and_withdrawals_in_the_wrong_moment_or_hand():
    case = open_ballot(FIVE)
    mandate = {"row": ROOM.format(2), "proxy": ROOM.format(1)}
    assert refused(case, "proxy.registered", COMMITTEE, mandate, {"mandate": letter()}) == "invalid"
    clock.set_now(at(17, hour=0))
    sweep.sweep()
    assert refused(case, "proxy.registered", owner(1), mandate, {"mandate": letter()}) == (
        "wrong_party"
    )
    acts.perform(case, "ballot", "proxy.registered", COMMITTEE, mandate, {"mandate": letter()})
    assert refused(case, "proxy.registered", COMMITTEE, mandate, {"mandate": letter()}) == (
        "duplicate"
    )
    # Who votes for two says for which; a row of others is no choice.
    other = str(RollRow.objects.get(key="owner:4").pk)
    for row in ("", other, "0", "x"):
        data = {"q1": "for", "q2": "for", "row": row}
        assert refused(case, "vote.cast", owner(1), data) == "invalid"
    # Nothing to withdraw: no vote at all, then one that was given online.
    back = {"row": ROOM.format(3)}
    assert refused(case, "vote.withdrawn", COMMITTEE, back, {"letter": letter()}) == "invalid"
    vote(case, owner(3))
    assert refused(case, "vote.withdrawn", COMMITTEE, back, {"letter": letter()}) == "invalid"
    assert refused(case, "vote.withdrawn", owner(3), back, {"letter": letter()}) == "wrong_party"
    assert refused(case, "vote.withdrawn", COMMITTEE, back) == "invalid"


def test_a_paper_number_counts_once_and_a_vote_is_struck_only_after_the_count():
    case = voting(FIVE)
    vote(case, paper(1), serial="A-1")
    data = {"q1": "for", "q2": "for", "serial": "A-1"}
    assert refused(case, "vote.cast", paper(2), data) == "duplicate"
    assert refused(case, "vote.cast", paper(1), {**data, "serial": "A-2"}) == "duplicate"
    strike = {"row": ROOM.format(1), "reason": "签名不符"}
    assert refused(case, "vote.struck", COMMITTEE, strike) == "early"
    assert refused(case, "result.confirmed", COMMITTEE, {"reason": "提前公布"}) == "early"
    assert refused(case, "result.objected", owner(2), {"text": "尚未计票"}) == "early"
    assert refused(case, "ballot.called", COMMITTEE, {"questions": "再加一项"}) in (
        "invalid",
        "late",
    )
    clock.set_now(at(3, month=7))
    sweep.sweep()
    assert refused(case, "vote.cast", owner(2), {"q1": "for", "q2": "for"}) == "late"
    assert refused(case, "vote.struck", owner(2), strike) == "wrong_party"
    mandate = {"row": ROOM.format(4), "proxy": ROOM.format(5)}
    assert refused(case, "proxy.registered", COMMITTEE, mandate, {"mandate": letter()}) == "late"
    strike["row"] = ROOM.format(4)  # has not voted
    assert refused(case, "vote.struck", COMMITTEE, strike) == "invalid"
    objection = {"text": "一号的票不是本人所投"}
    acts.perform(case, "ballot", "result.objected", owner(5), objection)
    assert refused(case, "result.objected", owner(5), objection) == "duplicate"
    clock.set_now(at(9, month=7))
    sweep.sweep()
    assert refused(case, "result.confirmed", COMMITTEE, {"reason": "尚有异议"}) in (
        "unmet",
        "early",
    )


def test_a_change_of_the_roll_after_the_opening_changes_no_ballot():
    case = voting(FIVE)
    SandboxDirectory.rolls["owners"] = [unit(n, 99999) for n in range(1, 11)]
    assert refused(case, "vote.cast", owner(6), {"q1": "for", "q2": "for"}) == "wrong_party"
    for number in range(1, 6):
        vote(case, owner(number))
    tally = case.runs.get(name="ballot").questions.first().tally
    assert (tally["heads"]["for"], tally["area"]["for"]) == (5, 50000)


BAD_VOTES = [
    (owner(1), {}, "invalid"),
    (owner(1), {"q1": "FOR", "q2": "for"}, "invalid"),
    (owner(1), {"q1": "for", "q3": "for"}, "invalid"),
    (owner(1), {"q1": "同意", "q2": "同意"}, "invalid"),
    (paper(11), {"q1": "for", "q2": "for", "serial": "B-1"}, "wrong_party"),
    (Party("owner", "household:1' OR 1=1", 101), {"q1": "for", "q2": "for"}, "wrong_party"),
    (owner(1), {"q1": "for"}, "invalid"),
    (owner(1), {"q1": "yes", "q2": "for"}, "invalid"),
    (owner(1), {"q1": "for", "q2": ""}, "invalid"),
    (owner(11), {"q1": "for", "q2": "for"}, "wrong_party"),
    (Party("household", "household:1", 101), {"q1": "for", "q2": "for"}, "wrong_party"),
    (COMMITTEE, {"q1": "for", "q2": "for"}, "wrong_party"),
    (paper(1), {"q1": "for", "q2": "for"}, "invalid"),
    (paper(1), {"q1": "for", "q2": "for", "serial": "x" * 21}, "invalid"),
    (Party.clock(), {"q1": "for", "q2": "for"}, "wrong_party"),
]


@pytest.mark.parametrize(("party", "data", "code"), BAD_VOTES)
def test_a_bad_vote_is_refused_and_changes_nothing(party, data, code):
    case = voting(FIVE)
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, "ballot", "vote.cast", party, data)
    assert refused.value.code == code
    assert not BallotPaper.objects.exists()


def test_before_the_opening_and_after_the_close_no_vote_is_taken():
    case = open_ballot(FIVE)
    with pytest.raises(acts.Refused) as early:
        vote(case, owner(1))
    assert early.value.code == "early"
    clock.set_now(at(17, hour=0))
    sweep.sweep()
    clock.set_now(at(3, month=7, hour=0))
    with pytest.raises(acts.Refused) as late:
        vote(case, owner(1))
    assert late.value.code == "late"


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


def test_a_proxy_votes_by_mandate_and_for_no_more_than_three():
    from django.core.files.uploadedfile import SimpleUploadedFile

    case = voting(FIVE)

    def mandate(number):
        letter = SimpleUploadedFile("x.pdf", b"%PDF-1.4\n%%EOF\n")
        return acts.perform(
            case,
            "ballot",
            "proxy.registered",
            COMMITTEE,
            {"row": f"1号楼1单元{number}室", "proxy": "1号楼1单元1室"},
            {"mandate": letter},
        )

    for number in (2, 3, 4):
        mandate(number)
    with pytest.raises(acts.Refused):
        mandate(5)
    row = RollRow.objects.get(key="owner:2")
    vote(case, owner(1), row=str(row.pk))
    assert BallotPaper.objects.get().channel == "proxy"


def test_a_vote_costs_few_queries_whatever_the_roll(django_assert_max_num_queries):
    case = voting([unit(n, 10000) for n in range(1, 404)])
    with django_assert_max_num_queries(18):
        vote(case, owner(1))


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


# --- paper votes that are typed in after the term -----------------------------------------------


def test_paper_votes_of_within_the_term_are_taken_until_the_count_begins():
    case = voting([unit(1, 5000), unit(2, 5000), unit(3, 5000)])
    run = case.runs.get(name="ballot")
    last = dt.datetime.combine(run.ends_on, dt.time(12), clock.SHANGHAI)
    clock.set_now(at(30))
    vote(case, owner(2), "against")
    clock.set_now(run.ends_at + dt.timedelta(minutes=5))
    data = {"q1": "for", "q2": "for", "serial": "A-1"}

    def late(party, happened_at):
        with pytest.raises(acts.Refused) as refused:
            acts.perform(case, "ballot", "vote.cast", party, data, happened_at=happened_at)
        return refused.value.code

    assert late(owner(1), last) == "late"
    assert late(paper(1), None) == "late"
    assert late(paper(1), run.ends_at + dt.timedelta(minutes=1)) == "late"
    assert late(paper(1), last + dt.timedelta(days=2)) == "invalid"
    assert late(paper(2), at(29)) == "duplicate"  # it voted online the day after
    done = acts.perform(case, "ballot", "vote.cast", paper(1), data, happened_at=last)
    assert done.record.body["entered_late"] is True
    assert done.record.content["happened_at"].startswith(run.ends_on.isoformat())
    sweep.sweep()  # the count
    assert case.runs.get(name="ballot").phase == "preliminary"
    assert late(paper(3), last) == "late"
    tally = case.runs.get(name="ballot").questions.get(number=1).tally
    assert (tally["heads"]["for"], tally["heads"]["against"]) == (1, 1)


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
