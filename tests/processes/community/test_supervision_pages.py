"""Supervision: what the figures say, who sees which list, how much is asked."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.sandbox.core_procedures import Errand
from tests.sandbox.opinion_procedures import Needs
from workflows import acts, clock, sweep
from workflows import procedure as procedures
from workflows.models import Case, StepRun
from workflows.portal import figures

from .supervision_cases import (  # noqa: F401 - fixtures
    DAY,
    NOON,
    _fresh,
    opened,
    party,
    run_of,
    signed_in,
    town_fixture,
    write,
)

JUNE = dt.date(2026, 6, 1)


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
    known = {str(declared.title) for declared in procedures.all_declared()}
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
        (
            "overdue",
            "run_late_now_held",
            "run_term_broken_at",
            "run_open_term_held",
            "run_open_held",
        ),  # as it is estimated
    ):
        (source,) = figures.MEASURES[code].sources
        plan = source.found(scope, clock.now()).explain()
        assert any(index in plan for index in indexes), plan
    page = signed_in().get("/supervision/")
    office = numbers(page)["街道办事处"]
    assert int(office["时限内办结"]) > 8000
