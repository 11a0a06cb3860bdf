"""The call and who fits it: announcement, applications, check with refusals and objections."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Max
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from workflows import clock
from workflows.acts import Act, Written
from workflows.models import Case, Record, StepRun
from workflows.steps.act import ActSpec, Words, act, refuse
from workflows.steps.answers import Following
from workflows.steps.base import SHOWN
from workflows.steps.opinion_rows import fingerprint
from workflows.steps.task import Task

from . import forms, rules
from .models import Applicant, Call, Post
from .people import APPLY, Own, Progress, handed_in_by


class Announce(Task):
    """The announcement with its posts and its eligibility table (岗位公告)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(form=forms.AnnounceForm, **kwargs)

    @act("task.done", title=_("办理"), by="by", form="task_form")
    def do(self, doing: Act) -> Written:
        """Write the announcement, its posts and its table."""
        form: forms.AnnounceForm = doing.form
        Call.objects.create(
            case=doing.case, groups=form.table(), exclusions=doing.data["exclusions"]
        )
        Post.objects.bulk_create(
            Post(case=doing.case, number=at, **post) for at, post in enumerate(form.parsed, 1)
        )
        return super().do(doing)


REMOVED: Words = _("认为核查结论不对的，可以拨打招聘公告中的监督举报电话反映。")


def refusal(row: Applicant, check: StepRun | None) -> tuple[list[Words], dt.date | None]:
    """Why somebody was refused or taken off the list, and until when one may object to a refusal
    (None: no more, or one did)."""
    reasons: list[Words]
    reasons = [rules.REASONS[code] for code in row.reasons if code in rules.REASONS]
    if row.life == "removed":
        reasons = [each.reason for each in row.objections.all() if each.life == "upheld"]
    until = None
    if row.life == "refused" and not row.objection and check is not None and check.is_open:
        until = None if check.term_over(clock.now()) else check.ends_on
    return reasons, until


def follow(row: Applicant, check: StepRun | None) -> Following:
    """What an applicant reads of an application."""
    reasons, until = refusal(row, check)
    said = [str(_("、")).join(map(str, reasons))] if reasons else []
    if row.life == "refused" and row.objection:
        waits = str(_("异议已经收到，等待核查。"))
        said.append(_("对异议的答复：%(answer)s") % {"answer": row.answer} if row.answer else waits)
    if row.life == "removed":
        said.append(str(REMOVED))
    if until is not None:
        day = date_format(until, "DATE_FORMAT")
        said.append(_("认为不对的，可以在%(day)s24时前提出异议。") % {"day": day})
    bad = row.life in ("refused", "unplaced", "barred", "removed", "failed", "withdrawn")
    state = "stopped" if bad else "done" if row.life == "appointed" else "waiting"
    label = row.standing_inside
    answer = {"state": state, "label": label, "reason": "\n".join(map(str, said)), "at": None}
    case = row.case.number
    links: list[tuple[Words, str]] = [
        (_("查看我的申请"), f"/cases/{case}/posts/applications/{row.number}/")
    ]
    if until is not None:
        objecting = f"/cases/{case}/do/check/refusal.objected/?number={row.number}"
        links.append((_("提出异议"), objecting))
    return Following(answers=[answer], links=links)


