"""Handing in an appeal: by its page, by telephone, with photos and a place; what is erased."""

from __future__ import annotations

import io
import re

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import ExifTags, Image

from processes.appeals import reading, views
from processes.appeals.models import Appeal
from processes.appeals.procedure import Appeals
from tests import factories
from workflows import acts, clock, records
from workflows.models import Attachment, Case, Disclosure
from workflows.parties import Party
from workflows.records import erasure
from workflows.records.erasure import Subject

from .conftest import ANSWER, ASSIGNED
from .reports import (
    SENT,
    _fresh,  # noqa: F401 - fixtures
    phone_photo,
    report,
    text_of,
)


def test_without_an_account_by_the_receipt_alone(town):
    resident = Client()
    assert resident.get("/appeals/new/").status_code == 200
    assert resident.get("/procedures/appeals/open/").status_code == 200
    sent = report(resident)
    assert sent.status_code == 302
    receipt = sent["Location"]
    case = Case.objects.get()
    later = Client()  # another browser, with nothing but the code
    page = later.get(receipt).content.decode()
    assert re.search(r"<h1[^>]*>\s*提出诉求", page)
    assert "楼道灯坏了三天没人修" in page
    assert "task.withdrawn" in page
    taking_back = later.get(f"{receipt}do/classify/task.withdrawn/").content.decode()
    assert "撤回以后不再办理，也不能恢复" in taking_back
    town.do(case, "classify", "office", {**ASSIGNED, "wording": "楼道灯损坏"})
    town.do(case, "handle", "first", ANSWER)
    page = later.get(receipt).content.decode()
    assert "已换好。" in page
    rate = f"{receipt}do/rate/task.done/"
    assert later.get(rate).status_code == 200
    assert later.post(rate, {}).status_code == 422
    done = later.post(rate, {"rating": "unsatisfied"}, follow=True)
    assert "“满意度评价”已登记。" in done.content.decode()
    assert town.at(case) == "rework"
    again = {name: value for name, value in ANSWER.items() if name != "decision"}
    town.do(case, "rework", "second", {**again, "answer": "已经换成了新灯。"})
    page = later.get(receipt).content.decode()
    assert page.index("已换好。") < page.index("已经换成了新灯。")  # the first answer stays
    public = Client().get(f"/cases/{case.number}/").content.decode()
    assert "三天没人修" not in public
    assert "已换好" not in public


def test_a_flood_of_one_browser_waits_and_others_are_not_held_up(town):
    one, other = Client(), Client()
    for number in range(7):
        assert report(one, text=f"第{number}件完全不同的诉求内容").status_code == 302
    assert report(other, text="别人的诉求，同一个地址").status_code == 302
    held = list(Appeal.objects.order_by("pk").values_list("held", flat=True))
    assert held == ["", "", "", "", "", "flood", "flood", ""]


def test_a_program_that_is_a_new_browser_each_time_is_counted_by_its_address(town, monkeypatch):
    monkeypatch.setattr(views, "CROWD", "3/h")
    monkeypatch.setattr(views, "WALL", "5/h")
    codes = [
        report(Client(), text=f"第{number}件完全不同的诉求内容").status_code for number in range(7)
    ]
    assert codes == [302] * 5 + [429] * 2
    held = list(Appeal.objects.order_by("pk").values_list("held", flat=True))
    assert held == ["", "", "", "flood", "flood"]
    elsewhere = Client(REMOTE_ADDR="203.0.113.9")
    assert report(elsewhere, text="别处的人的诉求").status_code == 302
    assert Appeal.objects.latest("pk").held == ""


def test_a_look_at_the_form_writes_nothing(town):
    Client().get("/appeals/new/?place=estate")
    with CaptureQueriesContext(connection) as asked:
        assert Client().get("/appeals/new/?place=estate").status_code == 200
    assert not [each for each in asked if not each["sql"].startswith("SELECT")]


def test_the_same_words_and_programs_wait(town):
    for _again in range(4):
        report(Client())
    report(Client(), text="买房请打电话联系我们", website="http://x")
    held = list(Appeal.objects.order_by("pk").values_list("held", flat=True))
    assert held == ["", "", "", "same", "honeypot"]
    assert len(reading.rows({})) == 3


def test_a_double_click_hands_in_once(town):
    resident = Client()
    resident.get("/appeals/new/")
    first, second = (report(resident, submission="one") for _ in range(2))
    assert first["Location"] == second["Location"]
    assert Appeal.objects.count() == 1
    # Back, and sent again: the page has been loaded anew, the words are the same.
    assert report(resident, submission="two")["Location"] == first["Location"]
    assert Case.objects.count() == 1
    other = report(resident, submission="three", text="楼道灯又坏了，这次在二楼")["Location"]
    assert other != first["Location"]
    kept = resident.cookies["sent"]
    assert "楼道灯" not in kept.value
    assert (kept["path"], kept["httponly"], kept["max-age"]) == ("/appeals/new/", True, 600)
    resident.cookies["sent"] = kept.value[:-1] + ("a" if kept.value[-1] != "a" else "b")
    again = report(resident, submission="four", text="楼道灯又坏了，这次在二楼")["Location"]
    assert again != other  # what is not our cookie says nothing
    assert report(Client(), submission="one")["Location"] != first["Location"]


