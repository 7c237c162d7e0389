"""`manage.py prepare`: once for each new version, before the other processes start."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection, transaction

from config import roles
from config.groups import make_groups
from config.schedule import JOBS
from config.scheduling import seed_jobs
from payments.services.methods import make_methods


class Command(BaseCommand):
    help = "Brings the database up to date: tables, rights, timed jobs. Connects as the owner."

    def handle(self, *args: Any, **options: Any) -> None:
        role = settings.DATABASE_RUNTIME_ROLE
        with _alone():
            call_command("migrate", interactive=False, verbosity=options["verbosity"])
            if role == connection.settings_dict["USER"]:
                self.stderr.write(
                    "DATABASE_OWNER_URL is not set, so everything runs as the owner of the"
                    " tables. docs/operations.md says how to separate the two."
                )
            else:
                with transaction.atomic():
                    roles.grant_runtime(connection, role)
            added = seed_jobs(JOBS)
            make_groups()
            make_methods()
        if added:
            self.stdout.write(f"Added {added} timed jobs.")


@contextmanager
def _alone() -> Iterator[None]:
    """One `prepare` at a time in a schema: a second one waits, and then finds nothing to do."""
    key = "hashtextextended('regulars prepare ' || current_schema(), 0)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({key})")
        try:
            yield
        finally:
            cursor.execute(f"SELECT pg_advisory_unlock({key})")
