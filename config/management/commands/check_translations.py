"""Whether every sentence of ours has a translation, without needing gettext's programs."""

from pathlib import Path
from typing import Any

from babel.messages.pofile import write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.local import sentences


class Command(BaseCommand):
    help = "Fails on missing, fuzzy or broken translations; --write adds the missing, empty."
    requires_system_checks = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--write", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        ours = sentences.find(settings.BASE_DIR)
        troubles: list[str] = []
        for language in ("zh_Hant", "zh_Hans"):
            path = settings.BASE_DIR / "locale" / language / "LC_MESSAGES" / "django.po"
            if options["write"]:
                self._write(path, language, ours)
            catalogue = sentences.read(path, language)
            troubles += [
                f"{language}: {trouble}" for trouble in sentences.compare(ours, catalogue)
            ]
        for trouble in troubles:
            self.stderr.write(trouble)
        if troubles:
            raise CommandError(f"{len(troubles)} translations want attention.")
        self.stdout.write(f"All {len(ours)} sentences are translated.")

    def _write(self, path: Path, language: str, ours: sentences.Sentences) -> None:
        """Nothing is taken away: many entries translate sentences of packages that we use."""
        catalogue = sentences.read(path, language)
        for (context, message), places in ours.items():
            if catalogue.get(_singular(message), context) is None:
                catalogue.add(message, context=context, locations=places)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalogue, width=99, sort_output=True, include_lineno=False)


def _singular(message: str | tuple[str, str]) -> str:
    return message if isinstance(message, str) else message[0]
