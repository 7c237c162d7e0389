"""The queue of background tasks, in PostgreSQL itself (pgmq, as plain SQL, no extension)."""

from typing import Any

from django.db import migrations
from pgmq.install import get_embedded_install_sql

from config.local.address import TASK_QUEUE


def install(apps: Any, schema_editor: Any) -> None:
    """Once per database: its script fails on second use, and other schemas may share it."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pgmq.meta')")
        if cursor.fetchone()[0] is None:
            cursor.execute(get_embedded_install_sql())
        cursor.execute("SELECT count(*) FROM pgmq.meta WHERE queue_name = %s", [TASK_QUEUE])
        if not cursor.fetchone()[0]:
            cursor.execute("SELECT pgmq.create(%s)", [TASK_QUEUE])


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
