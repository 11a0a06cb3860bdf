"""What an act costs: how often the door goes to the database for it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.factories import make_estate, make_member, make_person, make_street, units_of
from tests.sandbox.ballot_procedures import Vote
from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import OFFICE, Plans, household
from tests.sandbox.panel_procedures import Kept, Review
from tests.sandbox.rows import Looking, Row
from workflows import acts, calendars, clock, records, statements, sweep
from workflows.counting import RollUnit
from workflows.models import BallotPaper, Case, Community, Record, Recount, Seat, Signature, StepRun
from workflows.parties import Party, directory

pytestmark = pytest.mark.django_db(transaction=True)
COMMITTEE = Party("residents_committee", "person:1", None)
MOST = 8
"""BEGIN and COMMIT among them, on PostgreSQL."""


WAYS = (True, False) if connection.vendor == "postgresql" else (True,)
"""Prepared and by the driver's pipeline, or as one text."""


@pytest.fixture(autouse=True, params=WAYS)
def _fresh(request: Any, transactional_db: Any, settings: Any) -> Any:
    settings.SANWEN_PREPARE = request.param
    calendars.seed()
    SandboxDirectory.reset()
    directory.cache_clear()
    with clock.at(dt.datetime(2026, 6, 1, 9, tzinfo=clock.SHANGHAI)):
        yield
    directory.cache_clear()


def cost(case: Case, *args: Any, **more: Any) -> int:
    """How many queries an act makes; SQLite is sent one statement at a time."""
    with CaptureQueriesContext(connection) as queries:
        done = acts.perform(case.pk, *args, **more)
    assert Record.objects.get(pk=done.record.pk).canonical == done.record.canonical
    assert done.fact is None or done.fact.pk
    fresh = Case.objects.get(pk=case.pk)
    assert records.first_fault(fresh) is None
    if connection.vendor != "postgresql":
        return 0
    return len(queries)


def test_an_opinion() -> None:
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Plans, estate, OFFICE, title="甲")
    act = "ask", "opinion.submitted", household(1)
    assert cost(case, *act, {"text": "三号楼要一部电梯"}, key="a") <= MOST
    assert cost(case, *act, {"text": "二号楼也要"}, key="b") <= MOST - 2


def test_an_opinion_of_a_household_of_a_real_estate(settings: Any) -> None:
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    directory.cache_clear()
    street = make_street()
    estate = make_estate(units=1, parent=street)
    clerk = make_person("clerk", "office", community=street)
    [unit] = units_of(estate)
    person = make_member(unit).person
    office = Party("office", f"person:{clerk.pk}", clerk.pk)
    case = acts.open_case(Plans, estate.community, office, title="甲")
    party = Party("household", f"household:{unit.pk}", person.pk)
    text = {"text": "三号楼要一部电梯"}
    assert cost(case, "ask", "opinion.submitted", party, text, key="a") <= MOST


def test_an_entry_of_a_ledger() -> None:
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Kept, estate, OFFICE, title="台账")
    data = {"kind": "fault", "on": clock.today().isoformat(), "fen": 100, "text": "灯不亮"}
    assert cost(case, "ledger", "entry.added", OFFICE, data, key="a") <= MOST


def test_a_vote_and_one_that_changes_it() -> None:
    SandboxDirectory.rolls["owners"] = [flat(number) for number in (1, 2)]
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Vote, estate, OFFICE, title="表决")
    call = {
        "questions": "是否改造\n由谁出资",
        "matter": "ordinary",
        "reason": "属于其他重大事项",
        "opens_on": "2026-06-17",
    }
    acts.perform(case, "ballot", "ballot.called", COMMITTEE, call)
    with clock.at(dt.datetime(2026, 6, 17, tzinfo=clock.SHANGHAI)):
        assert sweep.sweep() == 1
    with clock.at(dt.datetime(2026, 6, 18, 9, tzinfo=clock.SHANGHAI)):
        party = Party("owner", "household:1", None)
        act = "ballot", "vote.cast", party
        assert cost(case, *act, {"q1": "for", "q2": "against"}, key="a") <= MOST - 1
        assert cost(case, *act, {"q1": "against", "q2": "against"}, key="b") <= MOST - 1
    papers = BallotPaper.objects.order_by("pk").values_list("standing", "ended", "record__seq")
    assert list(papers) == [(False, "replaced", 4), (True, "", 5)]


