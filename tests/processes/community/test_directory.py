"""Who is what, where and when, as the one door asks."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction

from processes.community.directory import CommunityDirectory
from processes.community.models import (
    Committee,
    Estate,
    HouseholdMember,
    Office,
    Owner,
    Person,
    Role,
    Unit,
)
from tests.factories import (
    SINCE,
    make_estate,
    make_member,
    make_person,
    make_street,
    make_unit,
    units_of,
)
from workflows import clock
from workflows.counting import freeze_roll
from workflows.models import Community
from workflows.parties import Party

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 3, 3, 12, tzinfo=clock.SHANGHAI)
DAY = dt.timedelta(days=1)
ask = CommunityDirectory()


@pytest.fixture
def street() -> Community:
    return make_street()


@pytest.fixture
def estate(street: Community) -> Estate:
    return make_estate(parent=street)


@pytest.fixture
def unit(estate: Estate) -> Unit:
    return units_of(estate)[0]


def roles(person: Person, community: Community, at: dt.datetime = NOON) -> list[str]:
    return [party.role for party in ask.parties_of(person, community, at)]


# --- staff -------------------------------------------------------------------------------------


def test_an_office_serves_its_own_estates_and_no_other(street: Community, estate: Estate) -> None:
    clerk = make_person("clerk", "office", community=street)
    elsewhere = make_estate("elsewhere", parent=make_street("other"))
    (party,) = ask.parties_of(clerk, estate.community, NOON)
    assert (party.role, party.key, party.user_id) == ("office", f"person:{clerk.pk}", clerk.pk)
    assert ask.holds(party, estate.community, NOON)
    assert ask.holds(party, street, NOON)
    assert roles(clerk, elsewhere.community) == []
    assert not ask.holds(party, elsewhere.community, NOON)


def test_a_role_in_an_estate_is_none_above_it_or_beside_it(
    street: Community, estate: Estate
) -> None:
    chair = make_person("chair", "owners_committee", community=estate.community)
    (party,) = ask.parties_of(chair, estate.community, NOON)
    assert not ask.holds(party, street, NOON)
    assert not ask.holds(party, make_estate("beside", parent=street).community, NOON)


@pytest.mark.parametrize(
    ("day", "holds"),
    [
        (dt.date(2026, 2, 28), False),
        (dt.date(2026, 3, 1), True),
        (dt.date(2026, 3, 5), True),
        (dt.date(2026, 3, 6), False),
    ],
)
def test_first_and_last_day_count(estate: Estate, day: dt.date, holds: bool) -> None:
    person = make_person(
        "p",
        "auditor",
        community=estate.community,
        since=dt.date(2026, 3, 1),
        until=dt.date(2026, 3, 5),
    )
    # One minute to midnight, in Shanghai.
    at = dt.datetime.combine(day, dt.time(23, 59), clock.SHANGHAI)
    party = Party("auditor", f"person:{person.pk}", person.pk)
    assert ask.holds(party, estate.community, at) is holds
    assert bool(roles(person, estate.community, at)) is holds
    assert ask.may_oversee(person, estate.community, at) is holds


def test_whoever_sits_in_a_committee_sits_no_longer_than_its_term(estate: Estate) -> None:
    committee = Committee.objects.create(
        community=estate.community,
        kind="owners_committee",
        name="第一届业主委员会",
        since=SINCE,
        until=NOON.date(),
    )
    person = make_person("p", "owners_committee", community=estate.community)
    person.roles.update(committee=committee)
    (party,) = ask.parties_of(person, estate.community, NOON)
    assert party.label == "第一届业主委员会"
    assert ask.holds(party, estate.community, NOON)
    assert not ask.holds(party, estate.community, NOON + DAY)
    assert roles(person, estate.community, NOON + DAY) == []


def test_in_whose_name(street: Community) -> None:
    office = Office.objects.create(community=street, kind="housing", name="示范区住建局")
    person = make_person("p", "reviewer:housing", "auditor", community=street)
    person.roles.filter(role="reviewer").update(office=office)
    serving = [party for party in ask.parties_of(person, street, NOON) if not party.everyone]
    assert [party.label for party in serving] == [
        "示范区住建局",
        "审计监督",
    ]


def test_nobody_holds_what_is_another_accounts(estate: Estate) -> None:
    clerk = make_person("clerk", "office", community=estate.community)
    other = make_person("other")
    for party in (
        Party("office", f"person:{clerk.pk}", other.pk),
        Party("office", f"person:{other.pk}", other.pk),
        Party("office", f"person:{other.pk}", clerk.pk),
        Party("auditor", f"person:{clerk.pk}", clerk.pk),
        Party("office", f"household:{clerk.pk}", clerk.pk),
        Party("office", f"person:{clerk.pk}", clerk.pk, via="paper"),
        Party("clock", "clock"),
    ):
        assert not ask.holds(party, estate.community, NOON), party


def test_a_closed_account_holds_nothing(estate: Estate, unit: Unit) -> None:
    person = make_person("p", "office", community=estate.community)
    make_member(unit, person)
    parties = ask.parties_of(person, estate.community, NOON)
    assert len(parties) == 3
    person.is_active = False
    person.save()
    assert ask.parties_of(person, estate.community, NOON) == []
    assert not any(ask.holds(party, estate.community, NOON) for party in parties)
    assert not ask.may_oversee(person, estate.community, NOON)


def test_strangers(estate: Estate) -> None:
    assert ask.parties_of(AnonymousUser(), estate.community, NOON) == []
    assert not ask.may_oversee(AnonymousUser(), estate.community, NOON)


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        ("office", True),
        ("residents_committee", True),
        ("auditor", True),
        ("moderator", True),
        ("admin", True),
        ("owners_committee", False),
        ("contractor", False),
        ("designer", False),
        ("residents_representative", False),
    ],
)
def test_who_sees_what_is_not_public(estate: Estate, role: str, sees: bool) -> None:
    person = make_person("p", role, community=estate.community)
    assert ask.may_oversee(person, estate.community, NOON) is sees


# --- residents ---------------------------------------------------------------------------------


def test_an_owner_speaks_and_votes(estate: Estate, unit: Unit) -> None:
    person = make_member(unit).person
    parties = ask.parties_of(person, estate.community, NOON)
    assert [(party.role, party.key) for party in parties] == [
        ("household", f"household:{unit.pk}"),
        ("owner", f"household:{unit.pk}"),
    ]
    assert all(ask.holds(party, estate.community, NOON) for party in parties)


def test_who_rents_speaks_and_does_not_vote(estate: Estate, unit: Unit) -> None:
    person = make_member(unit, owns=False).person
    assert roles(person, estate.community) == ["household"]
    key = f"household:{unit.pk}"
    assert ask.holds(Party("household", key, person.pk), estate.community, NOON)
    assert not ask.holds(Party("owner", key, person.pk), estate.community, NOON)


def test_a_household_is_its_own(estate: Estate, street: Community) -> None:
    mine, theirs = units_of(estate)
    person = make_member(mine).person
    far = units_of(make_estate("far", parent=street))[0]
    for unit in (theirs, far):
        party = Party("owner", f"household:{unit.pk}", person.pk)
        assert not ask.holds(party, estate.community, NOON)
    here = Party("owner", f"household:{mine.pk}", person.pk)
    assert not ask.holds(here, far.stairwell.building.estate.community, NOON)
    assert roles(person, far.stairwell.building.estate.community) == []


def test_moved_out(estate: Estate, unit: Unit) -> None:
    person = make_member(unit, until=NOON.date()).person
    assert roles(person, estate.community) == ["household", "owner"]
    assert roles(person, estate.community, NOON + DAY) == []


@pytest.mark.parametrize("key", ["household:", "household:x", "household:²", "person:1", "", "1"])
def test_keys_that_are_none(estate: Estate, key: str) -> None:
    person = make_person("p", "office", community=estate.community)
    for via in ("online", "paper"):
        party = Party("owner", key, person.pk, via=via)
        assert not ask.holds(party, estate.community, NOON)


@pytest.mark.parametrize(
    ("role", "may"),
    [("office", True), ("residents_committee", True), ("auditor", False), ("moderator", False)],
)
def test_who_types_in_paper_forms(estate: Estate, unit: Unit, role: str, may: bool) -> None:
    person = make_person("p", role, community=estate.community)
    party = Party("owner", f"household:{unit.pk}", person.pk, via="paper")
    assert ask.holds(party, estate.community, NOON) is may


def test_paper_forms_are_of_units_of_this_estate(estate: Estate, street: Community) -> None:
    person = make_person("p", "office", community=street)
    far = units_of(make_estate("far", parent=street))[0]
    party = Party("owner", f"household:{far.pk}", person.pk, via="paper")
    assert not ask.holds(party, estate.community, NOON)
    resident = make_member(units_of(estate)[0]).person
    party = Party("owner", f"household:{units_of(estate)[0].pk}", resident.pk, via="paper")
    assert not ask.holds(party, estate.community, NOON)


# --- groups, rolls, names ----------------------------------------------------------------------


def test_groups_in_walking_order() -> None:
    estate = make_estate("big", blocks=2, stairwells=2, units=1)
    unsold = make_unit(units_of(estate)[-1].stairwell, "909", unsold=True)
    places = ["1号楼1单元", "1号楼2单元", "2号楼1单元", "2号楼2单元"]
    assert [well.label for well in ask.members("stairwells", estate.community)] == places
    households = ask.members("households", estate.community)
    assert [each.label for each in households] == [f"{place}101室" for place in places]
    assert households[0].public_label == "1号楼1单元***室"
    assert households[0].area == 5000
    everything = ask.members("units", estate.community)
    assert [each.key for each in everything[-1:]] == [f"household:{unsold.pk}"]
    assert len(everything) == 5
    assert ask.members("sandwiches", estate.community) == []


def test_a_roll_has_one_head_for_an_owner_and_every_way_to_its_vote(estate: Estate) -> None:
    first, second = units_of(estate)
    second.owners.clear()
    second.ownerships.create(owner=first.owners.get())
    pair = make_unit(first.stairwell, "301", owners=["李示甲", "欧阳示乙"])
    make_unit(first.stairwell, "302", unsold=True)
    make_unit(first.stairwell, "401", unsold=True)
    units = ask.roll("owners", estate.community)
    shown = next(unit for unit in units if unit.key == f"unit:{pair.pk}")
    assert shown.owner_labels == ("李示甲", "欧阳示乙")
    assert shown.public_owner_labels == ("李**", "欧阳**")
    assert "301" not in shown.public_label
    heads = freeze_roll("owners", units)
    assert [(head.area, len(head.may_vote_via)) for head in heads] == [
        (10000, 2),
        (5000, 1),
        (10000, 2),
    ]
    assert heads[0].may_vote_via == (f"household:{first.pk}", f"household:{second.pk}")


def test_another_electorate_is_not_known_here(estate: Estate) -> None:
    assert ask.roll("villagers", estate.community) == []


def test_names(estate: Estate, unit: Unit) -> None:
    pair = make_unit(unit.stairwell, "301", owners=["李示甲", "欧阳示乙"])
    make_member(pair, make_person("tenant", name="赵示丙"), owns=False)
    make_member(pair, make_person("nameless"))
    clerk = make_person("clerk", name="周示丁")
    keys = [f"household:{pair.pk}", f"person:{clerk.pk}", "household:0", "clock", "person:x"]
    assert ask.names(keys) == {
        f"household:{pair.pk}": "李示甲、欧阳示乙、赵示丙",
        f"person:{clerk.pk}": "周示丁",
    }


# --- what it costs -----------------------------------------------------------------------------


def test_queries_do_not_grow(django_assert_max_num_queries, street: Community) -> None:
    estate = make_estate("big", blocks=2, units=6, parent=street)
    person = make_person("p", "office", "auditor", community=street)
    for unit in units_of(estate):
        make_member(unit, person)
    community = Community.objects.get(pk=estate.community_id)
    with django_assert_max_num_queries(3):  # the sub-district, roles, households
        assert len(ask.parties_of(person, community, NOON)) == 2 + 2 * 12
    community = Community.objects.get(pk=estate.community_id)
    party = Party("owner", f"household:{units_of(estate)[0].pk}", person.pk)
    with django_assert_max_num_queries(2):
        assert ask.holds(party, community, NOON)
    with django_assert_max_num_queries(1):
        assert len(ask.members("households", community)) == 12
    with django_assert_max_num_queries(2):
        assert len(ask.roll("owners", community)) == 12
    with django_assert_max_num_queries(3):
        assert len(ask.names(f"household:{unit.pk}" for unit in units_of(estate))) == 12


def test_where_one_serves_is_asked_by_levels(django_assert_num_queries, street: Community) -> None:
    """However many places there are elsewhere; roles at a place and above it both reach down."""
    city = Community.objects.create(code="city", name="示范市", kind="site")
    street.parent = city
    street.save()
    home = make_estate("home", parent=street).community
    for n in range(30):
        make_estate(f"other{n}")
    person = make_person("p", "office", community=street)
    with django_assert_num_queries(5):  # roles, households, two levels, where anybody may apply
        found = ask.parties_everywhere(person, NOON)
    assert {home.pk, street.pk} == {
        pk for pk, held in found.items() if any(party.role == "office" for party in held)
    }
    Role.objects.create(person=person, role="auditor", community=city, since=SINCE)
    found = ask.parties_everywhere(person, NOON)
    roles = {pk: {party.role for party in held} - {"applicant"} for pk, held in found.items()}
    assert roles[city.pk] == {"auditor"}
    assert roles[street.pk] == roles[home.pk] == {"office", "auditor"}
    everywhere = Community.objects.all()
    for place in everywhere:
        assert {*found.get(place.pk, ())} == {*ask.parties_of(person, place, NOON)}


# --- rows that cannot be -----------------------------------------------------------------------


def test_rows_that_cannot_be(estate: Estate, unit: Unit) -> None:
    person = make_person("p")
    before = SINCE - DAY
    community = estate.community
    office = Office.objects.create(community=community, kind="other", name="甲")
    committee = Committee.objects.create(
        community=community, kind="owners_committee", name="乙", since=SINCE
    )
    held = {"person": person, "community": community, "since": SINCE}
    for make in (
        lambda: Role.objects.create(**held, role="office", until=before),
        lambda: Role.objects.create(**held, role="office", office=office, committee=committee),
        lambda: HouseholdMember.objects.create(
            household=unit.household, person=person, since=SINCE, until=before
        ),
        lambda: Committee.objects.create(
            community=community, kind="owners_committee", name="丙", since=SINCE, until=before
        ),
        lambda: Unit.objects.filter(pk=unit.pk).update(area=0),
        lambda: make_unit(unit.stairwell, unit.room),
        lambda: [Owner.objects.create(estate=estate, name=n, number="1") for n in "甲乙"],
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            make()


def test_a_name_of_one_sign_and_of_forty() -> None:
    for name in ("一", "长" * 40):
        person = make_person(f"p{len(name)}", name=name)
        person.full_clean()
        assert str(person) == name


# --- whom news concern -------------------------------------------------------------------------


def test_accounts_are_found_by_household_and_role_each_once_in_pieces(street, estate, unit):
    resident, tenant = make_member(unit).person, make_member(unit, owns=False).person
    twice = make_person("twice", "office", community=street)
    make_member(units_of(estate)[1], twice)
    clerk = make_person("clerk", "office", community=street)
    make_member(units_of(make_estate("elsewhere", parent=street))[0])
    make_person("before", "office", community=street, until=SINCE + DAY)

    def found(*wanted: str, after: int = 0, most: int = 10) -> list[int]:
        return ask.accounts(wanted, estate.community, NOON, after, most)

    assert found("household") == sorted([resident.pk, tenant.pk, twice.pk])
    assert found("owner") == sorted([resident.pk, twice.pk])
    assert found("office") == sorted([twice.pk, clerk.pk])
    everybody = sorted([resident.pk, tenant.pk, twice.pk, clerk.pk])
    assert found("household", "office") == everybody
    first = found("household", "office", most=2)
    assert first + found("household", "office", after=first[-1]) == everybody
    assert found() == []
