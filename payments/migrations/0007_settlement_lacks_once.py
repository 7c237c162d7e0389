"""A file notes each payment that it lacks once; and a row may turn out to be another payment.

Two comparisons of one file at the same moment could note it twice. Such a second note was never
read in the file and says nothing that the first does not: it is removed, once, behind the guard.
"""

from django.db import migrations, models

from kit.facts import GuardFact

_REMOVE_SECOND_NOTES = """
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM payments_settlementrow WHERE number = 0
        GROUP BY settlement_id, transaction_id HAVING count(*) > 1
    ) THEN
        ALTER TABLE payments_settlementrow DISABLE TRIGGER fact_kept;
        DELETE FROM payments_settlementrow AS second
        USING payments_settlementrow AS first
        WHERE first.number = 0 AND second.number = 0 AND first.id < second.id
            AND first.settlement_id = second.settlement_id
            AND first.transaction_id = second.transaction_id;
        SET CONSTRAINTS ALL IMMEDIATE;
        SET CONSTRAINTS ALL DEFERRED;
        ALTER TABLE payments_settlementrow ENABLE TRIGGER fact_kept;
    END IF;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_earning_amount")]

    operations = [
        migrations.RunSQL(_REMOVE_SECOND_NOTES, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="settlementrow",
            constraint=models.UniqueConstraint(
                condition=models.Q(("number", 0)),
                fields=("settlement", "transaction"),
                name="settlementrow_lacking_once",
            ),
        ),
        GuardFact("SettlementRow", exempt=("verdict", "transaction_id", "our_amount")),
    ]
