"""Reading a table from an uploaded file: CSV in UTF-8 or GB18030, or an XLSX workbook.

A file is what its bytes say, never what its name says. What comes out is plain text by row and
column; what the text means is decided in `roll_preview`.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import openpyxl
from django.utils.translation import gettext as _

MAX_BYTES = 10 * 2**20
MAX_ROWS = 50_000
MAX_COLUMNS = 24
MAX_UNPACKED = 40 * 2**20
MAX_PARTS = 500
MAX_SHEETS = 10
LAST_ROW = 1_048_576
"""The last row a worksheet can have; rows that only carry formats may reach down to it."""

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_UTF8_BOM = b"\xef\xbb\xbf"
_MAGIC = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7z"),
    (b"\x1f\x8b", "GZIP"),
    (b"{\\rtf", "RTF"),
)


class FileRefused(ValueError):
    """The file cannot be read as a table; says why, and in which row where that is known."""

    def __init__(self, message: str, row: int = 0) -> None:
        super().__init__(message)
        self.row = row


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text without space around it, and what is wrong with it, if anything."""

    text: str = ""
    wrong: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.wrong)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows that are not blank, each with its number in the file (from 1)."""

    rows: list[tuple[int, list[Cell]]]
    kind: str


def read(content: bytes) -> Table:
    """The table in a file of at most 10 MB and 50,000 rows; raises `FileRefused`."""
    if not content.strip():
        raise FileRefused(_("文件是空的。"))
    if len(content) > MAX_BYTES:
        raise FileRefused(_("文件超过10MB，请拆分或删去图片后再上传。"))
    if content.startswith(ZIP):
        table = Table(list(_bounded(_workbook(content))), "XLSX")
    else:
        text, encoding = _decoded(content)
        table = Table(list(_bounded(_csv(text))), f"CSV ({encoding})")
    if not table.rows:
        raise FileRefused(_("文件里没有内容。"))
    return table


def _bounded(rows: Iterator[tuple[int, list[Cell]]]) -> Iterator[tuple[int, list[Cell]]]:
    found = 0
    for number, cells in rows:
        if not any(cells):
            continue
        found += 1
        if found > MAX_ROWS + 1:  # the heading is no row of the roll
            raise FileRefused(
                _("超过%(most)s行，请按楼栋拆分后分别核对。") % {"most": f"{MAX_ROWS:,}"}, number
            )
        yield number, cells


def checked_text(text: str) -> Cell:
    """A cell's text, or what in it no person can have meant."""
    text = text.strip()
    for sign in text:
        if sign == "\ufffd":
            return Cell(text, _("含有乱码，请检查文件编码。"))
        if sign in "\r\n\t":
            return Cell(text, _("单元格内有换行或制表符。"))
        if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            return Cell(text, _("含有不可见的控制字符。"))
    return Cell(text)


# --- text --------------------------------------------------------------------------------------


def _decoded(content: bytes) -> tuple[str, str]:
    for magic, name in _MAGIC:
        if content.startswith(magic):
            raise FileRefused(_("这是%(kind)s文件，请上传CSV或XLSX表格。") % {"kind": name})
    if content.startswith(OLE):
        if "EncryptedPackage".encode("utf-16-le") in content:
            raise FileRefused(_("工作簿设有密码，请去除密码后再上传。"))
        raise FileRefused(_("这是旧版Excel（XLS）文件，请另存为XLSX后再上传。"))
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileRefused(_("文件编码为UTF-16，请另存为“CSV UTF-8”后再上传。"))
    if b"\0" in content:
        row = content[: content.index(b"\0")].count(b"\n") + 1
        raise FileRefused(_("含有空字节，不是文本表格。"), row)
    if content.lstrip().startswith((b"<", _UTF8_BOM + b"<")):
        raise FileRefused(_("这是网页或XML文件，请另存为CSV或XLSX后再上传。"))
    lines = content.split(b"\n")
    broken = [number for number, line in enumerate(lines, 1) if not _is_utf8(line)]
    if not broken:
        return content.decode("utf-8-sig"), "UTF-8"
    # One broken line must not turn a whole UTF-8 file into Chinese that nobody wrote.
    if content.startswith(_UTF8_BOM) or any(_is_chinese_utf8(line) for line in lines):
        raise FileRefused(_("此行不是UTF-8编码，文件里混有两种编码。"), broken[0])
    for number, line in enumerate(lines, 1):
        try:
            line.decode("gb18030")
        except UnicodeDecodeError as error:
            raise FileRefused(_("此行既不是UTF-8也不是GB18030编码。"), number) from error
    return content.decode("gb18030"), "GB18030"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese_utf8(line: bytes) -> bool:
    # Two GB18030 signs may by chance be valid UTF-8 of two-byte signs, hardly of Chinese ones.
    return _is_utf8(line) and any(sign >= "\u2e80" for sign in line.decode("utf-8"))


