"""The trail: the whole case as one signed PDF/A-3, its text that of the attached records."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pikepdf
import pytest
from django.conf import settings
from django.utils import translation

from sanwen import disclosure, merkle, note, trailtext
from tests.sandbox.directory import SandboxDirectory
from tests.workflows import trail_cases
from tests.workflows.trail_cases import NOON, SECRET, SHOWN, add_opinion, make_case, seen, shell
from workflows import calendars, clock
from workflows.models import Case, Disclosure
from workflows.records import log
from workflows.records.trail import chapters, keep, make, press, seal, setting

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


@pytest.fixture
def case() -> Case:
    return make_case()


def written(tmp_path: Path, case: Case, *, full: bool = False) -> Path:
    while log.integrate():
        pass
    path = tmp_path / "trail.pdf"
    with make.full(case, ADDRESS) if full else make.public(case, ADDRESS) as held:
        path.write_bytes(held.read())
    return path


def text_of(path: Path) -> str:
    return trail_cases.squeezed(shell("pdftotext", "-raw", path, "-"))


def expected(held: dict[str, bytes]) -> list[str]:
    """The lines that anyone makes from what is attached."""
    words = json.loads(held["words.json"])
    given: dict[int, list[str]] = {}
    for line in held["disclosures.jsonl"].decode().splitlines():
        row = json.loads(line)
        given.setdefault(row["seq"], []).append(row["disclosure"])
    return [
        line
        for canonical in held["records.jsonl"].decode().splitlines()
        for line in trailtext.lines(canonical, given.get(json.loads(canonical)["seq"], ()), words)
    ]


# --- the file


def test_other_tools_find_the_file_sound_and_the_signature_valid(tmp_path, case):
    path = written(tmp_path, case)
    assert "No syntax or stream encoding errors" in shell("qpdf", "--check", path)
    signed = shell("pdfsig", "-nocert", path)
    assert "Signature is Valid" in signed
    assert "Total document signed" in signed
    assert "ETSI.CAdES.detached" in signed
    assert re.search(r"Tagged:\s+yes", shell("pdfinfo", path))


def test_a_changed_byte_breaks_the_signature(tmp_path, case):
    path = written(tmp_path, case)
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    done = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, text=True)
    assert "Signature is Valid" not in done.stdout


def test_it_says_that_it_is_pdf_a_3_and_holds_what_that_needs(tmp_path, case):
    with pikepdf.open(written(tmp_path, case)) as pdf:
        meta = pdf.open_metadata()
        assert (meta["pdfaid:part"], meta["pdfaid:conformance"]) == ("3", "U")
        assert meta["dc:title"] == str(pdf.docinfo.Title)
        assert pdf.Root.Lang == "zh-hans"
        assert pdf.Root.MarkInfo.Marked
        assert pdf.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert {str(spec.AFRelationship) for spec in pdf.Root.AF} == {"/Source", "/Data"}
        assert len(pdf.Root.AF) == len(pdf.attachments)
        assert "/Encrypt" not in pdf.trailer
        for page in pdf.pages:
            for mark in page.obj.get("/Annots", ()):
                assert int(mark.F) & 0b111 == 0b100, "printed and not hidden"


def test_both_places_for_metadata_name_the_same_producer(tmp_path, case):
    with pikepdf.open(written(tmp_path, case)) as pdf:
        assert pdf.open_metadata()["pdf:Producer"] == str(pdf.docinfo.Producer)


def test_heads_of_tables_say_whether_they_are_of_a_row_or_a_column(tmp_path, case):
    with pikepdf.open(written(tmp_path, case)) as pdf:
        cells = [
            element
            for element in pdf.objects
            if isinstance(element, pikepdf.Dictionary) and element.get("/S") in ("/TH", "/TD")
        ]
        assert {str(cell.A.Scope) for cell in cells if cell.S == "/TH"} == {"/Row", "/Column"}
        assert not any("/ID" in cell or "/Headers" in cell.get("/A", {}) for cell in cells)


def test_every_page_finds_its_place_in_one_structure_tree(tmp_path, case):
    with pikepdf.open(written(tmp_path, make_case(160))) as pdf:
        rows = trail_cases.numbered(pdf)
        keys = [int(page.obj.StructParents) for page in pdf.pages]
        keys += [
            int(mark.StructParent)
            for page in pdf.pages
            for mark in page.obj.get("/Annots", ())
            if "/StructParent" in mark
        ]
        assert len(set(keys)) == len(keys)
        assert set(keys) == set(rows)
        root = pdf.Root.StructTreeRoot
        top = root.K[0]
        assert top.S == "/Document"
        assert root == top.P
        pages = {page.objgen for page in pdf.pages}
        for page in pdf.pages:
            for element in rows[int(page.obj.StructParents)]:
                seen = 0
                while element != top:
                    element = element.P
                    seen += 1
                    assert seen < 50
        for kid in top.K:
            assert kid.P.objgen == top.objgen
            if "/Pg" in kid:
                assert kid.Pg.objgen in pages


def test_only_our_own_face_is_used_and_embedded(tmp_path, case):
    rows = shell("pdffonts", written(tmp_path, case)).splitlines()[2:]
    assert rows
    for row in rows:
        assert "+Noto-Sans-CJK-SC " in row
        assert " yes yes yes " in row


def test_pages_are_numbered_and_chapters_have_bookmarks_and_links(tmp_path, case):
    path = written(tmp_path, case)
    with pikepdf.open(path) as pdf:
        total = len(pdf.pages)
        with pdf.open_outline() as outline:
            titles = [item.title for item in outline.root]
        assert titles[:2] == ["封面", "目录"]
        assert [title.partition("　")[2] for title in titles[2:]] == ["立项与办结", "问需"]
        targets = list(pdf.Root.Names.Dests.Names)
        marks = [mark for page in pdf.pages for mark in page.obj.get("/Annots", ())]
        links = {str(mark.Dest) for mark in marks if "/Dest" in mark}
        assert links <= {str(name) for name in targets[::2]}
        assert len(links) == 2
    for number in range(2, total + 1):
        page = trail_cases.squeezed(shell("pdftotext", "-f", number, "-l", number, path, "-"))
        assert f"第{number}页共{total}页" in page


# --- what it says


def test_its_text_is_that_of_the_attached_records(tmp_path, case):
    path = written(tmp_path, case)
    held = trail_cases.attachments(path)
    printed = text_of(path)
    for line in expected(held):
        assert trail_cases.squeezed(line) in printed, line


def test_the_attached_records_are_the_hashed_ones_and_their_proofs_hold(tmp_path):
    case = make_case(40)
    held = trail_cases.attachments(written(tmp_path, case))
    lines = held["records.jsonl"].decode().splitlines()
    assert lines == list(case.records.order_by("seq").values_list("canonical", flat=True))
    (key,) = log.verifiers()
    point, _signed = note.open_checkpoint(held["checkpoint"].decode(), [key])
    proofs = [json.loads(row) for row in held["proofs.jsonl"].decode().splitlines()]
    assert [row["seq"] for row in proofs] == list(range(len(lines)))
    for line, row in zip(lines, proofs, strict=True):
        path = [note._unb64(text, "hash") for text in row["path"]]
        leaf = trailtext.leaf_hash(line)
        assert merkle.root_from_inclusion(leaf, row["index"], point.size, path) == point.root


def test_the_public_trail_holds_nothing_private(tmp_path, case):
    path = written(tmp_path, case)
    held = b"".join(trail_cases.attachments(path).values()).decode()
    everything = text_of(path) + held
    for row in held.splitlines():
        if '"disclosure"' in row:
            everything += str(disclosure.read(json.loads(row)["disclosure"]))
    assert trail_cases.squeezed(SHOWN) in everything
    for private in ("张三丰", "13812345678", "household:1"):
        assert private not in everything


def test_the_full_trail_opens_what_is_private_and_is_not_kept(tmp_path, case):
    path = written(tmp_path, case, full=True)
    assert trail_cases.squeezed(f"{SECRET}，第1户") in text_of(path)
    assert "13812345678" in text_of(path)
    assert keep.kept(case) == set()


def test_what_was_erased_is_in_no_trail(case):
    Disclosure.objects.filter(record__case=case).update(encoded="", public=False)
    read = chapters.read(case, full=True)
    assert read.disclosures == {}
    assert "13812345678" not in "".join(piece.html for piece in chapters.pieces(read))


def test_an_english_reader_gets_english_words(tmp_path, case):
    with translation.override("en"):
        path = written(tmp_path, case)
    with pikepdf.open(path) as pdf:
        assert pdf.Root.Lang == "en"
    assert "Trailofthewholecase" in text_of(path)
    assert json.loads(trail_cases.attachments(path)["words.json"])["language"] == "en"


# --- what is rendered again


@pytest.fixture
def rendered(monkeypatch):
    """How many pieces were pressed and how many set, at each making."""
    counted: list[list[int]] = []
    pressed, begun = press.press, setting.Setter.set

    def pressing(pieces, told=lambda _done: None):
        counted.append([len(pieces), 0])
        pressed(pieces, told)

    def setting_one(self, blocks):
        counted[-1][1] += 1
        return begun(self, blocks)

    monkeypatch.setattr(press, "press", pressing)
    monkeypatch.setattr(setting.Setter, "set", setting_one)
    return counted


def test_one_more_record_renders_the_end_of_its_chapter_and_no_other(tmp_path, rendered):
    case = make_case(205)
    written(tmp_path, case)
    before = chapters.pieces(chapters.read(case, full=False))
    add_opinion(case, 999)
    case.refresh_from_db()
    written(tmp_path, case)
    # The cover with the contents; the head with its counts, the ends of opinions and of records.
    assert rendered == [[0, 7], [0, 4]]
    assert len(before) == 6


def test_an_unchanged_trail_is_not_made_again(tmp_path, case, rendered):
    path = written(tmp_path, case)
    with make.newest(case) as held:
        assert held.read() == path.read_bytes()
    # Another case's records bring the log a new checkpoint, and this case nothing.
    make_case()
    while log.integrate():
        pass
    assert make.newest(case) is not None
    assert len(rendered) == 1


def test_nothing_of_a_finished_piece_is_written_again(tmp_path, monkeypatch):
    case = make_case(205)
    written(tmp_path, case)
    add_opinion(case, 999)
    case.refresh_from_db()
    printed: list[str] = []
    lines = trailtext.lines

    def counting(canonical, *given):
        printed.append(canonical)
        return lines(canonical, *given)

    monkeypatch.setattr(trailtext, "lines", counting)
    written(tmp_path, case)
    assert 0 < len(printed) <= chapters.END + 1


def test_a_grown_trail_is_page_for_page_the_one_made_anew(tmp_path, monkeypatch, rendered):
    for name, value in (("TOGETHER", 6), ("SLICE", 10), ("END", 4)):
        monkeypatch.setattr(chapters, name, value)
    case = make_case(22)
    written(tmp_path, case)
    for number in (901, 902):
        add_opinion(case, number)
        case.refresh_from_db()
        path = written(tmp_path, case)
        shell("qpdf", "--check", path)
        grown = seen(path, tmp_path / f"grown-{number}")
        assert sum(rendered[-1]) < sum(rendered[0]), "from what was kept"
        keep.forget(case)
        anew = seen(written(tmp_path, case), tmp_path / f"anew-{number}")
        assert len(anew["pictures"]) > 6
        assert sum(rendered[-1]) >= sum(rendered[0]), "from nothing"
        for what, found in anew.items():
            assert grown[what] == found, what


def test_a_withdrawn_word_is_gone_from_a_finished_piece_too(tmp_path):
    case = make_case(205)
    assert trail_cases.squeezed("已列入方案") in text_of(written(tmp_path, case))
    shown = trail_cases.squeezed(SHOWN)
    assert text_of(written(tmp_path, case)).count(shown) == 2
    reply = Disclosure.objects.get(record__act="opinion.replied", name="public_text")
    opinion = case.runs.get(name="ask").opinions.order_by("pk").first()
    reply.delete()
    opinion.reply.__class__.objects.update(public_text="")
    path = written(tmp_path, case)
    assert text_of(path).count(shown) == 0
    assert shown not in trail_cases.squeezed(
        "".join(
            str(disclosure.read(json.loads(row)["disclosure"]))
            for row in trail_cases.attachments(path)["disclosures.jsonl"].decode().splitlines()
        )
    )


def test_a_full_trail_takes_nothing_from_the_public_one(tmp_path):
    case = make_case(120)
    written(tmp_path, case)
    before = keep.kept(case)
    assert "13812345678" in text_of(written(tmp_path, case, full=True))
    assert keep.kept(case) == before
    path = written(tmp_path, case)
    assert "13812345678" not in text_of(path)


def test_another_version_or_edition_of_the_face_sets_everything_again(
    tmp_path, rendered, monkeypatch
):
    case = make_case(120)
    written(tmp_path, case)
    first = keep.kept(case)
    written(tmp_path, case)
    assert rendered[1] == [0, 1], "the front alone"
    monkeypatch.setattr(make, "_version", lambda: "another")
    written(tmp_path, case)
    assert rendered[2] == rendered[0]
    assert len(keep.kept(case)) == len(first)


def test_pieces_that_a_trail_no_longer_has_are_thrown_away(tmp_path, case):
    written(tmp_path, case)
    before = keep.kept(case)
    add_opinion(case, 7)
    case.refresh_from_db()
    assert make.newest(case) is None
    written(tmp_path, case)
    after = keep.kept(case)
    assert len(after) == len(before)
    assert after != before


def test_erasing_leaves_nothing_behind(tmp_path, case):
    written(tmp_path, case)
    make.forget(case)
    assert not {name for name in keep.kept(case) if name.endswith(".pdf")}
    assert make.newest(case) is None


def test_a_trail_begun_before_an_erasure_is_made_again(tmp_path, case, monkeypatch):
    original = press.press
    erased: list[bool] = []

    def press_while_erasing(pieces, told=lambda _done: None):
        original(pieces, told)
        if not erased:
            erased.append(True)
            Disclosure.objects.filter(record__case=case).delete()
            make.forget(case)

    monkeypatch.setattr(press, "press", press_while_erasing)
    held = trail_cases.attachments(written(tmp_path, case))
    assert erased
    assert held["disclosures.jsonl"] == b""


# --- what it costs

MEASURED = """
import resource, sys
from pathlib import Path
sys.path[:0] = ["benchmarks", "."]
import trail
trail.start()
from workflows.records.trail import make
make.public(trail.case(), trail.ADDRESS).close()
beside = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
# Not ru_maxrss of its own: that begins with what the process that started this one held.
own = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(max(int(own), beside) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif("SANWEN_DATABASE" in os.environ, reason="memory is the same on every database")
def test_memory_stays_within_bounds_on_a_long_case(tmp_path):
    """In one shot 2,000 records took 265 MB for pressing alone, without Django and the rest."""
    folder = {"SANWEN_TEST_FOLDER": str(tmp_path), "SANWEN_HOME": str(tmp_path / "alone")}
    given = {"env": {**os.environ, **folder}, "cwd": settings.BASE_DIR, "check": True}
    subprocess.run([sys.executable, "benchmarks/trail.py", "fill", "2000"], **given)
    command = [sys.executable, "-c", MEASURED]
    done = subprocess.run(command, **given, stdout=subprocess.PIPE, text=True)
    assert int(done.stdout) < 300
