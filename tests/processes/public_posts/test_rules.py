"""Who fits, who has a place, until when."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.public_posts import rules

TABLE = {
    "rural_older": rules.Bounds(dt.date(1961, 3, 1), dt.date(1981, 3, 1)),
    "disabled": rules.Bounds(),
}


@pytest.mark.parametrize(
    ("group", "born", "facts", "reasons"),
    [
        ("rural_older", "1961-03-01", (), []),
        ("rural_older", "1961-02-28", (), ["born_before"]),
        ("rural_older", "1981-03-01", (), []),
        ("rural_older", "1981-03-02", (), ["born_after"]),
        ("disabled", "1900-01-01", (), []),
        ("low_income", "1970-01-01", (), ["group"]),
        ("disabled", "1970-01-01", ("business",), ["business"]),
        ("disabled", "1970-01-01", ("public_employee",), []),  # the call does not name it
        ("low_income", "1970-01-01", ("business",), ["group", "business"]),
    ],
)
def test_the_table_of_the_call(group, born, facts, reasons):
    assert (
        rules.reasons_against(
            TABLE, {"business"}, group=group, born=dt.date.fromisoformat(born), facts=facts
        )
        == reasons
    )


@pytest.mark.parametrize(
    ("present", "invited", "valid"),
    [
        (2, 3, True),
        (1, 3, False),
        (6, 9, True),
        (5, 9, False),
        (66, 100, False),
        (67, 100, True),
        (0, 0, False),
    ],
)
def test_two_thirds_of_the_invited(present, invited, valid):
    assert rules.quorate(present, invited) is valid


def test_means_are_exact_and_of_equals_the_first_application_goes_before():
    scores = {3: [80, 81, 81], 1: [80, 81, 81], 2: [100, 100], 4: [59, 60]}
    assert rules.ranked(scores) == [
        (2, Fraction(100)),
        (1, Fraction(242, 3)),
        (3, Fraction(242, 3)),
    ]


@pytest.mark.parametrize(
    ("start", "pension", "until"),
    [
        ("2026-04-01", "2040-01-01", "2029-04-01"),
        ("2026-04-01", "2031-04-01", "2031-04-01"),  # within five years, the day included
        ("2026-04-01", "2031-04-02", "2029-04-01"),
        ("2026-04-01", "2027-01-01", "2027-01-01"),
        ("2028-02-29", "2050-01-01", "2031-02-28"),
    ],
)
def test_subsidy_of_three_years_or_to_pension_age(start, pension, until):
    day = dt.date.fromisoformat
    assert rules.subsidy_until(day(start), day(pension)) == day(until)


def test_an_agreement_does_not_outlast_the_subsidy():
    start = dt.date(2026, 4, 1)
    assert rules.agreement_until(start, dt.date(2029, 4, 1)) == dt.date(2027, 4, 1)
    assert rules.agreement_until(start, dt.date(2026, 9, 1)) == dt.date(2026, 9, 1)


@pytest.mark.parametrize(
    ("month", "due"), [("2026-01-01", "2026-02-10"), ("2026-12-31", "2027-01-10")]
)
def test_reported_by_the_tenth(month, due):
    assert rules.report_due(dt.date.fromisoformat(month)) == dt.date.fromisoformat(due)


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("11010519491231002X", True),
        ("110105194912310021", False),
        ("11010519491230002X", False),
        ("1101051949123100２X", False),
    ],
)
def test_identity_numbers(number, fits):
    assert rules.identity_fits(number, dt.date(1949, 12, 31)) is fits


def test_the_weights_add_up_to_100():
    assert sum(rules.WEIGHTS.values()) == 100


@given(
    order=st.lists(st.integers(1, 60), unique=True, max_size=40),
    leaving=st.lists(st.integers(1, 60), unique=True, max_size=40),
    places=st.integers(1, 10),
)
def test_the_reserve_list_moves_up_in_order(order, leaving, places):
    gone: set[int] = set()
    had = rules.placed(order, gone, places)
    for number in leaving:
        gone.add(number)
        has = rules.placed(order, gone, places)
        assert len(has) == len(set(has)) <= places  # never two holders of one place
        assert set(had) - set(has) == {number} & set(had)  # only that person loses it
        moved = set(has) - set(had)
        assert len(moved) <= 1
        waiting = [n for n in order if n not in gone and n not in had]
        assert moved == (set(waiting[:1]) if number in had else set())  # nobody is skipped
        had = has
