"""The calendar of the years that are announced."""

from django.db import migrations

from workflows import calendars


def load(apps, schema_editor):
    calendars.seed(apps)


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
