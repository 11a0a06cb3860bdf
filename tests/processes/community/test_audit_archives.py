"""Archives of trails for auditors: what is in them, who took what, how long they are kept."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import zipfile
from typing import Any

import pikepdf
import pytest
from django.test import Client

from workflows import clock, jobs
from workflows.models import Case, Job, Record, TrailDownload
from workflows.portal import audit
from workflows.records import log
from workflows.records.trail import archive, make, press

from .audit_cases import DAY, NOON, _fresh, fetched, opened, signed_in, take, town_fixture  # noqa: F401 - fixtures


def unpacked(client: Client, address: str) -> dict[str, bytes]:
    response = client.get(f"{address}file/")
    assert response.status_code == 200
    assert response["Cache-Control"] == "private, no-store"
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as held:
        assert held.testzip() is None
        return {name: held.read(name) for name in held.namelist()}


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
