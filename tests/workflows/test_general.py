"""The engine names no procedure: its modules and pages hold no word that only a package brings.

What a package brings along is read from its declarations (procedures, roles, steps, kinds of
entries); what the engine holds is read from its source.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from workflows import parties
from workflows.portal import words
from workflows.procedure import Procedure, all_declared
from workflows.steps.base import Step
from workflows.steps.ledger import Ledger
from workflows.steps.ledger_kinds import EntryKind
from workflows.steps.nodes import Closing

ROOT = Path(__file__).parents[2]
GROUND = "community"
"""The directory's package: it answers for people and places, and holds no procedure."""
EXEMPT = {
    "workflows/records/masking_words.py",  # a dictionary of everyday words
    "templates/gallery.html",  # sample data for those who write templates
}
PACKAGES = sorted(path.parent.name for path in (ROOT / "processes").glob("*/procedure.py"))
ENGINE = sorted(
    path
    for path in (ROOT / "workflows").rglob("*.py")
    if "migrations" not in path.parts and str(path.relative_to(ROOT)) not in EXEMPT
)
PAGES = sorted(
    path
    for path in (ROOT / "templates").rglob("*")
    if path.is_file()
    and str(path.relative_to(ROOT)) not in EXEMPT
    and path.relative_to(ROOT / "templates").parts[0] not in (*PACKAGES, GROUND)
)
SHARED = {
    "POST",  # of HTTP
    "disclosure",  # the words of a record that are published beside it
    "household",  # a consultation visits households
    "progress",  # of a job or a count; an element of HTML
    "征求意见",
    "已答复",
    "满意度评价",  # what a consultation is and asks
    "提出申请",
}
"""Words of the engine itself that some package uses too."""


def declared() -> list[type[Procedure]]:
    """Every procedure of a package, old versions too."""
    return [each for each in all_declared() if each.__module__.startswith("processes.")]


def kinds() -> Iterator[EntryKind]:
    """Every kind of ledger entry that a package declares."""
    for each in declared():
        for step in each.steps():
            if isinstance(step, Ledger):
                yield from step.kinds.values()


def roles() -> set[str]:
    """The roles that the packages name, the ground's too."""
    engine = named(ROOT / "workflows" / "parties.py")
    assert "auditor" in engine
    return set(parties.role_titles()) - engine


def named(path: Path) -> set[str]:
    """The roles that a module names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "name_roles":
            (titles,) = (arg for arg in node.args if isinstance(arg, ast.Dict))
            found |= {ast.literal_eval(key) for key in titles.keys if key is not None}
    return found


def codes() -> set[str]:
    """What the packages call their things in code."""
    found = {each.code for each in declared()} | {each.number_prefix for each in declared()}
    return (found | {kind.code for kind in kinds()} | roles()) - SHARED


def titles() -> set[str]:
    """What the packages call their things for people."""
    found = [each.title for each in declared()]
    found += [kind.title for kind in kinds()]
    found += [title for code, title in parties.role_titles().items() if code in roles()]
    for each in declared():
        nodes = each._nodes_by_name.values()
        found += [node.task_title for node in nodes if isinstance(node, (Step, Closing))]
    with translation.override("zh-hans"):
        return {str(title) for title in found if len(str(title)) > 2} - SHARED


def literals(path: Path) -> Iterator[str]:
    """The strings of a module but its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    said = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
            yield node.value


def written() -> set[str]:
    """The names under which the engine itself puts anything into a record: keys of mappings and
    fields of forms, in all its modules but that of the words."""
    found: set[str] = set()
    for path in ENGINE:
        if path.name == "words.py" and path.parent.name == "portal":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Dict):
                found |= {key.value for key in node.keys if isinstance(key, ast.Constant)}
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                found.add(node.slice.value)
            elif isinstance(node, ast.ClassDef):
                for line in node.body:
                    targets = line.targets if isinstance(line, ast.Assign) else ()
                    found |= {target.id for target in targets if isinstance(target, ast.Name)}
                    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                        found.add(line.target.id)
    return found


def test_the_engines_words_are_for_fields_that_the_engine_writes():
    assert sorted(words.FIELDS.keys() - written()) == []
    acts = {act for act, _name in words.HERE}
    library = {name for each in all_declared() for step in each.steps() for name in step.acts}
    assert acts <= library | words.ENGINE_ACTS.keys()


def test_the_engines_words_are_for_codes_that_the_engine_knows():
    said = {
        text
        for path in ENGINE
        if (path.parent.name, path.name) != ("portal", "words.py")
        for text in literals(path)
    }
    # The marks of a rule of terms are put together: ``exclude-start;roll-to-workday``.
    known = said | {part for text in said for part in re.split(r"[;,]", text)}
    assert sorted(words.VALUES.keys() - known) == []


def test_there_is_something_to_look_at():
    assert set(PACKAGES) >= {"renovation", "appeals", "disclosure", "public_posts"}
    assert len(ENGINE) > 60
    assert len(PAGES) > 60
    assert len(titles()) > 60
    assert {"tender", "contractor", "finding", "owner"} <= codes()


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_of_the_engine_names_a_procedure(path):
    said = set(literals(path))
    found = sorted(said & codes()) + sorted(
        f"{title} in {text}" for title in titles() for text in said if title in text
    )
    assert found == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_of_the_engine_names_a_procedure(path):
    text = path.read_text("utf-8")
    found = sorted(set(re.findall(r"[\w-]+", text)) & codes())
    found += sorted(title for title in titles() if title in text)
    assert found == []


@pytest.mark.parametrize(
    ("rule", "read"),
    [
        (
            "20d;exclude-start;roll-to-workday;end=24:00;cal=2026@1",
            "20日，当日不计，期满日逢休息日顺延，至24时，按2026年节假日安排（第1版）",
        ),
        (
            "5w;exclude-start;end=24:00;cal=2026@2,2027@0",
            "5个工作日，当日不计，至24时，按2026年节假日安排（第2版），2027年的节假日安排尚未公布",
        ),
        (
            "5w;exclude-start;end=24:00;counted=5w+8w@2026-11-23;cal=2026@1",
            "5个工作日，当日不计，至24时，自2026年11月23日起按5个工作日加8个工作日计算，"
            "按2026年节假日安排（第1版）",
        ),
    ],
)
def test_the_rule_of_a_term_is_read_in_words(rule, read):
    known = {**words.VALUES, **words.FIELDS}
    assert words._value("rule", rule, known) == read
