import smtplib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection

from campaigns.channels.eml import eml_path, read_eml
from campaigns.models import Campaign, Message
from campaigns.services.deliver import confirm_sent, deliver_messages, send_again
from campaigns.services.running import pause_campaign, start_campaign
from loyalty.models import Coupon
from loyalty.services.coupons import cancel_coupon
from members.models import Consent, Identity, Member
from members.services.consents import set_consent
from tests import build
from tests.build import NOON
from tests.campaigns import cast
from tests.campaigns.cast import DAY, MINUTE

pytestmark = pytest.mark.django_db


@pytest.fixture
def mei() -> Member:
    """Who has one message waiting."""
    member = cast.reader(email="mei@example.com")
    cast.campaign()
    cast.sell(member, ref="p1")
    cast.settle()
    cast.react()
    return member


class Server(BaseEmailBackend):
    """A mail server that answers as it is told, once for each message; then it accepts."""

    answers: list[Exception] = []
    at_the_door: list[Exception] = []
    accepted: list[EmailMessage] = []

    def open(self) -> bool:
        if Server.at_the_door:
            raise Server.at_the_door.pop(0)
        return True

    def send_messages(self, email_messages: Any) -> int:
        assert len(connection.atomic_blocks) == 1  # The test's own: we are in no transaction.
        if Server.answers:
            raise Server.answers.pop(0)
        Server.accepted.extend(email_messages)
        return len(email_messages)


@pytest.fixture
def server(settings: Any) -> Iterator[type[Server]]:
    settings.EMAIL_BACKEND = f"{__name__}.Server"
    Server.answers, Server.at_the_door, Server.accepted = [], [], []
    yield Server
    Server.answers, Server.at_the_door, Server.accepted = [], [], []


def only() -> Message:
    return Message.objects.get()


def test_a_message_goes_out_once_with_everything_the_law_asks(
    mei: Member, mailoutbox: list[Any]
) -> None:
    build.programme(sender_address="1 Queen's Road, Hong Kong")

    cast.deliver(NOON + MINUTE)
    cast.deliver(NOON + 2 * MINUTE)

    (mail,) = mailoutbox
    message = only()
    assert (message.state, message.sent_at, message.due_at) == ("sent", NOON + MINUTE, None)
    assert mail.to == ["mei@example.com"]
    headers = mail.extra_headers
    assert headers["Message-ID"] == f"<{message.pk}@example.com>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stop = headers["List-Unsubscribe"].strip("<>")
    code = Coupon.objects.get().code
    html = mail.alternatives[0][0]
    for part in (mail.body, html):
        assert code in part
        assert stop in part
        assert "/m/" in part
    assert "1 Queen's Road, Hong Kong" in mail.body
    assert "1 Queen&#x27;s Road, Hong Kong" in html
    assert message.body == mail.body


def test_what_staff_will_see_in_the_demo_is_a_file(
    mei: Member, settings: Any, tmp_path: Path
) -> None:
    settings.EMAIL_BACKEND = "campaigns.channels.eml.EmlBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"

    cast.deliver()

    message = only()
    assert message.state == "sent"
    assert [path.name for path in (tmp_path / "mail").iterdir()] == [f"{message.pk}.eml"]
    assert eml_path(message.pk).stat().st_size > 0
    mail = read_eml(message.pk)
    assert mail is not None
    assert mail["To"] == "mei@example.com"
    assert mail["Subject"] == "Mei，九折券 給您"
    assert message.subject == "M•••，九折券 給您"
    body = mail.get_body(("plain",))
    assert body is not None
    assert Coupon.objects.get().code in body.get_content()


def test_there_is_no_file_before_it_is_sent(mei: Member) -> None:
    assert read_eml(only().pk) is None


# Not sent, and why


def _withheld(mailoutbox: list[Any]) -> str:
    message = only()
    assert (message.state, message.due_at, mailoutbox) == ("withheld", None, [])
    return message.reason


