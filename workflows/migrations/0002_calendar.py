"""The calendar of the years that are announced."""

from typing import Any

from django.db import migrations

from workflows import calendars


def load(apps: Any, _schema_editor: Any) -> None:
    """Load what the calendar package knows."""
    calendars.seed(apps)


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
