"""`manage.py demo`: a believable merchant in a new database."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from config.demo.fill import NOTE, Scale, fill
from config.local.places import unfinished_demo_file
from members.models import Member, Programme

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
        unfinished = unfinished_demo_file(settings.DATA_DIR)
        if Member.objects.exists():
            raise CommandError(_CUT_SHORT if unfinished.exists() else _NOT_NEW)
        started = time.monotonic()
        unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.touch()
        fill(scale, folder=settings.DATA_DIR, now=timezone.now(), say=self._say)
        _write_through()
        unfinished.unlink()
        self._say(f"The demo merchant is ready after {time.monotonic() - started:.0f} s.")
        self._say(f"Its staff and their passwords: {settings.DATA_DIR / NOTE}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


_NOT_NEW = "There are members in this database. The demo wants a new one: nothing was changed."
_CUT_SHORT = (
    "An earlier demo was cut short and left half a merchant. Facts cannot be deleted: make the"
    " database anew (with `make run`, which brings its own, just start again) and then run"
    " `manage.py prepare` and `manage.py demo`."
)


def _write_through() -> None:
    """One commit that waits for the disk: all before it are on it then as well."""
    with connection.cursor() as cursor:
        cursor.execute("RESET synchronous_commit")
    Programme.current().save(update_fields=["name"])
