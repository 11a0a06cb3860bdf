"""The auditor's pages: who may, what the filters find, archives, who took what."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pikepdf
import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import make_estate, make_member, make_person, make_street, units_of
from tests.sandbox.core_procedures import Errand
from tests.sandbox.opinion_procedures import Needs, Shortlist
from workflows import acts, calendars, clock, jobs, sweep
from workflows.models import Case, Community, Job, Record, StepRun, TrailDownload
from workflows.parties import Party, directory
from workflows.portal import audit
from workflows.records import log
from workflows.records.trail import archive, make, press, seal

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _fresh(db: None, settings: Any, tmp_path: Any) -> Iterator[None]:
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    settings.SANWEN_STAFF_TOTP = False
    settings.RATELIMIT_ENABLE = False
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.DEMO = True
    settings.SANWEN_TRAIL_DEMO = tmp_path / "demo"
    directory.cache_clear()
    seal.signer.cache_clear()
    cache.clear()
    calendars.seed()
    with clock.at(NOON):
        yield
    directory.cache_clear()
    seal.signer.cache_clear()


@pytest.fixture
def town() -> SimpleNamespace:
    """Two sub-districts with an estate each; the office and the auditor serve in the first."""
    street, other = make_street("street", "示范街道"), make_street("other", "别的街道")
    estate, far = make_estate("near", parent=street), make_estate("far", parent=other)
    return SimpleNamespace(
        street=street,
        other=other,
        estate=estate.community,
        far=far.community,
        office=make_person("office", "office", community=street, name="示范经办"),
        far_office=make_person("far_office", "office", community=other),
        auditor=make_person("auditor", "auditor", community=street, name="示范审计甲"),
        second=make_person("second", "auditor", community=street, name="示范审计乙"),
        far_auditor=make_person("far_auditor", "auditor", community=other),
        resident=make_member(units_of(estate)[0]).person,
    )


def party(person: Any, role: str = "office") -> Party:
    return Party(role, f"person:{person.pk}", person.pk)


def opened(town: SimpleNamespace, title: str = "示范差事", *, far: bool = False) -> Case:
    place, office = (town.far, town.far_office) if far else (town.estate, town.office)
    return acts.open_case(Errand, place, party(office), title=title)


def signed_in(person: Any) -> Client:
    client = Client()
    if person is not None:
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def numbers(person: Any, query: str = "") -> list[str]:
    response = signed_in(person).get(f"/audit/?{query}")
    assert response.status_code == 200
    return [row["number"] for row in response.context["rows"]]


def fetched(client: Client, cases: list[Case], kind: str = "public") -> str:
    """Ask for an archive; the address of its job."""
    sent = {"case": [case.number for case in cases], "kind": kind}
    response = client.post("/audit/take/", sent)
    assert response.status_code == 302, response.text
    return response["Location"]


def unpacked(client: Client, address: str) -> dict[str, bytes]:
    response = client.get(f"{address}file/")
    assert response.status_code == 200
    assert response["Cache-Control"] == "private, no-store"
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as held:
        assert held.testzip() is None
        return {name: held.read(name) for name in held.namelist()}


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


def take(person: Any, case: Case) -> acts.Done:
    return acts.perform(case, "case", "trail.downloaded", party(person, "auditor"))


class TestArchives:
    def test_it_holds_each_trail_the_manifest_and_the_sums(self, town):
        cases = [opened(town, "甲事"), opened(town, "乙事")]
        while log.integrate():
            pass
        client = signed_in(town.auditor)
        address = fetched(client, cases)
        assert "<progress" in client.get(address).text
        assert jobs.run_waiting() == 1
        assert f'href="{address}file/"' in client.get(address).text
        held = unpacked(client, address)
        names = [f"{case.number}-trail.pdf" for case in cases]
        assert set(held) == {*names, "manifest.json", "SHA256SUMS"}
        manifest = json.loads(held["manifest.json"])
        assert manifest["kind"] == "public"
        assert manifest["asked_by"] == {"role": "auditor", "name": "示范审计甲"}
        assert manifest["asked_at"] == "2026-06-15T12:00:00+08:00"
        assert manifest["left_out"] == []
        assert manifest["log"]["size"] == log.latest().size
        assert manifest["log"]["checkpoint"] == log.signed_note(log.latest())
        for case, row in zip(cases, manifest["cases"], strict=True):
            case.refresh_from_db()
            pdf = held[row["file"]]
            assert pdf.startswith(b"%PDF")
            assert (row["case"], row["size"]) == (case.number, len(pdf))
            assert row["sha256"] == hashlib.sha256(pdf).hexdigest()
            assert (row["records"], row["head"]) == (case.length, bytes(case.head).hex())
        sums = dict(reversed(line.split("  ")) for line in held["SHA256SUMS"].decode().splitlines())
        assert sums == {
            name: hashlib.sha256(content).hexdigest()
            for name, content in held.items()
            if name != "SHA256SUMS"
        }

    def test_public_trails_leave_no_record_but_are_noted(self, town):
        case = opened(town)
        fetched(signed_in(town.auditor), [case])
        jobs.run_waiting()
        assert not Record.objects.filter(act="trail.downloaded").exists()
        row = TrailDownload.objects.get()
        assert (row.case, row.user, row.full, row.record) == (case, town.auditor, False, None)

    def test_full_trails_are_a_record_of_each_case_and_in_its_trail(self, town):
        cases = [opened(town, "甲事"), opened(town, "乙事")]
        client = signed_in(town.auditor)
        address = fetched(client, cases, "full")
        jobs.run_waiting()
        held = unpacked(client, address)
        for case in cases:
            record = Record.objects.get(case=case, act="trail.downloaded")
            assert record.content["party"]["role"] == "auditor"
            row = TrailDownload.objects.get(case=case)
            assert (row.record, row.full, row.archived) == (record, True, True)
            with pikepdf.open(io.BytesIO(held[f"{case.number}-trail-full.pdf"])) as pdf:
                lines = pdf.attachments["records.jsonl"].get_file().read_bytes().splitlines()
                proofs = pdf.attachments["proofs.jsonl"].get_file().read_bytes().splitlines()
            assert lines[-1].decode() == record.canonical
            assert len(proofs) == len(lines)

    @pytest.mark.parametrize("kind", ["public", "full"])
    def test_killed_half_way_it_is_made_again_without_doubling(self, town, monkeypatch, kind):
        cases = [opened(town, "甲事"), opened(town, "乙事")]
        client = signed_in(town.auditor)
        address = fetched(client, cases, kind)
        whole = archive._put

        def killed(zipped: Any, case: Case, *rest: Any) -> Any:
            if case.title == "乙事":
                raise SystemExit
            return whole(zipped, case, *rest)

        monkeypatch.setattr(archive, "_put", killed)
        with pytest.raises(SystemExit):
            jobs.run_waiting()
        assert Job.objects.get().state == "running"
        monkeypatch.setattr(archive, "_put", whole)
        with clock.at(NOON + jobs.LEASE + dt.timedelta(seconds=1)):
            assert jobs.run_waiting() == 1
        expected = 2 if kind == "full" else 0
        assert Record.objects.filter(act="trail.downloaded").count() == expected
        assert TrailDownload.objects.count() == 2
        assert len(unpacked(client, address)) == 4

    def test_one_that_cannot_be_printed_is_left_out_and_said(self, town, monkeypatch):
        cases = [opened(town, "甲事"), opened(town, "乙事")]
        whole = make.public

        def fails(case: Case, *rest: Any) -> Any:
            if case.title == "乙事":
                raise press.PressFailed("no paper")
            return whole(case, *rest)

        monkeypatch.setattr(make, "public", fails)
        client = signed_in(town.auditor)
        address = fetched(client, cases)
        jobs.run_waiting()
        manifest = json.loads(unpacked(client, address)["manifest.json"])
        assert [row["case"] for row in manifest["cases"]] == [cases[0].number]
        assert manifest["left_out"] == [{"case": cases[1].number, "why": "案卷没有排印成功。"}]
        assert cases[1].number in client.get(address).text

    def test_it_expires_and_the_note_stays(self, town, tmp_path):
        fetched(signed_in(town.auditor), [opened(town)])
        jobs.run_waiting()
        with clock.at(NOON + jobs.KEPT + dt.timedelta(seconds=1)):
            jobs.run_waiting()
        assert not Job.objects.exists()
        assert not list((tmp_path / "media" / "jobs").iterdir())
        assert TrailDownload.objects.get().archived

    def test_erasing_data_of_a_case_takes_archives_with_it_away(self, town, tmp_path):
        cases = [opened(town, "甲事"), opened(town, "乙事")]
        fetched(signed_in(town.auditor), cases, "full")
        jobs.run_waiting()
        make.forget(cases[1])
        assert not Job.objects.exists()
        assert not list((tmp_path / "media" / "jobs").iterdir())

    def test_erased_while_it_is_made_nothing_of_it_is_kept(self, town, tmp_path, monkeypatch):
        cases = [opened(town, "甲事"), opened(town, "乙事")]
        fetched(signed_in(town.auditor), cases, "full")
        log_before = archive._log

        def erased() -> Any:
            make.forget(cases[0])
            return log_before()

        monkeypatch.setattr(archive, "_log", erased)
        jobs.run_waiting()
        assert not Job.objects.exists()
        folder = tmp_path / "media" / "jobs"
        assert not folder.exists() or not list(folder.iterdir())

    def test_all_that_match_with_the_filter(self, town):
        wanted = opened(town, "路灯甲"), opened(town, "路灯乙")
        opened(town, "别的事")
        page = signed_in(town.auditor).get("/audit/take/?q=路灯&which=all")
        assert "2 件，共" in page.text
        for case in wanted:
            assert f'name="case" value="{case.number}"' in page.text

    def test_too_many_are_refused_in_plain_words(self, town, monkeypatch):
        monkeypatch.setattr(audit, "MOST", 2)
        cases = [opened(town, f"第{number}件") for number in range(3)]
        client = signed_in(town.auditor)
        page = client.get("/audit/take/?which=all").text
        assert "符合条件的有 3 件，一次最多调取 2 件" in page
        assert "登记并开始制作" not in page
        sent = client.post("/audit/take/", {"case": [case.number for case in cases]})
        assert sent.status_code == 422
        assert not Job.objects.exists()


class TestWhoTookWhat:
    def test_names_are_for_overseers_and_auditors(self, town):
        case = opened(town)
        take(town.auditor, case)
        for who in (town.office, town.second):
            page = signed_in(who).get("/audit/downloads/").text
            assert "示范审计甲" in page
            assert f"/cases/{case.number}/records/{case.records.count() - 1}/" in page
        assert "示范审计甲" not in signed_in(town.far_auditor).get("/audit/downloads/").text
        record = Record.objects.get(act="trail.downloaded")
        for address in (f"/cases/{case.number}/", f"/cases/{case.number}/records/{record.seq}/"):
            assert "示范审计甲" not in signed_in(None).get(address).text
        assert "谁调取过案卷" in signed_in(town.office).get(f"/cases/{case.number}/").text
        assert "谁调取过案卷" not in signed_in(town.resident).get(f"/cases/{case.number}/").text

    def test_by_case_person_kind_and_day(self, town):
        first, second = opened(town, "甲事"), opened(town, "乙事")
        take(town.auditor, first)
        with clock.at(NOON + DAY):
            take(town.second, second)
        client = signed_in(town.office)

        def found(query: str) -> list[str]:
            rows = client.get(f"/audit/downloads/?{query}").context["rows"]
            return [row["case"].title for row in rows]

        assert found("") == ["乙事", "甲事"]
        assert found(f"case={first.number}") == ["甲事"]
        assert found(f"person={town.second.pk}") == ["乙事"]
        assert found(f"person={town.far_auditor.pk}") == []
        assert found("kind=full") == ["乙事", "甲事"]
        assert found("kind=public") == []
        assert found("since=2026-06-16") == ["乙事"]
        assert found("until=2026-06-15") == ["甲事"]

    def test_a_closed_account_leaves_the_row(self, town):
        take(town.second, opened(town))
        town.second.roles.all().delete()
        town.second.delete()
        assert "账号已删除" in signed_in(town.office).get("/audit/downloads/").text


def test_needs_procedure_is_filtered_too(town):
    """A case whose procedure has steps without any term is neither late nor lost."""
    case = acts.open_case(Needs, town.estate, party(town.office), title="示范征求意见")
    assert numbers(town.auditor, "term=kept&procedure=sandbox_needs") == [case.number]
