"""Forms at the door: one PDF for every household in walking order (逐户发放填写《意见征求表》).

Each has its code; what is answered once, online or on paper, is answered.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pikepdf
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.pdfs import pages_of, text_of
from workflows import acts, clock
from workflows.models import BallotPaper, DoorForm, HouseholdReturn, Opinion, Refusal
from workflows.parties import Party

CODE = re.compile(r"[2-9A-Z]{5}(?:-[2-9A-Z]{5}){3}")


def print_forms(story, place, step, act, **data):
    run = story.run(step)
    url = f"/cases/{story.case.number}/forms/{run.pk}/{act}/print.pdf"
    return place.client("residents_committee").post(url, data)


def codes_of(response) -> list[str]:
    return list(dict.fromkeys(CODE.findall(text_of(response.content))))


@pytest.fixture
def asking(told):
    return told("ask_needs")


@pytest.fixture
def voting(told):
    story = told("owner_ballot")
    opens = clock.today() + dt.timedelta(days=16)
    story.act(
        "owner_ballot",
        "ballot.called",
        "residents_committee",
        {
            "questions": "是否同意改造",
            "matter": "special",
            "item": "rebuild",
            "reason": "改建建筑物附属设施",
            "opens_on": opens.isoformat(),
        },
    )
    story.wait_for("owner_ballot")
    assert story.run("owner_ballot").phase == "voting"
    return story


def test_every_household_has_its_form_in_walking_order(asking, place):
    response = print_forms(asking, place, "ask_needs", "form.returned")
    assert response["Cache-Control"] == "no-store"
    text = text_of(response.content)
    order = re.findall(r"1号楼\d单元\d0\d室", text)
    units = [unit.label for unit in factories.units_of(place.estate)]
    assert list(dict.fromkeys(order)) == units
    assert "屋面防水" in text
    assert "需要" in text
    assert "王示" not in text  # a room is on the paper, no name
    found = codes_of(response)
    assert [CODE.findall(page) for page in pages_of(response.content)] == [[c] for c in found]
    assert len(set(found)) == len(units) == DoorForm.objects.count()
    kept = str(list(DoorForm.objects.values()))
    assert not any(code.replace("-", "") in kept for code in found)
    record = asking.case.records.get(act="forms.issued")
    assert record.body == {"form": "form.returned", "forms": 8, "of_step": "ask_needs"}
    again = print_forms(asking, place, "ask_needs", "form.returned")
    assert again.status_code == 302  # nobody is left without one


@pytest.mark.parametrize(
    ("step", "act"), [("ask_needs", "form.returned"), ("ask_needs", "survey.answered")]
)
def test_in_large_print_every_word_of_a_form_has_eighteen_points(told, place, step, act, tmp_path):
    """The same words, A4, on as many pages as they take; each household's code on its first."""
    step = "ask_results" if act == "survey.answered" else step
    story = told(step)
    small = print_forms(story, place, step, act, find="101室")
    large = print_forms(story, place, step, act, find="101室", again="on", size="large")
    assert {page[0] for page in sizes_of(large.content)} == {595}
    found = words_with_points(tmp_path, large.content)
    for word in ("需要", "非常满意", "交回：", "没有意见", "另外提交"):
        assert all(points >= 17.9 for text, points in found if word in text), word
    assert {points for text, points in found if "两种方式效力相同" in text} == {18}
    assert len(pages_of(large.content)) >= len(pages_of(small.content))
    assert len(codes_of(large)) == 2


def sizes_of(content: bytes) -> list[tuple[int, int]]:
    with pikepdf.open(io.BytesIO(content)) as pdf:
        return [(round(float(p.mediabox[2])), round(float(p.mediabox[3]))) for p in pdf.pages]


