"""A notice: where it hangs, its term, what pages show of it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import OFFICE, Design, Shortlist, household, photo
from workflows import acts, sweep
from workflows.parties import Member
from workflows.soundness import faults
from workflows.steps.publicity import Posting, Publicity

from .publicity_cases import (  # noqa: F401 - fixtures
    OPENED,
    PLACES,
    _fresh,
    day,
    decide,
    design_fixture,
    estate_fixture,
    hanging_fixture,
    object_to,
    open_run,
    post,
    refused,
    shortlist_fixture,
)

# --- posting and the term


def test_the_term_begins_when_the_last_stairwell_has_its_photo(hanging):
    run = open_run(hanging)
    opening = hanging.records.get(act="step.opened").body
    assert opening == {"phase": "posting", "places": 3, "term": "20d"}
    assert (run.ends_on, run.scheduled) == (None, None)
    with day(15):
        done = post(hanging, "stairwell:1", "stairwell:2")
        assert done.record.body == {
            "places": ["1号楼1单元", "1号楼2单元"],
            "posted": 2,
            "of": 3,
        }
        assert open_run(hanging).phase == "posting"
    with day(16):
        body = post(hanging, "stairwell:3", first=5).record.body
    run = open_run(hanging)
    assert (run.phase, run.starts_on) == ("standing", dt.date(2026, 9, 16))
    assert (body["phase"], body["starts_on"], body["ends_on"]) == (
        "standing",
        "2026-09-16",
        run.ends_on.isoformat(),
    )


def test_twenty_days_from_14_september_end_after_national_day(design):
    run = open_run(design)
    # 4 October is in the holiday; the 8th is the first working day (Civil Code 203).
    assert (run.starts_on, run.ends_on) == (dt.date(2026, 9, 14), dt.date(2026, 10, 8))
    with day(8, month=10, hour=23):
        assert sweep.sweep() == 0
    with day(9, month=10, hour=0):
        assert sweep.sweep() == 1
    design.refresh_from_db()
    assert design.outcome == "agreed"


def test_five_working_days_begin_at_once_where_nothing_hangs(shortlist):
    run = open_run(shortlist)
    # Sunday 20 September is worked in exchange for a day of the holiday: it is the fifth.
    assert (run.phase, run.ends_on) == ("standing", dt.date(2026, 9, 20))


def test_every_photo_is_public_and_belongs_to_its_place(design):
    rows = list(Posting.objects.select_related("photo__record"))
    assert [row.label for row in rows] == ["1号楼1单元", "1号楼2单元", "1号楼3单元"]
    assert len({row.photo.sha256 for row in rows}) == 3
    assert all(row.photo.public and row.photo.record.act == "notice.posted" for row in rows)


def test_one_photo_does_not_show_two_stairwells(hanging):
    twice = refused(post, hanging, *PLACES[:2], photos=[photo(1), photo(1)])
    assert (twice.code, list(twice.errors)) == ("duplicate", ["photos"])
    post(hanging, PLACES[0], photos=[photo(1)])
    again = refused(post, hanging, PLACES[1], photos=[photo(1)])
    assert again.code == "duplicate"
    assert Posting.objects.filter(posted_at__isnull=False).count() == 1


def test_a_notice_put_up_anew_keeps_its_first_posting_and_the_term(design):
    ends = open_run(design).ends_at
    with day(20):
        body = post(design, PLACES[0], first=50).record.body
    assert body == {"places": ["1号楼1单元"], "posted": 3, "of": 3}
    assert Posting.objects.get(place=PLACES[0]).posted_at == OPENED
    assert open_run(design).ends_at == ends


def test_a_stairwell_registered_meanwhile_needs_its_photo_too(hanging):
    post(hanging, *PLACES[:2])
    SandboxDirectory.groups["stairwells"].append(Member("stairwell:4", "x", "2号楼1单元"))
    assert post(hanging, PLACES[2], first=9).record.body["of"] == 4
    assert [str(line) for line in Design.stand.unmet(open_run(hanging))] == ["还有1处没有张贴照片"]
    post(hanging, "stairwell:4", first=10)
    assert open_run(hanging).phase == "standing"


def test_an_estate_without_registered_stairwells_does_not_pass_unposted(estate):
    SandboxDirectory.groups["stairwells"] = []
    case = acts.open_case(Design, estate, OFFICE, title="设计")
    assert [str(line) for line in Design.stand.unmet(open_run(case))] == ["尚未登记应当张贴的地点"]
    with day(30, month=12):
        sweep.sweep()
    assert open_run(case).phase == "posting"


def test_posting_is_not_claimed_for_before_the_opening(hanging):
    early = OPENED - dt.timedelta(days=3)
    assert refused(post, hanging, *PLACES, happened_at=early).code == "invalid"


TEXT_FILE = SimpleUploadedFile("a.txt", b"no picture", "text/plain")
PDF = b"%PDF-1.4\n%%EOF"


@pytest.mark.parametrize(
    ("places", "photos", "field"),
    [
        ([], [photo(1)], "places"),
        (["stairwell:9"], [photo(1)], "places"),
        (["household:1"], [photo(1)], "places"),
        (["stairwell:1"], [], "photos"),
        (["stairwell:1", "stairwell:2"], [photo(1)], "photos"),
        (["stairwell:1"], [photo(1), photo(2)], "photos"),
        (["stairwell:1", "stairwell:1"], [photo(1), photo(2)], "photos"),
        (["stairwell:1"], [TEXT_FILE], "photos"),
        (["stairwell:1"], [SimpleUploadedFile("a.pdf", PDF)], "photos"),
        (["stairwell:1"], [SimpleUploadedFile("a.png", b"")], "photos"),
    ],
)
def test_bad_postings_change_nothing_and_say_what_is_wrong(hanging, places, photos, field):
    found = refused(post, hanging, *places, photos=photos)
    assert (found.code, list(found.errors)) == ("invalid", [field])
    assert not Posting.objects.filter(posted_at__isnull=False).exists()


# --- what pages read


def test_the_notice_names_period_and_title(design):
    notice = Design.stand.notice(open_run(design))
    assert str(notice["title"]) == "关于设计方案的公示"
    assert (notice["starts_on"], notice["ends_on"]) == (
        dt.date(2026, 9, 14),
        dt.date(2026, 10, 8),
    )
    assert notice["files"] == []  # photos of the posting are not part of the notice


def test_the_page_takes_the_same_queries_however_many_objections(design):
    def cost():
        with CaptureQueriesContext(connection) as found:
            page = Design.stand.page(open_run(design))
            list(page["objections"][:50])
            list(page["late"][:50])
        return len(found)

    object_to(design, household(1))
    few = cost()
    for number in range(20):
        object_to(design, household(100 + number))
    assert cost() == few <= 7


def test_what_the_pages_offer_follows_the_notice(hanging):
    def offered():
        run = open_run(hanging)
        return {name for name, spec in Design.stand.acts.items() if Design.stand.offered(spec, run)}

    assert {"objection.raised", "objection.decided", "publicity.withdrawn"}.isdisjoint(offered())
    post(hanging, *PLACES)
    assert "objection.raised" in offered()
    objection = object_to(hanging, household(1)).fact
    assert "objection.decided" in offered()
    decide(hanging, objection, decision="upheld")
    assert "publicity.withdrawn" in offered()


# --- declaring


def test_the_procedures_are_sound():
    assert [list(faults(p)) for p in (Design, Shortlist)] == [[], []]


def test_a_wrongly_declared_publicity_says_why():
    assert set(Publicity(title="公示").faults()) == {
        "the outcome 'clean' leads nowhere",
        "the outcome 'upheld' leads nowhere",
        "nobody handles it",
        "nobody may object",
        "no term",
    }
