"""Supervision: what counts as kept and broken, what the figures say, who sees which list."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import make_estate, make_member, make_person, make_street, units_of
from tests.sandbox.core_procedures import Errand
from tests.sandbox.opinion_procedures import Needs, Plans, Results, Shortlist
from workflows import acts, calendars, clock, sweep
from workflows.models import Case, Record, StepRun
from workflows.parties import Party, directory
from workflows.portal import figures, sums, supervision, supervision_tables
from workflows.steps.consultation_rows import SurveyAnswer

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)
JUNE = dt.date(2026, 6, 1)


@pytest.fixture(autouse=True)
def _fresh(db: None, settings: Any) -> Iterator[None]:
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    directory.cache_clear()
    calendars.seed()
    with clock.at(NOON):
        yield
    directory.cache_clear()


@pytest.fixture
def town() -> SimpleNamespace:
    """Two sub-districts with an estate each; the office serves in the first."""
    street, other = make_street("street", "示范街道"), make_street("other", "别的街道")
    estate, far = make_estate("near", parent=street, units=8), make_estate("far", parent=other)
    return SimpleNamespace(
        street=street,
        estate=estate.community,
        far=far.community,
        office=make_person("office", "office", community=street),
        far_office=make_person("far_office", "office", community=other),
        committee=make_person("committee", "residents_committee", community=estate.community),
        auditor=make_person("auditor", "auditor", community=street),
        residents=[make_member(unit).person for unit in units_of(estate)],
    )


def party(person: Any, role: str = "office") -> Party:
    return Party(role, f"person:{person.pk}", person.pk)


def household(person: Any) -> Party:
    unit = person.households.get().household.unit_id
    return Party("household", f"household:{unit}", person.pk)


def opened(town: SimpleNamespace, declared: Any = Errand, *, far: bool = False) -> Case:
    place, office = (town.far, town.far_office) if far else (town.estate, town.office)
    return acts.open_case(declared, place, party(office), title="示范事项")


def write(town: SimpleNamespace, case: Case) -> None:
    acts.perform(case, "write", "task.done", party(town.office), {"text": "好。"})


def suspend(town: SimpleNamespace, case: Case, act: str = "case.suspended") -> None:
    acts.perform(case, "case", act, party(town.office), {"reason": "汛期不便办理。"})


def run_of(case: Case) -> StepRun:
    return StepRun.objects.filter(process=case, ends_at__isnull=False).latest("pk")


def counted(**chosen: Any) -> dict[str, int]:
    """Every measure that is not nothing, over the last year."""
    scope = figures.Scope(dt.date(2025, 8, 1), dt.date(2026, 12, 1), **chosen)
    return {code: n for code, n in supervision_tables.total(sums.count(scope)).items() if n}


def signed_in(person: Any = None) -> Client:
    client = Client()
    if person is not None:
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


# --- terms: a table of moments -------------------------------------------------------------------


def at_once(town: SimpleNamespace, case: Case) -> None:
    write(town, case)


def on_the_last_second(town: SimpleNamespace, case: Case) -> None:
    with clock.at(run_of(case).ends_at - SECOND):
        write(town, case)


def as_it_ends(town: SimpleNamespace, case: Case) -> None:
    with clock.at(run_of(case).ends_at):
        write(town, case)


def a_day_late(town: SimpleNamespace, case: Case) -> None:
    after = run_of(case).ends_at
    with clock.at(after):
        sweep.sweep()
    with clock.at(after + DAY):
        write(town, case)


def not_at_all(town: SimpleNamespace, case: Case) -> None:
    clock.set_now(run_of(case).ends_at)
    sweep.sweep()


def just_not_yet(town: SimpleNamespace, case: Case) -> None:
    clock.set_now(run_of(case).ends_at - SECOND)
    sweep.sweep()


def suspended_and_still(town: SimpleNamespace, case: Case) -> None:
    with clock.at(NOON + DAY):
        suspend(town, case)
    clock.set_now(run_of(case).ends_at + 30 * DAY)
    sweep.sweep()


def suspended_resumed_and_done(town: SimpleNamespace, case: Case) -> None:
    before = run_of(case).ends_at
    with clock.at(NOON + DAY):
        suspend(town, case)
    with clock.at(NOON + 20 * DAY):
        suspend(town, case, "case.resumed")
        assert run_of(case).ends_at > before
    with clock.at(run_of(case).ends_at - SECOND):
        write(town, case)


def suspended_resumed_and_late(town: SimpleNamespace, case: Case) -> None:
    with clock.at(NOON + DAY):
        suspend(town, case)
    with clock.at(NOON + 20 * DAY):
        suspend(town, case, "case.resumed")
    with clock.at(run_of(case).ends_at):
        write(town, case)


def overdue_then_suspended(town: SimpleNamespace, case: Case) -> None:
    clock.set_now(run_of(case).ends_at)
    sweep.sweep()
    suspend(town, case)


def by_a_guess(town: SimpleNamespace, case: Case) -> None:
    StepRun.objects.filter(pk=run_of(case).pk).update(provisional=True)
    clock.set_now(run_of(case).ends_at + DAY)
    write(town, case)


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        (at_once, {"kept": 1}),
        (on_the_last_second, {"kept": 1}),
        (as_it_ends, {"broken": 1}),
        (a_day_late, {"broken": 1}),
        (not_at_all, {"broken": 1, "overdue": 1}),
        (just_not_yet, {}),
        (suspended_and_still, {}),
        (suspended_resumed_and_done, {"kept": 1}),
        (suspended_resumed_and_late, {"broken": 1}),
        (overdue_then_suspended, {"broken": 1}),
        (by_a_guess, {"kept": 1}),
    ],
)
def test_a_term(town: SimpleNamespace, course: Callable[..., None], expected: Any) -> None:
    case = opened(town)
    course(town, case)
    found = {code: n for code, n in counted().items() if code in ("kept", "broken", "overdue")}
    assert found == expected
    late = [run.process_id for run in supervision.late_runs(clock.now())]
    assert late == ([case.pk] if "overdue" in expected else [])


def test_a_period_that_stood_its_days_is_kept(town: SimpleNamespace) -> None:
    run = run_of(opened(town, Shortlist))
    with clock.at(run.ends_at + 3 * DAY):
        sweep.sweep()
    assert counted() == {"kept": 1}


# --- opinions and objections ---------------------------------------------------------------------


def ask(town: SimpleNamespace, case: Case, number: int = 0) -> Any:
    text = f"希望增加{number + 1}处休息座椅。"
    who = household(town.residents[number])
    return acts.perform(case, "ask", "opinion.submitted", who, {"text": text}).fact


def answer(town: SimpleNamespace, case: Case, opinion: Any) -> Any:
    said = {
        "opinions": [str(opinion.pk)],
        "outcome": "adopted",
        "public_text": "希望增加休息座椅。",
        "reason": "已列入方案，位置见总平面图。",
    }
    office = party(town.office)
    return acts.perform(case, "ask", "opinion.replied", office, said).fact


def test_answers_in_time_late_and_missing(town: SimpleNamespace) -> None:
    case = opened(town, Plans)
    first, second, third = (ask(town, case, number) for number in range(3))
    ends = run_of(case).ends_at
    with clock.at(ends - SECOND):
        reply = answer(town, case, first)
        assert counted() == {"answered": 1}
    with clock.at(ends):
        sweep.sweep()
        assert counted() == {"answered": 1, "broken": 1, "overdue": 1, "unanswered": 2}
        answer(town, case, second)
    with clock.at(ends + DAY):
        found = counted()
        assert (found["answered"], found["answered_late"], found["unanswered"]) == (1, 1, 1)
        # A correction is not later than what it corrects.
        said = {
            "reply": str(reply.pk),
            "outcome": "partly",
            "public_text": "希望增加休息座椅。",
            "reason": "只能增加两处，其余位置要留作通道。",
            "why": "原答复与图纸不一致。",
        }
        acts.perform(case, "ask", "reply.corrected", party(town.office), said)
        assert counted() == found
        suspend(town, case)
        assert "unanswered" not in counted()
    assert third.pk


@pytest.mark.parametrize(
    ("decision", "late", "expected"),
    [
        ("upheld", False, {"decided": 1, "upheld": 1}),
        ("dismissed", False, {"decided": 1}),
        ("dismissed", True, {"decided": 1, "decided_late": 1, "broken": 1}),
    ],
)
def test_an_objection(town: SimpleNamespace, decision: str, late: bool, expected: Any) -> None:
    case = opened(town, Shortlist)
    said = {"ground": "content", "text": "离窗太近，影响采光。"}
    who = household(town.residents[0])
    raised = acts.perform(case, "stand", "objection.raised", who, said).fact
    with clock.at(raised.due_at - (dt.timedelta() if late else SECOND)):
        assert counted() == ({"undecided": 1} if late else {})
        assert len(supervision.late_runs(clock.now())) == late
        said = {
            "objections": [str(raised.pk)],
            "decision": decision,
            "reason": "已与现场核对，距离符合规定。",
            "public_text": "离窗太近，影响采光。",
        }
        acts.perform(case, "stand", "objection.decided", party(town.office), said)
        assert counted() == expected


# --- satisfaction --------------------------------------------------------------------------------


def survey(case: Case, answers: list[str]) -> None:
    run = run_of(case)
    record = Record.objects.filter(run=run).latest("pk")
    SurveyAnswer.objects.bulk_create(
        SurveyAnswer(run=run, record=record, party_key=f"household:{n}", answer=answer)
        for n, answer in enumerate(answers)
    )


def test_a_survey_of_five_counts_and_one_of_four_never_does(town: SimpleNamespace) -> None:
    five, four = opened(town, Results), opened(town, Results)
    survey(five, ["very_satisfied", "satisfied", "satisfied", "basically", "dissatisfied"])
    survey(four, ["satisfied"] * 4)
    assert "rated" not in counted()
    StepRun.objects.filter(process__in=(five, four), name="ask").update(
        finished=NOON, status="DONE"
    )
    found = counted()
    assert (found["rated"], found["content"]) == (5, 3)
    page = signed_in().get("/supervision/")
    assert "60.0%" in page.text
    assert "5份评价" in page.text


# --- the pages -----------------------------------------------------------------------------------


def numbers(page: Any, code: str = "office") -> dict[str, dict[str, str]]:
    """A table of the page: by the row's name, texts by column."""
    (found,) = (table for table in page.context["tables"] if table["code"] == code)
    return {
        str(label): {str(cell["label"]): cell["text"] for cell in cells}
        for label, cells in found["rows"]
    }


