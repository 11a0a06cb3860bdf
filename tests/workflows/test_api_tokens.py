"""Tokens: what a program with one may do, and for how long."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client

from tests.factories import make_person
from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from workflows import clock
from workflows.models import ApiToken, Case, Submission
from workflows.portal.api import tokens

from .api_program import (
    RESIDENT,
    STAFF,
    Program,
    _forgotten,  # noqa: F401 - fixtures
    consultation,
    said,
)

pytestmark = pytest.mark.django_db(transaction=True)


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
