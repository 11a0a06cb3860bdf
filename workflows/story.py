"""A case walked from outside, act by act: for demos, and for tests of whole cases.

Everything goes through the one door, as the pages do it; time is set on the engine's clock, where
it stands until the story moves it (`clock.set_now(None)` lets it run again).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django.db import transaction
from django.db.models import Q

from . import acts, clock, sweep
from . import procedure as procedures
from .models.case import Case, Community, StepRun
from .parties import Party, directory


def on_paper(community: Community, number: int, typist: Party, role: str = "household") -> Party:
    """The `number`-th household of a place, whose paper form `typist` types in."""
    households = directory().members("households", community)
    return Party(role, households[number % len(households)].key, typist.user_id, via="paper")


class Story:
    """One case on its way, opened by `party` at `start`.

    A story that can be told stage by stage names its methods in `STAGES`, one a step.
    """

    STAGES: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        code: str,
        community: Community,
        party: Party,
        start: dt.datetime,
        *,
        title: str = "",
        first: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        demo: bool = True,
    ) -> None:
        """`first` and `files` are what the act asks that the procedure `opens_with`."""
        self.community = community
        clock.set_now(start)
        declared = procedures.current(code, start.date())
        with transaction.atomic():
            self.case = acts.open_case(declared, community, party, title=title, demo=demo)
            if declared.opens_with is not None:
                acts.perform(self.case.pk, *declared.opens_with, party, first, files)

    @classmethod
    def of(cls, case: Case, **held: Any) -> Self:
        """Goes on with a case that is on its way already; `held` is what else the story keeps."""
        story = cls.__new__(cls)
        story.case, story.community = case, case.community
        vars(story).update(held)
        return story

    def perform(
        self,
        step: str,
        act: str,
        party: Party,
        data: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        *,
        case: Case | None = None,
    ) -> acts.Done:
        """One act, of this case or of one of its children."""
        return acts.perform((case or self.case).pk, step, act, party, data, files)

    def run(self, step: str, case: Case | None = None) -> StepRun:
        """The open run of a step."""
        return StepRun.objects.get(process=case or self.case, name=step, finished__isnull=True)

    # --- time
    def wait(self, **delta: int) -> Self:
        """Let time pass, then let the sweep do what is due."""
        clock.set_now(clock.now() + dt.timedelta(**delta))
        return self.sweep()

    def wait_for(self, step: str, case: Case | None = None) -> Self:
        """Let time pass until the morning after what is scheduled for the open run of a step."""
        scheduled = self.run(step, case).scheduled
        if scheduled is not None:
            clock.set_now(max(scheduled, clock.now()) + dt.timedelta(hours=9))
        return self.sweep()

    def sweep(self) -> Self:
        """Fire what is due in this case and its children; other cases have times of their own."""
        sweep.sweep(Q(process=self.case) | Q(process__parent__process=self.case))
        return self

    # --- stages
    def until(self, stage: str) -> Self:
        """Walk through every stage before `stage`; ValueError if it is none."""
        for name in self.STAGES[: self.STAGES.index(stage)]:
            getattr(self, name)()
        return self

    def finish(self) -> Self:
        """Walk to the end."""
        for name in self.STAGES:
            getattr(self, name)()
        return self
