"""Drawings of a trail: SVG from exact numbers, as addresses of pictures within the page."""

from __future__ import annotations

import base64
from typing import Any

from django import template

register = template.Library()

_INK, _SEAL, _HAIR = "#14497a", "#9c2a22", "#b9c2cc"


def picture(svg: str) -> str:
    """An SVG as the address of an ``img``."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


@register.filter
def plotted(plot: dict[str, Any]) -> str:
    """The line of a ledger's plot (thousandths of its height and width)."""
    points = " ".join(f"{point['x'] * 3},{1000 - point['y']}" for point in plot["points"])
    rules = "".join(f"M0 {y}H3000" for y in (0, 250, 500, 750))
    return picture(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -12 3024 1024" '
        'preserveAspectRatio="none" width="3024" height="1024" fill="none">'
        f'<path d="{rules}" stroke="{_HAIR}" stroke-width="3"/>'
        f'<path d="M0 1000H3000" stroke="#1c2430" stroke-width="6"/>'
        f'<polyline points="{points}" stroke="{_INK}" stroke-width="12"/></svg>'
    )


@register.filter
def barred(row: dict[str, Any]) -> str:
    """The bar of one line of a count: the share, and a mark at what was needed."""
    needed = row["needed_permille"]
    mark = f'<path d="M{needed} 0V40" stroke="{_SEAL}" stroke-width="5"/>' if needed else ""
    return picture(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 40" '
        'preserveAspectRatio="none" width="1000" height="40">'
        f'<rect width="1000" height="32" y="4" fill="#e6eaee"/>'
        f'<rect width="{row["permille"]}" height="32" y="4" fill="{_INK}"/>{mark}</svg>'
    )
