"""Notices for the wall (公示、公告): what the paper says, in the form that offices use.

Title, plain words on top, what it is about, period, whom to turn to, 特此公示, 落款, date and room
for the seal. A step has the notices that its run has come to: `listed` names them, `composed` says
what one says. All of it is public already; nothing here reads what is not.

A procedure adds the notices of a step of its own with ``notices.of_step.register``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial, singledispatch
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from . import clock, terms
from .models.case import StepRun
from .parties import Contacts, directory
from .portal.words import task_lines
from .steps.act import Words
from .steps.ballot import Ballot
from .steps.ballot_count import tally_card
from .steps.ballot_rows import CONFIRM, DRAFT, PRELIMINARY, VOTING
from .steps.base import Step
from .steps.consultation import Consultation
from .steps.meeting import Meeting
from .steps.opinion_rows import OUTCOMES
from .steps.panel import Panel
from .steps.publicity import Publicity
from .steps.publicity_rows import POSTING
from .steps.run_terms import settled
from .steps.selection import Selection
from .steps.task import Task

STANDS = "notice"
"""The code of the notice that a publicity is about: the one whose posting begins its term."""


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered part of a notice: its heading and its paragraphs."""

    title: Words
    lines: list[Any]


@dataclass(slots=True)
class Notice:
    """What one notice says. `lead` are the plain words on top; `on` is the day under the office's
    name, None where it is written in by hand; `objections`: it is a 公示, which takes them;
    `ending`: words of its own that end it."""

    title: Words
    lead: Words
    opening: Words
    sections: list[Section]
    on: dt.date | None
    objections: bool = False
    ending: Words = ""
    attachments: list[Words] = field(default_factory=list)
    contacts: Contacts = field(default_factory=Contacts)

    @property
    def closing(self) -> Words:
        """The words that end it."""
        return self.ending or (_("特此公示。") if self.objections else _("特此公告。"))


Listed = dict[str, tuple[Words, Callable[[], Notice]]]
"""By code: what a notice is called, and how it is composed."""


@singledispatch
def of_step(step: Step, run: StepRun) -> Listed:
    """The notices that a run of this kind of step has come to; asks nothing of the database."""
    return {}


def listed(run: StepRun) -> dict[str, Words]:
    """The notices of a run by code, with what they are called."""
    step: Any = run.flow_task
    return {code: title for code, (title, _compose) in of_step(step, run).items()}


def composed(run: StepRun, code: str) -> Notice:
    """What a notice of a run says; raises KeyError where the run has not come to it."""
    step: Any = run.flow_task
    _title, compose = of_step(step, run)[code]
    notice = compose()
    notice.contacts = directory().contacts(run.process.community)
    return notice


# --- parts -------------------------------------------------------------------------------------


def day_words(day: dt.date | dt.datetime | None) -> str:
    """A day as it stands in a notice; a moment's day here. A blank to write on without one."""
    if isinstance(day, dt.datetime):
        day = timezone.localdate(day)
    return date_format(day, "DATE_FORMAT") if day else _("____年__月__日")


def _moment(at: dt.datetime) -> str:
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")


def _counted(term: terms.AnyTerm | None) -> Words:
    if isinstance(term, terms.WorkingDays):
        return _("%(term)s，起算当日不计") % {"term": term}
    return _("%(term)s，起算当日不计，期满日逢休息日顺延") % {"term": term}


def _period(run: StepRun, term: terms.AnyTerm | None) -> Words:
    said = {"a": day_words(run.starts_on), "b": day_words(run.ends_on), "term": _counted(term)}
    return _("%(a)s至%(b)s（%(term)s）。") % said


def _paragraphs(text: Any) -> list[str]:
    return [line.strip() for line in str(text or "").splitlines() if line.strip()]


def _files(files: Iterable[Any]) -> list[Words]:
    return list(dict.fromkeys(_(file.label.rpartition(" ")[0] or file.label) for file in files))


# --- by kind of step ---------------------------------------------------------------------------


@of_step.register
def _of_publicity(step: Publicity, run: StepRun) -> Listed:
    # 设计方案公示 is the publicity of 设计方案.
    about = {"title": run.process.title, "step": str(step.title).removesuffix("公示")}
    title = _("关于%(title)s%(step)s的公示") % about
    found: Listed = {STANDS: (title, partial(_publicity, step, run, title))}
    if run.finished and run.outcome:
        result = _("关于%(title)s%(step)s结果的公告") % {**about, "step": step.title}
        found["result"] = (result, partial(_outcome, step, run, result))
    return found


