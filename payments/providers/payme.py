"""PayMe for Business (HSBC, Hong Kong), API 0.12: a hint, then our own query.

Source: develop.hsbc.com/payme-apis-business (message signing, environments, access token).

HSBC tells merchants to ask for the state of a payment request, and calls `notificationUri` when it
changes. Whether that call is always signed is not written down. So it is a hint: a signature that
is there must fit, one that is missing does no harm, for what is booked is the answer to
`GET /payments/paymentrequests/<id>`, which we sign:

    Digest: SHA-256=<base64 of the body's SHA-256>
    Signature: keyId="…",algorithm="hmac-sha256",headers="(request-target) …",signature="…"

The signed text has a line `name: value` for each header that is named, in that order; the key is
the base64-decoded signing key. States: PR001 open, PR004 given up, PR005 paid, PR007 lapsed.

Credentials come as one set of four and hold for a year, so a set is one secret here.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.said import said
from kit.signatures import UnusableSecret, decoded_base64, is_same
from kit.untrusted import Fields, Unreadable, json_object, positive
from payments.providers.base import (
    ANSWER,
    Answer,
    CannotAnswer,
    Clue,
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
    age_problem,
    answering,
    malformed_if_unreadable,
    refused_if_unreadable,
)

HOSTS: Final = {
    "production": "https://api.payme.hsbc.com.hk",
    "sandbox": "https://sandbox.api.payme.hsbc.com.hk",
}
API_VERSION: Final = "0.12"

_REQUESTS: Final = "/payments/paymentrequests/"
_REQUEST_ID: Final = re.compile(r"[0-9A-Za-z-]{8,64}", re.ASCII)
_PARAMETER: Final = re.compile(r'\s*([a-zA-Z]+)="([^"]*)"\s*', re.ASCII)
_MUST_BE_SIGNED: Final = frozenset({"(request-target)", "digest", "request-date-time"})
_TOKEN_HOLDS: Final = timedelta(minutes=50)  # Of sixty.

_STATES: Final = {
    "PR001": NotYet("not_paid_yet"),
    "PR004": Ignored("payment_failed"),
    "PR007": Ignored("closed_unpaid"),
}
_PAID: Final = "PR005"

_PARTS: Final = (
    SettingField("signing_key_id", _("Signing key ID"), is_required=True),
    SettingField("signing_key", _("Signing key"), _("In base64."), is_required=True),
    SettingField("client_id", _("Client ID"), is_required=True),
    SettingField("client_secret", _("Client secret"), is_required=True),
)


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, now: datetime) -> Hint | Rejected:
    """A hint at best. A signature may be missing, but a wrong one is refused."""
    if request.method != "POST":
        return Rejected(Reason.MALFORMED, said("The method is not POST."))
    given = request.headers.get("signature", "")
    if given:
        problem = _signature_problem(request, given, keys, now)
        if problem is not None:
            return problem
    reference = _hinted(Fields(json_object(request.body)))
    if not _REQUEST_ID.fullmatch(reference):
        return Rejected(Reason.MALFORMED, said("The payment request is not named."))
    return Hint(reference)


def ask(question: Question, keys: Keys) -> Conversation:
    """An access token, then the payment request; while keys roll over, the next set is tried."""
    if not _REQUEST_ID.fullmatch(question.reference):
        raise CannotAnswer(Trouble.UNREADABLE, said("This is no number of a payment request."))
    host = HOSTS.get(keys.settings.get("environment", ""), HOSTS["production"])
    path = _REQUESTS + question.reference
    for secret in keys.secrets:
        credentials = _credentials(secret)
        if credentials is None:
            continue
        token = yield from _token(host, credentials)
        if token is None:
            continue
        answer = yield Outgoing("GET", host + path, _signed(path, token, credentials, question))
        if answer.status >= 500 or answer.status == 429:
            raise CannotAnswer(Trouble.BUSY, f"HTTP {answer.status}")
        if answer.status not in (401, 403):
            told = {"status": str(answer.status), "asked-at": question.at.isoformat()}
            return Inbound(ANSWER, path, told, answer.body)
    raise CannotAnswer(Trouble.KEY_REFUSED)


@malformed_if_unreadable
def read(request: Inbound, _keys: Keys) -> list[Notice] | Ignored:
    """The payment that the answer tells of; raises MalformedPayload."""
    if request.method != ANSWER:
        return Ignored("hint")
    if request.headers.get("status") == "404":
        return Unknown("unknown_payment")
    return _reading(Fields(json_object(request.body)), request)


acknowledge: Final = answering(Reply(200), Reply(400))


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it is a whole set of credentials."""
    credentials = _credentials(secret)
    if credentials is None:
        raise UnusableSecret(_("Fill in all four values of one set of PayMe credentials."))
    key = decoded_base64(credentials["signing_key"])
    if key is None or len(key) < 16:
        raise UnusableSecret(_("The signing key must be in base64, as PayMe gives it."))


