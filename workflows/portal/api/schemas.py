"""What the API says of things: one class a kind of thing, as OpenAPI describes it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from ninja import Schema

CaseState = Literal["open", "overdue", "suspended", "done", "stopped"]


class Place(Schema):
    """An estate, a village or a sub-district."""

    code: str
    name: str
    kind: str
    parent: str | None
    url: str


class Lead(Schema):
    """Where an outcome of a step leads."""

    outcome: str
    outcome_title: str
    to: str


class DeclaredStep(Schema):
    """A step as its procedure declares it. `term` is a code: ``P15D`` calendar days and the like,
    in words in `term_title`."""

    name: str
    title: str
    kind: str
    term_title: str
    by: list[str]
    participants: list[str]
    sources: list[str]
    leads: list[Lead]


class Procedure(Schema):
    """A procedure in the version that new cases are opened under."""

    code: str
    version: str
    title: str
    summary: str
    source: str
    opened_by: list[str]
    open_cases: int
    url: str


class ProcedureWhole(Procedure):
    """The same with its steps."""

    steps: list[DeclaredStep]


class OpenStep(Schema):
    """A step that is open now."""

    run: int
    name: str
    title: str
    ends_on: dt.date | None
    provisional: bool


class Case(Schema):
    """A case as lists show it. `procedure` with the version that it was opened under."""

    number: str
    title: str
    procedure: str
    version: str
    procedure_title: str
    place: str
    place_name: str
    state: CaseState
    state_title: str
    outcome: str
    lot: str
    demo: bool
    opened_at: dt.datetime
    closed_at: dt.datetime | None
    records: int
    open_steps: list[OpenStep]
    url: str


class Term(Schema):
    """The term of a run. `code` is what the law or the office set; `provisional`: it reaches a year
    whose days off are not announced."""

    code: str
    starts_on: dt.date | None
    ends_on: dt.date | None
    ends_at: dt.datetime | None
    rule: str
    provisional: bool


class Run(Schema):
    """One step of a case while and after it was open; `id` names it."""

    id: int
    name: str
    title: str
    kind: str
    round: int
    phase: str
    state: str
    outcome: str
    outcome_title: str
    opened_at: dt.datetime | None
    closed_at: dt.datetime | None
    term: Term | None
    url: str


class CaseWhole(Case):
    """A case with the head of its records, its parent, and its runs in order."""

    parent: str | None
    head: str
    params: dict[str, Any]
    runs: list[Run]


class File(Schema):
    """A public file."""

    title: str
    url: str
    media_type: str
    size: int
    sha256: str


class Record(Schema):
    """One record: the public trace of an act. `body` is what is public of it now, `party` a
    pseudonym that means nothing outside the case, `log_index` its place in the log once it has one.
    """

    seq: int
    at: dt.datetime
    happened_at: dt.datetime | None
    step: str
    run: int | None
    act: str
    act_title: str
    role: str
    party: str
    via: str
    body: dict[str, Any]
    corrects: int | None
    withdrawn: int
    files: list[File]
    leaf_hash: str
    log_index: int | None
    url: str


class RecordWhole(Record):
    """The same with the bytes that are hashed (`canonical`) and the disclosures beside them."""

    canonical: str
    disclosures: list[str]


class Opinion(Schema):
    """An opinion without who wrote it, and what became of it. `wording` is its public wording,
    which comes with the reply."""

    seq: int
    item: str
    item_title: str
    stance: str
    state: str
    late: bool
    erased: bool
    submitted_at: dt.datetime
    wording: str
    outcome: str
    reason: str
    replied_at: dt.datetime | None
    reply_seq: int | None


class Objection(Schema):
    """An objection to what is publicised, and how it was decided."""

    seq: int
    ground: str
    state: str
    erased: bool
    raised_at: dt.datetime
    due_on: dt.date
    wording: str
    decision: str
    reason: str
    decided_at: dt.datetime | None
    decision_seq: int | None


class Posting(Schema):
    """A place where a notice must hang."""

    place: str
    posted_at: dt.datetime | None
    photo: str | None


class Publicity(Schema):
    """A notice that is or was put up."""

    run: int
    title: str
    phase: str
    starts_on: dt.date | None
    ends_on: dt.date | None
    provisional: bool
    postings: list[Posting]
    files: list[File]


class Question(Schema):
    """A question of a ballot; `tally` once it is published: integers, area in hundredths of a
    square metre."""

    number: int
    text: str
    tally: dict[str, Any] | None


class Ballot(Schema):
    """A ballot: what is asked, how many take part, the result."""

    run: int
    phase: str
    opens_on: str
    item: str
    matter: str
    electorate: str
    questions: list[Question]
    turnout: dict[str, int] | None


class Places(Schema):
    items: list[Place]
    next: str | None


class Procedures(Schema):
    items: list[Procedure]


class Cases(Schema):
    items: list[Case]
    next: str | None


class Records(Schema):
    items: list[Record]
    next: str | None


class Opinions(Schema):
    items: list[Opinion]
    next: str | None


class Objections(Schema):
    items: list[Objection]
    next: str | None
