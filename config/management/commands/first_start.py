"""What a new installation needs so that somebody can sign in and see something."""

import os
import secrets
from pathlib import Path
from typing import Any

import environ
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand

from config.local.places import ADMIN_NAME, admin_password_file, unfinished_demo_file
from members.models import Region


class Command(BaseCommand):
    help = (
        "Makes the first administrator, if missing; and in an empty database the demo merchant, as"
        " DEMO says: by default on a machine of one's own, never by itself in production."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not User.objects.filter(is_superuser=True).exists():
            password = _password(admin_password_file(settings.DATA_DIR))
            User.objects.create_superuser(ADMIN_NAME, password=password)
            self.stdout.write(f"Made the administrator {ADMIN_NAME!r}.")
        if environ.Env().bool("DEMO", default=not settings.IS_PRODUCTION):
            self._fill_if_empty()

    def _fill_if_empty(self) -> None:
        unfinished = unfinished_demo_file(settings.DATA_DIR)
        # No member can be without a region; staff who have made one have begun on their own.
        if Region.objects.exists():
            # The shop opens now, whoever its members are: from here on nothing is thrown away.
            unfinished.unlink(missing_ok=True)
            return
        unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.touch()
        call_command("demo", stdout=self.stdout)
        unfinished.unlink(missing_ok=True)


def _password(path: Path) -> str:
    """The password in `path`, or a new one: a start that was cut short left the file alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    password = secrets.token_urlsafe(12)
    with os.fdopen(descriptor, "w") as file:
        file.write(password + "\n")
    return password
