"""Consultation (征求意见): people say what they need, and every opinion gets a reply with a reason.

The source article: 逐户发放填写《老旧小区改造意见征求表》… 以无记名形式对意见采纳情况、未采纳原因
进行反馈,确保居民意见件件有回应、可查询.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from django import forms
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from .. import calendars, clock, terms
from ..acts import Act, Written, perform
from ..doors import Kind
from ..models.case import Case, StepRun
from ..models.record import Record
from ..parties import Member, directory
from .act import ActSpec, Roles, Words, act, refuse
from .answers import Following, _answer
from .base import NOTHING, SHOWN
from .consultation_forms import CloseForm, OpinionForm, ReturnedForm, SurveyForm, VisitForm
from .consultation_rows import (
    LEAST_SHOWN,
    HouseholdReturn,
    MenuItem,
    SurveyAnswer,
    counted,
    satisfaction,
)
from .opinion import Answering, Glance, feedback_book, write_opinion
from .opinion_rows import STANCES, Opinion

__all__ = ["Consultation", "HouseholdReturn", "MenuItem", "SurveyAnswer"]

CLOSED = "closed"
"""The phase of a run that the office has closed before or after its term."""

VISITS_SHOWN = 60
"""How many households still to be visited a page lists at once."""


@dataclass(slots=True)
class Asked(Glance):
    """Also `households`: state, visits, and of how many that holds; `calendar` where it is asked
    when the run may be closed."""

    households: Sequence[tuple[str, int, int]]
    calendar: terms.Calendar | None


class Consultation(Answering):
    """People give opinions for a term; the step ends when every one of them has its reply.

    `items` is the menu. With `each_household` every household must be accounted for: by an opinion,
    a returned form, a refusal, or `visits_needed` visits without meeting anyone. With `survey` each
    household (roles in `surveyed`) may say how satisfied it is. The office may close it once
    `minimum` has passed; without a minimum, not before its term has ended. Where the procedure
    declares an outcome beside ``done`` (``revise``), the office chooses when it closes the step;
    the end of the term alone then decides nothing.
    """

    kind = "consultation"
    explained = _("提意见和建议，每条意见都有答复和理由。")
    paged = "book"
    outcomes: ClassVar[dict[str, Words]] = {"done": _("意见均已答复")}

    def __init__(
        self,
        *,
        title: Words,
        items: Iterable[MenuItem] = (),
        each_household: bool = False,
        visits_needed: int = 3,
        minimum: terms.AnyTerm | None = None,
        survey: bool = False,
        surveyed: Iterable[str] = ("household",),
        **kwargs: Any,
    ) -> None:
        super().__init__(title=title, **kwargs)
        listed = tuple(items)
        self.items = {item.code: item for item in listed}
        self._repeated = len(listed) - len(self.items)
        self.each_household = each_household
        self.visits_needed = visits_needed
        self.minimum = minimum
        self.survey = survey
        self.surveyed: Roles = tuple(surveyed)

    @property
    def codes(self) -> dict[str, Words]:
        """Items of the menu and their classes."""
        found: dict[str, Words] = {item.code: item.title for item in self.items.values()}
        return found | {item.grade: item.grade_title for item in self.items.values()}

    def faults(self) -> Iterator[str]:
        """Also: nobody to ask, no term, an item twice."""
        yield from super().faults()
        if not self.participants:
            yield "nobody is consulted"
        if self.term is None:
            yield "no term"
        if self._repeated:
            yield "an item of the menu stands twice"
        if self.visits_needed < 1:
            yield "visits_needed is below one"

    def allowed(self, spec: ActSpec, case: Case) -> Roles:
        """The survey only where there is one, visits only where every household is asked."""
        if spec.name == "survey.answered":
            return self.surveyed if self.survey else ()
        if spec.name == "household.visited":
            return self.by if self.each_household else ()
        return super().allowed(spec, case)

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """Also the households by what came of asking them, and the calendar."""
        opinions = super().glances(runs)
        households: dict[int, list[tuple[str, int, int]]] = defaultdict(list)
        rows = HouseholdReturn.objects.filter(run__in=runs).order_by()
        for pk, *asked in rows.values_list("run", "life", "visits").annotate(n=Count("pk")):
            households[pk].append((asked[0], asked[1], asked[2]))
        soonest = any(run.step.minimum is not None for run in runs)
        calendar = calendars.current() if soonest else None
        return {
            run.pk: Asked(opinions[run.pk].opinions, households[run.pk], calendar) for run in runs
        }

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Closing only when it may be closed."""
        if spec.name == "consultation.closed":
            return run.phase == CLOSED or self._may_close(run, clock.now())
        return True

    def opened(self, run: StepRun, now: dt.datetime) -> dict[str, Any]:
        """Freeze the households that must be accounted for."""
        if not self.each_household:
            return {}
        members = directory().members("households", run.process.community)
        HouseholdReturn.objects.bulk_create(
            HouseholdReturn(run=run, party_key=member.key) for member in members
        )
        return {"households": len(members)}

    # --- acts
    @act(
        "opinion.submitted", title=_("提交意见"), by="participants", form=OpinionForm, in_term=True
    )
    def submit(self, doing: Act) -> Written:
        """Give an opinion. The record says on which item and how, never the words."""
        run, data = doing.open_run, doing.data
        code = data.get("item") or ""
        opinion = write_opinion(
            doing, text=data["text"], item=code, stance=data.get("stance") or ""
        )
        self._account_for(run, doing.party.key)
        body: dict[str, Any] = {"files": len(doing.files)}
        if code:
            body |= {"item": code, "class": self.items[code].grade, "stance": opinion.stance}
        return Written(body, {"text": opinion.text}, opinion)

    def door_kinds(self, run: StepRun) -> list[Kind]:
        """The form of opinions, and that of satisfaction where there is a survey."""
        community = run.process.community

        def members() -> Sequence[Member]:
            return directory().members("households", community)

        kinds = []
        if run.phase != CLOSED and (role := self._role(self.participants)):
            name = "form.returned" if self.items else "opinion.submitted"
            kinds.append(Kind(name, _("意见征求表"), role, members))
        if run.phase != CLOSED and self.survey and (role := self._role(self.surveyed)):
            kinds.append(
                Kind("survey.answered", _("满意度评价表"), role, members, secret=True, signed=False)
            )
        return kinds

    @staticmethod
    def _role(roles: Roles) -> str:
        return next((role for role in directory().on_paper if role in roles), "")

    @act(
        "form.returned",
        title=_("交回意见征求表"),
        by="participants",
        form=ReturnedForm,
        in_term=True,
        page=False,
    )
    def return_form(self, doing: Act) -> Written:
        """The whole form of a household: every item that is ticked and the free words are opinions
        of their own, each with its record. What the household said before on an item stands."""
        run, data, key = doing.open_run, doing.data, doing.party.key
        stated = set(
            Opinion.objects.filter(run=run, party_key=key, stance__in=("want", "not_want"))
            .exclude(life="withdrawn")
            .values_list("item", flat=True)
        )
        said = {code: data[f"item_{code}"] for code in self.items if data.get(f"item_{code}")}
        payloads = [
            {"item": code, "stance": stance} for code, stance in said.items() if code not in stated
        ]
        if data["text"]:
            payloads.append({"text": data["text"]})
        seqs = [
            perform(
                doing.case,
                run.name,
                "opinion.submitted",
                doing.party,
                payload,
                happened_at=doing.happened_at,
            ).record.seq
            for payload in payloads
        ]
        stood = len(said.keys() & stated)
        if self.each_household and not seqs:
            waiting = HouseholdReturn.objects.filter(
                run=run, party_key=key, life__in=("waiting", "not_met", "refused")
            )
            waiting.update(life="returned")
        body: dict[str, Any] = {"opinions": seqs, **({"stood": stood} if stood else {})}
        return Written(body, settle=True)

    @classmethod
    def became(cls, records: Sequence[Record]) -> Mapping[int, Any]:
        """Of a whole form: the answers to its opinions."""
        forms_ = {r.pk: r for r in records if r.act == "form.returned"}
        wanted = {
            (r.case_id, seq): pk
            for pk, r in forms_.items()
            for seq in r.content["body"].get("opinions", ())
        }
        found: dict[int, Following] = defaultdict(Following)
        rows = Opinion.objects.filter(
            record__case__in={case for case, _seq in wanted},
            record__seq__in={seq for _case, seq in wanted},
        ).select_related("reply", "record")
        for row in rows if wanted else ():
            assert row.record is not None
            pk = wanted.get((row.record.case_id, row.record.seq))
            if pk is not None:
                _answer(found[pk], row)
        return found

    @act("household.visited", title=_("登记入户走访"), by="by", form=VisitForm)
    def visit(self, doing: Act) -> Written:
        """Record a visit to a household; one visit a day without meeting anyone counts."""
        run, data = doing.open_run, doing.data
        row, _made = HouseholdReturn.objects.get_or_create(run=run, party_key=data["household"])
        result, on = data["result"], data["on"]
        if row.life in ("answered", "returned") or row.life == result == "refused":
            raise refuse(_("该户已有记录，无需再登记。"), field="household", code="duplicate")
        if row.life == "refused" and result == "not_met":
            raise refuse(_("该户已登记为拒绝填写。"), field="result", code="duplicate")
        if result == "not_met" and row.last_on == on:
            raise refuse(_("同一天的未遇只计一次，请改日再访。"), field="on", code="duplicate")
        {"returned": row.returned, "refused": row.refused, "not_met": row.not_met}[result]()
        row.visits += 1
        row.last_on = max(on, row.last_on or on)
        row.save()
        body = {"result": result, "visits": row.visits, "on": on.isoformat()}
        household = doing.form.member.label
        return Written(body, {"household": household}, row, settle=True)

    @act("survey.answered", title=_("满意度评价"), by="surveyed", form=SurveyForm, in_term=True)
    def answer_survey(self, doing: Act) -> Written:
        """Say how satisfied the household is; the last answer counts, each has its record."""
        run, answer = doing.open_run, doing.data["answer"]
        before = SurveyAnswer.objects.filter(run=run, party_key=doing.party.key)
        if doing.happened_at and any(row.given_at > doing.happened_at for row in before):
            raise refuse(_("该户在这份纸质表之后已经作答，以后来的为准。"), code="duplicate")
        row, made = SurveyAnswer.objects.update_or_create(
            run=run, party_key=doing.party.key, defaults={"answer": answer}
        )
        self._account_for(run, doing.party.key)
        return Written({"changed": not made}, {"answer": answer}, row)

    def close_form(self, _doing: Act) -> type[CloseForm]:
        """With a choice of outcome where the procedure declares one."""
        if len(self.outcomes_to) < 2:
            return CloseForm
        choices = [(code, self.outcome_names.get(code, code)) for code in self.outcomes_to]
        field = forms.ChoiceField(label=_("办理结果"), choices=choices, widget=forms.RadioSelect)
        return type("CloseWithOutcome", (CloseForm,), {"outcome": field})

    @act("consultation.closed", title=_("结束征求意见"), by="by", form="close_form")
    def close(self, doing: Act) -> Written:
        """Take no more opinions; the step ends once everything has been answered."""
        run, now = doing.open_run, doing.at
        outcome = doing.data.get("outcome") or next(iter(self.outcomes_to))
        if run.phase == CLOSED and run.data.get("outcome") == outcome:
            raise refuse(_("征求意见已经结束，正在等待答复完成。"), code="duplicate")
        if run.phase != CLOSED and not self._may_close(run, now):
            raise refuse(_("征求意见时间未满，不能提前结束。"), code="early")
        early = run.phase != CLOSED and not run.term_over(now)
        run.phase = CLOSED
        closed_on = run.data.get("closed_on") or timezone.localdate(now).isoformat()
        run.data = {**run.data, "outcome": outcome, "closed_on": closed_on}
        run.save(update_fields=["phase", "data"])
        body = {"reason": doing.data["reason"], "outcome": outcome, "early": early}
        return Written(body, settle=True)

    def over(self, run: StepRun, now: dt.datetime) -> bool:
        """Also once the office has closed it."""
        return run.phase == CLOSED or super().over(run, now)

    def last_day(self, run: StepRun) -> dt.date | None:
        """The day on which the office closed it, where that came first."""
        closed = parse_date(run.data.get("closed_on", ""))
        return min((day for day in (run.ends_on, closed) if day), default=None)

    def _account_for(self, run: StepRun, key: str) -> None:
        if self.each_household:
            HouseholdReturn.objects.filter(run=run, party_key=key).update(life="answered")

    def _may_close(self, run: StepRun, now: dt.datetime) -> bool:
        if run.term_over(now):
            return True
        if self.minimum is None or run.starts_on is None:
            return False
        seen = run.glance  # a page of many runs has read the calendar once
        calendar = seen.calendar if seen is not None else calendars.current()
        least = terms.end_of(self.minimum, run.starts_on, calendar)
        return not least.provisional and now >= least.ends_at

    # --- completion
    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """Over, chosen where there is a choice, all answered, all households accounted for."""
        if run.phase != CLOSED and (len(self.outcomes_to) > 1 or not run.term_over(now)):
            return None
        if self.unanswered(run).exists():
            return None
        if self.each_household and not self._all_accounted(run):
            return None
        chosen: str = run.data.get("outcome") or next(iter(self.outcomes_to))
        return chosen

    def unaccounted(self, run: StepRun) -> QuerySet[HouseholdReturn]:
        """The households that are still to be asked, in walking order."""
        few = Q(life="not_met", visits__lt=self.visits_needed)
        return HouseholdReturn.objects.filter(Q(life="waiting") | few, run=run).order_by("pk")

    def _all_accounted(self, run: StepRun) -> bool:
        # An estate without a register of households has not been asked at all.
        return (
            HouseholdReturn.objects.filter(run=run).exists() and not self.unaccounted(run).exists()
        )

    def _to_ask(self, seen: Asked) -> int:
        """How many households are still to be asked: those of `unaccounted`."""
        return sum(
            n
            for life, visits, n in seen.households
            if life == "waiting" or (life == "not_met" and visits < self.visits_needed)
        )

    def unmet(self, run: StepRun) -> list[Words]:
        """What is missing, in numbers."""
        missing: list[Words] = []
        seen: Asked = self.glance(run)
        if waiting := seen.opinions.get("submitted", 0):
            missing.append(_("还有%(count)s条意见未答复") % {"count": waiting})
        if self.each_household:
            if left := self._to_ask(seen):
                missing.append(_("还有%(count)s户没有征求记录") % {"count": left})
            elif not seen.households:
                missing.append(_("小区尚未登记住户"))
        if run.phase != CLOSED and len(self.outcomes_to) > 1:
            missing.append(_("办理方还没有决定下一步"))
        return missing

    def waiting(self, run: StepRun, roles: set[str]) -> list[Words]:
        """Opinions to answer, households to visit."""
        found = super().waiting(run, roles)
        if self.each_household and roles.intersection(self.by):
            left = self._to_ask(self.glance(run))
            found += [_("%(n)s户待征求") % {"n": left}] if left else []
        return found

    def result(self, run: StepRun) -> dict[str, Any]:
        """Opinions by outcome, households by what came of them, satisfaction."""
        outcomes = {
            row["reply__outcome"] or "withdrawn": row["n"]
            for row in Opinion.objects.filter(run=run)
            .values("reply__outcome")
            .annotate(n=Count("pk"))
            .order_by()
        }
        body: dict[str, Any] = {"opinions": outcomes}
        if self.each_household:
            body["households"] = counted(HouseholdReturn.objects.filter(run=run), "life")
        if self.survey:
            found = satisfaction(run)
            rate = found["rate"]
            body["survey"] = {
                "answers": found["answers"] if rate is not None else f"<{LEAST_SHOWN}",
                **({"rate": f"{rate.numerator}/{rate.denominator}"} if rate is not None else {}),
            }
        return body

    # --- what pages read
    def page(self, run: StepRun) -> dict[str, Any]:
        """Menu, counts by item, progress, the feedback book (a queryset), satisfaction."""
        return {
            "menu": list(self.items.values()),
            "counts": self.counts(run),
            "progress": self.progress(run),
            "book": feedback_book(run),
            "satisfaction": satisfaction(run) if self.survey else None,
            "closed": run.phase == CLOSED,
        }

    def desk(
        self, run: StepRun, roles: set[str] | None = None, query: Mapping[str, str] = NOTHING
    ) -> dict[str, Any]:
        """The first hundred unanswered opinions in clear, and the households still to visit."""
        return {
            "unanswered": list(self.unanswered(run).select_related("record")[:SHOWN]),
            "alike": self.alike(run),
            "unaccounted": self.unaccounted(run) if self.each_household else None,
            "unmet": self.unmet(run),
            **(self._to_visit(run, query) if self.each_household else {}),
        }

    def _to_visit(self, run: StepRun, query: Mapping[str, str]) -> dict[str, Any]:
        """The households still to be asked, in walking order, narrowed by ``find``."""
        find = "".join(query.get("find", "").split())[:40]
        left = {row.party_key: row for row in self.unaccounted(run)}
        members = [
            {"key": member.key, "label": member.label, "visits": left[member.key].visits}
            for member in directory().members("households", run.process.community)
            if member.key in left and find in member.label
        ]
        return {"to_visit": members[:VISITS_SHOWN], "to_visit_count": len(members), "find": find}

    def prefill(self, doing: Act, query: Any) -> dict[str, Any]:
        """A visit begins with the household's room, from its key, and with today."""
        begun = super().prefill(doing, query)
        if doing.spec.name == "household.visited":
            begun["on"] = timezone.localdate(doing.at).isoformat()
            for member in directory().members("households", doing.case.community):
                if member.key == begun.get("household"):
                    begun["household"] = member.label
        return begun

    def counts(self, run: StepRun) -> list[dict[str, Any]]:
        """How many parties want each item and how many do not, in the menu's order."""
        found: dict[tuple[str, str], int] = {
            (row["item"], row["stance"]): row["n"]
            for row in Opinion.objects.filter(run=run)
            .exclude(Q(item="") | Q(life="withdrawn"))
            .values("item", "stance")
            .annotate(n=Count("pk"))
            .order_by()
        }
        return [
            {"item": item, **{stance: found.get((item.code, stance), 0) for stance in STANCES}}
            for item in self.items.values()
        ]

    def progress(self, run: StepRun) -> dict[str, Any]:
        """Opinions and households in numbers; `answered` is a Fraction, None without opinions."""
        lives = counted(Opinion.objects.filter(run=run), "life")
        replied, waiting = lives.get("replied", 0), lives.get("submitted", 0)
        found: dict[str, Any] = {
            "opinions": sum(lives.values()),
            "replied": replied,
            "unanswered": waiting,
            "withdrawn": lives.get("withdrawn", 0),
            "answered": Fraction(replied, replied + waiting) if replied + waiting else None,
        }
        if self.each_household:
            total = Count("pk")
            left = Count("pk", filter=Q(pk__in=self.unaccounted(run).values("pk")))
            rows = HouseholdReturn.objects.filter(run=run).aggregate(total=total, left=left)
            found |= {"households": rows["total"], "accounted": rows["total"] - rows["left"]}
        return found
