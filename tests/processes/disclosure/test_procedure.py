"""An application on its way: who may do what, which terms run, what the public learns."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess

import pytest

from processes.disclosure.models import Decision, OpenItem, Remedy
from processes.disclosure.replies import CheckForm
from processes.disclosure.story import WISH, paper
from workflows import acts, records
from workflows.models import Attachment, Case, Record
from workflows.parties import Party
from workflows.portal import words

from .conftest import ends, last

NAME = "王示范"


def text_of(file):
    """The text of a letter, without the breaks of its lines."""
    command = ["pdftotext", "-raw", "-", "-"]
    done = subprocess.run(command, input=file.file.read(), capture_output=True, check=True)
    return "".join(done.stdout.decode().split())


# --- the whole way


def test_an_application_is_answered(told):
    story = told().receive().clear().handle().decide().check().deliver()
    story.case.refresh_from_db()
    assert (story.case.outcome, story.case.title) == ("answered", "政府信息公开申请")
    said = last(story).body
    assert (said["decision"], said["number"]) == ("granted", "示范街道依申请〔2026〕1号")
    assert records.first_fault(story.case) is None


def test_numbers_of_replies_run_on(told):
    told().receive().clear().handle().decide().check().deliver()
    told().receive().clear().handle().decide("not_exist").check().deliver()
    numbers = list(Decision.objects.values_list("number", flat=True))
    assert numbers == ["示范街道依申请〔2026〕1号", "示范街道依申请〔2026〕2号"]


def test_no_public_word_says_who_asked_for_what(told, client):
    story = told().receive().unclear().correct().handle("consult")
    letter = story.send_letter()
    story.answer(letter).consulted().handle().decide("partial", "third_party").check().deliver()
    secrets = (NAME, WISH, "13800000000", "示范建设公司", "合同单价", "请写明工程", "见附件")
    for record in story.case.records.all():
        assert record.canonical.isascii()
        shown = json.dumps(record.body, ensure_ascii=False)
        assert not any(secret in shown for secret in secrets), record
    base = story.case.get_absolute_url()
    paths = [base, f"{base}records/", f"{base}records.jsonl", f"{base}disclosures.jsonl"]
    paths += [f"{base}steps/{run.pk}/" for run in story.case.runs.all() if run.name != "opening"]
    paths += [f"{base}records/{n}/" for n in range(story.case.records.count())]
    for path in paths:
        response = client.get(path)
        if response.status_code == 404:  # a node between steps
            continue
        text = response.getvalue().decode()
        assert not any(secret in text for secret in secrets), path


def test_records_are_in_words(told):
    story = told().receive().unclear().correct().handle("extend")
    story.do("extend", {"chosen": "approved", "days": 5, "reason": "much"}, role="office_head")
    story.do("notify", {"on": "2026-03-02", "way": "web"})
    story.handle("consult")
    story.answer(story.send_letter()).consulted().handle()
    story.decide("refused", "third_party").check().deliver()
    remedy = {"kind": "suit", "result": "kept", "on": "2026-03-02"}
    story.act("case", "remedy.entered", remedy)
    bare = {
        (record.act, str(label), value)
        for record in Record.objects.select_related("case").prefetch_related("disclosures")
        for label, value in words.body_lines(record.case, record)
        if str(label).isascii()
        or (isinstance(value, str) and value.isidentifier() and value.isascii())
    }
    assert bare == set()


# --- who may


def test_only_the_applicant_acts_as_one(told, street):
    story = told().receive().unclear()
    stranger = street.people["stranger"].pk
    party = Party("applicant", f"person:{stranger}", stranger, everyone=True)
    with pytest.raises(acts.Refused) as refused:
        acts.perform(story.case.pk, "complete", "task.done", party, {"description": "x"})
    assert refused.value.code == "wrong_party"
    story.correct()


def test_an_officer_who_typed_it_in_is_not_its_applicant(told, street):
    story = told(channel="in_person").receive().unclear()
    officer = street.people["office"].pk
    party = Party("applicant", f"person:{officer}", officer, everyone=True)
    with pytest.raises(acts.Refused):
        acts.perform(story.case.pk, "complete", "task.done", party, {"description": "x"})
    story.do("complete", {"description": WISH, "handed_in": "2026-03-02"})
    assert story.run("handle")


def test_a_second_person_checks(told, street):
    from processes.community.models import Role

    story = told().receive().clear().handle().decide()
    officer = street.people["office"]
    role = {"community": street.community, "role": "checker", "since": dt.date(2020, 1, 1)}
    Role.objects.create(person=officer, **role)
    party = Party("checker", f"person:{officer.pk}", officer.pk)
    sent = {"chosen": "approved", "checks": list(CheckForm.CHECKS)}
    with pytest.raises(acts.Refused) as refused:
        acts.perform(story.case.pk, "check", "task.done", party, sent)
    assert refused.value.code == "wrong_party"
    path = f"{story.case.get_absolute_url()}do/check/task.done/"
    assert path not in street.client("office").get("/inbox/").content.decode()
    assert path in street.client("checker").get("/inbox/").content.decode()
    story.check()


def test_every_point_must_hold_and_a_return_goes_back_to_the_draft(told):
    story = told().receive().clear().handle().decide()
    with pytest.raises(acts.Refused):
        story.do("check", {"chosen": "approved", "checks": ["applicant"]}, role="checker")
    with pytest.raises(acts.Refused):
        story.do("check", {"chosen": "returned"}, role="checker")
    story.do("check", {"chosen": "returned", "note": "请补充理由。"}, role="checker")
    story.decide("not_ours").check().deliver()
    assert last(story).body["decision"] == "not_ours"


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("applicant", True),
        ("office", True),
        ("office_head", True),
        ("checker", True),
        ("stranger", False),
        ("auditor", False),
        ("residents_committee", False),
    ],
)
def test_who_sees_the_application(told, street, who, sees):
    story = told().receive().clear().handle()
    client = street.client(who)
    for run in ("submit", "handle"):
        path = f"{story.case.get_absolute_url()}steps/{story.case.runs.get(name=run).pk}/"
        assert (WISH in client.get(path).content.decode()) is sees
    assert (NAME in client.get(story.case.get_absolute_url()).content.decode()) is sees
    identity = Attachment.objects.get(field="identity")
    assert (client.get(identity.get_absolute_url()).status_code == 200) is sees


def test_the_applicant_reads_the_reply_when_it_is_delivered(told, street):
    story = told().receive().clear().handle().decide().check()
    client, base = street.client("applicant"), story.case.get_absolute_url()
    materials = Attachment.objects.get(field="materials")
    assert "见附件" not in client.get(base).content.decode()
    assert client.get(materials.get_absolute_url()).status_code == 404
    story.deliver()
    assert "见附件" in client.get(base).content.decode()
    assert client.get(materials.get_absolute_url()).status_code == 200


@pytest.mark.parametrize("outcome", ["granted", "partial"])
def test_what_is_given_here_is_given_with_the_draft_or_the_draft_says_how_else(
    told, street, outcome
):
    story = told().receive().clear().handle()
    said = {"outcome_code": outcome, "ground": "internal" if outcome == "partial" else ""}
    said |= {"topic": "施工合同", "text": "现予提供，见附件。"}
    with pytest.raises(acts.Refused, match="请附上提供给申请人的信息"):
        story.do("decide", said)
    page = f"{story.case.get_absolute_url()}do/decide/task.done/"
    shown = street.client("office").get(page).content.decode()
    assert "提供给申请人的信息</label>" in shown  # no 选填 beside what some answers need
    assert "公共利益的理由（写入答复书和给第三方的告知书）</label>" in shown
    story.do("decide", {**said, "text": "请于工作日到本机关查阅。", "otherwise": "on"})
    assert Decision.objects.get(case=story.case).outcome == outcome


def test_a_superseded_draft_is_not_for_the_applicant(told, street):
    story = told().receive().clear().handle().decide()
    first = Attachment.objects.get(field="materials")
    story.do("check", {"chosen": "returned", "note": "材料有误。"}, role="checker")
    story.decide().check().deliver()
    client = street.client("applicant")
    assert client.get(first.get_absolute_url()).status_code == 404
    final = Attachment.objects.filter(field="materials").latest("pk")
    assert client.get(final.get_absolute_url()).status_code == 200


def test_letters_from_third_parties_are_not_for_the_applicant(told, street):
    story = told().receive().clear().handle("consult")
    letter = story.send_letter()
    sent = {"entry": letter.pk, "to": "objected", "on": "2026-03-02", "text": "不同意。"}
    story.act("consult", "entry.moved", sent, {"papers": paper("opinion")})
    opinion = Attachment.objects.get(field="papers")
    assert street.client("applicant").get(opinion.get_absolute_url()).status_code == 404
    assert street.client("office").get(opinion.get_absolute_url()).status_code == 200


# --- outcomes


def test_a_third_party_that_objects_is_heard(told):
    story = told().receive().clear().handle("consult")
    story.answer(story.send_letter()).consulted().handle()
    with pytest.raises(acts.Refused):
        story.decide("granted")
    with pytest.raises(acts.Refused):
        story.decide("granted", overriding="on")  # and why
    why = "涉及公共安全的工程质量，公众有权知道。"
    story.decide("granted", overriding="on", interest=why).check().deliver()
    assert "basis" not in last(story).body
    assert why not in json.dumps(last(story).body, ensure_ascii=False)
    # Article 32: in writing, and why.
    told_them = Attachment.objects.get(label__startswith="决定公开告知书")
    assert told_them.record == last(story)
    text = text_of(told_them)
    assert "示范建设公司：" in text
    assert why in text
    assert NAME not in text


def test_much_that_is_asked_with_good_reason_is_answered_later(told):
    story = told().receive().clear().handle("postpone")
    before = ends(story, "postpone")
    assert before == "2026-03-30"
    with pytest.raises(acts.Refused):
        story.do("postpone", {"days": 61, "reason": "研究需要。"})
    story.do("postpone", {"days": 30, "reason": "研究需要，理由合理。"})
    assert ends(story, "handle") == "2026-05-14"  # Qingming and May Day between
    assert last(story).body["days"] == 30
    text = text_of(Attachment.objects.get(label="延迟答复告知书"))
    assert "第三十五条" in text
    assert "2026年5月14日" in text
    with pytest.raises(acts.Refused):
        story.handle("postpone")  # once
    story.handle("extend")
    story.do("extend", {"chosen": "approved", "days": 5, "reason": "much"}, role="office_head")
    story.do("notify", {"on": "2026-03-02", "way": "web"})
    assert ends(story, "handle") == "2026-05-21"


def test_nothing_is_put_off_once_the_term_is_over(told):
    story = told().receive().clear().handle("postpone").on("2026-04-01")
    with pytest.raises(acts.Refused):
        story.do("postpone", {"days": 5, "reason": "研究需要。"})


def test_who_is_consulted_is_asked_by_letter(told, street):
    story = told().receive().clear().handle("consult")
    story.send_letter()
    sent = Attachment.objects.get(label="征求意见书")
    text = text_of(sent)
    for said in ("示范建设公司：", "第三十二条", "15个工作日", "是否同意公开施工合同", "意见回执"):
        assert said in text
    assert NAME not in text
    assert WISH not in text
    assert street.client("office").get(sent.get_absolute_url()).status_code == 200
    assert street.client("applicant").get(sent.get_absolute_url()).status_code != 200
    assert str(sent.uid) not in street.client("applicant").get(story.case.get_absolute_url()).text


def test_another_organ_that_is_silent_has_agreed(told):
    story = told().receive().clear().handle("consult")
    story.send_letter("示范区住房和城乡建设局", kind="organ_letter")
    assert "第三十四条" in text_of(Attachment.objects.get(label="征求意见书"))
    story.on("2026-03-24")
    said = dict(words.body_lines(story.case, last(story, "term.ended")))
    assert "视为同意公开" in str(said)
    story.consulted().handle().decide().check().deliver()


def test_another_organs_objection_is_no_third_partys(told):
    story = told().receive().clear().handle("consult")
    letter = story.send_letter("示范区住房和城乡建设局", kind="organ_letter")
    story.answer(letter).consulted().handle()
    with pytest.raises(acts.Refused):
        story.decide("refused", "third_party")
    story.decide("granted").check().deliver()


def test_the_letter_stands_in_the_record_with_its_hash(told):
    story = told().receive().clear().handle().decide("refused", "internal").check().deliver()
    letter = Attachment.objects.get(label="答复书")
    content = letter.file.read()
    assert content.startswith(b"%PDF")
    assert not letter.public
    named = last(story).content["files"]
    assert [file["sha256"] for file in named] == [hashlib.sha256(content).hexdigest()]


def test_withdrawn_ends_the_case(told):
    story = told().receive().clear().handle("withdrawn")
    story.case.refresh_from_db()
    assert story.case.outcome == "withdrawn"


def test_wanted_by_two_is_considered_for_the_open_list(told, street):
    told().receive().clear().handle().decide().check().deliver()
    again = told().receive().clear().handle().decide().check().deliver()
    again.case.refresh_from_db()
    assert again.case.outcome == "answered"  # the same applicant twice is one
    other = told(channel="in_person", name="李示范")
    other.do("receive", {})
    other.clear().handle().decide().check().deliver()
    sent = {"chosen": "listed", "reason": "多人申请，且可以公开。", "name": "示范路工程中标通知书"}
    with pytest.raises(acts.Refused):
        other.do("open_list", {**sent, "name": ""})
    other.do("open_list", sent)
    assert OpenItem.objects.get().title == "示范路工程中标通知书"


def test_a_suggestion_alone_is_considered_too_but_not_what_is_not_opened(told):
    story = told(suggests="on").receive().clear().handle().decide().check().deliver()
    sent = {"chosen": "not_listed", "reason": "只涉及申请人自己。"}
    story.do("open_list", sent)
    assert not OpenItem.objects.exists()
    refused = told(suggests="on").receive().clear().handle()
    refused.decide("refused", "internal").check().deliver()
    refused.case.refresh_from_db()
    assert refused.case.outcome == "answered"


def test_remedies_are_entered_after_the_case_and_brought_up_to_date(told, street):
    story = told().receive().clear()
    early = {"kind": "reconsideration", "result": "pending", "on": "2026-03-02"}
    page = street.client("office").get(story.case.get_absolute_url()).content.decode()
    assert "remedy.entered" not in page
    story.handle().decide("refused", "internal").check().deliver()
    page = street.client("office").get(story.case.get_absolute_url()).content.decode()
    assert "remedy.entered" in page
    story.act("case", "remedy.entered", early)
    story.act("case", "remedy.entered", {**early, "result": "corrected"})
    assert Remedy.objects.get().result == "corrected"
    assert Case.objects.get().records.filter(act="remedy.entered").count() == 2
