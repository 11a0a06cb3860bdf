"""What a table says of an estate's roll (名册), and every problem in it by row and column.

Owners: within one estate the same name is the same owner, so that several units of one person are
one head. Namesakes are told apart by the optional column 业主编号 (owner id): another number is
another owner. A name that stands with a number in one row and without one in another is refused,
since nobody could tell which of the two is meant.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from workflows.counting import RollUnit, area_words, freeze_roll

from .roll_files import Cell, FileRefused, read

HEADINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "building": ("楼号", ("楼栋", "楼幢", "幢号", "栋号", "building", "block")),
    "stairwell": ("单元", ("单元号", "梯号", "stairwell", "entrance")),
    "room": ("室号", ("房号", "房间号", "户号", "室", "room", "unit", "flat")),
    "area": ("专有面积", ("面积", "专有部分面积", "建筑面积", "area", "area m2")),
    "source": ("面积依据", ("面积来源", "title source", "area source")),
    "owners": (
        "业主",
        ("产权人", "业主姓名", "权利人", "所有权人", "owners", "owner", "owner name"),
    ),
    "unsold": (
        "建设单位未售",
        ("建设单位未售或未交付", "未售", "开发商未售", "developer unsold", "unsold"),
    ),
    "numbers": ("业主编号", ("产权人编号", "owner id", "owner ids", "owner number")),
}
"""Each column with the heading as it is shown, and the other headings that mean it."""

OPTIONAL = ("unsold", "numbers")
SOURCES = {
    "register": ("登记", "不动产登记", "产权登记", "不动产权证", "房产证", "register"),
    "survey": ("测绘", "实测", "survey"),
    "contract": ("合同", "买卖合同", "contract"),
}
YES, NO = ("是", "yes", "y", "true", "1", "√"), ("否", "no", "n", "false", "0", "", "×")

MAX_AREA = 100_000_000
"""One exclusive unit has at most a million square metres; in hundredths."""
MAX_TOTAL = 10**13
"""What all units of an estate may have together."""
NAME_LENGTH = 40
PLACE_LENGTH = 20

_AREA = re.compile(r"([+-]?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]*))?")
_AREA_UNITS = ("平方米", "平米", "㎡", "m²", "m2")
_SEPARATORS = re.compile(r"[、;；/／]")
_SUFFIXES = {
    "building": ("号楼", "号栋", "号幢", "楼", "栋", "幢"),
    "stairwell": ("单元",),
    "room": ("号室", "室"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a row (from 1 as in the file; 0 for the file as a whole) and column."""

    row: int
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Units, heads by the law's rule (`freeze_roll`), and area in hundredths of a square metre."""

    units: int
    heads: int
    area: int


@dataclass(frozen=True, slots=True)
class OwnerName:
    """An owner as the roll names them: the same name and number are the same owner."""

    name: str
    number: str = ""


@dataclass(frozen=True, slots=True)
class RollRow:
    """One unit of a roll; `area` in hundredths of a square metre, `row` its row in the file."""

    row: int
    building: str
    stairwell: str
    room: str
    area: int
    source: str
    owners: tuple[OwnerName, ...]
    developer_unsold: bool = False

    @property
    def place(self) -> tuple[str, str, str]:
        """Where it is: this makes it the same unit in another file."""
        return self.building, self.stairwell, self.room


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file says: its sound rows, every problem in order, and the totals of sound rows."""

    filename: str
    sha256: str
    kind: str = ""
    rows: list[RollRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    totals: Totals = Totals(0, 0, 0)

    @property
    def sound(self) -> bool:
        """Whether the file by itself may be imported."""
        return not self.problems and bool(self.rows)


def preview(content: bytes, filename: str) -> Preview:
    """Read a roll without changing anything. Raises nothing: what is wrong stands in `problems`."""
    digest = hashlib.sha256(content).hexdigest()
    try:
        table = read(content)
    except FileRefused as refused:
        return Preview(filename, digest, problems=[Problem(refused.row, "", str(refused))])
    (number, heading), *lines = table.rows
    columns, problems = _columns(number, heading)
    if problems:
        return Preview(filename, digest, table.kind, problems=problems)
    if not lines:
        problems = [Problem(0, "", _("只有表头，没有住户。"))]
        return Preview(filename, digest, table.kind, problems=problems)
    reader = _Reader(columns, len(heading))
    rows = [row for line in lines if (row := reader.row(*line)) is not None]
    problems = sorted([*reader.problems, *_between_rows(rows)], key=lambda each: each.row)
    return Preview(filename, digest, table.kind, rows, problems, totals(rows))


def totals(rows: Iterable[RollRow]) -> Totals:
    """Units, heads by the law's rule and area of rows; a place that stands twice counts once."""
    units = {
        row.place: RollUnit(
            key="/".join(row.place),
            label="",
            public_label="",
            area=row.area,
            owners=tuple(f"{owner.name}\n{owner.number}" for owner in row.owners),
            developer_unsold=row.developer_unsold,
        )
        for row in rows
    }
    heads = freeze_roll("owners", units.values())
    return Totals(len(units), len(heads), sum(unit.area for unit in units.values()))


