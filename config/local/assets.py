"""Files made from other files: compiled translations and collected static files. Made again only
when what they come from changed."""

import hashlib
import os
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def compile_catalogues(folder: Path) -> list[Path]:
    """Write the .mo beside each newer .po in `folder`, without gettext's programs."""
    stale = [source for source in sorted(folder.glob("*/LC_MESSAGES/*.po")) if _is_stale(source)]
    for source in stale:
        with source.open("rb") as catalogue:
            messages = read_po(catalogue, locale=source.parent.parent.name)
        draft = source.with_suffix(f".mo.{os.getpid()}")
        with draft.open("wb") as compiled:
            write_mo(compiled, messages)
        draft.replace(source.with_suffix(".mo"))
    return stale


def collect_static(root: Path) -> bool:
    """Collect static files into `root` unless it holds just these already; whether it did."""
    stamp = root / ".collected"
    digest = _digest_of_static_files()
    if root.is_dir() and stamp.exists() and stamp.read_text() == digest:
        return False
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=root.is_dir(), verbosity=0)
    stamp.write_text(digest)
    return True


def _is_stale(source: Path) -> bool:
    compiled = source.with_suffix(".mo")
    return not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime


def _digest_of_static_files() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
