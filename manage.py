#!/usr/bin/env python
"""Django's command line for Regulars."""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import OperationalError

from config.local.address import is_bundled

# These make or compare tables; everything else works with the lesser rights of the runtime role.
OWNER_COMMANDS = {"prepare", "migrate", "makemigrations", "sqlmigrate", "showmigrations"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if OWNER_COMMANDS.intersection(sys.argv[1:2]):
        os.environ.setdefault("DATABASE_ROLE", "owner")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if _is_asleep(error):
            sys.exit("The database is not running. Start it in another terminal with: make run")
        raise


def _is_asleep(error: OperationalError) -> bool:
    has_no_server = "No such file" in str(error) or "Connection refused" in str(error)
    return has_no_server and is_bundled(settings.DATABASES["default"])


if __name__ == "__main__":
    main()
