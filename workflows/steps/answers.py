"""What became of what people handed in: for my matters, receipts, and those who follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..models.record import Record
from .ballot_rows import ResultObjection
from .opinion import Opinion
from .publicity_rows import Objection


@dataclass
class Following:
    """`answers` to one record (`outcome`, `reason`, `referral`, `at`), and what its author may
    still do: pairs of the act's name and the query string of its page."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    acts: list[tuple[str, str]] = field(default_factory=list)


def following(records: Iterable[Record]) -> dict[int, Following]:
    """What became of each record, by primary key; three queries however many there are."""
    keys = [record.pk for record in records]
    found: dict[int, Following] = defaultdict(Following)
    for opinion in Opinion.objects.filter(record__in=keys).select_related("reply"):
        assert opinion.record_id is not None
        _answer(found[opinion.record_id], opinion)
        if opinion.life == "submitted":
            act = ("opinion.withdrawn", f"opinion={opinion.pk}")
            found[opinion.record_id].acts.append(act)
    for objection in Objection.objects.filter(record__in=keys).select_related("reply"):
        assert objection.record_id is not None
        _answer(found[objection.record_id], objection)
        if objection.life == "raised":
            act = ("objection.withdrawn", f"objection={objection.pk}")
            found[objection.record_id].acts.append(act)
    for row in ResultObjection.objects.filter(record__in=keys).select_related("reply"):
        assert row.record_id is not None
        _answer(found[row.record_id], row)
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
