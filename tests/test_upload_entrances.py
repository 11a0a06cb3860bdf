"""Each way in for files judges them: which fields there are, and bad files sent to the pages."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.workflows.test_uploads import PDF, huge_png, picture, zipped
from workflows import acts
from workflows.models import Attachment

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[1]
BAD = {
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "bomb": huge_png(),
    "zip": zipped(),
    "pdf-zip": PDF + zipped(),
    "pdf-script": PDF.replace(b"/Catalog", b"/Catalog/JavaScript"),
    "gif-script": b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//",
    "empty": b"",
}


def named(content: bytes) -> SimpleUploadedFile:
    """A file that lies about its name and kind."""
    return SimpleUploadedFile("../../../tmp/王某某.jpg", content, "image/jpeg")


def fields(tree: ast.AST) -> list[str]:
    """The classes of all fields for files that a module makes."""
    return [
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in ("FileField", "ImageField")
        and ast.unparse(node.func).split(".")[0] == "forms"
    ]


def test_every_field_for_files_judges_them_but_the_rolls_which_do_it_themselves() -> None:
    own = [
        (str(path.relative_to(ROOT)), name)
        for room in ("workflows", "processes", "notifications")
        for path in (ROOT / room).rglob("*.py")
        for name in fields(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert own == [("processes/community/views.py", "forms.FileField")]


@pytest.fixture
def ask(place: Place) -> str:
    """The address of an opinion in a case that asks for some."""
    from tests.sandbox.opinion_procedures import Needs

    cache.clear()
    case = acts.open_case(Needs, place.community, place.staff("office"), title="问需")
    return f"/cases/{case.number}/do/ask/opinion.submitted/"


@pytest.mark.parametrize("kind", BAD)
def test_a_residents_opinion_takes_no_bad_file(place: Place, ask: str, kind: str) -> None:
    client = Client()
    client.force_login(place.others[0])
    before = Attachment.objects.count()
    answer = client.post(ask, {"text": "屋顶漏水", "photos": named(BAD[kind])})
    assert answer.status_code == 422
    assert answer.context["form"].errors["photos"]
    assert Attachment.objects.count() == before


@pytest.mark.parametrize("kind", BAD)
def test_a_typed_in_form_takes_no_bad_scan(place: Place, ask: str, kind: str) -> None:
    client = Client()
    client.force_login(place.committee)
    before = Attachment.objects.count()
    told = {"text": "屋顶漏水", "resident": "1号楼1单元102室", "happened_on": "2026-06-01"}
    answer = client.post(f"{ask}?paper=1", {**told, "scan": named(BAD[kind])})
    assert answer.status_code == 422
    assert "scan" in str(answer.content.decode())
    assert Attachment.objects.count() == before


@pytest.mark.parametrize("kind", [*BAD, "cut workbook"])
def test_the_rolls_take_no_bad_file(place: Place, kind: str) -> None:
    client = Client()
    client.force_login(place.committee)
    content = BAD.get(kind, b"PK\x03\x04" + b"\0" * 100)
    file = SimpleUploadedFile("../../roll.xlsx", content, "text/html")
    answer = client.post(f"/staff/rolls/{place.community.code}/", {"file": file}, follow=True)
    assert answer.status_code in (200, 422)
    shown = answer.content.decode()
    assert 'class="errors"' in shown or "error" in shown
    assert "alert(1)</script>" not in shown


def test_what_is_kept_is_served_as_what_it_is_and_runs_nothing(place: Place, ask: str) -> None:
    client = Client()
    client.force_login(place.others[0])
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (35.0, 30.0, 0.0), 3: "E", 4: (122.0, 30.0, 0.0)})
    sent = picture(exif=exif) + b"<script>alert(1)</script>"
    page = b"%PDF-1.4\n%<html><script>alert(1)</script>\n" + PDF[9:]
    files = [named(sent), SimpleUploadedFile("x.html", page, "text/html")]
    answer = client.post(ask, {"text": "屋顶漏水", "photos": files})
    assert answer.status_code == 302, answer.context["form"].errors
    for kept in Attachment.objects.all():
        got = client.get(kept.get_absolute_url())
        content = b"".join(got.streaming_content) if got.streaming else got.content
        assert got["Content-Type"] == kept.media_type
        assert got["X-Content-Type-Options"] == "nosniff"
        assert got["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert "王某某" not in got["Content-Disposition"]
        assert "html" not in got["Content-Disposition"]
        if kept.media_type == "image/jpeg":
            assert b"<script>" not in content
            with Image.open(io.BytesIO(content)) as clean:
                assert not clean.getexif()
        # Nobody else finds it.
        assert Client().get(kept.get_absolute_url()).status_code in (302, 403, 404)
