"""Opinions and what is answered to them: shared by every step that people may write to.

Whoever writes to an office gets an answer with a reason (件件有回应), and the public can read both
without learning who wrote. So an opinion's text is private; what becomes public is the masked
wording that comes with the reply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from ..acts import Act, Written
from ..models.case import Case, StepRun
from ..models.record import Attachment
from ..parties import Party, directory
from ..records import masking
from ..statements import Question, slot
from .act import ActSpec, Words, act, refuse
from .base import Step, counted_by_run
from .opinion_forms import AT_ONCE, ReplyCorrectionForm, ReplyForm, WithdrawalForm, keys_in
from .opinion_rows import OUTCOMES, Opinion, Reply, Statement, fingerprint


@dataclass(slots=True)
class Glance:
    """What lists ask of a run that answers opinions. `opinions`: how many are in each state."""

    opinions: Mapping[str, int]


class Answering(Step):
    """A step that answers opinions: with a run, those of the run; without, those of the case."""

    def scope(self, case: Case, run: StepRun | None) -> QuerySet[Opinion]:
        """The opinions that this step answers."""
        return Opinion.objects.filter(case=case, run=run)

    def unanswered(self, run: StepRun) -> QuerySet[Opinion]:
        """The opinions of a run that wait for a reply, the oldest first."""
        return self.scope(run.process, run).filter(life="submitted").order_by("pk")

    def alike(self, run: StepRun) -> list[dict[str, Any]]:
        """Unanswered opinions on the same item to the same effect: `item`, `stance`, `n`."""
        groups = self.unanswered(run).exclude(item="").order_by("item", "stance")
        counts = groups.values("item", "stance").annotate(n=Count("pk"))
        return [{**row} for row in counts if row["n"] > 1]

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """`opinions`: how many are in each state."""
        lives = counted_by_run(Opinion.objects.filter(run__in=runs), "life")
        return {run.pk: Glance(lives.get(run.pk, {})) for run in runs}

    def waiting(self, run: StepRun, roles: set[str]) -> list[Words]:
        """The opinions to answer."""
        answers = roles.intersection(self.by)
        count = self.glance(run).opinions.get("submitted", 0) if answers else 0
        return [_("%(n)s条意见待答复") % {"n": count}] if count else []

    def draft(self, opinions: Sequence[Opinion]) -> dict[str, Any]:
        """What the reply form begins with: the first one's text, masked as far as patterns go."""
        keys = [opinion.pk for opinion in opinions]
        return {"opinions": keys, "public_text": wording(opinions)}

    def prefill(self, doing: Act, query: Any) -> dict[str, Any]:
        """A reply begins with the chosen opinions and the first one's text, masked."""
        if doing.spec.name == "opinion.replied":
            return self.draft(self._picked(doing.run, query))
        return super().prefill(doing, query)

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """The opinions to answer, in clear."""
        if spec.name == "opinion.replied":
            return {"opinions": self._picked(run, query)}
        return {}

    def _picked(self, run: StepRun | None, query: Any) -> list[Opinion]:
        keys = keys_in(query.getlist("opinions"), AT_ONCE)
        if run is None:
            return []
        picked = self.scope(run.process, run).filter(life="submitted")
        if query.get("item"):
            picked = picked.filter(item=query["item"], stance=query.get("stance", ""))[:AT_ONCE]
        else:
            picked = picked.filter(pk__in=keys)
        return list(picked.select_related("record").prefetch_related("record__files"))

    @act("opinion.replied", title=_("答复意见"), by="by", form=ReplyForm, button=False)
    def reply_to(self, doing: Act) -> Written:
        """Answer opinions with one reply; each has it as its own, each is named in the record."""
        keys = doing.data["opinions"]
        opinions = list(
            self.scope(doing.case, doing.run).filter(pk__in=keys).select_related("record")
        )
        if len(opinions) != len(keys):
            raise refuse(_("所选意见不属于本环节，请刷新后重试。"), field="opinions")
        done = [opinion for opinion in opinions if opinion.life != "submitted"]
        if done:
            message = _("所选意见中有%(count)s条已经答复或者撤回，请刷新后重试。") % {
                "count": len(done)
            }
            raise refuse(message, field="opinions", code="duplicate")
        if len({(opinion.item, opinion.stance) for opinion in opinions}) > 1:
            raise refuse(
                _("所选意见针对不同的项目或者态度不同，不能用同一答复，请分开答复。"),
                field="opinions",
            )
        doing.form.check_public(opinions)
        reply = self.write_reply(doing, doing.data["outcome"])
        for opinion in opinions:
            opinion.answer()  # the guard of its life; one UPDATE then writes them all
        Opinion.objects.filter(pk__in=keys).update(life="replied", reply=reply)
        body = reply_body(reply, opinions)
        if doing.data["publish_photos"]:
            files = Attachment.objects.filter(record__in=[o.record_id for o in opinions])
            # The scan of a paper has the hand of whoever wrote it, and often the room.
            files.exclude(field="scan").update(public=True)
            body["photos_public"] = True
        return Written(body, fact=reply, settle=True)

    @act(
        "reply.corrected",
        title=_("更正答复"),
        by="by",
        form=ReplyCorrectionForm,
        button=False,
        optional=True,
    )
    def correct_reply(self, doing: Act) -> Written:
        """Give a reply anew, with why; the old one stays in the record."""
        old = (
            Reply.objects.filter(
                case=doing.case, run=doing.run, pk=doing.data["reply"], outcome__in=OUTCOMES
            )
            .select_related("record", "corrected_by")
            .first()
        )
        if old is None or old.record is None:
            raise refuse(_("没有找到原答复，请刷新后重试。"), field="reply")
        if hasattr(old, "corrected_by"):
            raise refuse(_("该答复已经更正，请更正最新的答复。"), field="reply", code="duplicate")
        opinions = list(Opinion.objects.filter(reply=old).select_related("record"))
        doing.form.check_public(opinions)
        reply = self.write_reply(doing, doing.data["outcome"], corrects=old)
        Opinion.objects.filter(reply=old).update(reply=reply)
        body = {**reply_body(reply, opinions), "why": doing.data["why"]}
        return Written(body, fact=reply, corrects=old.record.seq)

    @act(
        "opinion.withdrawn",
        title=_("撤回意见"),
        by="participants",
        form=WithdrawalForm,
        button=False,
        optional=True,
    )
    def withdraw_opinion(self, doing: Act) -> Written:
        """Take back one's own opinion before it is answered; it stays counted as withdrawn."""
        opinion = (
            self.scope(doing.case, doing.run)
            .filter(pk=doing.data["opinion"], party_key=doing.party.key)
            .select_related("record")
            .first()
        )
        if opinion is None:
            raise refuse(_("只能撤回自己提交的意见。"), field="opinion")
        if opinion.life != "submitted":
            raise refuse(
                _("该意见已经答复或者撤回，不能再撤回。"), field="opinion", code="closed_step"
            )
        opinion.withdraw()
        Opinion.objects.filter(pk=opinion.pk).update(life=opinion.life)
        return Written({"opinion": seq_of(opinion)}, settle=doing.run is not None)

    def write_reply(self, doing: Act, outcome: str, corrects: Reply | None = None) -> Reply:
        """Write the answer that an `AnswerForm` holds."""
        return Reply.objects.create(
            run=doing.run,
            case=doing.case,
            outcome=outcome,
            reason=doing.data["reason"],
            referral=doing.data.get("referral", ""),
            public_text=doing.data["public_text"],
            at=doing.at,
            first_at=corrects.first_at if corrects else doing.at,
            corrects=corrects,
        )


