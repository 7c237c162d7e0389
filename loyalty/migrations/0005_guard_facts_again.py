from django.db import migrations

from kit.facts import GuardFact


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0004_money_in_whole")]

    operations = [
        GuardFact("Transfer"),
        GuardFact("Lot"),
    ]
