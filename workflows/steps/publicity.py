"""Publicity (公示): a notice stands for its term, objections are raised and decided.

The source article: 将设计的具体方案在楼道公告栏公示20天. Where a notice must hang in every
stairwell, its term begins only when a photo of the last one is in the record, so that late posting
never shortens the public's time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import Count, Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import calendars, clock, law, terms
from ..acts import Act, Written
from ..models.case import StepRun
from ..models.record import Attachment
from ..parties import directory
from .act import ActSpec, Words, act, refuse
from .base import NOTHING, SHOWN, Step, counted_by_run
from .opinion import Glance, feedback_book, reply_body, seq_of, wording, write_opinion
from .opinion_forms import keys_in
from .opinion_rows import fingerprint
from .publicity_forms import DecisionForm, ObjectionForm, ObjectionWithdrawalForm, StopForm
from .publicity_posting import Posted
from .publicity_rows import POSTING, STANDING, Objection, Posting, objections

__all__ = ["Objection", "Posting", "Publicity"]


@dataclass(slots=True)
class Seen(Glance):
    """Also `objections` by state, the soonest day to decide one, and at how many places the notice
    must still be put up."""

    objections: Mapping[str, int]
    due_on: dt.date | None
    bare: int


class Publicity(Posted):
    """A notice stands for `term`; it ends clean, or upheld when an objection to it was right.

    `posted_in` names the group of places where it must hang (``stairwells``): the run first is in
    phase ``posting``, and the term begins, in phase ``standing``, when each has its photo. An
    objection is to be decided within `verify`. One that comes after the term becomes an opinion,
    unless it is on paper and was handed in within it.
    """

    kind = "publicity"
    explained = _("公示期内有异议可以提出，都会核查并说明理由。")
    paged = "objections"
    ends_with_term = frozenset({"objection.raised"})
    outcomes: ClassVar[dict[str, Words]] = {
        "clean": _("无异议或者异议不成立"),
        "upheld": _("异议成立"),
    }

    def __init__(
        self,
        *,
        title: Words,
        posted_in: str | None = None,
        verify: terms.AnyTerm | law.ByLaw | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(title=title, **kwargs)
        self.posted_in = posted_in
        self.verify: terms.AnyTerm | law.ByLaw = verify or terms.WorkingDays(5)

    def faults(self) -> Iterator[str]:
        """Also: nobody may object, no term."""
        yield from super().faults()
        if not self.participants:
            yield "nobody may object"
        if self.term is None:
            yield "no term"

    @property
    def lawful_terms(self) -> tuple[law.ByLaw, ...]:
        """Also the time in which an objection is answered."""
        verify = (self.verify,) if isinstance(self.verify, law.ByLaw) else ()
        return (*super().lawful_terms, *verify)

    def verify_from(self, at: dt.datetime) -> terms.AnyTerm:
        """The time to decide an objection that is raised at that moment."""
        return self.verify.on(at) if isinstance(self.verify, law.ByLaw) else self.verify

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """Also objections and places."""
        opinions = super().glances(runs)
        objections = Objection.objects.filter(run__in=runs)
        lives = counted_by_run(objections, "life")
        due = objections.filter(life="raised").order_by().values_list("run").annotate(Min("due_on"))
        days = dict(due)
        bare = counted_by_run(Posting.objects.filter(run__in=runs, posted_at=None), "posted_at")
        return {
            run.pk: Seen(
                opinions[run.pk].opinions,
                lives.get(run.pk, {}),
                days.get(run.pk),
                bare.get(run.pk, {}).get(None, 0),
            )
            for run in runs
        }

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Objections while it stands, replies once late opinions can be there."""
        if spec.name == "objection.raised":
            return run.phase == STANDING
        seen: Seen = self.glance(run)
        if spec.name in ("opinion.replied", "reply.corrected", "opinion.withdrawn"):
            return bool(seen.opinions)
        if spec.name in ("objection.decided", "objection.withdrawn"):
            return bool(seen.objections.get("raised"))
        if spec.name == "publicity.withdrawn":
            return bool(seen.objections.get("upheld"))
        if spec.name == "notice.posted":
            return bool(seen.bare)
        return True

    # --- acts
    @act("objection.raised", title=_("提出异议"), by="participants", form=ObjectionForm)
    def raise_objection(self, doing: Act) -> Written:
        """Object to the notice; after the term the same act hands it in as an opinion."""
        run, data = doing.open_run, doing.data
        if run.phase == POSTING or run.ends_at is None:
            raise refuse(
                _("公示期自全部地点张贴完毕之日开始，请在公示期内提出异议。"), code="early"
            )
        body = {"ground": data["ground"], "files": len(doing.files)}
        if run.term_over(doing.at) and not doing.entered_late:
            if not data.get("as_opinion"):
                raise refuse(
                    _("公示期已过，不能再提异议；可以勾选“作为意见提交”，同样会得到答复。"),
                    field="as_opinion",
                    code="late",
                )
            opinion = write_opinion(doing, text=data["text"], late=True)
            return Written({**body, "late": True}, {"text": opinion.text}, opinion)
        mark = fingerprint(doing.case, data["ground"], data["text"])
        mine = Objection.objects.filter(run=run, party_key=doing.party.key, fingerprint=mark)
        if mine.exclude(life="withdrawn").exists():
            raise refuse(_("同样的异议已经提出过，无需重复提交。"), code="duplicate")
        due = terms.end_of(self.verify_from(doing.at), doing.at, calendars.current())
        if isinstance(self.verify, law.ByLaw):
            body |= law.named(law.rule(self.verify.code, doing.at))
        objection = Objection(
            case=doing.case,
            run=run,
            party_key=doing.party.key,
            ground=data["ground"],
            text=data["text"],
            channel=doing.party.via,
            fingerprint=mark,
            created=doing.at,
            due_on=due.ends_on,
            due_at=due.ends_at,
            due_rule=due.rule,
            provisional=due.provisional,
        )
        body["due_on"] = due.ends_on.isoformat()
        return Written(body, {"text": objection.text}, objection)

    @act("objection.decided", title=_("核查异议"), by="by", form=DecisionForm, button=False)
    def decide(self, doing: Act) -> Written:
        """Decide objections, with the reason; the masked wording of them becomes public."""
        keys, decision = doing.data["objections"], doing.data["decision"]
        objections = list(
            Objection.objects.filter(run=doing.run, pk__in=keys).select_related("record")
        )
        if len(objections) != len(keys):
            raise refuse(_("所选异议不属于本环节，请刷新后重试。"), field="objections")
        if any(objection.life != "raised" for objection in objections):
            raise refuse(
                _("所选异议中有的已经核查或者撤回，请刷新后重试。"),
                field="objections",
                code="duplicate",
            )
        doing.form.check_public(objections)
        run = doing.open_run
        if any(row.due_at <= doing.at and not row.provisional for row in objections):
            run.broken_at = run.broken_at or doing.at
            run.save(update_fields=["broken_at"])
        reply = self.write_reply(doing, decision)
        for objection in objections:
            (objection.uphold if decision == "upheld" else objection.dismiss)()
        Objection.objects.filter(pk__in=keys).update(life=decision, reply=reply)
        return Written(reply_body(reply, objections, "objections"), fact=reply, settle=True)

    @act(
        "objection.withdrawn",
        title=_("撤回异议"),
        by="participants",
        form=ObjectionWithdrawalForm,
        button=False,
        optional=True,
    )
    def withdraw_objection(self, doing: Act) -> Written:
        """Take back one's own objection before it is decided."""
        objection = (
            Objection.objects.filter(
                run=doing.run, pk=doing.data["objection"], party_key=doing.party.key
            )
            .select_related("record")
            .first()
        )
        if objection is None:
            raise refuse(_("只能撤回自己提出的异议。"), field="objection")
        if objection.life != "raised":
            raise refuse(
                _("该异议已经核查或者撤回，不能再撤回。"), field="objection", code="closed_step"
            )
        objection.withdraw()
        Objection.objects.filter(pk=objection.pk).update(life=objection.life)
        return Written({"objection": seq_of(objection)}, settle=True)

    @act("publicity.withdrawn", title=_("撤下公示"), by="by", form=StopForm)
    def stop(self, doing: Act) -> Written:
        """End before the term, because an objection is right: a new notice will stand in full."""
        run = doing.open_run
        if not self._upheld(run):
            raise refuse(_("没有成立的异议，公示应当满期。"), code="early")
        if missing := self.unmet(run):
            raise refuse(missing[0], code="unmet")
        return Written({"reason": doing.data["reason"]}, outcome="upheld")

    def prefill(self, doing: Act, query: Any) -> dict[str, Any]:
        """A decision begins with the chosen objections and the first one's text, masked; a posting
        with the place whose photo it is."""
        if doing.spec.name == "notice.posted":
            return {"places": query.getlist("places")}
        if doing.spec.name != "objection.decided":
            return super().prefill(doing, query)
        picked = self._chosen(doing.run, query)
        keys = [row.pk for row in picked]
        return {"objections": keys, "public_text": wording(picked)}

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """The objections to decide, in clear."""
        if spec.name == "objection.decided":
            return {"opinions": self._chosen(run, query)}
        return super().beside(run, spec, query)

    def _chosen(self, run: StepRun | None, query: Any) -> list[Objection]:
        keys = keys_in(query.getlist("objections"), 500)
        picked = Objection.objects.filter(run=run, pk__in=keys, life="raised")
        return list(picked.select_related("record").prefetch_related("record__files"))

    # --- completion
    def undecided(self, run: StepRun) -> QuerySet[Objection]:
        """The objections that wait for a decision, the oldest first."""
        return Objection.objects.filter(run=run, life="raised").order_by("pk")

    def _upheld(self, run: StepRun) -> bool:
        return Objection.objects.filter(run=run, life="upheld").exists()

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """The term is over, every objection decided, every late opinion answered."""
        if run.phase != STANDING or not run.term_over(now):
            return None
        if self.undecided(run).exists() or self.unanswered(run).exists():
            return None
        return "upheld" if self._upheld(run) else "clean"

    def unmet(self, run: StepRun) -> list[Words]:
        """What is missing, in numbers."""
        missing: list[Words] = []
        seen: Seen = self.glance(run)
        if run.phase == POSTING:
            missing.append(
                _("还有%(count)s处没有张贴照片") % {"count": seen.bare}
                if seen.bare
                else _("尚未登记应当张贴的地点")
            )
        if waiting := seen.objections.get("raised", 0):
            missing.append(_("还有%(count)s件异议未核查") % {"count": waiting})
        if late := seen.opinions.get("submitted", 0):
            missing.append(_("还有%(count)s条逾期异议转为的意见未答复") % {"count": late})
        return missing

    def grounds(self, run: StepRun) -> list[str]:
        """The objections that are right, in their public wording, with the reason."""
        upheld = Objection.objects.filter(run=run, life="upheld").order_by("pk")
        rows = upheld.values_list("reply__public_text", "reply__reason")[:50]
        return ["\n".join(part for part in row if part) for row in rows]

    def resumed(self, run: StepRun, suspended: dt.datetime, resumed: dt.datetime) -> dict[str, Any]:
        """The time to decide an objection stood still as well."""
        calendar = calendars.current()
        moved = list(self.undecided(run).filter(due_at__gt=suspended))
        for row in moved:
            raised = timezone.localdate(row.created)
            due = terms.Deadline(raised, row.due_on, row.due_at, row.provisional, row.due_rule)
            later = terms.resume(self.verify_from(row.created), due, suspended, resumed, calendar)
            row.due_on, row.due_at = later.ends_on, later.ends_at
            row.due_rule, row.provisional = later.rule, later.provisional
        Objection.objects.bulk_update(
            moved, ["due_on", "due_at", "due_rule", "provisional"], batch_size=500
        )
        if not moved:
            return {}
        first = min(row.due_on for row in moved)
        return {"objections": len(moved), "due_on": first.isoformat()}

    def waiting(self, run: StepRun, roles: set[str]) -> list[Words]:
        """Objections to decide, late opinions to answer."""
        decides = roles.intersection(self.by)
        count = self.glance(run).objections.get("raised", 0) if decides else 0
        found: list[Words] = [_("%(n)s件异议待核查") % {"n": count}] if count else []
        return [*found, *super().waiting(run, roles)]

    def next_due(self, run: StepRun) -> dt.date | None:
        """The day by which the next objection is to be decided."""
        day: dt.date | None = self.glance(run).due_on
        return day

    def result(self, run: StepRun) -> dict[str, Any]:
        """Objections by what came of them."""
        lives = Objection.objects.filter(run=run).values("life").annotate(n=Count("pk")).order_by()
        return {
            "objections": {row["life"]: row["n"] for row in lives},
            "late": self.scope(run.process, run).count(),
        }

    # --- what pages read
    def notice(self, run: StepRun) -> dict[str, Any]:
        """The notice as it is put up: title, text, attachments, period, places, contacts.

        Text and attachments are those of the step before it (at the beginning of a child case,
        those of what it is about), unless the run has its own in ``data["document"]``; where the
        last step decided something about them (a joint review), how. Contacts (office, telephones)
        are those on file for the place.
        """
        case = run.process
        before = list(
            StepRun.objects.filter(process=case, pk__lt=run.pk, finished__isnull=False).order_by(
                "-pk"
            )[:20]
        )
        files = list(
            Attachment.objects.filter(run__in=[run, *before], public=True)
            .exclude(field="photos")
            .order_by("pk")
        )
        newest = max((file.run_id or 0 for file in files), default=0)
        source = next((earlier for earlier in before if earlier.data), None)
        own = run.data.get("document")
        handed = case.parent.step.handed(case) if case.parent and source is None else {}
        contacts = directory().contacts(case.community)
        decided = self._decided(before[0]) if before else ""
        return {
            "title": _("关于%(title)s的公示") % {"title": case.title},
            "step": self.title,
            "decided": decided,
            "document": own or (source.data if source else handed.get("document", {})),
            "files": handed.get("files") or [file for file in files if file.run_id == newest],
            "starts_on": run.starts_on,
            "ends_on": run.ends_on,
            "term": terms.parse(run.term) if run.term else self.term_in(case),
            "provisional": run.provisional,
            "contacts": contacts,
            "office": contacts.signer(case.community, self.by),
        }

    @staticmethod
    def _decided(before: StepRun) -> Words:
        """What the step before came to, where it could come to more than one end and has no words
        of its own to hang."""
        step = before.flow_task
        if not isinstance(step, Step) or len(step.outcomes_to) < 2 or before.data.get("text"):
            return ""
        outcome = step.outcome_names.get(before.outcome, "")
        said = {"step": step.title, "outcome": outcome}
        return _("%(step)s的结果：%(outcome)s。") % said if outcome else ""

    def page(self, run: StepRun) -> dict[str, Any]:
        """The notice, the places with their photos, objections and late opinions (querysets)."""
        postings = list(Posting.objects.filter(run=run).select_related("photo"))
        return {
            "notice": self.notice(run),
            "phase": run.phase,
            "postings": postings,
            "posted": sum(row.posted_at is not None for row in postings),
            "objections": objections(run, clock.now()),
            "late": feedback_book(run),
        }

    def desk(
        self, run: StepRun, roles: set[str] | None = None, query: Mapping[str, str] = NOTHING
    ) -> dict[str, Any]:
        """Undecided objections and unanswered late opinions, in clear; the first hundred each."""
        return {
            "undecided": list(self.undecided(run).select_related("record")[:SHOWN]),
            "posts": run.is_open and (roles is None or bool(roles & {*self.by})),
            "unanswered": list(self.unanswered(run).select_related("record")[:SHOWN]),
            "unmet": self.unmet(run),
        }
