"""E-mail, through whichever backend Django is set to."""

import smtplib
from contextlib import suppress
from email.utils import parseaddr
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from campaigns.channels.letters import Fate, Letter, Outcome
from campaigns.rules.reasons import Failure

PERMANENT: Final = 500


def send(letter: Letter) -> Outcome:
    """Hand the letter to the mail server; whatever it answers is an outcome."""
    connection = get_connection()
    try:
        connection.open()
    except OSError as problem:  # Includes all of smtplib: nothing was handed over yet.
        return Outcome(Fate.DELAYED, Failure.TEMPORARY, _note(problem))
    try:
        return _hand_over(connection, letter)
    finally:
        with suppress(OSError):  # What was accepted stays accepted, however we part.
            connection.close()


def message_id_header(message_id: UUID) -> str:
    """The same for every attempt, so that mail programs can tell that it is the same message."""
    _, sender = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return f"<{message_id}@{sender.partition('@')[2] or 'localhost'}>"


def _hand_over(connection: BaseEmailBackend, letter: Letter) -> Outcome:
    try:
        connection.send_messages([_compose(letter, connection)])
    except smtplib.SMTPRecipientsRefused as refusal:
        codes = [code for code, _ in refusal.recipients.values()]
        return _refused(max(codes), Failure.ADDRESS_REFUSED)
    except smtplib.SMTPSenderRefused as refusal:
        # The fault is in our settings, not in the member's address.
        return Outcome(Fate.DELAYED, Failure.TEMPORARY, _note(refusal))
    except smtplib.SMTPResponseException as refusal:
        return _refused(refusal.smtp_code, Failure.CONTENT_REFUSED)
    except OSError as problem:  # The line broke, or silence: it may have been accepted.
        return Outcome(Fate.IN_DOUBT, Failure.IN_DOUBT, _note(problem))
    return Outcome(Fate.SENT)


def _compose(letter: Letter, connection: BaseEmailBackend) -> EmailMultiAlternatives:
    """With the two headers by which mail programs offer one-click unsubscribing (RFC 8058)."""
    mail = EmailMultiAlternatives(
        letter.subject,
        letter.text,
        to=[letter.address],
        connection=connection,
        headers={
            "Message-ID": message_id_header(letter.message_id),
            "Content-Language": letter.language,
            "List-Unsubscribe": f"<{letter.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    mail.attach_alternative(letter.html, "text/html")
    return mail


def _refused(code: int, reason: Failure) -> Outcome:
    if code >= PERMANENT:
        return Outcome(Fate.REFUSED, reason, f"SMTP {code}")
    return Outcome(Fate.DELAYED, Failure.TEMPORARY, f"SMTP {code}")


def _note(problem: OSError) -> str:
    code = getattr(problem, "smtp_code", None)
    return f"SMTP {code}" if code else problem.strerror or str(problem)
