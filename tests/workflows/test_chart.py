"""Every declared procedure can be drawn, by our page and by viewflow's own chart and BPMN."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from django.utils import translation
from viewflow.workflow import chart as layout

from processes.renovation.procedure import Renovation
from tests.sandbox import ballot_procedures, core_procedures, opinion_procedures, panel_procedures
from workflows.portal import chart
from workflows.procedure import all_declared
from workflows.steps.ballot import Ballot
from workflows.steps.base import Step
from workflows.steps.consultation import Consultation
from workflows.steps.ledger import Ledger
from workflows.steps.meeting import Meeting
from workflows.steps.nodes import Meet, Together
from workflows.steps.panel import Panel
from workflows.steps.publicity import Publicity
from workflows.steps.selection import Selection
from workflows.steps.task import Task

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
SVG = "{http://www.w3.org/2000/svg}"
LIBRARY = (Task, Consultation, Publicity, Panel, Ballot, Selection, Ledger, Meeting)
OURS = (core_procedures, ballot_procedures, opinion_procedures, panel_procedures)
DECLARED = sorted(all_declared(), key=lambda each: (each.code, each.version))

drawn = pytest.mark.parametrize("declared", DECLARED, ids=lambda d: f"{d.code}@{d.version}")


def test_the_tests_own_procedures_are_among_them():
    modules = {each.__module__ for each in DECLARED}
    assert modules >= {module.__name__ for module in OURS}


def test_the_renovation_uses_every_step_of_the_library():
    kinds = {type(step) for step in Renovation.steps()}
    assert kinds >= set(LIBRARY)
    for kind in LIBRARY:
        assert kind.acts
        assert kind.outcomes


@drawn
def test_our_diagram_has_every_node_and_every_outcome(declared):
    with translation.override("zh-hans"):
        tree = ET.fromstring(str(chart.svg(declared)))
        grid = layout.calc_layout_data(declared)
    assert tree.tag == f"{SVG}svg"
    text = "".join("".join(tree.itertext()).split())
    for node in declared._nodes_by_name.values():
        if not isinstance(node, (Together, Meet)):  # drawn as diamonds
            assert "".join(str(node.task_title).split()) in text
    assert len(grid.cells) == len(declared._nodes_by_name)
    edges = sum(len(list(node._outgoing())) for node in declared._nodes_by_name.values())
    assert len(grid.edges) == edges
    assert "style=" not in str(chart.svg(declared))  # strict CSP


@drawn
def test_viewflows_chart_draws_it(declared):
    tree = ET.fromstring(chart.drawing(declared))
    assert tree.tag == f"{SVG}svg"
    assert len(tree.findall(f"{SVG}g")) == len(declared._nodes_by_name)


@drawn
def test_it_is_exported_as_bpmn(declared):
    tree = ET.fromstring(chart.bpmn(declared))
    (process,) = tree.iter(f"{BPMN}process")
    steps = [node for node in declared._nodes_by_name.values() if isinstance(node, Step)]
    tasks = list(process.iter(f"{BPMN}userTask"))
    assert {task.get("name") for task in tasks} == {str(step.task_title) for step in steps}
    known = {element.get("id") for element in process.iter() if element.get("id")}
    flows = list(process.iter(f"{BPMN}sequenceFlow"))
    assert len(flows) == sum(len(list(n._outgoing())) for n in declared._nodes_by_name.values())
    for flow in flows:
        assert {flow.get("sourceRef"), flow.get("targetRef")} <= known


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "kind", "root"),
    [
        ("chart.svg", "image/svg+xml", f"{SVG}svg"),
        ("bpmn.xml", "application/xml", f"{BPMN}definitions"),
    ],
)
def test_both_are_downloads_linked_on_the_procedures_page(client, name, kind, root):
    address = f"/procedures/renovation/{name}"
    assert f'href="{address}"' in client.get("/procedures/renovation/").content.decode()
    answer = client.get(address)
    assert answer.headers["Content-Type"] == kind
    assert "renovation-" in answer.headers["Content-Disposition"]
    assert ET.fromstring(answer.content).tag == root
    # A picture with a style sheet of its own is kept, not shown: no page here has styles inside it.
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    again = client.get(address, headers={"if-none-match": answer.headers["ETag"]})
    assert again.status_code == 304
    english = client.get(
        address, headers={"if-none-match": answer.headers["ETag"], "accept-language": "en"}
    )
    assert english.status_code == 200
    assert english.content != answer.content
    assert client.get(f"{address}?version=2026.1").content == answer.content
    for missing in (f"{address}?version=1999", f"/procedures/none/{name}"):
        assert client.get(missing).status_code == 404