def mixed(town: SimpleNamespace) -> None:
    """In May one kept; in June one broken and still open, one kept, one far away."""
    with clock.at(NOON - 40 * DAY):
        write(town, opened(town))
    write(town, opened(town))
    opened(town)
    opened(town, Needs)
    far = opened(town, far=True)
    acts.perform(far, "write", "task.done", party(town.far_office), {"text": "好。"})
    clock.set_now(NOON + 8 * DAY)  # past the Dragon Boat Festival
    sweep.sweep()


def test_each_number_leads_to_the_steps_behind_it(town: SimpleNamespace) -> None:
    mixed(town)
    client = signed_in()
    for query in ("", "place=street", "procedure=errand&since=2026-06", "office=office"):
        page = client.get(f"/supervision/?{query}")
        assert page.status_code == 200
        cells = [cell for _label, cells in page.context["tables"][0]["rows"] for cell in cells]
        cells += [
            cell for table in page.context["tables"] for _l, row in table["rows"] for cell in row
        ]
        cells += [cell for _title, group in page.context["sums"] for cell in group]
        linked = [cell for cell in cells if cell["url"]]
        assert linked
        for cell in linked:
            behind = client.get(cell["url"])
            assert behind.status_code == 200
            assert str(behind.context["sums"]) == cell["text"]
            assert sum(row["n"] for row in behind.context["rows"]) == int(cell["text"])


