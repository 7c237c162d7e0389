"""The sentences of other people's packages that staff meet, as far as nobody translated them."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from babel.messages.pofile import read_po

from config.local.sentences import LANGUAGES, Sentences, in_file, singular

Key = tuple[str | None, str]

# Packages whose words staff meet in the admin, and what of them we do not use.
_PACKAGES = {
    "unfold": {"contrib", "templates/unfold_crispy"},
    "unfold.contrib.filters": set[str](),
    "unfold.contrib.forms": set[str](),
    "unfold.contrib.import_export": set[str](),
    "import_export": set[str](),
    "django_celery_beat": {"management", "tests"},
    "axes": {"management"},
}
_OF_DJANGO = ("conf", "contrib/admin", "contrib/auth", "contrib/contenttypes", "contrib/postgres")
# What our API says in words of Django REST framework that its own Chinese lacks. It ships compiled
# catalogues only: there is nothing to compare.
_OF_API = {
    "rest_framework/exceptions.py": (
        "Authentication credentials were not provided.",
        "Could not satisfy the request Accept header.",
        "Incorrect authentication credentials.",
        "Malformed request.",
        "Request was throttled. Expected available in {wait} seconds.",
        'Unsupported media type "{media_type}" in request.',
    ),
    "rest_framework/fields.py": (
        "Date has wrong format. Use one of these formats instead: {format}.",
        "Ensure this field has no more than {max_length} elements.",
        'Expected a dictionary of items but got type "{input_type}".',
        "Must be a valid boolean.",
    ),
}
# Django's own 繁體中文 says these in the words and characters of the mainland.
_SPOILT = {(None, "Deletion"), (None, "The %(name)s “%(obj)s” was deleted successfully.")}


def find_in_packages(known: Sentences) -> Sentences:
    """Those of the packages above and the gaps of Django, without those `known` to us."""
    translated, gaps = _django("django")
    said = translated | {(context, singular(message)) for context, message in known}
    found = {key: places for key, places in gaps.items() if (key[0], singular(key[1])) not in said}
    for package, unused in _PACKAGES.items():
        for path, name in _files_of(package, unused):
            for context, message in in_file(path):
                if (context, singular(message)) not in said:
                    found.setdefault((context, message), []).append((name, 1))
    for name, messages in _OF_API.items():
        found |= {(None, message): [(name, 1)] for message in messages}
    return found


def find_in_scripts() -> Sentences:
    """The gaps of Django's own scripts."""
    return _django("djangojs")[1]


def _django(domain: str) -> tuple[set[Key], Sentences]:
    """What Django says in every language of ours, and what it does not."""
    gaps: Sentences = {}
    translated: set[Key] = set()
    for part in _OF_DJANGO:
        folder = _root_of("django") / part / "locale"
        done = [set(_translated(folder / language, domain)) for language in LANGUAGES]
        for context, message in _entries(folder / "en", domain):
            key = (context, singular(message))
            if all(key in of_language for of_language in done) and key not in _SPOILT:
                translated.add(key)
            else:
                gaps[(context, message)] = [(f"django/{part}", 1)]
    return translated, gaps


def _entries(folder: Path, domain: str) -> Iterator[tuple[str | None, str | tuple[str, str]]]:
    path = folder / "LC_MESSAGES" / f"{domain}.po"
    if path.exists():
        with path.open("rb") as file:
            for entry in read_po(file):
                if entry.id:
                    yield entry.context, entry.id if isinstance(entry.id, str) else _two(entry.id)


def _translated(folder: Path, domain: str) -> Iterator[Key]:
    path = folder / "LC_MESSAGES" / f"{domain}.po"
    if path.exists():
        with path.open("rb") as file:
            for entry in read_po(file):
                text = (
                    entry.string if isinstance(entry.string, str) else "".join(entry.string or ())
                )
                if entry.id and text and not entry.fuzzy:
                    yield entry.context, entry.id if isinstance(entry.id, str) else entry.id[0]


def _two(message: tuple[str, ...] | list[str]) -> tuple[str, str]:
    return message[0], message[1]


def _root_of(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _files_of(package: str, unused: set[str]) -> Iterator[tuple[Path, str]]:
    root = _root_of(package)
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not any(name.startswith(f"{folder}/") for folder in unused):
            yield path, f"{package.replace('.', '/')}/{name}"
