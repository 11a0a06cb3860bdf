"""Mandates by owners themselves: with an account, by the code on the form, on paper.

Civil Code 165: the proxy, the matter, the authority and the term, signed; 173: cancelled.
"""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client

from tests import factories
from tests.pdfs import text_of
from tests.processes.renovation.test_doors import codes_of, print_forms, voting
from tests.processes.renovation.test_typing import type_in
from workflows import acts, clock, sweep
from workflows.models import Attachment, BallotPaper, DoorForm, Refusal
from workflows.parties import Party
from workflows.portal import words
from workflows.steps.ballot_rows import RollWay

__all__ = ["voting"]
BACKEND = "django.contrib.auth.backends.ModelBackend"
GIVEN = {"proxy": "1号楼1单元201室", "authority": "as_told", "sure": "on"}


def own(place, at=0):
    unit = factories.units_of(place.estate)[at]
    return Party("owner", f"household:{unit.pk}", factories.make_member(unit).person.pk)


def mandates():
    return RollWay.objects.filter(proxy=True)


def test_an_owner_mandates_by_the_code_of_the_form_and_the_proxy_votes(voting, place):
    printed = print_forms(voting, place, "owner_ballot", "proxy.given")
    text = text_of(printed.content)
    for stated in (
        "受托人姓名",
        "受托人户室",
        "权限",
        "由受托人决定",
        "到本次投票结束",
        "委托人（签字）",
    ):
        assert stated in text, stated
    code = codes_of(printed)[0]
    client = Client()
    page = client.get(f"/f/{code}/").content.decode()
    assert "到本次投票结束" in page
    assert "datalist" not in page  # the rooms of others are offered to nobody
    missing = client.post(f"/f/{code}/", {**GIVEN, "sure": ""})
    assert missing.status_code == 422
    assert not mandates().exists()
    assert client.post(f"/f/{code}/", GIVEN).status_code == 302
    proxy = own(place, 2)
    assert mandates().get().party_key == proxy.key
    record = voting.case.records.get(act="proxy.given")
    assert record.body == {"authority": "as_told"}
    assert "household:" not in record.canonical
    shown = {str(label): str(value) for label, value in words.body_lines(voting.case, record)}
    assert shown == {"权限": "按委托人的意见投票"}
    row = str(mandates().get().row_id)
    acts.perform(voting.case.pk, "owner_ballot", "vote.cast", proxy, {"q1": "for", "row": row})
    assert BallotPaper.objects.get().channel == "proxy"
    client.post(f"/f/{code}/", GIVEN)
    assert DoorForm.objects.get(hash__isnull=False, used_at__isnull=False).tries == 1
    assert Refusal.objects.filter(act="proxy.given", code="duplicate").exists()


def test_who_has_voted_is_told_what_a_mandate_would_change(voting, place):
    party = own(place)
    client = Client()
    client.force_login(factories.Person.objects.get(pk=party.user_id), backend=BACKEND)
    path = f"/cases/{voting.case.number}/do/owner_ballot/proxy.given/"
    assert "不必委托" not in client.get(path).content.decode()
    cast = acts.perform(voting.case.pk, "owner_ballot", "vote.cast", party, {"q1": "for"})
    assert "以后投的为准" in client.get(path).content.decode()
    BallotPaper.objects.filter(pk=cast.fact.pk).update(channel="paper")
    shown = client.get(path).content.decode()
    assert "请先书面申请撤回纸质票" in shown
    assert "以后投的为准" not in shown
    code = codes_of(print_forms(voting, place, "owner_ballot", "proxy.given"))[0]
    assert "不必委托" not in Client().get(f"/f/{code}/").content.decode()


