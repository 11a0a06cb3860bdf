"""Acting by the API: what may be done is described and done, once, and what comes in is judged."""

from __future__ import annotations

import datetime as dt
import json
import threading

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.sandbox.ballot_procedures import Vote
from tests.sandbox.opinion_procedures import photo
from workflows import acts, clock, sweep
from workflows.models import Case, Opinion, Record, Refusal, Reply, Submission, Trace
from workflows.portal.api import tokens

from .api_program import (
    RESIDENT,
    SAID,
    STAFF,
    Program,
    _forgotten,  # noqa: F401 - fixtures
    consultation,
    said,
)

pytestmark = pytest.mark.django_db(transaction=True)


# --- acting ------------------------------------------------------------------------------------


def test_what_one_may_do_is_described_and_done_as_described(place: Place) -> None:
    case, program = consultation(place), Program(place.others[0], *RESIDENT)
    items = program.get(f"/cases/{case.number}/acts")["items"]
    (offered,) = [item for item in items if item["act"] == "opinion.submitted"]
    assert (offered["step"], offered["paper"]) == ("ask", False)
    fields = offered["form"]["properties"]
    assert fields["text"]["type"] == "string"
    assert {"const": "roof", "title": "屋面防水"}.items() <= {
        k: v for each in fields["item"]["oneOf"] if each["const"] == "roof" for k, v in each.items()
    }.items()
    assert fields["photos"]["items"]["contentMediaType"].startswith("image/*")
    (capacity,) = offered["as"]
    form = {**SAID, "item": "roof", "stance": "want"}
    done = program.act(case, "ask", "opinion.submitted", form=form, **{"as": capacity["as"]})
    record = Record.objects.get(case=case, seq=done["seq"])
    opinion = Opinion.objects.get(record=record)
    assert (opinion.text, opinion.item) == (SAID["text"], "roof")
    assert done["fact"] == {"kind": "opinion", "id": opinion.pk}
    # The person has done it; the record knows of no token.
    trace = Trace.objects.get(record=record)
    assert trace.user_id == place.others[0].pk
    assert record.content["party"].get("via", "online") == "online"
    for secret in (program.token, "token", "令牌", "测试"):
        assert secret not in record.canonical
    assert Client().get(done["receipt_url"]).status_code == 200
    mine = program.get("/me/acts")["items"][0]
    assert (mine["receipt"], mine["seq"]) == (done["receipt"], done["seq"])
    receipt = program.get(f"/me/acts/{case.number}/{done['seq']}")
    assert receipt["copy_to_keep"]["record"] == record.canonical


def test_an_officer_types_in_a_paper_and_answers_it(place: Place) -> None:
    case = consultation(place)
    program = Program(place.committee, *STAFF)
    home = place.units[2].label
    paper = {"household": home, "on": "2026-06-01"}
    done = said(place, program, case, paper=paper)
    opinion = Opinion.objects.get(pk=done["fact"]["id"])
    assert opinion.party_key == f"household:{place.units[2].pk}"
    run = program.get(f"/cases/{case.number}/acts")["items"][0]["run"]
    (waiting,) = program.get(f"/cases/{case.number}/runs/{run}/unanswered")["items"]
    assert (waiting["id"], waiting["text"]) == (opinion.pk, SAID["text"])
    reply = {
        "opinions": [opinion.pk],
        "outcome": "adopted",
        "public_text": "楼道照明",
        "reason": "已报修，本周内更换。",
    }
    program.act(case, "ask", "opinion.replied", form=reply)
    assert Reply.objects.get().reason == reply["reason"]
    errors = said(place, program, case, status=422, paper={**paper, "household": "没有这一户"})
    assert list(errors["errors"]) == ["paper.household"]


def test_a_vote(place: Place) -> None:
    case = acts.open_case(Vote, place.community, place.staff("office"), title="表决")
    call = {
        "questions": "是否改造",
        "matter": "ordinary",
        "reason": "属于其他重大事项",
        "opens_on": "2026-06-17",
    }
    acts.perform(case, "ballot", "ballot.called", place.staff("residents_committee"), call)
    clock.set_now(dt.datetime(2026, 6, 17, 9, tzinfo=clock.SHANGHAI))
    sweep.sweep()
    program = Program(place.others[0], tokens.ACT)
    done = program.act(case, "ballot", "vote.cast", form={"q1": "for"})
    assert done["act"] == "vote.cast"
    # What was handed in stands nowhere, not even as a digest that could be guessed.
    assert "for" not in Submission.objects.get().fingerprint