def words_with_points(folder: Path, content: bytes) -> list[tuple[str, float]]:
    """Each line of a PDF with the size of its letters, by poppler."""
    (folder / "form.pdf").write_bytes(content)
    command = ["pdftohtml", "-xml", "-i", "-stdout", "-zoom", "1", str(folder / "form.pdf")]
    done = subprocess.run(command, capture_output=True, check=True)
    root = ElementTree.fromstring(done.stdout)
    points = {spec.get("id"): float(spec.get("size")) for spec in root.iter("fontspec")}
    return [("".join(t.itertext()), points[t.get("font")]) for t in root.iter("text")]


def test_a_household_answers_by_its_code_without_an_account(asking, place):
    first, *_rest = codes_of(print_forms(asking, place, "ask_needs", "form.returned"))
    client = Client()
    page = client.get(f"/f/{first}/")
    assert page.status_code == 200
    assert "noindex" in page["X-Robots-Tag"]
    assert "101室" not in page.content.decode()
    sent = {"item_roof": "want", "item_lifts": "not_want", "text": "车棚离窗户太近。"}
    done = client.post(f"/f/{first}/", sent)
    assert done.status_code == 302
    key = f"household:{factories.units_of(place.estate)[0].pk}"
    opinions = Opinion.objects.filter(party_key=key)
    assert {(o.item, o.stance, o.text) for o in opinions} == {
        ("roof", "want", ""),
        ("lifts", "not_want", ""),
        ("", "", "车棚离窗户太近。"),
    }
    assert HouseholdReturn.objects.get(party_key=key).life == "answered"
    receipt = client.get(done["Location"])
    assert "已登记，记录完好" in receipt.content.decode()
    record = asking.case.records.get(act="form.returned")
    assert record.content["party"]["via"] == "code"
    assert len(record.body["opinions"]) == 3
    assert "household:" not in "".join(asking.case.records.values_list("canonical", flat=True))


def test_the_first_stands_and_the_second_is_told_and_noted(asking, place):
    first, second, *_rest = codes_of(print_forms(asking, place, "ask_needs", "form.returned"))
    units = factories.units_of(place.estate)
    client = Client()
    client.post(f"/f/{first}/", {"item_roof": "want"})
    told = client.get(f"/f/{first}/").content.decode()
    assert "这份表已经在网上交过" in told
    assert "重复提交" not in told
    mine = DoorForm.objects.filter(party_key=f"household:{units[0].pk}")
    assert mine.get().tries == 0  # a look is no attempt
    late = client.post(f"/f/{first}/", {"item_roads": "want"})
    assert "这份表已经在网上交过" in late.content.decode()
    assert "重复提交已经记录" in late.content.decode()
    assert mine.get().tries == 1
    typed = Party(
        "household", f"household:{units[0].pk}", place.people["residents_committee"].pk, via="paper"
    )
    with pytest.raises(acts.Refused) as refused:  # the paper comes after the code
        acts.perform(asking.case.pk, "ask_needs", "form.returned", typed, {"item_roads": "want"})
    assert refused.value.code == "duplicate"
    assert "以先交的为准" in str(refused.value)
    assert Opinion.objects.count() == 1
    assert (mine.get().via, mine.get().tries) == ("code", 2)
    assert Refusal.objects.filter(act="form.returned", code="duplicate").count() == 2

    typed = Party(
        "household", f"household:{units[1].pk}", place.people["residents_committee"].pk, via="paper"
    )
    acts.perform(asking.case.pk, "ask_needs", "form.returned", typed, {"item_roads": "want"})
    told = client.get(f"/f/{second}/").content.decode()
    assert "这份表的纸质表已经登记" in told
    page = place.client("residents_committee").get(f"/cases/{asking.case.number}/forms/")
    (row,) = page.context["rows"]
    assert (row["out"], row["by_code"], row["on_paper"], row["twice"]) == (8, 1, 1, 1)


def test_what_was_said_before_on_an_item_stands(asking, place):
    unit = factories.units_of(place.estate)[0]
    member = factories.make_member(unit).person
    own = Party("household", f"household:{unit.pk}", member.pk)
    acts.perform(
        asking.case.pk, "ask_needs", "opinion.submitted", own, {"item": "roof", "stance": "want"}
    )
    first, *_rest = codes_of(print_forms(asking, place, "ask_needs", "form.returned"))
    Client().post(f"/f/{first}/", {"item_roof": "not_want", "item_roads": "want"})
    record = asking.case.records.get(act="form.returned")
    assert (record.body["stood"], len(record.body["opinions"])) == (1, 1)
    assert Opinion.objects.get(item="roof").stance == "want"


