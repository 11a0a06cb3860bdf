"""Rules of law in the renovation: the numbers of the law in force on the day of the decision."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from processes.renovation import rules
from processes.renovation.cast import paper
from processes.renovation.procedure import Renovation
from processes.renovation.tender import Tender
from tests.processes.renovation.test_desk import page
from workflows import acts, clock, law
from workflows.models import StepRun
from workflows.portal.readers import sources

DAY = dt.date(2026, 3, 2)

RULES = {
    "tender_bidding": ("《招标投标法》第二十四条", {"days": 20}),
    "tender_documents_objection": ("《招标投标法实施条例》第二十二条", {"days": 3}),
    "tender_bidders": ("《招标投标法》第二十八条", {"bidders": 3}),
    "tender_committee": (
        "《招标投标法》第三十七条",
        {"members": 5, "experts": 2, "experts_of": 3},
    ),
    "tender_candidates_within": ("《招标投标法实施条例》第五十四条", {"days": 3}),
    "tender_candidates": ("《招标投标法实施条例》第五十四条", {"days": 3}),
    "tender_result_objection": ("《招标投标法实施条例》第五十四条", {"days": 3}),
    "warranty_waterproof": ("《建设工程质量管理条例》第四十条", {"months": 60}),
    "warranty_heating": ("《建设工程质量管理条例》第四十条", {"months": 24}),
    "warranty_pipes": ("《建设工程质量管理条例》第四十条", {"months": 24}),
    "warranty_other": ("《建设工程质量管理条例》第四十条", {"months": 1}),
}


@pytest.mark.parametrize("code", RULES)
def test_each_rule_has_its_article_and_its_numbers(code):
    found = law.rule(code, DAY)
    assert (found.source, dict(found.values)) == RULES[code]
    with pytest.raises(LookupError):
        law.rule(code, dt.date(1999, 12, 31))


@pytest.mark.parametrize(("bidders", "suffice"), [(0, False), (2, False), (3, True), (4, True)])
def test_three_bidders_open_a_tender(bidders, suffice):
    assert rules.bidders_suffice(bidders, DAY) is suffice


@pytest.mark.parametrize(
    ("members", "experts", "faults"),
    [
        (5, 4, []),
        (5, 3, ["experts"]),
        (6, 4, ["even"]),
        (3, 2, ["few"]),
        (4, 2, ["few", "even", "experts"]),
        (9, 6, []),
        (9, 5, ["experts"]),
    ],
)
def test_a_committee_is_five_or_more_odd_and_two_thirds_experts(members, experts, faults):
    assert rules.committee_faults(members, experts, DAY) == faults


@pytest.fixture
def later(monkeypatch):
    """Enters a rule set beside the one in force, with other numbers, from a day on."""

    def enter(code, since, place=law.COUNTRY, **values):
        old = law.rule(code, DAY)
        new = replace(
            old, source="示范条例第一条", effective_from=since, values=values, jurisdiction=place
        )
        monkeypatch.setitem(law._declared, new.key, new)
        return new

    return enter


def test_a_later_rule_decides_later_and_not_before(later):
    later("tender_bidders", DAY, bidders=5)
    before = DAY - dt.timedelta(days=1)
    assert rules.bidders_suffice(3, before)
    assert not rules.bidders_suffice(3, DAY)
    assert rules.bidders_suffice(5, dt.datetime.combine(DAY, dt.time(), clock.SHANGHAI))


def test_a_rule_of_the_place_goes_before_that_of_the_country(later, settings):
    place = later("tender_bidders", DAY, "CN-37", bidders=5)
    assert rules.bidders_suffice(3, DAY)
    settings.SANWEN_JURISDICTION = "CN-37-02"
    assert not rules.bidders_suffice(3, DAY)
    assert rules.bidders_suffice(3, DAY - dt.timedelta(days=1))
    assert place.key == "tender_bidders.20260302.cn_37"


def test_a_lot_goes_by_the_rules_of_its_days_and_its_records_name_them(place, told, later):
    story = told("design_tender")
    (lot,) = story.lots("design_tender")
    opens = clock.today() + dt.timedelta(days=1)
    later("tender_bidding", opens, days=40)
    scope = {"method": "open", "scope": "详见招标文件。"}
    files = {"documents": paper("tender")}
    story.act("documents", "task.done", "office", scope, files, case=lot)
    first = StepRun.objects.get(process=lot, name="bidding")
    opened = lot.records.get(act="step.opened", run=first)
    assert (first.term, opened.body["law"]) == ("20d", ["tender_bidding.20000101"])
    shown = page(place.client("office"), f"/cases/{lot.number}/records/{opened.seq}/")
    assert "《招标投标法》第二十四条" in shown
    shown = page(place.client("office"), f"/cases/{lot.number}/steps/{first.pk}/")
    assert "《招标投标法》第二十四条" in shown
    assert "示范条例" not in shown

    story.wait_for("bidding", lot)
    two = {"bidders": "示范甲公司\n示范乙公司"}
    story.act("bid_opening", "task.done", "office", two, case=lot)
    decided = lot.records.get(act="task.done", step="bid_opening")
    assert decided.body["law"] == ["tender_bidders.20000101"]
    assert decided.body["outcome"] == "anew"
    story.act("documents", "task.done", "office", scope, {"documents": paper("t")}, case=lot)
    second = StepRun.objects.get(process=lot, name="bidding", finished__isnull=True)
    assert second.term == "40d"
    assert "示范条例第一条" in page(
        place.client("office"), f"/cases/{lot.number}/steps/{second.pk}/"
    )


def test_the_report_says_by_when_the_candidates_had_to_stand(place, told):
    story = told("design_tender")
    (lot,) = story.lots("design_tender")
    scope = {"method": "open", "scope": "详见招标文件。"}
    story.act("documents", "task.done", "office", scope, {"documents": paper("t")}, case=lot)
    story.wait_for("bidding", lot)
    three = {"bidders": "示范甲公司\n示范乙公司\n示范丙公司"}
    story.act("bid_opening", "task.done", "office", three, case=lot)
    received = clock.today() - dt.timedelta(days=9)
    report = {
        "received_on": received.isoformat(),
        "members": 4,
        "experts": 3,
        "candidates": "示范甲公司",
        "report": "按标准评审。",
    }
    with pytest.raises(acts.Refused, match="第三十七条"):
        story.act("evaluation", "task.done", "office", report, case=lot)
    tomorrow = (clock.today() + dt.timedelta(days=1)).isoformat()
    lawful = {**report, "members": 5, "experts": 4}
    with pytest.raises(acts.Refused, match="不能晚于今天"):
        story.act(
            "evaluation", "task.done", "office", {**lawful, "received_on": tomorrow}, case=lot
        )
    story.act("evaluation", "task.done", "office", lawful, case=lot)
    body = lot.records.get(act="task.done", step="evaluation").body
    assert body["overdue"] is True
    assert dt.date.fromisoformat(body["due_on"]) >= received + dt.timedelta(days=3)
    assert body["law"] == [
        "tender_committee.20000101",
        "tender_candidates_within.20120201",
    ]
    objection = {"ground": "procedure", "text": "评标程序有误。"}
    story.act("candidates", "objection.raised", "office", objection, case=lot)
    raised = lot.records.get(act="objection.raised").body
    assert raised["law"] == ["tender_result_objection.20120201"]


def test_the_terms_of_a_lot_are_those_of_the_law(later):
    step = Tender.step("bidding")
    assert step.term.code == "20d"
    later("tender_bidding", dt.date(2020, 1, 1), days=30)
    assert step.term.code == "30d"
    assert step.term_in(type("C", (), {"params": {}})(), clock.now()).n == 30


@pytest.mark.parametrize("procedure", [Renovation, Tender])
def test_every_step_names_its_source_and_the_page_shows_it(place, procedure):
    shown = page(place.client("office"), f"/procedures/{procedure.code}/")
    for step in procedure.steps():
        stands_on = sources(step, clock.now())
        assert stands_on, step.name
        assert all(str(source) in shown.replace("&quot;", '"') for source in stands_on)