class Apply(Own):
    """Applications within the term (个人申请): online, or typed in by the village from paper."""

    explained = _("符合条件的人可以在网上申请，也可以把纸质申请表交到村（社区）。")
    outcomes: ClassVar[dict[str, Words]] = {"done": _("申请截止"), "none": _("无人申请")}
    of_own: ClassVar = {"application.withdrawn": ("applied",)}

    @act(
        "application.handed_in", title=_("申请"), by=APPLY, form=forms.ApplicationForm, in_term=True
    )
    def hand_in(self, doing: Act) -> Written:
        """Apply for one post of the call; only once under one identity number."""
        data = doing.data
        mark = fingerprint(doing.case, "identity", data["identity"])
        here = Applicant.objects.filter(case=doing.case)
        if here.filter(mark=mark).exclude(life="withdrawn").exists():
            raise refuse(
                _("该身份证号已经申请过本次招聘的岗位。"), field="identity", code="duplicate"
            )
        number = (here.aggregate(most=Max("number"))["most"] or 0) + 1
        online = doing.party.role == "applicant"
        applicant = Applicant(
            case=doing.case,
            post=data["post"],
            number=number,
            party_key=doing.party.key if online else f"paper:{number}",
            channel="online" if online else "paper",
            mark=mark,
            **{
                name: data[name]
                for name in ("name", "born", "village", "contact", "group", "facts", "household")
            },
        )
        body = {"number": number, "post": data["post"].number, "channel": applicant.channel}
        return Written(body, {"name": data["name"], "group": data["group"]}, applicant)

    @act(
        "application.withdrawn",
        title=_("撤回申请"),
        by=APPLY,
        form=forms.NumberForm,
        in_term=True,
        optional=True,
    )
    def take_back(self, doing: Act) -> Written:
        """Take back an application that one handed in."""
        applicant = self.of_number(doing, doing.data["number"])
        if not handed_in_by(applicant, doing.party):
            raise refuse(_("只能撤回自己提交的申请。"), field="number", code="wrong_party")
        if applicant.life != "applied":
            raise refuse(_("该申请已经撤回。"), field="number", code="duplicate")
        applicant.withdraw()
        applicant.save(update_fields=["life"])
        return Written({"number": applicant.number})

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """The conditions of the call, for whoever fills in an application."""
        if spec.name != "application.handed_in":
            return {}
        return {"conditions": Call.objects.get(case=run.process).lines()}

    @classmethod
    def became(cls, records: Sequence[Record]) -> Mapping[int, Following]:
        """Where an application stands, and for its applicant alone why it was refused and until
        when one may object; two queries."""
        rows = Applicant.objects.filter(record__in=[record.pk for record in records])
        found = list(
            rows.select_related("case", "holder").prefetch_related("objections").order_by("pk")
        )
        checks = {
            run.process_id: run
            for run in StepRun.objects.filter(
                process__in={row.case_id for row in found}, name="check"
            )
        }
        return {
            row.record_id: follow(row, checks.get(row.case_id))
            for row in found
            if row.record_id is not None
        }

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """When the term is over."""
        if not run.term_over(now):
            return None
        applied = Applicant.objects.filter(case=run.process, life="applied")
        return "done" if applied.exists() else "none"


def _told(refused: Mapping[str, Sequence[str]]) -> str:
    """Who was refused and why, by number and code; private."""
    return "; ".join(f"{number} {', '.join(codes)}" for number, codes in refused.items())


