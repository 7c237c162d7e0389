from django.db import migrations

from kit.facts import GuardFact


class Migration(migrations.Migration):
    dependencies = [("members", "0003_money_in_whole")]

    operations = [
        GuardFact("Merge"),
    ]