def test_what_an_author_said_is_erased_with_the_author(town, django_user_model):
    person = django_user_model.objects.create_user("amy", display_name="王小明")
    resident = Client()
    resident.force_login(person)
    report(resident, name="王小明", phone="13812345678")
    case = Case.objects.get()
    with transaction.atomic():
        subject = Subject(users=frozenset({person.pk}), keys=frozenset({f"person:{person.pk}"}))
        erasure.erase(case, subject, clock.now())
    held = Appeal.objects.get()
    assert (held.text, held.name, held.phone) == ("", "", "")
    assert not Disclosure.objects.filter(record__case=case, record__trace__user=person).exists()
    assert records.first_fault(case) is None


def test_anybody_finds_the_way_in_from_the_home_page(town, client):
    page = client.get("/").content.decode()
    assert page.count('href="/appeals/new/"') == 2  # in the navigation and as a button
    assert 'href="/appeals/"' in page
    entry = client.get("/appeals/new/").content.decode()
    assert 'href="/appeals/new/" aria-current="page"' in entry
    assert 'href="/appeals/"' in client.get("/procedures/appeals/").content.decode()
    town.submit()
    assert "APPL-2026-0001" not in client.get("/").content.decode()  # no crowd on the home page


def test_what_a_phone_writes_into_a_photo_is_not_kept(town):
    sent = phone_photo()
    with Image.open(io.BytesIO(sent.read())) as before:
        assert before.getexif().get_ifd(ExifTags.IFD.GPSInfo)[2] == (36.0, 48.0, 47.2)
    sent.seek(0)
    report(Client(), photos=sent)
    kept = Attachment.objects.get()
    content = kept.file.read()
    with Image.open(io.BytesIO(content)) as after:
        assert not after.getexif()
        assert not after.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        assert "comment" not in after.info
    assert "示范手机".encode() not in content
    assert "IMG_2026" not in kept.name + kept.label
    assert not kept.public


def test_first_where_then_what(town):
    page = Client().get("/appeals/new/").content.decode()
    assert '<option value="estate">' in page
    assert 'name="text"' not in page
    page = Client().get("/appeals/new/?place=estate").content.decode()
    assert '<option value="1号楼">' in page
    street = Client().get("/appeals/new/?place=street").content.decode()
    assert 'name="text"' in street
    assert 'name="building"' not in street
    assert "没有这个地点" in Client().get("/appeals/new/?place=nowhere").content.decode()
    assert "没有这个地点" not in Client().get("/appeals/new/").content.decode()
    assert report(Client(), building="9号楼").status_code == 422
    assert not Case.objects.exists()


@pytest.mark.parametrize(
    ("point", "kept"),
    [
        ("36.8131,118.0548", "36.8131,118.0548"),
        (" 36.8131， 118.0548 ", "36.8131,118.0548"),
        ("-33.856784,151.215297", "-33.856784,151.215297"),
        ("90.000,180.000", "90.000,180.000"),
        ("90.001,118.054", None),
        ("36.813,180.001", None),
        ("118.0548,36.8131", None),
        ("36.8131", None),
        ("36,118", None),
        ("三号楼", None),
        ("３6.813，１18.054", "36.813,118.054"),
        ("٣٦.813,118.054", None),
        ("36.8131,118.0548;x", None),
        ("", ""),
    ],
)
def test_coordinates_are_numbers_on_earth(town, point, kept):
    answer = report(Client(), point=point)
    assert answer.status_code == (422 if kept is None else 302)
    assert list(Appeal.objects.values_list("point", flat=True)) == ([] if kept is None else [kept])


def test_where_it_is_exactly_is_not_public(town):
    where = {"building": "1号楼", "spot": "一单元门口", "point": "36.8131,118.0548"}
    case, _author, receipt = town.submit(may_show="on", **where)
    town.do(case, "classify", "office", {**ASSIGNED, "wording": "路灯坏", "building": "1号楼"})
    silent, _author, _receipt = town.submit(text="另外一件完全不同的事情", **where)
    told = {**ASSIGNED, "building": "1号楼"}
    town.do(silent, "classify", "office", told)
    pages = ["/appeals/", case.get_absolute_url(), silent.get_absolute_url()]
    pages += [f"{case.get_absolute_url()}records/{seq}/" for seq in range(1, 8)]
    pages += ["/procedures/appeals/ocel.json"]
    said = {page: text_of(Client().get(page)) for page in pages}
    for text in said.values():
        assert "36.8131" not in text
        assert "一单元门口" not in text
    assert said["/appeals/"].count("1号楼") == 1  # of the one whose author agreed
    assert "1号楼" not in said[silent.get_absolute_url()]
    own = Client().get(f"/r/{receipt}/").content.decode()
    assert 'href="geo:36.8131,118.0548"' in own
    assert "一单元门口" in own


