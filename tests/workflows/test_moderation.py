"""A moderator masks more: an act with a reason, and the newer wording everywhere."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from sanwen import disclosure
from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import COMMITTEE, OFFICE, Needs, household
from workflows import acts, calendars, clock, records
from workflows.models import Case, Community, Disclosure, Opinion, Reply
from workflows.parties import Member, Party
from workflows.records import words
from workflows.records.erasure import erased
from workflows.steps.opinion import wording

NOW = dt.datetime(2026, 9, 14, 12, tzinfo=clock.SHANGHAI)
MODERATOR = Party("moderator", "person:7", None)
WORDING = "门口修鞋的那位摊主占道"
REASON = "已与摊主商定移到西侧。"


@pytest.fixture(autouse=True)
def _fresh(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    calendars.seed()
    SandboxDirectory.reset()
    SandboxDirectory.groups["households"] = [Member("household:1", "1号楼1单元101室", "1号楼")]
    with clock.at(NOW):
        yield


@pytest.fixture
def case():
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Needs, estate, OFFICE, title="问需")
    acts.perform(case, "ask", "opinion.submitted", household(1), {"text": "门口修鞋的老示范占道"})
    return case


@pytest.fixture
def answered(case):
    acts.perform(
        case,
        "ask",
        "opinion.replied",
        COMMITTEE,
        {
            "opinions": [Opinion.objects.get().pk],
            "outcome": "adopted",
            "public_text": WORDING,
            "reason": REASON,
        },
    )
    return case.records.get(act="opinion.replied")


@pytest.fixture
def moderator(client, django_user_model, monkeypatch):
    user = django_user_model.objects.create(username="moderator")
    monkeypatch.setattr(
        SandboxDirectory,
        "parties_of",
        lambda self, who, community, at: (
            [Party("moderator", f"person:{who.pk}", who.pk)] if who.username == "moderator" else []
        ),
    )
    client.force_login(user)
    return client


def mask(record, selected="修鞋的那位摊主", *, name="public_text", party=MODERATOR, **more):
    row = record.disclosures.get(name=name)
    payload = {
        "disclosure": row.pk,
        "leaf": 0,
        "selected": selected,
        "reason": "指向具体个人。",
        **more,
    }
    return acts.perform(record.case, "case", "words.masked", party, payload)


def fresh(record):
    return type(record).objects.get(pk=record.pk)


def test_the_newer_wording_stands_everywhere_and_the_record_still_checks(answered, client):
    case = answered.case
    canonical = answered.canonical
    done = mask(answered)
    now = "门口***占道"
    assert done.record.body == {"records": [answered.seq], "now": now, "reason": "指向具体个人。"}
    assert done.record.content["corrects"] == answered.seq
    assert fresh(answered).canonical == canonical
    assert fresh(answered).body["public_text"] == now
    assert fresh(answered).body["reason"] == REASON
    assert Reply.objects.get().public_text == now
    assert records.first_fault(Case.objects.get(pk=case.pk)) is None
    run = case.runs.get(name="ask")
    base = f"/cases/{case.number}"
    for address in (
        f"{base}/steps/{run.pk}/",
        f"{base}/records/{answered.seq}/",
        f"{base}/records/",
        f"{base}/records.jsonl",
        f"{base}/disclosures.jsonl",
        f"{base}/records.csv",
        f"{base}/book/{run.pk}/",
        f"{base}/book/{run.pk}/book.csv",
    ):
        answer = client.get(address)
        assert answer.status_code == 200, address
        text = b"".join(answer) if answer.streaming else answer.content
        assert "修鞋" not in text.decode(), address
    assert now in client.get(f"{base}/steps/{run.pk}/").content.decode()
    page = client.get(f"{base}/records/{answered.seq}/").content.decode()
    assert now in page
    assert f"/records/{done.record.seq}/" in page


def test_a_reader_of_the_download_alone_comes_to_the_same_wording(answered, client):
    mask(answered)
    case = answered.case
    lines = client.get(f"/cases/{case.number}/disclosures.jsonl").getvalue().splitlines()
    published: dict[int, list[str]] = {}
    for line in map(json.loads, lines):
        published.setdefault(line["seq"], []).append(line["disclosure"])
    contents = {r.seq: r.content for r in case.records.all()}
    assert disclosure.withdrawn(contents[answered.seq], published[answered.seq]) == 1
    later = [
        disclosure.opened(content, published.get(seq, []))
        for seq, content in contents.items()
        if content["act"] == "words.masked"
    ]
    assert [(body["records"], body["now"]) for body in later] == [([answered.seq], "门口***占道")]


def test_the_same_text_can_be_masked_again_and_withdrawn_as_a_whole(answered):
    mask(answered)
    mask(answered, "占道")
    assert fresh(answered).body["public_text"] == "门口******"
    done = mask(answered, "", whole="on")
    assert done.record.body["whole"] is True
    assert "public_text" not in fresh(answered).body
    assert Reply.objects.get().public_text == ""
    # The wordings that earlier acts of masking published are no longer public either.
    assert not Disclosure.objects.filter(public=True, record__act="words.masked").exclude(
        name="reason"
    )
    assert records.first_fault(Case.objects.get(pk=answered.case_id)) is None


def test_nothing_but_stars_can_be_put_in(answered):
    for wrong in ("没有的词句", "", "   "):
        with pytest.raises(acts.Refused) as refused:
            mask(answered, wrong)
        assert "selected" in refused.value.errors
    assert fresh(answered).body["public_text"] == WORDING


def test_the_reason_does_not_repeat_what_is_masked(answered):
    with pytest.raises(acts.Refused) as refused:
        mask(answered, reason="修鞋的那位摊主不愿公开")
    assert "reason" in refused.value.errors


@pytest.mark.parametrize("party", [OFFICE, COMMITTEE, household(1)])
def test_only_a_moderator_masks(answered, party):
    with pytest.raises(acts.Refused) as refused:
        mask(answered, party=party)
    assert refused.value.code == "wrong_party"


def test_a_text_of_another_case_cannot_be_reached(answered, case):
    other = acts.open_case(Needs, case.community, OFFICE, title="另一件")
    row = answered.disclosures.get(name="public_text")
    payload = {"disclosure": row.pk, "leaf": 0, "selected": "占道", "reason": "指向具体个人。"}
    with pytest.raises(acts.Refused):
        acts.perform(other, "case", "words.masked", MODERATOR, payload)
    payload["leaf"] = 5
    with pytest.raises(acts.Refused):
        acts.perform(case, "case", "words.masked", MODERATOR, payload)


def test_a_title_is_masked_on_every_page(case, client):
    opened = case.records.get(seq=0)
    mask(opened, "需", name="title")
    assert Case.objects.get(pk=case.pk).title == "问***"
    assert "问***" in client.get(f"/cases/{case.number}/").content.decode()


def test_a_text_that_waits_is_answered_with_the_moderators_wording(case):
    opinion = Opinion.objects.get()
    payload = {
        "kind": "opinion",
        "row": opinion.pk,
        "selected": "修鞋的老示范",
        "reason": "指向具体个人。",
    }
    done = acts.perform(case, "case", "wording.proposed", MODERATOR, payload)
    assert done.record.body == {"opinion": opinion.record.seq, "reason": "指向具体个人。"}
    opinion = Opinion.objects.get()
    assert wording([opinion]) == "门口***占道"
    assert opinion.text == "门口修鞋的老示范占道"


def test_listeners_hear_that_words_have_changed(answered, django_capture_on_commit_callbacks):
    heard = []
    listen = lambda sender, case_ids, **_more: heard.append(case_ids)  # noqa: E731
    erased.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            mask(answered)
    finally:
        erased.disconnect(listen)
    assert heard == [[answered.case_id]]


# --- the pages


def test_the_page_lists_what_waits_and_what_is_public(answered, moderator):
    acts.perform(
        answered.case, "ask", "opinion.submitted", household(1), {"text": "还在等答复的意见"}
    )
    page = moderator.get("/moderation/").content.decode()
    assert WORDING in page
    assert "还在等答复的意见" in page


def test_a_moderator_ticks_what_is_suggested_and_writes_the_rest(answered, moderator):
    SandboxDirectory.people = ["占道"]
    row = answered.disclosures.get(name="public_text")
    address = f"/moderation/public/{row.pk}/0/"
    assert 'name="pick"' in moderator.get(address).content.decode()
    answer = moderator.post(
        address, {"pick": ["占道"], "selected": "修鞋", "reason": "指向具体个人。"}
    )
    assert answer.status_code == 302
    assert fresh(answered).body["public_text"] == "门口***的那位摊主占*"


def test_the_page_says_what_is_wrong_and_keeps_what_was_written(answered, moderator):
    row = answered.disclosures.get(name="public_text")
    answer = moderator.post(f"/moderation/public/{row.pk}/0/", {"reason": "指向具体个人。"})
    assert answer.status_code == 422
    assert "请写明要遮盖的词句" in answer.content.decode()
    assert "指向具体个人。" in answer.content.decode()


def test_nobody_else_sees_the_pages(answered, client, django_user_model, moderator):
    row = answered.disclosures.get(name="public_text")
    client.force_login(django_user_model.objects.create(username="other"))
    for address in ("/moderation/", f"/moderation/public/{row.pk}/0/"):
        assert client.get(address).status_code == 403
    client.logout()
    assert client.get("/moderation/").status_code == 302


def test_every_kind_of_fact_with_words_is_reached():
    reached = {place.model.__name__ for place in words.places()}
    assert reached >= {
        "Reply",
        "Signature",
        "Recusal",
        "Candidate",
        "LedgerEntry",
        "LedgerMove",
        "MeetingSession",
        "BallotQuestion",
        "StepRun",
    }
    for place in words.places():
        private = set(getattr(place.model, "personal", ()))
        assert not private.intersection((*place.texts, *place.trees))
