from django.db import migrations

from kit.facts import GuardFact


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]

    operations = [
        GuardFact("Callback", exempt=("outcome",)),
        GuardFact("Conflict"),
        GuardFact("Rate"),
        GuardFact("Transaction"),
        GuardFact("Line"),
    ]