def test_consent_is_asked_for_again(mei: Member, mailoutbox: list[Any]) -> None:
    set_consent(mei, is_granted=False, source=Consent.Source.UNSUBSCRIBE, now=NOON)

    cast.deliver()

    assert _withheld(mailoutbox) == "no_consent"
    assert Coupon.objects.filter(member=mei).count() == 1


def test_silence_is_no_consent(mailoutbox: list[Any]) -> None:
    cast.campaign()
    cast.sell(cast.reader(consents=False))

    cast.drain()

    assert _withheld(mailoutbox) == "no_consent"


def test_who_has_no_address_gets_no_mail(mei: Member, mailoutbox: list[Any]) -> None:
    Identity.objects.filter(member=mei).delete()

    cast.deliver()

    assert _withheld(mailoutbox) == "no_address"


def test_an_expired_coupon_is_not_sent(mei: Member, mailoutbox: list[Any]) -> None:
    cast.deliver(NOON + 31 * DAY)

    assert _withheld(mailoutbox) == "coupon_expired"


def test_a_cancelled_coupon_is_not_sent(mei: Member, mailoutbox: list[Any]) -> None:
    cancel_coupon(Coupon.objects.get(), now=NOON)

    cast.deliver()

    assert _withheld(mailoutbox) == "coupon_cancelled"


def test_a_refund_ends_the_message(mei: Member, mailoutbox: list[Any]) -> None:
    cast.give_back(mei.transactions.get(), "880.00")

    cast.deliver(NOON + 2 * DAY)

    assert _withheld(mailoutbox) == "refunded"


def test_a_campaign_without_a_fitting_text_sends_nothing(
    mei: Member, mailoutbox: list[Any]
) -> None:
    Campaign.objects.get().texts.all().delete()

    cast.deliver()

    assert _withheld(mailoutbox) == "no_text"


# The server


def refused(code: int) -> smtplib.SMTPRecipientsRefused:
    return smtplib.SMTPRecipientsRefused({"mei@example.com": (code, b"mei@example.com unknown")})


def test_a_refused_address_fails_for_good(mei: Member, server: type[Server]) -> None:
    server.answers = [refused(550)]

    cast.deliver()
    cast.deliver(NOON + DAY)

    message = only()
    assert (message.state, message.reason, message.error) == (
        "failed",
        "address_refused",
        "SMTP 550",
    )
    assert (message.due_at, server.accepted) == (None, [])


@pytest.mark.parametrize(
    "answer",
    [
        refused(451),
        smtplib.SMTPDataError(452, b"later"),
        smtplib.SMTPSenderRefused(550, b"no", "us@example.com"),
    ],
)
def test_a_passing_refusal_is_tried_again_later(
    mei: Member, server: type[Server], answer: Exception
) -> None:
    server.answers = [answer]

    cast.deliver()
    message = only()
    assert (message.state, message.reason) == ("queued", "temporary")
    assert message.due_at == NOON + MINUTE
    cast.deliver(NOON + timedelta(seconds=59))
    assert server.accepted == []
    cast.deliver(NOON + MINUTE)

    assert (only().state, only().attempts, len(server.accepted)) == ("sent", 2, 1)


def test_a_closed_door_is_tried_again_for_a_day(mei: Member, server: type[Server]) -> None:
    server.at_the_door = [ConnectionRefusedError() for _ in range(100)]
    now = NOON
    while only().state == "queued":
        cast.deliver(now)
        now = only().due_at or now

    message = only()
    assert (message.state, message.reason, message.attempts) == ("failed", "gave_up", 10)
    assert NOON + 20 * timedelta(hours=1) < now < NOON + DAY


@pytest.mark.parametrize(
    "answer", [smtplib.SMTPServerDisconnected("gone"), TimeoutError(), ConnectionResetError()]
)
def test_a_line_that_breaks_leaves_a_doubt_for_staff(
    mei: Member, server: type[Server], answer: Exception
) -> None:
    server.answers = [answer]

    cast.deliver()
    cast.deliver(NOON + DAY)

    message = only()
    assert (message.state, message.reason) == ("unknown", "in_doubt")
    assert (message.waiting_for, server.accepted) == ("doubt", [])


