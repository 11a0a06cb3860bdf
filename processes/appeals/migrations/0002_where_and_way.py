"""Where an appeal is, picked and in words; how it came, where an officer typed it in."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('appeals', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='appeal',
            name='shown_building',
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name='appeal',
            name='spot',
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name='appeal',
            name='way',
            field=models.CharField(blank=True, choices=[('phone', '电话'), ('visit', '来访'), ('letter', '来信、便条'), ('hotline', '12345热线转来'), ('grid', '网格员上门收集')], max_length=20),
        ),
    ]
