"""What those who handle a renovation see and may do: seats, inbox, lists to work through."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from processes.renovation.cast import paper
from tests import factories
from workflows import acts, clock
from workflows.models import Case, HouseholdReturn, LedgerEntry, Opinion
from workflows.parties import directory

APPROVE = {
    "decision": "approve",
    "score_faults": 25,
    "score_will": 25,
    "score_pledge": 14,
    "score_upkeep": 15,
}


def page(client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def test_a_reviewer_signs_for_their_own_seat_alone(place, told):
    story = told("joint_review")
    other = {**APPROVE, "seat": "finance"}
    housing = place.cast.party("reviewer", "housing")
    done = acts.perform(story.case.pk, "joint_review", "panel.signed", housing, other)
    assert done.record.body["seat"] == "housing"


def test_a_seat_that_one_does_not_hold_is_refused(place, told):
    story = told("joint_review")
    pretender = replace(place.cast.party("reviewer", "housing"), seat="finance")
    for party in (pretender, replace(pretender, seat="")):
        with pytest.raises(acts.Refused) as refused:
            acts.perform(
                story.case.pk, "joint_review", "panel.signed", party, {**APPROVE, "seat": "finance"}
            )
        assert refused.value.code == "wrong_party"


def test_who_has_signed_may_correct_and_has_nothing_waiting(place, told):
    story = told("joint_review")
    client = place.client("housing")
    do = f"/cases/{story.case.number}/do/joint_review"
    assert "联合审查" in page(client, "/inbox/")
    assert client.post(f"{do}/panel.signed/", APPROVE).status_code == 302
    assert "联合审查" not in page(client, "/inbox/")
    shown = page(client, f"/cases/{story.case.number}/")
    assert f"{do}/panel.signed/" not in shown
    assert f"{do}/panel.resigned/" in shown
    assert f"{do}/panel.signed/" in page(place.client("planning"), f"/cases/{story.case.number}/")


def test_the_inbox_says_what_waits_and_until_when(place, told):
    story = told("design_publicity")
    story.post("design_publicity")
    committee = place.client("residents_committee")
    assert "设计方案公示" not in page(committee, "/inbox/")
    acts.perform(
        story.case.pk,
        "design_publicity",
        "objection.raised",
        story.resident(1),
        {"ground": "content", "text": "车棚挡住消防登高场地。"},
    )
    due = story.run("design_publicity").step.next_due(story.run("design_publicity"))
    rows = committee.get("/inbox/").context["rows"]
    row = next(row for row in rows if "1件异议待核查" in row["note"])
    assert row["ends"] == due < story.run("design_publicity").ends_on
    clock.set_now(clock.now() + dt.timedelta(days=12))
    row = committee.get("/inbox/").context["rows"][0]
    assert (row["state"], row["ends"]) == ("overdue", due)


def test_households_to_visit_are_listed_and_found(place, told):
    story = told("ask_needs")
    committee = place.client("residents_committee")
    path = f"/cases/{story.case.number}/steps/{story.run('ask_needs').pk}/"
    first = story.households[0]
    assert committee.get(path).context["desk"]["to_visit_count"] == 8
    found = committee.get(path, {"find": first.label}).context["desk"]["to_visit"]
    assert [row["label"] for row in found] == [first.label]
    form = page(
        committee,
        f"/cases/{story.case.number}/do/ask_needs/household.visited/?household={first.key}",
    )
    assert f'value="{first.label}"' in form
    HouseholdReturn.objects.filter(party_key=first.key).update(life="refused")
    assert committee.get(path).context["desk"]["to_visit_count"] == 7
    assert first.label not in page(place.client("designer"), path)


def paying(told):
    story = told("contributions")
    story.act("contributions", "dues.set", "residents_committee", {"amount": "500.00"})
    return story


def test_a_payment_is_found_by_room_registered_and_put_right(place, told):
    story = paying(told)
    committee = place.client("residents_committee")
    number, run = story.case.number, story.run("contributions")
    path = f"/cases/{number}/steps/{run.pk}/"
    entry = LedgerEntry.objects.order_by("pk").first()
    room = entry.private["unit"]
    found = committee.get(path, {"find": room}).context["desk"]
    assert ([item["row"].pk for item in found["waiting"]], found["count"]) == ([entry.pk], 1)
    move = f"/cases/{number}/do/contributions/entry.moved/"
    assert room in page(committee, f"{move}?entry={entry.pk}&to=paid")
    paid = {"entry": entry.pk, "to": "paid", "on": clock.today().isoformat(), "receipt": "S1"}
    assert committee.post(move, paid).status_code == 302
    assert f"entry.corrected/?entry={entry.pk}" in page(committee, path)
    assert "entry.corrected" not in page(place.client("contractor"), path)

    wrong = {"entry": entry.pk, "reason": "登记到了别的户。"}
    correct = f"/cases/{number}/do/contributions/entry.corrected/"
    assert committee.post(correct, wrong).status_code == 302
    again = LedgerEntry.objects.get(subject_key=entry.subject_key, standing="stands")
    assert (again.state, again.amount, again.seq) == ("due", 50_000, None)
    assert (
        "未到账"
        in committee.post(
            f"/cases/{number}/do/contributions/ledger.closed/", {"reason": "试行结清。"}
        ).content.decode()
    )


def test_only_those_moves_are_offered_that_one_may_make(place, told):
    story = told("construction")
    story.finding(through=False)
    path = f"/cases/{story.case.number}/steps/{story.run('construction').pk}/"
    assert "to=fixed" in page(place.client("contractor"), path)
    assert "to=fixed" not in page(place.client("office"), path)
    assert "1项“待整改”" in page(place.client("contractor"), "/inbox/")
    assert "待整改" not in page(place.client("office"), "/inbox/")
    assert "安全：" in page(place.client("office"), path)


def test_papers_to_judge_say_words_not_codes(place, told):
    story = told("joint_review")
    path = f"/cases/{story.case.number}/do/joint_review/panel.signed/"
    shown = page(place.client("housing"), path)
    assert "residents_committee" not in shown
    assert "不合格情况" not in shown
    record = story.case.records.get(act="task.done", step="apply")
    assert (
        "residents_committee"
        not in page(
            place.client("auditor"), f"/cases/{story.case.number}/records/{record.seq}/"
        ).split("<pre")[0]
    )


def test_a_returned_application_shows_why_and_begins_with_what_was_written(place, told):
    story = told("joint_review")
    for seat in ("housing", "planning", "finance", "community"):
        more = {"decision": "return", "reason": "请补充渗漏点位图。"} if seat == "housing" else {}
        story.act("joint_review", "panel.signed", "reviewer", {**APPROVE, **more}, seat=seat)
    shown = page(
        place.client("residents_committee"), f"/cases/{story.case.number}/do/apply/task.done/"
    )
    assert "退回补正" in shown
    assert "请补充渗漏点位图。" in shown
    assert "屋面渗漏、管网老化、停车困难。" in shown


def test_what_failed_stands_beside_the_rectification(place, told):
    story = told("acceptance")
    story.signatures("residents")
    shown = page(place.client("contractor"), f"/cases/{story.case.number}/do/rectify/task.done/")
    assert "排水不合格，应当整改。" in shown
    assert "工程质量：地下室排水不畅，雨后积水。" in shown


def test_the_objection_that_is_right_stands_beside_the_choice(place, told):
    story = told("design_publicity")
    story.post("design_publicity")
    acts.perform(
        story.case.pk,
        "design_publicity",
        "objection.raised",
        story.resident(1),
        {"ground": "content", "text": "图上的车棚挡住了消防登高场地。"},
    )
    objection = story.run("design_publicity").objections.get()
    decided = {
        "objections": [objection.pk],
        "decision": "upheld",
        "public_text": "车棚挡住消防登高场地。",
        "reason": "经现场核实属实。",
    }
    story.act("design_publicity", "objection.decided", "residents_committee", decided)
    early = {"reason": "按异议修改后重新公示。"}
    story.act("design_publicity", "publicity.withdrawn", "residents_committee", early)
    shown = page(place.client("office"), f"/cases/{story.case.number}/do/choose_return/task.done/")
    assert "车棚挡住消防登高场地。" in shown


def test_a_warranty_is_reminded_of_before_it_ends(place, told):
    story = told("upkeep")
    committee = place.client("residents_committee")
    assert "尚未登记保修期" in page(committee, "/inbox/")
    add = f"/cases/{story.case.number}/do/upkeep/entry.added/"
    on = clock.today()
    warranty = {
        "kind": "warranty",
        "on": on.isoformat(),
        "item": "pipes",
        "months": 23,
        "text": "给排水管道免费维修。",
    }
    assert "不得少于24个月" in committee.post(add, warranty).content.decode()
    assert committee.post(add, {**warranty, "months": 24}).status_code == 302
    assert "长效管理" not in page(committee, "/inbox/")
    entry = LedgerEntry.objects.get(kind="warranty")
    last = dt.date(on.year + 2, on.month, on.day)
    assert entry.public["until"] == last.isoformat()

    story.wait_for("upkeep")
    assert clock.today() == last - dt.timedelta(days=30)
    reminder = story.case.records.latest("seq")
    assert reminder.body["entries"][0]["ends_on"] == last.isoformat()
    row = committee.get("/inbox/").context["rows"][0]
    assert (row["ends"], row["note"]) == (last, "保修：1项“保修中”")
    story.act(
        "upkeep",
        "entry.moved",
        "residents_committee",
        {"entry": entry.pk, "to": "inspected", "note": "逐栋检查，阀门完好。"},
    )
    assert "长效管理" not in page(committee, "/inbox/")
    story.wait_for("upkeep")
    assert clock.today() == last + dt.timedelta(days=1)
    assert LedgerEntry.objects.get(kind="warranty").state == "ended"
    story.act("upkeep", "ledger.closed", "residents_committee", {"reason": "保修期满。"})
    story.case.refresh_from_db()
    assert story.case.outcome == "completed"


def test_like_opinions_are_answered_at_once_and_unlike_ones_not(place, told):
    story = told("ask_needs")
    for number, item in enumerate(("roof", "roof", "roof", "lifts")):
        said = {"item": item, "stance": "want", "text": f"希望尽快办（{number}）。"}
        acts.perform(story.case.pk, "ask_needs", "opinion.submitted", story.resident(number), said)
    committee = place.client("residents_committee")
    run = story.run("ask_needs")
    reply = f"/cases/{story.case.number}/do/ask_needs/opinion.replied/"
    shown = page(committee, f"/cases/{story.case.number}/steps/{run.pk}/")
    assert "opinion.replied/?item=roof&amp;stance=want" in shown
    assert "item=lifts" not in shown
    form = committee.get(f"{reply}?item=roof&stance=want").context["form"]
    roofs = list(Opinion.objects.filter(item="roof").values_list("pk", flat=True))
    assert form.initial["opinions"] == roofs
    answer = {"outcome": "adopted", "public_text": "希望尽快办。", "reason": "已列入改造内容。"}
    mixed = {**answer, "opinions": list(Opinion.objects.values_list("pk", flat=True))}
    assert "不能用同一答复" in committee.post(reply, mixed).content.decode()
    assert committee.post(reply, {**answer, "opinions": roofs}).status_code == 302
    assert Opinion.objects.filter(life="replied").count() == 3


def test_an_estate_is_renovated_once_at_a_time(place, told):
    story = told("survey")
    office = place.client("office")
    again = {
        "community": place.estate.community.code,
        "title": "又一次",
        "joint_review__term": 10,
        "ask_needs__term": 15,
        "ask_plans__term": 7,
        "ask_results__term": 15,
    }
    response = office.post("/procedures/renovation/open/", again)
    assert story.case.number in response.content.decode()
    assert Case.objects.count() == 1
    ended = {"finished": clock.now(), "outcome": "unqualified"}
    Case.objects.filter(pk=story.case.pk).update(**ended)
    assert office.post("/procedures/renovation/open/", again).status_code == 302


def test_with_nothing_marked_one_is_sent_back_and_told(place, told):
    story = told("ask_needs")
    path = f"/cases/{story.case.number}/do/ask_needs/opinion.replied/"
    response = place.client("residents_committee").get(path, follow=True)
    assert "/steps/" in response.redirect_chain[0][0]
    assert "请先勾选" in response.content.decode()


def test_each_stairwell_has_a_posting_page_of_its_own(place, told):
    story = told("design_publicity")
    run = story.run("design_publicity")
    committee = place.client("residents_committee")
    shown = page(committee, f"/cases/{story.case.number}/steps/{run.pk}/")
    first = run.postings.first()
    link = f"/cases/{story.case.number}/do/design_publicity/notice.posted/"
    assert f"{link}?places=stairwell%3A" in shown
    sent = {"places": [first.place], "photos": [story.picture()]}
    assert committee.get(link, {"places": first.place}).context["form"]["places"].initial == [
        first.place
    ]
    assert committee.post(link, sent).status_code == 302
    first.refresh_from_db()
    assert first.photo.label == first.label
    assert "（已张贴）" in page(committee, link)
    assert "?places=" not in page(
        place.client("auditor"), f"/cases/{story.case.number}/steps/{run.pk}/"
    )


def test_an_auditor_reads_what_waits_and_is_offered_nothing(place, told):
    story = told("ask_needs")
    said = {"item": "roof", "stance": "want", "text": "希望尽快办。"}
    acts.perform(story.case.pk, "ask_needs", "opinion.submitted", story.resident(0), said)
    path = f"/cases/{story.case.number}/steps/{story.run('ask_needs').pk}/"
    shown = page(place.client("auditor"), path)
    assert "希望尽快办。" in shown
    assert "答复所选" not in shown
    assert "答复所选" in page(place.client("residents_committee"), path)


@pytest.mark.parametrize("who", ["residents_committee", "housing"])
def test_the_inbox_asks_no_more_where_one_serves_more_estates(
    place, told, who, django_assert_max_num_queries
):
    told("joint_review")
    client = place.client(who)
    with CaptureQueriesContext(connection) as before:
        page(client, "/inbox/")
    for number in range(5):
        factories.make_estate(f"empty{number}", blocks=0, parent=place.street)
    with django_assert_max_num_queries(len(before)):
        page(client, "/inbox/")


def test_parties_everywhere_are_those_of_each_place(place):
    member = factories.make_member(factories.units_of(place.estate)[0])
    people = [*place.people.values(), member.person]
    places = [place.street, place.estate.community]
    for person in people:
        everywhere = directory().parties_everywhere(person, clock.now())
        for community in places:
            one = list(directory().parties_of(person, community, clock.now()))
            assert list(everywhere.get(community.pk, [])) == one


def test_the_office_enters_what_a_bidder_objects(place, told):
    story = told("design_tender")
    (lot,) = story.lots("design_tender")
    scope = {"method": "open", "scope": "详见招标文件。"}
    story.act("documents", "task.done", "office", scope, {"documents": paper("tender")}, case=lot)
    office = place.client("office")
    assert "提出异议" not in page(office, "/inbox/")
    objection = {"ground": "procedure", "text": "招标文件设定的资格条件与项目无关。"}
    raised = office.post(f"/cases/{lot.number}/do/bidding/objection.raised/", objection)
    assert raised.status_code == 302
    row = office.get("/inbox/").context["rows"][0]
    assert row["note"] == "1件异议待核查"
    warned = page(office, f"/cases/{story.case.number}/do/case/case.suspended/")
    assert "随之中止" in warned


def test_the_lots_stand_still_with_the_renovation_and_go_on_with_it(place, told):
    story = told("tender")
    first, second = story.lots("tender")
    scope = {"method": "open", "scope": "详见招标文件。"}
    story.act("documents", "task.done", "office", scope, {"documents": paper("t")}, case=first)
    before = first.runs.get(name="bidding").ends_on
    story.act("case", "case.suspended", "office", {"reason": "资金另行核定。"}, case=second)
    done = story.act("case", "case.suspended", "office", {"reason": "汛期暂停。"})
    assert done.record.body["children"] == [first.number]  # the other one stands still already
    first.refresh_from_db()
    assert first.suspended_reason == "汛期暂停。"
    assert first.records.get(act="parent.suspended").body["reason"] == "汛期暂停。"
    assert not second.records.filter(act="parent.suspended").exists()
    assert "汛期暂停。" in page(place.client("office"), f"/cases/{first.number}/")
    assert "随所属事项中止" in page(place.client("office"), f"/cases/{first.number}/records/")
    with pytest.raises(acts.Refused, match="请先恢复所属事项"):
        story.act("case", "case.resumed", "office", {"reason": "先行恢复。"}, case=first)
    story.wait(days=10)
    done = story.act("case", "case.resumed", "office", {"reason": "汛期已过。"})
    assert done.record.body["children"] == [first.number]
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.suspended_at is None
    resumed = first.records.get(act="parent.resumed")
    assert resumed.body["reason"] == "汛期已过。"
    assert resumed.body["terms"][0]["step"] == "bidding"
    assert first.runs.get(name="bidding").ends_on >= before + dt.timedelta(days=10)
    assert second.suspended_reason == "资金另行核定。"
    story.act("case", "case.resumed", "office", {"reason": "资金已核定。"}, case=second)


def test_what_is_wrong_on_paper_and_in_the_form_stands_in_one_box(place, told):
    story = told("ask_needs")
    path = f"/cases/{story.case.number}/do/ask_needs/opinion.submitted/?paper=1"
    sent = place.client("residents_committee").post(path, {"resident": "没有这一户"})
    text = sent.content.decode()
    assert (sent.status_code, text.count('id="errors"')) == (422, 1)
    box = text.split('id="errors"')[1].split("</div>")[0]
    for field in ("id_resident", "id_happened_on", "id_text"):
        assert f'href="#{field}' in box, field
