"""Pages: reported on a phone without an account, followed and rated by the receipt; the list."""

from __future__ import annotations

import io
import json
import re

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import ExifTags, Image

from processes.appeals import reading, rules, views
from processes.appeals.models import Appeal
from processes.appeals.procedure import Appeals
from processes.community import plans
from tests import factories
from workflows import acts, clock, records
from workflows.models import Attachment, Case, Disclosure
from workflows.parties import Party
from workflows.portal import paging
from workflows.records import erasure
from workflows.records.erasure import Subject

from .conftest import ANSWER, ASSIGNED

SENT = {"community": "estate", "kind": "repair", "text": "楼道灯坏了三天没人修", "may_show": "on"}


@pytest.fixture(autouse=True)
def _fresh():
    cache.clear()
    yield
    cache.clear()


def report(client: Client, **more):
    return client.post("/appeals/new/", {**SENT, **more})


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
    town.do(case, "classify", "office", {**ASSIGNED, "wording": "楼道灯损坏"})
    town.do(case, "handle", "first", ANSWER)
    page = later.get(receipt).content.decode()
    assert "已换好。" in page
    rate = f"{receipt}do/rate/task.done/"
    assert later.get(rate).status_code == 200
    assert later.post(rate, {}).status_code == 422
    assert later.post(rate, {"rating": "unsatisfied"}).status_code == 302
    assert town.at(case) == "rework"
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


def test_words_of_two_characters_are_found_in_what_is_public(town):
    case, _author, _receipt = town.submit(may_show="on")
    town.do(case, "classify", "office", {**ASSIGNED, "wording": "楼道路灯不亮"})
    assert [row.case_id for row in reading.rows({"q": "路灯"})] == [case.pk]
    assert not reading.rows({"q": "报修"})  # stands only in what the author wrote
    assert [row.case_id for row in reading.rows({"unit": "housing", "state": "open"})] == [case.pk]
    assert not reading.rows({"unit": "city"})
    assert not reading.rows({"state": "done"})
    page = Client().get("/appeals/?q=路灯&place=estate&kind=repair").content.decode()
    assert case.number in page


def test_the_list_asks_the_same_however_long(town, django_assert_num_queries, client):
    for _each in range(3):
        town.submit()
    client.get("/appeals/")
    with django_assert_num_queries(5):  # the figures were counted a moment ago
        assert client.get("/appeals/").status_code == 200
    for _each in range(9):
        town.submit()
    with django_assert_num_queries(5):
        client.get("/appeals/")
    cache.clear()
    with django_assert_num_queries(6):
        client.get("/appeals/")


def test_a_long_list_leads_on_to_the_older(town, client, monkeypatch):
    monkeypatch.setattr(paging, "MOST", 2)
    monkeypatch.setattr(views, "PER_PAGE", 2)
    numbers = [town.submit()[0].number for _each in range(3)]
    page = client.get("/appeals/")
    assert "共 2 件以上" in page.text
    assert page.context["older"] == numbers[1]
    older = client.get(f"/appeals/?before={numbers[1]}")
    assert [row["case"].number for row in older.context["rows"]] == numbers[:1]
    assert "更早的事项" not in older.text
    assert "回到最新的事项" in older.text


def test_figures_are_not_shown_below_five(town):
    for count in range(1, 6):
        case, _author = town.assigned()
        town.do(case, "handle", "first", ANSWER)
        shown = reading.figures()[0]
        assert (shown["in_time"] is None) == (count < rules.FEW)
    assert shown["in_time"] == shown["n"] == 5
    assert shown["overdue"] == 0
    assert shown["satisfied"] is None


def test_a_double_click_hands_in_once(town):
    resident = Client()
    resident.get("/appeals/new/")
    first, second = (report(resident, submission="one") for _ in range(2))
    assert first["Location"] == second["Location"]
    assert Appeal.objects.count() == 1
    assert report(resident, submission="two")["Location"] != first["Location"]
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


