"""Papers of a renovation: notices for the wall, one for each stairwell, and the photo of each."""

from __future__ import annotations

import io
import re

import pikepdf
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from processes.community.models import Contact
from processes.renovation.cast import photo
from tests.pdfs import pages_of, text_of
from workflows import acts, clock, notices
from workflows.models import Attachment, Sheet
from workflows.portal.notices import _said
from workflows.steps import walls
from workflows.steps.base import Step
from workflows.steps.publicity import Posting

CODE = re.compile(r"[2-9A-Z]{5}(?:-[2-9A-Z]{5}){3}")


@pytest.fixture
def contact(place):
    return Contact.objects.create(
        community=place.street,
        office="示范街道办事处",
        address="示范路1号",
        telephone="0000-1111111",
        supervision="0000-2222222",
    )


def print_sheets(story, place, run, code, **data):
    url = f"/cases/{story.case.number}/notices/{run.pk}/{code}/sheets.pdf"
    response = place.client("residents_committee").post(url, data)
    assert response.status_code == 200
    return response


def codes_of(content: bytes) -> list[str]:
    return list(dict.fromkeys(CODE.findall(text_of(content))))


def test_every_notice_of_a_whole_case_has_its_form(told, place, contact):
    """For every publicity, announcement, ballot, result and acceptance there is a paper."""
    story = told("upkeep")
    seen = {}
    for run in story.case.runs.order_by("pk"):
        run.process = story.case
        if isinstance(run.flow_task, Step):
            for code in notices.listed(run):
                said = _said(run, notices.composed(run, code))
                seen[run.name, code] = render_to_string("print/notice.html", said)
    assert {
        ("shortlist", "notice"),
        ("design_publicity", "notice"),
        ("design_publicity", "result"),
        ("owner_ballot", "call"),
        ("owner_ballot", "result"),
        ("ask_needs", "call"),
        ("ask_needs", "result"),
        ("needs_meetings", "call"),
        ("joint_review", "result"),
        ("acceptance", "result"),
        ("supervisors", "call"),
        ("supervisors", "result"),
        ("survey", "result"),
    } <= set(seen)
    for key, text in seen.items():
        for words in ("示范街道办事处", "0000-1111111", "0000-2222222", "（盖章）"):
            assert words in text, (key, words)
        assert re.search(r"\d{4}年\d{1,2}月\d{1,2}日", text), key
        assert "王示" not in text  # nobody of the roll
        assert ("特此公示" in text) == (key[1] in ("notice", "count")), key
        lead = re.search(r'<div class="lead">([^<]+)</div>', text)
        assert lead, key  # plain words on top of every one, before what the office says
        assert len(lead[1]) >= 6, key
        assert lead.start() < text.index("<p>"), key


def test_a_notice_says_what_was_decided_and_who_takes_objections(told, contact):
    story = told("design_publicity")

    def shown(name):
        run = story.case.runs.get(name=name)
        run.process = story.case
        text = render_to_string("print/notice.html", _said(run, notices.composed(run, "notice")))
        return text, Client().get(f"/cases/{story.case.number}/steps/{run.pk}/").content.decode()

    for text in shown("shortlist"):
        assert "联合审查的结果：入围。" in text
    paper, page = shown("design_publicity")
    assert "的结果：" not in paper  # what hangs there is itself the decision
    assert "向示范街道办事处提出，也可以在本页提交" in page


@pytest.mark.parametrize(("size", "width"), [("a4", 595), ("a3", 842)])
def test_a_notice_is_set_large_enough_for_two_metres(told, size, width):
    """Chinese signs of 6.7 mm on A4: a three-hundredth of the distance; A3 in proportion."""
    story = told("design_publicity")
    run = story.run("design_publicity")
    url = f"/cases/{story.case.number}/notices/{run.pk}/notice.pdf?size={size}"
    with pikepdf.open(io.BytesIO(Client().get(url).content)) as pdf:
        box = pdf.pages[0].mediabox
        assert abs(float(box[2]) - width) < 1
    assert "楼道公告栏" in text_of(Client().get(url).content)


