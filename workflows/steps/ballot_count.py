"""The count of a ballot (计票): as its record states it, and line by line for the page."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import counting, law
from ..models.case import StepRun
from .act import Words
from .ballot_rows import CHOICES, BallotPaper, BallotQuestion, RollRow

OUTCOMES: dict[str, Words] = {
    "carried": _("表决通过"),
    "lost": _("表决未通过"),
    "no_quorum": _("参与人数或面积不足"),
}


def count(run: StepRun, now: dt.datetime) -> None:
    """Count the papers that stand, question by question, by the rules of that day."""
    roll = [
        counting.RollEntry(row.key, row.area, (), "", "", (), row.heads)
        for row in RollRow.objects.filter(run=run)
    ]
    papers = list(
        BallotPaper.objects.filter(run=run, standing=True).values_list("row__key", "choices")
    )
    on = timezone.localtime(now).date()
    for question in run.questions.all():
        votes = {key: choices[str(question.number)] for key, choices in papers}
        tally = counting.count(roll, votes, counting.rule_for(question.rule, on, law.here()))
        question.tally = tally_body(question, tally)
        question.save(update_fields=["tally"])


def totals(run: StepRun) -> dict[str, int]:
    """Heads and area of the whole roll."""
    found = RollRow.objects.filter(run=run).aggregate(heads=Sum("heads"), area=Sum("area"))
    return {"heads": found["heads"] or 0, "area": found["area"] or 0}


def tally_body(question: BallotQuestion, tally: counting.Tally) -> dict[str, Any]:
    """A count as its record states it: integers only, every line to follow."""
    return {
        "question": question.number,
        "rule": tally.rule.code,
        "rule_from": tally.rule.effective_from.isoformat(),
        "jurisdiction": tally.rule.jurisdiction,
        "outcome": tally.outcome,
        "heads": dict(tally.heads),
        "area": dict(tally.area),
        "lines": [
            {
                "code": line.code,
                "unit": line.unit,
                "part": line.part,
                "whole": line.whole,
                "needed": line.needed,
                "met": line.met,
            }
            for line in tally.lines()
        ],
    }


LINES: dict[tuple[str, str], Words] = {
    ("quorum", "area"): _("参与表决的面积"),
    ("quorum", "heads"): _("参与表决的人数"),
    ("for", "area"): _("同意的面积"),
    ("for", "heads"): _("同意的人数"),
}


def _amount(unit: str, value: int) -> Words:
    if unit == "area":
        return _("%(area)s平方米") % {"area": counting.area_words(value)}
    return _("%(heads)s人") % {"heads": value}


def tally_card(tally: dict[str, Any]) -> dict[str, Any]:
    """A count for the page, line by line: of how much, how much was needed, whether it was met."""
    rows = []
    for line in tally["lines"]:
        whole = line["whole"] or 1
        part, all_of = _amount(line["unit"], line["part"]), _amount(line["unit"], line["whole"])
        rows.append(
            {
                "label": LINES[line["code"], line["unit"]],
                "value": _("%(part)s，共%(whole)s") % {"part": part, "whole": all_of},
                "permille": line["part"] * 1000 // whole,
                "needed_permille": min(line["needed"] * 1000 // whole, 1000),
                "needed": _("至少需要%(needed)s")
                % {"needed": _amount(line["unit"], line["needed"])},
                "met": line["met"],
            }
        )
    rule = counting.rule_for(
        tally["rule"], dt.date.fromisoformat(tally["rule_from"]), tally["jurisdiction"]
    )
    counts = []
    for choice, words in CHOICES.items():
        given = _amount("heads", tally["heads"][choice])
        if rule.by_area:
            area = _amount("area", tally["area"][choice])
            given = _("%(heads)s，%(area)s") % {"heads": given, "area": area}
        counts.append((words, given))
    return {
        "rows": rows,
        "counts": counts,
        "outcome": tally["outcome"],
        "outcome_title": OUTCOMES[tally["outcome"]],
        "source": rule.source,
        "rule_title": rule.title,
    }