def _photo() -> SimpleUploadedFile:
    """A photo as a phone makes it, with its place, time and device."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "示范手机"
    exif[ExifTags.Base.DateTime] = "2026:03:02 21:04:00"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {1: "N", 2: (36.0, 48.0, 47.2), 3: "E", 4: (118.0, 3.0, 17.3)}
    )
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (120, 90, 60)).save(out, "JPEG", exif=exif, comment=b"at home")
    return SimpleUploadedFile("IMG_20260302.jpg", out.getvalue(), content_type="image/jpeg")


def test_what_a_phone_writes_into_a_photo_is_not_kept(town):
    sent = _photo()
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


def test_who_reads_an_appeal_and_its_photos(town):
    resident = Client()
    receipt = report(resident, photos=_photo(), may_show="")["Location"]
    case = Case.objects.get()
    photo = Attachment.objects.get().get_absolute_url()
    by_receipt = f"{receipt}files/{photo.rsplit('/', 2)[1]}/"

    def sees(who: str) -> bool:
        client = Client()
        client.force_login(town.people[who])
        page = client.get(case.get_absolute_url()).content.decode()
        read = client.get(photo).status_code == 200
        assert ("三天没人修" in page) == read
        assert (photo in page) == read
        return read

    assert [who for who in town.people if sees(who)] == ["office", "overseer"]
    done = town.do(case, "classify", "office", {**ASSIGNED, "joint": ["city"]})
    # Of the officer's own receipt nobody gets what the officer reads by the account.
    officers = f"/r/{done.receipt}/"
    assert Client().get(officers).status_code == 200
    assert Client().get(f"{officers}files/{photo.rsplit('/', 2)[1]}/").status_code == 404
    assert [who for who in town.people if sees(who)] == list(town.people)
    town.do(case, "handle", "city", {"note": "已清理现场"}, act="part.done")
    client = Client()
    client.force_login(town.people["first"])
    assert "已清理现场" in client.get(case.get_absolute_url()).content.decode()
    told = {"decision": "returned", "reason": "不属于住建职责"}
    town.do(case, "handle", "first", told)
    assert [who for who in town.people if sees(who)] == ["office", "overseer"]
    page = resident.get(receipt).content.decode()
    assert by_receipt in page
    assert "已清理现场" not in page  # what units tell one another is theirs
    assert Client().get(by_receipt).status_code == 200
    assert Client().get(photo).status_code == 404
    other = report(Client(), text="另外一件事情，与此无关")["Location"]
    assert Client().get(f"{other}files/{photo.rsplit('/', 2)[1]}/").status_code == 404


def test_held_matters_are_in_no_public_list(town):
    shown, _author = town.assigned()
    held, _author, receipt = town.submit(held="flood")
    pages = ["/", "/cases/", f"/search/?q={held.number}", "/appeals/", "/estates/estate/"]
    pages += ["/procedures/appeals/feed.atom", "/procedures/appeals/terms.ics"]
    pages += ["/procedures/appeals/ocel.json", "/procedures/appeals/log.xes"]

    def found() -> set[str]:
        return {page for page in pages if held.number in _text(Client().get(page))}

    said = "没有找到" in Client().get(pages[2]).content.decode()
    assert said
    assert found() <= {pages[2]}  # where the reader's own words are shown again
    assert shown.number in _text(Client().get("/cases/"))
    assert Client().get(f"/r/{receipt}/").status_code == 200
    town.do(held, "screen", "office", {"decision": "genuine", "reason": "电话核实"})
    assert {"/cases/", "/appeals/", "/estates/estate/", pages[7]} <= found()
    spam, _author, _receipt = town.submit(held="same")
    town.do(spam, "screen", "office", {"decision": "spam", "reason": "广告"})
    assert spam.number not in _text(Client().get("/cases/"))
    assert spam.number not in _text(Client().get("/appeals/"))


def _text(response) -> str:
    content = b"".join(response) if response.streaming else response.content
    return content.decode()


def test_facets_by_office_kind_state_and_estate(town):
    other = factories.make_estate("other", parent=town.street).community
    first, _author = town.assigned()
    town.do(first, "handle", "first", ANSWER)
    second, _author = town.assigned(unit="city", kind="traffic")
    town.do(second, "handle", "city", ANSWER)
    town.community = other
    third, author = town.assigned()
    town.do(third, "handle", "first", ANSWER)
    acts.perform(third, "rate", "task.done", author, {"rating": "satisfied"})

    def found(query: str) -> set[str]:
        page = Client().get(f"/appeals/?{query}").content.decode()
        numbers = {case.number for case in (first, second, third)}
        return {number for number in numbers if f"/cases/{number}/" in page}

    assert found("") == {first.number, second.number, third.number}
    assert found("unit=city") == {second.number}
    assert found("kind=repair") == {first.number, third.number}
    assert found("state=done") == found("place=other") == {third.number}
    assert found("unit=housing&place=estate&state=open") == {first.number}
    assert found("unit=nobody&kind=nothing") == found("")
    chosen = Client().get("/appeals/?unit=city").content.decode()
    assert '<option value="city" selected>' in chosen


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
    said = {page: _text(Client().get(page)) for page in pages}
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
    sent = clerk.post("/appeals/enter/", {**told, "scan": _photo()})
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


def test_cards_stand_in_the_list_and_on_the_page(town):
    near, _author = town.assigned(joint=["city"])
    town.day("2026-03-09", 9)
    later, _author = town.assigned()

    def listed(state: str) -> set[str]:
        page = Client().get(f"/appeals/?state={state}").content.decode()
        return {case.number for case in (near, later) if f"/cases/{case.number}/" in page}

    assert listed("yellow") == {near.number}
    assert listed("red") == set()
    page = Client().get(near.get_absolute_url()).content.decode()
    assert "黄牌提醒" in page
    assert "城市管理部门" in page
    town.day("2026-03-11", 9)
    assert listed("yellow") == set()
    assert listed("red") == {near.number}
    assert listed("open") == {near.number, later.number}
    sheet = {name: value for name, value in ANSWER.items() if name != "decision"}
    town.do(near, "supervised", "first", sheet)
    town.do(near, "inspect", "overseer", {"decision": "settled", "finding": "已核查"})
    assert listed("red") == set()
    assert listed("done") == {near.number}


def test_whoever_has_only_a_receipt_has_their_data_erased(town):
    told = {"name": "李测试", "phone": "13812345678", "spot": "东门外", "photos": _photo()}
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


def test_the_plan_is_picked_from_and_shows_the_point_to_those_who_handle_it(town):
    assert "<svg viewBox" not in Client().get("/appeals/new/?place=estate").content.decode()
    square = [[122.5, 35.5], [122.5003, 35.5], [122.5003, 35.5002], [122.5, 35.5]]
    shape = {"type": "Polygon", "coordinates": [square]}
    feature = {"properties": {"number": 1}, "geometry": shape}
    plans.apply(town.estate, json.dumps({"features": [feature]}).encode())
    page = Client().get("/appeals/new/?place=estate").content.decode()
    link = re.search(r'<a href="([^"]+)" aria-label="1号楼"', page)[1].replace("&amp;", "&")
    picked = Client().get(link).content.decode()
    assert '<option value="1号楼" selected>' in picked
    assert 'aria-current="true"' in picked
    assert report(Client(), point="36.8131,118.0548").status_code == 422
    receipt = report(Client(), building="1号楼", point="35.5001,122.5001")["Location"]
    case = Case.objects.get()
    assert "圆点是诉求人给的坐标" in Client().get(receipt).content.decode()
    assert "圆点是诉求人给的坐标" not in Client().get(case.get_absolute_url()).content.decode()
    clerk = Client()
    clerk.force_login(town.people["office"])
    assert "圆点是诉求人给的坐标" in clerk.get(case.get_absolute_url()).content.decode()


@pytest.mark.parametrize("who", ["office", "first", "city", "overseer"])
def test_an_inbox_asks_the_same_however_full(town, who):
    client = Client()
    client.force_login(town.people[who])

    def asked(more: int) -> int:
        for _each in range(more):
            town.submit()
            town.assigned(joint=["city"])
            case, _author = town.assigned(unit="city")
            town.do(case, "handle", "city", {"days": 3, "reason": "采购配件"}, "term.extended")
            supervised, _author = town.assigned()
            town.do(supervised, "handle", "first", ANSWER)
        client.get("/inbox/")
        with CaptureQueriesContext(connection) as found:
            assert client.get("/inbox/").status_code == 200
        return len(found)

    few = asked(1)
    assert asked(5) <= few