def test_figures_by_office_procedure_and_month(town: SimpleNamespace) -> None:
    mixed(town)
    page = signed_in().get("/supervision/")
    office = numbers(page)["街道办事处"]
    assert (office["时限内办结"], office["超过时限"], office["按期率"]) == ("3", "1", "75.0%")
    assert office["现在超期"] == "1"
    assert numbers(page, "procedure")["差事"]["时限内办结"] == "3"
    months = numbers(page, "month")
    assert months["2026年5月"]["时限内办结"] == "1"
    assert (months["2026年6月"]["时限内办结"], months["2026年6月"]["现在超期"]) == ("2", "—")
    assert [plot["id"] for plot in page.context["plots"]] == ["kept", "broken"]
    near = numbers(signed_in().get("/supervision/?place=street"))["街道办事处"]
    assert near["时限内办结"] == "2"
    june = numbers(signed_in().get("/supervision/?since=2026-06&until=2026-06"))["街道办事处"]
    assert june["时限内办结"] == "2"


def test_filters_that_make_no_sense_and_nothing_to_show(town: SimpleNamespace) -> None:
    client = signed_in()
    assert "这些条件下还没有数字" in client.get("/supervision/").text
    page = client.get("/supervision/?since=2026-06&until=2026-01")
    assert "结束月份不能早于开始月份" in page.text
    assert "请先改正筛选条件" in page.text
    for missing in (
        "steps/",
        "steps/?what=nothing",
        "steps/?what=content",
        "steps/?what=rated",
        "steps/?what=kept&since=1999-01",
        "figures.csv?office=nobody",
    ):
        assert client.get(f"/supervision/{missing}").status_code == 404, missing
    assert client.get("/supervision/steps/?what=kept").status_code == 200


