"""The one door through which anything happens to a case.

A page, the API, a paper form, an import, a timer and a test all call `open_case` or `perform`. An
act and its record are written in one transaction, or neither is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.dispatch import Signal
from django.utils import timezone, translation
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from . import clock, doors, holding, records, refusals, statements, tracing, uploads
from .models.case import Case, Community, NumberSeries, StepRun
from .models.log import Checkpoint
from .models.record import Attachment, Record, Trace
from .parties import Party, directory

if TYPE_CHECKING:
    from .procedure import Procedure
    from .steps.act import ActSpec
    from .steps.base import Step

acting = Signal()
"""Sent within the act's transaction, once an act, when all of its records are made: `case`,
`record`, `moved`. A receiver may put a row of its own into ``case.unwritten``, which is written
with the act or not at all; if it raises, the act has not happened."""

acted = Signal()
"""Sent after commit, once an act: `case_id`, `number`, `community_id`, `record_id`, `step`, `act`,
`moved`."""

CASE = "case"
"""The step name of acts on the case as a whole: suspension, correction, a late opinion."""


WITH_CHILDREN = frozenset({"case.suspended", "case.resumed"})
"""Acts on a case that its open child cases follow, each with a record of its own."""


class Refused(Exception):
    """The door refused an act: nothing has changed. `str()` tells a person why and what to do.

    `code` is one of ``wrong_party``, ``closed_step``, ``late``, ``early``, ``duplicate``,
    ``invalid``, ``suspended``, ``unmet``; `errors` holds messages by field of the form.
    """

    def __init__(
        self, code: str, message: Any, errors: Mapping[str, list[str]] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.errors = dict(errors or {})

    def __str__(self) -> str:
        return str(self.message)


@dataclass(slots=True)
class Act:
    """An act on its way through the door: what a step's method is given."""

    case: Case
    run: StepRun | None
    spec: ActSpec
    party: Party
    at: dt.datetime
    data: dict[str, Any] = field(default_factory=dict)
    files: list[Attachment] = field(default_factory=list)
    happened_at: dt.datetime | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    """What was sent, before any form: for acts of the clock, which have none."""
    form: Any = None
    """The validated form, for a step that leaves it to the form what its answers mean."""
    entered_late: bool = False
    """A paper form of within the term that is typed in after it; its record says so."""

    @property
    def open_run(self) -> StepRun:
        """The run, for acts that always have one."""
        assert self.run is not None
        return self.run