def _csv(text: str) -> Iterator[tuple[int, list[Cell]]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    comma = max(",\t;", key=first.count)  # the first of equals
    if not first.count(comma) and "，" in first:
        raise FileRefused(_("表头用了全角逗号分隔，请改用半角逗号。"), 1)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=comma, strict=True)
    number = 0
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileRefused(_("引号使用有误，从此行起无法分列。"), number) from error
        yield number, [checked_text(cell) for cell in row]


# --- workbooks ---------------------------------------------------------------------------------


def _workbook(content: bytes) -> Iterator[tuple[int, list[Cell]]]:
    _check_archive(content)
    try:
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=False, keep_links=False
        )
        try:
            sheets = book.worksheets
            if len(sheets) <= MAX_SHEETS:
                sheets = [sheet for sheet in sheets if _has_content(sheet)]
            if len(sheets) > 1:
                raise FileRefused(_("有多个工作表有内容，请只保留名册一个工作表。"))
            for sheet in sheets:
                yield from _sheet_rows(sheet)
        finally:
            book.close()
    except FileRefused:
        raise
    # A broken workbook surfaces as nearly any error: KeyError, ParseError, zlib.error, TypeError …
    except Exception as error:
        raise FileRefused(_("工作簿已损坏，请用表格软件打开后另存。")) from error


def _check_archive(content: bytes) -> None:
    """Refuse what would unpack without bound, before anything is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
                raise FileRefused(_("工作簿解压后过大，不能接收。"))
            if any(part.flag_bits & 1 for part in parts):
                raise FileRefused(_("压缩包设有密码，请去除密码后再上传。"))
            names = {part.filename for part in parts}
            if "xl/workbook.xml" not in names:
                raise FileRefused(_("这不是XLSX工作簿，请用表格软件另存为XLSX。"))
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise FileRefused(_("工作簿含有宏，请另存为不含宏的XLSX。"))
            for name in names:
                if name.lower().endswith((".xml", ".rels")):
                    part_bytes = archive.read(name)
                    # A workbook declares no document type; entities are a bomb of their own.
                    # UTF-16 would hide them from this look.
                    if b"<!DOCTYPE" in part_bytes or b"\0" in part_bytes:
                        raise FileRefused(_("工作簿含有不允许的XML声明，不能接收。"))
    except FileRefused:
        raise
    except Exception as error:  # zlib, struct, NotImplementedError: all of them a broken archive
        raise FileRefused(_("工作簿已损坏，请用表格软件打开后另存。")) from error


def _sheet_rows(sheet: Any) -> Iterator[tuple[int, list[Cell]]]:
    sheet.reset_dimensions()  # what the file says of its own size is not to be trusted
    rows = sheet.iter_rows(max_row=LAST_ROW, max_col=MAX_COLUMNS)
    blank = None
    for number, row in enumerate(rows, 1):
        # A million rows may lie between two that say something; the same object stands for all.
        if row is blank:
            continue
        if all(cell.value is None for cell in row):
            blank = row
        else:
            yield number, [_cell(cell) for cell in row]


def _has_content(sheet: Any) -> bool:
    return any(any(cells) for _number_of_row, cells in _sheet_rows(sheet))


def _cell(cell: Any) -> Cell:
    value, kind = cell.value, getattr(cell, "data_type", "n")
    if value is None:
        return Cell()
    if kind == "f":
        return Cell(_shown(value), _("是公式，请粘贴为数值。"))
    if kind == "e":
        return Cell(_shown(value), _("是公式错误值，请改为实际内容。"))
    if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
        return Cell(_shown(value), _("被识别为日期，请将单元格设为文本后重新填写。"))
    if isinstance(value, bool):
        return Cell("是" if value else "否")
    if isinstance(value, int | float):
        return Cell(_number(value))
    return checked_text(str(value))


def _number(value: int | float) -> str:
    # Workbooks store binary fractions; the shortest text that reads back as the same number is
    # what was typed (85.3, stored as 85.299999999999997, is 85.3).
    number = Decimal(repr(value))
    if not number.is_finite() or abs(number) >= 10**15:
        return repr(value)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shown(value: Any) -> str:
    return str(getattr(value, "text", value))[:40]