# --- values ------------------------------------------------------------------------------------


def parse_area(text: str, most: int = MAX_AREA) -> int:
    """Hundredths of a square metre from ``85.30``, ``1,085.3㎡``, ``８５．３平方米``.

    At most two decimals, more than nothing, at most `most`; raises ValueError saying what is
    wrong.
    """
    plain = unicodedata.normalize("NFKC", text).strip().lower().replace("−", "-")
    for unit in _AREA_UNITS:
        plain = plain.removesuffix(unicodedata.normalize("NFKC", unit))
    match = _AREA.fullmatch(plain.strip())
    if match is None:
        raise ValueError(_("不是面积，请填写数字，如85.30。"))
    sign, whole, decimals = match.groups()
    if decimals is not None and not 1 <= len(decimals) <= 2:
        raise ValueError(_("面积最多两位小数。"))
    # Lengths first: nobody should make us turn a million digits into a number.
    whole = whole.replace(",", "").lstrip("0")
    if len(whole) > 12:
        raise ValueError(_("面积过大，请核对。"))
    area = int(whole or "0") * 100 + int((decimals or "").ljust(2, "0"))
    if sign == "-" or area == 0:
        raise ValueError(_("面积必须大于零。"))
    if area > most:
        raise ValueError(_("面积过大，请核对。"))
    return area


def _plain(text: str) -> str:
    """One way of writing it: half-width signs, single spaces, none between Chinese signs."""
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    return re.sub(r"(?<=[\u2e80-\U0003ffff]) (?=[\u2e80-\U0003ffff])", "", text)


def _heading(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).lower().replace("_", " ")
    text = re.sub(r"\([^()]*\)", "", text)
    return " ".join(text.split()) if text.isascii() else "".join(text.split())


_BY_HEADING = {
    _heading(word): code for code, (title, others) in HEADINGS.items() for word in (title, *others)
}


def _columns(number: int, heading: Sequence[Cell]) -> tuple[dict[str, int], list[Problem]]:
    """Which column stands where, or what is wrong with the headings."""
    columns: dict[str, int] = {}
    problems = []
    for index, cell in enumerate(heading):
        if not cell:
            continue
        code = _BY_HEADING.get(_heading(cell.text))
        if cell.wrong:
            problems.append(Problem(number, cell.text, cell.wrong))
        elif code is None:
            problems.append(Problem(number, cell.text[:NAME_LENGTH], _("不认识的表头。")))
        elif code in columns:
            problems.append(Problem(number, HEADINGS[code][0], _("表头重复。")))
        else:
            columns[code] = index
    for code, (title, _others) in HEADINGS.items():
        if code not in columns and code not in OPTIONAL:
            problems.append(Problem(number, title, _("缺少此列。")))
    return columns, problems


