"""At the door of a meeting: signing in by the code on the paper, and the paper itself."""

from __future__ import annotations

import datetime as dt
import io
import re

import pikepdf
import pytest
from django.core.cache import cache

from tests.sandbox.directory import SandboxDirectory
from tests.workflows.test_books import NOON, OFFICE, call, case, household, refused  # noqa: F401
from workflows import acts, clock
from workflows.models import Record, SignIn
from workflows.parties import Party

SIGN = ("meeting", "meeting.signed_in")


@pytest.fixture
def session(case):  # noqa: F811
    cache.clear()
    return call(case)


@pytest.fixture
def resident(client, django_user_model, monkeypatch):
    """A signed-in account that is household 1."""
    user = django_user_model.objects.get(pk=11)
    client.force_login(user)
    own = [household(1)]
    monkeypatch.setattr(SandboxDirectory, "parties_of", lambda *_args: own)
    return own


def start(session, **ahead: float) -> None:
    clock.set_now(session.starts_at + dt.timedelta(**ahead))


@pytest.mark.parametrize(
    ("minutes", "code"),
    [(-61, "early"), (-60, ""), (0, ""), (120, ""), (299, ""), (300, "late"), (24 * 60, "late")],
)
def test_one_signs_in_from_an_hour_before_until_the_day_ends(case, session, minutes, code):  # noqa: F811
    # The session begins at 19:00; its day ends 300 minutes later.
    start(session, minutes=minutes)
    data = {"door": session.door}
    if code:
        assert refused(case, *SIGN, household(1), data) == code
        assert not SignIn.objects.exists()
    else:
        acts.perform(case, *SIGN, household(1), data)
        assert SignIn.objects.get().party_key == "household:1"


def test_signing_in_is_once_a_household_and_its_record_names_nobody(case, session):  # noqa: F811
    start(session)
    done = acts.perform(case, *SIGN, household(1), {"door": session.door.lower()})
    assert done.receipt
    assert refused(case, *SIGN, household(1), {"door": session.door}) == "duplicate"
    acts.perform(case, *SIGN, household(2), {"door": session.door})
    record = Record.objects.get(pk=done.record.pk)
    assert record.body == {"session": session.record.seq}
    assert "household:1" not in record.canonical
    assert session.door not in "".join(Record.objects.values_list("canonical", flat=True))


def test_a_wrong_door_a_strangers_and_one_that_is_over_let_nobody_in(case, session):  # noqa: F811
    start(session)
    assert refused(case, *SIGN, household(1), {"door": "AAAAAAAAAA"}) == "invalid"
    assert refused(case, *SIGN, Party("owner", "owner:1", 12), {"door": session.door}) == (
        "wrong_party"
    )
    held = {"session": session.pk, "attendance": 3}
    acts.perform(case, "meeting", "meeting.held", OFFICE, held)
    assert refused(case, *SIGN, household(1), {"door": session.door}) == "late"


def test_no_fewer_came_than_signed_in(case, session):  # noqa: F811
    start(session)
    for number in (1, 2, 3):
        acts.perform(case, *SIGN, household(number), {"door": session.door})
    few = {"session": session.pk, "attendance": 2}
    with pytest.raises(acts.Refused) as found:
        acts.perform(case, "meeting", "meeting.held", OFFICE, few)
    assert "attendance" in found.value.errors
    acts.perform(case, "meeting", "meeting.held", OFFICE, {**few, "attendance": 3})


def test_the_door_asks_to_sign_in_and_takes_a_double_click_once(client, session, resident):
    page = f"/m/{session.door}/"
    early = client.get(page).content.decode()
    assert "还没有到签到时间" in early
    assert '<form method="post" class="form"' not in early
    start(session)
    assert "我到了，签到" in client.get(page).content.decode()
    assert client.post(page)["Location"] == page
    again = client.post(page)
    assert again.status_code == 422
    after = client.get(page).content.decode()
    assert "您已签到" in after
    assert SignIn.objects.count() == 1
    seq = SignIn.objects.get().record.seq
    assert "回执" in client.get(f"/cases/{session.run.process.number}/done/{seq}/").content.decode()


def test_without_an_account_the_door_says_how_else(client, session):
    start(session)
    page = f"/m/{session.door}/"
    shown = client.get(page)
    assert "在门口的纸质签到表上签名" in shown.content.decode()
    assert f"?next=/m/{session.door}/" in shown.content.decode()
    assert shown["Cache-Control"] == "no-store"
    assert client.post(page).status_code == 200
    assert not SignIn.objects.exists()


def test_guessing_doors_is_stopped_and_real_ones_are_not_counted(client, session):
    for _time in range(30):
        assert client.get(f"/m/{session.door}/").status_code == 200
    answers = {client.get(f"/m/AAAAAAA{n:03}/").status_code for n in range(30)}
    assert answers == {404, 429}


def test_the_paper_of_the_door_is_for_those_who_handle_the_meeting(
    client, session, resident, django_user_model, monkeypatch
):
    paper = (
        f"/cases/{session.run.process.number}/steps/{session.run_id}"
        f"/sessions/{session.pk}/sign-in.pdf"
    )
    assert client.get(paper).status_code == 403
    monkeypatch.setattr(SandboxDirectory, "parties_of", lambda *_args: [OFFICE])
    answer = client.get(paper)
    assert answer["Content-Type"] == "application/pdf"
    with pikepdf.open(io.BytesIO(answer.content)) as found:
        assert len(found.pages) == 2  # 36 lines and what is above them
        assert found.docinfo["/Title"] == f"{session.run.process.title} · 签到表"
    other = paper.replace(f"sessions/{session.pk}", f"sessions/{session.pk + 1}")
    assert client.get(other).status_code == 404


def test_the_step_page_says_to_each_what_they_signed_up_for(client, case, resident):  # noqa: F811
    session = call(case, places="1")
    acts.perform(case, "meeting", "meeting.signed_up", household(2), {"session": session.pk})
    page = f"/cases/{case.number}/steps/{session.run_id}/"
    assert "您在候补" not in client.get(page).content.decode()
    acts.perform(case, "meeting", "meeting.signed_up", household(1), {"session": session.pk})
    shown = client.get(page).content.decode()
    assert "您在候补，有名额空出时自动递补" in shown
    assert re.search(r"已预约 1 人，共 1 个，另有 1 人候补", shown)
    assert "打印签到表" not in shown
    acts.perform(case, "meeting", "signup.cancelled", household(2), {"session": session.pk})
    assert "您已预约这一场" in client.get(page).content.decode()
    act = client.get(f"/cases/{case.number}/do/meeting/signup.cancelled/").content.decode()
    assert "活动室" in act


def test_signing_up_says_how_many_places_are_left(client, case, resident):  # noqa: F811
    session = call(case, places="2")
    page = f"/cases/{case.number}/do/meeting/meeting.signed_up/"
    assert "还有2个名额" in client.get(page).content.decode()
    for number in (2, 3):
        data = {"session": session.pk}
        acts.perform(case, "meeting", "meeting.signed_up", household(number), data)
    assert "名额已满，可以候补" in client.get(page).content.decode()


def test_two_sessions_have_two_doors(case):  # noqa: F811
    first, second = call(case), call(case, days=4)
    assert first.door != second.door
    start(second)
    assert refused(case, *SIGN, household(1), {"door": first.door}) == "late"
    acts.perform(case, *SIGN, household(1), {"door": second.door})
    assert second.starts_at > NOON
