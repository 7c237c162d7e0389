from django.db import migrations

from kit.facts import GuardFact


class Migration(migrations.Migration):
    dependencies = [("members", "0001_initial")]

    operations = [
        GuardFact("Consent"),
        GuardFact("Event"),
    ]