@dataclass(slots=True)
class Written:
    """What a step's method has written: the fact, and what its record says.

    `body` is public; its words are published beside the record, not in it. `private` values enter
    the record as salted digests. With `settle` the step is asked whether it is now complete.
    `outcome` completes it at once.
    """

    body: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)
    fact: models.Model | None = None
    settle: bool = False
    outcome: str | None = None
    corrects: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an act. `repeated`: the same submission had been accepted before."""

    record: Record
    fact: models.Model | None = None
    receipt: str = ""
    repeated: bool = False


def perform(
    case: Case | int | str,
    step: str,
    act: str,
    party: Party,
    payload: Mapping[str, Any] | None = None,
    files: Mapping[str, Any] | None = None,
    *,
    happened_at: dt.datetime | None = None,
    key: str = "",
) -> Done:
    """Do one act at one step of a case (by object, primary key or public number).

    `payload` and `files` are what the act's form takes. `key` names the submission: a second one
    with the same key changes nothing and returns what the first did. `happened_at` is when it
    happened where that differs from now (a paper form, a meeting).

    Raises `Refused`; then nothing has changed and the attempt is in the security log.
    """
    try:
        with transaction.atomic(), uploads.of_one_act():
            if step == CASE and act in WITH_CHILDREN:
                holding.lock_children(case)
            held = holding.lock(case)
            with tracing.span("act") as told:
                given = payload or {}, files or {}
                done = _perform(held, step, act, party, *given, happened_at, key)
                # Of the record: an address may hold anything.
                told["sanwen.act"] = f"{held.procedure}/{done.record.step}/{done.record.act}"
            return done
    except Refused as refused:
        refusals.log(case, step, act, party, refused.code)
        if refused.message is doors.TWICE:
            refusals.came_second(case, step, act, party)
        raise
    except IntegrityError as error:
        # Two submissions passed the checks side by side; the database let one through.
        if not transaction.get_connection().in_atomic_block:
            refusals.log(case, step, act, party, "duplicate")
            raise Refused("duplicate", _("该操作已经登记，请勿重复提交。")) from error
        raise


class _TakenBack(Exception):
    """Takes back what was done within a transaction."""


@contextmanager
def foreseen(
    case: Case, step: str, act: str, party: Party, payload: Mapping[str, Any]
) -> Iterator[Record]:
    """Do an act without files and take it back: within, everything stands as it would after it.

    Gives its record. Raises `Refused`, as `perform` would; then nothing is in the security log.
    """
    try:
        with transaction.atomic():
            yield _perform(holding.lock(case), step, act, party, payload, {}, None, "").record
            raise _TakenBack
    except _TakenBack:
        return


def _perform(
    case: Case,
    step_name: str,
    act_name: str,
    party: Party,
    payload: Mapping[str, Any],
    files: Mapping[str, Any],
    happened_at: dt.datetime | None,
    key: str,
) -> Done:
    now = clock.now()
    read = holding.read(case, "" if step_name == CASE else step_name, party, key)
    if (before := read.before) is not None:
        if before.trace.party_key != party.key or before.act != act_name:
            raise Refused("duplicate", _("提交编号已被使用，请刷新页面后重试。"))
        code = records.receipt_code(case, before.seq)
        return Done(before, receipt=code, repeated=True)

    step: Step
    if step_name == CASE:
        step, run = case.declared.case_acts(), None
    else:
        step, run = _open_run(case, read.run)
    spec = step.acts.get(act_name)
    if spec is None:
        raise Refused("invalid", _("本环节没有这一操作。"))
    check_party(case, step, spec, party, now)
    if not case.open and not spec.after_close:
        raise Refused("closed_step", _("该事项已经办结，不能再办理。"))
    if case.suspended_at and not spec.while_suspended:
        raise Refused("suspended", _("该事项已中止，恢复办理后方可继续。"))
    if happened_at is not None and happened_at > now:
        raise Refused("invalid", _("发生时间不能晚于现在。"))
    late = run is not None and step.over(run, now)
    in_time = run is not None and step.paper_in_time(run, party, happened_at)
    if spec.in_term and late and not in_time:
        raise Refused("late", _late_words(party))

    doing = Act(case, run, spec, party, now, happened_at=happened_at, payload=payload)
    doing.entered_late = late and in_time
    doing.data, uploaded = _validated(step, doing, payload, files)
    doing.files = uploads.keep(uploaded, run)
    by_form = party.via in (doors.BY_CODE, doors.ON_PAPER) and holding.in_hand(case.pk) is None
    if by_form and run is not None and not doors.take(doing):
        raise Refused("duplicate", doors.TWICE)
    with holding.hold(case):
        written = spec.do(step, doing)
        if doing.form is not None:
            doing.files += uploads.keep(doing.form.issued(), run)
        if doing.entered_late:
            written.body["entered_late"] = True
        try:
            record = records.append(
                case,
                act=act_name,
                at=now,
                party=party,
                body=written.body,
                run=run,
                private=written.private,
                files=doing.files,
                happened_at=happened_at,
                corrects=written.corrects,
                key=key,
                typed=doing.form.typed() if doing.form is not None else (),
                found=read.found,
            )
        except records.TooLarge as error:
            raise Refused("invalid", _("内容过长，请改用附件提交。")) from error
        _tell(case, written.fact, record)
        if written.settle:
            records.write(case)  # what decides looks at what has been done
        moved = False
        if run is not None:
            outcome = written.outcome or (step.settle(run, now) if written.settle else None)
            if outcome is not None:
                finish(run, outcome, now, by=party)
                moved = True
        acting.send(sender=Case, case=case, record=record, moved=moved)
        records.flush(case)
    announce(case, record, moved=moved)
    receipt = "" if party.role == "clock" else records.receipt_code(case, record.seq)
    return Done(record, written.fact, receipt)


def _tell(case: Case, fact: models.Model | None, record: Record) -> None:
    """Let a fact know its record; a new one is written with it."""
    if fact is None or not hasattr(fact, "record_id"):
        return
    if not fact._state.adding:
        records.write(case)
        type(fact)._default_manager.filter(pk=fact.pk).update(record=record)
        return
    fact.record_id = record.pk
    if statements.plain(type(fact)):
        case.unwritten.append(fact)
    else:
        records.write(case)
        fact.save(force_insert=True)


def _late_words(party: Party) -> Any:
    if party.via == "paper":
        return _("已超过截止时间；填表日期在期限内的纸质表，才可以补录。")
    return _("已超过截止时间，不能再提交。")


def check_party(case: Case, step: Step, spec: ActSpec, party: Party, now: dt.datetime) -> None:
    """Refuse a party whose role may not do the act, or who does not hold the role here and now."""
    if party.role not in step.allowed(spec, case):
        raise Refused("wrong_party", _("您的身份不能办理这一操作。"))
    if party.role != "clock" and not directory().holds(party, case.community, now):
        raise Refused("wrong_party", _("您在该小区没有办理这一操作的身份，或者身份已到期。"))
    if party.role in case.declared.opener_only and not opened_by(case, party):
        raise Refused("wrong_party", _("只有提出申请的人才能办理这一操作。"))


def opened_by(case: Case, party: Party) -> bool:
    """Whether the party opened the case, in that role; asks who stands behind its first record."""
    first = Trace.objects.filter(record__case=case, record__seq=0, record__role=party.role)
    return first.filter(party_key=party.key).exists()


def _open_run(case: Case, run: StepRun | None) -> tuple[Step, StepRun]:
    if run is None:
        raise Refused("closed_step", _("该环节尚未开始或者已经结束。"))
    run.process = case  # one object for the case throughout the act
    return run.step, run


def form_of(step: Step, doing: Act) -> Any:
    """The form class of an act; from paper it also takes the scan of the sheet."""
    form_class = step.form_for(doing.spec, doing)
    if form_class is None or doing.party.via != doors.ON_PAPER:
        return form_class

    def setup(form: Any) -> None:
        form_class.setup(form)
        form.fields.setdefault(
            "scan", uploads.UploadField(label=_("纸质表扫描件"), required=False, most=4)
        )

    return type(form_class.__name__, (form_class,), {"setup": setup})


def _validated(
    step: Step, doing: Act, payload: Mapping[str, Any], files: Mapping[str, Any]
) -> tuple[dict[str, Any], list[uploads.Upload]]:
    form_class = form_of(step, doing)
    if form_class is None:
        return {}, []
    uploaded = files if isinstance(files, MultiValueDict) else MultiValueDict(_as_lists(files))
    form = form_class(payload, uploaded, act=doing)
    if not form.is_valid():
        errors = {name: [str(e) for e in lines] for name, lines in form.errors.items()}
        first = next(iter(errors.values()))[0]
        raise Refused("invalid", first, errors)
    doing.form = form
    data = dict(form.cleaned_data)
    found: list[uploads.Upload] = []
    for name, bound in form.fields.items():
        if isinstance(bound, uploads.UploadField):
            found.extend(replace(upload, field=name) for upload in data.pop(name) or [])
    return data, found


def _as_lists(files: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {
        name: list(value) if isinstance(value, (list, tuple)) else [value]
        for name, value in files.items()
    }


def finish(run: StepRun, outcome: str, now: dt.datetime, *, by: Party) -> None:
    """Complete an open run with `outcome`; viewflow moves the tokens. Only within an act."""
    step = run.step
    if outcome not in step.outcomes_to:
        raise ValueError(f"{run.name} has no outcome {outcome!r}")
    step.look_ahead(run.process, outcome)
    if run.breaks_term(now, done=True, by_clock=by.role == "clock"):
        run.broken_at = run.broken_at or now
    run.outcome = outcome
    run.finished = now
    records.append(
        run.process,
        act="step.completed",
        at=now,
        party=Party.clock(),
        body={"outcome": outcome, **step.result(run)},
        run=run,
    )
    step.activation_class(run).finish()


def announce(case: Case, record: Record, *, moved: bool) -> None:
    """Tell those who listen, once the act is committed; a listener's failure is not the act's."""

    def tell() -> None:
        acted.send_robust(
            sender=Case,
            case_id=case.pk,
            number=case.number,
            community_id=case.community_id,
            record_id=record.pk,
            step=record.step,
            act=record.act,
            moved=moved,
        )

    transaction.on_commit(tell)


def open_case(
    procedure: type[Procedure],
    community: Community,
    party: Party,
    *,
    title: str = "",
    params: Mapping[str, Any] | None = None,
    key: str = "",
    parent: StepRun | None = None,
    lot: str = "",
    demo: bool = False,
) -> Case:
    """Open a case of `procedure` in `community` and start its first step.

    `title` is the opener's, unless the procedure has one for all. `params` sets what it lets an
    office set, within its declared bounds. With `parent` the case is a child of that run and is
    opened by the run's own act. Raises `Refused`.
    """
    try:
        with transaction.atomic():
            now = clock.now()
            if parent is None:
                if party.role not in procedure.opened_by:
                    raise Refused("wrong_party", _("您的身份不能发起这一程序。"))
                if party.role != "clock" and not directory().holds(party, community, now):
                    raise Refused("wrong_party", _("您在该小区没有发起这一程序的身份。"))
            if community.kind not in procedure.community_kinds:
                raise Refused("invalid", _("这一程序不适用于该地点。"))
            if procedure.fixed_title:
                with translation.override(settings.LANGUAGE_CODE):
                    title = str(procedure.fixed_title)
            title = " ".join(title.split())
            if not title or len(title) > 120:
                raise Refused("invalid", _("请填写标题，不超过120字。"))
            series = _series(procedure.number_prefix, now)
            if key:  # asked under the lock of the series: of two clicks at once, one opens
                before = Record.objects.filter(key=key, seq=0).select_related("case").first()
                if before is not None:
                    return before.case
            if procedure.one_at_a_time and parent is None:
                here = Case.objects.filter(procedure=procedure.code, community=community)
                running = here.filter(finished__isnull=True).values_list("number", flat=True)[:1]
                for number in running:
                    message = _("该小区已有正在办理的同一事项（%(number)s）。") % {"number": number}
                    raise Refused("duplicate", message)
            settled = procedure.checked_params(params or {})
            series.last += 1
            series.save(update_fields=["last"])
            case = Case(
                flow_class=procedure,
                procedure=procedure.code,
                version=procedure.version,
                number=str(series),
                community=community,
                title=title,
                params=settled,
                parent=parent,
                lot=lot,
                demo=demo,
                created=now,
            )
            case.save()
            case.recorded_until = Checkpoint.objects.values_list("at", flat=True).first()
            with holding.hold(case):
                record = records.append(
                    case,
                    act="case.opened",
                    at=now,
                    party=party,
                    body={
                        "title": title,
                        "community": community.name,
                        "params": settled,
                        **({"parent": parent.process.number, "lot": lot} if parent else {}),
                    },
                    key=key,
                    typed=(title, community.name),
                )
                procedure.begin(case, now)
                acting.send(sender=Case, case=case, record=record, moved=True)
                records.flush(case)
            announce(case, record, moved=True)
            return case
    except Refused as refused:
        refusals.log(None, CASE, "case.opened", party, refused.code)
        raise


def _series(prefix: str, now: dt.datetime) -> NumberSeries:
    """The series that numbers the cases of a prefix this year, locked."""
    year = timezone.localtime(now).year
    NumberSeries.objects.get_or_create(prefix=prefix, year=year)
    return NumberSeries.objects.select_for_update().get(prefix=prefix, year=year)
