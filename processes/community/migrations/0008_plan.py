"""The plan of an estate: outlines of its buildings and where on earth it is."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('community', '0007_contacts'),
    ]

    operations = [
        migrations.AddField(
            model_name='building',
            name='outline',
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='estate',
            name='origin',
            field=models.CharField(blank=True, max_length=40),
        ),
    ]
