"""A rate says in which currency: so far it was the programme's, whose currency could change."""

from django.db import migrations, models

from kit.facts import GuardFact

_FILL = """
UPDATE payments_rate SET quote_currency =
    coalesce((SELECT currency FROM members_programme LIMIT 1), 'HKD')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0005_coupons_given_back"),
        ("payments", "0007_settlement_lacks_once"),
    ]

    operations = [
        migrations.AddField(
            model_name="rate",
            name="quote_currency",
            field=models.CharField(max_length=3, null=True, verbose_name="reporting currency"),
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="rate",
            name="quote_currency",
            field=models.CharField(max_length=3, verbose_name="reporting currency"),
        ),
        migrations.RemoveConstraint(model_name="rate", name="rate_once"),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.UniqueConstraint(
                fields=("currency", "quote_currency", "valid_from"), name="rate_once"
            ),
        ),
        GuardFact("Rate"),
    ]
