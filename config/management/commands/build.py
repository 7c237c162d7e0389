from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.local import assets


class Command(BaseCommand):
    help = "Compiles translations and collects static files, where they changed. No database."
    requires_system_checks = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--no-static", action="store_true", help="translations only")

    def handle(self, *args: Any, **options: Any) -> None:
        for folder in settings.LOCALE_PATHS:
            for source in assets.compile_catalogues(Path(folder)):
                self.stdout.write(f"Compiled {source.parent.parent.name}.")
        if not options["no_static"] and assets.collect_static(Path(settings.STATIC_ROOT)):
            self.stdout.write("Collected static files.")
