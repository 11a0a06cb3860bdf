"""The demo: estates at every stage, by the one door, and never among real cases."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.core.management import CommandError, call_command

from processes.community.models import Person
from processes.renovation import demo
from sanwen import trailtext
from sanwen.verify import Trust, verify
from tests.pdfs import text_of
from workflows import acts, calendars, clock, records
from workflows.models import Case, Community, Record
from workflows.parties import Party, directory
from workflows.portal import words
from workflows.records import log
from workflows.records.trail import make, seal
from workflows.records.trail import words as trail_words


@pytest.fixture(autouse=True)
def _ground(db, settings):
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    directory.cache_clear()
    calendars.seed()
    yield
    directory.cache_clear()


@pytest.mark.slow
def test_the_demo_has_every_stage_and_every_chain_holds(client, settings, tmp_path):
    today = dt.datetime(2026, 11, 24, 12, tzinfo=clock.SHANGHAI)
    with clock.at(today):
        assert len(list(demo.load(today))) == len(demo.SCENES)
    assert all(case.demo for case in Case.objects.all())
    assert all(records.first_fault(case) is None for case in Case.objects.all())
    assert not Record.objects.filter(at__gt=today + dt.timedelta(days=1)).exists()
    _in_words()
    stopped = Case.objects.get(parent=None, outcome="not_shortlisted")
    page = client.get(stopped.get_absolute_url()).content.decode()
    assert page.count("（未经过）") == len(stopped.declared.steps()) - 3  # 摸底、申请、联合审查
    outcomes = set(Case.objects.filter(parent=None).values_list("outcome", flat=True))
    assert {"", "completed", "not_shortlisted"} <= outcomes
    assert Case.objects.filter(suspended_at__isnull=False).exists()
    with clock.at(today):
        _trail_holds(settings, tmp_path)
    before = Record.objects.count()
    with clock.at(today):
        assert list(demo.load(today)) == []
    assert Record.objects.count() == before


def _trail_holds(settings, tmp_path):
    """The trail of a whole renovation, every kind of step in it, under the verifier."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.DEMO = True
    settings.SANWEN_TRAIL_DEMO = tmp_path / "demo"
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "log.key"
    seal.signer.cache_clear()
    while log.integrate():
        pass
    case = Case.objects.get(parent=None, outcome="completed")
    path = tmp_path / "trail.pdf"
    with make.public(case, f"https://sanwen.example.org{case.get_absolute_url()}") as held:
        path.write_bytes(held.read())
    text = text_of(path.read_bytes())
    assert "计票明细" in text
    for code in ("met：", "：heads", "：area", "cal=", "counted=", "标段：design"):
        assert code not in text, code
    found = verify(str(path), Trust([log.signer().verifier]))
    seal.signer.cache_clear()
    assert found.first_fault is None, [line.text("en") for line in found.lines]


def _in_words():
    """No field or value of any record is shown under the name that the programme gives it."""
    shown = [
        (record.act, str(label), str(value))
        for record in Record.objects.select_related("case").prefetch_related("disclosures")
        for label, value in words.body_lines(record.case, record)
    ]
    assert {(act, label) for act, label, _value in shown if label.isascii()} == set()
    code = re.compile(r"(?<![\w./@-])[a-z][a-z_]{2,}(?![\w./@-])", re.ASCII)
    assert {row for row in shown if code.search(row[2])} == set()
    _private_in_words()


def _private_in_words():
    """The same of what a full trail opens beside the record."""
    tables = {}
    bare = set()
    rows = Record.objects.select_related("case").prefetch_related("disclosures")
    for record in rows.filter(disclosures__public=False).distinct():
        case = record.case
        kind = (case.procedure, case.version)
        table = tables[kind] = tables.get(kind) or trail_words.table(case)
        opened = [row.encoded for row in record.disclosures.all() if row.encoded]
        for line in trailtext.lines(record.canonical, opened, table):
            bare |= {(record.act, name) for name in re.findall(r"^([a-z_]+)（不公开）", line)}
    assert tables
    assert bare == set()


def test_a_database_with_real_cases_is_left_alone(settings):
    settings.SANWEN_DIRECTORY = "tests.sandbox.directory.SandboxDirectory"
    directory.cache_clear()
    from tests.sandbox.core_procedures import Errand

    estate = Community.objects.create(code="real", name="某小区", kind="estate")
    acts.open_case(Errand, estate, Party("office", "person:1"), title="真事")
    with pytest.raises(CommandError):
        call_command("load_demo")
    assert Case.objects.count() == 1


def test_accounts_without_a_case_are_enough_to_be_left_alone():
    Person.objects.create_user("wang")
    with pytest.raises(CommandError, match="left alone"):
        call_command("load_demo", check=True)
    with pytest.raises(CommandError, match="left alone"):
        call_command("load_demo")
    assert Person.objects.count() == 1