def test_what_comes_by_telephone_is_typed_in_and_followed_by_its_receipt(town):
    clerk = Client()
    clerk.force_login(town.people["office"])
    assert "/appeals/enter/" in clerk.get("/appeals/").content.decode()
    assert "/appeals/enter/" not in Client().get("/appeals/").content.decode()
    assert clerk.get("/appeals/enter/").status_code == 200
    form = clerk.get("/appeals/enter/?place=estate").content.decode()
    assert 'name="scan"' in form
    assert 'name="scan"' not in Client().get("/appeals/new/?place=estate").content.decode()
    told = {**SENT, "way": "phone", "happened_on": "2026-03-02", "submission": "call"}
    assert clerk.post("/appeals/enter/", {**told, "way": ""}).status_code == 422
    assert clerk.post("/appeals/enter/", {**told, "happened_on": "2026-03-04"}).status_code == 422
    assert clerk.post("/appeals/enter/", {**told, "happened_on": "2026-01-30"}).status_code == 422
    assert not Case.objects.exists()
    sent = clerk.post("/appeals/enter/", {**told, "scan": phone_photo()})
    assert sent.status_code == 302
    assert Attachment.objects.get().field == "scan"
    assert clerk.post("/appeals/enter/", told)["Location"] == sent["Location"]
    printed = clerk.get(sent["Location"]).content.decode()
    case = Case.objects.get()
    record = case.records.get(act="task.done")
    assert record.body["way"] == "phone"
    assert record.content["party"]["via"] == "paper"
    assert record.content["happened_at"].startswith("2026-03-02")
    code = re.search(r"receipt-code[^>]*>([^<]+)<", printed)[1]
    town.do(case, "classify", "office", ASSIGNED)
    town.do(case, "handle", "first", ANSWER)
    caller = Client()
    page = caller.get(f"/r/{code}/").content.decode()
    assert "已换好。" in page
    assert caller.post(f"/r/{code}/do/rate/task.done/", {"rating": "satisfied"}).status_code == 302
    assert town.at(case) == "settled"
    assert case.records.get(step="rate", act="task.done").content["party"].get("via") is None


def test_only_who_may_type_in_does(town):
    for who, status in (("first", 403), ("overseer", 403), ("office", 200)):
        client = Client()
        client.force_login(town.people[who])
        assert client.get("/appeals/enter/?place=estate").status_code == status
    assert Client().get("/appeals/enter/").status_code == 302
    elsewhere = factories.make_street("far")
    stranger = factories.make_person("stranger", "office", community=elsewhere)
    client = Client()
    client.force_login(stranger)
    told = {**SENT, "way": "phone", "happened_on": "2026-03-02"}
    again = client.post("/appeals/enter/", told)
    assert "没有这个地点" in again.content.decode()
    assert not Case.objects.exists()
    forged = Party("anyone", f"drawn:{'0' * 32}", stranger.pk, via="paper")
    with pytest.raises(acts.Refused):
        acts.open_case(Appeals, town.community, forged)


def test_whoever_has_only_a_receipt_has_their_data_erased(town):
    told = {"name": "李测试", "phone": "13812345678", "spot": "东门外", "photos": phone_photo()}
    receipt = report(Client(), building="1号楼", **told)["Location"]
    other = report(Client(), text="别人的诉求，与此无关")["Location"]
    case = Case.objects.order_by("pk")[0]
    given = {**ASSIGNED, "wording": "东门灯坏", "building": "1号楼"}
    town.do(case, "classify", "office", given)
    town.do(case, "handle", "first", ANSWER)
    clerk = Client()
    clerk.force_login(town.people["office"])
    page = f"/staff/erasure/{town.community.code}/"
    assert page in clerk.get(case.get_absolute_url()).content.decode()
    sent = {"reason": "request", "receipt": receipt[3:-1].lower().replace("-", " ")}
    shown = clerk.post(page, sent).content.decode()
    assert case.number in shown
    assert Appeal.objects.get(case=case).text
    assert clerk.post(page, {**sent, "confirm": "1"}).status_code == 302
    left = Appeal.objects.get(case=case)
    said = (left.text, left.name, left.phone, left.spot, left.building, left.digest, left.answer)
    assert not any(said)
    assert not Attachment.objects.filter(field="photos").exclude(file="").exists()
    assert not Disclosure.objects.filter(record__case=case, record__role="anyone").exists()
    assert Appeal.objects.exclude(case=case).get().text
    gone = Client().get(receipt).content.decode()
    assert case.number in gone
    assert "东门外" not in gone
    assert "不用再办" in clerk.post(page, sent).content.decode()
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None
    assert "别人的诉求" in Client().get(other).content.decode()
    sent["receipt"] = other[3:-1]
    elsewhere = clerk.post(f"/staff/erasure/{town.street.code}/", sent).content.decode()
    assert "没有这张回执" in elsewhere