class Check(Own):
    """Every application against the call's table (资格初审); refusals can be objected to."""

    explained = _("按公告的条件逐人核对；未通过的告知理由，可以提出异议。")
    outcomes: ClassVar[dict[str, Words]] = {"done": _("初审完成"), "none": _("无人符合条件")}
    of_own: ClassVar = {"refusal.objected": ("refused",)}
    shows = ("eligible",)

    def against(self, case: Case) -> list[tuple[Applicant, list[str]]]:
        """Every application that waits, with what speaks against it; two queries."""
        call = Call.objects.get(case=case)
        return [
            (row, call.against(group=row.group, born=row.born, facts=row.facts))
            for row in Applicant.objects.filter(case=case, life="applied")
            if row.born is not None
        ]

    @act("applications.checked", title=_("按条件批量初审"), by="by", form=forms.CloseForm)
    def check_all(self, doing: Act) -> Written:
        """Decide all that wait by the table; the page of the act shows before what would come."""
        judged = self.against(doing.case)
        if not judged:
            raise refuse(_("没有待初审的申请。"), code="duplicate")
        for row, reasons in judged:
            row.reasons = reasons
            (row.refuse if reasons else row.accept)()
        Applicant.objects.bulk_update(
            [row for row, _reasons in judged], ["life", "reasons"], batch_size=500
        )
        refused = {str(row.number): reasons for row, reasons in judged if reasons}
        body = {"eligible": len(judged) - len(refused), "refused": len(refused)}
        return Written(body, {"reasons": _told(refused)} if refused else {}, settle=True)

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """What a check of all would come to, reason by reason; else whom the act may be about."""
        if spec.name == "application.refused":
            waiting = Applicant.objects.filter(case=run.process, life="applied")
            return {"people": waiting.select_related("post").order_by("number")[:SHOWN]}
        if spec.name == "refusal.decided":
            return {"people": self.objected(run.process)[:SHOWN]}
        if spec.name != "applications.checked":
            return {}
        judged = self.against(run.process)
        reasons = Counter(code for _row, codes in judged for code in codes)
        refused = sum(bool(codes) for _row, codes in judged)
        return {
            "eligible": len(judged) - refused,
            "refused": refused,
            "reasons": [(rules.REASONS[code], n) for code, n in reasons.most_common()],
        }

    @act(
        "application.refused",
        title=_("单件不予通过"),
        by="by",
        form=forms.RefuseForm,
        optional=True,
    )
    def refuse_one(self, doing: Act) -> Written:
        """Refuse one after looking at the papers."""
        row = self.of_number(doing, doing.data["number"])
        if row.life != "applied":
            raise refuse(_("该申请已经初审。"), field="number", code="duplicate")
        row.reasons = [doing.data["reason"]]
        row.refuse()
        row.save(update_fields=["life", "reasons"])
        return Written({"number": row.number}, {"reason": row.reasons[0]}, settle=True)

    @act(
        "refusal.objected",
        title=_("对初审结果提出异议"),
        by=APPLY,
        form=forms.RefusalObjectionForm,
        in_term=True,
        optional=True,
    )
    def object_to_refusal(self, doing: Act) -> Written:
        """The applicant says why the refusal is wrong."""
        row = self.of_number(doing, doing.data["number"])
        if not handed_in_by(row, doing.party):
            raise refuse(_("只能对自己提交的申请提出异议。"), field="number", code="wrong_party")
        if row.life != "refused" or row.objection:
            raise refuse(
                _("该申请没有被拒绝，或者已经提出异议。"), field="number", code="duplicate"
            )
        row.objection = doing.data["text"]
        row.save(update_fields=["objection"])
        return Written({"number": row.number}, {"text": row.objection})

    @act(
        "refusal.decided",
        title=_("核查对初审结果的异议"),
        by="by",
        form=forms.RefusalDecisionForm,
        optional=True,
    )
    def decide_refusal(self, doing: Act) -> Written:
        """Decide an objection to a refusal."""
        row = self.of_number(doing, doing.data["number"])
        if row not in self.objected(doing.case):
            raise refuse(_("该申请没有待核查的异议。"), field="number", code="duplicate")
        if doing.data["decision"] == "upheld":
            row.reasons = []
            row.accept()
        row.answer = doing.data["reason"]
        row.save(update_fields=["life", "reasons", "answer"])
        body = {"number": row.number, "decision": doing.data["decision"]}
        return Written(body, {"reason": doing.data["reason"]}, settle=True)

    def objected(self, case: Case) -> list[Applicant]:
        """Refused, objected, and not yet decided."""
        rows = Applicant.objects.filter(case=case, life="refused", answer="")
        return list(rows.exclude(objection="").select_related("post").order_by("number"))

    def settle(self, run: StepRun, now: dt.datetime) -> str | None:
        """The time to object is over and nothing waits."""
        if not run.term_over(now) or self.unmet(run):
            return None
        eligible = Applicant.objects.filter(case=run.process, life="eligible")
        return "done" if eligible.exists() else "none"

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Checking while there is something to check; deciding only what waits."""
        lives = self.glance(run).lives
        if spec.name in ("applications.checked", "application.refused"):
            return bool(lives["applied"])
        if spec.name == "refusal.objected":
            return bool(lives["refused"])
        return bool(lives["refused"]) and bool(self.objected(run.process))

    def progress(self, run: StepRun) -> Iterator[Progress]:
        """How many are checked."""
        lives = self.glance(run).lives
        everyone = sum(n for life, n in lives.items() if life != "withdrawn")
        yield Progress(_("已初审"), everyone - lives["applied"], everyone)

    @classmethod
    def became(cls, records: Sequence[Record]) -> Mapping[int, Following]:
        """What an objection to a refusal came to: as with the application itself."""
        said = {
            (record.case_id, record.body.get("number")): record.pk
            for record in records
            if record.act == "refusal.objected"
        }
        rows = Applicant.objects.filter(case__in={case for case, _number in said})
        numbers = {number for _case, number in said if number is not None}
        found = rows.filter(number__in=numbers).select_related("case", "holder")
        found = found.prefetch_related("objections")
        return {
            said[row.case_id, row.number]: follow(row, None)
            for row in found
            if (row.case_id, row.number) in said
        }

    def unmet(self, run: StepRun) -> list[Words]:
        """Applications and objections that wait."""
        missing: list[Words] = []
        if n := Applicant.objects.filter(case=run.process, life="applied").count():
            missing.append(_("还有%(n)s件申请待初审") % {"n": n})
        if n := len(self.objected(run.process)):
            missing.append(_("还有%(n)s件对初审结果的异议待核查") % {"n": n})
        return missing
