"""The API: what pages show to everybody, as JSON; nothing personal, few queries."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.processes.community.erasure_cases import MASKED, NAME, PHONE, ROOM, TEXT, Place
from tests.processes.community.erasure_cases import place as place
from tests.sandbox.opinion_procedures import Design, photo
from workflows import acts, clock
from workflows.models import Case, Objection, StepRun
from workflows.parties import directory
from workflows.portal.api.answers import PUBLIC

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    cache.clear()


def get(address: str, status: int = 200, **headers: str) -> Any:
    answer = Client().get(f"/api/v1{address}", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else None


def run_of(case: Case, name: str) -> int:
    return StepRun.objects.filter(process=case, name=name).latest("pk").pk


def everything(address: str, limit: int = 2) -> list[Any]:
    """All items of a list, read with its cursor."""
    found: list[Any] = []
    cursor = ""
    sign = "&" if "?" in address else "?"
    while True:
        page = get(f"{address}{sign}limit={limit}&cursor={cursor}")
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = page["next"]


def test_a_case_with_its_steps_records_opinions_and_replies(place: Place) -> None:
    case = place.consultation()
    case.refresh_from_db()
    (listed,) = get("/cases")["items"]
    whole = get(f"/cases/{case.number}")
    assert listed["number"] == whole["number"] == case.number
    assert (whole["state"], whole["place"], whole["records"]) == ("open", "estate", case.length)
    assert whole["head"] == bytes(case.head or b"").hex()
    (ask,) = [run for run in whole["runs"] if run["name"] == "ask"]
    assert ask["term"]["ends_on"]
    records = everything(f"/cases/{case.number}/records")
    assert [record["seq"] for record in records] == list(range(case.length))
    assert get(f"/cases/{case.number}/records?run={ask['id']}&limit=1")["items"][0]["run"]
    one = get(f"/cases/{case.number}/records/1")
    assert json.loads(one["canonical"])["seq"] == 1
    mine, other = everything(f"/cases/{case.number}/runs/{ask['id']}/opinions", limit=1)
    assert (mine["wording"], mine["outcome"], mine["state"]) == (MASKED, "adopted", "replied")
    assert records[mine["seq"]]["act"] == "opinion.submitted"
    assert records[other["reply_seq"]]["body"]["reason"] == other["reason"]


def test_a_ballot_with_its_result(place: Place) -> None:
    case = place.ballot()
    shown = get(f"/cases/{case.number}/runs/{run_of(case, 'ballot')}/ballot")
    (question, *_more) = shown["questions"]
    assert question["tally"]["outcome"] in ("carried", "lost", "no_quorum")
    assert shown["turnout"]["voted_heads"] == 4
    assert shown["electorate"] == "owners"


def test_a_notice_with_its_objections(place: Place) -> None:
    case = acts.open_case(Design, place.community, place.staff("office"), title="设计方案")
    well = next(member for member in directory().members("stairwells", place.community))
    committee = place.staff("residents_committee")
    acts.perform(
        case, "stand", "notice.posted", committee, {"places": [well.key]}, {"photos": [photo(7)]}
    )
    said = {"ground": "interest", "text": "车棚挡住我家的窗"}
    acts.perform(case, "stand", "objection.raised", place.owner(1, "household"), said)
    run = run_of(case, "stand")
    notice = get(f"/cases/{case.number}/runs/{run}/publicity")
    assert notice["ends_on"]
    assert notice["postings"][0]["posted_at"]
    (waiting,) = get(f"/cases/{case.number}/runs/{run}/objections")["items"]
    assert (waiting["state"], waiting["wording"], waiting["ground"]) == ("raised", "", "interest")
    decision = {
        "objections": [Objection.objects.get().pk],
        "decision": "dismissed",
        "public_text": "车棚挡住住户的窗。",
        "reason": "经现场核查,车棚距窗不足两米。",
    }
    acts.perform(case, "stand", "objection.decided", place.staff("office"), decision)
    (decided,) = get(f"/cases/{case.number}/runs/{run}/objections")["items"]
    assert (decided["decision"], decided["wording"]) == ("dismissed", "车棚挡住住户的窗。")
    get(f"/cases/{case.number}/runs/{run}/ballot", 404)


def test_procedures_and_places(place: Place) -> None:
    codes = [row["code"] for row in get("/procedures")["items"]]
    assert "renovation" in codes
    steps = get("/procedures/renovation")["steps"]
    assert any(step["kind"] == "ballot" and step["sources"] for step in steps)
    assert [row["code"] for row in everything("/places", limit=1)] == ["estate", "street"]
    assert get("/places/estate")["parent"] == "street"
    get("/places/nowhere", 404)


def test_filters_and_order(place: Place) -> None:
    first = place.consultation()
    clock.set_now(clock.now() + dt.timedelta(minutes=1))
    second = place.ballot()
    assert [row["number"] for row in everything("/cases", limit=1)] == [second.number, first.number]
    assert [row["number"] for row in get("/cases?procedure=vote")["items"]] == [second.number]
    assert len(get("/cases?place=street")["items"]) == 2
    assert get("/cases?q=%E6%B2%A1%E6%9C%89")["items"] == []
    assert get("/cases?state=suspended")["items"] == []


def test_a_client_that_has_it_is_told_so_until_the_case_moves(place: Place) -> None:
    case = place.consultation()
    for address in (
        "/cases",
        f"/cases/{case.number}",
        f"/cases/{case.number}/records",
        f"/cases/{case.number}/runs/{run_of(case, 'ask')}/opinions",
        "/procedures",
    ):
        answer = Client().get(f"/api/v1{address}")
        tag, when = answer["ETag"], answer["Last-Modified"]
        with CaptureQueriesContext(connection) as asked:
            get(address, 304, **{"If-None-Match": tag})
        assert len(asked) <= 3, address
        get(address, 304, **{"If-Modified-Since": when})
        get(address, 200, **{"If-None-Match": tag, "Accept-Language": "en"})
    acts.perform(case, "ask", "opinion.submitted", place.owner(1, "household"), {"text": "又一条"})
    get("/cases", 200, **{"If-None-Match": Client().get("/api/v1/cases?x").headers["ETag"]})
    tag = Client().get(f"/api/v1/cases/{case.number}")["ETag"]
    acts.perform(case, "ask", "opinion.submitted", place.owner(1, "household"), {"text": "第三条"})
    get(f"/cases/{case.number}", 200, **{"If-None-Match": tag})


def test_the_number_of_queries_does_not_grow_with_the_rows(place: Place) -> None:
    case = place.consultation()
    base = f"/cases/{case.number}"
    addresses = {
        "/cases": 3,
        base: 3,
        f"{base}/records": 5,
        f"{base}/runs/{run_of(case, 'ask')}/opinions": 4,
        f"{base}/late-opinions": 3,
    }

    def counted() -> dict[str, int]:
        found = {}
        for address in addresses:
            with CaptureQueriesContext(connection) as asked:
                get(address)
            found[address] = len(asked)
        return found

    few = counted()
    for number in range(6):
        said = {"text": f"再说第{number}条"}
        acts.perform(case, "ask", "opinion.submitted", place.owner(1, "household"), said)
    for number in range(4):
        acts.open_case(
            case.declared, place.community, place.staff("office"), title=f"又一件{number}"
        )
    assert counted() == few
    assert few == addresses


def test_nothing_personal_and_nothing_withdrawn_is_in_it(place: Place) -> None:
    case = place.consultation()
    # An opinion that is not yet answered has no public words.
    acts.perform(
        case, "ask", "opinion.submitted", place.owner(1, "household"), {"text": "还没有答复的话"}
    )
    place.ballot()
    ask = run_of(case, "ask")

    def whole() -> str:
        found = [get("/cases"), get("/places")]
        for row in get("/cases")["items"]:
            found += [get(f"/cases/{row['number']}"), everything(f"/cases/{row['number']}/records")]
        found.append(get(f"/cases/{case.number}/runs/{ask}/opinions"))
        for seq in range(Case.objects.get(pk=case.pk).length):
            found.append(get(f"/cases/{case.number}/records/{seq}"))
        return json.dumps(found, ensure_ascii=False)

    text = whole()
    assert MASKED in text
    for word in (NAME, PHONE, TEXT, ROOM, "wanglaoshi", "household:", "person:", "还没有答复的话"):
        assert word not in text
    # Once erased, the public wording goes too.
    place.erase()
    assert MASKED not in whole()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/cases/ERR-2026-0001", 404),
        ("/cases/nonsense", 422),
        ("/cases/a%00b", 422),
        ("/cases?q=%00", 422),
        ("/cases?limit=0", 422),
        ("/cases?limit=201", 422),
        ("/cases?cursor=AAAA", 404),
        ("/cases?cursor=%FF", 422),
        ("/cases?cursor=MjAyNi0wMS0wMQkx", 404),
        ("/procedures/none", 404),
        ("/nothing", 404),
    ],
)
def test_what_is_not_as_described_is_said(db: Any, address: str, status: int) -> None:
    answer = Client().get(f"/api/v1{address}")
    assert answer.status_code == status
    if address != "/nothing":
        told = answer.json()
        assert told["code"]
        assert told["detail"]


def test_writing_is_refused(place: Place) -> None:
    case = place.consultation()
    for method in ("post", "put", "patch", "delete"):
        assert getattr(Client(), method)(f"/api/v1/cases/{case.number}").status_code == 405


def test_too_many_requests_are_told_when_to_come_again(
    db: Any, settings: Any, monkeypatch: Any
) -> None:
    settings.RATELIMIT_ENABLE = True
    monkeypatch.setattr(PUBLIC, "rate", "5/m")
    with clock.at(dt.datetime(2026, 6, 1, 9, tzinfo=clock.SHANGHAI)):
        codes = {Client().get("/api/v1/places").status_code for _ in range(12)}
        answer = Client().get("/api/v1/places")
    assert codes == {200, 429}
    assert answer["Retry-After"] == "60"
    assert answer.json()["code"] == "too_many"


def test_the_description_is_openapi_3_1_and_names_every_operation(db: Any) -> None:
    shown = get("/openapi.json")
    assert shown["openapi"] == "3.1.0"
    names = [op["operationId"] for path in shown["paths"].values() for op in path.values()]
    assert len(names) == len(set(names))
    assert "list_records" in names
    for address, path in shown["paths"].items():
        for method, operation in path.items():
            told = set(operation["responses"])
            if operation.get("security"):
                assert {"401", "403", "404", "422", "429"} <= told, address
            elif address != "/api/v1/problems":
                assert {"200", "304", "404", "422", "429"} <= told, address
            assert method == "get" or operation["security"], "only a token writes"
