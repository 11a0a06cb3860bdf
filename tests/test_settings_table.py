"""docs/settings.md names every variable that the settings read, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def read_by_settings() -> set[str]:
    """First argument of each env(…) or env.kind(…) call in config/settings.py."""
    tree = ast.parse((ROOT / "config" / "settings.py").read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] == "env":
            first = node.args[0]
            assert isinstance(first, ast.Constant), f"line {node.lineno}: name it plainly"
            names.add(first.value)
    return names


def test_table_matches_the_settings():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)
    assert len(table) == len(set(table)), "a variable stands twice"
    assert set(table) == read_by_settings()


def test_only_the_settings_read_the_environment():
    """One place reads the environment, so that the table can be whole."""
    rooms = ("workflows", "processes", "notifications", "config")
    for path in (path for room in rooms for path in (ROOT / room).rglob("*.py")):
        if path.name in {"settings.py", "asgi.py", "celery.py"} and path.parent.name == "config":
            continue
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"os\.(environ|getenv)", source), path
