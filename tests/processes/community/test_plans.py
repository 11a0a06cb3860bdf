"""The plan of an estate: read from GeoJSON, drawn without anybody else's map."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from processes.community import plans
from processes.community.models import Building, Estate
from tests import factories


@pytest.fixture
def estate(db) -> Estate:
    """Three buildings."""
    return factories.make_estate("lane", blocks=3, units=1)


def square(number: object, east: float, north: float, side: float = 0.0003) -> dict:
    ring = [[east, north], [east + side, north], [east + side, north + side], [east, north + side]]
    shape = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"type": "Feature", "properties": {"number": number}, "geometry": shape}


def geojson(*features: dict) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features)}).encode()


TWO = geojson(square(1, 122.5, 35.5), square("2号楼", 122.501, 35.499))


def test_outlines_in_decimetres_around_the_middle(estate):
    assert plans.apply(estate, TWO) == ["3号楼"]
    estate.refresh_from_db()
    assert estate.origin == "35.499650,122.500650"
    first = Building.objects.get(estate=estate, number="1")
    # 0.0003 degrees: 33.4 m north, and 27.2 m east at this latitude.
    assert first.outline[0] == [-589, 390]
    assert [first.outline[2][at] - first.outline[0][at] for at in (0, 1)] == [272, 334]
    assert Building.objects.get(estate=estate, number="3").outline is None


def test_drawn_north_upwards_with_the_chosen_one_and_a_point(estate):
    assert plans.plan(estate) is None
    plans.apply(estate, TWO)
    drawn = plans.plan(estate, "2号楼", "35.49965,122.50065")
    assert [shape.name for shape in drawn.shapes] == ["1号楼", "2号楼"]
    assert [shape.chosen for shape in drawn.shapes] == [False, True]
    first, second = drawn.shapes
    assert first.y < second.y  # the northern one stands higher
    assert first.x < second.x
    assert drawn.dot == (0, 0)
    assert plans.plan(estate, "", "35.6,122.5").dot is None
    assert plans.of(estate.community).shapes == plans.plan(estate).shapes


def test_another_file_takes_the_place_of_the_one_before(estate):
    plans.apply(estate, TWO)
    assert plans.apply(estate, geojson(square("3", 122.5, 35.5))) == ["1号楼", "2号楼"]
    assert [shape.name for shape in plans.plan(estate).shapes] == ["3号楼"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no", "不是GeoJSON"),
        (b"[]", "不是GeoJSON"),
        (geojson(), "没有楼栋"),
        (geojson({"properties": {}, "geometry": None}), "不是GeoJSON"),
        (geojson(square(9, 122.5, 35.5)), "名册中没有这些楼：9"),
        (geojson(square(1, 122.5, 35.5), square(1, 122.5, 35.5)), "画了两次"),
        (geojson(square(1, 35.5, 122.5)), "经度应在前"),
        (geojson(square(1, 122.5, 35.5), square(2, 122.9, 35.5)), "超过5公里"),
        (geojson(square(1, float("nan"), 35.5)), "坐标有误"),
    ],
)
def test_what_is_no_plan_changes_nothing(estate, content, words):
    plans.apply(estate, TWO)
    before = list(Building.objects.values_list("number", "outline"))
    with pytest.raises(plans.PlanRefused, match=words):
        plans.apply(estate, content)
    assert list(Building.objects.values_list("number", "outline")) == before


def test_the_command(estate, tmp_path, capsys):
    file = tmp_path / "plan.geojson"
    file.write_bytes(TWO)
    call_command("import_plan", "lane", str(file))
    assert "图上没有：3号楼" in capsys.readouterr().out
    for code, path in (("nowhere", file), ("lane", tmp_path / "none"), ("lane", __file__)):
        with pytest.raises(CommandError):
            call_command("import_plan", code, str(path))


@pytest.mark.parametrize(
    ("point", "away"),
    [("35.5,122.5", False), ("35.54,122.5", False), ("35.55,122.5", True), ("35.5,122.6", True)],
)
def test_what_lies_beyond_five_kilometres_is_elsewhere(point, away):
    assert plans.far("35.5,122.5", point) == away