def _publicity(step: Publicity, run: StepRun, title: Words) -> Notice:
    shown = step.notice(run)
    document = shown["document"] or {}
    content: list[Any] = _paragraphs(document.get("text")) if isinstance(document, dict) else []
    reason = _paragraphs(document.get("reason")) if isinstance(document, dict) else []
    content = content or [_("内容见附件和本事项网页。")]
    if shown["decided"]:
        content.insert(0, shown["decided"])
    period: list[Any]
    if run.phase == POSTING:
        last = _("____年__月__日")
        period = [
            _("自各处全部张贴完毕之日起算（%(term)s）。") % {"term": _counted(shown["term"])},
            _("张贴完毕后填写：%(a)s至%(b)s。") % {"a": last, "b": last},
        ]
        until = _("公示期满前")
    else:
        period = [_period(run, shown["term"])]
        until = _("%(day)s24时前") % {"day": day_words(run.ends_on)}
    where = [_("本事项网页。")]
    if step.posted_in is not None:
        where = [_("各楼道公告栏、本事项网页。")]
    return Notice(
        title,
        _(
            "这件事还没有最后定。您如果不同意或者发现不对，%(until)s都可以提出，每一件都会核查并说明理由。"
        )
        % {"until": until},
        _("现将%(place)s“%(title)s”的有关内容公示如下（%(step)s）。")
        % {"place": run.process.community.name, "title": run.process.title, "step": step.title},
        [
            Section(_("公示内容"), [*content, *reason]),
            Section(_("公示时间"), period),
            Section(_("公示地点"), where),
        ],
        run.starts_on or (timezone.localdate(run.started) if run.started else None),
        objections=True,
        attachments=_files(shown["files"]),
    )


def _outcome(step: Step, run: StepRun, title: Words) -> Notice:
    """The end of a step in one line; what else there is to say a kind of step adds."""
    outcome = step.outcome_names.get(run.outcome, run.outcome)
    return Notice(
        title,
        _("结果：%(outcome)s。") % {"outcome": outcome},
        _("%(place)s“%(title)s”%(step)s已经结束，现将结果予以公告。")
        % {"place": run.process.community.name, "title": run.process.title, "step": step.title},
        [Section(_("结果"), [_("%(outcome)s。") % {"outcome": outcome}, *step.grounds(run)])],
        timezone.localdate(run.finished) if run.finished else None,
    )


@of_step.register
def _of_ballot(step: Ballot, run: StepRun) -> Listed:
    of = {"title": run.process.title, "step": step.title}
    found: Listed = {}
    if run.phase != DRAFT:
        title = _("关于%(title)s%(step)s的公告") % of
        found["call"] = (title, partial(_call, step, run, title))
    if run.phase in (PRELIMINARY, CONFIRM) and not run.finished:
        title = _("关于%(title)s%(step)s计票结果的公示") % of
        found["count"] = (title, partial(_count, step, run, title))
    if run.finished and run.outcome:
        title = _("关于%(title)s%(step)s结果的公告") % of
        found["result"] = (title, partial(_count, step, run, title))
    return found


def _called_on(run: StepRun) -> dt.date | None:
    record = run.records.filter(act="ballot.called").order_by("-seq").first()
    return timezone.localdate(record.at) if record else None


def _call(step: Ballot, run: StepRun, title: Words) -> Notice:
    shown = step.page(run)
    term = settled(step.declared_term, run.started or clock.now())
    opens = shown["opens_on"]
    matter = [_("类别：%(matter)s。") % {"matter": shown["matter_title"]}]
    if shown["item_title"]:
        matter.append(_("情形：%(item)s。") % {"item": shown["item_title"]})
    matter.append(_("归类理由：%(reason)s") % {"reason": shown["call"].get("reason", "")})
    if run.phase == VOTING:
        when = [_period(run, term)]
    else:
        when = [
            _("%(day)s起投票，时间为%(term)s。") % {"day": day_words(opens), "term": _counted(term)}
        ]
    return Notice(
        title,
        _("请您投票。%(day)s起可以投票，可以在网上投，也可以交纸质表决票，效力相同。")
        % {"day": day_words(opens)},
        _("现就%(place)s“%(title)s”的以下事项组织表决。只表决公告过的事项。")
        % {"place": run.process.community.name, "title": run.process.title},
        [
            Section(
                _("表决事项"),
                [f"{each['number']}. {each['text']}" for each in shown["questions"]],
            ),
            *([Section(_("事项类别"), matter)] if shown["matter_title"] else []),
            Section(_("投票时间"), when),
            Section(
                _("怎样投票"),
                [
                    _(
                        "纸质表决票由工作人员入户发放，填好后交回；扫描票上的二维码，也可以在网上投票。"
                    ),
                    _("不能亲自投票的，可以书面委托他人。"),
                ],
            ),
            Section(
                _("计票"),
                [
                    _("投票截止后计票，先公布初步结果，%(term)s内可以提出异议，再确认结果。")
                    % {"term": step.objections},
                ],
            ),
        ],
        _called_on(run),
    )


