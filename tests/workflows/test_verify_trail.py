"""A real trail under the verifier: sound as made, and every change of its file or text named."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from django.utils import translation

from sanwen import disclosure
from sanwen.verify import Line, Trust, verify
from tests.sandbox.directory import SandboxDirectory
from tests.workflows.trail_cases import NOON, make_case, sealed
from workflows import calendars, clock
from workflows.records import log
from workflows.records.trail import make, seal

ADDRESS = "https://sanwen.example.org/cases/X/"


@pytest.fixture(autouse=True)
def _fresh(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.DEMO = True
    settings.SANWEN_TRAIL_DEMO = tmp_path / "demo"
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "log.key"
    seal.signer.cache_clear()
    calendars.seed()
    SandboxDirectory.reset()
    with clock.at(NOON), translation.override("zh-hans"):
        yield
    seal.signer.cache_clear()


def made(tmp_path: Path, opinions: int = 2, *, full: bool = False) -> Path:
    case = make_case(opinions)
    while log.integrate():
        pass
    path = tmp_path / "trail.pdf"
    with make.full(case, ADDRESS) if full else make.public(case, ADDRESS) as held:
        path.write_bytes(held.read())
    return path


def test_who_asks_before_the_sequencer_came_gets_every_proof(client, tmp_path):
    case = make_case(2)
    path = tmp_path / "trail.pdf"
    path.write_bytes(b"".join(client.get(f"/cases/{case.number}/trail.pdf").streaming_content))
    result = check(path)
    assert result.status == 0, said(result)


def check(path: Path):
    return verify(str(path), Trust([log.signer().verifier]))


def said(result) -> list[str]:
    return [line.text("en") for line in result.lines]


def changed(path: Path, change: Callable[[pikepdf.Pdf], None]) -> Path:
    """The trail with a change, sealed anew as by one who has the key of the seal."""
    loose, target = path.with_name("loose.pdf"), path.with_name("changed.pdf")
    with pikepdf.open(io.BytesIO(path.read_bytes())) as pdf:
        del pdf.Root.AcroForm
        for page in pdf.pages:
            if "/Annots" in page.obj:
                page.obj.Annots = pikepdf.Array(
                    mark for mark in page.obj.Annots if mark.get("/FT") != "/Sig"
                )
        change(pdf)
        pdf.save(loose)
    sealed(loose, target)
    return target


def first(path: Path) -> Line:
    result = check(path)
    found = result.first_fault
    assert found is not None, said(result)
    return found


def attach(pdf: pikepdf.Pdf, name: str, content: bytes) -> None:
    del pdf.attachments[name]
    pdf.attachments[name] = pikepdf.AttachedFileSpec(pdf, content, filename=name)


def attached(pdf: pikepdf.Pdf, name: str) -> bytes:
    return pdf.attachments[name].get_file().read_bytes()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("full", [False, True])
def test_a_trail_as_it_was_made_holds(tmp_path, language, full):
    with translation.override(language):
        result = check(made(tmp_path, 30, full=full))
    assert result.status == 0, said(result)
    assert {"seal_holds", "chain_holds", "included", "pages_hold"} <= {
        line.code for line in result.lines
    }


@pytest.mark.parametrize("opinions", [170, 230])
def test_a_long_trail_of_many_pieces_holds(tmp_path, opinions):
    """Of slices alone that grow; of a finished one and those."""
    result = check(made(tmp_path, opinions))
    assert result.status == 0, said(result)


def test_a_trail_sealed_anew_without_a_change_holds(tmp_path):
    result = check(changed(made(tmp_path), lambda _pdf: None))
    assert result.status == 0, said(result)


def test_a_changed_byte_breaks_the_seal(tmp_path):
    path = made(tmp_path)
    content = bytearray(path.read_bytes())
    at = content.index(b"stream") + 100
    content[at] ^= 1
    path.write_bytes(content)
    assert first(path).code in ("seal_broken", "unreadable")


def test_what_is_added_after_the_seal_is_seen(tmp_path):
    path = made(tmp_path)
    with pikepdf.open(io.BytesIO(path.read_bytes())) as pdf:
        pdf.save(path)
    assert check(path).status != 0


def text_steps(pdf: pikepdf.Pdf) -> list[tuple[pikepdf.Page, int, list]]:
    """Where text is painted on the last page."""
    page = pdf.pages[-1]
    steps = list(pikepdf.parse_content_stream(page))
    return [
        (page, at, steps) for at, step in enumerate(steps) if str(step.operator) in ("Tj", "TJ")
    ]


@pytest.mark.parametrize("which", [-1, -4, -6])
def test_a_line_struck_from_the_pages(tmp_path, which):
    def strike(pdf):
        page, at, steps = text_steps(pdf)[which]
        page.Contents = pdf.make_stream(
            pikepdf.unparse_content_stream(steps[:at] + steps[at + 1 :])
        )

    found = first(changed(made(tmp_path), strike))
    assert found.code == "page_text"
    assert found.about["line"]


@pytest.mark.parametrize("which", [-1, -2, -5])
def test_a_line_slipped_into_the_pages(tmp_path, which):
    def slip(pdf):
        page, at, steps = text_steps(pdf)[which]
        page.Contents = pdf.make_stream(
            pikepdf.unparse_content_stream(steps[: at + 1] + steps[at:])
        )

    assert first(changed(made(tmp_path), slip)).code in ("page_extra", "page_text")


def test_pages_that_leave_out_a_record(tmp_path):
    def without_last_page(pdf):
        del pdf.pages[-1]

    assert first(changed(made(tmp_path, 30), without_last_page)).code == "page_text"


def test_pages_of_another_wording(tmp_path):
    def reword(pdf):
        words = json.loads(attached(pdf, "words.json"))
        words["values"] = {code: text + "改" for code, text in words["values"].items()}
        words["roles"] = {code: text + "改" for code, text in words["roles"].items()}
        attach(pdf, "words.json", json.dumps(words, ensure_ascii=False).encode())

    found = first(changed(made(tmp_path), reword))
    assert (found.code, found.about["seq"]) == ("page_text", 0)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("records.jsonl", lambda d: d.replace(b"want", b"not_want", 1), "prev_wrong"),
        ("records.jsonl", lambda d: b"\n".join(d.split(b"\n")[:-2]) + b"\n", "disclosure_unknown"),
        ("records.jsonl", lambda d: b"\n".join(d.split(b"\n")[1:]), "left_out"),
        ("disclosures.jsonl", lambda d: swapped(d), "disclosure_unknown"),
        ("disclosures.jsonl", lambda d: b"", "page_text"),
        ("checkpoint", lambda d: d.replace(b"\n", b"\n1", 1), "bad_checkpoint"),
        ("proofs.jsonl", lambda d: d.replace(b'"index":1,', b'"index":2,'), "not_included"),
        ("case.json", lambda d: d.replace(b'"records": ', b'"records": 1'), "summary_wrong"),
        ("words.json", lambda d: b"[]", "attachment_wrong"),
    ],
)
def test_an_attachment_that_was_changed(tmp_path, name, change, code):
    found = first(
        changed(made(tmp_path), lambda pdf: attach(pdf, name, change(attached(pdf, name))))
    )
    assert found.code == code


def swapped(data: bytes) -> bytes:
    rows = [json.loads(line) for line in data.splitlines()]
    rows[0]["disclosure"] = disclosure.made("title", "另一个名称")
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_a_missing_attachment_and_a_missing_seal(tmp_path):
    path = made(tmp_path)

    def drop(pdf):
        del pdf.attachments["records.jsonl"]

    assert first(changed(path, drop)).about == {"name": "records.jsonl"}
    result = check(path.with_name("loose.pdf"))
    assert result.lines[0].code == "no_seal"
