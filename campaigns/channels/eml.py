"""An e-mail backend for demos and tests: every message becomes a file that mail programs open."""

import os
import re
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMail
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class EmlBackend(BaseEmailBackend):
    """Writes `<message id>.eml` into EMAIL_FILE_PATH. A file is there whole or not at all."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for mail in email_messages:
            _write(folder, mail)
        return len(email_messages)


def eml_path(message_id: UUID) -> Path:
    return Path(settings.EMAIL_FILE_PATH) / f"{message_id}.eml"


def read_eml(message_id: UUID) -> ParsedMail | None:
    """The message as it would have gone out, to be shown to staff; None if there is no file."""
    try:
        stored = eml_path(message_id).read_bytes()
    except FileNotFoundError:
        return None
    return message_from_bytes(stored, policy=policy.default)


def _write(folder: Path, mail: EmailMessage) -> None:
    parsed = mail.message()
    name = re.sub(r"[^A-Za-z0-9.-]", "_", str(parsed["Message-ID"]).strip("<>").partition("@")[0])
    draft = folder / f".{name}.{os.getpid()}"
    draft.write_bytes(parsed.as_bytes())
    draft.replace(folder / f"{name}.eml")
