"""What became of what people handed in: for my matters, receipts, and those who follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..models.record import Record
from .act import Words
from .ballot_rows import ResultObjection
from .base import Step
from .opinion_rows import Opinion
from .publicity_rows import Objection


@dataclass
class Following:
    """`answers` to one record (`outcome`, or `state` and `label` in words of its own; `reason`,
    `referral`, `at`), and what its author may still do: pairs of the act's name and the query
    string of its page. `links` are words and addresses of further pages for an author who has
    signed in."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    acts: list[tuple[str, str]] = field(default_factory=list)
    links: list[tuple[Words, str]] = field(default_factory=list)
    said: str = ""
    """What they wrote themselves, for an author who has signed in."""
    waits: bool = False
    """Whether it is still to be answered."""


def following(records: Iterable[Record]) -> dict[int, Following]:
    """What became of each record, by primary key; three queries however many there are, and those
    of the kinds of steps that answer in their own way. Their cases are loaded."""
    records = list(records)
    keys = [record.pk for record in records]
    found: dict[int, Following] = defaultdict(Following)
    for opinion in Opinion.objects.filter(record__in=keys).select_related("reply"):
        assert opinion.record_id is not None
        _answer(found[opinion.record_id], opinion)
        found[opinion.record_id].said = opinion.text
        if opinion.life == "submitted":
            found[opinion.record_id].waits = True
            act = ("opinion.withdrawn", f"opinion={opinion.pk}")
            found[opinion.record_id].acts.append(act)
    for objection in Objection.objects.filter(record__in=keys).select_related("reply"):
        assert objection.record_id is not None
        _answer(found[objection.record_id], objection)
        found[objection.record_id].said = objection.text
        if objection.life == "raised":
            found[objection.record_id].waits = True
            act = ("objection.withdrawn", f"objection={objection.pk}")
            found[objection.record_id].acts.append(act)
    for row in ResultObjection.objects.filter(record__in=keys).select_related("reply"):
        assert row.record_id is not None
        _answer(found[row.record_id], row)
        found[row.record_id].said = row.text
        found[row.record_id].waits = row.life == "raised"
    kinds: dict[type[Step], list[Record]] = defaultdict(list)
    for record in records:
        node = record.case.declared._nodes_by_name.get(record.step)
        if isinstance(node, Step):
            kinds[type(node)].append(record)
    for kind, of_kind in kinds.items():
        for key, own in kind.became(of_kind).items():
            found[key].answers += own.answers
            found[key].acts += own.acts
            found[key].links += own.links
    return found


def _answer(into: Following, row: Opinion | Objection | ResultObjection) -> None:
    reply = row.reply
    if reply is not None:
        into.answers.append(
            {
                "outcome": reply.outcome,
                "reason": reply.reason,
                "referral": reply.referral,
                "at": reply.at,
            }
        )
