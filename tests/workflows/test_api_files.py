"""Private files by a token: what the same person may download on the pages, and no more."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext

from processes.community.models import Role
from tests.factories import make_estate, make_member, make_person, make_street, units_of
from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.sandbox.opinion_procedures import Needs, photo
from tests.workflows.api_program import Program, consultation, said
from workflows import acts, clock
from workflows.models import ApiToken, Attachment, Case
from workflows.portal.api import tokens

pytestmark = pytest.mark.django_db(transaction=True)
ALL = tuple(tokens.SCOPES)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def asked(program: Program, file: Attachment) -> Any:
    return program.client.get(f"/api/v1/files/{file.uid}", headers=program.headers())


def on_page(person: Any, file: Attachment) -> int:
    client = Client()
    if person is not None:
        client.force_login(person)
    return client.get(file.get_absolute_url()).status_code


def opinion(place: Place, number: int = 0, shade: int = 5) -> tuple[Case, Attachment]:
    """A neighbour's opinion with a photo, which is private."""
    case = consultation(place)
    done = said(
        place, Program(place.others[number], tokens.ACT), case, files={"photos": photo(shade)}
    )
    file = Attachment.objects.get(record__case=case, record__seq=done["seq"])
    assert not file.public
    return case, file


def test_everybody_gets_by_a_token_what_they_get_on_the_pages(place: Place) -> None:
    case, file = opinion(place)
    far = make_estate("estate2", units=1, parent=make_street("street2", "示范街道二"))
    street = place.community.parent
    people = {
        "author": place.others[0],
        "neighbour": place.others[1],
        "committee": place.committee,
        "office": place.office,
        "moderator": make_person("moderator", "moderator", community=street),
        "auditor": make_person("auditor", "auditor", community=street),
        "account": make_person("somebody"),
        "resident elsewhere": make_member(units_of(far)[0]).person,
        "office elsewhere": make_person("clerk2", "office", community=far.community.parent),
    }
    found = {}
    for who, person in people.items():
        program = Program(person, *ALL)
        answer = asked(program, file)
        seq = file.record.seq  # type: ignore[union-attr]
        listed = program.get(f"/cases/{case.number}/records/{seq}/files")["items"]
        assert answer.status_code == on_page(person, file), who
        assert bool(listed) == (answer.status_code == 200), who
        found[who] = answer.status_code
        if answer.status_code == 404:
            assert answer.json()["code"] == "not_found"
    inside = {"author", "committee", "office", "moderator", "auditor"}
    assert found == {who: 200 if who in inside else 404 for who in people}


def test_it_comes_as_on_the_pages_and_is_kept_nowhere(place: Place) -> None:
    case, file = opinion(place)
    program = Program(place.others[0], tokens.READ)
    mine = program.get("/me/acts")["items"][0]
    (row,) = program.get(f"/cases/{case.number}/records/{mine['seq']}/files")["items"]
    assert row["url"] == f"/api/v1/files/{file.uid}"
    assert (row["sha256"], row["size"], row["public"], row["erased"]) == (
        file.sha256, file.size, False, False,
    )  # fmt: skip
    answer = program.client.get(row["url"], headers=program.headers())
    browser = Client()
    browser.force_login(place.others[0])
    page = browser.get(file.get_absolute_url())
    assert b"".join(answer.streaming_content) == b"".join(page.streaming_content)
    own = {"X-Request-ID"}
    assert {k: v for k, v in answer.items() if k not in own} == {
        k: v for k, v in page.items() if k not in own
    } | {"Vary": answer["Vary"]}
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"
    assert "Access-Control-Allow-Origin" not in answer
    assert "张三" not in str(answer.headers)


@pytest.mark.parametrize("who", ["author", "office"])
def test_a_token_without_the_scope_is_told_which(place: Place, who: str) -> None:
    case, file = opinion(place)
    person = place.others[0] if who == "author" else place.office
    needed = tokens.READ if who == "author" else tokens.FILES_STAFF
    wrong = Program(person, *(set(ALL) - {needed}))
    answer = asked(wrong, file)
    assert (answer.status_code, answer.json()["scope"]) == (403, needed)
    assert f'scope="{needed}"' in answer["WWW-Authenticate"]
    seq = file.record.seq  # type: ignore[union-attr]
    assert wrong.get(f"/cases/{case.number}/records/{seq}/files")["items"] == []
    assert asked(Program(person, needed), file).status_code == 200
    # Nothing but reading was given: then not even this address answers.
    acting = Program(person, tokens.ACT, tokens.ACT_STAFF, tokens.READ_STAFF)
    assert acting.get(f"/cases/{case.number}/records/{seq}/files", 403)["code"] == "scope"