def wording(rows: Sequence[Statement]) -> str:
    """The first one's text, masked: what the officer who answers begins with."""
    if not rows:
        return ""
    if rows[0].proposed:
        return rows[0].proposed
    known = directory()
    authors = known.names({row.party_key for row in rows}).values()
    return masking.draft(rows[0].text, [*authors, *known.roll_names(rows[0].case.community)])


def _same(or_stance: bool) -> QuerySet[Opinion, Any]:
    same = Q(fingerprint=slot("mark", Opinion, "fingerprint"))
    if or_stance:
        same |= Q(item=slot("item", Opinion, "item"), stance__in=("want", "not_want"))
    return (
        Opinion.objects.filter(
            same,
            case=slot("case", Opinion, "case"),
            run=slot("run", Opinion, "run"),
            party_key=slot("party_key", Opinion, "party_key"),
        )
        .exclude(life="withdrawn")
        .order_by()
        .values_list("fingerprint")
    )


_BEFORE = Question(lambda: _same(or_stance=False))
_STANCE_BEFORE = Question(lambda: _same(or_stance=True))


def write_opinion(
    doing: Act, *, text: str, item: str = "", stance: str = "", late: bool = False
) -> Opinion:
    """An opinion of the acting party; refuses the same words, or a second stance, again.

    The door saves it with its record: it is to be the act's fact.
    """
    case, run, party = doing.case, doing.run, doing.party
    mark = fingerprint(case, item, stance, text)
    before = _STANCE_BEFORE if stance in ("want", "not_want") else _BEFORE
    said = {"mark": mark, "item": item, "case": case.pk, "party_key": party.key}
    if run is None:
        found = [
            *Opinion.objects.filter(fingerprint=mark, case=case, run=None, party_key=party.key)
            .exclude(life="withdrawn")
            .values_list("fingerprint")
        ]
    else:
        found = before.ask(**said, run=run.pk)
    if found:
        if (mark,) in found:
            raise refuse(_("同样的意见已经提交过，无需重复提交。"), code="duplicate")
        raise refuse(
            _("您已对该项目表明态度；如需改变，请先撤回原来的意见。"),
            field="item",
            code="duplicate",
        )
    return Opinion(
        case=case,
        run=run,
        party_key=party.key,
        item=item,
        stance=stance,
        text=text,
        channel=party.via,
        late=late,
        fingerprint=mark,
        created=doing.at,
    )


