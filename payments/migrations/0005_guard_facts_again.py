from django.db import migrations

from kit.facts import GuardFact


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_money_in_whole")]

    operations = [
        GuardFact("Alarm"),
        GuardFact("Conflict", exempt=("sealed",)),
        GuardFact("Order"),
        GuardFact("OrderLine"),
        GuardFact("Transaction"),
        GuardFact("HandEntry"),
        GuardFact("AmountConflict"),
        GuardFact("Disclosure"),
        GuardFact("Sighting"),
        GuardFact("Disagreement"),
        GuardFact("Settlement", exempt=("compared_at",)),
        GuardFact("SettlementRow", exempt=("verdict", "transaction", "our_amount")),
        GuardFact("Proposal"),
    ]
