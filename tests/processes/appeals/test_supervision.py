"""Supervision of appeals: terms by the unit that has the matter, extended or late; ratings."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from workflows import acts, clock
from workflows.portal import figures, sums, supervision_tables

from .conftest import ANSWER

SCOPE = figures.Scope(dt.date(2026, 1, 1), dt.date(2026, 12, 1))
UNIT = "handler:housing"


def of_unit() -> dict[str, int]:
    """What is counted for the housing office."""
    scope = figures.Scope(SCOPE.first, SCOPE.last, office=UNIT)
    return {code: n for code, n in supervision_tables.total(sums.count(scope)).items() if n}


def extend(town: Any, case: Any, days: int = 3) -> None:
    said = {"days": days, "reason": "需要等配件到货，已与厂家约定。"}
    town.do(case, "handle", "first", said, "term.extended")


# Assigned on Tuesday 3 March: five working days end on Tuesday 10 March, three more on the 13th.
@pytest.mark.parametrize(
    ("extended", "answered", "expected"),
    [
        (False, "2026-03-03T10:00:00", {"kept": 1}),
        (False, "2026-03-10T23:59:59", {"kept": 1}),
        (False, "2026-03-11T00:00:00", {"broken": 1}),
        (False, None, {"broken": 1}),
        (True, "2026-03-11T00:00:00", {"kept": 1}),
        (True, "2026-03-13T23:59:59", {"kept": 1}),
        (True, "2026-03-14T09:00:00", {"broken": 1}),
        (True, None, {"broken": 1}),
    ],
)
def test_a_units_term(town, extended, answered, expected):
    case, _author = town.assigned()
    if extended:
        town.day("2026-03-09", 9)
        extend(town, case)
    if answered:
        clock.set_now(dt.datetime.fromisoformat(answered).replace(tzinfo=clock.SHANGHAI))
        town.do(case, "handle", "first", ANSWER)
    else:
        town.day("2026-03-16", 9)  # the red card, and the supervision sheet
        assert town.at(case) == "supervised"
    assert of_unit() == expected


def test_an_author_who_lets_the_rating_lapse_breaks_nothing(town):
    case, _author = town.assigned()
    town.do(case, "handle", "first", ANSWER)
    town.day("2026-04-20")
    assert town.at(case) == "unrated"
    assert of_unit() == {"kept": 1}


def rate(case: Any, author: Any, satisfied: bool) -> None:
    said = {"rating": "satisfied" if satisfied else "unsatisfied"}
    acts.perform(case, "rate", "task.done", author, said)


def test_ratings_count_for_the_unit_and_few_are_not_shown(town):
    for number in range(5):
        case, author = town.assigned(text=f"第{number}盏灯坏了")
        town.do(case, "handle", "first", ANSWER)
        if number == 4:
            page = Client().get("/supervision/").text
            assert "少于5份" in page
            assert Client().get("/supervision/steps/?what=rated").status_code == 404
        rate(case, author, number > 1)
    found = of_unit()
    assert (found["rated"], found["content"]) == (5, 3)
    page = Client().get("/supervision/")
    assert "60.0%" in page.text
    assert "住建部门" in page.text
    rows = Client().get(f"/supervision/steps/?what=rated&office={UNIT}").context["rows"]
    assert len(rows) == 5
