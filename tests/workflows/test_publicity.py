"""Publicity: a notice stands its full term (楼道公告栏公示20天), objections are decided."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import (
    COMMITTEE,
    OFFICE,
    Design,
    Shortlist,
    household,
    photo,
)
from workflows import acts, calendars, clock, records, sweep
from workflows.models import Attachment, Case, Community, Record
from workflows.parties import Member, Party
from workflows.soundness import faults
from workflows.steps.opinion import feedback_book
from workflows.steps.opinion_rows import Opinion, Reply
from workflows.steps.publicity import Objection, Posting, Publicity
from workflows.steps.publicity_rows import objections

OPENED = dt.datetime(2026, 9, 14, 9, tzinfo=clock.SHANGHAI)
PLACES = ["stairwell:1", "stairwell:2", "stairwell:3"]
TEXT = "车棚挡住我家3号楼2单元501室的窗"
WORDING = "车棚挡住住户的窗。"
REASON = "经现场核查,车棚距窗不足两米。"


@pytest.fixture(autouse=True)
def _fresh(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    calendars.seed()
    SandboxDirectory.reset()
    SandboxDirectory.groups["stairwells"] = [
        Member(key, f"1号楼{n}单元(楼长张三)", f"1号楼{n}单元") for n, key in enumerate(PLACES, 1)
    ]
    with clock.at(OPENED):
        yield


@pytest.fixture
def estate():
    return Community.objects.create(code="demo", name="示范小区", kind="estate")


@pytest.fixture
def hanging(estate):
    """A design, open, not yet posted."""
    return acts.open_case(Design, estate, OFFICE, title="设计方案")


@pytest.fixture
def design(hanging):
    """A design that hangs everywhere since 14 September."""
    post(hanging, *PLACES)
    return hanging


@pytest.fixture
def shortlist(estate):
    return acts.open_case(Shortlist, estate, OFFICE, title="入围")


def day(number, month=9, hour=12):
    return clock.at(dt.datetime(2026, month, number, hour, tzinfo=clock.SHANGHAI))


def open_run(case):
    return case.runs.get(name="stand", finished__isnull=True)


def post(case, *places, first=0, photos=None, **kwargs):
    pictures = photos if photos is not None else [photo(first + n) for n in range(len(places))]
    payload = {"places": list(places)}
    return acts.perform(
        case, "stand", "notice.posted", COMMITTEE, payload, {"photos": pictures}, **kwargs
    )


def object_to(case, who, files=None, **changes):
    payload = {"ground": "interest", "text": TEXT, **changes}
    return acts.perform(case, "stand", "objection.raised", who, payload, files)


def decide(case, *found, **changes):
    payload = {
        "objections": [objection.pk for objection in found],
        "decision": "dismissed",
        "public_text": WORDING,
        "reason": REASON,
        **changes,
    }
    return acts.perform(case, "stand", "objection.decided", OFFICE, payload)


def reply(case, opinion, **changes):
    payload = {
        "opinions": [opinion.pk],
        "outcome": "not_adopted",
        "public_text": WORDING,
        "reason": REASON,
        **changes,
    }
    return acts.perform(case, "stand", "opinion.replied", OFFICE, payload)


def refused(call, *args, **kwargs):
    with pytest.raises(acts.Refused) as caught:
        call(*args, **kwargs)
    return caught.value


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


# --- objections


def test_an_objection_leaves_no_words_and_no_name_in_the_record(design):
    done = object_to(design, household(1), {"papers": [photo(90)]})
    assert done.record.body == {"ground": "interest", "files": 1, "due_on": "2026-09-20"}
    decide(design, done.fact)
    trail = "".join(Record.objects.values_list("canonical", flat=True))
    for secret in ("household:", "person:", "stairwell:", "501室", "我家", "张三"):
        assert secret not in trail
    assert not Attachment.objects.filter(field="papers", public=True).exists()
    assert records.first_fault(Case.objects.get(pk=design.pk)) is None


def test_a_decision_publishes_the_masked_wording_and_the_reason(design):
    first, second = object_to(design, household(1)), object_to(design, household(2))
    done = decide(design, first.fact, second.fact)
    assert done.record.body == {
        "objections": [first.record.seq, second.record.seq],
        "outcome": "dismissed",
        "reason": REASON,
        "public_text": WORDING,
    }
    rows = list(objections(open_run(design), OPENED))
    assert [(r["life"], r["decision"], r["why"], r["wording"]) for r in rows] == [
        ("dismissed", "dismissed", REASON, WORDING)
    ] * 2
    assert Reply.objects.get().record == done.record
    assert Objection.objects.get(pk=first.fact.pk).record == first.record


def test_objections_are_raised_while_the_notice_stands(hanging):
    assert refused(object_to, hanging, household(1)).code == "early"
    post(hanging, *PLACES)
    with day(8, month=10, hour=23):
        object_to(hanging, household(1))
    with day(9, month=10):
        found = refused(object_to, hanging, household(2))
    assert (found.code, list(found.errors)) == ("late", ["as_opinion"])
    assert "作为意见提交" in str(found)


def test_the_same_objection_twice_is_a_duplicate(design):
    first = object_to(design, household(1))
    assert refused(object_to, design, household(1)).code == "duplicate"
    object_to(design, household(2))
    acts.perform(design, "stand", "objection.withdrawn", household(1), {"objection": first.fact.pk})
    object_to(design, household(1))


def test_an_undecided_objection_holds_the_end_and_shows_as_overdue(design):
    objection = object_to(design, household(1)).fact
    run = open_run(design)
    with day(20, hour=23):
        assert not objections(run, clock.now())[0]["overdue"]
    with day(21, hour=0):
        assert objections(run, clock.now())[0]["overdue"]
    with day(9, month=10):
        sweep.sweep()
        run = open_run(design)
        assert run.overdue_at is not None
        assert [str(line) for line in Design.stand.unmet(run)] == ["还有1件异议未核查"]
        decide(design, objection)
    design.refresh_from_db()
    assert design.outcome == "agreed"


def test_an_upheld_objection_leads_back_to_a_new_full_term_at_its_end(design):
    decide(design, object_to(design, household(1)).fact, decision="upheld")
    assert open_run(design).round == 1
    with day(9, month=10):
        sweep.sweep()
        run = open_run(design)
        assert (run.round, run.phase) == (2, "posting")
        post(design, *PLACES, first=200)
        assert open_run(design).ends_on == dt.date(2026, 10, 29)
    assert design.records.get(act="step.completed").body["outcome"] == "upheld"


def test_the_office_may_take_it_down_once_an_objection_is_upheld(design):
    stop = (acts.perform, design, "stand", "publicity.withdrawn", OFFICE)
    why = {"reason": "方案将按成立的异议修改。"}
    assert refused(*stop, why).code == "early"
    upheld, other = object_to(design, household(1)).fact, object_to(design, household(2)).fact
    decide(design, upheld, decision="upheld")
    assert refused(*stop, why).code == "unmet"
    decide(design, other)
    assert refused(*stop, {"reason": "无"}).code == "invalid"
    acts.perform(design, "stand", "publicity.withdrawn", OFFICE, why)
    assert open_run(design).round == 2
    assert design.records.get(act="step.completed").body == {
        "outcome": "upheld",
        "objections": {"dismissed": 1, "upheld": 1},
        "late": 0,
    }


def test_a_dismissed_objection_does_not_let_the_office_stop(design):
    decide(design, object_to(design, household(1)).fact)
    found = refused(
        acts.perform, design, "stand", "publicity.withdrawn", OFFICE, {"reason": "方案需要修改。"}
    )
    assert found.code == "early"


def test_only_its_author_withdraws_an_objection_and_only_before_the_decision(design):
    objection = object_to(design, household(1)).fact
    payload = {"objection": objection.pk}
    call = (acts.perform, design, "stand", "objection.withdrawn")
    assert refused(*call, household(2), payload).code == "invalid"
    decide(design, objection)
    assert refused(*call, household(1), payload).code == "closed_step"
    assert refused(decide, design, objection).code == "duplicate"


def test_withdrawing_the_last_objection_ends_it_after_the_term(shortlist):
    objection = object_to(shortlist, household(1)).fact
    with day(22):
        sweep.sweep()
        acts.perform(
            shortlist, "stand", "objection.withdrawn", household(1), {"objection": objection.pk}
        )
    shortlist.refresh_from_db()
    assert shortlist.outcome == "agreed"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ground": ""}, "ground"),
        ({"ground": "envy"}, "ground"),
        ({"text": ""}, "text"),
        ({"text": "  \n "}, "text"),
        ({"text": "!!!"}, "text"),
        ({"text": "长" * 2001}, "text"),
        ({"text": "a\x00b"}, "text"),
    ],
)
def test_bad_objections_change_nothing_and_say_what_is_wrong(design, changes, field):
    found = refused(object_to, design, household(1), **changes)
    assert (found.code, list(found.errors)) == ("invalid", [field])
    assert not Objection.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"objections": []}, "objections"),
        ({"objections": ["x"]}, "objections"),
        ({"objections": [424242]}, "objections"),
        ({"decision": "partly"}, "decision"),
        ({"decision": ""}, "decision"),
        ({"reason": ""}, "reason"),
        ({"reason": "同上"}, "reason"),
        ({"reason": "住户13812345678不同意"}, "reason"),
        ({"public_text": ""}, "public_text"),
        ({"public_text": TEXT}, "public_text"),
    ],
)
def test_bad_decisions_change_nothing_and_say_what_is_wrong(design, changes, field):
    objection = object_to(design, household(1)).fact
    found = refused(decide, design, objection, **changes)
    assert (found.code, list(found.errors)) == ("invalid", [field])
    assert Objection.objects.get().life == "raised"


def test_an_objection_of_another_case_is_not_decided_here(design, shortlist):
    objection = object_to(shortlist, household(1)).fact
    assert refused(decide, design, objection).code == "invalid"


@pytest.mark.parametrize(
    ("act", "who"),
    [
        ("objection.raised", OFFICE),
        ("objection.withdrawn", OFFICE),
        ("objection.decided", household(1)),
        ("notice.posted", household(1)),
        ("publicity.withdrawn", household(1)),
        ("opinion.replied", household(1)),
    ],
)
def test_each_act_has_its_parties(design, act, who):
    assert refused(acts.perform, design, "stand", act, who, {}).code == "wrong_party"


def test_nothing_is_posted_where_nothing_hangs(shortlist):
    assert refused(post, shortlist, PLACES[0]).code == "wrong_party"


# --- what comes late


def test_a_late_objection_becomes_an_opinion_and_holds_the_end_until_it_is_answered(design):
    objection = object_to(design, household(1)).fact
    with day(9, month=10):
        sweep.sweep()
        done = object_to(design, household(2), as_opinion="on")
        assert done.record.body == {"ground": "interest", "files": 0, "late": True}
        opinion = Opinion.objects.get()
        assert (opinion.late, opinion.text, opinion.life) == (True, TEXT, "submitted")
        decide(design, objection)
        run = open_run(design)
        assert [str(line) for line in Design.stand.unmet(run)] == [
            "还有1条逾期异议转为的意见未答复"
        ]
        reply(design, opinion)
    design.refresh_from_db()
    assert design.outcome == "agreed"
    assert Objection.objects.count() == 1
    row = feedback_book(run).get()
    assert (row["late"], row["outcome"], row["wording"]) == (True, "not_adopted", WORDING)


def test_within_the_term_it_is_an_objection_whatever_is_ticked(design):
    done = object_to(design, household(1), as_opinion="on")
    assert isinstance(done.fact, Objection)


def test_the_same_late_opinion_twice_is_a_duplicate(design):
    object_to(design, household(1))
    with day(9, month=10):
        object_to(design, household(2), as_opinion="on")
        assert refused(object_to, design, household(2), as_opinion="on").code == "duplicate"


def test_an_upheld_objection_stays_upheld_whatever_comes_late(shortlist):
    first, second = (object_to(shortlist, household(n)).fact for n in (1, 2))
    decide(shortlist, first, decision="upheld")
    with day(22):
        sweep.sweep()
        object_to(shortlist, household(3), as_opinion="on")
        decide(shortlist, second)
        reply(shortlist, Opinion.objects.get(), outcome="adopted")
    shortlist.refresh_from_db()
    assert shortlist.outcome == "overturned"


def test_a_provisional_term_ends_nothing(estate):
    with day(29, month=12):
        case = acts.open_case(Shortlist, estate, OFFICE, title="入围")
    assert open_run(case).provisional
    with clock.at(dt.datetime(2027, 1, 20, 12, tzinfo=clock.SHANGHAI)):
        sweep.sweep()
        assert open_run(case).overdue_at is None


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


def test_an_objection_costs_few_queries(design):
    with CaptureQueriesContext(connection) as found:
        object_to(design, household(1))
    own = [q["sql"] for q in found if "SAVEPOINT" not in q["sql"]]
    assert len(own) <= 13, own


def test_readers_show_no_author(design):
    object_to(design, household(1))
    rows = list(objections(open_run(design), OPENED))
    assert set(rows[0]) == {
        "seq",
        "ground",
        "life",
        "raised_at",
        "due_on",
        "overdue",
        "decision",
        "why",
        "wording",
        "decided_at",
        "decision_seq",
        "erased_at",
    }
    assert "household" not in str(rows)
    assert "501室" not in str(rows)


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


# --- paper that is typed in after the term ------------------------------------------------------

PAPER = Party("household", "household:5", via="paper")


def test_an_objection_on_paper_of_within_the_term_is_one_though_typed_in_after_it(shortlist):
    object_to(shortlist, household(1))  # undecided: the notice stays open
    last = open_run(shortlist).ends_on
    dated = dt.datetime.combine(last, dt.time(12), clock.SHANGHAI)
    payload = {"ground": "fact", "text": "打分表与公布的不一致。"}

    def paper(happened_at, who=PAPER):
        return acts.perform(
            shortlist, "stand", "objection.raised", who, payload, happened_at=happened_at
        )

    with clock.at(dated + dt.timedelta(days=1)):
        sweep.sweep()
        for who, moment in (
            (PAPER, dated + dt.timedelta(hours=20)),  # the day after the last
            (PAPER, None),
            (household(5), dated),
        ):
            with pytest.raises(acts.Refused) as refused:
                paper(moment, who)
            assert refused.value.code == "late"
        done = paper(dated)
    assert isinstance(done.fact, Objection)
    assert done.record.body["entered_late"] is True
    assert done.record.content["happened_at"].startswith(last.isoformat())
    assert open_run(shortlist).step.undecided(open_run(shortlist)).count() == 2


# --- suspension ---------------------------------------------------------------------------------


def halt(case, act):
    return acts.perform(case, "case", f"case.{act}", OFFICE, {"reason": "汛期"})


def test_the_time_to_decide_an_objection_stands_still_with_the_case(design):
    """Five working days from Monday 14 September; suspended from Wednesday to Wednesday."""
    object_to(design, household(1))
    assert Objection.objects.get().due_on == dt.date(2026, 9, 20)  # a Sunday that is worked
    with day(16):
        halt(design, "suspended")
    with day(23):
        said = halt(design, "resumed").record.body["terms"]
    objection = Objection.objects.get()
    # Tuesday had passed: four working days are left, counted after the 23rd; the 25th to the 27th
    # are Mid-Autumn.
    assert objection.due_on == dt.date(2026, 9, 30)
    assert (said[0]["step"], said[0]["objections"]) == ("stand", 1)
    assert said[0]["due_on"] == objection.due_on.isoformat()
    with day(28):
        halt(design, "suspended")
    with day(20, month=10):
        halt(design, "resumed")
    assert Objection.objects.get().due_on == dt.date(2026, 10, 23)  # three were left


def test_what_was_overdue_before_the_suspension_stays_so(shortlist):
    object_to(shortlist, household(1))
    before = Objection.objects.get().due_on
    term = open_run(shortlist).ends_on
    with clock.at(dt.datetime.combine(before, dt.time(9), clock.SHANGHAI) + dt.timedelta(days=3)):
        halt(shortlist, "suspended")
    with day(20, month=10):
        assert halt(shortlist, "resumed").record.body["terms"] == []
    assert (Objection.objects.get().due_on, open_run(shortlist).ends_on) == (before, term)


def test_an_objection_raised_late_in_the_term_moves_although_the_term_is_over(shortlist):
    last = open_run(shortlist).ends_on
    with clock.at(dt.datetime.combine(last, dt.time(9), clock.SHANGHAI)):
        object_to(shortlist, household(1))
    due = Objection.objects.get().due_on
    with clock.at(dt.datetime.combine(last, dt.time(9), clock.SHANGHAI) + dt.timedelta(days=1)):
        sweep.sweep()
        halt(shortlist, "suspended")
    with day(20, month=10):
        (said,) = halt(shortlist, "resumed").record.body["terms"]
    assert Objection.objects.get().due_on > due
    assert open_run(shortlist).ends_on == last
    assert "ends_on" not in said