def _count(step: Ballot, run: StepRun, title: Words) -> Notice:
    preliminary = run.finished is None
    lines: list[Any] = []
    for question in run.questions.all():
        lines.append(f"{question.number}. {question.text}")
        if not question.tally:
            continue
        card = tally_card(question.tally)
        for row in card["rows"]:
            said = {"name": row["label"], "value": row["value"], "needed": row["needed"]}
            lines.append(_("%(name)s：%(value)s；%(needed)s。") % said)
        counts = "；".join(f"{choice}{_('：')}{amount}" for choice, amount in card["counts"])
        lines.append(f"{counts}。")
        said = {"outcome": card["outcome_title"], "source": card["source"]}
        lines.append(_("计票结果：%(outcome)s（依据：%(source)s）。") % said)
    sections = [Section(_("计票结果"), lines)]
    if preliminary:
        sections.append(Section(_("公示时间"), [_period(run, step.objections)]))
        lead = _("这是初步结果。对计票有异议的，可以在公示期内提出，核查之后再确认。")
    else:
        outcome = step.outcome_names.get(run.outcome, run.outcome)
        lead = _("结果：%(outcome)s。") % {"outcome": outcome}
    return Notice(
        title,
        lead,
        _("%(place)s“%(title)s”%(step)s已经结束，现将计票结果公布如下。")
        % {"place": run.process.community.name, "title": run.process.title, "step": step.title},
        sections,
        run.starts_on if preliminary else timezone.localdate(run.finished),
        objections=preliminary,
    )


@of_step.register
def _of_consultation(step: Consultation, run: StepRun) -> Listed:
    of = {"title": run.process.title, "step": step.title}
    title = _("关于%(title)s征求意见的公告（%(step)s）") % of
    found: Listed = {"call": (title, partial(_asking, step, run, title))}
    if run.finished and run.outcome:
        result = _("关于%(title)s意见采纳情况的公告（%(step)s）") % of
        found["result"] = (result, partial(_answered, step, run, result))
    return found


def _asking(step: Consultation, run: StepRun, title: Words) -> Notice:
    sections = [
        Section(
            _("征求意见时间"),
            [_period(run, step.term_in(run.process, run.started))],
        ),
        Section(
            _("怎样提意见"),
            [
                _("填写入户发放的表格交回，或者扫描表上的二维码、到居委会、在本事项网页提出。"),
                _("每条意见都有答复：采纳、部分采纳或者未采纳，并说明理由；公布时不写姓名和室号。"),
            ],
        ),
    ]
    if step.items:
        grades: dict[str, list[str]] = {}
        for item in step.items.values():
            grades.setdefault(str(item.grade_title), []).append(str(item.title))
        lines = [f"{grade}{_('：')}{'、'.join(items)}。" for grade, items in grades.items()]
        sections.insert(0, Section(_("征求意见的项目"), lines))
    return Notice(
        title,
        _("想听听您的意见。%(day)s24时前都可以提，每条都有答复。")
        % {"day": day_words(run.ends_on)},
        _("现就%(place)s“%(title)s”向居民征求意见。")
        % {"place": run.process.community.name, "title": run.process.title},
        sections,
        run.starts_on,
    )


def _answered(step: Consultation, run: StepRun, title: Words) -> Notice:
    progress = step.progress(run)
    result = step.result(run)["opinions"]
    lines: list[Any] = [_("收到意见%(n)s条，全部答复。") % {"n": progress["opinions"]}]
    lines += [
        _("%(outcome)s：%(n)s条。") % {"outcome": words, "n": result[code]}
        for code, words in OUTCOMES.items()
        if result.get(code)
    ]
    sections = [
        Section(_("意见采纳情况"), lines),
        Section(
            _("逐条查看"),
            [_("《意见反馈册》不写姓名，写明每条意见采纳没有、为什么，在居委会可以查阅。")],
        ),
    ]
    notice = _outcome(step, run, title)
    notice.sections = sections
    return notice


@of_step.register
def _of_meeting(step: Meeting, run: StepRun) -> Listed:
    title = _("关于举行%(title)s%(step)s的通知") % {"title": run.process.title, "step": step.title}
    return {"call": (title, partial(_meeting, step, run, title))}


