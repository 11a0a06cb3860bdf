"""Procedure: the base of every procedure (程序), and the catalogue of procedures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from viewflow.workflow.base import Flow, Node

from . import terms
from .acts import Refused
from .models.case import Case, StepRun
from .models.record import Attachment
from .parties import Party
from .steps.act import Words
from .steps.base import Step
from .steps.matters import CaseActs
from .steps.nodes import Opening


class CaseLock:
    """viewflow's lock on a process: the same row lock that the one door takes."""

    @contextmanager
    def __call__(self, _flow_class: type[Flow], process_pk: int) -> Iterator[None]:
        with transaction.atomic():
            list(Case.objects.select_for_update().filter(pk=process_pk).values_list("pk"))
            yield


_declared: dict[tuple[str, str], type[Procedure]] = {}


class Procedure(Flow):
    """The declared course of a kind of matter (程序).

    A subclass names its `code`, `version` and `number_prefix` and arranges steps, in the order of
    the regulation that it implements. A changed procedure is a subclass or a class of its own with
    a new `version`, beside the old one, which stays until its last case has ended. The version with
    the latest `effective_from` that has come is the one that new cases are opened under.
    """

    process_class = Case
    task_class = StepRun
    lock_impl = CaseLock()
    _case_acts: ClassVar[CaseActs] = CaseActs()  # the underscore keeps it out of the graph

    code: ClassVar[str] = ""
    version: ClassVar[str] = ""
    number_prefix: ClassVar[str] = ""
    effective_from: ClassVar[dt.date] = dt.date(2025, 1, 1)
    title: ClassVar[Words] = ""
    summary: ClassVar[Words] = ""
    source: ClassVar[Words] = ""
    opened_by: ClassVar[tuple[str, ...]] = ("office",)
    overseers: ClassVar[tuple[str, ...]] = ("office",)
    """Who may suspend, resume and correct."""
    community_kinds: ClassVar[tuple[str, ...]] = ("estate",)
    listed: ClassVar[bool] = True
    """Whether people may open it on its own; a child procedure is opened by a step."""
    one_at_a_time: ClassVar[bool] = False
    """Whether a place may have only one open case of it (an estate is renovated once at a time)."""
    fixed_title: ClassVar[Words] = ""
    """What every case is called, where its public title is not the opener's to choose."""
    opens_with: ClassVar[tuple[str, str] | None] = None
    """Step and act that are done on the page of opening, so that no case stands empty."""
    opener_only: ClassVar[tuple[str, ...]] = ()
    """Roles in which only the party that opened a case may act in it (an applicant's)."""
    suspendable: ClassVar[bool] = True
    """Whether a case may be suspended: not where the law itself says when its term stands still."""
    featured: ClassVar[bool] = True
    """Whether its cases come up on the home page; not where each is one person's own matter."""
    links: ClassVar[tuple[tuple[Words, str], ...]] = ()
    """Further public pages: their words and addresses, shown on the procedure's own page."""
    entrances: ClassVar[tuple[tuple[Words, str], ...]] = ()
    """Where anybody may come in without an account: words and addresses, shown on the home page;
    the first also in the navigation."""
    inside_template: ClassVar[str] = ""
    """Shows what `inside` has found."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.code:
            cls.process_title = cls.title
            known = _declared.get((cls.code, cls.version))
            if known is not None and known.__qualname__ != cls.__qualname__:
                raise TypeError(f"{cls.code}@{cls.version} is declared twice")
            _declared[cls.code, cls.version] = cls

    @classmethod
    def case_acts(cls) -> CaseActs:
        """What may be done to a case whatever step it stands at."""
        return cls._case_acts

    @classmethod
    def inside(cls, case: Case, parties: Sequence[Party]) -> dict[str, Any]:
        """What the pages of a case show to who has these capacities in it and to nobody else; may
        hold clear values. Empty for the public."""
        return {}

    @classmethod
    def about(cls, case: Case) -> list[tuple[Words, Any]]:
        """What the page of a case says of it in short, beside its place and dates: labels and
        words, all of it public."""
        return []

    @classmethod
    def pages(cls, case: Case) -> list[tuple[Words, str]]:
        """Further public pages of a case: their words and addresses, on top of its own page."""
        return []

    @classmethod
    def may_read(cls, file: Attachment, parties: Sequence[Party], oversees: bool) -> bool:
        """Whether someone with these capacities in a case, who is not its author, may download a
        private file of it; `oversees`: the case's community."""
        return oversees

    @classmethod
    def outdated(cls, now: dt.datetime) -> QuerySet[Case]:
        """Cases of this version, also ended ones, that hold of people what is kept no longer; the
        sweep then has them `forget` it. Asked at every sweep: one cheap query."""
        return Case.objects.none()

    @classmethod
    def forget(cls, case: Case, now: dt.datetime) -> Mapping[str, int]:
        """Erase that, within the act that records it; returns counts by kind (`privacy.KINDS`)."""
        return {}

    @classmethod
    def steps(cls) -> list[Step]:
        """The steps in declared order."""
        order = {name: at for at, name in enumerate(_names_in_order(cls))}
        found = [node for node in cls._nodes_by_name.values() if isinstance(node, Step)]
        return sorted(found, key=lambda node: order.get(node.name, len(order)))

    @classmethod
    def step(cls, name: str) -> Node:
        """The node of that name; raises KeyError."""
        return cls._nodes_by_name[name]

    @classmethod
    def adjustable(cls) -> dict[str, Step]:
        """Parameters that an office may set at opening, by name (``ask_needs.term``)."""
        return {f"{step.name}.term": step for step in cls.steps() if step.adjustable}

    @classmethod
    def checked_params(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        """`params` as stored: every adjustable parameter, each within its bounds, or `Refused`."""
        settled: dict[str, Any] = {}
        known = cls.adjustable()
        for name, value in params.items():
            if name not in known:
                raise Refused("invalid", _("这一程序没有该参数。"), {name: [str(_("未知参数"))]})
            if value in ("", None):
                continue
            least, most = known[name].adjustable or (None, None)
            try:
                term = terms.parse(str(value))
            except ValueError as error:
                raise Refused("invalid", _("期限填写有误。"), {name: [str(error)]}) from error
            assert least is not None
            assert most is not None
            if type(term) is not type(least) or not least.n <= term.n <= most.n:
                message = _("期限应在%(least)s至%(most)s之间。") % {"least": least, "most": most}
                raise Refused("invalid", message, {name: [str(message)]})
            settled[name] = term.code
        for name, step in known.items():
            if name not in settled and step.term is not None:
                settled[name] = step.term.code
        return settled

    @classmethod
    def begin(cls, case: Case, now: dt.datetime) -> None:
        """Put the first token into a case; called by `acts.open_case` alone."""
        opening = next(n for n in cls._nodes_by_name.values() if isinstance(n, Opening))
        run = StepRun(process=case, flow_task=opening, name=opening.name, started=now)
        activation = opening.activation_class(run)
        activation.complete()
        activation.activate_next()


def _names_in_order(cls: type) -> list[str]:
    names: list[str] = []
    for base in reversed(cls.__mro__):
        names.extend(name for name in vars(base) if name not in names)
    return names


def all_declared() -> list[type[Procedure]]:
    """Every declared version of every procedure."""
    return list(_declared.values())


def versions(code: str) -> list[type[Procedure]]:
    """Every version of a procedure, newest first."""
    found = [p for (known, _version), p in _declared.items() if known == code]
    return sorted(found, key=lambda p: p.effective_from, reverse=True)


def current(code: str, on: dt.date) -> type[Procedure]:
    """The version under which a case of `code` is opened on that day; raises KeyError."""
    for procedure in versions(code):
        if procedure.effective_from <= on:
            return procedure
    raise KeyError(code)


def catalogue(on: dt.date) -> list[type[Procedure]]:
    """The procedures that may be opened on that day, in order of their codes."""
    codes = sorted({code for code, _version in _declared})
    found = [current(code, on) for code in codes if _in_force(code, on)]
    return [procedure for procedure in found if procedure.listed]


def entrances(on: dt.date) -> list[tuple[str, tuple[tuple[Words, str], ...]]]:
    """By the procedures' codes: where anybody may come in."""
    return [(each.code, each.entrances) for each in catalogue(on) if each.entrances]


def unfeatured() -> list[str]:
    """The codes of the procedures whose cases do not come up on the home page."""
    return sorted({code for (code, _version), each in _declared.items() if not each.featured})


def _in_force(code: str, on: dt.date) -> bool:
    return any(p.effective_from <= on for p in versions(code))
