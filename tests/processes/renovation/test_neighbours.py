"""What neighbours do in a renovation at the pages: apply, object, come late, supervise."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client

from processes.community import middleware
from processes.renovation.cast import paper
from tests import factories
from workflows import acts, clock, sweep
from workflows.models import Case, Opinion
from workflows.parties import directory

from .test_desk import page


def test_pages_of_objections_and_votes_say_until_when(place, told):
    neighbour = factories.make_member(factories.units_of(place.estate)[0]).person
    client = Client()
    client.force_login(neighbour, backend="django.contrib.auth.backends.ModelBackend")
    story = told("shortlist")
    base = f"/cases/{story.case.number}/do"
    day = story.run("shortlist").ends_on
    until = f"请在{day.year}年{day.month}月{day.day}日24时前提交。"
    shown = page(client, f"{base}/shortlist/objection.raised/")
    assert until in shown
    # Nothing is chosen until somebody chooses: the first ground is nobody's answer.
    assert '<option value="" selected>请选择</option>' in shown
    before = story.case.records.count()
    said = {"text": "名单里的楼号写错了。"}
    sent = client.post(f"{base}/shortlist/objection.raised/", said)
    assert (sent.status_code, story.case.records.count()) == (422, before)


def test_whoever_applies_for_an_estate_does_so_in_their_own_name_and_for_homes_it_has(place, told):
    story = told("apply")
    neighbour = factories.make_member(factories.units_of(place.estate)[0]).person
    client = Client()
    client.force_login(neighbour, backend="django.contrib.auth.backends.ModelBackend")
    path = f"/cases/{story.case.number}/do/apply/task.done/"
    assert path not in page(client, "/my/")  # it waits for the committee
    said = {
        "applicant": "households",
        "supporters": 2,
        "faults": "屋面渗漏。",
        "wishes": "屋面防水。",
        "pledged_percent": 10,
    }
    before = story.case.records.count()
    for wrong, words in (
        ({"applicant": "residents_committee"}, "不在可选的范围内"),
        ({"supporters": 50_000}, "名册上共有"),
        ({}, "请附上联名签字页"),
    ):
        sent = client.post(path, {**said, **wrong})
        assert (sent.status_code, words in sent.content.decode()) == (422, True), words
    assert story.case.records.count() == before
    done = client.post(path, {**said, "papers": paper("signed")})
    assert done.status_code == 302


def test_those_chosen_are_resident_supervisors_from_then_on(place, told):
    story = told("supervisors")
    step = f"/cases/{story.case.number}/steps/{story.run('supervisors').pk}/"
    committee = place.client("residents_committee")
    assert "认定不符合条件" not in page(committee, step)  # nobody has enrolled
    neighbour = factories.make_member(factories.units_of(place.estate)[0]).person
    party = directory().parties_of(neighbour, place.estate.community, clock.now())[0]
    acts.perform(
        story.case.pk,
        "supervisors",
        "candidate.enrolled",
        party,
        {"name": "示范", "statement": "退休前从事建筑工作。", "consent": "on"},
    )
    assert "认定不符合条件" in page(committee, step)
    story.wait_for("supervisors")
    candidate = story.run("supervisors").candidates.get()
    mark = {"candidate": candidate.pk, "points": 80}
    story.act("supervisors", "mark.given", "owners_committee", mark)
    story.wait_for("supervisors")
    now = directory().parties_of(neighbour, place.estate.community, clock.now())
    assert "resident_supervisor" in {party.role for party in now}
    assert not middleware.serves(neighbour.pk)


def test_a_late_objection_becomes_an_opinion_and_is_answered(place, told):
    story = told("funding")  # the design has stood its twenty days
    number = story.case.number
    neighbour = factories.make_member(factories.units_of(place.estate)[0]).person
    client = Client()
    client.force_login(neighbour, backend="django.contrib.auth.backends.ModelBackend")
    assert "补交意见" in page(client, f"/cases/{number}/")
    late = {"text": "车棚还是离窗户太近，联系电话13812345678。"}
    assert client.post(f"/cases/{number}/do/case/opinion.submitted/", late).status_code == 302
    opinion = Opinion.objects.get(run=None)
    assert opinion.late
    assert "离窗户太近" not in page(client, f"/cases/{number}/")
    own = page(client, "/my/")
    assert "车棚还是离窗户太近" in own  # what one wrote, to oneself
    assert "等待答复" in own
    committee = place.client("residents_committee")
    assert "期外意见" in page(committee, "/inbox/")
    assert "离窗户太近" in page(committee, f"/cases/{number}/")
    reply = f"/cases/{number}/do/case/opinion.replied/"
    form = page(committee, f"{reply}?opinions={opinion.pk}")
    assert "138****5678" in form
    answer = {
        "opinions": [opinion.pk],
        "outcome": "not_adopted",
        "public_text": "车棚离窗户太近。",
        "reason": "间距符合规范，施工时再加隔声。",
    }
    assert committee.post(reply, answer).status_code == 302
    assert "间距符合规范" in page(client, f"/cases/{number}/")
    assert "间距符合规范" in page(client, "/my/")
    assert "期外意见" not in page(committee, "/inbox/")


def test_a_late_opinion_is_answered_even_after_the_case(place, told):
    story = told("joint_review")
    story.joint_review()
    story.shortlist()
    party = story.resident(0)
    said = {"text": "入围公示的户数写错了。"}
    acts.perform(story.case.pk, "case", "opinion.submitted", party, said)
    acts.perform(story.case.pk, "case", "opinion.submitted", party, {"text": "另有一处写错了。"})
    Case.objects.filter(pk=story.case.pk).update(finished=clock.now(), outcome="shelved")
    keys = list(Opinion.objects.filter(run=None).values_list("pk", flat=True))
    answer = {
        "opinions": keys,
        "outcome": "adopted",
        "public_text": "入围公示的户数写错了。",
        "reason": "已经更正公布。",
    }
    story.act("case", "opinion.replied", "residents_committee", answer)
    assert not Opinion.objects.filter(life="submitted").exists()
    with pytest.raises(acts.Refused):
        acts.perform(story.case.pk, "case", "opinion.submitted", party, {"text": "还有一处错。"})


def test_who_takes_back_what_they_said_sees_what_it_is(place, told):
    home, other = factories.units_of(place.estate)[:2]
    neighbour, stranger = factories.make_member(home).person, factories.make_member(other).person
    client, elsewhere = Client(), Client()
    for each, who in ((client, neighbour), (elsewhere, stranger)):
        each.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    story = told("ask_needs")
    base = f"/cases/{story.case.number}/do/ask_needs/opinion"
    client.post(
        f"{base}.submitted/", {"item": "lifts", "stance": "want", "text": "老人上下楼不便。"}
    )
    opinion = Opinion.objects.get(text="老人上下楼不便。")
    taking = f"{base}.withdrawn/?opinion={opinion.pk}"
    assert taking in page(client, "/my/").replace("&amp;", "&")
    shown = page(client, taking)
    for words in ("加装电梯", "“需要”", "“老人上下楼不便。”", "也不能恢复"):
        assert words in shown, words
    assert "老人上下楼不便" not in page(elsewhere, taking)
    assert "您要撤回的是" not in page(client, f"{base}.withdrawn/?opinion=x")
    assert client.post(taking, {"opinion": opinion.pk}).status_code == 302
    assert Opinion.objects.get(pk=opinion.pk).life == "withdrawn"
    assert "您要撤回的是" not in page(client, taking)  # it is not there any more


def test_a_way_back_has_no_tick(place, told):
    story = told("acceptance")
    story.signatures("residents")
    case = story.case
    run = case.runs.filter(name="acceptance").latest("pk")
    step = page(Client(), f"/cases/{case.number}/steps/{run.pk}/")
    whole = page(Client(), f"/cases/{case.number}/")
    for text in (step, whole):
        [badge] = re.findall(
            r'<span class="badge is-(\w+)">(?:(?!</span>).)*<span>责令整改</span>', text, re.S
        )
        assert badge == "turned"
    review = case.runs.get(name="joint_review")
    assert 'class="badge is-done"' in page(Client(), f"/cases/{case.number}/steps/{review.pk}/")
    assert "<dt>工程质量</dt><dd>" in step  # what failed, laid out as the scores are


def test_what_is_late_for_those_who_handle_it_is_no_task_of_a_neighbour(place, told):
    story = told("shortlist")
    neighbour = factories.make_member(factories.units_of(place.estate)[0]).person
    client = Client()
    client.force_login(neighbour, backend="django.contrib.auth.backends.ModelBackend")
    run = story.run("shortlist")
    step = f"/cases/{story.case.number}/steps/{run.pk}/"
    path = f"/cases/{story.case.number}/do/shortlist/objection.raised/"
    waits = f'<a href="{path}">入围公示'
    assert waits in page(client, "/my/")
    client.post(path, {"ground": "fact", "text": "名单里的楼号写错了。"})
    clock.set_now(run.ends_at + dt.timedelta(days=1))
    sweep.sweep()
    assert story.run("shortlist").is_open  # the objection is not decided
    assert waits not in page(client, "/my/")
    assert step in page(place.client("office"), "/my/")