def test_files_are_judged_by_their_content(place: Place) -> None:
    case, program = consultation(place), Program(place.others[0], tokens.ACT)
    done = said(place, program, case, files={"photos": photo(5)})
    assert Record.objects.get(case=case, seq=done["seq"]).files.count() == 1
    fake = photo(5)
    fake.file.seek(0)
    fake.file.write(b"<svg onload=alert(1)>")
    fake.file.seek(0)
    told = said(place, program, case, status=422, files={"photos": fake})
    assert "photos" in told["errors"]
    told = said(place, program, case, status=422, files={"foto": photo(5)})
    assert list(told["errors"]) == ["form.foto"]


def test_errors_are_problem_details_in_the_language_of_the_request(place: Place) -> None:
    case, program = consultation(place), Program(place.others[0], tokens.ACT, days=365)
    body = {"step": "ask", "act": "opinion.submitted", "form": {}}
    found = {}
    for language in ("zh-hans", "en"):
        headers = {"Accept-Language": language}
        answer = program.send(f"/cases/{case.number}/acts", body, **headers)
        assert answer.status_code == 422
        assert answer["Content-Type"] == "application/problem+json"
        found[language] = answer.json()
    assert {told["code"] for told in found.values()} == {"invalid"}
    assert found["en"]["title"].isascii()
    assert not found["zh-hans"]["title"].isascii()
    assert found["en"]["detail"] != found["zh-hans"]["detail"]
    told = program.act(case, "ask", "opinion.submitted", 422, form={**SAID, "tekst": "x"})
    assert list(told["errors"]) == ["form.tekst"]
    # What the door refuses, as the door says it.
    clock.set_now(dt.datetime(2026, 7, 20, 9, tzinfo=clock.SHANGHAI))
    told = said(place, program, case, status=409)
    assert told["code"] == "late"
    assert told["type"] == "/api/v1/problems#late"
    assert Refusal.objects.filter(code="late", act="opinion.submitted").exists()


def test_a_case_is_opened_by_an_entrance(place: Place) -> None:
    program = Program(place.office, *STAFF)
    (entrance,) = program.get("/procedures/sandbox_needs/entrances")["items"]
    assert entrance["as"] == "office"
    assert "estate" in entrance["places"]
    body = {"place": "estate", "title": "问需", "as": "office"}
    done = program.send("/procedures/sandbox_needs/cases", body, key="open-1")
    assert done.status_code == 201, done.content
    again = program.send("/procedures/sandbox_needs/cases", body, key="open-1")
    assert again.json() == done.json()
    assert Case.objects.get().number == done.json()["number"]
    told = program.send("/procedures/sandbox_needs/cases", {**body, "title": ""})
    assert (told.status_code, list(told.json()["errors"])) == (422, ["title"])
    resident = Program(place.others[0], *RESIDENT)
    assert resident.send("/procedures/sandbox_needs/cases", body).status_code == 403


def test_an_application_opens_a_case_with_its_first_act(place: Place) -> None:
    program = Program(place.others[0], *RESIDENT)
    (entrance,) = program.get("/procedures/disclosure/entrances")["items"]
    assert entrance["first"]["form"]["properties"]
    told = program.send("/procedures/disclosure/cases", {"place": entrance["places"][0]})
    assert told.status_code == 422
    assert not Case.objects.exists(), "neither the case nor its first act"


# --- once --------------------------------------------------------------------------------------


