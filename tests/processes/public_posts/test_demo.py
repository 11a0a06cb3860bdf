"""The demo: a call at every stage, by the one door, and nothing in it is of tomorrow."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from processes.public_posts import demo
from processes.public_posts.models import Applicant, Assessment, Holder
from workflows import calendars, clock, records, sweep
from workflows.models import Case, Record, StepRun
from workflows.parties import directory
from workflows.portal import words

STAGES = {"apply", "check", "evaluate", "vet", "publicity"}


@pytest.fixture(autouse=True)
def _ground(db: None, settings: Any):
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    directory.cache_clear()
    calendars.seed()
    yield
    directory.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("day", ["2026-11-25", "2026-03-02", "2025-10-09"])
def test_a_call_stands_at_every_stage_and_every_chain_holds(day):
    today = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(12), clock.SHANGHAI)
    with clock.at(today):
        assert len(list(demo.load(today))) == 1
    with clock.at(today):
        sweep.sweep()  # the demo looks as it was told an hour later too
        assert list(demo.load(today)) == []
    cases = Case.objects.all()
    assert len(cases) == len(demo.SCENES)
    assert all(case.demo and records.first_fault(case) is None for case in cases)
    assert not Record.objects.filter(at__gt=today).exists()
    names = StepRun.objects.filter(finished__isnull=True, flow_task_type="STEP")
    open_steps = set(names.values_list("name", flat=True))
    assert open_steps >= STAGES | {"supplement", "train", "onboard", "manage", "exit"}
    assert {"", "completed", "unfilled"} == {case.outcome for case in cases}
    lives = set(Applicant.objects.values_list("life", flat=True))
    assert lives >= {"applied", "refused", "eligible", "reserve", "publicised", "removed"}
    assert {"on_post", "notified", "left"} == set(Holder.objects.values_list("life", flat=True))
    assert Assessment.objects.filter(village__isnull=False, office=None).exists()
    bare = {
        (record.act, str(label))
        for record in Record.objects.select_related("case").prefetch_related("disclosures")
        for label, _value in words.body_lines(record.case, record)
        if str(label).isascii()
    }
    assert bare == set()
