"""Erasing a resident: nothing of the person is left anywhere, and every check still holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.db import connection
from django.test import Client

from processes.community.erasure import ERASED_NAME, eraser, subject_of
from processes.community.models import HouseholdMember, Owner, Person
from tests.sandbox.opinion_procedures import Needs
from workflows import acts, clock, erasing, jobs, records
from workflows.models import (
    Alias,
    Attachment,
    BallotPaper,
    Case,
    Job,
    Opinion,
    Record,
    Reply,
    RollRow,
    Trace,
)
from workflows.parties import Party
from workflows.records.erasure import erased
from workflows.records.trail import keep
from workflows.steps.opinion import feedback_book

from .erasure_cases import MASKED, NAME, PHONE, ROOM, TEXT, dump, forms_of, on_disk
from .erasure_cases import place as place

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_person_is_gone_from_database_files_and_caches_and_every_check_holds(place):
    case, vote = place.consultation(), place.ballot()
    place.confirm(vote)
    place.moved_out()
    tally = Case.objects.get(pk=vote.pk).records.get(act="result.confirmed").body["tallies"]
    picture = Attachment.objects.order_by("pk")[0]
    content = picture.file.open("rb").read()
    keep.note(case, "newest-zh-hans.pdf", f"{TEXT} {MASKED}")  # a trail as it would be kept
    before = dump()
    secrets = [NAME, PHONE, TEXT, MASKED, ROOM, "wanglaoshi"]
    for secret in secrets:
        assert any(form in before for form in forms_of(secret)), secret
    assert content in on_disk(Path(project.MEDIA_ROOT))

    report = place.erase(close=True, former=NAME, community=place.community)

    assert report.cases == [case.number, vote.number]
    after = dump()
    for secret in secrets:
        for form in forms_of(secret):
            assert form not in after, (secret, form)
            assert form not in on_disk(Path(project.MEDIA_ROOT), project.HOME / "cache")
    assert content not in on_disk(Path(project.MEDIA_ROOT))
    assert Attachment.objects.get(pk=picture.pk).sha256 == picture.sha256

    for each in Case.objects.all():
        assert records.first_fault(each) is None
        assert each.records.filter(act="erasure.done").count() == 1
    assert "邻居的意见留着" in Opinion.objects.order_by("pk")[1].text
    confirmed = Case.objects.get(pk=vote.pk).records.get(act="result.confirmed")
    assert confirmed.body["tallies"] == tally
    assert BallotPaper.objects.filter(standing=True).count() == 4
    assert RollRow.objects.filter(label="").count() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps no samples of values")
def test_postgresql_keeps_neither_old_rows_nor_samples_of_what_is_gone(place):
    """The job that an erasure leaves: VACUUM removes the old rows, ANALYZE takes new samples."""

    def sampled() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stats WHERE schemaname = 'public' AND "
                "concat(most_common_vals::text, histogram_bounds::text) LIKE %s",
                [f"%{NAME}%"],
            )
            return bool(cursor.fetchone()[0])

    place.consultation()
    place.moved_out()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert sampled()
    place.erase(close=True, former=NAME, community=place.community)
    assert list(Job.objects.filter(kind="scrub").values_list("state", flat=True)) == ["queued"]
    assert jobs.run_waiting({"scrub"}) == 1
    assert not sampled()
    assert Job.objects.get(kind="scrub").state == "done"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_user_tables WHERE last_vacuum IS NULL "
            "AND schemaname = 'public'"
        )
        assert cursor.fetchone() == (0,)


def test_the_feedback_book_still_lists_the_opinion_as_erased(place):
    case = place.consultation()
    run = case.runs.get(name="ask")
    place.erase()
    mine, other = feedback_book(run)
    assert (mine["wording"], mine["outcome"], other["wording"]) == ("", "adopted", "邻居的公开说法")
    assert mine["reason"] == "已列入本次改造的工程。"
    client = Client()
    page = client.get(f"/cases/{case.number}/steps/{run.pk}/").content.decode()
    assert "原文已依法删除" in page
    assert MASKED not in page
    reply = case.records.filter(act="opinion.replied").first()
    shown = client.get(f"/cases/{case.number}/records/{reply.seq}/").content.decode()
    assert MASKED not in shown
    assert "记录仍可核验" in shown
    assert client.get(f"/files/{Attachment.objects.order_by('pk')[0].uid}/").status_code == 404
    assert MASKED not in client.get(f"/cases/{case.number}/disclosures.jsonl").getvalue().decode()


def test_the_record_of_an_erasure_says_how_much_and_never_whose(place):
    case = place.consultation()
    place.erase()
    record = case.records.get(act="erasure.done")
    assert record.body["reason"] == "request"
    assert record.body["erased"]["opinion"] == 1
    assert record.body["erased"]["files"] == 1
    assert record.canonical.isascii()
    assert not record.disclosures.exists()
    own = Record.objects.filter(case=case, act="opinion.submitted").first()
    assert Trace.objects.get(record=own).user_id is None
    assert Trace.objects.get(record=own).party_key.startswith("erased:")
    assert not Alias.objects.filter(party_key=f"household:{place.units[0].pk}").exists()


def test_what_an_open_ballot_needs_stays_until_it_is_over(place):
    vote = place.ballot()
    report = place.erase()
    assert report.kept["ballotpaper"] == 1
    key = f"household:{place.units[0].pk}"
    assert BallotPaper.objects.filter(party_key=key).count() == 1
    with pytest.raises(acts.Refused):  # and nobody votes twice
        acts.perform(vote, "ballot", "vote.cast", place.owner(0), {"q1": "against"})
    place.confirm(vote)
    assert not place.erase().kept
    assert not BallotPaper.objects.filter(party_key=key).exists()


def test_an_opinion_not_yet_answered_needs_no_answer_any_more(place):
    case = acts.open_case(Needs, place.community, place.staff("office"), title="问需")
    acts.perform(case, "ask", "opinion.submitted", place.owner(0, "household"), {"text": TEXT})
    place.erase()
    opinion = Opinion.objects.get()
    assert (opinion.text, opinion.life) == ("", "withdrawn")
    assert opinion.erased_at == clock.now()


def test_a_wording_that_answers_others_as_well_stays(place):
    case = place.consultation()
    shared = Reply.objects.get(public_text="邻居的公开说法")
    Opinion.objects.update(reply=shared)
    place.erase()
    assert Reply.objects.get(pk=shared.pk).public_text == "邻居的公开说法"
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None


def test_a_name_that_slipped_into_public_words_is_masked_everywhere(place):
    case = place.consultation()
    slipped = f"{NAME}一户已经修好"
    Reply.objects.filter(public_text="邻居的公开说法").update(reason=slipped)
    held = Case.objects.get(pk=case.pk)
    latest = records.append(
        held, act="record.corrected", at=clock.now(), party=Party.clock(), body={"text": slipped}
    )
    records.flush(held)
    place.moved_out()
    place.erase(close=True, former=NAME, community=place.community)
    assert case.records.get(pk=latest.pk).body["text"] == "欧阳**一户已经修好"
    assert Reply.objects.get(public_text="邻居的公开说法").reason == "欧阳**一户已经修好"
    assert NAME.encode() not in dump()
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None


def test_a_room_that_officers_noted_in_private_goes(place):
    case = acts.open_case(Needs, place.community, place.staff("office"), title="问需")
    chair = place.staff("residents_committee")
    visited, other = (
        acts.perform(
            case,
            "ask",
            "household.visited",
            chair,
            {"household": unit.label, "result": "not_met", "on": "2026-06-01"},
        ).record
        for unit in place.units[:2]
    )
    assert visited.disclosures.filter(name="household", public=False).exists()
    place.moved_out()
    place.erase(close=True, former=NAME, community=place.community)
    assert not visited.disclosures.exists()
    assert other.disclosures.filter(name="household").exists()
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None


def test_a_case_that_only_mentions_such_a_word_gets_no_record(place):
    case = acts.open_case(Needs, place.community, place.staff("office"), title=f"{NAME[:2]}巷问需")
    acts.perform(
        case, "ask", "opinion.submitted", place.owner(1, "household"), {"text": f"{NAME}的车"}
    )
    report = place.erase()
    assert (report.cases, dict(report.kept)) == ([], {"householdreturn": 1})
    assert not Record.objects.filter(act="erasure.done").exists()
    assert Opinion.objects.get().text == f"{NAME}的车"  # what others wrote is theirs


def test_a_preview_changes_nothing_and_says_what_would_be_erased(place):
    place.consultation()
    before = (Record.objects.count(), Opinion.objects.get(text=TEXT).pk)
    subject = subject_of(place.person, place.units[0])
    seen = erasing.preview(subject, "request", lambda case: eraser(place.office, case))
    assert (Record.objects.count(), Opinion.objects.get(text=TEXT).pk) == before
    assert Attachment.objects.exclude(file="").count() == 2
    done = place.erase()
    assert (seen.gone, seen.cases) == (done.gone, done.cases)


def test_others_hear_of_it_within_and_after_the_transaction(place):
    case = place.consultation()
    heard: list[Any] = []

    def within(sender, *, subject, at, **_more):
        heard.append(("within", subject.users))
        return {"deliveries": 3}

    def after(sender, *, case_ids, **_more):
        heard.append(("after", case_ids))

    from workflows.records.erasure import erasing as signal

    signal.connect(within)
    erased.connect(after)
    try:
        report = place.erase()
    finally:
        signal.disconnect(within)
        erased.disconnect(after)
    assert heard == [("within", frozenset({place.person.pk})), ("after", [case.pk])]
    assert report.gone["deliveries"] == 3


def test_an_officer_who_leaves_takes_no_words_of_the_office(place):
    case = place.consultation()
    subject = subject_of(place.committee)
    erasing.carry_out(subject, "request", lambda each: eraser(place.office, each))
    assert Reply.objects.filter(reason="已列入本次改造的工程。").count() == 2
    reply = case.records.filter(act="opinion.replied").first()
    assert reply.body["public_text"] == MASKED
    assert Trace.objects.get(record=reply).user_id is None
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None
    assert Opinion.objects.get(text=TEXT)


def test_a_closed_account_signs_in_no_more(place):
    client = Client()
    client.force_login(place.person)
    assert client.get("/my/").status_code == 200
    report = place.erase(close=True)
    assert (report.gone["accounts"], report.gone["sessions"]) == (1, 1)
    assert client.get("/my/").status_code == 302
    gone = Person.objects.get(pk=place.person.pk)
    assert (gone.display_name, gone.is_active, gone.has_usable_password()) == ("", False, False)
    assert not HouseholdMember.objects.filter(person=gone).exists()


def test_who_still_owns_stays_on_the_roll(place):
    place.erase(former=NAME, community=place.community)
    assert Owner.objects.filter(name=NAME).exists()
    place.moved_out()
    place.erase(former=NAME, community=place.community)
    assert not Owner.objects.filter(name=NAME).exists()
    assert Owner.objects.filter(name=ERASED_NAME).count() == 1


# --- page and command
