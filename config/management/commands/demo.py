"""`manage.py demo`: a believable merchant in a new database."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from config.demo.fill import NOTE, Scale, fill
from members.models import Programme, Region

_MOST_MEMBERS = 9999  # The invented phone numbers have four digits.


class Command(BaseCommand):
    help = "Fills a new database with an invented merchant and a year of sales that end today."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--members", type=int, default=2500)
        parser.add_argument("--days", type=int, default=400, help="of sales")
        parser.add_argument("--seed", type=int, default=852)

    def handle(self, *args: Any, **options: Any) -> None:
        scale = Scale(options["members"], options["days"], options["seed"])
        if not (10 <= scale.members <= _MOST_MEMBERS and 10 <= scale.days <= 1000):
            raise CommandError(f"Choose 10 to {_MOST_MEMBERS} members and 10 to 1000 days.")
        # Not the mark of the first start, which lets the supervisor throw the database away: who
        # runs this by hand may have settings of their own in it.
        begun = settings.DATA_DIR / "run" / "demo-begun"
        if Region.objects.exists():
            raise CommandError(_CUT_SHORT if begun.exists() else _NOT_NEW)
        started = time.monotonic()
        begun.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        begun.touch()
        fill(scale, folder=settings.DATA_DIR, now=timezone.now(), say=self._say)
        _write_through()
        begun.unlink()
        self._say(f"The demo merchant is ready after {time.monotonic() - started:.0f} s.")
        self._say(f"Its staff and their passwords: {settings.DATA_DIR / NOTE}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


_NOT_NEW = (
    "There are regions or members in this database. The demo wants a new one: nothing was changed."
)
_CUT_SHORT = (
    "An earlier demo was cut short and left half a merchant in this database. Facts cannot be"
    " deleted: choose another database (DATABASE_URL) or another DATA_DIR and begin again."
)


def _write_through() -> None:
    """One commit that waits for the disk: all before it are on it then as well."""
    with connection.cursor() as cursor:
        cursor.execute("RESET synchronous_commit")
    Programme.current().save(update_fields=["name"])
