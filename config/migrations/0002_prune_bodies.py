"""Old bodies of callbacks are dropped a month at a time, by a role that owns nothing.

`payments_drop_callback_bodies(before)` drops the oldest monthly table that ends before the month
of `before`, and says which; NULL if there is none. It never reaches into the last two months,
whoever calls it, and rather gives up than let incoming posts wait behind its lock.
"""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION payments_drop_callback_bodies(before date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '3s' AS $$
DECLARE
    youngest date := date_trunc('month', (now() AT TIME ZONE 'UTC')::date) - interval '2 months';
    first date := least(date_trunc('month', before)::date, youngest);
    oldest text;
BEGIN
    SELECT child.relname INTO oldest
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'payments_callbackbody'::regclass
        AND child.relname ~ '^payments_callbackbody_[0-9]{4}_[0-9]{2}$'
        AND to_date(right(child.relname, 7), 'YYYY_MM') < first
    ORDER BY child.relname LIMIT 1;
    IF oldest IS NOT NULL THEN
        EXECUTE format('DROP TABLE %I', oldest);
    ELSE
        DELETE FROM payments_callbackbody_other
        WHERE received_at < first::timestamp AT TIME ZONE 'UTC';
    END IF;
    RETURN oldest;
END $$;
"""

BACKWARDS = "DROP FUNCTION payments_drop_callback_bodies(date);"


class Migration(migrations.Migration):
    dependencies = [("config", "0001_task_queue"), ("payments", "0003_callback_bodies")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
