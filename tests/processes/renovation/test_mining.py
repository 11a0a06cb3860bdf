"""Event logs of finished renovations: pm4py reads them and finds the declared order again."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from pathlib import Path

import pm4py
import pytest
from django.core.cache import cache
from django.test import Client

from processes.community import demo as ground
from processes.community import generator, rolls
from processes.community.models import Estate, Person
from processes.community.roll_preview import preview
from processes.renovation import demo
from processes.renovation.procedure import Renovation
from processes.renovation.story import Story
from workflows import calendars, clock
from workflows.models import Case, Community, StepRun
from workflows.parties import directory
from workflows.steps.base import Step
from workflows.steps.nodes import Closing, Together

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

START = dt.datetime(2025, 3, 4, 10, tzinfo=clock.SHANGHAI)


@pytest.fixture(scope="module")
def logs(django_db_setup, django_db_blocker, tmp_path_factory):
    """Two renovations, walked to their ends: one goes straight, one back twice. The files of the
    whole procedure, as anyone downloads them, and what the database says of the steps' order."""
    from django.conf import settings
    from django.db import transaction

    folder = tmp_path_factory.mktemp("logs")
    before = settings.SANWEN_DIRECTORY
    settings.SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
    directory.cache_clear()
    with django_db_blocker.unblock(), transaction.atomic():
        cache.clear()
        calendars.seed()
        cast = demo._people(START)
        walked(estate("one", cast), cast).finish()
        back_and_forth(walked(estate("two", cast), cast))
        for name in ("log.xes", "ocel.json"):
            answer = Client().get(f"/procedures/renovation/{name}")
            (folder / name).write_bytes(b"".join(answer))
        went = {case.number: steps_of(case) for case in Case.objects.filter(parent=None)}
        transaction.set_rollback(True)
    clock.set_now(None)
    settings.SANWEN_DIRECTORY = before
    directory.cache_clear()
    return folder, went


def estate(code, cast) -> Community:
    """An estate of eight heads."""
    community = Community.objects.create(
        code=code,
        name=f"示范小区{code}",
        kind="estate",
        parent=Community.objects.get(code=ground.SUBDISTRICT),
    )
    made = Estate.objects.create(community=community)
    rows = generator.generate(seed=1, blocks=1, heads=8, area=64_000)
    seen = preview(generator.as_csv(rows), "roll.csv")
    rolls.apply_roll(seen, made, seen.totals, Person.objects.get(pk=cast.committee))
    return community


def walked(community, cast) -> Story:
    return Story(community, cast, START, title=f"{community.name}改造", demo=False)


def back_and_forth(story: Story) -> None:
    """An objection to the design is upheld, and the first acceptance fails."""
    story.until("design_publicity").upheld_objection()
    story.drawings()
    for stage in Story.STAGES[Story.STAGES.index("design_publicity") :]:
        if stage == "acceptance":
            story.acceptance("residents")
        else:
            getattr(story, stage)()


def steps_of(case: Case) -> list[str]:
    """The steps of a case in the order in which they were done, by the database."""
    runs = StepRun.objects.filter(process=case, finished__isnull=False).order_by("finished", "pk")
    return [run.name for run in runs if isinstance(run.flow_task, Step)]


# --- what procedure.py declares


def following(node) -> set[str]:
    """The steps that may open when a node is done, through forks and meetings."""
    return {name for edge in node._outgoing() for name in opened_by(edge.dst)}


def opened_by(node) -> set[str]:
    """The steps that open when a token comes to a node."""
    if isinstance(node, Step):
        return {node.name}
    return set() if isinstance(node, Closing) else following(node)


DECLARED = {step.name: following(step) for step in Renovation.steps()}


def reached(name: str) -> set[str]:
    """The steps that may come after a step, however long after."""
    found: set[str] = set()
    ahead = set(DECLARED[name])
    while ahead:
        found |= ahead
        ahead = {after for step in ahead for after in DECLARED[step]} - found
    return found


def beside() -> set[tuple[str, str]]:
    """Pairs of steps that run beside one another: on different branches of one fork."""
    found = set()
    for node in Renovation._nodes_by_name.values():
        if not isinstance(node, Together):
            continue
        branches = [
            {edge.dst.name} | (reached(edge.dst.name) - set().union(*meet(edge.dst.name)))
            for edge in node._outgoing()
        ]
        for one in branches:
            for other in branches:
                if one is not other:
                    found |= {(a, b) for a in one for b in other}
    return found


def meet(name: str) -> list[set[str]]:
    """What lies behind the meeting of a branch: the steps that every way from it comes to."""
    return [{after} | reached(after) for after in AFTER_MEETING if after in reached(name)]


