"""A town to be audited."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests.factories import make_estate, make_member, make_person, make_street, units_of
from tests.sandbox.core_procedures import Errand
from workflows import acts, calendars, clock
from workflows.models import Case
from workflows.parties import Party, directory
from workflows.records.trail import seal

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _fresh(db: None, settings: Any, tmp_path: Any) -> Iterator[None]:
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.DEMO = True
    settings.SANWEN_TRAIL_DEMO = tmp_path / "demo"
    directory.cache_clear()
    seal.signer.cache_clear()
    cache.clear()
    calendars.seed()
    with clock.at(NOON):
        yield
    directory.cache_clear()
    seal.signer.cache_clear()


@pytest.fixture(name="town")
def town_fixture() -> SimpleNamespace:
    """Two sub-districts with an estate each; the office and the auditor serve in the first."""
    street, other = make_street("street", "示范街道"), make_street("other", "别的街道")
    estate, far = make_estate("near", parent=street), make_estate("far", parent=other)
    return SimpleNamespace(
        street=street,
        other=other,
        estate=estate.community,
        far=far.community,
        office=make_person("office", "office", community=street, name="示范经办"),
        far_office=make_person("far_office", "office", community=other),
        auditor=make_person("auditor", "auditor", community=street, name="示范审计甲"),
        second=make_person("second", "auditor", community=street, name="示范审计乙"),
        far_auditor=make_person("far_auditor", "auditor", community=other),
        resident=make_member(units_of(estate)[0]).person,
    )


def party(person: Any, role: str = "office") -> Party:
    return Party(role, f"person:{person.pk}", person.pk)


def opened(town: SimpleNamespace, title: str = "示范差事", *, far: bool = False) -> Case:
    place, office = (town.far, town.far_office) if far else (town.estate, town.office)
    return acts.open_case(Errand, place, party(office), title=title)


def signed_in(person: Any) -> Client:
    client = Client()
    if person is not None:
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def fetched(client: Client, cases: list[Case], kind: str = "public") -> str:
    """Ask for an archive; the address of its job."""
    sent = {"case": [case.number for case in cases], "kind": kind}
    response = client.post("/audit/take/", sent)
    assert response.status_code == 302, response.text
    return response["Location"]


def take(person: Any, case: Case) -> acts.Done:
    return acts.perform(case, "case", "trail.downloaded", party(person, "auditor"))
