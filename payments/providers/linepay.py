"""LINE Pay (Taiwan, Thailand), online API v3: a hint without signature, then our own query.

Sources: developers-pay.line.me (redirection pages; payment details; check payment status).

LINE Pay calls the merchant's `confirmUrl` by GET with `orderId` and `transactionId`, not signed:
anybody may do so. The money moves later, when the shop calls Confirm, which we never do. So the
hint only makes us ask, with a request that we sign, and what is booked is the answer:

1. `GET /v3/payments?transactionId=…` tells of payments that were captured, and of their refunds;
2. where it knows none (1150), `GET /v3/payments/requests/<id>/check` tells whether the customer is
   still at it (0000, 0110), gave up (0121, 0122), or the id is not one of ours (1150).

Refunds have no message of their own. An answer carries all of them, so their sum is passed on as a
total: what staff entered before already counts towards it.
"""

import base64
import re
from collections.abc import Generator, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qs, urlsplit

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.said import said
from kit.signatures import UnusableSecret, hmac_sha256
from kit.untrusted import Fields, Unreadable, json_object, positive
from payments.providers.base import (
    ANSWER,
    Answer,
    CannotAnswer,
    Conversation,
    Hint,
    Ignored,
    Inbound,
    Keys,
    Kind,
    Notice,
    NotYet,
    Outgoing,
    Provider,
    Question,
    Reason,
    Rejected,
    Reply,
    SettingField,
    Trouble,
    Unknown,
    answering,
    malformed_if_unreadable,
)

HOSTS: Final = {
    "production": "https://api-pay.line.me",
    "sandbox": "https://sandbox-api-pay.line.me",
}

_PAYMENTS: Final = "/v3/payments"
_TRANSACTION_ID: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_MOST_ROWS: Final = 100
# LINE Pay takes whole New Taiwan dollars, though ISO 4217 gives them cents.
_WITHOUT_CENTS: Final = frozenset({"TWD", "JPY"})

_FOUND: Final = "0000"
_UNKNOWN: Final = "1150"
_KEY_REFUSED: Final = frozenset({"1104", "1105", "1106"})
_BUSY: Final = frozenset({"1194", "1198", "1199", "1900", "1902", "1999", "9000"})

# What the check of a request says, if its payment was not captured.
_CHECKED: Final = {
    "0000": NotYet("not_paid_yet"),
    "0110": NotYet("not_captured_yet"),  # The shop has not called Confirm.
    "0121": Ignored("closed_unpaid"),
    "0122": Ignored("payment_failed"),
    "0123": NotYet("not_listed_yet"),  # Captured a moment ago: the next query lists it.
    _UNKNOWN: Unknown("unknown_payment"),
}
_NOT_CAPTURED: Final = {
    "AUTHORIZATION": NotYet("not_captured_yet"),
    "VOIDED_AUTHORIZATION": Ignored("closed_unpaid"),
    "EXPIRED_AUTHORIZATION": Ignored("closed_unpaid"),
}


def verify(request: Inbound, _keys: Keys, _now: datetime) -> Hint | Rejected:
    """A hint at best: nothing in the request is signed."""
    if request.method != "GET":
        return Rejected(Reason.MISSING_SIGNATURE)
    try:
        asked = parse_qs(urlsplit(request.url).query, max_num_fields=20)
    except ValueError:
        return Rejected(Reason.MALFORMED, said("The query is not readable."))
    ids = asked.get("transactionId", [])
    if len(ids) != 1 or not _TRANSACTION_ID.fullmatch(ids[0]):
        return Rejected(Reason.MALFORMED, "transactionId")
    return Hint(ids[0], Fields({"orderId": asked.get("orderId", [""])[0]}).hint("orderId"))


def ask(question: Question, keys: Keys) -> Conversation:
    """The payment's details or, where there are none, what became of the request for it."""
    if not _TRANSACTION_ID.fullmatch(question.reference):
        raise CannotAnswer(Trouble.UNREADABLE, said("A LINE Pay number has digits only."))
    details = yield from _get(_PAYMENTS, f"transactionId={question.reference}", question, keys)
    if _code(details) != _UNKNOWN:
        return _answer(f"{_PAYMENTS}?transactionId={question.reference}", details)
    path = f"{_PAYMENTS}/requests/{question.reference}/check"
    checked = yield from _get(path, "", question, keys)
    return _answer(path, checked)


@malformed_if_unreadable
def read(request: Inbound, _keys: Keys) -> list[Notice] | Ignored:
    """The payment, and what was refunded of it so far; raises MalformedPayload."""
    if request.method != ANSWER:
        return Ignored("hint")
    answer = Fields(json_object(request.body))
    code = answer.text("returnCode")
    path, _mark, query = request.url.partition("?")  # As `ask` has put them together.
    if path.endswith("/check"):
        return _CHECKED.get(code) or _unexpected(code)
    if code != _FOUND:
        return _unexpected(code)
    asked = parse_qs(query).get("transactionId", [""])
    return _payment(answer, asked[0])


