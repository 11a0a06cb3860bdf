"""Counting: heads and areas by law, exact majorities, which vote counts."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.counting import (
    RULES,
    AtLeast,
    Cast,
    CountingError,
    MoreThan,
    RollEntry,
    RollUnit,
    area_words,
    count,
    effective_votes,
    freeze_roll,
    rule_for,
    smallest_meeting,
)

DAY = dt.date(2026, 6, 1)
HALF, TWO_THIRDS, THREE_QUARTERS = Fraction(1, 2), Fraction(2, 3), Fraction(3, 4)


def unit(key: str, area: int = 5000, *owners: str, unsold: bool = False) -> RollUnit:
    return RollUnit(key, key, key, area, owners or (f"o{key}",), developer_unsold=unsold)


def head(key: str, area: int = 5000) -> RollEntry:
    return RollEntry(key, area, (key,), key, key, ())


MAJORITIES = [
    # 以上 includes the number, 过半数 does not (Civil Code 1259).
    (AtLeast(THREE_QUARTERS), 75, 100, True),
    (AtLeast(THREE_QUARTERS), 74, 100, False),
    (AtLeast(THREE_QUARTERS), 3, 4, True),
    (AtLeast(THREE_QUARTERS), 303, 403, True),
    (AtLeast(THREE_QUARTERS), 302, 403, False),
    (AtLeast(TWO_THIRDS), 2, 3, True),
    (AtLeast(TWO_THIRDS), 269, 403, True),
    (AtLeast(TWO_THIRDS), 268, 403, False),
    (AtLeast(TWO_THIRDS), 66, 100, False),
    (AtLeast(TWO_THIRDS), 67, 100, True),
    (MoreThan(HALF), 51, 100, True),
    (MoreThan(HALF), 50, 100, False),
    (MoreThan(HALF), 202, 403, True),
    (MoreThan(HALF), 201, 403, False),
    (MoreThan(HALF), 1, 1, True),
    (MoreThan(HALF), 0, 0, False),
    (AtLeast(TWO_THIRDS), 0, 0, False),
    # 66,783.97 m²: to the hundredth of a square metre.
    (AtLeast(TWO_THIRDS), 4_452_264, 6_678_397, False),
    (AtLeast(TWO_THIRDS), 4_452_265, 6_678_397, True),
    (AtLeast(THREE_QUARTERS), 5_008_797, 6_678_397, False),
    (AtLeast(THREE_QUARTERS), 5_008_798, 6_678_397, True),
    (MoreThan(HALF), 3_339_198, 6_678_397, False),
    (MoreThan(HALF), 3_339_199, 6_678_397, True),
]


@pytest.mark.parametrize(("majority", "part", "whole", "met"), MAJORITIES)
def test_a_majority_is_exact(majority, part, whole, met):
    assert majority.met(part, whole) is met


@given(st.integers(1, 10**9), st.sampled_from([m for m, *_rest in MAJORITIES[:14]]))
def test_the_smallest_number_that_meets_is_the_smallest(whole, majority):
    least = smallest_meeting(majority, whole)
    assert majority.met(least, whole)
    assert not majority.met(least - 1, whole)


def test_one_unit_is_one_head_and_several_of_one_owner_are_one():
    roll = freeze_roll("owners", [unit("1", 5000, "a"), unit("2", 7000, "a"), unit("3")])
    assert [(entry.heads, entry.area) for entry in roll] == [(1, 12000), (1, 5000)]


def test_the_developers_unsold_units_are_one_head_even_with_other_units_sold():
    units = [unit("1", unsold=True), unit("2", unsold=True), unit("3")]
    assert [entry.area for entry in freeze_roll("owners", units)] == [10000, 5000]


def test_co_owners_are_one_head_and_another_set_of_them_another():
    units = [
        unit("1", 5000, "a", "b"),
        unit("2", 5000, "b", "a"),
        unit("3", 5000, "a"),
        unit("4", 5000, "a", "c"),
    ]
    assert [entry.area for entry in freeze_roll("owners", units)] == [10000, 5000, 5000]


def test_other_electorates_count_members():
    roll = freeze_roll("members", [unit("1", 0), unit("2", 0)])
    assert [(entry.heads, entry.area) for entry in roll] == [(1, 0), (1, 0)]


@pytest.mark.parametrize(
    "units",
    [
        [unit("1", 0)],
        [unit("1", -1)],
        [unit("1"), unit("1")],
        [RollUnit("1", "1", "1", 100, ())],
    ],
)
def test_a_roll_that_cannot_be_counted_is_refused(units):
    with pytest.raises(CountingError):
        freeze_roll("owners", units)


@given(
    st.lists(
        st.tuples(st.integers(1, 30_000), st.sets(st.sampled_from("abcdef"), min_size=1)),
        max_size=40,
    )
)
def test_a_frozen_roll_loses_no_area_and_has_no_more_heads_than_units(rows):
    units = [unit(str(at), area, *owners) for at, (area, owners) in enumerate(rows)]
    roll = freeze_roll("owners", units)
    assert sum(entry.area for entry in roll) == sum(area for area, _owners in rows)
    assert len(roll) <= len(units)
    assert sorted(key for entry in roll for key in entry.units) == sorted(u.key for u in units)


def tally(rule: str, votes: dict[str, str], roll=None, on=DAY):
    roll = roll or [head(str(number)) for number in range(1, 9)]
    return count(roll, votes, rule_for(rule, on))


def choices(yes: int, no: int = 0, abstain: int = 0) -> dict[str, str]:
    cast = ["for"] * yes + ["against"] * no + ["abstain"] * abstain
    return {str(number): choice for number, choice in enumerate(cast, start=1)}


OUTCOMES = [
    # Eight heads of equal area: six must take part.
    ("owners_ordinary", choices(5), "no_quorum"),
    ("owners_ordinary", choices(6), "carried"),
    ("owners_ordinary", choices(4, 2), "carried"),
    ("owners_ordinary", choices(3, 3), "lost"),
    ("owners_ordinary", choices(4, 4), "lost"),
    ("owners_ordinary", choices(5, 3), "carried"),
    ("owners_ordinary", choices(3, 0, 3), "lost"),
    ("owners_ordinary", choices(0, 0, 8), "lost"),
    ("owners_ordinary", {}, "no_quorum"),
    ("owners_special", choices(6, 2), "carried"),
    ("owners_special", choices(5, 2), "lost"),
    ("owners_special", choices(5, 0, 1), "carried"),
    ("owners_special", choices(5, 0, 2), "lost"),
    ("villagers", choices(3, 1), "no_quorum"),
    ("villagers", choices(3, 2), "carried"),
    ("villagers", choices(3, 3), "lost"),
    # Article 22 has two ways to a quorum: adults by more than half, households by two thirds.
    ("villagers_by_household", choices(5), "no_quorum"),
    ("villagers_by_household", choices(4, 2), "carried"),
    ("villagers_by_household", choices(3, 3), "lost"),
    ("village_representatives", choices(3, 2), "no_quorum"),
    ("village_representatives", choices(3, 3), "lost"),
    ("village_representatives", choices(4, 2), "carried"),
    ("members", choices(5, 1), "lost"),
    ("members", choices(6, 0), "carried"),
    ("members", choices(6, 2), "carried"),
    ("delegates", choices(5, 3), "lost"),
    ("land_contract", choices(6), "carried"),
    ("land_contract", choices(5, 1), "lost"),
    ("delegates", choices(6), "carried"),
    ("delegates", choices(5), "no_quorum"),
    ("members", choices(5), "no_quorum"),
]
# Rural Land Contract Law 19, until 1 May 2025: two thirds of all, no quorum of its own.
EARLIER = [
    ("land_contract", choices(5), "lost"),
    ("land_contract", choices(6), "carried"),
    ("land_contract_representatives", choices(5), "lost"),
    ("land_contract_representatives", choices(6, 2), "carried"),
]


@pytest.mark.parametrize(("rule", "votes", "outcome"), EARLIER)
def test_a_question_of_2024_is_decided_by_the_rule_of_its_day(rule, votes, outcome):
    assert tally(rule, votes, on=dt.date(2025, 4, 30)).outcome == outcome


@pytest.mark.parametrize(("rule", "votes", "outcome"), OUTCOMES)
def test_a_question_is_decided_by_its_rule(rule, votes, outcome):
    assert tally(rule, votes).outcome == outcome


def test_quorum_of_area_without_that_of_heads_is_none_and_the_other_way_round():
    big = [head("big", 90_000), *(head(str(n), 1_000) for n in range(1, 10))]
    assert tally("owners_ordinary", {"big": "for"}, big).outcome == "no_quorum"
    small = {str(n): "for" for n in range(1, 10)}
    assert tally("owners_ordinary", small, big).outcome == "no_quorum"


def test_lost_by_area_alone_and_by_heads_alone():
    roll = [head("big", 30_000), *(head(str(n), 10_000) for n in range(1, 6))]
    votes = {"big": "against", **{str(n): "for" for n in range(1, 6)}}
    lines = {
        (line.code, line.unit): line.met for line in tally("owners_special", votes, roll).lines()
    }
    assert lines["for", "heads"]
    assert not lines["for", "area"]
    votes = {"big": "for", **{str(n): "against" for n in range(1, 6)}}
    assert tally("owners_ordinary", votes, roll).outcome == "lost"


def test_the_rule_follows_the_day_of_the_decision():
    before = rule_for("land_contract", dt.date(2025, 4, 30))
    after = rule_for("land_contract", dt.date(2025, 5, 1))
    assert before.quorum is None
    assert after.quorum == AtLeast(TWO_THIRDS)
    with pytest.raises(CountingError):
        rule_for("members", dt.date(2025, 4, 30))
    with pytest.raises(CountingError):
        rule_for("owners_ordinary", dt.date(2020, 12, 31))
    with pytest.raises(CountingError):
        rule_for("land_contract_representatives", dt.date(2025, 5, 1))


LAW = {
    # code: article, quorum (inclusive or strict), majority, base
    "owners_ordinary": ("二百七十八", AtLeast(TWO_THIRDS), MoreThan(HALF), "present"),
    "owners_special": ("二百七十八", AtLeast(TWO_THIRDS), AtLeast(THREE_QUARTERS), "present"),
    "villagers": ("二十二", MoreThan(HALF), MoreThan(HALF), "present"),
    "villagers_by_household": ("二十二", AtLeast(TWO_THIRDS), MoreThan(HALF), "present"),
    "village_representatives": ("二十六", AtLeast(TWO_THIRDS), MoreThan(HALF), "present"),
    "members": ("二十七", AtLeast(TWO_THIRDS), AtLeast(TWO_THIRDS), "all"),
    "delegates": ("二十八", AtLeast(TWO_THIRDS), AtLeast(TWO_THIRDS), "all"),
    "land_contract": ("二十七", AtLeast(TWO_THIRDS), AtLeast(TWO_THIRDS), "all"),
}


def test_every_rule_stands_as_in_its_article():
    for code, (article, quorum, carries, base) in LAW.items():
        rule = rule_for(code, DAY)
        assert article in str(rule.source)
        assert (rule.quorum, rule.carries, rule.base) == (quorum, carries, base)
        assert rule.by_area == (rule.electorate == "owners")
    assert {rule.code for rule in RULES} == {*LAW, "land_contract_representatives"}
    for rule in RULES:
        assert rule.source
        assert rule.jurisdiction == "CN"


def test_a_rule_of_the_place_goes_before_that_of_the_country():
    country = rule_for("villagers", DAY)
    province = replace(country, jurisdiction="CN-37", effective_from=dt.date(2026, 1, 1))
    town = replace(country, jurisdiction="CN-37-02", effective_to=dt.date(2026, 3, 1))
    rules = (country, province, town)
    assert rule_for("villagers", dt.date(2026, 2, 1), "CN-37-02", rules) is town
    assert rule_for("villagers", dt.date(2026, 3, 1), "CN-37-02", rules) is province
    assert rule_for("villagers", dt.date(2025, 12, 31), "CN-37", rules) is country
    assert rule_for("villagers", DAY, "CN-11", rules) is country
    with pytest.raises(CountingError):
        rule_for("villagers", DAY, "US", rules)


def test_a_unit_of_very_many_co_owners_has_a_key_of_its_own():
    heirs = [f"owner:{n}" for n in range(60)]
    roll = freeze_roll("owners", [unit("1", 10, *heirs), unit("2", 20, *heirs[:-1])])
    assert len({entry.key for entry in roll}) == 2
    assert all(len(entry.key) <= 200 for entry in roll)


def test_no_two_rules_of_a_code_are_in_force_at_once():
    for rule in RULES:
        others = [r for r in RULES if r.code == rule.code and r is not rule]
        for other in others:
            first, second = sorted((rule, other), key=lambda each: each.effective_from)
            assert first.effective_to is not None
            assert first.effective_to <= second.effective_from


@pytest.mark.parametrize("votes", [{"9": "for"}, {"1": "yes"}, {"1": ""}])
def test_a_vote_that_is_none_is_refused(votes):
    with pytest.raises(CountingError):
        tally("owners_ordinary", votes)


VOTES = st.dictionaries(
    st.sampled_from([str(n) for n in range(1, 9)]), st.sampled_from(["for", "against", "abstain"])
)
AREAS = st.lists(st.integers(1, 30_000), min_size=8, max_size=8)


@given(VOTES, AREAS, st.sampled_from(["owners_ordinary", "owners_special"]))
def test_the_count_agrees_with_fractions(votes, areas, rule):
    roll = [head(str(n), area) for n, area in enumerate(areas, start=1)]
    found = tally(rule, votes, roll)
    took = [e for e in roll if e.key in votes]
    yes = [e for e in roll if votes.get(e.key) == "for"]
    area_in, heads_in = sum(e.area for e in took), len(took)
    quorum = Fraction(area_in, sum(areas)) >= TWO_THIRDS and Fraction(heads_in, 8) >= TWO_THIRDS
    if not quorum:
        assert found.outcome == "no_quorum"
        return
    area, heads = Fraction(sum(e.area for e in yes), area_in), Fraction(len(yes), heads_in)
    carried = (
        area > HALF and heads > HALF
        if rule == "owners_ordinary"
        else area >= THREE_QUARTERS and heads >= THREE_QUARTERS
    )
    assert found.outcome == ("carried" if carried else "lost")


@given(VOTES, AREAS, st.randoms())
def test_the_order_of_the_roll_and_of_votes_changes_nothing(votes, areas, random):
    roll = [head(str(n), area) for n, area in enumerate(areas, start=1)]
    first = tally("owners_special", votes, roll)
    random.shuffle(roll)
    items = list(votes.items())
    random.shuffle(items)
    assert tally("owners_special", dict(items), roll).outcome == first.outcome


@given(VOTES, AREAS, st.sampled_from(["owners_ordinary", "owners_special"]))
def test_turning_an_against_into_a_for_never_loses_a_question(votes, areas, rule):
    roll = [head(str(n), area) for n, area in enumerate(areas, start=1)]
    if tally(rule, votes, roll).outcome != "carried":
        return
    for key, choice in votes.items():
        if choice != "for":
            assert tally(rule, {**votes, key: "for"}, roll).outcome == "carried"


# --- which vote counts

CLOSES = dt.datetime(2026, 6, 10, tzinfo=dt.UTC)


def cast(hour: int, choice="for", channel="online", entry="1", withdrawn: int | None = None):
    at = CLOSES - dt.timedelta(hours=100 - hour)
    gone = CLOSES - dt.timedelta(hours=100 - withdrawn) if withdrawn is not None else None
    return Cast(entry, choice, at, channel, gone)


CASTS = [
    ([cast(1), cast(2, "against")], "against", ["replaced"]),
    ([cast(2, "against"), cast(1)], "against", ["replaced"]),
    ([cast(1, channel="paper"), cast(2, "against")], "for", ["paper_stands"]),
    ([cast(1), cast(2, "against", "paper")], "against", ["replaced"]),
    ([cast(1, channel="paper", withdrawn=2), cast(3, "against")], "against", ["withdrawn"]),
    (
        [cast(1, channel="paper", withdrawn=3), cast(2, "against")],
        None,
        ["paper_stands", "withdrawn"],
    ),
    ([cast(1), cast(100, "against")], "for", ["late"]),
    ([cast(101)], None, ["late"]),
    ([cast(1, channel="paper", withdrawn=2)], None, ["withdrawn"]),
    ([cast(1, channel="proxy"), cast(2, "abstain")], "abstain", ["replaced"]),
    ([], None, []),
]


@pytest.mark.parametrize(("casts", "choice", "reasons"), CASTS)
def test_the_last_valid_vote_counts_and_paper_stands(casts, choice, reasons):
    found = effective_votes(casts, CLOSES)
    counting = found.counting.get("1")
    assert (counting.choice if counting else None) == choice
    assert [reason for _cast, reason in found.superseded] == reasons


@given(st.lists(st.integers(0, 120), unique=True, max_size=12), st.randoms())
def test_the_order_in_which_votes_are_read_changes_nothing(hours, random):
    casts = [cast(hour, "for" if hour % 2 else "against") for hour in hours]
    first = effective_votes(casts, CLOSES)
    random.shuffle(casts)
    assert effective_votes(casts, CLOSES).counting == first.counting


@pytest.mark.parametrize(
    ("hundredths", "words"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (100, "1.00"),
        (6_678_397, "66,783.97"),
        (123_456_789, "1,234,567.89"),
    ],
)
def test_an_area_in_words_is_exact(hundredths, words):
    assert area_words(hundredths) == words