AFTER_MEETING = {
    after
    for node in Renovation._nodes_by_name.values()
    if type(node).__name__ == "Meet"
    for after in following(node)
}


# --- what pm4py finds


def done_steps(frame):
    """The events that complete steps, named by their steps."""
    done = frame[frame["act"] == "step.completed"].copy()
    done["concept:name"] = done["step"]
    return done


@pytest.fixture
def xes(logs):
    folder, _went = logs
    return pm4py.read_xes(str(folder / "log.xes"))


@pytest.fixture
def ocel(logs):
    folder, _went = logs
    return pm4py.read_ocel2_json(str(folder / "ocel.json"))


def test_the_log_holds_the_cases_with_their_steps_in_order(logs, xes):
    _folder, went = logs
    assert len(went) == 2
    found = defaultdict(list)
    for row in done_steps(xes).to_dict("records"):
        found[row["case:concept:name"]].append(row["concept:name"])
    assert dict(found) == went


def test_each_step_follows_one_that_it_is_declared_to_follow(xes):
    moves = xes[xes["act"].isin(["step.opened", "step.completed"])].copy()
    moves["concept:name"] = moves["step"] + "+" + moves["lifecycle:transition"]
    edges, starts, ends = pm4py.discover_dfg(moves)
    last = {
        f"{step.name}+complete"
        for step in Renovation.steps()
        if Renovation.step("completed") in step.outcomes_to.values()
    }
    assert set(starts) == {"survey+start"}
    assert set(ends) == last
    # In the record a step opens in the act that completed the one before it.
    seen = defaultdict(set)
    for before, after in edges:
        first, how = before.rsplit("+", 1)
        second, then = after.rsplit("+", 1)
        if (how, then) == ("complete", "start"):
            seen[first].add(second)
    apart = beside()
    wrong = {
        (first, second)
        for first, after in seen.items()
        for second in after
        if second not in DECLARED[first] and (first, second) not in apart
    }
    assert not wrong
    assert {"choose_return", "ask_results"} & seen["design_publicity"]
    assert seen["choose_return"] == {"drawings"}
    assert "rectify" in seen["acceptance"]
    assert seen["rectify"] == {"acceptance"}


def test_the_discovered_order_of_all_steps_is_the_declared_one(xes):
    prints = pm4py.discover_footprints(done_steps(xes))
    apart = beside()
    backwards = {
        (first, second)
        for first, second in prints["sequence"]
        if second not in reached(first) and (first, second) not in apart
    }
    assert not backwards
    # Every edge of procedure.py that an outcome of these cases led along was found again.
    done = done_steps(xes)
    travelled = {
        (step, after)
        for step, outcome in set(zip(done["step"], done["body.outcome"], strict=True))
        for after in opened_by(Renovation.step(step).outcomes_to[outcome])
        if not any(step in pair or after in pair for pair in apart)
    }
    assert {("choose_return", "drawings"), ("rectify", "acceptance")} <= travelled
    assert travelled <= set(prints["sequence"]) | set(prints["parallel"])


def test_a_discovered_model_replays_the_cases(xes):
    done = done_steps(xes)
    net, first, last = pm4py.discover_petri_net_inductive(done)
    assert pm4py.fitness_token_based_replay(done, net, first, last)["log_fitness"] == 1
    steps = {transition.label for transition in net.transitions if transition.label}
    assert steps == set(done["concept:name"])


def test_the_object_centric_log_tells_the_same(logs, xes, ocel):
    _folder, went = logs
    assert {"case", "step", "party", "opinion", "objection", "meeting", "vote"} <= set(
        pm4py.ocel_get_object_types(ocel)
    )
    flat = pm4py.ocel_flattening(ocel, "case")
    found = defaultdict(list)
    for row in flat[flat["act"] == "step.completed"].to_dict("records"):
        found[row["case:concept:name"]].append(row["step"])
    assert {number: steps for number, steps in found.items() if number in went} == went
    # With the tender's lots, which are cases of their own and parts of these.
    assert len(found) > len(went)
    parts = ocel.o2o[ocel.o2o["ocel:qualifier"] == "part of"]
    assert set(parts["ocel:oid_2"]) == set(went)
    graph = pm4py.discover_ocdfg(ocel)
    assert {"case", "step", "opinion"} <= set(graph["object_types"])


def test_no_household_is_in_the_files(logs):
    folder, _went = logs
    for name in ("log.xes", "ocel.json"):
        text = Path(folder / name).read_text()
        assert "household:" not in text
        assert "person:" not in text
        assert "示范居民1" not in text