def flat(number: int) -> RollUnit:
    """A unit with one owner, whose household votes."""
    label = f"1号楼1单元{number}室"
    ways = (f"household:{number}",)
    return RollUnit(f"unit:{number}", label, label, 9000, (f"owner:{number}",), may_vote_via=ways)


def test_a_signature_and_its_correction() -> None:
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Review, estate, OFFICE, title="审查")
    party = Party("reviewer", "person:11", None, seat="x")
    data = {"seat": "x", "decision": "approve", "score_a": 50, "score_b": 30}
    assert cost(case, "panel", "panel.signed", party, data, key="a") <= MOST - 2
    anew = {**data, "score_b": 20, "why": "乙项的得分算错了，现予更正"}
    assert cost(case, "panel", "panel.resigned", party, anew, key="b") <= MOST - 2
    first, second = Signature.objects.order_by("pk")
    assert (first.record.seq, second.record.seq, second.former) == (2, 3, first)  # type: ignore[union-attr]
    assert Seat.objects.get(code="x").signature == second


def test_a_step_done_and_the_next_one_opened() -> None:
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Row, estate, OFFICE, title="一行")
    for name in ("one", "two"):
        assert cost(case, name, "task.done", OFFICE, {"note": "已经办好。"}, key=name) <= MOST - 2
    done, opened = StepRun.objects.filter(process=case, name__in=("two", "three")).order_by("pk")
    assert (done.outcome, done.status, done.scheduled) == ("done", "DONE", None)
    assert (opened.status, opened.round, opened.term) == ("STARTED", 1, "7d")
    assert opened.ends_at == opened.scheduled is not None
    assert list(opened.previous.all()) == [done]
    said = Record.objects.filter(case=case).order_by("seq").values_list("act", "run", "step")
    assert list(said)[-3:] == [
        ("task.done", done.pk, "two"),
        ("step.completed", done.pk, "two"),
        ("step.opened", opened.pk, "three"),
    ]
    assert list(Record.objects.filter(case=case).order_by("pk").values_list("seq", flat=True)) == (
        list(range(case_length(case)))
    )


def test_a_step_that_looks_at_the_one_before_sees_how_it_ended() -> None:
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Looking, estate, OFFICE, title="前后")
    for name in ("first", "second"):
        acts.perform(case.pk, name, "task.done", OFFICE, {"note": "已经办好。"}, key=name)
    ends = dict(StepRun.objects.filter(process=case).values_list("name", "ends_on"))
    assert ends["second"] - clock.today() == dt.timedelta(days=3)
    assert ends["third"] - clock.today() == dt.timedelta(days=4)


def test_a_term_that_moves_as_its_run_ends_is_counted_anew(monkeypatch: Any) -> None:
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Row, estate, OFFICE, title="一行")
    acts.perform(case.pk, "one", "task.done", OFFICE, {"note": "已经办好。"}, key="one")
    assert not Recount.objects.exists()

    def prolonged(_step: Any, run: StepRun) -> dict[str, Any]:
        run.ends_at += dt.timedelta(days=1)
        return {}

    monkeypatch.setattr(type(Row.two), "result", prolonged)
    acts.perform(case.pk, "two", "task.done", OFFICE, {"note": "已经办好。"}, key="two")
    assert list(Recount.objects.values_list("place", flat=True)) == [estate.pk]


def case_length(case: Case) -> int:
    """How many records the case has by its own account."""
    return Case.objects.get(pk=case.pk).length


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is sent one at a time")
def test_statements_that_go_together_fail_together() -> None:
    """In Django's words, with nothing of them done, and the connection goes on."""
    row = Community(code="once", name="示范小区", kind="estate")
    twice = [statements.inserting(row), statements.inserting(row)]
    with pytest.raises(IntegrityError), transaction.atomic():
        statements.together(twice)
    assert not Community.objects.filter(code="once").exists()
    [(one,), (two,)] = [rows[0] for rows in statements.together([asked(1), asked(2)])]
    assert (one, two) == (1, 2)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite prepares by itself")
def test_what_is_asked_again_is_not_prepared_again(settings: Any) -> None:
    def prepared() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements")
            return int(cursor.fetchone()[0])

    connection.close()
    for _each in range(3):
        statements.together([asked(1), asked(2)])
    assert prepared() == (1 if settings.SANWEN_PREPARE else 0)


def asked(number: int) -> statements.Ready:
    """A question whose answer is its value."""
    return "SELECT %s::int", [number], list