def test_forty_stairwells_are_one_pdf_each_with_its_code(told, place):
    story = told("design_publicity")
    run = story.run("design_publicity")
    response = print_sheets(story, place, run, "notice")
    assert response["Cache-Control"] == "no-store"
    found = codes_of(response.content)
    assert len(found) == 2 == Sheet.objects.count()
    marked = [(CODE.findall(page), "张贴人" in page) for page in pages_of(response.content)]
    assert [codes for codes, mark in marked if mark] == [[code] for code in found]
    assert not any(codes for codes, mark in marked if not mark)
    record = story.case.records.get(act="sheets.printed")
    assert record.body == {"notice": "notice", "of_step": "design_publicity", "sheets": 2}
    kept = "".join(str(row) for row in Sheet.objects.values())
    assert not any(code.replace("-", "") in kept.replace("-", "") for code in found)


def test_a_photo_by_the_code_of_a_sheet_proves_that_it_hangs(told, place):
    story = told("design_publicity")
    run = story.run("design_publicity")
    one, two = codes_of(print_sheets(story, place, run, "notice").content)
    page = Client().get(f"/cases/{story.case.number}/").content.decode()
    assert "还没有张贴照片的地点" in page
    assert "1号楼2单元" in page

    passer = Client()
    shown = passer.get(f"/p/{one}/")
    assert shown.status_code == 200
    assert "1号楼1单元" in shown.content.decode()
    assert passer.post(f"/p/{one}/", {"photos": _with_place()}).status_code == 302
    posting = Posting.objects.select_related("photo__record").get(run=run, label="1号楼1单元")
    assert posting.posted_at == clock.now()
    with Image.open(posting.photo.file) as kept:
        assert not kept.getexif()
    record = posting.photo.record
    assert (record.act, record.content["party"]["via"]) == ("notice.posted", "sheet")
    assert record.trace.user_id == place.people["residents_committee"].pk

    run.refresh_from_db()
    assert run.phase == "posting"
    assert (
        passer.post(f"/p/{two.lower().replace('-', '')}/", {"photos": photo(2)}).status_code == 302
    )
    run.refresh_from_db()
    assert run.phase == "standing"  # the term begins with the last
    assert (
        "还没有张贴照片的地点" not in Client().get(f"/cases/{story.case.number}/").content.decode()
    )


def _with_place() -> SimpleUploadedFile:
    """A picture that says where it was taken."""
    exif = Image.Exif()
    exif[0x010F] = "phone"
    exif.get_ifd(0x8825)[1] = "N"
    out = io.BytesIO()
    Image.new("RGB", (60, 40), (9, 9, 9)).save(out, "JPEG", exif=exif)
    return SimpleUploadedFile("张三家.jpg", out.getvalue())


def test_a_code_is_good_once_and_not_after_it_was_withdrawn(told, place):
    story = told("design_publicity")
    run = story.run("design_publicity")
    one, two = codes_of(print_sheets(story, place, run, "notice").content)
    client = Client()
    client.post(f"/p/{one}/", {"photos": photo(1)})
    again = client.post(f"/p/{one}/", {"photos": photo(3)})
    assert "已登记，谢谢" in again.content.decode()
    assert Attachment.objects.filter(field="photos", run=run).count() == 1
    url = f"/cases/{story.case.number}/notices/{run.pk}/notice/withdraw/"
    assert Client().post(url).status_code == 302  # to sign in
    assert place.client("designer").post(url).status_code == 403
    place.client("residents_committee").post(url)
    late = client.post(f"/p/{two}/", {"photos": photo(4)})
    assert "这个码已作废" in late.content.decode()
    assert Posting.objects.filter(run=run, posted_at=None).count() == 1


@pytest.mark.parametrize(
    ("stage", "step", "notice"),
    [("design_publicity", "design_publicity", "notice"), ("ask_needs", "shortlist", "result")],
)
def test_of_two_who_send_a_photo_at_once_one_may(told, place, stage, step, notice):
    story = told(stage)
    run = story.case.runs.get(name=step)
    one, _two = codes_of(print_sheets(story, place, run, notice).content)
    first, second = walls.found(one), walls.found(one)  # both have seen the code open
    walls.hang(first, photo(1), walls.by_sheet(first), clock.now())
    with pytest.raises(acts.Refused) as refused:
        walls.hang(second, photo(2), walls.by_sheet(second), clock.now())
    assert refused.value.code == "duplicate"
    assert Attachment.objects.filter(field="photos", run=run).count() == 1


