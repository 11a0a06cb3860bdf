"""The word table of a trail: what `sanwen.trailtext` prints for the codes of records."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ... import law
from ...acts import CASE
from ...models.case import Case
from ...parties import role_titles
from ...portal import words
from ...steps.base import Step

_TERM = re.compile(r'"(?:(?:\w+\.)?term|rule)":"([^"\\]+)"')


TERMS = ("term", "rule")
"""Values that are terms, or rules by which one was counted."""


def table(case: Case) -> dict[str, Any]:
    """The words for every code of a case's procedure, in the language that is active."""
    declared = case.declared
    steps = {step.name: _step(step) for step in declared.steps()}
    steps[CASE] = _step(declared.case_acts())
    # Acts on the case as a whole name no step in their record.
    steps[""] = {**steps[CASE], "outcomes": _endings(case)}
    return {
        "language": get_language() or "",
        "labels": _labels(),
        "acts": _plain(words.ENGINE_ACTS),
        "roles": _plain(role_titles()),
        "fields": _plain(words.FIELDS)
        | {f"{act}/{name}": str(text) for (act, name), text in words.HERE.items()},
        "values": _plain({**words.VALUES, **law.words()}),
        "terms": {},
        "steps": steps,
    }


def learn(found: dict[str, Any], canonical: str) -> None:
    """Add the words for the terms that a record names; terms are composed, not listed."""
    if 'term":"' not in canonical and '"rule":"' not in canonical:
        return  # most records name none; to look so is ten times as fast as the pattern
    for text in _TERM.findall(canonical):
        learn_one(found, text)


def learn_one(found: dict[str, Any], text: Any) -> None:
    """The same of one value that a record opens."""
    for code in text.split(";") if isinstance(text, str) else ():  # a rule is several
        if code not in found["terms"]:
            found["terms"][code] = str(words._term(code))


def _labels() -> dict[str, str]:
    return {
        "head": _("第{seq}号　{act}"),
        "gap": "　",
        "pair": _("{name}：{value}"),
        "list": _("、"),
        "and": _("；"),
        "area": _("{area}平方米"),
        "yes": _("是"),
        "no": _("否"),
        "happened": _("发生时间"),
        "corrects": _("更正第{seq}号记录"),
        "round": _("第{n}轮"),
        "private": _("{name}（不公开）"),
        "hidden": _("不公开的内容{n}项，此处只留摘要值"),
        "withdrawn": _("已撤回公开的文字{n}处"),
        "file": _("附件：{name}（{type}，{size}字节）SHA-256 {sha256}"),
        "hash": _("记录哈希"),
    }


def _step(step: Step) -> dict[str, Any]:
    fields = getattr(getattr(step, "form", None), "base_fields", {})
    return {
        "title": str(step.title),
        "acts": {name: str(spec.title) for name, spec in step.acts.items()},
        "fields": {name: str(field.label or "") for name, field in fields.items()},
        "labels": _plain(step.labels),
        "codes": _plain(step.codes),
        "outcomes": _plain(step.outcome_names),
    }


def _endings(case: Case) -> dict[str, str]:
    nodes = case.declared._nodes_by_name
    return {name: str(node.task_title) for name, node in nodes.items() if node.task_type == "END"}


def _plain(found: Any) -> dict[str, str]:
    return {code: str(text) for code, text in found.items()}
