"""The term of a run: how it begins, stands still, is counted anew and ends, and what records say
of it. How long a term is, `workflows.terms` knows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import calendars, clock, law, records, terms
from ..acts import Act, Written
from ..models.case import Case, StepRun
from ..parties import Party
from .act import act


class RunTerms:
    """What a step does with the terms of its runs.

    `deadline` counts the term by what the case holds, where it is not a number of days.
    """

    name: str
    declared_term: terms.AnyTerm | law.ByLaw | None
    deadline: Callable[[Case, terms.Calendar], terms.Deadline] | None

    @property
    def term(self) -> terms.AnyTerm | None:
        """The term of a run that begins now, unless its case has one of its own."""
        return settled(self.declared_term, clock.now())

    def term_in(self, case: Case, at: dt.datetime | None = None) -> terms.AnyTerm | None:
        """The term of a run that begins at `at`: as set at opening, else as declared."""
        code = case.params.get(f"{self.name}.term")
        return terms.parse(code) if code else settled(self.declared_term, at or clock.now())

    def term_law(self, at: dt.datetime) -> dict[str, list[str]]:
        """What a record says of the rule of law that fixed the term."""
        if not isinstance(self.declared_term, law.ByLaw):
            return {}
        return law.named(law.rule(self.declared_term.code, at))

    def start_term(self, run: StepRun, term: terms.AnyTerm, now: dt.datetime) -> None:
        """Set the run's term; the sweep looks at the run when it ends."""
        ahead = run.process.ahead
        calendar = ahead.calendar if ahead is not None else calendars.current()
        if self.deadline is not None:
            self._set_deadline(run, self.deadline(run.process, calendar))
        else:
            start = records.not_before(run.process, now)
            self._set_deadline(run, terms.end_of(term, start, calendar))
        run.overdue_at = None

    @staticmethod
    def _set_deadline(run: StepRun, deadline: terms.Deadline) -> None:
        run.term = deadline.term
        run.starts_on = deadline.start
        run.ends_on = deadline.ends_on
        run.ends_at = deadline.ends_at
        run.term_rule = deadline.rule
        run.provisional = deadline.provisional
        run.scheduled = deadline.ends_at

    def over(self, run: StepRun, now: dt.datetime) -> bool:
        """Whether what may only be done within the run's term now comes too late."""
        return run.term_over(now)

    def last_day(self, run: StepRun) -> dt.date | None:
        """The last day on which it came in time."""
        return run.ends_on

    def paper_in_time(self, run: StepRun, party: Party, happened_at: dt.datetime | None) -> bool:
        """Whether a paper form is dated within the run's term: it was handed in in time, however
        late an officer types it in. No form is dated before there was anything to fill in."""
        last = self.last_day(run)
        if party.via != "paper" or happened_at is None or run.starts_on is None or last is None:
            return False
        return run.starts_on <= timezone.localdate(happened_at) <= last

    def shift_term(self, run: StepRun, suspended: dt.datetime, resumed: dt.datetime) -> None:
        """The case was suspended and goes on: what was left of the run's term runs on."""
        later = terms.resume(
            terms.parse(run.term), deadline_of(run), suspended, resumed, calendars.current()
        )
        run.ends_on, run.ends_at = later.ends_on, later.ends_at
        run.term_rule, run.provisional = later.rule, later.provisional
        run.scheduled = later.ends_at

    def resumed(self, run: StepRun, suspended: dt.datetime, resumed: dt.datetime) -> dict[str, Any]:
        """The case was suspended and goes on: move what else in the run stood still. Returns what
        the record says of it."""
        return {}

    def term_ended(self, run: StepRun, now: dt.datetime) -> str | None:
        """The scheduled moment has come: the outcome, or None when something is still unmet."""
        return None

    def phase_body(self, run: StepRun) -> dict[str, Any]:
        """What the record of a new phase says besides its name."""
        return {}

    # --- what the clock does
    @act("term.ended", title=_("期限届满"), by=("clock",), page=False)
    def _term_ended(self, doing: Act) -> Written:
        run, now = doing.open_run, doing.at
        outcome = self.term_ended(run, now)
        if outcome is not None or run.scheduled is None or run.scheduled > now:
            run.save()
            phase = {"phase": run.phase} if run.phase else {}
            return Written({**phase, **self.phase_body(run)}, outcome=outcome)
        run.scheduled = None
        run.overdue_at = now
        if run.breaks_term(now, done=False, by_clock=True):
            run.broken_at = run.broken_at or now
        run.save()
        return Written({"overdue": True})

    @act("term.recomputed", title=_("期限重新计算"), by=("clock",), page=False)
    def _term_recomputed(self, doing: Act) -> Written:
        run = doing.open_run
        assert run.starts_on is not None
        before = run.ends_on
        calendar = calendars.current()
        if self.deadline is not None:
            self._set_deadline(run, self.deadline(run.process, calendar))
        else:
            term = terms.parse(run.term)
            self._set_deadline(run, terms.recompute(term, deadline_of(run), calendar))
        run.save()
        return Written({**term_body(run), "before": before.isoformat() if before else ""})


def settled(term: terms.AnyTerm | law.ByLaw | None, at: dt.datetime) -> terms.AnyTerm | None:
    """A declared term as it is for what begins then."""
    return term.on(at) if isinstance(term, law.ByLaw) else term


def deadline_of(run: StepRun) -> terms.Deadline:
    """The deadline that a run stores."""
    assert run.starts_on is not None
    assert run.ends_on is not None
    assert run.ends_at is not None
    return terms.Deadline(run.starts_on, run.ends_on, run.ends_at, run.provisional, run.term_rule)


def term_body(run: StepRun) -> dict[str, Any]:
    """A run's term as its record states it."""
    if not run.ends_on or not run.starts_on:
        return {}
    body: dict[str, Any] = {
        "term": run.term,
        "starts_on": run.starts_on.isoformat(),
        "ends_on": run.ends_on.isoformat(),
        "rule": run.term_rule,
    }
    if run.provisional:
        body["provisional"] = True
    return body
