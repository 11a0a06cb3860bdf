"""Acting: what may be done here, and doing it, through the one door and by the forms of the pages.

The record of an act says nothing of the token: the person has done it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Status
from viewflow.workflow.status import STATUS

from ... import acts, clock, records
from ... import procedure as procedures
from ...models.case import Case, Community, StepRun
from ...models.token import ApiToken as Token
from ...parties import Party, directory, own_roles, role_title
from ...steps.base import Step, look_at
from ...steps.opinion import Answering
from .. import desk, opening, words
from ..viewer import Offer, Viewer, capacities_to_open
from ..views import find_case
from . import schemas, shapes
from .answers import (
    PROBLEMS,
    Code,
    Cursor,
    Key,
    Limit,
    Number,
    Problem,
    Told,
    api,
    cursor_of,
    fresh,
    parts_of,
    whole,
)
from .once import Came, IdempotencyKey, once
from .own import own, token_of
from .tokens import ACT, ACT_STAFF, ACTING, OFTEN, READ_STAFF, bearer, covers, need

READING: dict[str, Any] = {
    "auth": bearer,
    "throttle": OFTEN,
    "tags": ["acting"],
    "by_alias": True,
}
WRITING: dict[str, Any] = {"auth": bearer, "throttle": ACTING, "tags": ["acting"]}
REPLAYED = "Idempotency-Replayed"


def written(schema: Any) -> dict[Any, Any]:
    """What an operation that writes may answer, for its declaration."""
    faults = frozenset({400, 401, 403, 404, 409, 413, 415, 422, 429})
    return {201: schema, faults: Problem}


@api.get("/problems", response={200: schemas.ProblemKinds, 304: None, 429: Problem}, tags=["api"])
def list_problems(request: HttpRequest, response: HttpResponse) -> Any:
    """The kinds of problems that the API tells of."""
    rows = [
        {"code": code, "status": status, "title": str(title)}
        for code, (status, title) in PROBLEMS.items()
    ]
    fresh(request, response, repr(rows), None)
    return {"items": rows}


# --- what may be done --------------------------------------------------------------------------


def viewer_of(token: Token, case: Case, *, act: bool = True) -> Viewer:
    """The owner, in the capacities that the token goes for."""
    held = directory().parties_of(token.user, case.community, clock.now())
    return Viewer(token.user, case, [party for party in held if covers(token, party, act=act)])


def _capacities(parties: Iterable[Party]) -> list[dict[str, Any]]:
    return [
        {
            "as": desk.party_code(party),
            "role": party.role,
            "role_title": str(party.label or role_title(party.role)),
        }
        for party in parties
    ]


def _offered(viewer: Viewer, offer: Offer) -> dict[str, Any]:
    given, step = QueryDict(offer.query), offer.step
    party = viewer.on_paper(step, offer.spec, "") if offer.paper else offer.parties[0]
    doing = acts.Act(viewer.case, offer.run, offer.spec, party, clock.now(), payload=given)
    form: dict[str, Any] | None = None
    try:
        form_class = acts.form_of(step, doing)
    except acts.Refused:
        form_class = None  # what it is about has gone meanwhile; the door says so
    if form_class is not None:
        form = shapes.shape_of(form_class(act=doing, initial=step.prefill(doing, given)))
    return {
        "step": offer.run.name if offer.run else acts.CASE,
        "step_title": str(step.title) if offer.run else "",
        "run": offer.run.pk if offer.run else None,
        "act": offer.spec.name,
        "title": str(offer.title),
        "ends_on": offer.run.ends_on if offer.run else None,
        "optional": offer.spec.optional,
        "paper": offer.paper,
        "as": _capacities(offer.parties),
        "given": given.dict(),
        "form": form,
        "url": offer.url,
    }


def _open_runs(case: Case) -> list[StepRun]:
    runs = list(case.runs.filter(status=STATUS.STARTED, finished__isnull=True).order_by("pk"))
    for run in runs:
        run.process = case
    return [run for run in runs if isinstance(run.flow_task, Step)]


@api.get("/cases/{number}/acts", response=own(schemas.OfferedActs), **READING)
def list_acts(request: HttpRequest, number: Number) -> Any:
    """What the token's owner may do in a case now, with the form of each act as JSON Schema."""
    token = token_of(request)
    need(token, ACT, ACT_STAFF)
    viewer = viewer_of(token, find_case(number))
    runs = _open_runs(viewer.case)
    look_at(runs)
    offers = [offer for run in runs for offer in viewer.offers(run, run.step)]
    offers += viewer.offers(None, viewer.case.declared.case_acts())
    return {"items": [_offered(viewer, offer) for offer in offers]}


# --- doing it ----------------------------------------------------------------------------------


def _may(token: Token, case: Case, step: str, act: str, paper: bool) -> tuple[Viewer, Offer]:
    """The act, in the capacities of the owner that the token goes for; says whether it is the token
    or its owner that may not."""
    viewer = viewer_of(token, case)
    try:
        return viewer, desk.offer_of(viewer, step, act, paper)
    except PermissionDenied:
        offer = desk.offer_of(Viewer(token.user, case), step, act, paper)
        of_own = not paper and offer.parties[0].role in own_roles()
        raise Told("scope", scope=ACT if of_own else ACT_STAFF) from None


