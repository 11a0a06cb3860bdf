"""Rolls that must not be imported, each with the row, the column and the words it is told."""

from __future__ import annotations

import datetime as dt
import io
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from openpyxl import Workbook

from processes.community import roll_files
from processes.community.rolls import preview

from .places import GOOD, HEADING, saved, table, workbook

LONG = "示" * 41
ROW = ["1", "1", "101", 85.3, "登记", "张示甲", "否", ""]


def line(**changed: str) -> str:
    """A sound line but for what is changed."""
    cells = dict(zip("bsratoun", GOOD.split(","), strict=True)) | changed
    return ",".join(cells.values())


def one(**changed: str) -> bytes:
    """A roll whose second unit, in row 3, is wrong."""
    return table(GOOD, line(**({"r": "102"} | changed)))


BAD_LINES: list[tuple[str, bytes, int, str, str]] = [
    ("no building", one(b=""), 3, "楼号", "没有填写"),
    ("building of a suffix alone", one(b="号楼"), 3, "楼号", "没有填写"),
    ("building too long", one(b="一" * 21), 3, "楼号", "最多20个字"),
    ("no stairwell", one(s=" "), 3, "单元", "没有填写"),
    ("stairwell too long", one(s="1" * 21), 3, "单元", "最多20个字"),
    ("no room", one(r=""), 3, "室号", "没有填写"),
    ("room too long", one(r="1" * 21), 3, "室号", "最多20个字"),
    ("duplicate unit", table(GOOD, GOOD), 3, "室号", "与第2行"),
    (
        "duplicate in other words",
        table(GOOD, line(b="１号楼", s="1单元", r="101室")),
        3,
        "室号",
        "与第2行",
    ),
    ("no area", one(a=""), 3, "专有面积", "没有填写"),
    ("zero area", one(a="0"), 3, "专有面积", "大于零"),
    ("zero area with decimals", one(a="0.00"), 3, "专有面积", "大于零"),
    ("negative area", one(a="-85.3"), 3, "专有面积", "大于零"),
    ("negative with a typographic minus", one(a="−85.3"), 3, "专有面积", "大于零"),
    ("three decimals", one(a="85.305"), 3, "专有面积", "两位小数"),
    ("decimal point and nothing", one(a="85."), 3, "专有面积", "两位小数"),
    ("area too large", one(a="1000000.01"), 3, "专有面积", "过大"),
    ("area of many digits", one(a="9" * 5000), 3, "专有面积", "过大"),
    ("area in words", one(a="八十五"), 3, "专有面积", "不是面积"),
    ("exponent", one(a="8.5e1"), 3, "专有面积", "不是面积"),
    ("not a number", one(a="NaN"), 3, "专有面积", "不是面积"),
    ("infinite", one(a="inf"), 3, "专有面积", "不是面积"),
    ("wrong thousands", one(a='"1,08,5.3"'), 3, "专有面积", "不是面积"),
    ("area in mu", one(a="0.12亩"), 3, "专有面积", "不是面积"),
    ("a date as text", one(a="2024-05-01"), 3, "专有面积", "不是面积"),
    ("formula as text", one(a="=SUM(D2:D2)"), 3, "专有面积", "不是面积"),
    ("no title source", one(t=""), 3, "面积依据", "没有填写"),
    ("unknown title source", one(t="听说"), 3, "面积依据", "应填"),
    ("no owner", one(o=""), 3, "业主", "没有填写业主"),
    ("no owner and sold", one(o="", u="no"), 3, "业主", "没有填写业主"),
    ("unsold unknown", one(u="也许"), 3, "建设单位未售", "应填"),
    ("owner too long", one(o=LONG), 3, "业主", "最多40个字"),
    ("co-owner too long", one(o=f"张示甲、{LONG}"), 3, "业主", "最多40个字"),
    ("nothing between separators", one(o="张示甲、、李示乙"), 3, "业主", "分隔符"),
    ("separator at the end", one(o="张示甲/"), 3, "业主", "分隔符"),
    ("owner twice", one(o="张示甲、张示甲"), 3, "业主", "写了两次"),
    ("owner twice, spaced", one(o="张示甲;张 示甲"), 3, "业主", "写了两次"),
    ("numbers do not match", one(o="张示甲、李示乙", n="1"), 3, "业主编号", "一一对应"),
    ("number without owner", one(o="", u="是", n="1"), 3, "业主编号", "一一对应"),
    (
        "one number two names",
        table(line(n="7"), line(r="102", o="李示乙", n="7")),
        3,
        "业主编号",
        "同一编号",
    ),
    ("a name with and without number", table(GOOD, line(r="102", n="7")), 3, "业主", "同名"),
    ("control sign", one(o="张示\x07甲"), 3, "业主", "控制字符"),
    ("text turned round", one(o="张\u202e示甲"), 3, "业主", "控制字符"),
    ("zero width", one(o="张\u200b示甲"), 3, "业主", "控制字符"),
    ("line break in a cell", one(o='"张示甲\n李示乙"'), 3, "业主", "换行"),
    ("replacement sign", one(o="张\ufffd甲"), 3, "业主", "乱码"),
    ("a cell too many", table(GOOD, line(r="102") + ",多余"), 3, "", "第9列"),
    ("text after a quote", table(GOOD, '1,1,"102"x,85.3,登记,李示乙,否,'), 3, "", "引号"),
    ("quote never closed", table(GOOD, '1,1,"102,85.3,登记,李示乙,否,'), 3, "", "引号"),
    ("huge cell", table(GOOD, line(o="示" * 140_000)), 3, "", "引号"),
    (
        "heading twice",
        table(GOOD, heading=HEADING.replace("业主编号", "产权人")),
        1,
        "业主",
        "重复",
    ),
    ("heading missing", table("1", heading="楼号"), 1, "专有面积", "缺少"),
    ("heading unknown", table(GOOD, heading=HEADING + ",备注"), 1, "备注", "不认识"),
    ("heading with a control sign", table(GOOD, heading=HEADING + ",\x07"), 1, "\x07", "控制字符"),
    ("full-width commas", table(GOOD, heading=HEADING.replace(",", "，")), 1, "", "全角逗号"),
    (
        "a title above the headings",
        table(HEADING, GOOD, heading="示范小区名册"),
        1,
        "示范小区名册",
        "不认识",
    ),
    ("heading only", table(), 0, "", "只有表头"),
]

