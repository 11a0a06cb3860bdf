"""Typesetting of the long parts of a trail: what is plain, where lines break, what is tagged."""

from __future__ import annotations

import io

import pikepdf
import pytest
from django.utils import translation

from tests.workflows.trail_cases import numbered
from workflows.records.trail import chapters, press, setting
from workflows.records.trail.face import Face, signs

TEXT = "三号楼北侧雨水管破损，下雨天积水严重，第1户希望尽快更换管道并清理化粪池。"


@pytest.fixture(scope="module")
def face() -> Face:
    with translation.override("zh-hans"):
        made = press.pressed(chapters.page(f"<p>{signs(TEXT + 'abcdef　）')}</p>", "x"))
    return Face(pikepdf.Pdf.open(io.BytesIO(made)))


def test_only_headings_and_paragraphs_of_text_are_plain():
    html = (
        "<section><h2>甲</h2><div class=records><h3>乙</h3><p>丙\n丁 &amp; 戊</p></div></section>"
    )
    assert setting.plain(html) == [("h2", "甲"), ("h3", "乙"), ("p", "丙\n丁 & 戊")]
    for other in ("<table><tr><td>甲</table>", "<p>甲<br>乙</p>", "<p class=note>甲</p>", "甲"):
        assert setting.plain(f"<section><h2>甲</h2>{other}</section>") is None


def test_a_sign_the_face_lacks_or_that_needs_its_neighbour_is_not_known(face):
    assert face.knows(f"{TEXT}\n")
    for sign in ("\N{TIBETAN LETTER KA}", "\N{COMBINING ACUTE ACCENT}", "龘"):
        assert not face.knows(TEXT + sign)


def test_lines_fit_lose_nothing_and_begin_with_no_closing_mark(face):
    for width in range(40, 200, 7):
        lines = list(setting.broken(TEXT, face, 8.5, width))
        assert "".join(lines) == TEXT
        assert all(face.width(line) * 8.5 / 1000 <= width for line in lines)
        assert not any(line[0] in "，。" for line in lines)
    assert list(setting.broken("甲\n乙", face, 8.5, 100)) == ["甲", "乙"]


def test_a_word_longer_than_a_line_is_parted(face):
    lines = list(setting.broken("abcdef" * 20, face, 8.5, 100))
    assert len(lines) > 1
    assert "".join(lines) == "abcdef" * 20


def test_every_block_has_its_place_in_the_structure_also_across_pages(face):
    blocks = [("h2", "雨水管"), ("p", "\n".join([TEXT] * 90)), ("row", TEXT), ("answer", TEXT)]
    pdf = setting.Setter(face).set(blocks)
    assert len(pdf.pages) == 2
    section = pdf.Root.StructTreeRoot.K[0].K[0]
    assert [str(kid.S) for kid in section.K] == ["/H2", "/P", "/P", "/P"]
    parted = section.K[1]
    assert parted.Pg.objgen == pdf.pages[0].obj.objgen
    assert parted.K[1].Pg.objgen == pdf.pages[1].obj.objgen
    for key, marked in numbered(pdf).items():
        content = pdf.pages[key].obj.Contents.read_bytes().decode("ascii")
        assert all(f"/MCID {number}>>" in content for number in range(len(marked)))
        assert content.count("/MCID") == len(marked)
        assert content.count("BDC") + content.count("BMC") == content.count("EMC")


def test_a_row_goes_to_the_next_page_with_its_answer(face):
    for before in range(40, 60):
        blocks = [("p", "\n".join([TEXT] * before)), ("row", TEXT), ("answer", TEXT)]
        pdf = setting.Setter(face).set(blocks)
        row, answer = list(pdf.Root.StructTreeRoot.K[0].K[0].K)[1:]
        assert row.Pg.objgen == answer.Pg.objgen
