"""Cases that no public list shows."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0009_sign_in'),
    ]

    operations = [
        migrations.AddField(
            model_name='case',
            name='unlisted',
            field=models.BooleanField(default=False),
        ),
    ]