BAD_FILES: list[tuple[str, bytes, int, str]] = [
    ("empty", b"", 0, "空的"),
    ("blank", b" \r\n\t\n", 0, "空的"),
    ("commas only", b",,,\n,,,\n", 0, "没有内容"),
    ("byte order mark only", b"\xef\xbb\xbf", 0, "没有内容"),
    ("PDF under another name", b"%PDF-1.7\n%%EOF", 0, "PDF"),
    ("picture", b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    ("encrypted workbook", roll_files.OLE + "EncryptedPackage".encode("utf-16-le"), 0, "密码"),
    ("old workbook", roll_files.OLE + b"Workbook", 0, "XLS"),
    ("UTF-16", HEADING.encode("utf-16"), 0, "UTF-16"),
    ("NUL bytes", table(GOOD, line(o="张\0甲")), 3, "空字节"),
    ("web page", "<html><table>楼号</table>".encode(), 0, "网页"),
    ("mixed, mostly UTF-8", table(GOOD) + GOOD.encode("gb18030"), 3, "两种编码"),
    (
        "mixed after a byte order mark",
        b"\xef\xbb\xbf" + GOOD.encode("gb18030") + b"\n",
        1,
        "两种编码",
    ),
    (
        "mixed, heading in GB18030",
        HEADING.encode("gb18030") + b"\r\n" + GOOD.encode() + b"\r\n",
        1,
        "两种编码",
    ),
    ("neither encoding", HEADING.encode("gb18030") + b"\n1,1,\xff\xff\n", 2, "既不是"),
    ("over 10 MB", b"x" * (roll_files.MAX_BYTES + 1), 0, "10MB"),
    ("broken archive", roll_files.ZIP + b"\0" * 40, 0, "损坏"),
    ("cut short", workbook(ROW)[:-200], 0, "损坏"),
]


@pytest.mark.parametrize(
    ("content", "row", "column", "words"),
    [pytest.param(*bad[1:], id=bad[0]) for bad in BAD_LINES],
)
def test_line_is_refused(content: bytes, row: int, column: str, words: str) -> None:
    seen = preview(content, "roll.csv")
    assert not seen.sound
    found = [(each.row, each.column, each.message) for each in seen.problems]
    assert any(r == row and c == column and words in m for r, c, m in found), found
    # Nothing else is accused: what is right in the file stays out of the list.
    assert {r for r, _c, _m in found} == {row}


@pytest.mark.parametrize(
    ("content", "row", "words"),
    [pytest.param(*bad[1:], id=bad[0]) for bad in BAD_FILES],
)
def test_file_is_refused(content: bytes, row: int, words: str) -> None:
    seen = preview(content, "roll.xlsx")
    assert not seen.sound
    (problem,) = seen.problems
    assert (problem.row, problem.column) == (row, "")
    assert words in problem.message


def changed(**cells: Any) -> bytes:
    """A workbook whose second unit, in row 3, is wrong."""
    row = dict(zip("bsratoun", ROW, strict=True)) | {"r": "102"} | cells
    return workbook(ROW, list(row.values()))


@pytest.mark.parametrize(
    ("content", "column", "words"),
    [
        pytest.param(changed(a="=D2*2"), "专有面积", "公式", id="formula"),
        pytest.param(changed(o='=HYPERLINK("x")'), "业主", "公式", id="formula for a name"),
        pytest.param(changed(a=dt.date(2024, 5, 1)), "专有面积", "日期", id="date for area"),
        pytest.param(changed(r=dt.datetime(2024, 1, 2)), "室号", "日期", id="date for room"),
        pytest.param(changed(a=dt.time(8, 5)), "专有面积", "日期", id="time for area"),
        pytest.param(changed(a="#N/A"), "专有面积", "错误值", id="error value"),
        pytest.param(changed(a=85.305), "专有面积", "两位小数", id="three decimals"),
        pytest.param(changed(a=-1), "专有面积", "大于零", id="negative"),
        pytest.param(changed(a=1e300), "专有面积", "不是面积", id="beyond measure"),
        pytest.param(changed(a=True), "专有面积", "不是面积", id="yes for area"),
        pytest.param(changed(r=None), "室号", "没有填写", id="merged or empty"),
    ],
)
def test_cell_of_a_workbook_is_refused(content: bytes, column: str, words: str) -> None:
    problems = preview(content, "roll.csv").problems
    assert [(p.row, p.column) for p in problems] == [(3, column)]
    assert words in problems[0].message


def repacked(change: Callable[[str, bytes], bytes], **more: bytes) -> bytes:
    """A sound workbook with its parts changed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(ROW))) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, content in more.items():
            new.writestr(name, content)
    return out.getvalue()


def as_it_is(name: str, content: bytes) -> bytes:
    return content


def with_entities(name: str, content: bytes) -> bytes:
    if not name.endswith("sheet1.xml"):
        return content
    lol = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    return b'<!DOCTYPE x [<!ENTITY a0 "lol">' + lol + b"]>" + content


def two_sheets() -> bytes:
    book = Workbook()
    book.active.append(HEADING.split(","))
    book.create_sheet().append(["2"])
    return saved(book)


def no_workbook() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    return out.getvalue()


def locked() -> bytes:
    content = bytearray(workbook(ROW))
    # The bit that says a part is encrypted, in its local and central headers.
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda: repacked(as_it_is, bomb=b"\0" * (roll_files.MAX_UNPACKED + 1)),
            "解压后过大",
            id="decompression bomb",
        ),
        pytest.param(
            lambda: repacked(as_it_is, **{f"p{n}": b"" for n in range(600)}),
            "解压后过大",
            id="too many parts",
        ),
        pytest.param(lambda: repacked(with_entities), "XML声明", id="entity bomb"),
        pytest.param(lambda: repacked(as_it_is, **{"xl/vbaProject.bin": b"x"}), "宏", id="macros"),
        pytest.param(
            lambda: repacked(lambda name, content: content[: len(content) // 2]),
            "损坏",
            id="parts cut short",
        ),
        pytest.param(no_workbook, "不是XLSX", id="another kind of archive"),
        pytest.param(two_sheets, "多个工作表", id="two sheets"),
        pytest.param(locked, "密码", id="encrypted archive"),
        pytest.param(lambda: saved(Workbook()), "没有内容", id="empty workbook"),
    ],
)
def test_workbook_is_refused(make: Callable[[], bytes], words: str) -> None:
    content = make()
    assert len(content) < roll_files.MAX_BYTES
    (problem,) = preview(content, "roll.xlsx").problems
    assert (problem.row, problem.column) == (0, "")
    assert words in problem.message


def test_too_many_rows_name_the_first_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_files, "MAX_ROWS", 3)
    lines = [line(r=str(100 + n)) for n in range(4)]
    assert preview(table(*lines[:3]), "").sound
    (problem,) = preview(table(*lines), "").problems
    assert problem.row == 5
    assert "超过3行" in problem.message


def test_every_problem_is_shown_in_the_order_of_rows() -> None:
    content = table(line(a="0", t="x"), GOOD, GOOD, line(r="103", o=""))
    found = [(p.row, p.column) for p in preview(content, "").problems]
    assert found == [(2, "专有面积"), (2, "面积依据"), (4, "室号"), (5, "业主")]


def test_a_far_away_cell_costs_nothing() -> None:
    book = Workbook()
    book.active.append(HEADING.split(","))
    book.active.append(ROW)
    book.active.cell(row=roll_files.LAST_ROW, column=16384).number_format = "0.00"
    content = saved(book)
    begun = time.process_time()
    seen = preview(content, "")
    assert (seen.problems, len(seen.rows)) == ([], 1)
    assert time.process_time() - begun < 10
