"""Lives as pictures: a django-fsm machine to an SVG, from the machine itself."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.utils import translation

ROW, WIDTH, HEIGHT, LEFT = 72, 170, 40, 40


def life_svg(model: Any, field: str = "life") -> str:
    """The states of a model's machine one below the other, its transitions as arcs: forward on the
    right, back on the left. A transition's `custom` title, if any, is its label."""
    with translation.override("zh-hans"):
        states = {code: str(title) for code, title in model.STATES.items()}
        at = {code: number for number, code in enumerate(states)}
        found = model._meta.get_field(field).get_all_transitions(model)
        arcs = sorted({(at[t.source], at[t.target], str(t.custom.get("title", ""))) for t in found})
        right, left = LEFT + 120 + WIDTH, LEFT + 120
        boxes = [
            (title, left, ROW * n + 10, ROW * n + 35) for n, title in enumerate(states.values())
        ]
        paths = []
        for source, target, label in arcs:
            side, sign = (right, 1) if target > source else (left, -1)
            start, end = ROW * source + 30 + 5 * sign, ROW * target + 30 - 5 * sign
            bend = side + sign * (30 + 14 * abs(target - source))
            paths.append(
                (
                    f"M{side} {start}C{bend} {start} {bend} {end} {side} {end}",
                    label,
                    side + sign * (26 + 10 * abs(target - source)),
                    (start + end) // 2 + 4,
                    "start" if sign > 0 else "end",
                )
            )
        return render_to_string(
            "public_posts/life.svg",
            {
                "title": str(model._meta.verbose_name),
                "width": right + 340,
                "height": ROW * len(states),
                "boxes": boxes,
                "paths": paths,
                "box": (WIDTH, HEIGHT),
            },
        )