def test_the_same_key_and_body_are_answered_alike_and_done_once(place: Place) -> None:
    case, program = consultation(place), Program(place.others[0], *RESIDENT)
    first = said(place, program, case, key="same", files={"photos": photo(3)})
    before = case.records.count()
    body = {"step": "ask", "act": "opinion.submitted", "form": SAID}
    again = program.send(
        f"/cases/{case.number}/acts", body, key='"same"', files={"photos": photo(3)}
    )
    assert (again.status_code, again.json()) == (201, first)
    assert again["Idempotency-Replayed"] == "true"
    assert case.records.count() == before
    for other in ({"form": {"text": "别的话"}}, {"files": {"photos": photo(4)}}):
        told = said(place, program, case, **{"status": 422, "key": "same", **other})
        assert told["code"] == "key_reused"
    # Another person's key is another key.
    said(place, Program(place.others[1], *RESIDENT), case, key="same")
    assert Opinion.objects.count() == 2


def test_a_key_is_needed_and_is_free_again_after_a_refusal(place: Place) -> None:
    case, program = consultation(place), Program(place.others[0], *RESIDENT)
    answer = program.client.post(
        f"/api/v1/cases/{case.number}/acts",
        json.dumps({"step": "ask", "act": "opinion.submitted", "form": SAID}),
        content_type="application/json",
        headers=program.headers(),
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "key_missing")
    said(place, program, case, status=422, key="k", form={"text": ""})
    said(place, program, case, key="k")
    # Long after, when the body is forgotten, the record still knows the key.
    clock.set_now(clock.now() + dt.timedelta(days=5))
    Submission.objects.all().delete()
    before = case.records.count()
    said(place, program, case, key="k")
    assert case.records.count() == before


def test_of_two_at_once_one_is_done(place: Place) -> None:
    case, program = consultation(place), Program(place.others[0], *RESIDENT)
    gate, answers = threading.Barrier(4), []

    def send() -> None:
        try:
            gate.wait(30)
            body = {"step": "ask", "act": "opinion.submitted", "form": SAID}
            answer = Client().post(
                f"/api/v1/cases/{case.number}/acts",
                json.dumps(body),
                content_type="application/json",
                headers=program.headers(**{"Idempotency-Key": "at-once"}),
            )
            answers.append((answer.status_code, answer.json().get("seq")))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 4
    assert {status for status, _seq in answers} <= {201, 409}
    assert len({seq for status, seq in answers if status == 201}) == 1
    assert Opinion.objects.count() == 1


# --- what comes in -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b" ", 400),
        ("application/json", b"[]", 422),
        ("application/json", b"{", 400),
        ("application/json", b"\xff\xfe", 400),
        ("application/json", b'{"step": "ask", "act": "x", "form": {"text": "\\ud800"}}', 400),
        ("application/json", b'{"step": "ask", "act": "x", "form": {"n": NaN}}', 400),
        (
            "application/json",
            b'{"step": "ask", "act": "opinion.submitted", "form": {"a": {}}}',
            422,
        ),
        ("application/json", b'{"step": "ask", "act": "no.such"}', 404),
        ("application/json", b'{"step": "nowhere", "act": "opinion.submitted"}', 404),
        ("application/json", b"[" * 100_000, 400),
        ("text/plain", b"{}", 415),
        ("application/x-www-form-urlencoded", b"act={}", 415),
        ("multipart/form-data", b"nothing", 400),
        ("multipart/form-data; boundary=x", b"--x--", 400),
    ],
)
def test_nonsense_is_told(place: Place, kind: str, body: bytes, status: int) -> None:
    case, program = consultation(place), Program(place.others[0], *RESIDENT)
    before = case.records.count()
    answer = program.client.post(
        f"/api/v1/cases/{case.number}/acts",
        body,
        content_type=kind,
        headers=program.headers(**{"Idempotency-Key": "k"}),
    )
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert case.records.count() == before


def test_the_number_of_queries_does_not_grow_with_what_was_done(place: Place) -> None:
    case, program = consultation(place), Program(place.others[0], *RESIDENT)
    said(place, program, case)
    addresses = ("/me", "/me/inbox", "/me/cases", "/me/acts", f"/cases/{case.number}/acts")

    def counted() -> list[int]:
        found = []
        for address in addresses:
            with CaptureQueriesContext(connection) as asked:
                program.get(address)
            found.append(len(asked))
        return found

    counted()
    few = counted()
    for number in range(5):
        said(place, program, case, form={"text": f"第{number}条"})
        said(place, program, consultation(place))
    assert counted() == few