def describe_secret(secret: str) -> str:
    credentials = _credentials(secret)
    return f"keyId {credentials['signing_key_id']}" if credentials else "–"


def digest_of(body: bytes) -> str:
    return "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()


def signature(key: str, target: str, headers: Mapping[str, str], names: list[str]) -> str | None:
    """The MAC over the headers in `names`; None if one is missing or the key is no base64."""
    decoded = decoded_base64(key)
    values = {name.lower(): value for name, value in headers.items()} | {
        "(request-target)": target
    }
    if decoded is None or any(name.lower() not in values for name in names):
        return None
    text = "\n".join(f"{name.lower()}: {values[name.lower()]}" for name in names)
    return base64.b64encode(
        hmac.digest(decoded, text.encode("utf-8", "backslashreplace"), "sha256")
    ).decode()


def _signature_problem(request: Inbound, given: str, keys: Keys, now: datetime) -> Rejected | None:
    found = dict(_PARAMETER.findall(given))
    names = found.get("headers", "").split()
    if not found.get("signature") or not {name.lower() for name in names} >= _MUST_BE_SIGNED:
        return Rejected(Reason.MALFORMED, "Signature")
    target = f"{request.method.lower()} {request.url}"
    sets = [known for known in map(_credentials, keys.secrets) if known is not None]
    if not sets:
        return Rejected(Reason.NO_SECRET)
    made = [signature(known["signing_key"], target, request.headers, names) for known in sets]
    if not any(ours is not None and is_same(ours, found["signature"]) for ours in made):
        return Rejected(Reason.BAD_SIGNATURE)
    if not is_same(digest_of(request.body), request.headers["digest"]):
        return Rejected(Reason.BAD_SIGNATURE, "Digest")
    return _age_problem(request.headers["request-date-time"], now)


def _age_problem(stamp: str, now: datetime) -> Rejected | None:
    try:
        age = (now - Fields({"at": stamp}).instant("at")).total_seconds()
    except Unreadable:
        return Rejected(Reason.MALFORMED, "Request-Date-Time")
    return age_problem(age)


def _hinted(body: Fields) -> str:
    """The payment request's number: it stands in another place for success and failure."""
    for name in ("paymentRequestId", "orderId"):
        if body.has(name):
            return body.text(name)
    rows = body.items("transactions", most=20)
    return rows[0].text("orderId") if rows else ""


def _credentials(secret: str) -> dict[str, str] | None:
    """The four parts of one set; None if one is missing."""
    try:
        found = json.loads(secret)
        parts = {part.name: str(found[part.name]).strip() for part in _PARTS}
    except (ValueError, TypeError, KeyError):
        return None
    return parts if all(parts.values()) else None


