"""The public search: words of two signs, on every database; by an index where there is one."""

from __future__ import annotations

import random

import pytest
from django.db import connection
from django.test import Client

from processes.appeals import reading
from processes.appeals.models import Appeal
from processes.appeals.procedure import Appeals
from workflows import clock
from workflows.models import Case
from workflows.search import pairs

TEXTS = (
    "一单元楼道路灯不亮",
    "路边的灯箱挡住人行道",
    "LED路灯闪烁，晚上9点后100%不亮",
    "垃圾清运不及时\n夏天有异味",
    "电梯_困人\\两次",
    "灯",
)


def texts(town, wordings) -> None:
    """Public appeals with these wordings, written as rows: what is searched is the column."""
    now = clock.now()
    known = Case.objects.count()
    cases = Case.objects.bulk_create(
        Case(
            flow_class=Appeals,
            procedure="appeals",
            version="2026.1",
            number=f"APPL-2026-{known + number:04d}",
            community=town.community,
            title="群众诉求",
            created=now,
        )
        for number, _text in enumerate(wordings, 1)
    )
    Appeal.objects.bulk_create(
        Appeal(case=case, kind="other", text="", digest="", wording=text)
        for case, text in zip(cases, wordings, strict=True)
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("路灯", {0, 2}),
        ("道路", {0}),
        ("灯箱", {1}),
        ("灯", {0, 1, 2, 5}),
        ("单元 路灯", {0}),
        ("路灯不亮", {0}),
        ("路灯。", set()),
        ("led", {2}),
        ("Led路", {2}),
        ("100%", {2}),
        ("0%", {2}),
        ("_困", {4}),
        ("人\\", {4}),
        ("%%", set()),
        ("及时", {3}),
        ("夏天", {3}),
        ("时夏", set()),  # they stand in two lines
        ("亮不", set()),
        ("箱挡住人行", {1}),
        ("''", set()),
        ("APPL-2026-0003", {2}),
        ("2026-0001", {0}),
        ("示范小区estate", {0, 1, 2, 3, 4, 5}),
        ("其他", {0, 1, 2, 3, 4, 5}),
        ("维修", set()),
    ],
)
def test_words_as_they_stand(town, query, found):
    texts(town, TEXTS)
    rows = reading.rows(reading.chosen({"q": query}))
    assert {TEXTS.index(row.wording) for row in rows} == found
    page = Client().get("/appeals/", {"q": query}).content.decode()
    assert page.count("APPL-2026-000") - page.count('value="APPL') >= len(found)


def test_the_building_that_is_shown_is_found(town):
    texts(town, TEXTS)
    Appeal.objects.filter(wording=TEXTS[3]).update(shown_building="3号楼", building="3号楼")
    Appeal.objects.filter(wording=TEXTS[4]).update(building="3号楼")
    assert [row.wording for row in reading.rows({"q": "3号楼"})] == [TEXTS[3]]


def test_pairs():
    assert pairs("路灯不亮") == ["路灯", "灯不", "不亮"]
    assert pairs("灯") == pairs("") == []
    assert pairs("ABab") == ["ab", "ba"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the index is PostgreSQL's")
def test_the_index_answers(town):
    signs = "楼道单元门口电梯垃圾清运停车消防通道绿化井盖噪声物业水管漏水墙面"
    rng = random.Random(4)
    drawn = ["".join(rng.choices(signs, k=40)) for _each in range(6000)]
    texts(town, [*drawn, *TEXTS])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for query in ("路灯", "箱挡住人"):
        plan = reading.rows({"q": query})[:20].explain()
        assert "appeal_wording_signs" in plan, plan
    assert len(reading.rows({"q": "路灯"})) == 2
