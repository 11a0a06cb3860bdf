"""One-time codes on paper: what they open, for how long, and who may hand them out."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from processes.community import claim_views, claims
from processes.community.models import (
    ClaimCode,
    Estate,
    Household,
    HouseholdMember,
    Person,
    Unit,
    code_hash,
)
from tests.factories import make_estate, make_member, make_person, make_unit, units_of
from workflows import clock

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 3, 3, 12, tzinfo=clock.SHANGHAI)
DAY = dt.timedelta(days=1)
PAGE = "/staff/codes/estate/"


@pytest.fixture(autouse=True)
def _plain(settings: Any) -> None:
    settings.SANWEN_STAFF_TOTP = False
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    clock.set_now(NOON)


@pytest.fixture
def estate() -> Estate:
    return make_estate(blocks=2)


@pytest.fixture
def unit(estate: Estate) -> Unit:
    return units_of(estate)[0]


@pytest.fixture
def code(unit: Unit) -> str:
    ((_household, code),) = claims.issue([unit.household], NOON, owns=True)
    return code


@pytest.fixture
def resident() -> Person:
    return make_person("resident")


@pytest.fixture
def home(client: Client, resident: Person) -> Client:
    client.force_login(resident)
    return client


@pytest.fixture
def desk(estate: Estate) -> Client:
    client = Client()
    client.force_login(make_person("clerk", "office", community=estate.community))
    return client


def state(unit: Unit) -> list[tuple[str, bool]]:
    rows = HouseholdMember.objects.filter(household=unit.household).order_by("pk")
    return [(row.person.username, row.owns) for row in rows]


# --- codes -------------------------------------------------------------------------------------


def test_a_code_cannot_be_guessed_and_can_be_copied() -> None:
    codes = {claims.new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(re.fullmatch(r"[2-9A-HJ-KM-NP-Z]{5}(-[2-9A-HJ-KM-NP-Z]{5}){3}", c) for c in codes)
    assert claims.LENGTH * math.log2(len(claims.ALPHABET)) > 80
    assert not set("01OIL") & set(claims.ALPHABET)


def test_only_the_hash_is_kept(code: str) -> None:
    row = ClaimCode.objects.get()
    assert bytes(row.hash) == code_hash(code)
    assert code not in str(ClaimCode.objects.values().get())


@pytest.mark.parametrize(
    "typed",
    [
        lambda code: code,
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f"  {code}\n",
        lambda code: code.replace("-", "—"),
    ],
)
def test_however_it_is_typed(typed: Any, code: str, resident: Person, unit: Unit) -> None:
    claims.claim(typed(code), resident, NOON)
    assert state(unit) == [("resident", True)]


def test_once(code: str, resident: Person, unit: Unit) -> None:
    claims.claim(code, resident, NOON)
    with pytest.raises(claims.ClaimRefused):
        claims.claim(code, make_person("second"), NOON)
    assert state(unit) == [("resident", True)]
    used = ClaimCode.objects.get()
    assert (used.used_by, used.used_at) == (resident, NOON)


def test_until_the_end_and_not_after(code: str, resident: Person, unit: Unit) -> None:
    with pytest.raises(claims.ClaimRefused):
        claims.claim(code, resident, NOON + claims.VALID)
    assert state(unit) == []
    claims.claim(code, resident, NOON + claims.VALID - dt.timedelta(seconds=1))
    assert state(unit) == [("resident", True)]


def test_withdrawn(code: str, resident: Person, unit: Unit) -> None:
    assert claims.withdraw([unit.household], NOON) == 1
    assert claims.withdraw([unit.household], NOON) == 0
    with pytest.raises(claims.ClaimRefused):
        claims.claim(code, resident, NOON)


def test_a_new_code_ends_the_older_one_of_its_kind(code: str, resident: Person, unit: Unit) -> None:
    ((_h, for_rent),) = claims.issue([unit.household], NOON, owns=False)
    ((_h, again),) = claims.issue([unit.household], NOON, owns=True)
    with pytest.raises(claims.ClaimRefused):
        claims.claim(code, resident, NOON)
    claims.claim(for_rent, resident, NOON)
    assert state(unit) == [("resident", False)]
    claims.claim(again, make_person("owner"), NOON)
    assert state(unit) == [("resident", False), ("owner", True)]


def test_an_owner_stays_one(unit: Unit, resident: Person) -> None:
    make_member(unit, resident)
    ((_h, for_rent),) = claims.issue([unit.household], NOON, owns=False)
    claims.claim(for_rent, resident, NOON)
    assert state(unit) == [("resident", True)]


def test_an_owner_who_left_comes_back_as_what_the_code_says(unit: Unit, resident: Person) -> None:
    member = make_member(unit, resident)
    claims.unlink(member, NOON)
    ((_h, for_rent),) = claims.issue([unit.household], NOON, owns=False)
    back = claims.claim(for_rent, resident, NOON)
    assert (back.pk, back.owns, back.until, back.since) == (member.pk, False, None, NOON.date())


def test_unlinking_holds_at_once(unit: Unit, resident: Person) -> None:
    from processes.community.directory import CommunityDirectory

    community = unit.stairwell.building.estate.community
    for since in (NOON.date(), NOON.date() - DAY):
        member = make_member(unit, resident, since=since)
        assert CommunityDirectory().parties_of(resident, community, NOON)
        claims.unlink(member, NOON)
        assert not CommunityDirectory().parties_of(resident, community, NOON)
        HouseholdMember.objects.all().delete()


def test_many_households_at_once(django_assert_max_num_queries: Any, estate: Estate) -> None:
    households = list(Household.objects.order_by("pk"))
    with django_assert_max_num_queries(5):
        issued = claims.issue(households, NOON, owns=True)
    assert [household for household, _code in issued] == households


# --- the page of the claim ---------------------------------------------------------------------


def test_claiming_on_the_page(home: Client, code: str, unit: Unit) -> None:
    assert home.get("/my/claim/").status_code == 200
    answer = home.post("/my/claim/", {"code": code})
    assert (answer.status_code, answer["Location"]) == (302, "/my/")
    assert state(unit) == [("resident", True)]


def test_strangers_sign_in_first(client: Client, code: str, unit: Unit) -> None:
    answer = client.post("/my/claim/", {"code": code})
    assert answer["Location"].startswith("/accounts/login/")
    assert state(unit) == []


def test_the_page_does_not_tell_whether_a_code_exists(
    home: Client, code: str, unit: Unit, estate: Estate
) -> None:
    other = units_of(estate)[1].household
    ((_h, withdrawn),) = claims.issue([other], NOON, owns=True)
    claims.withdraw([other], NOON)
    ((_h, late),) = claims.issue([other], NOON - claims.VALID, owns=False)
    claims.claim(code, make_person("first"), NOON)
    seen = set()
    for wrong in (code, withdrawn, late, claims.new_code(), "short", "！" * 20):
        answer = home.post("/my/claim/", {"code": wrong})
        assert answer.status_code == 422
        page = re.sub(r'(value|name="csrf\w+" value)="[^"]*"', "", answer.content.decode())
        seen.add(page)
    assert len(seen) == 1
    assert state(unit) == [("first", True)]


def test_wrong_codes_are_limited_by_account_and_right_ones_are_not(
    home: Client, code: str, unit: Unit
) -> None:
    for _ in range(11):
        assert home.post("/my/claim/", {"code": "wrong"}).status_code == 422
    assert home.post("/my/claim/", {"code": code}).status_code == 429
    assert state(unit) == []
    neighbour = Client()
    neighbour.force_login(make_person("neighbour"))
    assert neighbour.post("/my/claim/", {"code": code}).status_code == 302


def test_a_whole_building_signs_up_at_one_address(estate: Estate) -> None:
    wells = {unit.stairwell for unit in units_of(estate)}
    for well in wells:
        for number in range(60):
            make_unit(well, f"{number + 500}")
    issued = claims.issue(Household.objects.all(), NOON, owns=True)
    assert len(issued) > 100
    for number, (_household, code) in enumerate(issued):
        client = Client()
        client.force_login(Person.objects.create(username=f"n{number}"))
        assert client.post("/my/claim/", {"code": code}).status_code == 302


def test_wrong_codes_are_limited_by_address(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(claim_views, "LIMITS", (("user", "10/h"), ("ip", "3/h")))
    answers = []
    for number in range(5):
        client = Client()
        client.force_login(make_person(f"guesser{number}"))
        answers.append(client.post("/my/claim/", {"code": "wrong"}).status_code)
    assert answers == [422, 422, 422, 422, 429]


# --- the sheet of slips ------------------------------------------------------------------------


def slips(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200, answer.context["form"].errors
    return {household.unit.label: code for household, code in answer.context["slips"]}


def test_slips_for_a_stairwell(desk: Client, estate: Estate, unit: Unit, resident: Person) -> None:
    answer = desk.post(PAGE, {"stairwell": unit.stairwell_id, "kind": "owner"})
    found = slips(answer)
    assert list(found) == ["1号楼1单元101室", "1号楼1单元102室"]
    assert answer["Cache-Control"].count("no-store") == 1
    page = answer.content.decode()
    assert all(code in page for code in found.values())
    assert page.count("打开http://testserver/my/claim/，登录后填入此码") == 2
    claims.claim(found[unit.label], resident, NOON)
    assert state(unit) == [("resident", True)]
    assert ClaimCode.objects.filter(issued_by__username="clerk").count() == 2
    # Looking again shows no code a second time.
    again = desk.get(f"{PAGE}?stairwell={unit.stairwell_id}").content.decode()
    assert not any(code in again for code in found.values())
    assert "1号楼1单元102室" in again


def test_slips_for_those_who_rent_do_not_vote(
    desk: Client, estate: Estate, unit: Unit, resident: Person
) -> None:
    found = slips(desk.post(PAGE, {"stairwell": unit.stairwell_id, "kind": "household"}))
    claims.claim(found[unit.label], resident, NOON)
    assert state(unit) == [("resident", False)]


def test_printing_again_leaves_the_codes_at_home_alone(
    desk: Client, estate: Estate, unit: Unit
) -> None:
    first = slips(desk.post(PAGE, {"kind": "owner"}))
    assert len(first) == 4
    claims.claim(first[unit.label], make_person("quick"), NOON)
    answer = desk.post(PAGE, {"kind": "owner"})
    assert answer.status_code == 422
    renewed = slips(desk.post(PAGE, {"kind": "owner", "again": "on"}))
    assert set(renewed) == set(first) - {unit.label}
    label = next(iter(renewed))
    with pytest.raises(claims.ClaimRefused):
        claims.claim(first[label], make_person("slow"), NOON)
    claims.claim(renewed[label], make_person("renewed"), NOON)


def test_no_code_for_what_the_developer_has_not_sold(
    desk: Client, estate: Estate, unit: Unit
) -> None:
    Unit.objects.filter(pk=unit.pk).update(developer_unsold=True)
    assert unit.label not in slips(desk.post(PAGE, {"kind": "owner"}))


def test_ending_a_code_and_a_link(desk: Client, estate: Estate, unit: Unit, code: str) -> None:
    member = make_member(unit)
    row = ClaimCode.objects.get()
    page = desk.get(f"{PAGE}?stairwell={unit.stairwell_id}").content.decode()
    for path in (f"{PAGE}{row.pk}/end/", f"{PAGE}members/{member.pk}/end/"):
        assert path in page
        assert desk.get(path).status_code == 405
        answer = desk.post(path)
        assert answer["Location"] == f"{PAGE}?stairwell={unit.stairwell_id}"
    assert not claims.waiting(NOON).exists()
    member.refresh_from_db()
    assert member.until == NOON.date() - DAY
    assert desk.post(f"{PAGE}members/{member.pk}/end/").status_code == 404


@pytest.mark.parametrize("query", ["", "?stairwell=", "?stairwell=x", "?stairwell=99999999999999"])
def test_no_such_stairwell(desk: Client, estate: Estate, query: str) -> None:
    assert desk.get(f"{PAGE}{query}").status_code == 200
    assert desk.post(PAGE, {"kind": "owner", "stairwell": "424242"}).status_code == 422


@pytest.mark.parametrize("role", ["", "auditor", "owners_committee", "moderator", "contractor"])
def test_others_may_not_hand_out_codes(estate: Estate, unit: Unit, code: str, role: str) -> None:
    client = Client()
    person = make_person("other", *([role] if role else []), community=estate.community)
    member = make_member(unit, person)
    client.force_login(person)
    row = ClaimCode.objects.get()
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"kind": "owner"}).status_code == 403
    assert client.post(f"{PAGE}{row.pk}/end/").status_code == 403
    assert client.post(f"{PAGE}members/{member.pk}/end/").status_code == 403
    assert claims.waiting(NOON).count() == 1
    assert member in HouseholdMember.objects.filter(until=None)


def test_the_office_of_another_estate_may_not(estate: Estate, unit: Unit, code: str) -> None:
    far = make_estate("far")
    client = Client()
    client.force_login(make_person("far", "office", community=far.community))
    row = ClaimCode.objects.get()
    member = make_member(unit)
    # By the address of their own estate they do not reach another's rows either.
    assert client.get(PAGE).status_code == 403
    assert client.post(f"/staff/codes/far/{row.pk}/end/").status_code == 404
    assert client.post(f"/staff/codes/far/members/{member.pk}/end/").status_code == 404
    form = {"kind": "owner", "stairwell": unit.stairwell_id}
    assert client.post("/staff/codes/far/", form).status_code == 422
    assert claims.waiting(NOON).count() == 1
    assert client.get("/staff/codes/nowhere/").status_code == 404