def test_what_is_overdue_is_listed_for_those_who_oversee_the_place_alone(
    town: SimpleNamespace,
) -> None:
    mixed(town)
    address = "/supervision/overdue/"
    assert signed_in().get(address).status_code == 302
    assert signed_in(town.residents[0]).get(address).status_code == 403
    for who, sees in (("office", 1), ("auditor", 1), ("committee", 1), ("far_office", 0)):
        page = signed_in(getattr(town, who)).get(address)
        assert page.status_code == 200
        assert len(page.context["rows"]) == sees, who
        assert address in signed_in(getattr(town, who)).get("/supervision/").text
    page = signed_in(town.office).get(address)
    (row,) = page.context["rows"]
    assert (str(row["step"]), row["days"], str(row["office"])) == ("起草", 1, "街道办事处")
    assert f'href="{row["url"]}"' in page.text
    assert "没有超期的事项" in signed_in(town.office).get(f"{address}?procedure=tender").text
    # A place that is not theirs is no choice.
    assert "请先改正筛选条件" in signed_in(town.far_office).get(f"{address}?place=near").text
    assert address not in signed_in(town.residents[0]).get("/supervision/").text
    town.office.roles.update(until=NOON.date())
    assert signed_in(town.office).get(address).status_code == 403


def test_the_public_pages_name_nobody(town: SimpleNamespace) -> None:
    mixed(town)
    names = [person.display_name for person in (town.office, town.committee, *town.residents)]
    for path in ("/supervision/", "/supervision/steps/?what=kept", "/supervision/figures.csv"):
        answer = signed_in().get(path)
        text = answer.getvalue().decode() if answer.streaming else answer.text
        assert not [name for name in names if name and name in text]


