"""The bodies of callbacks, one partition a month, so that old ones are dropped as a table.

`payments_callback_body_partition(day)` makes the month of `day` if it is missing; a job calls it
for the months ahead, and the default partition catches what no month was made for.
"""

from django.db import migrations

FORWARDS = """
CREATE TABLE payments_callbackbody (
    callback_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (callback_id, received_at)
) PARTITION BY RANGE (received_at);

CREATE TABLE payments_callbackbody_other PARTITION OF payments_callbackbody DEFAULT;

CREATE FUNCTION payments_callback_body_partition(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    first date := date_trunc('month', day);
BEGIN
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF payments_callbackbody'
        ' FOR VALUES FROM (%L) TO (%L)',
        'payments_callbackbody_' || to_char(first, 'YYYY_MM'),
        first::timestamp AT TIME ZONE 'UTC',
        (first + interval '1 month')::timestamp AT TIME ZONE 'UTC'
    );
END $$;

SELECT payments_callback_body_partition((now() AT TIME ZONE 'UTC')::date + n * 30)
FROM generate_series(0, 3) AS n;
"""

BACKWARDS = """
DROP FUNCTION payments_callback_body_partition(date);
DROP TABLE payments_callbackbody;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_guard_facts")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
