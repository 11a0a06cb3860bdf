"""The feedback book: a page, a paper, a table; every opinion with its answer, nobody's name."""

from __future__ import annotations

import csv
import io
import re

import pikepdf
import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import COMMITTEE, OFFICE, Needs, household
from tests.workflows.test_portal import NOON
from workflows import acts, calendars, clock
from workflows.models import Community, Opinion
from workflows.parties import Member
from workflows.portal import book

OUTCOMES = {"roof": "adopted", "parking": "partly", "lifts": "not_adopted"}


@pytest.fixture
def run(db):
    cache.clear()
    calendars.seed()
    SandboxDirectory.reset()
    SandboxDirectory.groups["households"] = [
        Member(f"household:{n}", f"1号楼1单元{n}室", "1号楼1单元***室") for n in range(1, 90)
    ]
    with clock.at(NOON):
        estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
        case = acts.open_case(Needs, estate, OFFICE, title="示范问需")
        yield case.runs.get(name="ask")


def say(run, number, item="roof", text="屋面漏水。"):
    data = {"item": item, "stance": "want", "text": text}
    acts.perform(run.process_id, "ask", "opinion.submitted", household(number), data)


def answer(run, item, **more):
    data = {
        "opinions": list(
            Opinion.objects.filter(run=run, item=item, life="submitted").values_list(
                "pk", flat=True
            )
        ),
        "outcome": OUTCOMES[item],
        "public_text": "屋面漏水。",
        "reason": "已经列入改造内容。",
        **more,
    }
    acts.perform(run.process_id, "ask", "opinion.replied", COMMITTEE, data)


@pytest.fixture
def answered(run):
    for number, item in enumerate(("roof", "parking", "lifts", "roof"), start=1):
        say(run, number, item, f"王示五家{number}需要。")
    for item in OUTCOMES:
        answer(run, item)
    say(run, 5, "roof", "还没有答复的一条。")
    return run


def address(run, tail=""):
    return f"/cases/{run.process.number}/book/{run.pk}/{tail}"


def seqs(page):
    return re.findall(r'id="opinion-(\d+)"', page)


def test_the_book_has_every_opinion_and_no_name(client, answered):
    page = client.get(address(answered)).content.decode()
    assert len(seqs(page)) == 5
    assert "王示五" not in page
    assert "还没有答复的一条" not in page
    assert page.count("已经列入改造内容。") == 4


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("outcome=adopted", 2),
        ("outcome=not_adopted", 1),
        ("outcome=waiting", 1),
        ("outcome=withdrawn", 0),
        ("item=roof", 3),
        ("item=roof&outcome=adopted", 2),
        ("item=lifts&outcome=adopted", 0),
        ("item=nothing&outcome=nothing", 5),
    ],
)
def test_it_can_be_looked_through_by_outcome_and_item(client, answered, query, count):
    page = client.get(address(answered) + "?" + query).content.decode()
    assert len(seqs(page)) == count


def test_its_page_costs_the_same_with_many_opinions(client, answered):
    with CaptureQueriesContext(connection) as few:
        client.get(address(answered))
    for number in range(10, 75):
        say(answered, number)
    with CaptureQueriesContext(connection) as many:
        shown = client.get(address(answered)).content.decode()
    assert len(many) == len(few) <= 6
    assert len(seqs(shown)) == book.PER_PAGE
    last = client.get(address(answered) + "?page=3").content.decode()
    assert len(seqs(last)) == 70 - 2 * book.PER_PAGE


def test_the_table_has_a_row_an_opinion(client, answered):
    content = b"".join(client.get(address(answered, "book.csv")))
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [row[5] for row in rows[1:]] == ["采纳", "部分采纳", "未采纳", "采纳", "等待答复"]
    assert "王示五" not in content.decode()


def test_the_table_is_read_in_blocks(client, answered, monkeypatch):
    whole = b"".join(client.get(address(answered, "book.csv")))
    monkeypatch.setattr(book.export, "BLOCK", 2)
    assert b"".join(client.get(address(answered, "book.csv"))) == whole


def pages(content: bytes) -> list[str]:
    """What stands on each page, as poppler's pdftotext reads it."""
    import subprocess

    text = subprocess.run(
        ["pdftotext", "-layout", "-", "-"], input=content, capture_output=True, check=True
    )
    return text.stdout.decode().split("\f")[:-1]


def test_the_paper_numbers_its_pages_through_all_chapters(client, answered, monkeypatch):
    for number in range(10, 40):
        say(answered, number)
    answer(answered, "roof")
    monkeypatch.setattr(book, "CHAPTER", 12)
    response = client.get(address(answered, "book.pdf"))
    assert response["Content-Type"] == "application/pdf"
    shown = pages(response.content)
    assert len(shown) >= 3
    for number, text in enumerate(shown, start=1):
        assert f"第{number}页共{len(shown)}页" in re.sub(r"\s", "", text)
        assert answered.process.number in text
    whole = "".join(shown)
    assert "2026年6月15日" in re.sub(r"\s", "", whole)
    assert "王示五" not in whole
    # The third signs of a row wrap within narrow cells; the seqs of records do not.
    rows = re.findall(r"^\s*(\d+)\s", whole, re.MULTILINE)
    opinions = Opinion.objects.order_by("record").values_list("record__seq", flat=True)
    assert [int(row) for row in rows] == list(opinions)
    with pikepdf.open(io.BytesIO(response.content)) as paper:
        first = paper.pages[0].mediabox
        assert [round(float(side)) for side in first] == [0, 0, 595, 842]
        assert paper.Root.Lang == "zh-hans"


def test_who_has_the_paper_does_not_have_it_printed_again(client, answered, monkeypatch):
    first = client.get(address(answered, "book.pdf"))

    def never(_run):
        raise AssertionError("printed again")

    monkeypatch.setattr(book, "printed", never)
    headers = {"If-None-Match": first["ETag"]}
    assert client.get(address(answered, "book.pdf"), headers=headers).status_code == 304


def test_long_books_are_printed_one_at_a_time(client, answered, monkeypatch):
    cache.add(book.PRINTING, 1, 60)
    assert client.get(address(answered, "book.pdf")).status_code == 200
    monkeypatch.setattr(book, "CHAPTER", 4)
    assert client.get(address(answered, "book.pdf")).status_code == 429
    cache.delete(book.PRINTING)
    for _again in range(2):
        assert client.get(address(answered, "book.pdf")).status_code == 200


def test_an_empty_book_is_a_book(client, run):
    assert "还没有意见" in client.get(address(run)).content.decode()
    assert "还没有意见" in "".join(pages(client.get(address(run, "book.pdf")).content))


def test_only_steps_that_answer_opinions_have_one(client, run):
    opening = run.process.runs.exclude(pk=run.pk).first()
    assert client.get(address(opening)).status_code == 404
    assert client.get(f"/cases/none/book/{run.pk}/book.pdf").status_code == 404
