"""Checks of declared procedures, run by ``manage.py check``: a procedure must be able to end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core import checks
from viewflow.workflow.base import Node

from . import procedure as procedures
from .steps.base import Step
from .steps.nodes import Closing, Opening


@checks.register("workflows")
def check_procedures(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Every declared version of every procedure; see `faults`."""
    return [
        checks.Error(fault, obj=declared, id="sanwen.E001")
        for declared in procedures.all_declared()
        for fault in faults(declared)
    ]


def faults(declared: type[procedures.Procedure]) -> Iterator[str]:
    """What is wrong with a procedure, in words for its author.

    One opening; every node reached from it; from every node a closing is reached; every outcome
    that a step may have leads somewhere; the words for people are there.
    """
    nodes = list(declared._nodes_by_name.values())
    openings = [node for node in nodes if isinstance(node, Opening)]
    if len(openings) != 1:
        yield f"{declared.__name__}: {len(openings)} openings instead of one"
        return
    if not declared.title:
        yield f"{declared.__name__}: no title"
    forward = {node: [edge.dst for edge in node._outgoing()] for node in nodes}
    backward: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node, following in forward.items():
        for after in following:
            backward[after].append(node)
    reached = _closure(openings, forward)
    ending = _closure([node for node in nodes if isinstance(node, Closing)], backward)
    for node in nodes:
        if node not in reached:
            yield f"{declared.__name__}.{node.name}: cannot be reached"
        if node not in ending:
            yield f"{declared.__name__}.{node.name}: no end can be reached from here"
        if isinstance(node, Step):
            yield from (f"{declared.__name__}.{node.name}: {fault}" for fault in node.faults())


def _closure(start: list[Node], edges: dict[Node, list[Node]]) -> set[Node]:
    found: set[Node] = set()
    front = list(start)
    while front:
        node = front.pop()
        if node not in found:
            found.add(node)
            front.extend(edges[node])
    return found
