"""Who may do what in the database. The runtime role owns nothing: even a bug of ours, or stolen
credentials of the web server, cannot rewrite or delete a fact."""

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from kit.facts import Fact

# Raw bodies are not facts, they may be pruned; but by the owner (`manage.py prepare` and its kin).
_KEPT_BODIES = "payments_callbackbody"


def grant_runtime(connection: BaseDatabaseWrapper, role: str) -> None:
    """Give `role` exactly what running needs on this connection's schema, and on the queues.

    Run as the owner, in a transaction, so that nobody who is working notices.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema()), quote_ident(%s)", [role])
        schema, name = cursor.fetchone()
        cursor.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {name}")
        for table, rights in rights_by_table(cursor).items():
            cursor.execute(f"GRANT {rights} ON {schema}.{table} TO {name}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {name}")
        cursor.execute("SELECT to_regnamespace('pgmq')")
        if cursor.fetchone()[0] is not None:
            _grant_queues(cursor, name)


def rights_by_table(cursor: CursorWrapper) -> dict[str, str]:
    """The rights on each table of the schema; partitions are reached through their parent."""
    facts = {model._meta.db_table for model in apps.get_models() if issubclass(model, Fact)}
    cursor.execute(
        "SELECT relname, quote_ident(relname) FROM pg_class"
        " WHERE relnamespace = current_schema()::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition"
    )
    return {quoted: _rights(table, facts) for table, quoted in cursor.fetchall()}


def _rights(table: str, facts: set[str]) -> str:
    if table == "django_migrations":
        return "SELECT"
    if table == _KEPT_BODIES:
        return "SELECT, INSERT"
    if table in facts:
        return "SELECT, INSERT, UPDATE"
    return "SELECT, INSERT, UPDATE, DELETE"


def _grant_queues(cursor: CursorWrapper, name: str) -> None:
    cursor.execute(f"GRANT USAGE ON SCHEMA pgmq TO {name}")
    cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgmq TO {name}")
    cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA pgmq TO {name}")
