"""The diagram of a procedure: viewflow's layout, drawn without inline styles (strict CSP)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from viewflow.workflow import chart as layout
from viewflow.workflow.status import STATUS

from ..models.case import Case, StepRun
from ..procedure import Procedure
from ..steps.base import Step

_LINE = 9  # signs of Chinese in a box of 150 units


_grids: dict[tuple[str, str, str | None], Any] = {}


def _grid(procedure: type[Procedure], language: str | None) -> Any:
    """The layout of a version in a language; it never changes while the process lives."""
    key = (procedure.code, procedure.version, language)
    if key not in _grids:
        _grids[key] = layout.calc_layout_data(procedure)
    return _grids[key]


def drawing(procedure: type[Procedure]) -> str:
    """The diagram as a file of its own, as viewflow draws it (SVG with a style sheet inside)."""
    return str(layout.grid_to_svg(_grid(procedure, get_language())))


def bpmn(procedure: type[Procedure]) -> str:
    """The course with its layout for tools that draw or run processes (BPMN 2.0)."""
    return str(layout.grid_to_bpmn(_grid(procedure, get_language())))


def _lines(title: str) -> list[str]:
    """A title broken for a box: Chinese by signs, other languages by words."""
    lines: list[str] = []
    line = ""
    for word in title.replace("/", " / ").split(" ") if title.isascii() else list(title):
        width = len(line) + len(word) + 1 if title.isascii() else len(line) + 1
        limit = 2 * _LINE if title.isascii() else _LINE
        if line and width > limit:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip() if title.isascii() else line + word
    return [*lines, line]


def states(case: Case, runs: list[StepRun]) -> dict[str, str]:
    """State of each node by name: ``open``, ``overdue``, ``done``, ``suspended`` or absent."""
    found: dict[str, str] = defaultdict(str)
    for run in runs:
        if run.status == STATUS.STARTED and run.is_open:
            state = "overdue" if run.overdue_at else "open"
            found[run.name] = "suspended" if case.suspended_at else state
        elif found[run.name] not in ("open", "overdue", "suspended"):
            found[run.name] = "done"
    return dict(found)


def ahead(runs: list[StepRun]) -> set[str]:
    """Names of the nodes that a case may still come to from where it stands."""
    found: set[str] = set()
    left = [run.flow_task for run in runs if run.status == STATUS.STARTED and run.is_open]
    while left:
        for edge in left.pop()._outgoing():
            if edge.dst.name not in found:
                found.add(edge.dst.name)
                left.append(edge.dst)
    return found


def svg(procedure: type[Procedure], by_name: dict[str, str] | None = None) -> SafeString:
    """The diagram as SVG; each node carries a class of its state."""
    grid = _grid(procedure, get_language())
    by_name = by_name or {}
    cells = []
    for cell in grid.cells:
        shape = cell.shape
        title = str(cell.node.task_title)
        is_step = isinstance(cell.node, Step)
        lines = _lines(title)
        top = shape.height // 2 - 9 * (len(lines) - 1) + 5
        cells.append(
            {
                "x": shape.x,
                "y": shape.y,
                "width": shape.width,
                "height": shape.height,
                "kind": "step" if is_step else cell.node.task_type.lower(),
                "state": by_name.get(cell.node.name, "waiting"),
                "title": title,
                "lines": [(line, top + 18 * at) for at, line in enumerate(lines)],
                "middle": shape.width // 2,
            }
        )
    edges = [
        {"points": " ".join(f"{x},{y}" for x, y in edge.segments), "label": edge.label}
        for edge in grid.edges
    ]
    context = {"width": grid.width, "height": grid.height, "cells": cells, "edges": edges}
    return render_to_string("portal/chart.svg", context)
