"""The plan of an estate: outlines of its buildings, drawn without anybody else's map.

Outlines come from a GeoJSON file (RFC 7946: longitude before latitude) whose polygons name the
building in the property ``number``. They are kept as whole decimetres east and north of the
estate's `origin`, the middle of all of them. Use the system of coordinates of the maps that
residents have on their phones, or their points lie some hundred metres off.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from .models import Building, Estate

METRES_A_DEGREE = 111_320
FARTHEST = 5_000
"""Metres from an estate's origin: what lies beyond is not of the estate."""
MOST_CORNERS = 200
MARGIN = 150
"""Decimetres around the drawn buildings."""
Corner = tuple[int, int]


class PlanRefused(Exception):
    """Why a file is no plan of an estate; `str()` says it in words for people."""


def offset(origin: str, point: str) -> Corner:
    """Decimetres east and north of `origin`; both ``latitude,longitude``. Exact enough for an
    estate: the earth is taken as flat."""
    latitude, longitude = map(float, origin.split(","))
    north, east = (float(part) for part in point.split(","))
    wide = METRES_A_DEGREE * math.cos(math.radians(latitude))
    return (
        round((east - longitude) * wide * 10),
        round((north - latitude) * METRES_A_DEGREE * 10),
    )


def far(origin: str, point: str) -> bool:
    """Whether a point lies too far from an estate to be of it."""
    return math.hypot(*offset(origin, point)) > FARTHEST * 10


def read(content: bytes) -> dict[str, list[tuple[float, float]]]:
    """Corners (longitude, latitude) by the number of the building. Raises `PlanRefused`."""
    try:
        features = json.loads(content)["features"]
        found: dict[str, list[tuple[float, float]]] = {}
        for feature in features:
            number = str(feature["properties"]["number"]).strip().removesuffix("号楼")
            shape = feature["geometry"]
            if shape["type"] != "Polygon":
                raise PlanRefused(_("%(number)s号楼不是多边形。") % {"number": number})
            corners = [(float(corner[0]), float(corner[1])) for corner in shape["coordinates"][0]]
            if corners[:1] == corners[-1:]:
                corners.pop()
            if not 3 <= len(corners) <= MOST_CORNERS:
                raise PlanRefused(_("%(number)s号楼的轮廓有误。") % {"number": number})
            if number in found:
                raise PlanRefused(_("%(number)s号楼画了两次。") % {"number": number})
            if not all(abs(east) <= 180 and abs(north) <= 89 for east, north in corners):
                raise PlanRefused(_("%(number)s号楼的坐标有误，经度应在前。") % {"number": number})
            found[number] = corners
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise PlanRefused(_("不是GeoJSON文件，或者缺少楼号（属性number）。")) from error
    if not found:
        raise PlanRefused(_("文件里没有楼栋。"))
    return found


def apply(estate: Estate, content: bytes) -> list[str]:
    """Keep the outlines of a file, all or none; the buildings that it does not show. Raises
    `PlanRefused`."""
    drawn = read(content)
    known = {building.number: building for building in estate.buildings.all()}
    if strange := sorted(set(drawn) - set(known)):
        raise PlanRefused(_("名册中没有这些楼：%(numbers)s") % {"numbers": "、".join(strange)})
    corners = [corner for ring in drawn.values() for corner in ring]
    middle = [(min(each) + max(each)) / 2 for each in zip(*corners, strict=True)]
    origin = f"{middle[1]:.6f},{middle[0]:.6f}"
    with transaction.atomic():
        for number, building in known.items():
            ring = [offset(origin, f"{north},{east}") for east, north in drawn.get(number, ())]
            if any(math.hypot(*corner) > FARTHEST * 10 for corner in ring):
                raise PlanRefused(_("楼栋相距超过5公里，请核对坐标。"))
            building.outline = ring or None
            building.save(update_fields=["outline"])
        estate.origin = origin
        estate.save(update_fields=["origin"])
    return [str(building) for building in known.values() if building.outline is None]


@dataclass(frozen=True, slots=True)
class Shape:
    """A building as it is drawn: `points` of an SVG polygon, and where its number stands."""

    name: str
    number: str
    points: str
    x: int
    y: int
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a template draws; lengths in decimetres, y downwards."""

    box: str
    letters: int
    shapes: list[Shape] = field(default_factory=list)
    dot: Corner | None = None
    radius: int = 0


def plan(estate: Estate, chosen: str = "", point: str = "") -> Plan | None:
    """The plan of an estate with one building marked, and a point where it lies in the picture;
    None without outlines."""
    rings = list(_rings(estate))
    if not rings:
        return None
    corners = [corner for _building, ring in rings for corner in ring]
    left, right = min(x for x, _y in corners) - MARGIN, max(x for x, _y in corners) + MARGIN
    top, bottom = min(y for _x, y in corners) - MARGIN, max(y for _x, y in corners) + MARGIN
    width, height = right - left, bottom - top
    letters = max(width, height) // 24
    shapes = [_shape(building, ring, chosen) for building, ring in rings]
    dot = None
    if point and estate.origin:
        east, north = offset(estate.origin, point)
        if left <= east <= right and top <= -north <= bottom:
            dot = (east, -north)
    return Plan(f"{left} {top} {width} {height}", letters, shapes, dot, max(width, height) // 60)


def _rings(estate: Estate) -> Iterator[tuple[Building, list[Corner]]]:
    for building in estate.buildings.exclude(outline=None).order_by("order", "pk"):
        yield building, [(x, -y) for x, y in building.outline or ()]


def _shape(building: Building, ring: list[Corner], chosen: str) -> Shape:
    across, down = [x for x, _y in ring], [y for _x, y in ring]
    return Shape(
        str(building),
        building.number,
        " ".join(f"{x},{y}" for x, y in ring),
        (min(across) + max(across)) // 2,
        (min(down) + max(down)) // 2,
        str(building) == chosen,
    )


def of(place: Any, chosen: str = "", point: str = "") -> Plan | None:
    """The plan of a community, where it is an estate that has one."""
    estate = Estate.objects.filter(community=place).exclude(origin="").first()
    return plan(estate, chosen, point) if estate is not None else None
