"""What the API says of things: one class a kind of thing, as OpenAPI describes it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from ninja import Schema
from pydantic import Field

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


class OwnFile(File):
    """A file that the token's owner may download; nothing is left of it but this where `erased`."""

    public: bool
    erased: bool


class Files(Schema):
    """Files of a record."""

    items: list[OwnFile]


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


# --- with a token ------------------------------------------------------------------------------


class Capacity(Schema):
    """A capacity in which one may act. `as_` names it where something is handed in. `places` are
    codes; of very many, how many more there are."""

    as_: str = Field(alias="as")
    role: str
    role_title: str
    places: list[str]
    more_places: int


class Me(Schema):
    """A token: its name, what it may do, its last day, and in which of its owner's capacities."""

    token: str
    scopes: list[str]
    ends_on: dt.date
    capacities: list[Capacity]


class Waiting(Schema):
    """A step that waits for the owner."""

    number: str
    case_title: str
    place_name: str
    title: str
    state: str
    ends_on: dt.date | None
    days_left: int | None
    provisional: bool
    note: str
    url: str


class Inbox(Schema):
    """What waits, overdue first."""

    items: list[Waiting]


class Answered(Schema):
    """An answer to what was handed in."""

    outcome: str
    reason: str
    at: dt.datetime | None


class MyAct(Schema):
    """Something that the owner did. `receipt` is its code: whoever has it may follow it."""

    number: str
    case_title: str
    seq: int
    at: dt.datetime
    step: str
    act: str
    act_title: str
    role: str
    url: str
    receipt: str
    receipt_url: str
    answers: list[Answered]


class MyActs(Schema):
    """What the owner did."""

    items: list[MyAct]
    next: str | None


class MyReceipt(MyAct):
    """One of them, with the copy to keep."""

    copy_to_keep: dict[str, Any]


class As(Schema):
    """A capacity that an act admits."""

    as_: str = Field(alias="as")
    role: str
    role_title: str


class Offered(Schema):
    """An act that may be done now. Hand in `step`, `act`, a capacity of `as_` and, as `form`, what
    the JSON Schema in `form` describes together with what `given` holds; with `paper` as a signed
    form that is typed in. `optional`: one may do it and need not. `url` is its page."""

    step: str
    step_title: str
    run: int | None
    act: str
    title: str
    ends_on: dt.date | None
    optional: bool
    paper: bool
    as_: list[As] = Field(alias="as")
    given: dict[str, str]
    form: dict[str, Any] | None
    url: str


class OfferedActs(Schema):
    """What may be done in a case."""

    items: list[Offered]


class Fact(Schema):
    """What an act wrote, by kind and key: other acts name it by its key."""

    kind: str
    id: int


class Done(Schema):
    """What was accepted, with its record and the receipt."""

    number: str
    seq: int
    step: str
    act: str
    act_title: str
    at: dt.datetime
    leaf_hash: str
    url: str
    receipt: str
    receipt_url: str
    fact: Fact | None


class Unanswered(Schema):
    """An opinion that waits for its reply, in clear: for those who answer it. `id` names it in the
    form of the reply."""

    id: int
    seq: int | None
    item: str
    stance: str
    text: str
    submitted_at: dt.datetime | None
    files: int


class UnansweredOpinions(Schema):
    """The opinions that wait, the oldest first."""

    items: list[Unanswered]
    next: str | None


class FirstAct(Schema):
    """The act that a case is opened together with."""

    step: str
    act: str
    title: str
    form: dict[str, Any] | None


class Entrance(Schema):
    """In which role and where the owner may open a case; what that takes. `terms`: the periods
    that may be set, in their days."""

    as_: str = Field(alias="as")
    role_title: str
    places: list[str]
    title: bool
    terms: dict[str, dict[str, Any]]
    first: FirstAct | None


class Entrances(Schema):
    """How a case of a procedure may be opened by the owner."""

    items: list[Entrance]


class ProblemKind(Schema):
    """A kind of problem: the end of `type` in problem details."""

    code: str
    status: int
    title: str


class ProblemKinds(Schema):
    """All kinds of problems."""

    items: list[ProblemKind]
