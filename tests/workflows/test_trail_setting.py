"""Typesetting of the long parts of a trail: what is plain, where lines break, what is tagged."""

from __future__ import annotations

import io

import pikepdf
import pytest
from django.utils import translation

from tests.workflows.trail_cases import numbered
from workflows.records.trail import blocks, chapters, press, setting
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
    assert blocks.plain(html) == [("h2", "甲"), ("h3", "乙"), ("p", "丙\n丁 & 戊")]
    others = ("<table><tr><td>甲</table>", "<p>甲<br>乙</p>", "<p class=x>甲</p>", "甲", "<img>")
    for other in (*others, '<table><tr><td><img src="x"></td></tr></table>'):
        assert blocks.plain(f"<section><h2>甲</h2>{other}</section>") is None


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


TABLE = """<section><h1>甲</h1><p>乙\n丙</p><table class="facts"><tr><th>三</th>
<td>楼<br>北</td></tr></table><table><thead><tr><th>雨</th><th class="n">水</th></tr></thead>
<tbody><tr><td>管</td><td class="n">1 &amp;</td></tr></tbody></table></section>"""


def test_a_table_of_text_is_plain():
    first, text, facts, counts = blocks.plain(TABLE)
    assert (first, text) == (("h1", "甲"), ("text", "乙 丙"))
    assert [cell.lines for cell in facts.rows[0]] == [
        [("三", False)],
        [("楼", False), ("北", False)],
    ]
    assert (facts.headed, counts.headed) == (False, True)
    assert [cell.lines[0][0] for row in counts.rows for cell in row] == ["雨", "水", "管", "1 &"]
    assert sum(counts.columns(400)) == pytest.approx(400)
    assert blocks.said([text, facts]) == "乙 丙三楼北"


def test_a_table_goes_on_over_pages_with_its_head_and_one_structure(face):
    rows = "".join(f"<tr><td>第{n}户</td><td>{TEXT}</td></tr>" for n in range(90))
    head = "<thead><tr><th>户</th><th>雨水管</th></tr></thead>"
    pdf = setting.Setter(face).set(blocks.plain(f"<table>{head}<tbody>{rows}</tbody></table>"))
    assert len(pdf.pages) > 2
    (table,) = pdf.Root.StructTreeRoot.K[0].K[0].K
    assert len(table.K) == 91
    assert [str(cell.A.Scope) for cell in table.K[0].K] == ["/Column", "/Column"]
    assert [str(cell.S) for cell in table.K[90].K] == ["/TD", "/TD"]
    assert table.K[90].K[0].Pg.objgen == pdf.pages[-1].obj.objgen
    again = face.codes("雨水管")
    for page in pdf.pages:
        assert page.obj.Contents.read_bytes().decode().count(again) >= 1
    assert len([*numbered(pdf)]) == len(pdf.pages)


def test_a_cell_longer_than_a_page_is_parted(face):
    text = "<br>".join([TEXT] * 150)
    pdf = setting.Setter(face).set(blocks.plain(f"<table><tr><td>{text}</td></tr></table>"))
    assert len(pdf.pages) >= 3
    shown = "".join(page.obj.Contents.read_bytes().decode() for page in pdf.pages)
    assert shown.count(face.codes(TEXT[:9])) == 150


def test_chapters_of_one_piece_begin_pages_and_hold_their_parts_as_bookmarks(face):
    two = blocks.plain("<section><h1>三</h1><h2>楼</h2></section><section><h1>北</h1></section>")
    pdf = setting.Setter(face).set(two)
    assert len(pdf.pages) == 2
    with pdf.open_outline() as outline:
        assert [item.title for item in outline.root] == ["三", "北"]
        assert [item.title for item in outline.root[0].children] == ["楼"]
