"""Typing in paper: code, answers, next; the scan attached; a tenth checked by a second person."""

from __future__ import annotations

import pytest
from django.test import Client

from processes.renovation.cast import paper
from tests import factories
from tests.processes.renovation.test_doors import asking, codes_of, print_forms, voting
from workflows.models import Attachment, BallotPaper, DoorForm, Opinion

__all__ = ["asking", "voting"]


@pytest.fixture
def stack(asking, place):
    """The codes of the papers that came back, and two who type."""
    codes = codes_of(print_forms(asking, place, "ask_needs", "form.returned"))
    place.people["second"] = factories.make_person(
        "second", "residents_committee", community=place.street
    )
    return codes


def page(story, step="ask_needs", act="form.returned", what="type"):
    return f"/cases/{story.case.number}/forms/{story.run(step).pk}/{act}/{what}/"


def type_in(client, story, code, step="ask_needs", act="form.returned", **answers):
    return client.post(page(story, step, act), {"code": code, "save": "1", **answers})


def check(client, story, code, **answers):
    return client.post(page(story, what="check"), {"code": code, "save": "1", **answers})


def test_a_paper_is_typed_in_by_its_code_with_its_scan(asking, place, stack):
    clerk = place.client("residents_committee")
    opened = clerk.post(page(asking), {"code": stack[0].lower()})
    assert opened.status_code == 200
    assert "屋面防水" in opened.content.decode()
    assert "第 1 号" in opened.content.decode()
    sent = type_in(clerk, asking, stack[0], item_roof="want", text="车棚太近。", scan=paper())
    assert sent.status_code == 302
    assert sent["Location"] == page(asking)
    record = asking.case.records.get(act="form.returned")
    assert record.content["party"]["via"] == "paper"
    (scan,) = Attachment.objects.filter(record=record)
    assert (scan.field, scan.public) == ("scan", False)
    assert Client().get(scan.get_absolute_url()).status_code == 404
    assert Opinion.objects.filter(channel="paper").count() == 2
    form = DoorForm.objects.get(serial=1)
    assert (form.via, form.used_at is not None) == ("paper", True)
    assert "车棚" not in str(form.marks)


def test_typed_by_its_number_too_and_only_once(asking, place, stack):
    clerk = place.client("residents_committee")
    assert type_in(clerk, asking, "2", item_roof="want").status_code == 302
    again = type_in(clerk, asking, stack[1], item_roads="want")
    assert again.status_code == 422
    assert "以先交的为准" in again.content.decode()
    assert DoorForm.objects.get(serial=2).tries == 1
    nothing = clerk.post(page(asking), {"code": "AAAAA-BBBBB-CCCCC-DDDDD"})
    assert "没有这个码或者表号" in nothing.content.decode()


def test_the_date_of_the_paper_stays_for_the_next(asking, place, stack):
    clerk = place.client("residents_committee")
    run = asking.run("ask_needs")
    day = run.starts_on.isoformat()
    asking.wait(days=2)
    type_in(clerk, asking, stack[0], item_roof="want", dated=day)
    record = asking.case.records.get(act="form.returned")
    assert record.content["happened_at"].startswith(day)
    assert f'value="{day}"' in clerk.post(page(asking), {"code": stack[1]}).content.decode()
    for dated in ("2999-01-01", "2026-02-30", "x"):
        bad = type_in(clerk, asking, stack[1], item_roof="want", dated=dated)
        assert bad.status_code == 422, dated


def test_who_may_not_type_in_is_refused(asking, place, stack):
    assert place.client("designer").get(page(asking)).status_code == 403
    assert place.client("designer").get(page(asking, what="check")).status_code == 403
    assert Client().get(page(asking)).status_code == 302
    assert type_in(place.client("auditor"), asking, stack[0]).status_code == 403
    assert Opinion.objects.count() == 0


def test_a_tenth_is_checked_by_a_second_person_who_sees_nothing_of_the_first(asking, place, stack):
    clerk, second = place.client("residents_committee"), place.client("second")
    for code in stack:
        type_in(clerk, asking, code, item_roof="want", text="楼道很暗。")
    assert not DoorForm.objects.filter(drawn_at__isnull=False).exists()  # nobody knows which
    second.post(page(asking, what="draw"))
    drawn = DoorForm.objects.get(drawn_at__isnull=False)  # a tenth of eight, rounded up
    assert asking.case.records.get(act="forms.drawn").body["typed"] == 8
    code = stack[drawn.serial - 1]

    own = check(clerk, asking, code, item_roof="want", text="楼道很暗。")
    assert "须由另一人复核" in own.content.decode()
    opened = second.post(page(asking, what="check"), {"code": code}).content.decode()
    assert "楼道很暗" not in opened
    assert "checked" not in opened.split("data-typing")[1]
    done = check(second, asking, code, item_roof="want", text="楼道 很暗")  # signs do not count
    assert done.status_code == 302
    drawn.refresh_from_db()
    assert (drawn.checked_at is not None, drawn.differs) == (True, [])
    assert "没有不一致的表" in second.get(page(asking, what="check")).content.decode()
    again = check(second, asking, code, item_roof="want")
    assert "已经复核" in again.content.decode()


def test_what_differs_is_reported_by_field_and_not_by_content(asking, place, stack):
    clerk, second = place.client("residents_committee"), place.client("second")
    type_in(clerk, asking, stack[0], item_roof="want", item_lifts="want", text="楼道很暗。")
    second.post(page(asking, what="draw"))
    check(second, asking, stack[0], item_roof="want", item_lifts="not_want", text="楼道很暗。")
    report = second.get(page(asking, what="check"))
    ((row, labels),) = report.context["report"].differing
    assert (row.serial, labels) == (1, ["加装电梯"])
    record = asking.case.records.get(act="form.checked")
    assert record.body == {
        "of_step": "ask_needs",
        "form": "form.returned",
        "number": 1,
        "differing": 1,
    }


def test_a_typed_ballot_paper_shows_the_typist_no_room(voting, place):
    codes = codes_of(print_forms(voting, place, "owner_ballot", "vote.cast"))
    clerk = place.client("residents_committee")
    where = page(voting, "owner_ballot", "vote.cast")
    opened = clerk.post(where, {"code": codes[0]}).content.decode()
    assert "是否同意改造" in opened
    assert "101室" not in opened
    sent = type_in(clerk, voting, codes[0], "owner_ballot", "vote.cast", q1="for")
    assert sent.status_code == 302
    vote = BallotPaper.objects.get()
    assert (vote.channel, vote.choices) == ("paper", {"1": "for"})
    assert vote.serial == str(DoorForm.objects.get(used_at__isnull=False).serial)
    online = Client().get(f"/f/{codes[0]}/").content.decode()
    assert "这份表的纸质表已经登记" in online
