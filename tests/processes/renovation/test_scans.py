"""Scanning a stack of typed-in forms: each page goes to the form whose code it bears."""

from __future__ import annotations

import io
import subprocess

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from tests import factories
from tests.processes.renovation.test_doors import asking, codes_of, print_forms, voting
from tests.processes.renovation.test_typing import page as page_of
from tests.processes.renovation.test_typing import type_in
from workflows import acts, erasing
from workflows.models import Attachment
from workflows.parties import Party

__all__ = ["asking", "voting"]


def scanned(content: bytes, folder) -> list[Image.Image]:
    """The pages of printed forms as a scanner gives them back: grey, a little askew."""
    (folder / "forms.pdf").write_bytes(content)
    command = ["pdftoppm", "-r", "100", "-gray", str(folder / "forms.pdf"), str(folder / "page")]
    subprocess.run(command, check=True)
    found = sorted(folder.glob("page*.pgm"))
    return [Image.open(path).rotate(1.5, fillcolor=255) for path in found]


def bundled(pages: list[Image.Image], kind: str = "PDF") -> SimpleUploadedFile:
    out = io.BytesIO()
    pages[0].save(out, kind, save_all=True, append_images=pages[1:])
    return SimpleUploadedFile(f"stack.{kind.lower()}", out.getvalue())


@pytest.fixture
def stack(asking, place, tmp_path):
    """The papers of three households, two of them typed in, and their scans."""
    printed = print_forms(asking, place, "ask_needs", "form.returned")
    codes = codes_of(printed)
    clerk = place.client("residents_committee")
    for code in codes[:2]:
        assert type_in(clerk, asking, code, item_roof="want").status_code == 302
    return clerk, scanned(printed.content, tmp_path)[:3]


def upload(clerk, story, *files, step="ask_needs", act="form.returned", **more):
    return clerk.post(page_of(story, step, act, "scans"), {"stack": list(files), **more})


def keys_of(found):
    return set(found.values_list("record__trace__party_key", flat=True))


@pytest.mark.parametrize("kind", ["PDF", "TIFF"])
def test_each_page_of_a_stack_goes_to_its_form_and_the_rest_is_listed(asking, place, stack, kind):
    clerk, pages = stack
    blank = Image.new("L", pages[0].size, 255)
    page = upload(clerk, asking, bundled([pages[1], blank, pages[0], pages[2]], kind))
    assert page.status_code == 200
    outcome = page.context["outcome"]
    assert outcome.done == [2, 1]
    assert [numbers for numbers, _why in outcome.left] == ["2", "4"]
    text = page.content.decode()
    assert "没有认出这一环节的码" in text
    assert "第3号：这份表还没有录入" in text
    assert "已录入 2 份，其中 2 份有扫描件" in text
    found = Attachment.objects.filter(record__act="scan.attached")
    units = factories.units_of(place.estate)
    assert keys_of(found) == {f"household:{units[0].pk}", f"household:{units[1].pk}"}
    assert not found.filter(public=True).exists()
    assert Client().get(found[0].get_absolute_url()).status_code == 404
    record = asking.case.records.filter(act="scan.attached").first()
    assert record.body == {"form": "form.returned", "of_step": "ask_needs"}  # and no number


def test_the_same_stack_twice_is_attached_once(asking, place, stack):
    clerk, pages = stack
    upload(clerk, asking, bundled(pages[:2]))
    again = upload(clerk, asking, bundled(pages[:2])).context["outcome"]
    assert again.done == []
    assert all("已经附过" in why for _numbers, why in again.left)
    assert Attachment.objects.filter(record__act="scan.attached").count() == 2


def test_pictures_of_pages_and_pages_that_follow(asking, place, stack):
    clerk, pages = stack
    back = Image.new("L", pages[0].size, 200)
    files = []
    for number, picture in enumerate((pages[0], back, pages[1])):
        out = io.BytesIO()
        picture.save(out, "JPEG")
        files.append(SimpleUploadedFile(f"{number}.jpg", out.getvalue()))
    outcome = upload(clerk, asking, *files, follows="on").context["outcome"]
    assert (outcome.done, outcome.left) == ([1, 2], [])
    first = asking.case.records.filter(act="scan.attached").order_by("seq").first()
    assert first.files.count() == 2


def test_a_page_that_was_not_read_is_attached_by_its_number(asking, place, stack):
    clerk, pages = stack
    unread = Image.new("L", pages[0].size, 180)
    outcome = upload(clerk, asking, bundled([unread]), serial="1").context["outcome"]
    assert outcome.done == [1]
    assert upload(clerk, asking, bundled([unread]), serial="999").status_code == 422


def test_what_is_no_scan_is_refused_with_what_to_do(asking, place, stack):
    clerk, _pages = stack
    for junk in (b"%PDF-1.4 nothing", b"GIF89a", b"\x00" * 50):
        answer = upload(clerk, asking, SimpleUploadedFile("x.pdf", junk))
        assert answer.status_code == 422
        assert "请重新扫描" in answer.content.decode()
    assert upload(place.client("designer"), asking, bundled(_pages[:1])).status_code == 403
    assert not Attachment.objects.filter(record__act="scan.attached").exists()


def test_nobody_attaches_a_scan_but_an_officer_for_a_paper(asking, place, stack):
    from processes.renovation.cast import photo

    unit = factories.units_of(place.estate)[0]
    own = Party("household", f"household:{unit.pk}", factories.make_member(unit).person.pk)
    run = asking.run("ask_needs")
    payload = {"run": run.pk, "form": "form.returned", "serial": 1}
    with pytest.raises(acts.Refused) as refused:
        acts.perform(asking.case.pk, acts.CASE, "scan.attached", own, payload, {"scan": [photo(1)]})
    assert refused.value.code == "wrong_party"


def test_a_scan_goes_with_the_data_of_its_household(asking, place, stack):
    clerk, pages = stack
    upload(clerk, asking, bundled(pages[:2]))
    key = f"household:{factories.units_of(place.estate)[0].pk}"
    office = asking.cast.party("office")
    erasing.carry_out(erasing.Subject(keys=frozenset({key})), "request", lambda case: office)
    gone = Attachment.objects.filter(record__act="scan.attached", file="")
    assert gone.count() == 1