def test_a_form_without_a_tick_is_a_form_that_came_back(asking, place):
    first, *_rest = codes_of(print_forms(asking, place, "ask_needs", "form.returned"))
    assert Client().post(f"/f/{first}/", {}).status_code == 302
    key = f"household:{factories.units_of(place.estate)[0].pk}"
    assert HouseholdReturn.objects.get(party_key=key).life == "returned"
    assert Opinion.objects.count() == 0


def test_codes_end_with_the_term_and_can_be_withdrawn(asking, place):
    first, second, *_rest = codes_of(print_forms(asking, place, "ask_needs", "form.returned"))
    run = asking.run("ask_needs")
    url = f"/cases/{asking.case.number}/forms/{run.pk}/form.returned/withdraw/"
    assert place.client("designer").post(url).status_code == 403
    place.client("residents_committee").post(url, {"find": "1号楼1单元101室"})
    assert "这个码已作废" in Client().get(f"/f/{first}/").content.decode()
    assert Client().post(f"/f/{first}/", {"item_roof": "want"}).status_code == 200
    assert Opinion.objects.count() == 0
    fresh = codes_of(print_forms(asking, place, "ask_needs", "form.returned"))
    assert len(fresh) == 1
    assert Client().post(f"/f/{fresh[0]}/", {"item_roof": "want"}).status_code == 302
    asking.wait_for("ask_needs")
    assert "已经截止" in Client().get(f"/f/{second}/").content.decode()


def test_printing_again_ends_the_older_code(asking, place):
    first, *_rest = codes_of(print_forms(asking, place, "ask_needs", "form.returned"))
    anew = codes_of(
        print_forms(asking, place, "ask_needs", "form.returned", again="on", find="1号楼1单元")
    )
    assert len(anew) == 4
    assert "这个码已作废" in Client().get(f"/f/{first}/").content.decode()
    assert asking.case.records.filter(act="forms.issued").last().body["ended"] == 4


def test_a_code_is_no_key_to_anything_else(asking, place):
    """The door asks for the form: to say that one came by a code opens nothing."""
    unit = factories.units_of(place.estate)[0]
    by_code = Party("household", f"household:{unit.pk}", via="code")
    for act, sent in (
        ("form.returned", {"item_roof": "want"}),
        ("opinion.submitted", {"item": "roof", "stance": "want"}),
    ):
        with pytest.raises(acts.Refused):
            acts.perform(asking.case.pk, "ask_needs", act, by_code, sent)
    print_forms(asking, place, "ask_needs", "form.returned")
    with pytest.raises(acts.Refused):
        acts.perform(
            asking.case.pk,
            "ask_needs",
            "opinion.submitted",
            by_code,
            {"item": "roof", "stance": "want"},
        )
    assert Opinion.objects.count() == 0


def test_wrong_codes_are_soon_no_longer_looked_up(place, settings):
    settings.RATELIMIT_ENABLE = True
    client = Client(REMOTE_ADDR="127.9.9.8")
    answers = [client.get("/f/AAAAA-BBBBB-CCCCC-DDDDD/").status_code for _ in range(22)]
    assert (answers[0], answers[-1]) == (404, 429)


def test_the_part_of_a_ballot_paper_that_comes_back_says_no_room(voting, place):
    response = print_forms(voting, place, "owner_ballot", "vote.cast")
    text = text_of(response.content)
    assert "是否同意改造" in text
    # The room stands once a sheet, on the stub that is cut off; the numbers are drawn.
    assert len(re.findall(r"1号楼1单元101室", text)) == 1
    serials = list(DoorForm.objects.order_by("pk").values_list("serial", flat=True))
    assert min(serials) > 1000
    assert serials != sorted(serials) or len(serials) < 4


