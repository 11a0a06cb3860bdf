"""Which acts are news, whom they concern, and whether they can wait for the day's digest.

Most acts are no news: a vote, one household's opinion, a visit. A case's readers hear how it moves
and what those who handle it do; readers of a place, a procedure or a topic only how cases move.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from workflows.models import Case, Record, StepRun, Trace
from workflows.parties import own_roles
from workflows.portal.feeds import MOVES
from workflows.records.export import with_words
from workflows.steps.base import Step

from .models import News

WIDE = frozenset({*MOVES, "meeting.called", "meeting.cancelled", "ballot.called", "ballot.opened"})
"""What those hear who follow more than the one case."""

QUIET = frozenset(
    {
        "child.closed",
        "dues.set",
        "entry.added",
        "entry.moved",
        "erasure.done",
        "household.visited",
        "mark.given",
        "notice.posted",
        "objection.decided",
        "opinion.replied",
        "proxy.registered",
        "reply.corrected",
        "result.objection_decided",
        "term.ended",
        "trail.downloaded",
        "vote.struck",
        "wording.proposed",
        "words.masked",
    }
)
"""Acts that are done for one household, one entry or one answer at a time. Answers reach those whom
they answer."""

ANSWERED = ("opinions", "objections")
"""Where the body of an answer names the records that it answers."""

SOON = dt.timedelta(hours=72)
"""A term that ends within this cannot wait for the digest of tomorrow or the day after."""


def loud(act: str, role: str, body: dict | None = None) -> bool:
    """Whether an act is told to those who follow its case. A ballot's phases are."""
    if act in WIDE:
        return True
    if act == "term.ended":
        return "phase" in (body or {})
    return act not in QUIET and role not in own_roles()


def answered(record: Record) -> list[int]:
    """The positions of the records that a record answers, in its case."""
    body = record.content["body"]
    return [seq for name in ANSWERED for seq in body.get(name, ()) if isinstance(seq, int)]


def of_act(record: Record, moved: bool) -> bool:
    """Whether an act is news for anybody; asked in the act's transaction, without a query."""
    if moved or record.act in WIDE:
        return True
    return loud(record.act, record.role, record.content["body"]) or bool(answered(record))


@dataclass(slots=True)
class Told:
    """What a piece of news tells."""

    records: list[Record] = field(default_factory=list)
    """For everybody, oldest first."""
    answers: list[Record] = field(default_factory=list)
    """Only for those whom they answer."""
    wide: bool = False
    topics: frozenset[str] = frozenset()
    runs: list[StepRun] = field(default_factory=list)


def told(news: News, case: Case) -> Told:
    """The records of a piece of news that are told, with their words; a few queries."""
    return told_of([news], {case.pk: case})[news.pk]


def told_of(rows: Iterable[News], cases: dict[int, Case]) -> dict[int, Told]:
    """The same for many; the number of queries does not grow with their number.

    An act within an act (a lot's closing that moves its parent) has news of its own; of two pieces
    of one case that hold the same record, the later began within the other and tells it.
    """
    found = {news.pk: Told() for news in rows}
    acts = [news for news in rows if not news.ending]
    spans = {news.pk: (news.case_id, news.record.seq, news.last) for news in acts}
    records = Record.objects.none()
    for case_id, first, last in spans.values():
        records = records | Record.objects.filter(case=case_id, seq__gte=first, seq__lte=last)
    by_place: dict[tuple[int, int], Record] = {}
    if spans:
        rows_of = with_words(records.select_related("run").order_by("case", "seq"))
        by_place = {(record.case_id, record.seq): record for record in rows_of}
    taken: set[tuple[int, int]] = set()
    for news in sorted(acts, key=lambda each: -each.pk):
        case = cases[news.case_id]
        one = found[news.pk]
        topics = set()
        for seq in range(news.record.seq, news.last + 1):
            record = by_place.get((news.case_id, seq))
            if record is None or (news.case_id, seq) in taken:
                continue
            taken.add((news.case_id, seq))
            record.case = case
            if loud(record.act, record.role, record.content["body"]):
                one.records.append(record)
                one.wide = one.wide or record.act in WIDE
                node = case.declared._nodes_by_name.get(record.step)
                if isinstance(node, Step):
                    topics.add(node.kind)
                if record.run is not None:
                    one.runs.append(record.run)
            elif answered(record):
                one.answers.append(record)
        one.topics = frozenset(topics)
    for news in rows:
        if news.ending and news.run is not None:
            node = cases[news.case_id].declared._nodes_by_name.get(news.run.name)
            kind = node.kind if isinstance(node, Step) else ""
            found[news.pk] = Told(wide=True, topics=frozenset({kind}), runs=[news.run])
    return found


def ends_soon(case: Case, runs: Iterable[StepRun], now: dt.datetime) -> dt.datetime | None:
    """When the first of the open terms ends in which residents may still do something, if soon."""
    ends = []
    for run in runs:
        node = case.declared._nodes_by_name.get(run.name)
        takes_part = isinstance(node, Step) and bool(node.participants)
        if takes_part and run.finished is None and run.ends_at and not run.provisional:
            ends.append(run.ends_at)
    soonest = min((end for end in ends if end > now), default=None)
    return soonest if soonest is not None and soonest - now <= SOON else None


def concerned(case: Case, one: Told) -> set[int]:
    """The accounts whom it concerns without asking: those whom it answers, and the resident whose
    own case it is."""
    accounts: set[int] = set()
    seqs = {seq for record in one.answers for seq in answered(record)}
    if seqs:
        traces = Trace.objects.filter(record__case=case, record__seq__in=seqs, user__isnull=False)
        accounts |= set(traces.values_list("user_id", flat=True))
    if one.records:
        first = Trace.objects.filter(record__case=case, record__seq=0, user__isnull=False)
        accounts |= set(
            first.filter(record__role__in=own_roles()).values_list("user_id", flat=True)
        )
    return accounts