def _known(offer: Offer, party: Party, sent: shapes.Sent) -> None:
    """Refuse fields that the act's form does not have: a misspelt one would be lost in silence."""
    doing = acts.Act(
        offer.case, offer.run, offer.spec, party, clock.now(), payload=shapes.posted(sent.body.form)
    )
    form_class = acts.form_of(offer.step, doing)
    known = set(form_class(act=doing).fields) if form_class is not None else set()
    if offer.run is not None:
        variants = offer.step.variants(offer.spec, offer.run, {party.role})
        known |= {name for query, _title in variants for name in QueryDict(query)}
    _only(known, sent)


def _only(known: set[str], sent: shapes.Sent) -> None:
    strange = (set(sent.body.form) | set(sent.files)) - known
    if strange:
        unknown = str(_("没有这一项。"))
        raise Told("invalid", errors={f"form.{name}": [unknown] for name in sorted(strange)})


def _typed_in(
    viewer: Viewer, offer: Offer, paper: shapes.Paper
) -> tuple[Party, dt.datetime | None]:
    """The household whose signed form is typed in, and when it was filled in."""
    data = {"resident": paper.household, "happened_on": paper.on.isoformat()}
    form = desk.PaperForm(data, case=viewer.case)
    if not form.is_valid():
        names = {"resident": "paper.household", "happened_on": "paper.on"}
        told = {names[name]: list(map(str, lines)) for name, lines in form.errors.items()}
        raise Told("invalid", _("请核对户室和填表日期。"), told)
    party = viewer.on_paper(offer.step, offer.spec, form.cleaned_data["resident"])
    day = form.cleaned_data["happened_on"]
    if day >= clock.today():
        return party, None
    return party, timezone.make_aware(dt.datetime.combine(day, dt.time(12)))


def _chosen(parties: tuple[Party, ...], wanted: str) -> Party:
    """The capacity that was named; the only one where none was."""
    if not wanted and len(parties) == 1:
        return parties[0]
    for party in parties:
        if desk.party_code(party) == wanted:
            return party
    codes = [desk.party_code(party) for party in parties]
    raise Told("invalid", errors={"as": [str(_("请从中选一个：%s") % ", ".join(codes))]})


def _done(response: HttpResponse, came: Came) -> Any:
    """The answer, the same however often it is asked for."""
    record = came.record
    case = record.case
    code = records.receipt_code(case, record.seq)
    if came.repeated:
        response[REPLAYED] = "true"
    return Status(
        201,
        {
            "number": case.number,
            "seq": record.seq,
            "step": record.step,
            "act": record.act,
            "act_title": str(words.act_title(case, record.step, record.act)),
            "at": record.at.astimezone(dt.UTC),
            "leaf_hash": bytes(record.leaf_hash).hex(),
            "url": f"/cases/{case.number}/records/{record.seq}/",
            "receipt": code,
            "receipt_url": f"/r/{code}/",
            "fact": came.fact,
        },
    )


@api.post(
    "/cases/{number}/acts",
    response=written(schemas.Done),
    openapi_extra=shapes.described(shapes.ActSent),
    **WRITING,
)
def do_act(
    request: HttpRequest, response: HttpResponse, number: Number, key: IdempotencyKey
) -> Any:
    """Do an act. Files are sent as parts of a multipart body, named as the form's fields, beside
    the part `act`, which holds the rest as JSON."""
    token = token_of(request)
    need(token, ACT, ACT_STAFF)
    case = find_case(number)
    sent = shapes.sent(request, shapes.ActSent)
    body: shapes.ActSent = sent.body

    def do(name: str) -> Came:
        viewer, offer = _may(token, case, body.step, body.act, body.paper is not None)
        happened_at = None
        if body.paper is not None:
            party, happened_at = _typed_in(viewer, offer, body.paper)
        else:
            party = _chosen(offer.parties, body.as_)
        if offer.run is not None or body.step == acts.CASE:
            _known(offer, party, sent)
        done = acts.perform(
            case,
            body.step,
            body.act,
            party,
            shapes.posted(body.form),
            sent.files,
            happened_at=happened_at,
            key=name,
        )
        return Came(done.record, done.fact)

    return _done(response, once(token.user_id, key, sent, do))


# --- opening a case ----------------------------------------------------------------------------


def _openable(
    token: Token, code: str
) -> tuple[type[procedures.Procedure], dict[str, dict[int, Party]]]:
    """A procedure and by role the places where the token's owner may open it."""
    try:
        declared = procedures.current(code, clock.today())
    except KeyError as error:
        raise Http404 from error
    everywhere = {
        place: [party for party in held if covers(token, party, act=True)]
        for place, held in directory().parties_everywhere(token.user, clock.now()).items()
    }
    return declared, capacities_to_open(everywhere, declared) if declared.listed else {}


