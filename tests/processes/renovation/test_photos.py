"""Photos of posted notices: looked at by a machine, judged by people, sent back with a reason."""

from __future__ import annotations

import io
import subprocess

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image, ImageDraw

from processes.renovation.cast import photo
from tests.processes.renovation.test_papers import codes_of, print_sheets
from workflows import acts, clock, pictures
from workflows.models import Attachment, Sheet
from workflows.steps.publicity import Posting


def snapshot(content: bytes, page: int, *, turn: float = 4, quality: int = 70) -> bytes:
    """A sheet on a grey wall, taken askew by a phone."""
    command = ["pdftoppm", "-r", "80", "-f", str(page), "-l", str(page), "-png", "-singlefile", "-"]
    drawn = subprocess.run(command, input=content, capture_output=True, check=True).stdout
    sheet = Image.open(io.BytesIO(drawn)).convert("RGB")
    wall = Image.new("RGB", (sheet.width + 500, sheet.height + 300), (120, 118, 110))
    wall.paste(sheet, (250, 150))
    out = io.BytesIO()
    wall.rotate(turn, fillcolor=(120, 118, 110)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def sent(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("photo.jpg", content)


@pytest.fixture
def standing(told, place):
    """The design hangs at both stairwells, shown by photos; its term has begun."""
    story = told("design_publicity")
    run = story.run("design_publicity")
    printed = print_sheets(story, place, run, "notice").content
    for number, code in enumerate(codes_of(printed)):
        assert Client().post(f"/p/{code}/", {"photos": photo(number)}).status_code == 302
    run.refresh_from_db()
    assert run.phase == "standing"
    return story, run, codes_of(printed)


def reject(story, place, found, *, role="residents_committee", finding="not_hung"):
    data = {"photo": str(found.pk), "on_the_spot": finding, "reason": "照片里看不到公示内容。"}
    party = story.cast.party(role)
    return acts.perform(story.case.pk, acts.CASE, "photo.rejected", party, data)


def test_the_code_of_the_sheet_is_seen_in_a_photo_taken_askew(told, place):
    story = told("design_session")
    run = story.case.runs.get(name="owner_ballot")
    printed = print_sheets(story, place, run, "result")
    one, two = codes_of(printed.content)
    shot = snapshot(printed.content, 1)
    assert [kind for kind, _code in pictures.codes_in(Image.open(io.BytesIO(shot)))] == ["sheet"]
    assert Client().post(f"/p/{one}/", {"photos": sent(shot)}).status_code == 302
    # The second stairwell sends the picture of the first: taken, pointed out, never a bar.
    again = snapshot(printed.content, 1, turn=4, quality=40)
    assert Client().post(f"/p/{two}/", {"photos": sent(again)}).status_code == 302
    first, second = Sheet.objects.filter(notice="result").order_by("pk")
    assert (first.photo.code_seen, second.photo.code_seen) == (True, False)
    page = place.client("residents_committee").get(f"/cases/{story.case.number}/notices/")
    text = page.content.decode()
    assert "照片里认出了这张的码" in text
    assert "照片里没有认出码" in text
    assert "有的照片几乎一样" in text
    public = Client().get(f"/cases/{story.case.number}/notices/").content.decode()
    assert "几乎一样" not in public
    assert "退回照片" not in public


def test_a_bad_photo_is_sent_back_and_the_place_is_red_again(standing, place):
    story, run, (one, _two) = standing
    shown = Posting.objects.get(run=run, label="1号楼1单元")
    before = run.ends_at
    done = reject(story, place, shown.photo, finding="unclear")
    assert done.record.body["reason"] == "照片里看不到公示内容。"
    assert "照片里" not in done.record.canonical
    shown.refresh_from_db()
    assert (shown.photo, shown.posted_at) == (None, None)
    run.refresh_from_db()
    assert (run.phase, run.ends_at) == ("standing", before)  # it hung there: the term goes on
    page = Client().get(f"/cases/{story.case.number}/").content.decode()
    assert "还没有张贴照片的地点" in page
    # The code on the wall is good once more.
    assert Client().post(f"/p/{one}/", {"photos": photo(7)}).status_code == 302
    assert Client().post(f"/p/{one}/", {"photos": photo(8)}).status_code == 200
    shown.refresh_from_db()
    assert shown.photo is not None
    run.refresh_from_db()
    assert run.ends_at == before


def test_where_it_did_not_hang_the_term_begins_anew(standing, place):
    story, run, (one, _two) = standing
    shown = Posting.objects.get(run=run, label="1号楼1单元")
    before = run.ends_at
    story.wait(days=3)
    assert reject(story, place, shown.photo).record.body["phase"] == "posting"
    run.refresh_from_db()
    assert (run.phase, run.ends_at, run.scheduled) == ("posting", None, None)
    assert Client().post(f"/p/{one}/", {"photos": photo(7)}).status_code == 302
    run.refresh_from_db()
    assert run.phase == "standing"
    assert run.ends_at > before
    assert run.started < clock.now()


def test_only_those_who_put_up_send_back_once_and_with_a_reason(standing, place):
    story, run, _codes = standing
    found = Posting.objects.filter(run=run).first().photo
    with pytest.raises(acts.Refused) as refused:
        reject(story, place, found, role="designer")
    assert refused.value.code == "wrong_party"
    party = story.cast.party("residents_committee")
    data = {"photo": str(found.pk), "on_the_spot": "unclear", "reason": ""}
    with pytest.raises(acts.Refused):
        acts.perform(story.case.pk, acts.CASE, "photo.rejected", party, data)
    url = f"/cases/{story.case.number}/do/case/photo.rejected/?photo={found.pk}"
    page = place.client("residents_committee").get(url)
    assert page.status_code == 200
    assert f'value="{found.pk}"' in page.content.decode()
    data["reason"] = "照片里看不到公示内容。"
    assert place.client("designer").post(url, data).status_code == 422
    assert Client().post(url, data).status_code in (302, 403)
    assert Posting.objects.filter(photo=found).exists()
    reject(story, place, found)
    with pytest.raises(acts.Refused):
        reject(story, place, found)
    assert Attachment.objects.filter(pk=found.pk).exists()  # what was recorded stays recorded


def test_only_the_bare_places_are_printed_again(standing, place):
    story, run, _codes = standing
    reject(story, place, Posting.objects.get(run=run, label="1号楼2单元").photo)
    printed = print_sheets(story, place, run, "notice", bare="on")
    assert len(codes_of(printed.content)) == 1
    assert Sheet.objects.order_by("-pk").first().label == "1号楼2单元"


def test_looks_are_of_pictures_and_not_of_files():
    def drawing(seed: int) -> Image.Image:
        picture = Image.new("RGB", (400, 300), (200, 200, 200))
        draw = ImageDraw.Draw(picture)
        for n in range(30):
            x, y = (n * 71 * seed) % 380, (n * 37 * seed + 11 * seed) % 280
            draw.rectangle((x, y, x + 40, y + 25), fill=((n * 50) % 255,) * 3)
        return picture

    one, other = drawing(3), drawing(7)
    saved = io.BytesIO()
    one.resize((260, 195)).save(saved, "JPEG", quality=35)
    assert pictures.alike(pictures.look_of(one), pictures.look_of(Image.open(saved)))
    assert not pictures.alike(pictures.look_of(one), pictures.look_of(other))
    flat = pictures.look_of(Image.new("RGB", (50, 50), (9, 9, 9)))
    assert flat == ""
    assert not pictures.alike(flat, flat)
