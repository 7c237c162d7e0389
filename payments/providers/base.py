"""What every payment platform's module speaks: plain values, no database, network or clock.

A platform is one module in this folder that ends in `PROVIDER = Provider(...)`. It is found from
the folder; nothing else needs to be told about it (CONTRIBUTING: "Add a payment platform").
"""

import hashlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import wraps
from typing import Any, Final, TypeVar

from kit.money import Money, MoneyError
from kit.signatures import FRESH_SECONDS
from kit.untrusted import Unreadable


class Reason(StrEnum):
    """Why a post was refused. Staff see these in words (payments/wording.py)."""

    MISSING_SIGNATURE = "missing_signature"
    BAD_SIGNATURE = "bad_signature"
    WEAK_SIGNATURE = "weak_signature"  # A downgrade, such as Alipay's sign_type=RSA.
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    MALFORMED = "malformed"
    OTHER_MERCHANT = "other_merchant"  # Signed well, but for another app or seller.
    NO_SECRET = "no_secret"  # noqa: S105 - The account has no usable key: it refuses, it never skips.
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"  # More unsigned hints than a minute may bring.
    NOT_SET_UP = "not_set_up"  # An inlet whose fields nobody has picked and tested yet.
    UNKNOWN_PAYMENT = "unknown_payment"  # A hint at a payment that the platform does not know.


class Outcome(StrEnum):
    """What became of a post; each platform words its own reply to it."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


class Kind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    REVERSAL = "reversal"  # A failed refund or a chargeback that was won: the money is back.


@dataclass(frozen=True, slots=True)
class Inbound:
    """One HTTP request as it came: raw body bytes, header names in lower case.

    received_at: known once it was stored, for posts that do not say themselves when it happened
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """An account's configuration: several active secrets, newest first, and public settings.

    url: the account's callback URL as the platform knows it; some sign it along
    """

    secrets: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """A genuine post. `delivery_key` is the same for every resend of one notice."""

    delivery_key: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """`detail`: what exactly was wrong, as `kit.said` keeps it, or a name such as of a header."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """Somebody says that something became of a payment. It proves nothing: the platform is asked.

    reference: the platform's own number of the payment, as `Provider.ask` wants it
    """

    reference: str
    order_ref: str = ""


@dataclass(frozen=True, slots=True)
class Clue:
    """A sign of who paid: kind as in members.Identity (`alipay_buyer`, `stripe_customer` …)."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One line of a basket; `amount`, after discounts, is in the notice's currency."""

    sku: str
    quantity: Decimal
    amount: Decimal
    name: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One effect on money, in the normal form of every platform.

    payment_ref: the platform's id of the payment (a refund names the payment that it takes back)
    effect_ref:  the id of this effect: payment_ref for a payment, the refund's or dispute's own id
    amount:      positive; of this effect alone, or the total so far where `is_total`
                 (a payment may have both: taken back = max(largest total, sum of single
                 refunds) + chargebacks - reversals, so that no refund counts twice)
    member_code: our member number out of signed metadata, if the merchant put it there
    payer_country: ISO 3166-1 alpha-2 of the payer's wallet or card, if the platform says so
    earns:       of a payment, the part that earns points, if not all of it (vouchers, say)
    settled:     what the platform pays out for this effect, before its fee, in the currency of the
                 payout; `fee` in the same currency. Most notices do not know; settlement files do
    """

    kind: Kind
    payment_ref: str
    effect_ref: str
    amount: Money
    occurred_at: datetime
    is_total: bool = False
    order_ref: str = ""
    member_code: str = ""
    store_code: str = ""
    method: str = ""
    clues: tuple[Clue, ...] = ()
    lines: tuple[NoticeLine, ...] = ()
    payer_country: str = ""
    earns: Money | None = None
    settled: Money | None = None
    fee: Money | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A genuine notice that moves no money; `reason` is a word such as `not_paid_yet`."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotYet(Ignored):
    """An answer that is not final: the platform is asked again later."""


@dataclass(frozen=True, slots=True)
class Unknown(Ignored):
    """An answer that says: there is no such payment of this merchant."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a platform is to be asked; `nonce` is new with each try."""

    reference: str
    nonce: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to the platform.

    kept_for: how long its answer holds (an access token) for whoever would send the very same
              request, headers and all
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    kept_for: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Trouble(StrEnum):
    """Why a platform gave no answer that counts; in words in payments/wording.py."""

    UNREACHABLE = "unreachable"
    BUSY = "busy"  # It says: later.
    KEY_REFUSED = "key_refused"
    UNREADABLE = "unreadable"
    NOT_FINAL = "not_final"


