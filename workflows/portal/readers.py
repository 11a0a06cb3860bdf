"""What the pages show: one reader a page, a constant number of queries, nothing that is not public.

Readers take what they need and return plain dicts for the components in ``templates/components``.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from viewflow.workflow.status import STATUS

from .. import clock, records
from .. import procedure as procedures
from ..models.case import Case, Community, StepRun
from ..models.record import Attachment, Record
from ..parties import role_title
from ..steps.base import Step, look_at
from ..steps.matters import CaseActs
from ..steps.opinion import late_book
from ..steps.opinion_rows import Opinion
from ..steps.privacy import ERASERS, ERASES_IN
from ..steps.run_terms import settled
from ..steps.walls import walls
from . import chart, paging, places, words
from .viewer import Viewer

CORRECTING = ("record.corrected", "words.masked")
RECORDS_SHOWN = 12
LATEST = 60
"""Among so many of the newest decisions those of the main page are found."""
GOING = "portal:going"
RECENT = 24
"""How many records of a case its page lists at once."""


def _open_runs() -> Prefetch:
    runs = StepRun.objects.filter(status=STATUS.STARTED, finished__isnull=True)
    return Prefetch("runs", queryset=runs.order_by("ends_at", "pk"), to_attr="open_runs")


def cases() -> QuerySet[Case]:
    """All cases with what their cards show, newest first; two queries a page."""
    return (
        Case.objects.select_related("community")
        .prefetch_related(_open_runs())
        .defer("salt", "head")
    )


def listed() -> QuerySet[Case]:
    """Those of them that public lists show."""
    return cases().filter(unlisted=False)


def days_left(run: StepRun, today: dt.date) -> int | None:
    """Whole days until the last day of the term; 0 on it, negative after it."""
    return (run.ends_on - today).days if run.ends_on else None


def case_state(case: Case, runs: list[StepRun]) -> tuple[str, Any]:
    """State code and words of a case."""
    if case.finished:
        node = case.declared._nodes_by_name.get(case.outcome)
        good = getattr(node, "good", True)
        return ("done" if good else "stopped"), words.outcome_title(case, "", case.outcome)
    if case.suspended_at:
        return "suspended", _("已中止")
    if any(run.overdue_at for run in runs):
        return "overdue", _("已超期")
    return "open", _("进行中")


def card(case: Case) -> dict[str, Any]:
    """A case as `case_card.html` shows it."""
    runs = [run for run in case.open_runs if isinstance(run.flow_task, Step)]
    state, label = case_state(case, runs)
    soonest = next((run for run in runs if run.ends_on), None)
    steps = str(_("、")).join(str(run.flow_task.title) for run in runs)
    return {
        "title": case.title,
        "number": case.number,
        "url": case.get_absolute_url(),
        "procedure": case.declared.title,
        "estate": case.community.name,
        "step": steps,
        "state": state,
        "state_label": label,
        "ends": soonest.ends_on if soonest and not case.finished else None,
        "days_left": days_left(soonest, clock.today()) if soonest else None,
        "provisional": soonest.provisional if soonest else False,
    }


def home() -> dict[str, Any]:
    """The main page: open now, coming terms, lately decided."""
    now = clock.now()
    unfeatured = procedures.unfeatured()
    shown = listed().exclude(procedure__in=unfeatured)
    open_cases = shown.filter(finished__isnull=True, parent__isnull=True)[:8]
    coming = (
        StepRun.objects.filter(
            finished__isnull=True,
            ends_at__gte=now,
            process__finished__isnull=True,
            process__suspended_at__isnull=True,
        )
        .exclude(process__procedure__in=unfeatured)
        .select_related("process__community")
        .order_by("ends_at")[:6]
    )
    today = clock.today()
    return {
        "open": [card(case) for case in open_cases],
        "coming": [run_row(run, today) for run in coming],
        "decided": [run_row(run, today) for run in _decided(unfeatured)],
        "going": sum(going().values()),
    }


def _decided(unfeatured: Collection[str]) -> list[StepRun]:
    """The newest decisions, one a case; looked for among the newest of all: an index has them."""
    rows = (
        StepRun.objects.filter(finished__isnull=False)
        .exclude(outcome="")
        .exclude(process__procedure__in=unfeatured)
        .select_related("process__community")
        .order_by("-finished", "-pk")[:LATEST]
    )
    newest: dict[int, StepRun] = {}
    for run in rows:
        newest.setdefault(run.process_id, run)
    return list(newest.values())[:6]


def run_row(run: StepRun, today: dt.date) -> dict[str, Any]:
    """A run as a line of a list, with its case."""
    case = run.process
    return {
        "title": run.flow_task.task_title,
        "url": f"{case.get_absolute_url()}#run-{run.pk}",
        "case_title": case.title,
        "case_number": case.number,
        "estate": case.community.name,
        "ends": run.ends_on,
        "days_left": days_left(run, today),
        "provisional": run.provisional,
        "state": "overdue" if run.overdue_at else "done" if run.finished else "open",
        "outcome": words.outcome_title(case, run.name, run.outcome) if run.outcome else "",
        "at": run.finished,
    }


def search(
    query: str,
    procedure: str = "",
    state: str = "",
    community: str = "",
    *,
    parts: bool = False,
    common: bool = False,
) -> QuerySet[Case]:
    """Cases by title, number or place; every word must be found.

    With `parts` cases that are parts of others (lots) are listed without a query too. `common`:
    that very many have the words, so that the newest are read until there are enough.
    """
    found = listed() if query or parts else listed().filter(parent__isnull=True)
    for word in query.split()[:8]:
        found = found.filter(_about(word, "reads" if common else "says"))
    if procedure:
        found = found.filter(procedure=procedure)
    if community:
        found = found.filter(community__in=places.within(community))
    if state == "open":
        found = found.filter(finished__isnull=True, suspended_at__isnull=True)
    elif state == "suspended":
        found = found.filter(finished__isnull=True, suspended_at__isnull=False)
    elif state == "done":
        found = found.filter(finished__isnull=False)
    return found


def _about(word: str, says: str) -> Q:
    """Cases that a word names: by title or place, or by number. What no case can have is not asked
    for, so that each question is left to its index."""
    told = Q(**{f"title__{says}": word})
    told |= places.named(word, "community")
    if word.isascii():
        told |= Q(**{f"number__{says}": word})
    return told


def within(place: Community) -> Q:
    """Of cases: held at a place, or at one that belongs to it (an estate to its sub-district)."""
    return Q(community__in=places.within(place.code))


def case_page(case: Case, viewer: Viewer) -> dict[str, Any]:
    """The page of a case: where it stands, what can be done, every step with its records."""
    runs = list(case.runs.order_by("pk"))
    for run in runs:
        run.process = case
    step_runs = [run for run in runs if isinstance(run.flow_task, Step)]
    look_at(run for run in step_runs if run.is_open)
    records_by_run = _latest_records(case)
    files_by_run = _public_files(case)
    children_by_run: dict[int, list[Case]] = defaultdict(list)
    for child in cases().filter(parent__process=case):
        if child.parent_id is not None:
            children_by_run[child.parent_id].append(child)
    today = clock.today()
    open_now = []
    timeline = []
    for run in step_runs:
        step: Step = run.step
        is_open = run.status == STATUS.STARTED and run.is_open
        shown, count = records_by_run.get(run.pk, ([], 0))
        entry = {
            "run": run,
            "anchor": f"run-{run.pk}",
            "title": step.title,
            "round": run.round,
            "state": run_state(case, run),
            "outcome_state": outcome_state(case, run),
            "state_label": None,
            "url": f"/cases/{case.number}/steps/{run.pk}/",
            "starts": run.started,
            "ends": run.finished,
            "outcome": (words.outcome_title(case, run.name, run.outcome) if run.outcome else ""),
            "documents": [document(file) for file in files_by_run.get(run.pk, [])],
            "term": _term_line(run),
            "records": [record_row(case, record) for record in shown],
            "record_count": count,
            "more_records": max(0, count - len(shown)),
            "records_url": f"/cases/{case.number}/records/?step={run.pk}",
            "current": is_open,
            "children": [card(child) for child in children_by_run.get(run.pk, [])],
        }
        timeline.append(entry)
        if is_open:
            open_now.append(
                {
                    **entry,
                    "step": step,
                    "ends_on": run.ends_on,
                    "days_left": days_left(run, today),
                    "to_come": step.to_come(run),
                    "unmet": step.unmet(run),
                    "buttons": viewer.buttons(run, step),
                    "by": [role_title(role) for role in step.by],
                }
            )
    state, label = case_state(case, [entry["run"] for entry in open_now])
    closing = [run for run in runs if run.flow_task.task_type == "END"]
    by_name = chart.states(case, runs)
    ahead = chart.ahead(runs)
    return {
        "case": case,
        "erases": case.community.kind in ERASES_IN and bool(viewer.roles.intersection(ERASERS)),
        "state": state,
        "state_label": label,
        "open_now": open_now,
        "forms": any(viewer.roles.intersection(entry["step"].by) for entry in open_now),
        "walls": [wall for wall in walls(case, step_runs) if wall.missing],
        "timeline": list(reversed(timeline)),
        "case_offers": viewer.buttons(None, case.declared.case_acts()),
        "late": list(late_book(case)[:100]),
        "late_waiting": (
            list(late_waiting(case)[:100])
            if viewer.roles.intersection(CaseActs.answering(case))
            else []
        ),
        "diagram": chart.svg(case.declared, by_name),
        "diagram_steps": [
            {
                "title": step.title,
                "state": by_name.get(step.name, "waiting" if step.name in ahead else "skipped"),
                "state_label": None,
            }
            for step in case.declared.steps()
        ],
        "closed": bool(closing),
        "params": _params(case),
        "about": case.declared.about(case),
        "pages": case.declared.pages(case),
        "case_records": [
            record_row(case, record) for record in records_by_run.get(None, ([], 0))[0]
        ],
        "parent": case.parent.process if case.parent_id and case.parent else None,
    }


def late_waiting(case: Case) -> QuerySet[Opinion]:
    """Late opinions of a case that wait for a reply, in clear."""
    return Opinion.objects.filter(case=case, run=None, life="submitted").order_by("pk")


def _term_line(run: StepRun) -> str:
    """The term of a run and its last day, in words; empty without a term."""
    if run.ends_on is None:
        return ""
    step: Step = run.step
    day = date_format(run.ends_on, "DATE_FORMAT")
    if step.term is None:
        return _("时限至%(day)s") % {"day": day}
    term = run.process.params.get(f"{run.name}.term")
    declared = settled(step.declared_term, step.decided_at(run))
    if step.deadline is not None:
        term = run.term
    words_of = words._term(str(term)) if term else declared
    return _("时限%(term)s，至%(day)s") % {"term": words_of, "day": day}


def _params(case: Case) -> list[tuple[Any, Any]]:
    found = []
    for name, value in case.params.items():
        step = case.declared._nodes_by_name.get(name.split(".")[0])
        if step is not None:
            found.append((step.task_title, words._term(str(value))))
    return found


def run_state(case: Case, run: StepRun) -> str:
    """State code of a run."""
    if run.finished:
        return "done" if run.status == STATUS.DONE else "stopped"
    if case.suspended_at:
        return "suspended"
    return "overdue" if run.overdue_at else "open"


def outcome_state(case: Case, run: StepRun) -> str:
    """State code under which the outcome of a run is shown: only the way that a procedure names
    first, on which the case goes on as it was meant to, has the tick."""
    state, step = run_state(case, run), run.flow_task
    ways = list(step.outcomes_to) if isinstance(step, Step) else []
    return "turned" if state == "done" and run.outcome in ways[1:] else state


def _latest_records(case: Case) -> dict[int | None, tuple[list[Record], int]]:
    """The newest records of the case by run (None: of the case itself), with how many each run has.

    A page is to be read on a phone: of an old run the number stands alone, with a link.
    """
    counts: dict[int | None, int] = dict(
        case.records.order_by().values_list("run").annotate(n=Count("pk"))
    )
    newest = case.records.order_by("-seq")[:RECENT]
    found: dict[int | None, list[Record]] = defaultdict(list)
    for record in newest:
        if len(found[record.run_id]) < RECORDS_SHOWN:
            found[record.run_id].append(record)
    return {run: (found.get(run, []), count) for run, count in counts.items()}


def _public_files(case: Case) -> dict[int | None, list[Attachment]]:
    found: dict[int | None, list[Attachment]] = defaultdict(list)
    for file in Attachment.objects.filter(run__process=case, public=True).order_by("-pk")[:200]:
        found[file.run_id].append(file)
    return found


def document(file: Attachment) -> dict[str, Any]:
    """A public file as a line of a list."""
    return {
        "title": words.file_title(file.label),
        "url": file.get_absolute_url(),
        "kind": file.media_type.rsplit("/", 1)[-1].upper(),
        "size": file.size,
        "sha256": file.sha256,
    }


def record_row(case: Case, record: Record) -> dict[str, Any]:
    """A record as a line of a list."""
    return {
        "seq": record.seq,
        "at": record.at,
        "title": words.act_title(case, record.step, record.act),
        "party": role_title(record.role),
        "url": f"/cases/{case.number}/records/{record.seq}/",
        "text": "",
        "hash": bytes(record.leaf_hash).hex(),
    }


def record_page(case: Case, record: Record) -> dict[str, Any]:
    """One record in words and as it is hashed, and whether it fits its neighbours."""
    before = case.records.filter(seq=record.seq - 1).first() if record.seq else None
    sound = records.leaf_hash(record.canonical.encode()) == bytes(record.leaf_hash)
    linked = records.links(before, record)
    later = [
        row
        for row in case.records.filter(seq__gt=record.seq, act__in=CORRECTING)[:200]
        if record.seq in (row.content.get("corrects"), *row.content["body"].get("records", ()))
    ]
    return {
        "row": record_row(case, record),
        "step": words.step_title(case, record.step),
        "lines": list(words.body_lines(case, record)),
        "content": record.content,
        "canonical": record.canonical,
        "published": record.published,
        "withdrawn": record.withdrawn,
        "sound": sound and linked,
        "files": [document(file) for file in record.files.filter(public=True)],
        "corrections": [record_row(case, row) for row in later],
    }


def declared_steps(procedure: type[procedures.Procedure]) -> list[dict[str, Any]]:
    """The steps of a procedure as its page explains them."""
    return [
        {
            "step": step,
            "title": step.title,
            "term": str(step.term) if step.term else "",
            "adjustable": step.adjustable,
            "by": [role_title(role) for role in step.by],
            "participants": [role_title(role) for role in step.participants],
            "sources": sources(step, clock.now()),
            "leads": [
                (step.outcome_names.get(outcome, outcome), node.task_title)
                for outcome, node in step.outcomes_to.items()
            ],
        }
        for step in procedure.steps()
    ]


def sources(step: Step, at: dt.datetime) -> list[Any]:
    """What a step stands on: its article or default, and the rules of law in force at `at`."""
    rules = [rule.words for rule in step.rules(at)]
    return [step.source, *rules] if step.source else rules


def papers(case: Case) -> list[dict[str, Any]]:
    """What was handed in at earlier tasks, newest first: for those who have to judge it."""
    done = (
        Record.objects.filter(case=case, act="task.done")
        .select_related("run")
        .prefetch_related("files", "disclosures")
        .order_by("-seq")[:12]
    )
    return [
        {
            "title": words.step_title(case, record.step),
            "lines": list(words.body_lines(case, record)),
            "files": list(record.files.all()),
        }
        for record in done
    ]


def going() -> dict[str, int]:
    """How many cases of each procedure go on: as many as the list of those has, parts of others not
    counted. Where there are very many, as many as there were within the last minute."""
    kept: dict[str, int] | None = cache.get(GOING)
    if kept is not None:
        return kept
    rows = search("", state="open").order_by().values_list("procedure")
    counts = dict(rows.annotate(n=Count("*")))
    if sum(counts.values()) > paging.MOST:
        cache.set(GOING, counts, 60)
    return counts


def catalogue() -> list[dict[str, Any]]:
    """The procedures, with how many cases of each are open."""
    counts = going()
    return [
        {
            "procedure": declared,
            "url": f"/procedures/{declared.code}/",
            "open": counts.get(declared.code, 0),
            "steps": len(declared.steps()),
        }
        for declared in procedures.catalogue(clock.today())
    ]
