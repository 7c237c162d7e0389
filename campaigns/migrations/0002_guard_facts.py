from django.db import migrations

from kit.facts import GuardFact


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]

    operations = [
        GuardFact("Reaction"),
        GuardFact("Decision"),
    ]
