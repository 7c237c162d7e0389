from django.db import migrations

from kit.facts import GuardFact


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_initial")]

    operations = [
        GuardFact("RuleVersion"),
        GuardFact("Award"),
        GuardFact("TierChange"),
        GuardFact("Transfer"),
        GuardFact("Lot"),
        GuardFact("LotUse"),
        GuardFact("Coupon"),
        GuardFact("CouponUse"),
    ]