def _token(host: str, credentials: Mapping[str, str]) -> Generator[Outgoing, Answer, str | None]:
    """An access token; None if these credentials are refused."""
    names = ("client_id", "client_secret")
    answer = yield Outgoing(
        "POST",
        f"{host}/oauth2/token",
        {
            "Api-Version": API_VERSION,
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        urlencode({name: credentials[name] for name in names}).encode(),
        kept_for=_TOKEN_HOLDS,
    )
    if answer.status in (400, 401, 403):
        return None
    if answer.status != 200:
        raise CannotAnswer(Trouble.BUSY, f"HTTP {answer.status}")
    try:
        return Fields(json_object(answer.body)).text("accessToken", longest=8000)
    except Unreadable as problem:
        raise CannotAnswer(Trouble.UNREADABLE, problem.kept) from problem


def _signed(
    path: str, token: str, credentials: Mapping[str, str], question: Question
) -> dict[str, str]:
    names = ["(request-target)", "Api-Version", "Request-Date-Time", "Digest", "Accept"]
    names += ["Trace-Id", "Authorization"]
    headers = {
        "Api-Version": API_VERSION,
        "Request-Date-Time": question.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Digest": digest_of(b""),
        "Accept": "application/json",
        "Trace-Id": question.nonce,
        "Authorization": f"Bearer {token}",
    }
    made = signature(credentials["signing_key"], f"get {path}", headers, names)
    if made is None:
        raise CannotAnswer(Trouble.KEY_REFUSED, said("The signing key is not in base64."))
    parameters = {
        "keyId": credentials["signing_key_id"],
        "algorithm": "hmac-sha256",
        "headers": " ".join(names),
        "signature": made,
    }
    headers["Signature"] = ",".join(f'{name}="{value}"' for name, value in parameters.items())
    return headers


def _reading(answer: Fields, request: Inbound) -> list[Notice] | Ignored:
    reference = request.url.removeprefix(_REQUESTS)
    if answer.text("paymentRequestId") != reference:
        raise Unreadable("The answer is not about the payment that was asked for.")
    state = answer.text("statusCode")
    if state != _PAID:
        return _STATES.get(state) or NotYet("unknown_state")
    return [_payment(answer, reference, request.headers.get("asked-at", ""))]


def _payment(answer: Fields, reference: str, asked_at: str) -> Notice:
    """The request's own number is the payment's, whichever transaction of PayMe filled it."""
    rows = answer.values.get("transactions")
    # Some answers list the transactions, some only their numbers.
    paid = Fields(rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {})
    payer = paid.hint("payerId")
    return Notice(
        kind=Kind.PAYMENT,
        payment_ref=reference,
        effect_ref=reference,
        amount=positive(Money.parse(_total(answer), answer.text("currencyCode")), "totalAmount"),
        occurred_at=_paid_at(answer, paid, asked_at),
        order_ref=answer.inner("merchantData").hint("orderId"),
        method="payme",
        clues=(Clue("payme_payer", payer),) if payer else (),
        payer_country="HK",
    )


def _total(answer: Fields) -> Decimal:
    """A number of JSON, or text."""
    is_text = isinstance(answer.values.get("totalAmount"), str)
    return answer.decimal("totalAmount") if is_text else answer.number("totalAmount")


def _paid_at(answer: Fields, paid: Fields, asked_at: str) -> datetime:
    """When it was paid or, where the answer does not say, when it told us so."""
    for fields, name in ((paid, "transactionTime"), (answer, "updatedTime")):
        if fields.has(name):
            return fields.instant(name)
    return Fields({"asked-at": asked_at}).instant("asked-at")


PROVIDER = Provider(
    code="payme",
    label=_("PayMe for Business (HSBC)"),
    secret_label=_("API credentials"),
    secret_help=_(
        "One set of PayMe API credentials. They lapse after a year: ask for new ones in the "
        "PayMe for Business app, add them here, and remove the old set afterwards."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    settings=(
        SettingField(
            "environment",
            _("Environment"),
            _("The sandbox has credentials of its own."),
            choices=(("production", _("Production")), ("sandbox", _("Sandbox"))),
        ),
    ),
    clue_kinds={"payme_payer": _("PayMe payer")},
    secret_parts=_PARTS,
    describe_secret=describe_secret,
    ask=ask,
)
