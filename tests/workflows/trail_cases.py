"""Cases for the tests of the trail."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pikepdf

from tests.sandbox.opinion_procedures import COMMITTEE, OFFICE, Needs, household
from workflows import acts, clock
from workflows.models import Case, Community
from workflows.records.trail import seal

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
SECRET = "三号楼漏水，请找张三丰，电话13812345678"
SHOWN = "三号楼漏水，请尽快维修。"


def make_case(opinions: int = 2) -> Case:
    """A consultation with so many opinions, the first of them answered."""
    place, _new = Community.objects.get_or_create(
        code="trail", defaults={"name": "示范小区", "kind": "estate"}
    )
    case = acts.open_case(Needs, place, OFFICE, title="示范征求意见")
    for number in range(1, opinions + 1):
        add_opinion(case, number)
    if opinions:
        first = case.runs.get(name="ask").opinions.order_by("pk").first()
        acts.perform(
            case,
            "ask",
            "opinion.replied",
            COMMITTEE,
            {
                "opinions": [str(first.pk)],
                "outcome": "adopted",
                "reason": "已列入方案。",
                "public_text": SHOWN,
            },
        )
    case.refresh_from_db()
    return case


def add_opinion(case: Case, number: int) -> None:
    """One more opinion, by a household of its own."""
    sent = {"item": "roof", "stance": "want", "text": f"{SECRET}，第{number}户"}
    acts.perform(case, "ask", "opinion.submitted", household(number), sent)


def attachments(path: Path) -> dict[str, bytes]:
    """The files within a PDF."""
    with pikepdf.open(path) as pdf:
        return {name: spec.get_file().read_bytes() for name, spec in pdf.attachments.items()}


def sealed(source: Path, target: Path) -> None:
    """A document with the seal."""
    with pikepdf.open(source) as pdf:
        seal.placed(pdf, reason="全过程案卷", at=NOON)
        pdf.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    seal.signed(target)


def squeezed(text: str) -> str:
    """Text without blanks and line breaks."""
    return "".join(text.split())


def numbered(pdf: Any) -> dict[int, Any]:
    """The parent tree of a PDF: key to entry."""
    listed = list(pdf.Root.StructTreeRoot.ParentTree.Nums)
    return {int(listed[at]): listed[at + 1] for at in range(0, len(listed), 2)}
