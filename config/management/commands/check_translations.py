"""Whether every sentence has a translation, without needing gettext's programs."""

from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.local import package_sentences, sentences


class Command(BaseCommand):
    help = (
        "Fails on missing, fuzzy or broken translations. --write brings the catalogues up to"
        " date: new sentences are added, empty, and those that nobody says any more are dropped."
    )
    requires_system_checks = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--write", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        ours = sentences.find(settings.BASE_DIR)
        home, packages = settings.LOCALE_PATHS
        catalogues = [
            (home, "django", ours),
            (packages, "django", package_sentences.find_in_packages(ours)),
            (packages, "djangojs", package_sentences.find_in_scripts()),
        ]
        troubles: list[str] = []
        for folder, domain, found in catalogues:
            for language in sentences.LANGUAGES:
                path = folder / language / "LC_MESSAGES" / f"{domain}.po"
                if options["write"]:
                    _write(path, language, found)
                catalogue = sentences.read(path, language)
                troubles += [f"{language}: {line}" for line in sentences.compare(found, catalogue)]
        for trouble in troubles:
            self.stderr.write(trouble)
        if troubles:
            raise CommandError(f"{len(troubles)} translations want attention.")
        count = sum(len(found) for _folder, _domain, found in catalogues)
        self.stdout.write(f"All {count} sentences are translated.")


def _write(path: Path, language: str, found: sentences.Sentences) -> None:
    """The header stays as it was, so that a file without news does not change."""
    before = sentences.read(path, language)
    after = Catalog(
        locale=language,
        project="Regulars",
        version="1",
        msgid_bugs_address="CONTRIBUTING.md",
        last_translator="Regulars",
        language_team="Regulars",
        header_comment="# What Regulars says, in another language; see CONTRIBUTING.md.",
        creation_date=before.creation_date,
        revision_date=before.creation_date,
        fuzzy=False,
    )
    for (context, message), places in found.items():
        known = before.get(sentences.singular(message), context)
        text, flags = (known.string, known.flags) if known else ("", set[str]())
        after.add(message, text, locations=places, flags=flags, context=context)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, after, width=99, sort_output=True, include_lineno=False)
