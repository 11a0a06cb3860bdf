"""Whose term a step is, when people first heard, and the indexes that the figures go by."""

from typing import Any

from django.db import migrations, models
from django.db.models import F
from django.utils import timezone


def fill(apps: Any, _schema: Any) -> None:
    """First answers are their own; a correction was first heard when what it corrects was. A step
    is held by who handles it first of all (seats are known to new runs only)."""
    from workflows.procedure import all_declared

    replies = apps.get_model("workflows", "Reply").objects
    replies.update(first_at=F("at"))
    for reply in replies.filter(corrects__isnull=False).order_by("pk"):
        former = replies.get(pk=reply.corrects_id)
        replies.filter(pk=reply.pk).update(first_at=former.first_at)
    runs = apps.get_model("workflows", "StepRun").objects
    for declared in all_declared():
        for step in declared.steps():
            holder = step.charged[0].partition(":")[0] if step.charged else ""
            if holder:
                runs.filter(
                    process__procedure=declared.code,
                    process__version=declared.version,
                    name=step.name,
                ).update(held_by=holder)


class Migration(migrations.Migration):
    dependencies = [("workflows", "0013_typed_papers")]

    operations = [
        migrations.AddField(
            "reply",
            "first_at",
            models.DateTimeField(default=timezone.now, verbose_name="首次答复时间"),
            preserve_default=False,
        ),
        migrations.AddField(
            "steprun",
            "held_by",
            models.CharField(blank=True, default="", max_length=80, verbose_name="责任单位"),
            preserve_default=False,
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.AddIndex("reply", models.Index(fields=["first_at"], name="reply_first_at")),
        migrations.AddIndex(
            "steprun",
            models.Index(
                condition=models.Q(("broken_at__isnull", True), ("ends_at__isnull", False)),
                fields=["finished"],
                name="run_term_kept",
            ),
        ),
        migrations.AddIndex(
            "steprun",
            models.Index(
                condition=models.Q(("broken_at__isnull", False)),
                fields=["broken_at"],
                name="run_term_broken_at",
            ),
        ),
    ]
