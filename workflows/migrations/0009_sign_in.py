"""Sessions of meetings get a code at the door; those who are there sign in by it."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import workflows.steps.meeting_rows


def give_doors(apps: Any, _editor: Any) -> None:
    """Each session that was called before gets a code of its own."""
    session = apps.get_model("workflows", "MeetingSession")
    for pk in session.objects.values_list("pk", flat=True):
        session.objects.filter(pk=pk).update(door=workflows.steps.meeting_rows.draw_door())


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0008_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            "meetingsession", "door", models.CharField(max_length=10, null=True)
        ),
        migrations.RunPython(give_doors, migrations.RunPython.noop),
        migrations.AlterField(
            "meetingsession",
            "door",
            models.CharField(
                default=workflows.steps.meeting_rows.draw_door, max_length=10, unique=True
            ),
        ),
        migrations.CreateModel(
            name="SignIn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("party_key", models.CharField(max_length=60)),
                ("created", models.DateTimeField(verbose_name="签到时间")),
                ("record", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="workflows.record")),
                ("session", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="sign_ins", to="workflows.meetingsession")),
                ("user", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [models.UniqueConstraint(fields=("session", "party_key"), name="one_sign_in_a_party")],
            },
        ),
    ]