def test_the_table_for_spreadsheets(town: SimpleNamespace, monkeypatch: Any) -> None:
    mixed(town)
    monkeypatch.setattr(Errand, "title", "=SUM(A1)")
    body = signed_in().get("/supervision/figures.csv?place=street").getvalue()
    assert body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
    assert {row["程序"] for row in rows} == {"'=SUM(A1)"}
    kept = {(row["月份"], row["责任单位"]): row["时限内办结"] for row in rows}
    assert kept == {
        ("现在", "街道办事处"): "",
        ("2026-05", "街道办事处"): "1",
        ("2026-06", "街道办事处"): "1",
    }
    assert [row["现在超期"] for row in rows if row["月份"] == "现在"] == ["1"]
    assert {row["满意度评价"] for row in rows} == {""}


def test_english(town: SimpleNamespace) -> None:
    mixed(town)
    page = Client(headers={"accept-language": "en"}).get("/supervision/")
    text = re.sub(r"<[^>]+>", " ", page.text.split("<main")[1].split("</main>")[0])
    left = set(re.findall(r"[\u4e00-\u9fff]+", text))
    # Names of places and of the tests' own procedures alone.
    known = {str(declared.title) for declared in supervision.procedures.all_declared()}
    assert left <= known | {"示范街道", "别的街道", "示范小区"}


# --- how much is asked ---------------------------------------------------------------------------


def asked(path: str, person: Any = None) -> int:
    client = signed_in(person)
    client.get(path)
    with CaptureQueriesContext(connection) as caught:
        assert client.get(path).status_code == 200
    return len(caught)


def test_queries_do_not_grow(town: SimpleNamespace) -> None:
    mixed(town)
    paths = ("/supervision/", "/supervision/steps/?what=kept", "/supervision/overdue/")
    few = [asked(path, town.office) for path in paths]
    for _more in range(6):
        mixed(town)
    assert [asked(path, town.office) for path in paths] == few
    assert few[0] <= 28
    assert asked("/supervision/") <= 18


@pytest.fixture
def ten_thousand(town: SimpleNamespace) -> SimpleNamespace:
    """Ten thousand cases of six steps each, over three years."""
    model = opened(town)
    run = run_of(model)
    cases = [
        Case(
            number=f"ERR-{n}",
            procedure=("errand", "sandbox_needs")[n % 2],
            version="1",
            flow_class=model.flow_class,
            community=town.estate,
            title="示范",
            created=NOON,
        )
        for n in range(10_000)
    ]
    Case.objects.bulk_create(cases, batch_size=1000)
    made = []
    for n, case in enumerate(cases):
        for k in range(6):
            at = NOON - dt.timedelta(days=(n * 6 + k) % 1000)
            late = (n + k) % 20 == 0
            made.append(
                StepRun(
                    process=case,
                    flow_task=run.flow_task,
                    name="write",
                    status="DONE",
                    created=at,
                    started=at,
                    finished=at,
                    ends_at=at + DAY,
                    ends_on=at.date(),
                    broken_at=at if late else None,
                    held_by=("office", "residents_committee")[k % 2],
                )
            )
    StepRun.objects.bulk_create(made, batch_size=2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return town


def test_ten_thousand_cases_are_counted_by_indexes(ten_thousand: SimpleNamespace) -> None:
    scope = figures.Scope(JUNE, JUNE)
    for code, *indexes in (
        ("kept", "run_term_kept"),
        ("broken", "run_term_broken_at"),
        ("overdue", "run_late_now", "run_term_broken_at", "run_open_by_term"),  # as it is estimated
    ):
        (source,) = figures.MEASURES[code].sources
        plan = source.found(scope, clock.now()).explain()
        assert any(index in plan for index in indexes), plan
    page = signed_in().get("/supervision/")
    office = numbers(page)["街道办事处"]
    assert int(office["时限内办结"]) > 8000