def seq_of(row: Statement) -> int:
    """The position of the record by which an opinion or objection is named in public."""
    assert row.record is not None
    return row.record.seq


def reply_body(reply: Reply, rows: Iterable[Statement], kind: str = "opinions") -> dict[str, Any]:
    """What the record of an answer says: which it answers, the masked wording, outcome, reason."""
    body: dict[str, Any] = {
        kind: sorted(seq_of(row) for row in rows),
        "outcome": reply.outcome,
        "reason": reply.reason,
    }
    if reply.public_text:
        body["public_text"] = reply.public_text
    if reply.referral:
        body["referral"] = reply.referral
    return body


# --- what pages read ---------------------------------------------------------------------------


def feedback_book(run: StepRun) -> QuerySet[Opinion, Mapping[str, Any]]:
    """The feedback book of a run (意见反馈册) without names, in order of arrival; to be paginated.

    Rows are dicts: `seq`, `item`, `stance`, `late`, `life`, `submitted_at`, `outcome`, `reason`,
    `referral`, `wording`, `replied_at`, `reply_seq`, `erased_at`. Nothing of who wrote.
    """
    return _book(Opinion.objects.filter(run=run))


def late_book(case: Case) -> QuerySet[Opinion, Mapping[str, Any]]:
    """The same for what came to the case as a whole, after the step that it is about."""
    return _book(Opinion.objects.filter(case=case, run=None))


def _book(opinions: QuerySet[Opinion]) -> QuerySet[Opinion, Mapping[str, Any]]:
    return (
        opinions.filter(record__isnull=False)
        .order_by("record_id")
        .values(
            "item",
            "stance",
            "late",
            "life",
            "erased_at",
            seq=F("record__seq"),
            submitted_at=F("created"),
            outcome=F("reply__outcome"),
            reason=F("reply__reason"),
            referral=F("reply__referral"),
            wording=F("reply__public_text"),
            replied_at=F("reply__at"),
            reply_pk=F("reply_id"),
            reply_seq=F("reply__record__seq"),
        )
    )


def of_party(run: StepRun, party: Party) -> QuerySet[Opinion]:
    """A party's own opinions at a run, in clear, with their replies."""
    return Opinion.objects.filter(run=run, party_key=party.key).select_related("reply", "record")
