"""SpiffWorkflow as one would keep it: a BPMN process whose state is a row of JSON.

Every step loads the row under its lock, moves on and saves it. What a workflow never changes (its
specification) is read once and left out of the row, which spares SpiffWorkflow most of its work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from django.db import connection, transaction
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.serializer.workflow import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.util.task import TaskState

TABLE = "benchmark_spiff"
_serializer = BpmnWorkflowSerializer()


def table() -> None:
    """Make the table of states, once."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {TABLE} (id bigint PRIMARY KEY, state text NOT NULL)"
        )


@cache
def specification(names: tuple[str, ...]) -> Any:
    """A process of user tasks in a row."""
    nodes = ["start", *names, "end"]
    flows = "".join(
        f'<bpmn:sequenceFlow id="f{at}" sourceRef="{a}" targetRef="{b}"/>'
        for at, (a, b) in enumerate(pairwise(nodes))
    )
    tasks = "".join(
        f'<bpmn:userTask id="{name}"><bpmn:incoming>f{at}</bpmn:incoming>'
        f"<bpmn:outgoing>f{at + 1}</bpmn:outgoing></bpmn:userTask>"
        for at, name in enumerate(names)
    )
    text = (
        '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" id="d" '
        'targetNamespace="http://example.org/"><bpmn:process id="p" isExecutable="true">'
        '<bpmn:startEvent id="start"><bpmn:outgoing>f0</bpmn:outgoing></bpmn:startEvent>'
        f'{tasks}<bpmn:endEvent id="end"><bpmn:incoming>f{len(names)}</bpmn:incoming>'
        f"</bpmn:endEvent>{flows}</bpmn:process></bpmn:definitions>"
    )
    parser = BpmnParser()
    parser.add_bpmn_str(text.encode())
    return parser.get_spec("p")


def _packed(workflow: Any) -> str:
    state = _serializer.to_dict(workflow)
    del state["spec"]
    return json.dumps(state)


@cache
def _spec_state(names: tuple[str, ...]) -> Any:
    return _serializer.to_dict(BpmnWorkflow(specification(names)))["spec"]


_ids = iter(range(1, 10**9))


def begun(names: Sequence[str]) -> int:
    """A workflow that waits at its first task; the key of its row."""
    table()
    workflow = BpmnWorkflow(specification(tuple(names)))
    workflow.do_engine_steps()
    key = next(_ids)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} VALUES (%s, %s)", [key, _packed(workflow)])
    return key


def stepped(key: int, names: tuple[str, ...], do: Callable[[Any], None]) -> None:
    """One transaction: load the state, do something to it, save it."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock = "FOR UPDATE" if connection.vendor == "postgresql" else ""
        cursor.execute(f"SELECT state FROM {TABLE} WHERE id = %s {lock}", [key])
        state = json.loads(cursor.fetchone()[0])
        state["spec"] = _spec_state(names)
        workflow = _serializer.from_dict(state)
        do(workflow)
        cursor.execute(f"UPDATE {TABLE} SET state = %s WHERE id = %s", [_packed(workflow), key])


def _move(workflow: Any) -> None:
    [ready] = workflow.get_tasks(state=TaskState.READY, manual=True)
    ready.data["note"] = "已经办好。"
    ready.run()
    workflow.do_engine_steps()


def moves(names: tuple[str, ...]) -> Iterator[Callable[[], object]]:
    """The moves of one workflow, each a transaction."""
    key = begun(names)
    for _name in names:
        yield lambda: stepped(key, names, _move)


def gather(workflow: Any, opinions: list[dict[str, str]]) -> None:
    """Keep opinions in the data of the task that waits."""
    [ready] = workflow.get_tasks(state=TaskState.READY, manual=True)
    ready.data.setdefault("opinions", []).extend(opinions)
