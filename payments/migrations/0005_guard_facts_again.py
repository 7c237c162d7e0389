from django.db import migrations

from kit.facts import GuardFact


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_money_in_whole")]

    operations = [
        GuardFact("Order"),
        GuardFact("OrderLine"),
        GuardFact("Transaction"),
    ]