class _Reader:
    """Turns lines into rows and gathers what is wrong with them."""

    def __init__(self, columns: dict[str, int], width: int) -> None:
        self.columns = columns
        self.width = width
        self.problems: list[Problem] = []
        self._number = 0
        self._cells: list[Cell] = []

    def row(self, number: int, cells: list[Cell]) -> RollRow | None:
        """The unit of one line; None where something is wrong with it."""
        self._number, self._cells = number, cells
        before = len(self.problems)
        for index, cell in enumerate(cells):
            if cell and index not in self.columns.values():
                self._wrong("", _("第%(column)s列没有表头却有内容。") % {"column": index + 1})
                break
        building, stairwell, room = (self._place(code) for code in _SUFFIXES)
        area = self._area()
        source = self._source()
        unsold = self._unsold()
        owners = self._owners()
        if not owners and not unsold and len(self.problems) == before:
            self._wrong("owners", _("没有填写业主；未售的请在“建设单位未售”栏填“是”。"))
        if len(self.problems) > before:
            return None
        return RollRow(number, building, stairwell, room, area, source, owners, unsold)

    def _wrong(self, code: str, message: str) -> None:
        title = HEADINGS[code][0] if code else ""
        self.problems.append(Problem(self._number, title, message))

    def _text(self, code: str) -> str | None:
        """The text of a cell; None where it was found wrong and said so."""
        index = self.columns.get(code)
        if index is None or index >= len(self._cells):
            return ""
        cell = self._cells[index]
        if cell.wrong:
            self._wrong(code, cell.wrong)
            return None
        return cell.text

    def _place(self, code: str) -> str:
        text = self._text(code)
        if text is None:
            return ""
        text = _plain(text)
        for suffix in _SUFFIXES[code]:
            if text.endswith(suffix):
                text = text.removesuffix(suffix).strip()
                break
        if not text:
            self._wrong(code, _("没有填写。"))
        elif len(text) > PLACE_LENGTH:
            self._wrong(code, _("过长，最多%(most)s个字。") % {"most": PLACE_LENGTH})
        return text

    def _area(self) -> int:
        text = self._text("area")
        if text is None:
            return 0
        if not text:
            self._wrong("area", _("没有填写。"))
            return 0
        try:
            return parse_area(text)
        except ValueError as error:
            self._wrong("area", str(error))
            return 0

    def _source(self) -> str:
        text = self._text("source")
        if text is None:
            return ""
        plain = _plain(text).lower()
        for code, words in SOURCES.items():
            if plain in words:
                return code
        self._wrong("source", _("应填“登记”“测绘”或“合同”。") if plain else _("没有填写。"))
        return ""

    def _unsold(self) -> bool:
        text = self._text("unsold")
        plain = _plain(text or "").lower()
        if plain not in YES and plain not in NO:
            self._wrong("unsold", _("应填“是”或“否”。"))
        return plain in YES

    def _owners(self) -> tuple[OwnerName, ...]:
        names, numbers = self._several("owners"), self._several("numbers")
        if names is None or numbers is None:
            return ()
        if numbers and len(numbers) != len(names):
            self._wrong("numbers", _("编号与业主不是一一对应。"))
            return ()
        owners = tuple(
            OwnerName(name, numbers[index] if numbers else "") for index, name in enumerate(names)
        )
        if len(set(owners)) < len(owners):
            self._wrong("owners", _("同一业主写了两次；同名者请用业主编号区分。"))
            return ()
        return owners

    def _several(self, code: str) -> list[str] | None:
        text = self._text(code)
        if not text:
            return None if text is None else []
        parts = [_plain(part) for part in _SEPARATORS.split(text)]
        if not all(parts):
            self._wrong(code, _("分隔符之间没有内容。"))
            return None
        if any(len(part) > NAME_LENGTH for part in parts):
            self._wrong(code, _("过长，最多%(most)s个字。") % {"most": NAME_LENGTH})
            return None
        return parts


def _between_rows(rows: Sequence[RollRow]) -> Iterator[Problem]:
    """What no row shows by itself: a unit that stands twice, names and numbers that disagree."""
    places: dict[tuple[str, str, str], int] = {}
    named: dict[str, str] = {}
    numbered: dict[str, bool] = {}
    owner_title, number_title = HEADINGS["owners"][0], HEADINGS["numbers"][0]
    for row in rows:
        first = places.setdefault(row.place, row.row)
        if first != row.row:
            yield Problem(
                row.row,
                HEADINGS["room"][0],
                _("与第%(row)s行是同一专有部分。") % {"row": first},
            )
        for owner in row.owners:
            if owner.number and named.setdefault(owner.number, owner.name) != owner.name:
                yield Problem(row.row, number_title, _("同一编号用于不同的业主。"))
            if numbered.setdefault(owner.name, bool(owner.number)) != bool(owner.number):
                yield Problem(
                    row.row, owner_title, _("同名业主有的有编号，有的没有，无法确定是否同一人。")
                )


def area_text(area: int) -> str:
    """An area as the pages write it: ``66,783.97㎡``."""
    return f"{area_words(area)}㎡"