def test_the_code_of_an_officer_who_has_left_proves_nothing(told, place):
    story = told("design_publicity")
    run = story.run("design_publicity")
    one, _two = codes_of(print_sheets(story, place, run, "notice").content)
    place.people["residents_committee"].roles.all().delete()
    answer = Client().post(f"/p/{one}/", {"photos": photo(1)})
    assert answer.status_code == 422
    assert Sheet.objects.filter(used_at__isnull=False).count() == 0
    assert Posting.objects.filter(run=run, posted_at__isnull=False).count() == 0


def test_a_wrong_code_is_no_page_and_soon_no_answer(place, settings):
    settings.RATELIMIT_ENABLE = True
    client = Client(REMOTE_ADDR="127.9.9.9")
    answers = [client.get("/p/AAAAA-BBBBB-CCCCC-DDDDD/").status_code for _ in range(22)]
    assert answers[0] == 404
    assert answers[-1] == 429


def test_a_result_hangs_too_after_its_step_has_ended(told, place):
    """A ballot's result is put up in every stairwell; which is missing stays red."""
    story = told("design_session")
    run = story.case.runs.get(name="owner_ballot")
    one, two = codes_of(print_sheets(story, place, run, "result", size="a3").content)
    body = Client().post(f"/p/{one}/", {"photos": photo(1)})
    assert body.status_code == 302
    record = story.case.records.get(act="notice.hung")
    assert record.body == {"notice": "result", "of_step": "owner_ballot", "place": "1号楼1单元"}
    page = Client().get(f"/cases/{story.case.number}/").content.decode()
    assert "已张贴 1 处，共 2 处" in page
    same = Client().post(f"/p/{two}/", {"photos": photo(1)})
    assert same.status_code == 422  # one photo does not show two stairwells
    run.process = story.case
    (wall,) = walls.walls(story.case, [run])
    assert (wall.posted, wall.missing) == (1, ["1号楼2单元"])


def test_nobody_prints_sheets_who_does_not_handle_the_step(told, place):
    story = told("design_publicity")
    run = story.run("design_publicity")
    url = f"/cases/{story.case.number}/notices/{run.pk}/notice/sheets.pdf"
    assert place.client("designer").post(url).status_code == 403
    party = story.cast.party("designer")
    payload = {"run": run.pk, "notice": "notice", "sheets": walls.draw(run)}
    with pytest.raises(acts.Refused):
        acts.perform(story.case.pk, acts.CASE, "sheets.printed", party, payload)
    assert (
        Client().get(f"/cases/{story.case.number}/notices/{run.pk}/nothing.pdf").status_code == 404
    )


def test_the_page_of_notices_costs_the_same_with_many_places(told, place):
    story = told("design_publicity")
    run = story.run("design_publicity")
    url = f"/cases/{story.case.number}/notices/"

    def asked() -> int:
        client = place.client("residents_committee")
        client.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        return len(queries)

    print_sheets(story, place, run, "notice")
    before = asked()
    print_sheets(story, place, run, "notice")
    shortlist = story.case.runs.get(name="shortlist")
    print_sheets(story, place, shortlist, "result")
    assert asked() == before


def test_the_office_says_whom_notices_name(place, contact):
    page = place.client("residents_committee")
    url = f"/staff/contacts/{place.estate.community.code}/"
    assert "示范街道办事处" in page.get(url).content.decode()  # of the street above
    sent = {
        "office": "示范社区居委会",
        "address": "",
        "telephone": "0000-3333333",
        "supervision": "",
    }
    assert page.post(url, sent).status_code == 302
    shown = page.get(url).content.decode()
    assert "0000-3333333" in shown
    assert "0000-2222222" in shown
    assert place.client("designer").get(url).status_code == 403
    assert Client().get(url).status_code == 302
