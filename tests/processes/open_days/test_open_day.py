"""组织群众参加经验分享会、公众开放日活动: an open day, page by page, and its demo."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db.models import Q
from django.test import Client

from processes.community import demo as ground
from processes.community.models import Estate, Household, HouseholdMember
from processes.open_days import demo
from processes.open_days.procedure import OpenDay
from tests import factories
from workflows import clock, records, soundness, sweep
from workflows.models import Case, Record, SignIn, SignUp
from workflows.parties import directory

TUESDAY = dt.datetime(2026, 3, 3, 10, tzinfo=clock.SHANGHAI)


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def do(client: Client, case: Case, step: str, act: str, **data):
    """One act by way of its page."""
    address = f"/cases/{case.number}/do/{step}/{act}/"
    assert client.get(address, {"opinions": data.get("opinions", "")}).status_code == 200
    sent = client.post(address, {**data, "idempotency_key": f"{act}{clock.now().timestamp()}"})
    assert sent.status_code == 302, sent.content.decode()
    return sent


def test_the_procedure_is_sound():
    assert list(soundness.faults(OpenDay)) == []


def test_residents_sign_up_come_say_what_they_think_and_are_answered():
    street = factories.make_street()
    estate = factories.make_estate(units=3, parent=street)
    committee = signed_in(factories.make_person("c", "residents_committee", community=street))
    first, second, third = (
        signed_in(person) for person in factories.make_members(factories.units_of(estate))
    )
    clock.set_now(TUESDAY)
    opened = committee.post(
        "/procedures/open_day/open/",
        {
            "community": estate.community.code,
            "title": "示范改造公众开放日",
            "feedback__term": 7,
            "idempotency_key": "a",
        },
    )
    assert opened.status_code == 302, opened.content.decode()
    case = Case.objects.get()
    call = {"starts_at": "2026-03-07T09:00", "place": "示范楼门前", "agenda": "参观改造现场。"}
    do(committee, case, "visit", "meeting.called", places=1, **call)
    session = case.runs.get(name="visit").sessions.get()
    page = first.get(case.get_absolute_url()).content.decode()
    assert "时间、地点：2026年3月7日 09:00 示范楼门前。" in page  # read out with the rest
    assert "<dd>2026年3月7日 09:00 示范楼门前</dd>" in page
    do(first, case, "visit", "meeting.signed_up", session=session.pk)
    do(second, case, "visit", "meeting.signed_up", session=session.pk)
    assert list(SignUp.objects.values_list("life", flat=True)) == ["coming", "waiting"]
    do(first, case, "visit", "signup.cancelled", session=session.pk)
    step = f"/cases/{case.number}/steps/{session.run_id}/"
    assert "您已预约这一场" in second.get(step).content.decode()
    form = second.get(f"{case.get_absolute_url()}do/visit/meeting.signed_up/").content.decode()
    assert f'<option value="{session.pk}"' not in form  # what one has signed up for already
    assert "没有可以预约的场次" in form
    assert "20260307" in first.get(f"/cases/{case.number}/terms.ics").content.decode()

    clock.set_now(session.starts_at - dt.timedelta(minutes=10))
    door = f"/m/{session.door}/"
    for guest in (second, third):
        assert "我到了，签到" in guest.get(door).content.decode()
        assert guest.post(door).status_code == 302
    assert SignIn.objects.count() == 2
    assert "不能在这里签到" in committee.get(door).content.decode()
    clock.set_now(session.starts_at + dt.timedelta(hours=3))
    assert "时间、地点" not in first.get(case.get_absolute_url()).content.decode()
    do(committee, case, "visit", "meeting.held", session=session.pk, attendance=5)
    minutes = "参观了屋面和楼道，回答了工期问题。"
    do(committee, case, "visit", "meeting.minuted", session=session.pk, minutes=minutes)
    do(committee, case, "visit", "meetings.closed")
    assert minutes in Client().get(step).content.decode()

    do(second, case, "feedback", "opinion.submitted", text="希望多安排在周末。")
    opinion = case.runs.get(name="feedback").opinions.get()
    reply = {"outcome": "adopted", "public_text": opinion.text, "reason": "下次安排在周六。"}
    do(committee, case, "feedback", "opinion.replied", opinions=opinion.pk, **reply)
    assert "下次安排在周六" in second.get("/my/").content.decode()
    clock.set_now(case.runs.get(name="feedback").ends_at + dt.timedelta(minutes=1))
    sweep.sweep(Q(process=case))
    case.refresh_from_db()
    assert not case.open
    assert records.first_fault(case) is None
    names = directory().names(SignIn.objects.values_list("party_key", flat=True))
    texts = "".join(Record.objects.values_list("canonical", flat=True))
    assert not [name for name in names.values() if name and name in texts]


@pytest.mark.parametrize("day", ["2026-11-24T12:00", "2026-10-08T08:00", "2026-06-01T23:40"])
def test_the_demo_has_one_that_is_soon_and_one_that_is_over(day):
    today = dt.datetime.fromisoformat(day).replace(tzinfo=clock.SHANGHAI)
    assert list(demo.load(today)) == []  # no estates, no open days
    for code in (demo.SOON, demo.OVER):
        estate = factories.make_estate(code, units=3, parent=ground.street())
        _live_in(estate)
    clock.set_now(today)
    assert len(list(demo.load(today))) == 2
    assert list(demo.load(today)) == []
    soon, over = Case.objects.order_by("pk")
    assert (soon.open, over.open) == (True, False)
    session = soon.runs.get(name="visit").sessions.first()
    assert session.door_is_open(today)
    assert SignUp.objects.filter(session__run__process=soon, life="waiting").count() == 1
    assert all(case.demo and records.first_fault(case) is None for case in (soon, over))
    assert not Record.objects.filter(at__gt=today).exists()


def _live_in(estate: Estate) -> None:
    for n, household in enumerate(
        Household.objects.filter(unit__stairwell__building__estate=estate), start=1
    ):
        person = ground.person(f"jumin{n}", "示范居民")
        HouseholdMember.objects.create(household=household, person=person, since=factories.SINCE)
