"""Who looks at a page: their parties in a community, and what they may do there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .. import acts, clock
from ..models.case import Case, Community, StepRun
from ..models.record import Attachment
from ..parties import Party, directory, own_roles
from ..procedure import Procedure
from ..steps.act import ActSpec
from ..steps.base import Step
from ..steps.matters import CaseActs


@dataclass(frozen=True, slots=True)
class Offer:
    """An act that the viewer may do now, and in which capacities."""

    case: Case
    run: StepRun | None
    step: Step
    spec: ActSpec
    parties: tuple[Party, ...]
    paper: bool = False
    query: str = ""
    title: Any = ""

    @property
    def url(self) -> str:
        """The page of the act."""
        name = self.run.name if self.run else "case"
        base = f"/cases/{self.case.number}/do/{name}/{self.spec.name}/"
        query = "&".join(part for part in ("paper=1" if self.paper else "", self.query) if part)
        return f"{base}?{query}" if query else base


class Viewer:
    """The user of a request, as far as one case is concerned."""

    own = staff = True
    """Whether files are shown that they handed in for themselves; that those see who oversee."""

    def __init__(
        self,
        user: Any,
        case: Case,
        parties: Sequence[Party] | None = None,
        opened: Collection[tuple[int, str]] | None = None,
    ) -> None:
        self.user = user
        self.case = case
        # What has been asked already, for many cases at once.
        self._given, self._opened = parties, opened

    @cached_property
    def parties(self) -> Sequence[Party]:
        """Every capacity of the user in the case: those in its community, but for an opener's in a
        case that somebody else opened."""
        if not self.user.is_authenticated:
            return ()
        found = self._given
        if found is None:
            found = directory().parties_of(self.user, self.case.community, clock.now())
        return [party for party in found if self._fits(party)]

    def _fits(self, party: Party) -> bool:
        if party.role not in self.case.declared.opener_only:
            return True
        if self._opened is not None:
            return (self.case.pk, party.role) in self._opened
        return acts.opened_by(self.case, party)

    @cached_property
    def inside(self) -> dict[str, Any]:
        """What the case shows to the viewer and not to the public."""
        return self.case.declared.inside(self.case, self.parties) if self.parties else {}

    @cached_property
    def roles(self) -> set[str]:
        """The roles among them."""
        return {party.role for party in self.parties}

    @cached_property
    def oversees(self) -> bool:
        """Whether what is not public of this case may be shown."""
        return (
            self.staff
            and bool(self.user.is_authenticated)
            and directory().may_oversee(self.user, self.case.community, clock.now())
        )

    @property
    def typist(self) -> Party | None:
        """The capacity in which the user may type in paper forms."""
        return next((party for party in self.parties if party.role in directory().typists), None)

    def parties_for(self, step: Step, spec: ActSpec) -> tuple[Party, ...]:
        """The viewer's capacities that an act admits."""
        allowed = step.allowed(spec, self.case)
        found: dict[tuple[str, str], Party] = {}
        for party in self.parties:
            if party.role in allowed:
                # A household and its owner are one and the same choice for people.
                same = party.role in directory().on_paper
                kind = "" if same else party.role + party.seat
                found.setdefault((kind, party.key), party)
        return tuple(found.values())

    def may_handle(self, step: Step) -> bool:
        """Whether the viewer is one of those who handle the step."""
        return bool(self.roles.intersection(step.desk_roles))

    def judges(self, run: StepRun) -> bool:
        """Whether the viewer sits on a panel of the case that judges what tasks handed in."""
        if not isinstance(run.flow_task, Step) or run.flow_task.kind != "task":
            return False
        panels = (step for step in self.case.declared.steps() if step.kind == "panel")
        return any(self.roles.intersection(panel.participants) for panel in panels)

    def may_have(self, file: Attachment) -> bool:
        """Whether the viewer may download a file of the case: everybody one that is public; others
        who handed them in, those whom the procedure names, and a panel that judges them."""
        if file.public:
            return True
        run = file.run
        if run is None or not self.user.is_authenticated:
            return False
        return (
            self._handed_in(file)
            or self.case.declared.may_read(file, self.parties, self.oversees)
            or self.judges(run)
        )

    def _handed_in(self, file: Attachment) -> bool:
        trace = getattr(file.record, "trace", None)
        if file.record is None or trace is None or trace.user_id != self.user.pk:
            return False
        record = file.record
        if record.content["party"].get("via") == "paper":
            # A neighbour's signed form: for as long as one may type in here.
            return self.typist is not None
        if record.role in own_roles():
            return self.own
        # What one did in an office is the office's: for as long as one serves there.
        return record.role in self.roles

    def offers(self, run: StepRun | None, step: Step) -> list[Offer]:
        """What the viewer may do at a step now; the door decides again."""
        if run is not None and not run.is_open:
            return []
        now = clock.now()
        found = []
        for spec in step.acts.values():
            if self.case.finished and not spec.after_close:
                continue
            if not spec.page or (self.case.suspended_at and not spec.while_suspended):
                continue
            if not self.case.suspended_at and spec.while_suspended:
                continue
            over = run is not None and spec.in_term and step.over(run, now)
            parties = () if over else self.parties_for(step, spec)
            allowed = set(step.allowed(spec, self.case))
            on_paper = self.typist is not None and not allowed.isdisjoint(directory().on_paper)
            if not parties and not on_paper:
                continue
            if run is not None and not step.offered(spec, run):
                continue
            if run is None and isinstance(step, CaseActs) and not step.fits(spec, self.case):
                continue
            if parties and run is not None:
                parties = step.able(spec, run, parties)
            if parties and run is not None:
                roles = {party.role for party in parties}
                found += [
                    Offer(self.case, run, step, spec, parties, query=query, title=title)
                    for query, title in step.variants(spec, run, roles)
                ]
            elif parties:
                found.append(Offer(self.case, run, step, spec, parties, title=spec.title))
            if on_paper and self.typist is not None:
                typist = (self.typist,)
                found.append(
                    Offer(self.case, run, step, spec, typist, paper=True, title=spec.title)
                )
        return found

    def buttons(self, run: StepRun | None, step: Step) -> list[Offer]:
        """Those offers that a page shows as buttons."""
        return [offer for offer in self.offers(run, step) if offer.spec.button]

    def on_paper(self, step: Step, spec: ActSpec, key: str) -> Party:
        """The resident whose paper form the viewer types in."""
        assert self.typist is not None
        allowed = step.allowed(spec, self.case)
        role = next(role for role in directory().on_paper if role in allowed)
        return replace(self.typist, role=role, key=key, via="paper", label="")


def capacities_to_open(
    everywhere: Mapping[int, Sequence[Party]], declared: type[Procedure]
) -> dict[str, dict[int, Party]]:
    """By each role that may open the procedure, the places where an account holds it, of those
    where it holds any; the roles that not everybody has come first."""
    kinds = declared.community_kinds
    here = Community.objects.filter(kind__in=kinds, pk__in=everywhere).values_list("pk", flat=True)
    found: dict[str, dict[int, Party]] = {}
    for pk in here:
        for party in everywhere[pk]:
            if party.role in declared.opened_by:
                found.setdefault(party.role, {})[pk] = party
    last = {role for role, places in found.items() if any(p.everyone for p in places.values())}
    return {role: found[role] for role in sorted(found, key=lambda role: role in last)}