@api.get("/procedures/{code}/entrances", response=own(schemas.Entrances), **READING)
def list_entrances(request: HttpRequest, code: Code) -> Any:
    """In which roles and where the token's owner may open a case of a procedure, and what that
    takes."""
    token = token_of(request)
    need(token, ACT, ACT_STAFF)
    declared, capacities = _openable(token, code)
    named = {pk for places in capacities.values() for pk in places}
    codes = dict(Community.objects.filter(pk__in=named).values_list("pk", "code"))
    rows = []
    for role, places in capacities.items():
        form = opening.OpenForm(procedure=declared, communities=list(places))
        shape = shapes.shape_of(form)["properties"]
        first = None
        if declared.opens_with is not None:
            step: Any = declared.step(declared.opens_with[0])
            asked = opening.first_form(declared, next(iter(places.values())))
            first = {
                "step": step.name,
                "act": declared.opens_with[1],
                "title": str(step.acts[declared.opens_with[1]].title),
                "form": shapes.shape_of(asked) if asked is not None else None,
            }
        rows.append(
            {
                "as": role,
                "role_title": str(role_title(role)),
                "places": sorted(codes[pk] for pk in places),
                "title": "title" in form.fields,
                "terms": {name: shape[field] for name, field in form.params.items()},
                "first": first,
            }
        )
    return {"items": rows}


@api.post(
    "/procedures/{code}/cases",
    response=written(schemas.Done),
    openapi_extra=shapes.described(shapes.CaseSent),
    **WRITING,
)
def open_case(request: HttpRequest, response: HttpResponse, code: Code, key: IdempotencyKey) -> Any:
    """Open a case; where the procedure says so, together with its first act, whose record is then
    answered. Files as for acts."""
    token = token_of(request)
    need(token, ACT, ACT_STAFF)
    sent = shapes.sent(request, shapes.CaseSent)
    body: shapes.CaseSent = sent.body

    def do(name: str) -> Came:
        declared, capacities = _openable(token, code)
        if not capacities:
            raise PermissionDenied
        role = body.as_ or (next(iter(capacities)) if len(capacities) == 1 else "")
        if role not in capacities:
            told = str(_("请从中选一个：%s") % ", ".join(capacities))
            raise Told("invalid", errors={"as": [told]})
        places = capacities[role]
        form = _opened_with(declared, list(places), body)
        party = places[form.cleaned_data["community"].pk]
        first = opening.first_form(declared, party)
        _only(set(first.fields) if first is not None else set(), sent)
        files = sent.files
        case, done = opening.open_and_begin(
            declared, party, form, (shapes.posted(body.form), files), name
        )
        if done is not None:
            return Came(done.record, done.fact)
        return Came(case.records.get(seq=0), None)

    return _done(response, once(token.user_id, key, sent, do))


def _opened_with(
    declared: type[procedures.Procedure], places: list[int], body: shapes.CaseSent
) -> opening.OpenForm:
    form = opening.OpenForm(procedure=declared, communities=places)
    names = {"community": "place", "title": "title"}
    data: dict[str, Any] = {"community": body.place, "title": body.title}
    for name, field in form.params.items():
        names[field] = f"terms.{name}"
        data[field] = body.terms.get(name, form.fields[field].initial)
    unknown = set(body.terms) - set(form.params)
    if unknown:
        told = str(_("没有这一项。"))
        raise Told("invalid", errors={f"terms.{name}": [told] for name in sorted(unknown)})
    form = opening.OpenForm(data, procedure=declared, communities=places)
    if not form.is_valid():
        raise Told(
            "invalid",
            errors={names.get(n, n): list(map(str, lines)) for n, lines in form.errors.items()},
        )
    return form


# --- what staff need to see to act -------------------------------------------------------------


@api.get(
    "/cases/{number}/runs/{run}/unanswered", response=own(schemas.UnansweredOpinions), **READING
)
def list_unanswered(
    request: HttpRequest, number: Number, run: Key, cursor: Cursor = "", limit: Limit = 50
) -> Any:
    """The opinions of a step that wait for a reply, in clear: for those who answer them."""
    token = token_of(request)
    need(token, READ_STAFF, ACT_STAFF)
    case = find_case(number)
    found = next((each for each in _open_runs(case) if each.pk == run), None)
    if found is None or not isinstance(found.step, Answering):
        raise Http404
    viewer = viewer_of(token, case, act=False)
    if not viewer.roles.intersection(found.step.allowed(found.step.acts["opinion.replied"], case)):
        raise PermissionDenied
    rows = found.step.unanswered(found).select_related("record").prefetch_related("record__files")
    after = parts_of(cursor, 1)
    if after is not None:
        rows = rows.filter(pk__gt=whole(after[0]))
    shown = list(rows[: limit + 1])
    return {
        "items": [
            {
                "id": row.pk,
                "seq": row.record.seq if row.record else None,
                "item": row.item,
                "stance": row.stance,
                "text": row.text,
                "submitted_at": row.record.at if row.record else None,
                "files": len(row.record.files.all()) if row.record else 0,
            }
            for row in shown[:limit]
        ],
        "next": cursor_of(shown[limit - 1].pk) if len(shown) > limit else None,
    }
