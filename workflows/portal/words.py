"""Words for codes in records: acts, fields of bodies, values. Records hold codes only."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import counting, law
from ..models.case import Case, StepRun
from ..models.record import Record
from ..steps.act import Words
from ..steps.ballot_count import tally_card
from ..steps.ballot_rows import CHOICES, MATTERS
from ..steps.ballot_rows import PHASES as BALLOT_PHASES
from ..steps.base import Step
from ..steps.consultation_forms import VISITS
from ..steps.consultation_rows import SATISFACTION
from ..steps.mandates import AUTHORITY
from ..steps.opinion_rows import OUTCOMES, STANCES
from ..steps.privacy import KEPT_LONG_ENOUGH, KINDS, REASONS
from ..steps.publicity_rows import DECISIONS, GROUNDS
from ..steps.selection import PHASES as SELECTION_PHASES
from ..steps.task import OTHER_THAN, Task
from ..steps.walls import ON_THE_SPOT
from ..terms import month_words, parse

ENGINE_ACTS: dict[str, Words] = {
    "case.opened": _("立项"),
    "case.closed": _("办结"),
    "step.opened": _("环节开始"),
    "step.completed": _("环节完成"),
    "term.ended": _("期限届满"),
    "term.overdue": _("超期"),
    "term.recomputed": _("期限重新计算"),
}

FIELDS: dict[str, Words] = {
    "abstain": _("弃权"),
    "accounted": _("已征求"),
    "adopted": _("采纳情况"),
    "again": _("恢复备份后再次执行，首次执行于"),
    "against": _("反对"),
    "agenda": _("议题"),
    "amount": _("金额（元）"),
    "answered": _("答复户数"),
    "answers": _("答卷数"),
    "area": _("面积"),
    "attendance": _("到会人数"),
    "authority": _("权限"),
    "on_the_spot": _("核查情况"),
    "before": _("原截止日期"),
    "candidates": _("报名人数"),
    "changed": _("改过"),
    "channel": _("方式"),
    "chosen": _("入选报名号"),
    "children": _("一并中止或者恢复的事项"),
    "class": _("类别"),
    "code": _("代码"),
    "community": _("地点"),
    "decided_in": _("另行办理的事项"),
    "decision": _("决定"),
    "decisions": _("各方意见"),
    "due_on": _("应于此日前办理"),
    "early": _("提前结束"),
    "ends_on": _("截止日期"),
    "entered_late": _("期限内的纸质表，期满后补录"),
    "entries": _("台账条目（记录号）"),
    "erased": _("已删除"),
    "entry": _("所指条目"),
    "failed": _("不合格项"),
    "files": _("附件数"),
    "for": _("同意"),
    "former": _("原记录"),
    "ground": _("理由类别"),
    "heads": _("人数"),
    "met": _("是否达到"),
    "households": _("户数"),
    "item": _("事项"),
    "judges": _("评分人数"),
    "jurisdiction": _("适用地区"),
    "kept": _("依法暂留"),
    "kind": _("种类"),
    "late": _("逾期提交"),
    "law": _("适用规定"),
    "life": _("状态"),
    "lot": _("标段"),
    "lots": _("标段"),
    "matter": _("事项类别"),
    "moved_up": _("递补报名号"),
    "n": _("笔数"),
    "note": _("说明"),
    "number": _("编号"),
    "now": _("现公开的文字"),
    "objections": _("所答异议的记录"),
    "differing": _("不一致的项数"),
    "drawn": _("抽取份数"),
    "ended": _("作废份数"),
    "form": _("表的种类"),
    "forms": _("份数"),
    "notice": _("张贴件"),
    "of": _("应张贴处数"),
    "of_step": _("所属环节"),
    "on": _("日期"),
    "opens_on": _("开始投票"),
    "opinions": _("所答意见的记录"),
    "outcome": _("结果"),
    "overdue": _("到期时尚未办完"),
    "params": _("参数"),
    "parent": _("所属事项"),
    "percent": _("进度(%)"),
    "phase": _("阶段"),
    "place": _("地点"),
    "places": _("处所或名额"),
    "points": _("得分"),
    "posted": _("已张贴处数"),
    "provisional": _("暂定"),
    "public_text": _("意见内容（已隐去个人信息）"),
    "questions": _("表决事项"),
    "rank": _("名次"),
    "ranking": _("评议结果"),
    "rate": _("满意率"),
    "reason": _("理由"),
    "record": _("记录"),
    "records": _("所涉记录"),
    "referral": _("转办去向"),
    "remarks": _("备注"),
    "result": _("结果"),
    "roll": _("名册"),
    "rule": _("计算规则"),
    "rule_from": _("规则施行日期"),
    "score": _("评分"),
    "scores": _("各项得分"),
    "seat": _("席位"),
    "seats": _("席位"),
    "seq": _("所指记录"),
    "session": _("会议通知的记录"),
    "sessions": _("会议场数"),
    "sha256": _("指纹"),
    "sheets": _("张数"),
    "stood": _("先前已经表态、以先前为准的项目数"),
    "signed": _("已签字席数"),
    "stance": _("态度"),
    "starts_at": _("开会时间"),
    "starts_on": _("起算日"),
    "state": _("状态"),
    "survey": _("满意度评价"),
    "tallies": _("计票结果"),
    "needed": _("至少需要"),
    "part": _("实有"),
    "whole": _("总数"),
    "lines": _("计票明细"),
    "question": _("表决事项序号"),
    "term": _("时限"),
    "terms": _("时限"),
    "text": _("内容"),
    "threshold": _("通过分数"),
    "typed": _("已录入份数"),
    "tie": _("同分时"),
    "tied": _("同分"),
    "title": _("标题"),
    "to": _("新状态"),
    "totals": _("汇总"),
    "turnout": _("参与情况"),
    "unanswered": _("未答复数"),
    "unit": _("单位"),
    "value": _("数值"),
    "visits": _("走访次数"),
    "voted_area": _("参与表决的面积"),
    "voted_heads": _("参与表决的人数"),
    "waiting": _("待办数"),
    "why": _("更正原因"),
    "withdrawn": _("撤回的记录"),
}

HERE: dict[tuple[str, str], Words] = {
    ("candidate.enrolled", "name"): _("姓名"),
    ("candidate.enrolled", "statement"): _("自我介绍"),
    ("entry.added", "name"): _("姓名或者名称"),
    ("entry.moved", "receipt"): _("收据号"),
    ("household.visited", "household"): _("户室"),
    ("household.visited", "on"): _("走访日期"),
    ("survey.answered", "answer"): _("满意度"),
    ("vote.cast", "choices"): _("所投的票（题号和选择）"),
    ("meeting.called", "places"): _("名额"),
    ("meeting.signed_up", "waiting"): _("候补"),
    ("signup.cancelled", "moved_up"): _("有人递补"),
    ("form.returned", "opinions"): _("所提意见的记录"),
    ("step.opened", "places"): _("张贴处数"),
    ("term.extended", "days"): _("延长的工作日数"),
    ("step.completed", "objections"): _("异议"),
    ("step.completed", "opinions"): _("意见"),
}
"""Where a field means something of its own in the records of one act."""

VALUES: dict[str, Words] = {
    # What a line of a tally counts.
    "heads": _("人数"),
    "area": _("面积"),
    **KINDS,
    **REASONS,
    **KEPT_LONG_ENOUGH,
    "earlier_enrolment": _("报名在先者列前"),
    "exclude-start": _("当日不计"),
    "roll-to-workday": _("期满日逢休息日顺延"),
    "end=24:00": _("至24时"),
    "mean_at_least": _("平均分达到"),
    "weighted_at_least": _("加权平均分达到"),
    "invited": _("尚未签字"),
    "signed": _("已签字"),
    "recused": _("回避"),
    "posting": _("张贴中"),
    "standing": _("公示中"),
    "answered": _("已提意见"),
    "replied": _("已答复"),
    "withdrawn": _("已撤回"),
    "waiting": _("未登记"),
    "quorum": _("参与表决"),
    "owners_special": _("业主特别事项规则"),
    "owners_ordinary": _("业主一般事项规则"),
    "approve": _("同意"),
    "approved": _("通过"),
    "return": _("退回"),
    "returned": _("退回"),
    "reject": _("不同意"),
    "rejected": _("未通过"),
    "online": _("线上"),
    "paper": _("纸质"),
    "sheet": _("凭张贴件上的码"),
    "code": _("凭入户表上的码"),
    "form.returned": _("意见征求表"),
    "opinion.submitted": _("意见征求表"),
    "survey.answered": _("满意度评价表"),
    "vote.cast": _("表决票"),
    "proxy.given": _("授权委托书"),
    "candidate.enrolled": _("报名表"),
    "notice": _("公示"),
    "call": _("公告"),
    "count": _("计票结果公示"),
    "result": _("结果公告"),
    "proxy": _("委托"),
    "clean": _("无成立异议"),
    "carried": _("通过"),
    "lost": _("未通过"),
    "no_quorum": _("参与不足"),
    "done": _("完成"),
    "chosen": _("选定"),
    "too_few": _("人数不足"),
    "ordinary": _("一般事项"),
    "special": _("特别事项"),
    **counting.SPECIAL_MATTERS,
    **AUTHORITY,
    **ON_THE_SPOT,
    **CHOICES,
    **MATTERS,
    **BALLOT_PHASES,
    **SELECTION_PHASES,
    **SATISFACTION,
    **GROUNDS,
    **DECISIONS,
    **VISITS,
    **STANCES,
    **OUTCOMES,
}


def act_title(case: Case, step: str, act: str) -> Words:
    """What people read for an act."""
    if act in ENGINE_ACTS:
        return ENGINE_ACTS[act]
    declared = case.declared
    node: Any = declared.case_acts() if step in ("", "case") else declared._nodes_by_name.get(step)
    spec = node.acts.get(act) if isinstance(node, Step) else None
    return spec.title if spec else act


def deed(case: Case, record: Record) -> Words:
    """What somebody did, for whoever did it: a task is called what it is about."""
    node: Any = case.declared._nodes_by_name.get(record.step)
    spec = node.acts.get(record.act) if isinstance(node, Step) else None
    if spec is None:
        return act_title(case, record.step, record.act)
    title: Words = node.act_title(spec, record.content["body"])
    return title


def step_title(case: Case, step: str) -> Words:
    """What people read for a step."""
    node = case.declared._nodes_by_name.get(step)
    return node.task_title if node is not None else _("事项")


def outcome_title(case: Case, step: str, outcome: str) -> Words:
    """What people read for an outcome of a step, or of the case."""
    node = case.declared._nodes_by_name.get(step or outcome)
    if isinstance(node, Step):
        # What came of a child case is said by its parent's step.
        known = {**VALUES, **node.codes, **node.outcome_names}
        return known.get(outcome, outcome)
    return node.task_title if node is not None else outcome


def body_lines(case: Case, record: Record) -> Iterator[tuple[Words, Any]]:
    """The body of a record, field by field, in words."""
    declared = case.declared
    node = declared._nodes_by_name.get(record.step) if record.step else declared.case_acts()
    known = {**VALUES, **law.words(), **(node.codes if isinstance(node, Step) else {})}
    own = node.labels if isinstance(node, Step) else {}
    # Bodies are stored in the order of their keys; people read them in the order of the form.
    order = list(getattr(getattr(node, "form", None), "base_fields", {}))
    rows = sorted(
        record.body.items(), key=lambda row: order.index(row[0]) if row[0] in order else len(order)
    )
    for name, value in rows:
        label = own.get(name) or HERE.get((record.act, name)) or FIELDS.get(name)
        label = label or _form_label(node, record.act, name) or known.get(name) or name
        if name == "outcome":
            yield label, outcome_title(case, record.step, str(value))
        elif name == "params":
            yield label, "\n".join(_param(case, key, code) for key, code in value.items())
        elif name == "of_step":
            yield label, step_title(case, str(value))
        elif name == "tallies":
            yield label, "\n".join(_tally(tally) for tally in value)
        else:
            yield label, _value(name, value, known)


def task_lines(run: StepRun) -> list[tuple[Words, Any]]:
    """What a task said, field by field in the order of its form: by the labels of that, else as its
    record is told."""
    step = run.flow_task
    if not isinstance(step, Task):
        return []
    fields = step.form.base_fields
    known = {**VALUES, **law.words(), **step.codes}
    found: list[tuple[Words, Any]] = []
    order = list(fields)
    said_in = sorted(run.data, key=lambda each: order.index(each) if each in order else len(order))
    for name in said_in:
        value = run.data[name]
        if name == OTHER_THAN:
            continue
        field = fields.get(name)
        label = (field.label if field is not None else None) or step.labels.get(name)
        label = label or HERE.get(("task.done", name)) or FIELDS.get(name) or known.get(name)
        choices = dict(getattr(field, "choices", None) or [])
        said = {**known, **{str(code): words for code, words in choices.items()}}
        found.append((label or name, _value(name, value, said)))
    return found


def _value(name: str, value: Any, known: Mapping[str, Words]) -> Any:
    """One value of a body in words; nested ones line by line."""
    if value is None or value == [] or value == {}:
        return "—"
    if isinstance(value, bool):
        return _("是") if value else _("否")
    if isinstance(value, dict):
        parts = [
            f"{FIELDS.get(key) or known.get(key, key)}{_('：')}{_value(key, part, known)}"
            for key, part in value.items()
        ]
        return str(_("；")).join(parts)
    if isinstance(value, list):
        return "\n".join(str(_value(name, part, known)) for part in value)
    if name == "amount" and isinstance(value, int):
        return money(value)
    if name in ("area", "voted_area") and isinstance(value, int):
        return _("%(area)s平方米") % {"area": counting.area_words(value)}
    if name in ("term", "terms"):
        return _term(value)
    if name == "rule":
        return str(_("，")).join(str(known.get(part) or _term(part)) for part in value.split(";"))
    if isinstance(value, str):
        return known.get(value) or day_words(value)
    return value


def day_words(text: str) -> str:
    """A day, month or moment of ISO 8601 as people read it; other text as it is."""
    day: dt.date | None = None
    moment: dt.datetime | None = None
    try:
        moment = parse_datetime(text) if "T" in text else None
        day = parse_date(text) if moment is None else None
        if _MONTH.fullmatch(text):
            return month_words(dt.date.fromisoformat(f"{text}-01"))
        if moment is not None and timezone.is_aware(moment):
            return date_format(timezone.localtime(moment), "DATETIME_FORMAT")
    except (ValueError, OverflowError):  # people may write anything, also the last second there is
        return text
    return date_format(day, "DATE_FORMAT") if day is not None else text


def _param(case: Case, key: str, code: Any) -> str:
    return f"{step_title(case, key.split('.')[0])}{_('：')}{_term(str(code))}"


def _tally(tally: dict[str, Any]) -> str:
    card = tally_card(tally)
    of_question = {"n": tally["question"], "outcome": card["outcome_title"]}
    lines = [_("第%(n)s项：%(outcome)s") % of_question]
    for row in card["rows"]:
        lines.append(f"{row['label']}{_('：')}{row['value']}{_('，')}{row['needed']}")
    lines += [f"{choice}{_('：')}{amount}" for choice, amount in card["counts"]]
    return "\n".join(str(line) for line in lines)


def file_title(label: str) -> str:
    """The label of a file as people read it; what forms call their files is translated."""
    name, _space, number = label.rpartition(" ")
    if name and number.isdecimal():
        return f"{gettext(name)} {number}"
    return gettext(label)


def money(fen: int) -> str:
    """An amount in fen as yuan: 123450 → ``1,234.50``. Exact."""
    sign = "-" if fen < 0 else ""
    whole, rest = divmod(abs(fen), 100)
    return f"{sign}{whole:,}.{rest:02d}"


_MONTH = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])", re.ASCII)
_COUNTED, _TABLES = "counted=", "cal="
"""What in a rule says by which terms from which day it was counted, where that is not the term that
is set, and by which tables of days off (see `terms`)."""


def _term(code: str) -> Any:
    if code.startswith(_COUNTED):
        plan, _at, origin = code.removeprefix(_COUNTED).partition("@")
        several = str(_("加")).join(str(_term(part)) for part in plan.split("+"))
        return str(_("自%(day)s起按%(terms)s计算") % {"day": day_words(origin), "terms": several})
    if code.startswith(_TABLES):
        tables = [each.partition("@") for each in code.removeprefix(_TABLES).split(",")]
        return str(_("，")).join(
            str(
                _("按%(year)s年节假日安排（第%(n)s版）") % {"year": year, "n": version}
                if version != "0"
                else _("%(year)s年的节假日安排尚未公布") % {"year": year}
            )
            for year, _at, version in tables
        )
    try:
        return str(parse(code))
    except ValueError:
        return code


def _form_label(node: Any, act: str, name: str) -> Words | None:
    form = getattr(node, "form", None)
    fields = getattr(form, "base_fields", {})
    field = fields.get(name)
    return field.label if field is not None else None