class CannotAnswer(Exception):
    """Raised by `Provider.ask` where the platform answered, but not the question."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(trouble, detail)
        self.trouble = trouble
        self.detail = detail


# What `ask` gives: it yields requests, is sent their answers, and returns the answer that counts
# in the form of a post whose method is ANSWER. `read` reads that one like any other.
Conversation = Generator[Outgoing, Answer, "Inbound"]
ANSWER: Final = "ANSWER"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b""
    content_type: str = "text/plain"


class MalformedPayload(ValueError):
    """A body that is not what the platform's documentation promises; its text as `kit.said` keeps
    it."""


@dataclass(frozen=True, slots=True)
class SettingField:
    """One public setting of an account, as the admin form asks for it.

    choices: (value, label) of each; the first one counts where nothing was chosen
    """

    name: str
    label: Any  # A lazy translation.
    help_text: Any = ""
    is_required: bool = False
    choices: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A platform: pure functions, and what the admin asks for to set an account up.

    secret_parts:  fields of a secret that is made of several; kept as one JSON object of text
    describe_secret: what kind of key it is, for staff, and never the key itself
    acknowledge_as: in place of `acknowledge`, where each account words its own reply
    methods:       of the requests that are taken; the others are refused before `verify`
    ask:           for platforms that only hint, or can be asked about a payment again
    tells_of_refunds: by itself; else staff are reminded of its settlement files
    """

    code: str
    label: Any
    secret_label: Any
    secret_help: Any
    verify: Callable[[Inbound, Keys, datetime], Verified | Rejected | Hint]
    read: Callable[[Inbound, Keys], list[Notice] | Ignored]
    acknowledge: Callable[[Outcome], Reply]
    check_secret: Callable[[str], None]  # Raises ValueError with a sentence for staff.
    settings: tuple[SettingField, ...] = ()
    make_secret: Callable[[], str] | None = None  # None: the platform makes its secrets itself.
    clue_kinds: Mapping[str, Any] = field(default_factory=dict)  # Kind of a Clue → its label.
    secret_parts: tuple[SettingField, ...] = ()
    describe_secret: Callable[[str], str] | None = None
    methods: tuple[str, ...] = ("POST",)
    ask: Callable[[Question, Keys], Conversation] | None = None
    acknowledge_as: Callable[[Outcome, Keys], Reply] | None = None
    tells_of_refunds: bool = True

    def reply(self, outcome: Outcome, keys: Keys) -> Reply:
        if self.acknowledge_as is not None:
            return self.acknowledge_as(outcome, keys)
        return self.acknowledge(outcome)


# What many platforms' modules do alike.

_Verdict = TypeVar("_Verdict", bound=Verified | Rejected | Hint)


def refused_if_unreadable(
    verify: Callable[[Inbound, Keys, datetime], _Verdict],
) -> Callable[[Inbound, Keys, datetime], _Verdict | Rejected]:
    """Decorates `verify`: a value that `kit.untrusted` refuses makes the post malformed."""

    @wraps(verify)
    def guarded(request: Inbound, keys: Keys, now: datetime) -> _Verdict | Rejected:
        try:
            return verify(request, keys, now)
        except Unreadable as problem:
            return Rejected(Reason.MALFORMED, problem.kept)

    return guarded


def malformed_if_unreadable(
    read: Callable[[Inbound, Keys], list[Notice] | Ignored],
) -> Callable[[Inbound, Keys], list[Notice] | Ignored]:
    """Decorates `read`: what `kit.untrusted` and `kit.money` refuse raises MalformedPayload."""

    @wraps(read)
    def guarded(request: Inbound, keys: Keys) -> list[Notice] | Ignored:
        try:
            return read(request, keys)
        except (Unreadable, MoneyError) as problem:
            raise MalformedPayload(problem.kept) from problem

    return guarded


def answering(taken: Reply, refused: Reply) -> Callable[[Outcome], Reply]:
    """An `acknowledge` that says of a resend what it said of the first post."""
    replies = {Outcome.ACCEPTED: taken, Outcome.DUPLICATE: taken, Outcome.REFUSED: refused}
    return replies.__getitem__


def age_problem(age: float, *, most: int = FRESH_SECONDS) -> Rejected | None:
    """What is wrong with a post signed `age` seconds ago, or by a clock ahead of ours."""
    if abs(age) <= most:
        return None
    return Rejected(Reason.TOO_OLD if age > 0 else Reason.TOO_NEW, f"{int(age)} s")


def addressee_problem(keys: Keys, setting: str, given: object) -> Rejected | None:
    """Refuses what was signed for another app or seller than the one that the account names."""
    wanted = keys.settings.get(setting, "").strip()
    return Rejected(Reason.OTHER_MERCHANT, setting) if wanted and given != wanted else None


def content_key(body: bytes) -> str:
    """A delivery key for a post that has nothing of its own to be known by."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


def clues_in(found: Mapping[str, str]) -> tuple[Clue, ...]:
    """The signs that are not blank, by their kinds."""
    return tuple(Clue(kind, value) for kind, value in found.items() if value)