def test_no_session_and_no_token_that_has_ended(place: Place, settings: Any) -> None:
    _case, file = opinion(place)
    browser = Client()
    browser.force_login(place.others[0])
    assert browser.get(f"/api/v1/files/{file.uid}").status_code == 401
    program = Program(place.others[0], tokens.READ, days=30)
    assert asked(program, file).status_code == 200
    with clock.at(clock.now() + dt.timedelta(days=31)):
        assert asked(program, file).status_code == 401
    tokens.revoke(Q(pk=ApiToken.objects.latest("pk").pk))
    assert asked(program, file).status_code == 401
    staff = Program(place.office, tokens.FILES_STAFF, confirmed=False)
    assert asked(staff, file).status_code == 200
    settings.SANWEN_STAFF_TOTP = True
    assert asked(staff, file).status_code == 403, "a scope of staff, made without a code"


def test_what_one_did_in_an_office_ends_with_it(place: Place) -> None:
    """A signed form that was typed in is the household's: whoever typed it in has its scan as long
    as they may type in here, on the pages as by a token."""
    case = consultation(place)
    program = Program(place.committee, *ALL)
    client = Client()
    client.force_login(place.committee)
    told = {
        "text": "屋顶漏水",
        "resident": place.units[2].label,
        "happened_on": "2026-06-01",
        "scan": photo(9),
    }
    answer = client.post(f"/cases/{case.number}/do/ask/opinion.submitted/?paper=1", told)
    assert answer.status_code == 302, answer.content.decode()
    file = Attachment.objects.get(record__case=case)
    assert asked(program, file).status_code == on_page(place.committee, file) == 200
    receipt = answer["Location"]
    assert client.get(receipt).status_code == 200
    Role.objects.filter(person=place.committee).delete()
    assert client.get(receipt).status_code == 404
    assert on_page(place.committee, file) == 404
    assert asked(program, file).status_code == 404


def test_an_erased_file_is_gone_and_a_public_one_is_there(place: Place) -> None:
    case = place.consultation()
    file = Attachment.objects.filter(record__case=case).earliest("pk")
    seq = file.record.seq  # type: ignore[union-attr]
    office, author = Program(place.office, *ALL), Program(place.person, *ALL)
    assert asked(author, file).status_code == 200
    place.erase(close=False)
    told = asked(office, file)
    assert (told.status_code, told.json()["code"]) == (410, "erased")
    assert told["Content-Type"] == "application/problem+json"
    (row,) = office.get(f"/cases/{case.number}/records/{seq}/files")["items"]
    assert row["erased"]
    stranger = Program(make_person("stranger"), tokens.READ)
    assert asked(stranger, file).status_code == 404
    other = Attachment.objects.exclude(file="").get(record__case=case)
    Attachment.objects.filter(pk=other.pk).update(public=True)
    answer = asked(stranger, other)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"


def test_what_is_not_there_is_not_found(place: Place) -> None:
    case, _file = opinion(place)
    program = Program(place.others[0], *ALL)
    assert program.get(f"/files/{uuid.uuid4()}", 404)["code"] == "not_found"
    assert program.get("/files/x", 422)["code"] == "invalid"
    program.get(f"/cases/{case.number}/records/99/files", 404)
    program.get("/cases/NONE-2026-0001/records/1/files", 404)
    loose = Attachment.objects.create(name="x.png", field="x", label="x", size=1)
    assert asked(program, loose).status_code == on_page(place.others[0], loose) == 404


def test_files_are_counted_with_what_else_a_token_asks(
    place: Place, settings: Any, monkeypatch: Any
) -> None:
    _case, file = opinion(place)
    settings.RATELIMIT_ENABLE = True
    monkeypatch.setattr(tokens.OFTEN, "rate", "3/m")
    program = Program(place.others[0], tokens.READ)
    with clock.at(clock.now()):
        codes = [asked(program, file).status_code for _ in range(8)]
    assert set(codes) == {200, 429}


def test_the_number_of_queries_does_not_grow_with_the_files(place: Place) -> None:
    counts = []
    for shown in (1, 4):
        case = acts.open_case(Needs, place.community, place.staff("office"), title="问需")
        files = {"photos": [photo(shade) for shade in range(shown)]}
        party = place.owner(1, "household")
        done = acts.perform(case, "ask", "opinion.submitted", party, {"text": "漏水"}, files)
        address = f"/cases/{case.number}/records/{done.record.seq}/files"
        for person in (place.others[0], place.office):
            program = Program(person, *ALL)
            program.get("/me")
            with CaptureQueriesContext(connection) as told:
                items = program.get(address)["items"]
            assert len(items) == shown
            counts.append(len(told))
    assert counts[:2] == counts[2:]
