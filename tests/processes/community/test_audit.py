"""Audit: who sees which cases, and by what they are filtered."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from processes.community.models import HouseholdMember
from tests.sandbox.opinion_procedures import Needs, Plans, Shortlist
from workflows import acts, clock, jobs, sweep
from workflows.models import Case, Community, Job, Record, StepRun
from workflows.parties import Party
from workflows.portal import audit

from .audit_cases import DAY, NOON, _fresh, fetched, opened, party, signed_in, take, town_fixture  # noqa: F401 - fixtures


def test_a_step_shows_an_auditor_what_waits_and_leads_to_no_act(town):
    case = acts.open_case(Plans, town.estate, party(town.office), title="示范问计")
    home = HouseholdMember.objects.get(person=town.resident).household.unit_id
    resident = Party("household", f"household:{home}", town.resident.pk)
    for words in ("三号楼门口要一盏灯", "二号楼门口要一个坡道"):
        done = acts.perform(case, "ask", "opinion.submitted", resident, {"text": words})
    reply = {
        "opinions": [done.fact.pk],
        "outcome": "adopted",
        "public_text": "二号楼门口要一个坡道",
        "reason": "已经列入方案，下月施工。",
    }
    acts.perform(case, "ask", "opinion.replied", party(town.office), reply)
    page = f"/cases/{case.number}/steps/{case.runs.get(name='ask').pk}/"
    ways = {}
    for person in (town.office, town.auditor):
        html = signed_in(person).get(page).text
        assert "三号楼门口要一盏灯" in html
        ways[person] = re.findall(rf'href="(/cases/{case.number}/do/[^"]+)"', html)
    assert any("reply.corrected" in way for way in ways[town.office])
    assert ways[town.auditor] == []


def numbers(person: Any, query: str = "") -> list[str]:
    response = signed_in(person).get(f"/audit/?{query}")
    assert response.status_code == 200
    return [row["number"] for row in response.context["rows"]]


class TestWhoMay:
    @pytest.mark.parametrize(
        ("who", "overview", "downloads"),
        [
            ("auditor", 200, 200),
            ("far_auditor", 200, 200),
            ("office", 403, 200),
            ("resident", 403, 403),
            (None, 302, 302),
        ],
    )
    def test_each_sees_what_is_theirs(self, town, who, overview, downloads):
        opened(town)
        client = signed_in(who and getattr(town, who))
        assert client.get("/audit/").status_code == overview
        assert client.get("/audit/take/").status_code == overview
        assert client.get("/audit/downloads/").status_code == downloads
        assert (">审计</a>" in client.get("/").text) == (who in ("auditor", "far_auditor"))

    def test_cases_of_the_place_and_of_those_below_it_alone(self, town):
        here, there = opened(town), opened(town, far=True)
        assert numbers(town.auditor) == [here.number]
        assert numbers(town.far_auditor) == [there.number]

    @pytest.mark.parametrize("who", ["far_auditor", "office", "resident", None])
    def test_nobody_else_takes_an_archive(self, town, who):
        case = opened(town)
        client = signed_in(who and getattr(town, who))
        for kind in ("public", "full"):
            response = client.post("/audit/take/", {"case": [case.number], "kind": kind})
            assert response.status_code in (302, 403)
            assert "/jobs/" not in response.get("Location", "")
        assert not Job.objects.exists()
        assert not Record.objects.filter(act="trail.downloaded").exists()

    def test_an_archive_is_for_the_one_who_asked_while_they_audit(self, town):
        address = fetched(signed_in(town.auditor), [opened(town)], "full")
        assert jobs.run_waiting() == 1
        assert signed_in(town.second).get(address).status_code == 404
        assert signed_in(town.second).get(f"{address}file/").status_code == 404
        assert signed_in(None).get(f"{address}file/").status_code == 404
        town.auditor.roles.update(until=NOON.date() - DAY)
        assert signed_in(town.auditor).get(f"{address}file/").status_code == 403

    def test_a_role_that_ended_before_the_work_takes_nothing(self, town):
        case = opened(town)
        address = fetched(signed_in(town.auditor), [case], "full")
        town.auditor.roles.update(until=NOON.date() - DAY)
        jobs.run_waiting()
        assert not Record.objects.filter(act="trail.downloaded").exists()
        page = signed_in(town.auditor).get(address).text
        assert "有 1 件没有放进去" in page
        assert case.number in page


class TestFilters:
    def test_by_procedure_place_words_and_state(self, town):
        errand = opened(town, "修路灯")
        notice = acts.open_case(Shortlist, town.estate, party(town.office), title="示范公示")
        acts.perform(notice, "case", "case.suspended", party(town.office), {"reason": "汛期。"})
        assert numbers(town.auditor) == [notice.number, errand.number]
        assert numbers(town.auditor, "procedure=errand") == [errand.number]
        assert numbers(town.auditor, "q=路灯") == [errand.number]
        assert numbers(town.auditor, f"q={notice.number}") == [notice.number]
        assert numbers(town.auditor, "state=open") == [errand.number]
        assert numbers(town.auditor, "state=suspended") == [notice.number]
        assert numbers(town.auditor, "state=done") == []
        assert len(numbers(town.auditor, "place=street")) == 2
        assert len(numbers(town.auditor, "place=near")) == 2
        # A place that is not theirs is no choice.
        assert numbers(town.auditor, "place=far") == []

    def test_by_the_days_on_which_they_were_opened_or_closed(self, town):
        first = opened(town)
        with clock.at(NOON + 5 * DAY):
            second = opened(town)
        Case.objects.filter(pk=first.pk).update(finished=NOON + 9 * DAY)
        assert numbers(town.auditor, "since=2026-06-16") == [second.number]
        assert numbers(town.auditor, "until=2026-06-15") == [first.number]
        assert numbers(town.auditor, "since=2026-06-15&until=2026-06-20") == [
            second.number,
            first.number,
        ]
        assert numbers(town.auditor, "by=finished&since=2026-06-24&until=2026-06-24") == [
            first.number
        ]
        assert numbers(town.auditor, "by=finished&since=2026-06-25") == []
        assert numbers(town.auditor, "sort=created") == [first.number, second.number]
        assert numbers(town.auditor, "sort=-finished") == [first.number, second.number]
        wrong = signed_in(town.auditor).get("/audit/?since=2026-06-20&until=2026-06-01")
        assert "结束日期不能早于开始日期" in wrong.text
        assert wrong.context["rows"] == []

    def test_terms_broken_and_kept(self, town):
        late, slow, prompt = (opened(town, title) for title in ("过期", "晚办", "及时"))
        acts.perform(prompt, "write", "task.done", party(town.office), {"text": "好。"})
        after = late.runs.get(name="write").ends_at
        with clock.at(after):
            # Done after its day, before the clock looked.
            acts.perform(slow, "write", "task.done", party(town.office), {"text": "好。"})
            sweep.sweep()
        assert numbers(town.auditor, "term=broken") == [slow.number, late.number]
        assert numbers(town.auditor, "term=kept") == [prompt.number]
        with clock.at(after + DAY):
            # Made good: it has been broken all the same.
            acts.perform(late, "write", "task.done", party(town.office), {"text": "好。"})
            assert numbers(town.auditor, "term=broken") == [slow.number, late.number]
            page = signed_in(town.auditor).get("/audit/?term=broken").text
        assert f"#run-{late.runs.get(name='write').pk}" in page

    def test_a_period_that_stood_its_days_is_kept(self, town):
        notice = acts.open_case(Shortlist, town.estate, party(town.office), title="示范公示")
        run = StepRun.objects.filter(process=notice, ends_at__isnull=False).get()
        with clock.at(run.ends_at + dt.timedelta(hours=3)):
            assert sweep.sweep() == 1
            run.refresh_from_db()
            assert run.finished > run.ends_at
            assert numbers(town.auditor, "term=kept") == [notice.number]

    def test_an_objection_past_its_day_breaks_a_term(self, town):
        notice = acts.open_case(Shortlist, town.estate, party(town.office), title="示范公示")
        name = StepRun.objects.get(process=notice, ends_at__isnull=False).name
        household = Party(
            "household", f"household:{town.resident.households.get().household.unit_id}"
        )
        raised = acts.perform(
            notice,
            name,
            "objection.raised",
            Party(household.role, household.key, town.resident.pk),
            {"ground": "content", "text": "不同意。"},
        ).fact
        assert numbers(town.auditor, "term=broken") == []
        with clock.at(raised.due_at):
            assert numbers(town.auditor, "term=broken") == [notice.number]
            acts.perform(
                notice,
                name,
                "objection.decided",
                party(town.office),
                {
                    "objections": [str(raised.pk)],
                    "decision": "dismissed",
                    "reason": "已与现场核对，距离符合规定。",
                    "public_text": "不同意该项安排。",
                },
            )
            assert numbers(town.auditor, "term=broken") == [notice.number]


@pytest.mark.parametrize(
    ("over", "provisional", "done", "by_clock", "broken"),
    [
        (False, False, True, False, False),  # done in time
        (False, False, False, True, False),  # still time
        (True, False, False, True, True),  # ran out undone
        (True, False, True, False, True),  # done by a party, too late
        (True, False, True, True, False),  # stood its days and was ended by the clock
        (True, True, False, True, False),  # nobody is late by a guess
        (True, True, True, False, False),
    ],
)
def test_when_a_term_is_broken(over, provisional, done, by_clock, broken):
    run = StepRun(ends_at=NOON, provisional=provisional)
    now = NOON if over else NOON - dt.timedelta(seconds=1)
    assert run.breaks_term(now, done=done, by_clock=by_clock) is broken


def test_without_a_term_none_is_broken():
    assert not StepRun().breaks_term(NOON, done=False, by_clock=True)


class TestLists:
    def test_queries_do_not_grow_with_the_cases(self, town):
        client = signed_in(town.auditor)
        opened(town)

        def asked(address: str) -> int:
            with CaptureQueriesContext(
                connection,
            ) as caught:
                assert client.get(address).status_code == 200
            return len(caught)

        few = asked("/audit/?term=kept")
        for number in range(5):
            case = opened(town, f"第{number}件")
            Case.objects.filter(pk=case.pk).update(created=NOON + DAY)
        StepRun.objects.update(broken_at=NOON)
        assert asked("/audit/?term=broken") == few
        assert few <= 16

    def test_queries_do_not_grow_with_the_downloads(self, town):
        client = signed_in(town.auditor)

        def asked() -> int:
            with CaptureQueriesContext(connection) as caught:
                assert client.get("/audit/downloads/").status_code == 200
            return len(caught)

        take(town.auditor, opened(town, "甲"))
        few = asked()
        for who in (town.auditor, town.second):
            take(who, opened(town, "乙"))
        assert asked() == few
        assert few <= 14

    def test_ten_thousand_cases_are_read_by_indexes(self, town):
        places = list(Community.objects.values_list("pk", flat=True))
        for query in ("term=broken", "term=kept", "by=finished&since=2026-06-01", ""):
            form = audit.CaseFilter(
                dict(pair.split("=") for pair in query.split("&") if pair), places
            )
            plan = planned(form.found()[:30])
            by_broken = "run_broken_term" in plan or "run_term_broken_at" in plan
            assert by_broken or "term" not in query
            assert "case_newest" in plan or "community" in plan or "case_ended_last" in plan
            for line in plan.splitlines():
                # Of every table but the (few) communities, rows are found, not searched.
                assert "SCAN workflows_steprun" not in line
                assert "Seq Scan on workflows_steprun" not in line

    def test_empty_states_say_what_to_do(self, town):
        client = signed_in(town.auditor)
        assert "没有符合条件的事项" in client.get("/audit/").text
        assert "没有调取过" in client.get("/audit/downloads/").text
        assert "还没有选择事项" in client.get("/audit/take/").text

    def test_pages_of_thirty(self, town, monkeypatch):
        monkeypatch.setattr(audit, "PER_PAGE", 2)
        for number in range(3):
            opened(town, f"第{number}件")
        assert len(numbers(town.auditor)) == 2
        assert len(numbers(town.auditor, "page=2")) == 1


def planned(found: Any) -> str:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    return found.explain()


def test_needs_procedure_is_filtered_too(town):
    """A case whose procedure has steps without any term is neither late nor lost."""
    case = acts.open_case(Needs, town.estate, party(town.office), title="示范征求意见")
    assert numbers(town.auditor, "term=kept&procedure=sandbox_needs") == [case.number]
