"""The tests' database is made from the models, which takes a tenth of the time; here it is shown
that the migrations make the same one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
ASK = "from tests.test_migrations import schema; import json; print(json.dumps(schema()))"


def schema() -> dict[str, Any]:
    """Tables of the database in use: columns with types, and constraints by what they are over."""
    found = {}
    look = connection.introspection
    with connection.cursor() as cursor:
        for table in sorted(look.table_names(cursor)):
            columns = look.get_table_description(cursor, table)
            rules = look.get_constraints(cursor, table).values()
            found[table] = {
                "columns": sorted(
                    [c.name, str(c.type_code), str(c.display_size), bool(c.null_ok)]
                    for c in columns
                ),
                "rules": sorted(
                    json.dumps(
                        {
                            "columns": rule["columns"],
                            "is": [k for k in ("primary_key", "unique", "check") if rule[k]],
                            "to": rule["foreign_key"],
                            "orders": rule.get("orders"),
                        }
                    )
                    for rule in rules
                ),
            }
    return found


@pytest.fixture
def elsewhere(tmp_path: Path, db: None) -> Iterator[dict[str, str]]:
    """The environment of a process with an empty database of its own."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SANWEN_") or name == "SANWEN_REDIS"
    }
    environment |= {"SANWEN_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    if connection.vendor == "sqlite":
        yield environment
        return
    import psycopg

    name = f"migrated_{uuid.uuid4().hex[:8]}"
    given = settings.DATABASES["default"]
    server = {"host": given["HOST"], "user": given["USER"], "dbname": "postgres"}
    with psycopg.connect(**server, autocommit=True) as link:
        link.execute(f'CREATE DATABASE "{name}"')
    try:
        environment["SANWEN_DATABASE"] = (
            os.environ["SANWEN_DATABASE"].rsplit("/", 1)[0] + f"/{name}"
        )
        yield environment
    finally:
        with psycopg.connect(**server, autocommit=True) as link:
            link.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_the_migrations_make_what_the_models_say(elsewhere):
    run = {"cwd": ROOT, "env": elsewhere, "check": True, "capture_output": True, "text": True}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], **run)
    asked = subprocess.run([sys.executable, "manage.py", "shell", "--no-imports", "-c", ASK], **run)
    migrated = json.loads(asked.stdout.splitlines()[-1])
    here = schema()
    ours = [
        model._meta.db_table
        for app in apps.get_app_configs()
        if app.name.split(".")[0] in ("workflows", "processes", "notifications")
        for model in app.get_models(include_auto_created=True)
    ]
    assert len(ours) > 40
    for table in ours:
        assert migrated[table] == here[table], table