def test_a_refused_text_fails_for_good(mei: Member, server: type[Server]) -> None:
    server.answers = [smtplib.SMTPDataError(554, b"spam")]

    cast.deliver()

    assert cast.states() == [("failed", "content_refused")]


# A process dies


class _Killed(BaseException):
    """As kill -9 does, it leaves no chance to tidy up."""


def test_a_kill_between_claim_and_record_leaves_a_doubt_and_no_second_mail(
    mei: Member, server: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Server, "send_messages", _dying_after(server))
        with pytest.raises(_Killed):
            deliver_messages(NOON, 10)
    assert (only().state, len(server.accepted)) == ("sending", 1)

    cast.deliver(NOON + 10 * MINUTE)
    assert only().state == "sending"
    cast.deliver(NOON + 11 * MINUTE)
    cast.deliver(NOON + DAY)

    message = only()
    assert (message.state, message.reason, message.waiting_for) == ("unknown", "in_doubt", "doubt")
    assert (message.due_at, len(server.accepted)) == (NOON, 1)


def _dying_after(server: type[Server]) -> Any:
    def send_messages(_self: Server, mails: list[EmailMessage]) -> int:
        server.accepted.extend(mails)
        raise _Killed

    return send_messages


def test_staff_may_send_a_doubtful_message_again(mei: Member, server: type[Server]) -> None:
    server.answers = [TimeoutError()]
    cast.deliver()

    assert send_again(Message.objects.all(), now=NOON + DAY) == 1
    cast.deliver(NOON + DAY)

    assert (cast.states(), len(server.accepted)) == ([("sent", "")], 1)
    assert send_again(Message.objects.all(), now=NOON + DAY) == 0


def test_staff_may_confirm_that_a_doubtful_message_was_sent(
    mei: Member, server: type[Server]
) -> None:
    server.answers = [TimeoutError()]
    cast.deliver()

    assert confirm_sent(Message.objects.all()) == 1

    message = only()
    assert (message.state, message.sent_at, message.due_at) == ("sent", NOON, None)
    assert message.waiting_for == ""


def test_a_bug_in_the_call_is_seen_and_leaves_a_doubt(
    mei: Member, monkeypatch: pytest.MonkeyPatch, server: type[Server]
) -> None:
    monkeypatch.setattr(Server, "send_messages", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        deliver_messages(NOON, 10)

    assert only().state == "sending"


def test_a_message_that_cannot_be_written_is_parked_and_the_rest_goes_on(
    mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.campaign()
    readers = [cast.reader() for _ in range(3)]
    for reader in readers:
        cast.sell(reader)
    cast.settle()
    cast.react()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE members_identity SET value = 'bm90aGluZw==' WHERE member_id = %s",
            [readers[1].pk],
        )

    cast.deliver()

    bad = Message.objects.get(member=readers[1])
    assert (bad.state, bad.waiting_for) == ("queued", "repair")
    assert bad.shown_error == "ENCRYPTION_KEYS holds no key “nothing”."
    assert len(mailoutbox) == 2


# Pausing


def test_what_is_queued_waits_while_the_campaign_pauses(
    mei: Member, mailoutbox: list[Any]
) -> None:
    campaign = Campaign.objects.get()

    pause_campaign(campaign)
    cast.deliver()
    assert (only().waiting_for, mailoutbox) == (f"campaign:{campaign.pk}", [])
    start_campaign(campaign, include_silent=False, now=NOON + MINUTE)
    cast.deliver(NOON + MINUTE)

    assert (only().state, len(mailoutbox)) == ("sent", 1)


def test_a_message_that_was_decided_while_the_campaign_paused_waits_too(
    mei: Member, mailoutbox: list[Any]
) -> None:
    campaign = Campaign.objects.get()
    Campaign.objects.update(state="paused")

    cast.deliver()

    assert (only().state, only().waiting_for) == ("queued", f"campaign:{campaign.pk}")
    assert mailoutbox == []
