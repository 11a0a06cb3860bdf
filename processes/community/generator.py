"""A realistic roll for demos and tests: the same seed gives the same roll, exact in its totals.

Nobody in it exists: every name has 示 after the surname, so that masks look as they would and yet
no name can be taken for a neighbour's.
"""

from __future__ import annotations

import csv
import io
import itertools
import random
from collections.abc import Sequence
from decimal import Decimal

from openpyxl import Workbook

HEADINGS = ("楼号", "单元", "室号", "专有面积", "面积依据", "业主", "建设单位未售")
SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
    "苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯"
)
COMPOUND = ("欧阳", "司马", "上官", "诸葛")
GIVEN = "甲乙丙丁戊己庚辛壬癸"
PER_STAIRWELL, PER_FLOOR = 12, 2
DEMO = {"seed": 20, "blocks": 12, "heads": 403, "area": 6_678_397}


def generate(
    seed: int = DEMO["seed"],
    blocks: int = DEMO["blocks"],
    heads: int = DEMO["heads"],
    area: int = DEMO["area"],
) -> list[dict[str, str]]:
    """Rows by heading, in walking order.

    `heads` by the law's rule (`counting.freeze_roll`): among them owners of several units,
    co-owners, and the developer's unsold units as one. `area` in hundredths of a square metre in
    all. Raises ValueError where that many heads, blocks or metres cannot make an estate.
    """
    if blocks < 1 or heads < max(4, 2 * blocks):
        raise ValueError("at least four heads, and two for each block")
    units = -(-(heads + heads * 7 // 100) // blocks) * blocks
    if area < units * 1000:
        raise ValueError("at least ten square metres for each unit")
    rng = random.Random(seed)  # noqa: S311 -- a demo, not a secret
    places = _places(blocks, units // blocks)
    areas = _areas(rng, places, area)
    owners = _owners(rng, heads, units)
    rows = []
    for place, size, names in zip(places, areas, owners, strict=True):
        source = rng.choices(("登记", "测绘", "合同"), weights=(90, 7, 3))[0]
        values = (
            *place,
            f"{size // 100}.{size % 100:02d}",
            source,
            "、".join(names),
            "否" if names else "是",
        )
        rows.append(dict(zip(HEADINGS, values, strict=True)))
    return rows


def _places(blocks: int, per_block: int) -> list[tuple[str, str, str]]:
    """Building, stairwell and room; stairwells of a building as even as can be."""
    wells = -(-per_block // PER_STAIRWELL)
    places = []
    for block, well in itertools.product(range(blocks), range(wells)):
        size = per_block // wells + (well < per_block % wells)
        for number in range(size):
            floor, door = divmod(number, PER_FLOOR)
            places.append((str(block + 1), str(well + 1), f"{floor + 1}{door + 1:02d}"))
    return places


def _areas(rng: random.Random, places: Sequence[tuple[str, str, str]], area: int) -> list[int]:
    """Flats one above another are of one plan; what division leaves over goes out by hundredths."""
    plans: dict[tuple[str, str], int] = {}
    for building, _well, room in places:
        plans.setdefault((building, room[-2:]), rng.randint(820, 1180))
    weights = [plans[building, room[-2:]] for building, _well, room in places]
    whole = sum(weights)
    areas = [area * weight // whole for weight in weights]
    for index in range(area - sum(areas)):
        areas[index] += 1
    return areas


def _owners(rng: random.Random, heads: int, units: int) -> list[tuple[str, ...]]:
    """Owners of each unit; none where the developer has not sold it."""
    unsold = min(8, (units - heads) // 3 + 1)
    more = units - heads - (unsold - 1)
    of_three = more // 10
    of_two = more - 2 * of_three
    names = _names(rng, heads * 2)
    groups: list[tuple[str, ...]] = [(next(names),) for _ in range(heads - 1)]
    for index in rng.sample(range(heads - 1), (heads - 1) // 12):
        groups[index] = (*groups[index], next(names))
    if heads >= 100:
        # Who owns one flat alone and another with somebody is two heads: other owners each time.
        alone = [group for group in groups if len(group) == 1]
        groups[groups.index(alone[-1])] = (alone[0][0], alone[-1][0])
    several = rng.sample(range(heads - 1), of_three + of_two)
    times = dict.fromkeys(several, 2) | dict.fromkeys(several[:of_three], 3)
    found: list[tuple[str, ...]] = [()] * unsold
    for index, group in enumerate(groups):
        found += [group] * times.get(index, 1)
    rng.shuffle(found)
    return found


def _names(rng: random.Random, enough: int) -> itertools.chain[str]:
    surnames = [*SURNAMES, *COMPOUND]
    length = 1
    while len(surnames) * len(GIVEN) ** length < enough:
        length += 1
    names = [
        f"{surname}示{''.join(given)}"
        for surname in surnames
        for given in itertools.product(GIVEN, repeat=length)
    ]
    rng.shuffle(names)
    return itertools.chain(names)


def as_csv(rows: Sequence[dict[str, str]]) -> bytes:
    """The rows as CSV in UTF-8 with the mark that spreadsheet programs look for."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, HEADINGS)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(rows: Sequence[dict[str, str]]) -> bytes:
    """The rows as a workbook: places as text, areas as numbers with two decimals."""
    book = Workbook()
    sheet = book.active
    sheet.title = "名册"
    sheet.append(HEADINGS)
    for row in rows:
        sheet.append([Decimal(row[key]) if key == "专有面积" else row[key] for key in HEADINGS])
    for cell in sheet["D"][1:]:
        cell.number_format = "0.00"
    sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
