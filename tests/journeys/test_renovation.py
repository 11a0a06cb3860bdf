"""One old estate from application to a closed case, by way of the pages.

Named after the source article: 自下而上申请、联合审查入围; 逐户发放填写《老旧小区改造意见征求表》;
意见件件有回应、可查询; 在楼道公告栏公示20天; 居民出资到账情况; 工程监督员;
联合验收+综合评分+长效管理.
"""

from __future__ import annotations

import json

import pytest

from workflows import clock, records
from workflows.models import Opinion

from .renovation_asking import (
    asking_needs,
    ballot_lost_by_area_then_carried_at_three_quarters,
    joint_review,
    survey_and_application,
)
from .renovation_building import (
    acceptance_fails_once,
    design,
    money_tender_and_supervisors,
    publicity_over_national_day_with_an_upheld_objection,
    results_and_upkeep,
    works,
)
from .renovation_walk import Journey, at

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.city]


def test_an_old_estate_from_application_to_a_closed_case(town, walker, clerk):
    clock.set_now(at(3, 2))
    go = Journey(town, walker, clerk)
    survey_and_application(go)
    joint_review(go)
    asking_needs(go)
    ballot_lost_by_area_then_carried_at_three_quarters(go)
    design(go)
    publicity_over_national_day_with_an_upheld_objection(go)
    money_tender_and_supervisors(go)
    works(go)
    acceptance_fails_once(go)
    results_and_upkeep(go)

    case = go.case()
    assert case.outcome == "completed"
    assert records.first_fault(case) is None
    assert all(opinion.life != "submitted" for opinion in Opinion.objects.all())
    keys = [f'"{household.unit.label}' for household in town.households]
    for record in case.records.all():
        assert "household:" not in record.canonical
        assert record.canonical.isascii()  # codes and numbers; words stand beside it
        assert not any(key in json.dumps(record.body, ensure_ascii=False) for key in keys)

    reader = walker(None, javascript=False)
    reader.go(f"/cases/{go.number}/")
    reader.sees("办结", "全过程", "联合验收", "长效管理表决")
    reader.go(f"/verify/?case={go.number}")
    reader.sees("全部衔接完好")
