"""An index for words of two signs, where the database has such."""

import workflows.search
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('appeals', '0002_where_and_way'),
        ('workflows', '0011_sheets'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='appeal',
            index=workflows.search.SignsIndex(fields=['wording'], name='appeal_wording_signs'),
        ),
    ]
