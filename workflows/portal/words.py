"""Words for codes in records: acts, fields of bodies, values. Records hold codes only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext_lazy as _

from ..models.case import Case
from ..models.record import Record
from ..steps.base import Step, Words
from ..steps.consultation import VISITS
from ..steps.consultation_rows import SATISFACTION
from ..steps.opinion import OUTCOMES, STANCES
from ..steps.publicity_rows import DECISIONS, GROUNDS
from ..terms import parse

ENGINE_ACTS: dict[str, Words] = {
    "case.opened": _("立项"),
    "case.closed": _("办结"),
    "step.opened": _("环节开始"),
    "step.completed": _("环节完成"),
    "term.ended": _("期限届满"),
    "term.overdue": _("超期"),
    "term.recomputed": _("期限重新计算"),
}

ROLES: dict[str, Words] = {
    "clock": _("系统计时"),
    "household": _("住户"),
    "owner": _("业主"),
    "residents_committee": _("居民委员会"),
    "owners_committee": _("业主委员会"),
    "office": _("街道办事处"),
    "reviewer": _("审查部门"),
    "designer": _("设计单位"),
    "contractor": _("施工单位"),
    "supervisor": _("监理单位"),
    "resident_supervisor": _("工程监督员"),
    "residents_representative": _("居民代表"),
    "auditor": _("审计监督"),
    "moderator": _("信息审核"),
    "admin": _("系统管理"),
    "bidder": _("投标人"),
}

FIELDS: dict[str, Words] = {
    "adopted": _("采纳情况"),
    "amount": _("金额（分）"),
    "before": _("原截止日期"),
    "channel": _("方式"),
    "class": _("类别"),
    "code": _("代码"),
    "community": _("地点"),
    "decision": _("决定"),
    "ends_on": _("截止日期"),
    "files": _("附件数"),
    "item": _("事项"),
    "kind": _("种类"),
    "lot": _("标段"),
    "members": _("评标委员会人数"),
    "note": _("说明"),
    "outcome": _("结果"),
    "overdue": _("超期"),
    "params": _("参数"),
    "parent": _("所属事项"),
    "percent": _("进度(%)"),
    "phase": _("阶段"),
    "place": _("地点"),
    "provisional": _("暂定"),
    "public_text": _("意见内容（已隐去个人信息）"),
    "reason": _("理由"),
    "result": _("结果"),
    "rule": _("计算规则"),
    "seat": _("席位"),
    "score": _("评分"),
    "seq": _("所指记录"),
    "stance": _("态度"),
    "starts_on": _("起算日"),
    "term": _("时限"),
    "terms": _("时限"),
    "text": _("内容"),
    "title": _("标题"),
    "visits": _("走访次数"),
}

VALUES: dict[str, Words] = {
    "approve": _("同意"),
    "approved": _("通过"),
    "return": _("退回"),
    "returned": _("退回"),
    "reject": _("不同意"),
    "rejected": _("未通过"),
    "online": _("线上"),
    "paper": _("纸质"),
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


def role_title(role: str) -> Words:
    """What people read for a role."""
    return ROLES.get(role, role)


def step_title(case: Case, step: str) -> Words:
    """What people read for a step."""
    node = case.declared._nodes_by_name.get(step)
    return node.task_title if node is not None else _("事项")


def outcome_title(case: Case, step: str, outcome: str) -> Words:
    """What people read for an outcome of a step, or of the case."""
    node = case.declared._nodes_by_name.get(step or outcome)
    if isinstance(node, Step):
        return node.outcome_names.get(outcome, VALUES.get(outcome, outcome))
    return node.task_title if node is not None else outcome


def body_lines(case: Case, record: Record) -> Iterator[tuple[Words, Any]]:
    """The body of a record, field by field, in words."""
    node = case.declared._nodes_by_name.get(record.step)
    for name, value in record.body.items():
        label = FIELDS.get(name) or _form_label(node, record.act, name) or name
        if name == "outcome":
            yield label, outcome_title(case, record.step, str(value))
        elif name == "term":
            yield label, _term(value)
        elif isinstance(value, bool):
            yield label, _("是") if value else _("否")
        elif isinstance(value, str):
            yield label, VALUES.get(value, value)
        elif isinstance(value, (list, dict)):
            yield label, _nested(value)
        else:
            yield label, value


def _nested(value: Any) -> str:
    if isinstance(value, dict):
        parts = (f"{FIELDS.get(k, k)}:{_nested(v)}" for k, v in value.items())
        return ";".join(str(part) for part in parts)
    if isinstance(value, list):
        return "\n".join(_nested(item) for item in value)
    return str(VALUES.get(value, value)) if isinstance(value, str) else str(value)


def _term(code: str) -> Any:
    try:
        return str(parse(code))
    except ValueError:
        return code


def _form_label(node: Any, act: str, name: str) -> Words | None:
    form = getattr(node, "form", None)
    fields = getattr(form, "base_fields", {})
    field = fields.get(name)
    return field.label if field is not None else None
