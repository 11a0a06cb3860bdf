"""The trail as people get it: at once, in the background, and in full for an auditor alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from django.test import AsyncClient

from tests.sandbox.directory import SandboxDirectory
from tests.workflows.trail_cases import NOON, make_case
from workflows import calendars, clock, jobs
from workflows.models import Job, Record
from workflows.parties import Party
from workflows.portal import trails
from workflows.records.trail import make, press, seal


@pytest.fixture(autouse=True)
def _fresh(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.DEMO = True
    settings.SANWEN_TRAIL_DEMO = tmp_path / "demo"
    seal.signer.cache_clear()
    calendars.seed()
    SandboxDirectory.reset()
    with clock.at(NOON):
        yield
    seal.signer.cache_clear()


@pytest.fixture
def case():
    return make_case()


@pytest.fixture
def auditor(client, django_user_model, monkeypatch):
    user = django_user_model.objects.create_user("auditor", password="示范-密码-一二三")

    def parties(self, who, community, at):
        return [Party("auditor", f"person:{who.pk}", who.pk)] if who.is_authenticated else []

    monkeypatch.setattr(SandboxDirectory, "parties_of", parties)
    client.force_login(user)
    return user


def body(response) -> bytes:
    return b"".join(response.streaming_content)


def test_anyone_downloads_the_public_trail(client, case):
    assert f"/cases/{case.number}/trail.pdf" in client.get(f"/cases/{case.number}/").text
    response = client.get(f"/cases/{case.number}/trail.pdf")
    assert response["Content-Type"] == "application/pdf"
    first = body(response)
    assert first.startswith(b"%PDF-1.7")
    assert body(client.get(f"/cases/{case.number}/trail.pdf")) == first


def test_a_long_one_is_made_in_the_background_with_its_progress(client, case, monkeypatch):
    monkeypatch.setattr(trails, "AT_ONCE", 3)
    response = client.get(f"/cases/{case.number}/trail.pdf")
    address = response["Location"]
    assert address.startswith("/jobs/")
    waiting = client.get(address)
    assert waiting["Refresh"]
    assert "<progress" in waiting.text
    assert client.get(f"/cases/{case.number}/trail.pdf")["Location"] == address
    assert jobs.run_waiting() == 1
    ready = client.get(address)
    assert "Refresh" not in ready.headers
    assert f'href="/cases/{case.number}/trail.pdf"' in ready.text
    assert client.get(f"/cases/{case.number}/trail.pdf")["Content-Type"] == "application/pdf"


def test_an_auditor_takes_the_full_trail_and_a_record_says_so(client, case, auditor):
    address = f"/cases/{case.number}/trail-full.pdf"
    assert "登记" in client.get(address).text
    assert not Record.objects.filter(case=case, act="trail.downloaded").exists()
    response = client.post(address)
    assert response["Cache-Control"] == "private, no-store"
    assert body(response).startswith(b"%PDF")
    assert (
        Record.objects.get(case=case, act="trail.downloaded").content["party"]["role"] == "auditor"
    )
    client.post(address)
    assert Record.objects.filter(case=case, act="trail.downloaded").count() == 2


def test_the_background_result_is_for_the_auditor_who_asked_alone(
    client, case, auditor, monkeypatch, django_user_model
):
    monkeypatch.setattr(trails, "AT_ONCE", 3)
    address = client.post(f"/cases/{case.number}/trail-full.pdf")["Location"]
    assert jobs.run_waiting() == 1
    assert f'href="{address}file/"' in client.get(address).text
    assert body(client.get(f"{address}file/")).startswith(b"%PDF")
    client.force_login(django_user_model.objects.create_user("other", password="示范-密码-一二三"))
    assert client.get(address).status_code == 404
    assert client.get(f"{address}file/").status_code == 404
    client.logout()
    assert client.get(f"{address}file/").status_code == 404


def test_who_is_no_auditor_gets_no_full_trail(client, case, django_user_model):
    address = f"/cases/{case.number}/trail-full.pdf"
    assert client.get(address).status_code == 302
    client.force_login(django_user_model.objects.create_user("x", password="示范-密码-一二三"))
    assert client.get(address).status_code == 403
    assert client.post(address).status_code == 403
    assert not Record.objects.filter(act="trail.downloaded").exists()


def test_erasing_ends_jobs_and_their_results(client, case, auditor, monkeypatch):
    monkeypatch.setattr(trails, "AT_ONCE", 3)
    client.post(f"/cases/{case.number}/trail-full.pdf")
    jobs.run_waiting()
    held = Path(Job.objects.get().result.path)
    assert held.exists()
    make.forget(case)
    assert not Job.objects.exists()
    assert not held.exists()


def test_a_failing_press_fails_the_job_and_tells(client, case, monkeypatch):
    monkeypatch.setattr(trails, "AT_ONCE", 3)

    def broken(_html):
        raise press.PressFailed("no paper")

    monkeypatch.setattr(press, "pressed", broken)
    address = client.get(f"/cases/{case.number}/trail.pdf")["Location"]
    jobs.run_waiting()
    assert "没有做成" in client.get(address).text


@pytest.mark.django_db(transaction=True)
def test_under_asgi_the_download_comes_in_parts(case):
    make.public(case, "").close()

    async def parts():
        response = await AsyncClient().get(f"/cases/{case.number}/trail.pdf")
        return [part async for part in response]

    got = asyncio.run(parts())
    assert len(got) > 2
    assert b"".join(got).startswith(b"%PDF")
