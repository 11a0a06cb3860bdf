"""个人申请: what applicants are told beforehand and afterwards, and who else is told."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from processes.community.models import Person
from processes.public_posts.models import Applicant
from tests import factories
from workflows import clock
from workflows.acts import Refused
from workflows.models import Attachment
from workflows.parties import Party

BACKEND = "django.contrib.auth.backends.ModelBackend"


def as_party(person: Person) -> Party:
    return Party("applicant", f"person:{person.pk}", person.pk, everyone=True)


def client_of(person: Any) -> Client:
    client = Client()
    client.force_login(person, backend=BACKEND)
    return client


@pytest.fixture
def people(walk):
    """Two accounts without a role; the first has applied and does not fit the call."""
    first = Person.objects.create_user("first", display_name="演示申请人甲")
    other = Person.objects.create_user("other", display_name="演示申请人乙")
    walk.announce()
    told = walk.told(1, born="1999-05-01", insist="on")
    walk.do("apply", "application.handed_in", told, as_party(first), papers=[walk.paper()])
    walk.apply(2)
    return first, other


def test_why_it_would_be_refused_is_said_before_it_is_sent(walk):
    walk.announce()
    with pytest.raises(Refused) as caught:
        walk.apply(1, born="1999-05-01", facts=["business"], insist="")
    assert set(caught.value.errors) == {"insist"}
    for words in ("出生日期晚于公告规定的范围", "经营主体", "也可以勾选后提交"):
        assert words in str(caught.value)
    assert not Applicant.objects.exists()
    walk.apply(1, insist="")  # who fits is asked nothing
    walk.apply(2, born="1999-05-01", insist="on")
    page = client_of(walk.people["residents_committee"]).get(
        f"/cases/{walk.case.number}/do/apply/application.handed_in/"
    )
    text = page.content.decode()
    assert "1961年3月1日至1981年3月1日出生" in text
    assert 'name="insist"' not in text
    assert '<optgroup label="示范东村">' in text


def test_a_paper_is_what_its_bytes_say(walk):
    walk.announce()
    from django.core.files.uploadedfile import SimpleUploadedFile

    programme = SimpleUploadedFile("身份证.png", b"MZ\x90\x00" + b"\x00" * 60, "image/png")
    with pytest.raises(Refused) as caught:
        walk.do("apply", "application.handed_in", walk.told(1), walk.village, papers=[programme])
    assert set(caught.value.errors) == {"papers"}


def test_reasons_are_for_the_applicant_alone_with_the_term_to_object(walk, people):
    first, other = people
    address = f"/cases/{walk.case.number}/posts/applications/1/"
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    until = walk.run("check").ends_on
    said = f"{until.year}年{until.month}月{until.day}日24时前提出异议"
    mine = client_of(first).get("/my/").content.decode()
    for words in ("初审未通过", "出生日期晚于公告规定的范围", said, address):
        assert words in mine
    own = client_of(first).get(address).content.decode()
    for words in ("出生日期晚于公告规定的范围", said, "refusal.objected/?number=1", "1999年5月1日"):
        assert words in own
    assert client_of(other).get(address).status_code == 404
    assert Client().get(address).status_code == 302  # to sign in
    assert client_of(walk.people["auditor"]).get(address).status_code == 404
    for reader in (Client(), client_of(other)):
        for path in ("", "records/", "posts/1/", f"steps/{walk.run('check').pk}/"):
            page = reader.get(f"/cases/{walk.case.number}/{path}").content.decode()
            assert "出生日期晚于公告规定的范围" not in page
    assert "出生日期晚于" not in client_of(other).get("/my/").content.decode()


def test_an_objection_to_a_refusal_is_answered_to_the_applicant(walk, people):
    first, other = people
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    do = f"/cases/{walk.case.number}/do/check/refusal.objected/?number=1"
    step = f"/cases/{walk.case.number}/steps/{walk.run('check').pk}/"
    assert "refusal.objected" in client_of(first).get(step).content.decode()
    assert "refusal.objected" not in client_of(other).get(step).content.decode()
    payload = {"number": 1, "text": "不对"}
    with pytest.raises(Refused, match="自己提交"):
        walk.do("check", "refusal.objected", payload, as_party(other))
    sent = {"number": 1, "text": "户口簿上的日期不同"}
    assert client_of(first).post(do, sent).status_code == 302
    payload = {"number": 1, "decision": "dismissed", "reason": "以身份证为准"}
    walk.do("check", "refusal.decided", payload)
    mine = client_of(first).get("/my/").content.decode()
    assert "以身份证为准" in mine
    assert "以身份证为准" not in client_of(other).get("/my/").content.decode()
    with pytest.raises(Refused):
        walk.do("check", "refusal.objected", sent, as_party(first))


def test_a_village_acts_for_those_on_paper_and_not_for_those_online(walk, people):
    with pytest.raises(Refused, match="自己提交"):
        walk.do("apply", "application.withdrawn", {"number": 1}, walk.village)
    with pytest.raises(Refused, match="自己提交"):
        walk.do("apply", "application.withdrawn", {"number": 2}, as_party(people[0]))
    walk.do("apply", "application.withdrawn", {"number": 2}, walk.village)
    walk.do("apply", "application.withdrawn", {"number": 1}, as_party(people[0]))
    assert walk.lives() == {1: "withdrawn", 2: "withdrawn"}
    keys = dict(Applicant.objects.values_list("number", "party_key"))
    assert keys[2] == "paper:2"  # not the officer's: their account may be erased one day


def test_papers_are_for_who_checks_them(walk, people):
    moderator = factories.make_person("moderator", "moderator", community=walk.street)
    file = Attachment.objects.get(record=Applicant.objects.get(number=1).record)
    allowed = (people[0], walk.people["office"], walk.people["residents_committee"])
    for person in (*allowed, walk.people["auditor"]):
        assert client_of(person).get(file.get_absolute_url()).status_code == 200
    for person in (people[1], moderator):
        assert client_of(person).get(file.get_absolute_url()).status_code == 404


def test_the_list_is_for_those_who_handle_it_and_takes_no_more_queries(
    walk, people, django_assert_max_num_queries
):
    from .test_pages import many

    address = f"/cases/{walk.case.number}/posts/applications/"
    for person in (people[0], walk.people["auditor"]):
        assert client_of(person).get(address).status_code == 403
    many(walk, 300, 7)
    office = client_of(walk.people["office"])
    with django_assert_max_num_queries(12):
        page = office.get(address).content.decode()
    assert page.count("示某某") == 28  # thirty a page, two of them others
    found = office.get(f"{address}?find=10003").content.decode()
    assert "applications/10003/" in found
    assert found.count("示某某") == 1
    few = office.get(f"{address}?life=applied&village=示范东村").content.decode()
    assert few.count("applications/1/") == few.count("applications/2/") == 1
    with django_assert_max_num_queries(20):
        assert office.get(f"{address}1/").status_code == 200


def test_an_account_can_apply_on_a_post_while_the_term_runs(walk, people):
    page = client_of(people[1]).get(f"/cases/{walk.case.number}/posts/1/").content.decode()
    post = walk.case.posts.get(number=1)
    address = f"/cases/{walk.case.number}/do/apply/application.handed_in/?post={post.pk}"
    assert address in page
    form = client_of(people[1]).get(address).content.decode()
    assert f'<option value="{post.pk}" selected>' in form
    clock.set_now(clock.now() + dt.timedelta(days=40))
    page = client_of(people[1]).get(f"/cases/{walk.case.number}/posts/1/").content.decode()
    assert "application.handed_in" not in page


def test_when_the_term_to_object_is_over_nobody_is_told_to_object(walk, people):
    walk.apply(3, born="1999-05-02")
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    sent = {"number": 3, "text": "请再核对"}
    walk.do("check", "refusal.objected", sent, walk.village)  # waits, and holds the check open
    assert "前提出异议" in client_of(people[0]).get("/my/").content.decode()
    clock.set_now(walk.run("check").ends_at)
    assert walk.run("check").is_open
    mine = client_of(people[0]).get("/my/").content.decode()
    assert "出生日期晚于公告规定的范围" in mine
    assert "提出异议" not in mine
    with pytest.raises(Refused, match="截止"):
        walk.do("check", "refusal.objected", {"number": 1, "text": "晚了"}, as_party(people[0]))


def test_on_paper_the_receipt_tells_where_it_stands_and_why(walk):
    walk.announce()
    walk.apply(1)
    code = walk.apply(2, born="1999-05-01").receipt
    assert "待初审" in Client().get(f"/r/{code}/").content.decode()
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    page = Client().get(f"/r/{code}/").content.decode()
    for words in ("初审未通过", "出生日期晚于公告规定的范围", "24时前提出异议"):
        assert words in page


def test_who_is_taken_off_the_list_reads_why_and_whom_to_turn_to(walk):
    person = Person.objects.create_user("first", display_name="演示申请人甲")
    walk.announce()
    walk.do("apply", "application.handed_in", walk.told(1), as_party(person), papers=[walk.paper()])
    for at in (2, 3):
        walk.apply(at)
    walk.after(20)
    walk.do("check", "applications.checked", {"confirm": "on"})
    walk.after(10)
    walk.evaluate({1: 90, 2: 80, 3: 70})
    walk.vet()
    own = client_of(person)
    pages = "/my/", f"/cases/{walk.case.number}/posts/applications/1/"
    for page in pages:
        assert "监督举报电话反映" not in own.get(page).content.decode()
    walk.uphold(walk.object(1))
    for page in pages:
        shown = own.get(page).content.decode()
        for words in ("公示异议成立", "经核查情况属实", "监督举报电话反映"):
            assert words in shown, (page, words)
        assert "情况不属实" not in shown  # what the objector wrote stays theirs
