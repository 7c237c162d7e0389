"""Where an upload waits between preview and confirmation: sealed, for a day at most."""

import re
import time
import uuid
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from import_export.tmp_storages import BaseStorage

from kit.crypto import decrypt, encrypt

_KEPT_SECONDS: Final = 24 * 60 * 60
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_CONTEXT: Final = "upload"


class UploadIsGone(Exception):
    """The upload was confirmed already, is too old, or never was."""


class SealedUploads(BaseStorage):  # type: ignore[misc]
    """Sheets are full of personal data: they lie encrypted in DATA_DIR, never in /tmp."""

    def save(self, data: bytes) -> None:
        self.name = uuid.uuid4().hex
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sweep()
        self._path.touch(mode=0o600)
        self._path.write_bytes(encrypt(data, context=_CONTEXT))

    def read(self) -> bytes:
        try:
            return decrypt(self._path.read_bytes(), context=_CONTEXT)
        except FileNotFoundError as problem:
            raise UploadIsGone from problem

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return Path(settings.MEDIA_ROOT) / "sheets"

    @property
    def _path(self) -> Path:
        name: Any = self.name
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UploadIsGone
        return self._folder / name

    def _sweep(self) -> None:
        oldest = time.time() - _KEPT_SECONDS
        for path in self._folder.iterdir():
            if _NAME.fullmatch(path.name) and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