def _meeting(step: Meeting, run: StepRun, title: Words) -> Notice:
    sections: list[Section] = []
    for session in run.sessions.exclude(life="cancelled").order_by("starts_at", "pk"):
        lines = [
            _("时间：%(at)s") % {"at": _moment(session.starts_at)},
            _("地点：%(place)s") % {"place": session.place},
            *_paragraphs(_("议题：%(agenda)s") % {"agenda": session.agenda}),
        ]
        if session.places:
            lines.append(_("名额：%(n)s人，先报先得。") % {"n": session.places})
        sections.append(Section(_("第%(n)s场") % {"n": len(sections) + 1}, lines))
    return Notice(
        title,
        _("请您来参加。可以在网上报名，也可以到居委会报名。"),
        _("%(place)s“%(title)s”将举行%(step)s，请居民参加。")
        % {"place": run.process.community.name, "title": run.process.title, "step": step.title},
        sections or [Section(_("时间和地点"), [_("另行通知。")])],
        timezone.localdate(run.started) if run.started else None,
        ending=_("特此通知。"),
    )


@of_step.register
def _of_panel(step: Panel, run: StepRun) -> Listed:
    if not (run.finished and run.outcome):
        return {}
    of = {"title": run.process.title, "step": step.title}
    title = _("关于%(title)s%(step)s结果的公告") % of
    return {"result": (title, partial(_panel, step, run, title))}


def _panel(step: Panel, run: StepRun, title: Words) -> Notice:
    shown = step.page(run)
    notice = _outcome(step, run, title)
    parties: list[Any] = []
    for seat in shown["seats"]:
        if seat["life"] == "signed":
            said = {"seat": seat["title"], "decision": seat["decision_label"]}
            parties.append(_("%(seat)s：%(decision)s。") % said)
            parties += [f"{name}{_('：')}{why}" for name, why in seat["failed"]]
    result = shown["result"] or {}
    lines = list(notice.sections[0].lines[:1])
    if result.get("score"):
        lines.append(
            _("综合评分%(score)s分，%(threshold)s分以上为通过。")
            % {"score": result["score"], "threshold": shown["threshold"]}
        )
    notice.sections = [Section(_("结果"), lines), Section(_("各方意见"), parties)]
    return notice


@of_step.register
def _of_selection(step: Selection, run: StepRun) -> Listed:
    of = {"title": run.process.title, "step": step.title}
    title = _("关于%(title)s招募%(step)s的公告") % of
    found: Listed = {"call": (title, partial(_enrolling, step, run, title))}
    if run.finished and run.outcome:
        result = _("关于%(title)s%(step)s评选结果的公告") % of
        found["result"] = (result, partial(_chosen, step, run, result))
    return found


def _enrolling(step: Selection, run: StepRun, title: Words) -> Notice:
    least, most = step.places
    return Notice(
        title,
        _("愿意的居民都可以报名。"),
        _("%(place)s“%(title)s”现公开招募%(step)s。")
        % {"place": run.process.community.name, "title": run.process.title, "step": step.title},
        [
            Section(_("名额"), [_("%(least)s至%(most)s人。") % {"least": least, "most": most}]),
            Section(_("怎样报名"), [_("在本事项网页报名，或者到居委会填表报名。")]),
            Section(_("报名时间"), [_("%(term)s内。") % {"term": step.enrol_term}]),
        ],
        timezone.localdate(run.started) if run.started else None,
    )


def _chosen(step: Selection, run: StepRun, title: Words) -> Notice:
    notice = _outcome(step, run, title)
    chosen = [row for row in step.page(run)["candidates"] if row["life"] == "chosen"]
    lines = [
        _("第%(rank)s名：%(n)s号报名人。") % {"rank": row["rank"], "n": row["number"]}
        for row in chosen
    ]
    notice.sections.append(Section(_("入选人（按报名号）"), lines))
    return notice


@of_step.register
def _of_task(step: Task, run: StepRun) -> Listed:
    if not (run.finished and run.outcome):
        return {}
    of = {"title": run.process.title, "step": step.title}
    title = _("关于%(title)s的公告（%(step)s）") % of
    return {"result": (title, partial(_done, step, run, title))}


def _done(step: Task, run: StepRun, title: Words) -> Notice:
    notice = _outcome(step, run, title)
    single = len(step.outcomes_to) == 1
    lines = [
        f"{label}{_('：')}{value}" for label, value in task_lines(run) if value not in ("", None)
    ]
    if single:
        notice.lead = _("这是办理情况，请您知晓。")
        notice.sections = []
    if lines:
        notice.sections.append(Section(_("办理情况"), lines))
    notice.attachments = _files(run.files.filter(public=True).exclude(field="photos")[:20])
    return notice
