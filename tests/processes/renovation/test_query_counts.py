"""What a page asks the database does not grow with the rows behind it (style, rule 6)."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from processes.renovation.cast import paper, photo
from processes.renovation.procedure import Renovation
from tests import factories
from workflows import acts, clock, holding
from workflows.models import Case, Community, LedgerEntry, MeetingSession, StepRun
from workflows.parties import Party
from workflows.records import flush
from workflows.steps.base import Step
from workflows.steps.panel import Panel

MORNING = dt.datetime(2026, 3, 3, 9, tzinfo=clock.SHANGHAI)
STEPS = [step.name for step in Renovation.steps()]
PEOPLE = (
    "office",
    "residents_committee",
    "owners_committee",
    "designer",
    "contractor",
    "resident_supervisor",
    "housing",
    "auditor",
)


@pytest.fixture
def town(place):
    """The estate, on a spring morning, and an account of its first household."""
    clock.set_now(MORNING)
    units = factories.units_of(place.estate)
    place.people["resident"] = factories.make_member(units[0]).person
    return place


def queries(client: Client, path: str) -> list[str]:
    """What a page asks; it is asked for once before, so that nothing is told of the first time."""
    assert client.get(path).status_code == 200, path
    with CaptureQueriesContext(connection) as asked:
        client.get(path)
    return [query["sql"] for query in asked.captured_queries]


def same(before: list[str], after: list[str]) -> None:
    assert len(after) <= len(before), "\n".join(after)


def everywhere_at_once(town, community: Community | None = None) -> Case:
    """A case of which every step is open: what no procedure does, and every page must bear."""
    office = town.cast.party("office")
    here = community or town.estate.community
    case = acts.open_case(Renovation, here, office, title="示范小区改造")
    with holding.hold(case):
        for step in Renovation.steps():
            if not case.runs.filter(name=step.name).exists():
                run = StepRun(process=case, flow_task=step, name=step.name)
                run.came_from = case.runs.first()
                step.activation_class(run).activate()
                run.save()
        flush(case)
    return case


class Doing:
    """Rows in every step of a case, as many as wanted."""

    def __init__(self, town, case: Case) -> None:
        self.town, self.case, self.n = town, case, 0
        self.units = factories.units_of(case.community.estate)

    def act(self, step: str, act: str, party: Party | str, data=None, files=None):
        if isinstance(party, str):
            party = self.town.cast.party(party)
        return acts.perform(self.case.pk, step, act, party, data, files)

    def resident(self, role: str = "household") -> Party:
        self.n += 1
        unit = self.units[self.n % len(self.units)]
        office = self.town.cast.office
        return Party(role, f"household:{unit.pk}", office, via="paper")

    def opinions(self, step: str) -> None:
        self.act(
            step, "opinion.submitted", self.resident(), {"text": f"希望增加车位，其{self.n}。"}
        )
        self.act(
            step, "opinion.submitted", self.resident(), {"text": f"希望补种树木，其{self.n}。"}
        )
        opinion = self.case.opinions.filter(run__name=step, life="submitted").first()
        self.act(
            step,
            "opinion.replied",
            "residents_committee",
            {
                "opinions": [opinion.pk],
                "outcome": "adopted",
                "public_text": "希望增加车位。",
                "reason": "已经列入方案。",
            },
        )

    def objections(self, step: str) -> None:
        for _each in range(2):
            who = self.resident()
            data = {"ground": "content", "text": f"与实际不符，其{self.n}。"}
            self.act(step, "objection.raised", who, data, {"papers": [paper()]})
        words = {"public_text": "与实际不符。", "reason": "经核查，与实际相符。"}
        objection = self.case.objections.filter(run__name=step, life="raised").first()
        data = {"objections": [objection.pk], "decision": "dismissed", **words}
        self.act(step, "objection.decided", "office", data)

    def sessions(self, step: str) -> None:
        starts = clock.now() + dt.timedelta(days=3, minutes=self.n)
        data = {"starts_at": f"{starts:%Y-%m-%d %H:%M}", "place": "活动室", "agenda": "听取意见"}
        self.act(step, "meeting.called", "residents_committee", data)
        session = MeetingSession.objects.filter(run__name=step).order_by("-pk").first()
        self.act(step, "meeting.signed_up", self.resident(), {"session": session.pk})

    def progress(self) -> None:
        self.n += 1
        data = {"kind": "progress", "on": "2026-03-03", "percent": self.n, "text": "按计划施工。"}
        self.act("construction", "entry.added", "contractor", data, {"photos": [photo(self.n)]})
        data = {"kind": "finding", "on": "2026-03-03", "area": "safety", "text": "脚手架松动。"}
        self.act("construction", "entry.added", "resident_supervisor", data)
        entry = LedgerEntry.objects.filter(kind="finding").order_by("-pk").first()
        data = {"entry": entry.pk, "to": "fixed", "note": "已经加固。"}
        self.act(
            "construction", "entry.moved", "contractor", data, {"photos": [photo(500 + self.n)]}
        )

    def warranties(self) -> None:
        data = {
            "kind": "warranty",
            "item": "waterproof",
            "months": 60,
            "on": "2026-03-03",
            "text": "屋面防水层",
        }
        self.act("upkeep", "entry.added", "residents_committee", data)

    def candidates(self) -> None:
        for _each in range(2):
            data = {"name": "张三", "statement": "愿意参加监督。", "consent": True}
            if self.n < 8:
                self.act("supervisors", "candidate.enrolled", self.resident(), data)

    def survey(self) -> None:
        self.act("ask_results", "survey.answered", self.resident(), {"answer": "satisfied"})


def fill(doing: Doing) -> None:
    """More rows wherever there can be more."""
    for step in ("ask_needs", "ask_plans", "ask_results"):
        doing.opinions(step)
    doing.objections("shortlist")
    for step in ("needs_meetings", "design_session"):
        doing.sessions(step)
    doing.progress()
    doing.warranties()
    doing.candidates()
    doing.survey()


def test_what_waits_for_one_costs_the_same_with_many_cases(town):
    fill(Doing(town, everywhere_at_once(town)))
    asked = {
        (who, path): town.client(who)
        for who in (*PEOPLE, "resident")
        for path in ("/inbox/", "/my/", "/my/terms.ics")
    }
    before = {each: queries(client, each[1]) for each, client in asked.items()}
    for code in ("second", "third"):
        estate = factories.make_estate(code, stairwells=2, units=4, parent=town.street)
        factories.make_member(factories.units_of(estate)[0], town.people["resident"])
        fill(Doing(town, everywhere_at_once(town, estate.community)))
    for each, client in asked.items():
        same(before[each], queries(client, each[1]))


def test_cases_of_other_places_are_not_looked_at(town, monkeypatch):
    """A city has ten thousand cases; a person lives and serves in a few places."""
    everywhere_at_once(town)
    there = factories.make_street("other")
    elsewhere = factories.make_estate("elsewhere", parent=there).community
    stranger = factories.make_person("stranger", "office", community=there)
    monkeypatch.setattr(town.cast, "office", stranger.pk)
    everywhere_at_once(town, elsewhere)
    seen: list[str] = []
    glances = Panel.glances

    def looked(runs):
        seen.extend(run.process.community.code for run in runs)
        return glances(runs)

    monkeypatch.setattr(Panel, "glances", looked)
    assert _all(town.client("housing"))
    assert set(seen) == {"estate"}


def test_the_inbox_has_what_waits_in_every_step(town):
    """The many are looked at together; each must still be seen for what it is."""
    case = everywhere_at_once(town)
    fill(Doing(town, case))
    client = town.client("residents_committee")
    notes = {row["url"].split("#")[0]: row["note"] for row in _all(client)}
    shortlist = notes[f"/cases/{case.number}/steps/{_run(case, 'ask_needs').pk}/"]
    assert "1条意见待答复" in shortlist
    assert "6户待征求" in shortlist
    upkeep = f"/cases/{case.number}/steps/{_run(case, 'upkeep').pk}/"
    assert upkeep not in notes  # of no warranty has anybody been reminded
    run = _run(case, "upkeep")
    run.data = {"reminded": [LedgerEntry.objects.get(kind="warranty").pk]}
    run.save()
    reminded = next(row for row in _all(client) if row["url"] == upkeep)
    assert "保修：1项“保修中”" in reminded["note"]
    assert reminded["ends"] == dt.date(2031, 3, 3)
    assert "登记召开情况" in notes[f"/cases/{case.number}/steps/{_run(case, 'needs_meetings').pk}/"]
    office = {row["url"]: row["note"] for row in _all(town.client("office"))}
    assert "1件异议待核查" in office[f"/cases/{case.number}/steps/{_run(case, 'shortlist').pk}/"]
    closing = office[f"/cases/{case.number}/steps/{_run(case, 'construction').pk}/"]
    assert "工程进度尚未达到100%" in closing


def _all(client: Client) -> list[dict]:
    page = client.get("/inbox/").context["page"]
    return list(page.paginator.object_list)


def _run(case: Case, step: str) -> StepRun:
    return case.runs.filter(name=step, finished__isnull=True).latest("pk")


def test_step_pages_cost_the_same_with_many_rows(town):
    case = everywhere_at_once(town)
    doing = Doing(town, case)
    doing.act("contributions", "dues.set", "residents_committee", {"amount": "500.00"})
    fill(doing)
    clients = {who: town.client(who) for who in ("resident", "residents_committee", "office")}
    clients["nobody"] = Client()
    pages = {
        run.name: f"/cases/{case.number}/steps/{run.pk}/"
        for run in case.runs.filter(finished__isnull=True)
        if isinstance(run.flow_task, Step)
    }
    assert set(pages) == set(STEPS)
    asked = [(client, path) for client in clients.values() for path in pages.values()]
    before = [queries(client, path) for client, path in asked]
    for _each in range(3):
        fill(doing)
    for (client, path), few in zip(asked, before, strict=True):
        same(few, queries(client, path))
