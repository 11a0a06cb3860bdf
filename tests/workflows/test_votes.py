"""Votes: online, on paper and by mandate; which one counts, and what is refused."""

from __future__ import annotations

import datetime as dt

import pytest

from workflows import acts, clock, sweep
from workflows.models import BallotPaper, RollRow
from workflows.parties import Party

from .ballot_cases import (
    COMMITTEE,
    FIVE,
    _fresh,  # noqa: F401 - fixtures
    at,
    open_ballot,
    owner,
    refused,
    unit,
    vote,
    voting,
)


def paper(number: int) -> Party:
    return Party("owner", f"household:{number}", 1, via="paper")


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