def test_a_mandate_on_paper_needs_its_sheet_and_is_no_vote(voting, place):
    from processes.renovation.story import paper

    code = codes_of(print_forms(voting, place, "owner_ballot", "proxy.given"))[0]
    clerk = place.client("residents_committee")
    said = {"proxy": "1号楼1单元201室", "authority": "own_judgement"}
    without = type_in(clerk, voting, code, "owner_ballot", "proxy.given", **said)
    assert without.status_code == 422
    done = type_in(clerk, voting, code, "owner_ballot", "proxy.given", scan=paper(), **said)
    assert done.status_code == 302
    assert mandates().count() == 1
    assert not Attachment.objects.get(record__act="proxy.given").public
    assert not BallotPaper.objects.exists()


def test_one_mandate_a_head_until_it_is_cancelled_in_writing(voting, place):
    from processes.renovation.story import paper

    me = own(place)
    give = (voting.case.pk, "owner_ballot", "proxy.given", me)
    acts.perform(*give, GIVEN)
    other = {**GIVEN, "proxy": "1号楼1单元202室"}
    with pytest.raises(acts.Refused) as refused:
        acts.perform(*give, other)
    assert refused.value.code == "duplicate"
    room = {"row": factories.units_of(place.estate)[0].label}
    voting.act("owner_ballot", "proxy.revoked", "residents_committee", room, {"letter": paper()})
    assert not mandates().exists()
    acts.perform(*give, other)
    assert mandates().count() == 1
    assert voting.case.records.filter(act="proxy.revoked").exists()


@pytest.mark.parametrize("proxy", ["1号楼1单元101室", "9号楼9单元999室", ""])
def test_nobody_mandates_oneself_or_a_room_that_is_none(voting, place, proxy):
    with pytest.raises(acts.Refused):
        acts.perform(
            voting.case.pk, "owner_ballot", "proxy.given", own(place), {**GIVEN, "proxy": proxy}
        )
    assert not mandates().exists()


def test_the_secret_ballot_paper_has_no_place_for_a_room(voting, place):
    text = text_of(print_forms(voting, place, "owner_ballot", "vote.cast").content)
    assert "授权委托书" not in text


def test_ones_own_vote_is_offered_before_a_mandate(voting, place):
    unit = factories.units_of(place.estate)[0]
    client = Client()
    client.force_login(factories.make_member(unit).person)
    page = client.get(f"/cases/{voting.case.number}/steps/{voting.run('owner_ballot').pk}/")
    text = page.content.decode()
    assert (
        0 < text.index("/do/owner_ballot/vote.cast/") < text.index("/do/owner_ballot/proxy.given/")
    )
    assert "proxy.registered" not in text


def test_an_objection_to_the_count_is_ones_own_until_answered_in_words_that_begin_with_it(
    voting, place
):
    party = own(place)
    neighbour = Client()
    neighbour.force_login(factories.Person.objects.get(pk=party.user_id), backend=BACKEND)
    run = voting.run("owner_ballot")
    clock.set_now(run.ends_at + dt.timedelta(hours=1))
    sweep.sweep()
    base = f"/cases/{voting.case.number}/do/owner_ballot/result"
    said = "有一户的票好像算了两次，我的电话是13800000000。"
    assert neighbour.post(f"{base}.objected/", {"text": said}).status_code == 302
    mine = neighbour.get("/my/").content.decode()
    for words_of_it in ("有一户的票好像算了两次", "等待答复"):
        assert words_of_it in mine, words_of_it
    objection = voting.run("owner_ballot").result_objections.get()
    clerk = place.client("residents_committee")
    form = clerk.get(f"{base}.objection_decided/?objections={objection.pk}").content.decode()
    [wording] = re.findall(r'<textarea name="public_text"[^>]*>\s*([^<]*)</textarea>', form)
    assert wording.startswith("有一户的票好像算了两次")
    assert "13800000000" not in wording
    assert "选填" not in form.split('for="id_public_text"')[1].split("</label>")[0]
    answer = {
        "objections": objection.pk,
        "decision": "dismissed",
        "public_text": wording,
        "reason": "经核对，各户只计一次。",
    }
    assert clerk.post(f"{base}.objection_decided/", answer).status_code == 302
    mine = neighbour.get("/my/").content.decode()
    assert "经核对，各户只计一次。" in mine
    assert "等待答复" not in mine