# Any page will do; LINE Pay does not come again.
acknowledge: Final = answering(Reply(200, b"OK"), Reply(400, b"FAIL"))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it can be a channel secret key."""
    if not re.fullmatch(r"[0-9a-zA-Z]{24,64}", secret.strip(), re.ASCII):
        raise UnusableSecret(
            _("A channel secret key is 32 letters and digits. It is not the channel ID.")
        )


def signature(secret: str, path: str, payload: str, nonce: str) -> str:
    """X-LINE-Authorization; `payload` is the query of a GET or the body of a POST."""
    digest = hmac_sha256(secret.encode(), f"{secret}{path}{payload}{nonce}".encode())
    return base64.b64encode(digest).decode()


def _get(
    path: str, query: str, question: Question, keys: Keys
) -> Generator[Outgoing, Answer, Answer]:
    """The answer to a signed GET; while a key is being rolled over, the next one is tried too."""
    host = HOSTS.get(keys.settings.get("environment", ""), HOSTS["production"])
    for secret in keys.secrets:
        answer = yield Outgoing(
            "GET",
            f"{host}{path}?{query}".rstrip("?"),
            {
                "Content-Type": "application/json",
                "X-LINE-ChannelId": keys.settings.get("channel_id", "").strip(),
                "X-LINE-Authorization-Nonce": question.nonce,
                "X-LINE-Authorization": signature(secret.strip(), path, query, question.nonce),
            },
        )
        if answer.status >= 500 or answer.status == 429 or _code(answer) in _BUSY:
            raise CannotAnswer(Trouble.BUSY, f"HTTP {answer.status}")
        if answer.status not in (401, 403) and _code(answer) not in _KEY_REFUSED:
            return answer
    raise CannotAnswer(Trouble.KEY_REFUSED)


def _code(answer: Answer) -> str:
    try:
        return Fields(json_object(answer.body)).text("returnCode")
    except Unreadable as problem:
        raise CannotAnswer(
            Trouble.UNREADABLE,
            said(
                "It answered with status %(status)s: %(problem)s",
                status=answer.status,
                problem=problem,
            ),
        ) from problem


def _answer(path: str, answer: Answer) -> Inbound:
    return Inbound(ANSWER, path, {"content-type": "application/json"}, answer.body)


def _unexpected(code: str) -> Ignored:
    raise Unreadable("LINE Pay answers %(code)s, which is no answer to this question.", code=code)


def _payment(answer: Fields, reference: str) -> list[Notice] | Ignored:
    paid = [row for row in answer.items("info", most=_MOST_ROWS) if _id(row) == reference]
    if len(paid) != 1:
        raise Unreadable("The answer is not about the payment that was asked for.")
    row = paid[0]
    open_state = _NOT_CAPTURED.get(row.text_or_blank("payStatus"))
    if open_state is not None:
        return open_state
    if row.text("transactionType") != "PAYMENT":
        return Ignored("not_a_payment")
    return list(_notices(row, reference))


def _notices(row: Fields, reference: str) -> Iterator[Notice]:
    currency = row.text("currency", longest=3)
    parts = [part.number("amount") for part in row.items("payInfo", most=20)]
    yield Notice(
        kind=Kind.PAYMENT,
        payment_ref=reference,
        effect_ref=reference,
        amount=_money(sum(parts, Decimal(0)), currency, "payInfo.amount"),
        occurred_at=row.instant("transactionDate"),
        order_ref=row.hint("orderId"),
        method="linepay",
    )
    refunds = row.items("refundList", most=_MOST_ROWS)
    if refunds:
        total = sum((abs(refund.number("refundAmount")) for refund in refunds), Decimal(0))
        yield Notice(
            kind=Kind.REFUND,
            payment_ref=reference,
            effect_ref=f"{reference}:{total.normalize():f}",
            amount=_money(total, currency, "refundAmount"),
            occurred_at=max(refund.instant("refundTransactionDate") for refund in refunds),
            is_total=True,
            order_ref=row.hint("orderId"),
            method="linepay",
        )


def _id(row: Fields) -> str:
    """19 digits, which some clients write as a number and some as text."""
    return str(row.values.get("transactionId"))


def _money(amount: Decimal, currency: str, name: str) -> Money:
    money = positive(Money.parse(amount, currency), name)
    if money.currency in _WITHOUT_CENTS and money.amount != money.amount.to_integral_value():
        raise Unreadable(
            "%(field)s has cents, which LINE Pay does not take in %(currency)s.",
            field=name,
            currency=money.currency,
        )
    return money


PROVIDER = Provider(
    code="linepay",
    label=_("LINE Pay"),
    secret_label=_("Channel secret key"),
    secret_help=_(
        "In the LINE Pay merchant centre under Manage Link Key. After your shop has confirmed a "
        "payment, let it call this account's callback URL with ?orderId=…&transactionId=…; if it "
        "needs no confirmUrl itself, give LINE Pay this one with confirmUrlType SERVER, so that "
        "no customer sees it. Points are given only after LINE Pay answers our own question."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    settings=(
        SettingField(
            "channel_id",
            _("Channel ID"),
            _("Digits, beside the channel secret key in the merchant centre."),
            is_required=True,
        ),
        SettingField(
            "environment",
            _("Environment"),
            _("The sandbox has channels and keys of its own."),
            choices=(("production", _("Production")), ("sandbox", _("Sandbox"))),
        ),
    ),
    methods=("GET",),
    ask=ask,
    tells_of_refunds=False,
)
