"""The API that acts: for a person, by a token, through the one door, once."""

from __future__ import annotations

import datetime as dt
import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import make_person
from tests.processes.community.test_erasure import Place
from tests.processes.community.test_erasure import place as place
from tests.sandbox.ballot_procedures import Vote
from tests.sandbox.opinion_procedures import Needs, photo
from workflows import acts, clock, sweep
from workflows.models import (
    ApiToken,
    Case,
    Opinion,
    Record,
    Refusal,
    Reply,
    Submission,
    Trace,
)
from workflows.portal.api import tokens

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


class Program:
    """A program with a token, and nothing else."""

    def __init__(self, person: Any, *scopes: str, days: int = 30, confirmed: bool = True) -> None:
        self.person = person
        self.token = tokens.give(person, "测试", scopes, days, confirmed=confirmed)
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=True)

    def headers(self, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", **more}

    def get(self, address: str, status: int = 200, **more: str) -> Any:
        answer = self.client.get(f"/api/v1{address}", headers=self.headers(**more))
        assert answer.status_code == status, answer.content.decode()
        return answer.json()

    def send(self, address: str, body: Any, key: str = "", **more: Any) -> Any:
        headers = self.headers(**{"Idempotency-Key": key or str(uuid.uuid4())})
        files = more.pop("files", None)
        headers |= more
        if files is not None:
            parts = {"act": json.dumps(body), **files}
            return self.client.post(f"/api/v1{address}", parts, headers=headers)
        return self.client.post(
            f"/api/v1{address}", json.dumps(body), content_type="application/json", headers=headers
        )

    def act(self, case: Case, step: str, act: str, status: int = 201, **more: Any) -> Any:
        form = more.pop("form", {})
        passed = {name: more.pop(name) for name in ("key", "files") if name in more}
        body = {"step": step, "act": act, "form": form, **more}
        answer = self.send(f"/cases/{case.number}/acts", body, **passed)
        assert answer.status_code == status, answer.content.decode()
        return answer.json()


def consultation(place: Place) -> Case:
    return acts.open_case(Needs, place.community, place.staff("office"), title="问需")


RESIDENT = (tokens.READ, tokens.ACT)
STAFF = (tokens.READ_STAFF, tokens.ACT_STAFF)
SAID = {"text": "楼道的灯不亮"}


def said(place: Place, program: Program, case: Case, **more: Any) -> Any:
    return program.act(case, "ask", "opinion.submitted", **{"form": SAID, **more})


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


# --- tokens ------------------------------------------------------------------------------------


def test_no_session_opens_it_and_no_form_of_another_site(place: Place) -> None:
    case = consultation(place)
    browser = Client()
    browser.force_login(place.others[0])
    address = f"/api/v1/cases/{case.number}/acts"
    for answer in (
        browser.post(address, json.dumps({}), content_type="application/json"),
        browser.post(address, {"act": "{}"}),
        browser.get(address),
        browser.get("/api/v1/me"),
    ):
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")
    assert case.records.count() == Case.objects.get().length


def test_a_token_does_what_its_scopes_name_and_no_more(place: Place) -> None:
    case = consultation(place)
    reads = Program(place.committee, tokens.READ, tokens.READ_STAFF)
    assert reads.get("/me/inbox")["items"]
    told = said(place, reads, case, status=403)
    assert (told["code"], told["scope"]) == ("scope", "act.resident act.staff")
    # A member of staff who lives here: as a resident, not as staff.
    member = place.others[0]
    from processes.community.models import Role

    Role.objects.create(
        person=member,
        community=place.community,
        role="residents_committee",
        since=dt.date(2020, 1, 1),
    )
    own = Program(member, *RESIDENT)
    roles = {row["role"] for row in own.get("/me")["capacities"]}
    assert "household" in roles
    assert "residents_committee" not in roles
    opinion = said(place, own, case)["fact"]["id"]
    form = {
        "opinions": [opinion],
        "outcome": "adopted",
        "public_text": "灯",
        "reason": "已报修，本周内更换。",
    }
    told = own.act(case, "ask", "opinion.replied", 403, form=form)
    assert told["scope"] == "act.staff"
    paper = {"household": place.units[2].label, "on": "2026-06-01"}
    assert said(place, own, case, status=403, paper=paper)["scope"] == "act.staff"
    staff = Program(member, tokens.ACT_STAFF)
    assert said(place, staff, case, status=403)["scope"] == "act.resident"
    staff.act(case, "ask", "opinion.replied", form=form)


def test_receipts_of_papers_typed_in_are_for_a_token_of_staff(place: Place, settings: Any) -> None:
    """A receipt opens what is the household's: no token without the office's scope brings it."""
    case, typing = consultation(place), Program(place.committee, *STAFF)
    paper = {"household": place.units[2].label, "on": "2026-06-01"}
    done = said(place, typing, case, paper=paper)
    assert [row["seq"] for row in typing.get("/me/acts")["items"]] == [done["seq"]]
    here = f"/me/acts/{case.number}/{done['seq']}"
    assert typing.get(here)["receipt"] == done["receipt"]
    plain = Program(place.committee, tokens.READ)
    assert plain.get("/me/acts")["items"] == []
    plain.get(here, 404)
    settings.SANWEN_STAFF_TOTP = True
    unconfirmed = Program(place.committee, tokens.READ, tokens.READ_STAFF, confirmed=False)
    assert unconfirmed.get("/me/acts")["items"] == []
    resident = Program(place.others[0], *RESIDENT)
    own = said(place, resident, case)
    assert resident.get("/me/acts")["items"][0]["receipt"] == own["receipt"]
    Program(place.others[0], tokens.READ_STAFF).get(f"/me/acts/{case.number}/{own['seq']}", 404)
    Program(place.others[0], tokens.ACT).get("/me/acts", 403)


def test_a_token_lets_nobody_do_what_its_owner_may_not(place: Place) -> None:
    case = consultation(place)
    program = Program(place.others[0], *tokens.SCOPES)
    said(place, program, case)
    form = {"opinions": [1], "outcome": "adopted", "reason": "x"}
    assert program.act(case, "ask", "opinion.replied", 403, form=form)["code"] == "wrong_party"
    run = program.get(f"/cases/{case.number}/acts")["items"][0]["run"]
    program.get(f"/cases/{case.number}/runs/{run}/unanswered", 403)
    stranger = Program(make_person("stranger"), *tokens.SCOPES)
    assert said(place, stranger, case, status=403)["code"] == "wrong_party"
    assert stranger.get(f"/cases/{case.number}/acts")["items"] == []
    # The key of another household helps nobody.
    other = f"household|household:{place.units[2].pk}"
    assert said(place, program, case, status=422, **{"as": other})["errors"]["as"]


def test_a_token_ends_and_is_taken_back(place: Place) -> None:
    program = Program(place.others[0], *RESIDENT, days=30)
    program.get("/me")
    row = ApiToken.objects.get()
    assert row.used_on == clock.today()
    assert bytes(row.digest) == tokens.digest(program.token)
    assert program.token not in str(row.__dict__)
    clock.set_now(clock.now() + dt.timedelta(days=30))
    program.get("/me")
    clock.set_now(clock.now() + dt.timedelta(days=1))
    program.get("/me", 401)
    fresh = Program(place.others[0], *RESIDENT, days=9999)
    assert ApiToken.objects.latest("pk").ends_on == clock.today() + dt.timedelta(days=365)
    place.others[0].is_active = False
    place.others[0].save()
    fresh.get("/me", 401)


@pytest.mark.parametrize("close", [True, False])
def test_an_erased_account_has_no_tokens(place: Place, close: bool) -> None:
    case = consultation(place)
    program = Program(place.person, *RESIDENT)
    said(place, program, case)
    report = place.erase(close=close)
    assert report.gone["tokens"] == 1
    assert not ApiToken.objects.exists()
    assert not Submission.objects.exists()
    program.get("/me", 401)


def test_scopes_of_staff_count_for_nothing_without_a_second_factor(
    place: Place, settings: Any
) -> None:
    program = Program(place.committee, *STAFF, confirmed=False)
    program.get("/me/inbox")
    settings.SANWEN_STAFF_TOTP = True
    program.get("/me/inbox", 403)
    Program(place.committee, *STAFF).get("/me/inbox")


def test_tokens_look_like_tokens_and_are_counted_by_themselves(
    place: Place, settings: Any, monkeypatch: Any
) -> None:
    made = {tokens.drawn() for _ in range(50)}
    assert len(made) == 50
    assert all(tokens.well_formed(token) for token in made)
    one = made.pop()
    assert not tokens.well_formed(one[:-1] + ("a" if one[-1] != "a" else "b"))
    settings.RATELIMIT_ENABLE = True
    monkeypatch.setattr(tokens.OFTEN, "rate", "5/m")
    first, second = Program(place.others[0], *RESIDENT), Program(place.others[1], *RESIDENT)
    with clock.at(clock.now()):
        codes = [
            first.client.get("/api/v1/me", headers=first.headers()).status_code for _ in range(12)
        ]
    assert {*codes} == {200, 429}
    second.get("/me")


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
