"""Two sub-districts under supervision, and what happens in their cases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from tests.factories import make_estate, make_member, make_person, make_street, units_of
from tests.sandbox.core_procedures import Errand
from workflows import acts, calendars, clock
from workflows.models import Case, Record, StepRun
from workflows.parties import Party, directory
from workflows.steps.consultation_rows import SurveyAnswer

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


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


@pytest.fixture(name="town")
def town_fixture() -> SimpleNamespace:
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


def signed_in(person: Any = None) -> Client:
    client = Client()
    if person is not None:
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


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


def survey(case: Case, answers: list[str]) -> None:
    run = run_of(case)
    record = Record.objects.filter(run=run).latest("pk")
    SurveyAnswer.objects.bulk_create(
        SurveyAnswer(run=run, record=record, party_key=f"household:{n}", answer=answer)
        for n, answer in enumerate(answers)
    )