def test_a_vote_by_code_is_secret_and_counts_once(voting, place):
    first, *_rest = codes_of(print_forms(voting, place, "owner_ballot", "vote.cast"))
    client = Client()
    page = client.get(f"/f/{first}/").content.decode()
    assert "101室" not in page
    assert client.post(f"/f/{first}/", {"q1": "for"}).status_code == 302
    paper = BallotPaper.objects.get()
    assert (paper.choices, paper.channel) == ({"1": "for"}, "online")
    record = voting.case.records.get(act="vote.cast")
    assert "for" not in record.body.values()
    fields = {field.name for field in DoorForm._meta.get_fields()}
    assert not fields & {"choices", "record", "paper", "answer"}  # no way from the form to the vote
    again = client.post(f"/f/{first}/", {"q1": "against"})
    assert "这份表已经在网上交过" in again.content.decode()
    assert BallotPaper.objects.filter(standing=True).get().choices == {"1": "for"}


def test_a_head_that_voted_with_its_account_does_not_vote_again_by_code(voting, place):
    unit = factories.units_of(place.estate)[0]
    person = factories.make_member(unit).person
    first, *_rest = codes_of(print_forms(voting, place, "owner_ballot", "vote.cast"))
    own = Party("owner", f"household:{unit.pk}", person.pk)
    acts.perform(voting.case.pk, "owner_ballot", "vote.cast", own, {"q1": "for"})
    answer = Client().post(f"/f/{first}/", {"q1": "against"})
    assert answer.status_code == 422
    assert "以先交的为准" in answer.content.decode()
    assert DoorForm.objects.get(party_key=f"household:{unit.pk}").tries == 1


def test_satisfaction_by_code(told, place):
    story = told("ask_results")
    first, *_rest = codes_of(print_forms(story, place, "ask_results", "survey.answered"))
    assert Client().post(f"/f/{first}/", {"answer": "satisfied"}).status_code == 302
    assert Client().post(f"/f/{first}/", {"answer": "dissatisfied"}).status_code == 200
    assert story.run("ask_results").survey_answers.get().answer == "satisfied"


def test_nobody_prints_forms_who_does_not_handle_the_step(asking, place):
    run = asking.run("ask_needs")
    url = f"/cases/{asking.case.number}/forms/{run.pk}/form.returned/print.pdf"
    assert place.client("designer").post(url).status_code == 403
    assert Client().post(url).status_code == 302
    assert Client().get(f"/cases/{asking.case.number}/forms/").status_code == 302
    assert DoorForm.objects.count() == 0


def test_the_page_of_forms_costs_the_same_with_many(asking, place):
    client = place.client("residents_committee")
    url = f"/cases/{asking.case.number}/forms/"

    def asked() -> int:
        client.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        return len(queries)

    print_forms(asking, place, "ask_needs", "form.returned", find="101室")
    before = asked()
    print_forms(asking, place, "ask_needs", "form.returned")
    assert asked() == before


def test_after_a_vote_nothing_promises_an_answer_or_another_one(voting, place):
    voter = Client()
    neighbour = factories.make_member(factories.units_of(place.estate)[0]).person
    voter.force_login(neighbour, backend="django.contrib.auth.backends.ModelBackend")
    path = f"/cases/{voting.case.number}/do/owner_ballot/vote.cast/"
    done = voter.post(path, {"q1": "for"}, follow=True).content.decode()
    assert "您选了什么，不写在公开记录里。" in done
    assert "继续办理下一件" not in done
    [code] = set(re.findall(r"/r/([A-Z0-9-]{23})/", done))
    assert "尚无答复" not in Client().get(f"/r/{code}/").content.decode()
    opinion = f"/cases/{voting.case.number}/do/case/opinion.submitted/"
    said = voter.post(opinion, {"text": "楼道里的灯坏了。"}, follow=True).content.decode()
    [code] = set(re.findall(r"/r/([A-Z0-9-]{23})/", said))
    assert "尚无答复" in Client().get(f"/r/{code}/").content.decode()
