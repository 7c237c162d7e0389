"""WeChat Pay, API v3: the mainland's and the global one for Hong Kong and overseas, which sign and
encrypt alike.

Sources: pay.weixin.qq.com/doc/v3 (signature check of callbacks; decryption of callbacks; payment
and refund notices; the global edition's chapters on the same).

Two secrets of different nature, each recognised by its shape. One of WeChat Pay's public keys, or
its older platform certificate, says who sent a notice; `Wechatpay-Serial` names which. The APIv3
key of 32 characters opens it. The signature alone is not enough: WeChat Pay signs for every
merchant, and any of them may name our URL as theirs, but only ours has our APIv3 key. An account
that has none yet keeps what is signed well; it can be read once the key is there.

Only success is told of a payment, and each refund is told by itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.said import said
from kit.signatures import (
    FRESH_SECONDS,
    UnusableSecret,
    decoded_base64,
    is_rsa_sha256,
    rsa_public_key,
    seconds_old,
)
from kit.untrusted import Fields, Unreadable, json_object, positive
from payments.passback import read_passback
from payments.points_base import PAID, part_that_earns, points_base_of, points_base_setting
from payments.providers.base import (
    Clue,
    Ignored,
    Inbound,
    Keys,
    Kind,
    Notice,
    Provider,
    Reason,
    Rejected,
    Reply,
    SettingField,
    Verified,
    age_problem,
    answering,
    content_key,
    malformed_if_unreadable,
    refused_if_unreadable,
)

_SIGNATURE_TYPE: Final = "WECHATPAY2-SHA256-RSA2048"
_PROBE: Final = "WECHATPAY/SIGNTEST/"
_KEY_ID: Final = "PUB_KEY_ID_"
_SERIAL: Final = re.compile(r"[0-9A-Za-z_]{1,80}", re.ASCII)
_NONCE: Final = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_API_KEY: Final = re.compile(r"[0-9A-Za-z]{32}", re.ASCII)
_MERCHANT_NUMBER: Final = re.compile(r"[0-9]{8,12}", re.ASCII)

_MOVES_NO_MONEY: Final = {
    "REFUND.ABNORMAL": "refund_failed",
    "REFUND.CLOSED": "refund_failed",
}


@dataclass(frozen=True, slots=True)
class _PlatformKey:
    """`serials`: how the platform may name it; none for a public key pasted without its id."""

    key: RSAPublicKey
    serials: frozenset[str]

    def is_named(self, serial: str) -> bool:
        return serial in self.serials or (not self.serials and serial.startswith(_KEY_ID))


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, now: datetime) -> Verified | Rejected:
    """Whether WeChat Pay signed exactly these bytes for this merchant, less than 300 s ago."""
    problem = _signature_problem(request, keys, now)
    if problem is not None:
        return problem
    event = Fields(json_object(request.body))
    problem = _addressee_problem(event, keys)
    return problem or Verified(delivery_key=_delivery_key(event, request.body))


@malformed_if_unreadable
def read(request: Inbound, keys: Keys) -> list[Notice] | Ignored:
    """The payment or refund inside; raises MalformedPayload, also where no key opens it."""
    event = Fields(json_object(request.body))
    name = event.text("event_type")
    if name not in ("TRANSACTION.SUCCESS", "REFUND.SUCCESS"):
        return Ignored(_MOVES_NO_MONEY.get(name, "unused_event"))
    inner = _inner(event, keys)
    if name == "REFUND.SUCCESS":
        return _refund(inner)
    return _payment(inner, counts_paid=points_base_of(keys) == PAID)


# An empty 200 stops WeChat Pay from sending again; a refusal says FAIL in JSON.
acknowledge: Final = answering(
    Reply(200),
    Reply(
        401,
        b'{"code":"FAIL","message":"The signature was not accepted."}',
        "application/json",
    ),
)


def check_secret(secret: str) -> None:
    """Raises UnusableSecret unless it is an APIv3 key, a public key or a platform certificate."""
    text = secret.strip()
    if "PRIVATE KEY" in text:
        raise UnusableSecret(
            _(
                "This is a private key, which must never leave your own server. Paste WeChat "
                "Pay's public key or platform certificate, or the APIv3 key."
            )
        )
    if _is_of_merchant(text):
        raise UnusableSecret(
            _(
                "This is your own merchant certificate (apiclient_cert.pem). Paste the platform "
                "certificate or the public key of WeChat Pay."
            )
        )
    if _API_KEY.fullmatch(text) or _platform_key(text) is not None:
        return
    if "BEGIN" not in text and not text.startswith(_KEY_ID):
        raise UnusableSecret(
            gettext(
                "This is neither a key in PEM form nor an APIv3 key, which has exactly 32 "
                "letters and digits. Yours has %(count)d characters."
            )
            % {"count": len(text)}
        )
    raise UnusableSecret(
        _(
            "This key is damaged or too short. Paste the whole file of WeChat Pay's public key "
            "or platform certificate, from its BEGIN line to its END line."
        )
    )


def describe_secret(secret: str) -> str:
    """What the secret is for, and the name that WeChat Pay has for it."""
    found = _platform_key(secret.strip())
    if found is None:
        return gettext("APIv3 key")
    serial = min(found.serials, default="")
    if not serial:
        return gettext("public key")
    kind = gettext("public key") if serial.startswith(_KEY_ID) else gettext("platform certificate")
    return f"{kind} {serial}"


def _signature_problem(request: Inbound, keys: Keys, now: datetime) -> Rejected | None:
    signature, stamp, nonce, serial = (
        request.headers.get(f"wechatpay-{name}", "")
        for name in ("signature", "timestamp", "nonce", "serial")
    )
    if not (signature and stamp and nonce and serial):
        return Rejected(Reason.MISSING_SIGNATURE)
    if request.headers.get("wechatpay-signature-type", _SIGNATURE_TYPE) != _SIGNATURE_TYPE:
        return Rejected(Reason.WEAK_SIGNATURE, "Wechatpay-Signature-Type")
    if signature.startswith(_PROBE):
        # WeChat Pay tests now and then whether a merchant checks signatures at all.
        return Rejected(Reason.BAD_SIGNATURE, said("WeChat Pay's own test, to be refused."))
    age = seconds_old(stamp, now)
    if age is None or not _NONCE.fullmatch(nonce):
        return Rejected(Reason.MALFORMED, "Wechatpay-Timestamp, Wechatpay-Nonce")
    content = b"\n".join((stamp.encode(), nonce.encode(), request.body, b""))
    problem = _key_problem(signature, content, serial, keys)
    return problem or age_problem(age, most=FRESH_SECONDS - 1)


def _key_problem(signature: str, content: bytes, serial: str, keys: Keys) -> Rejected | None:
    found = [key for key in map(_platform_key, keys.secrets) if key is not None]
    if not found:
        return Rejected(Reason.NO_SECRET, said("A public key or platform certificate is missing."))
    named = [key.key for key in found if key.is_named(serial)]
    if not named:
        shown = serial if _SERIAL.fullmatch(serial) else "?"
        words = said("The account has no key with the serial %(serial)s.", serial=shown)
        return Rejected(Reason.BAD_SIGNATURE, words)
    decoded = decoded_base64(signature)
    if decoded is not None and any(is_rsa_sha256(decoded, content, key) for key in named):
        return None
    return Rejected(Reason.BAD_SIGNATURE)


def _addressee_problem(event: Fields, keys: Keys) -> Rejected | None:
    """Whether it is for somebody else: closed to our keys, or for another merchant number."""
    if not any(_api_keys(keys)):
        return None
    plain = _opened(event.inner("resource"), keys)
    if plain is None:
        words = said(
            "None of the account's APIv3 keys opens it: it is another merchant's, or the key "
            "was changed."
        )
        return Rejected(Reason.OTHER_MERCHANT, words)
    wanted = keys.settings.get("mchid", "").strip()
    if wanted and not _is_for(plain, wanted):
        return Rejected(Reason.OTHER_MERCHANT, "mchid")
    return None


def _is_for(plain: bytes, wanted: str) -> bool:
    """In a service provider's notice either of the two merchants may be the one."""
    try:
        inner = json_object(plain)
    except Unreadable:
        return False
    return wanted in (inner.get(name) for name in ("mchid", "sp_mchid", "sub_mchid"))


def _delivery_key(event: Fields, body: bytes) -> str:
    if event.has("id"):
        return event.text("id")
    return content_key(body)


def _api_keys(keys: Keys) -> Iterator[bytes]:
    return (text.encode() for text in map(str.strip, keys.secrets) if _API_KEY.fullmatch(text))


def _opened(resource: Fields, keys: Keys) -> bytes | None:
    """The bytes inside, None if no APIv3 key opens them: several are tried while one changes."""
    if resource.values.get("algorithm") != "AEAD_AES_256_GCM":
        raise Unreadable("resource.algorithm is not AEAD_AES_256_GCM.")
    ciphertext = decoded_base64(_exact(resource, "ciphertext"))
    if ciphertext is None:
        raise Unreadable("%(field)s is not base64.", field="resource.ciphertext")
    nonce, extra = _exact(resource, "nonce").encode(), _exact(resource, "associated_data").encode()
    if len(nonce) != 12:
        raise Unreadable("%(field)s is not 12 bytes.", field="resource.nonce")
    for key in _api_keys(keys):
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, extra)
        except InvalidTag:
            continue
    return None


def _inner(event: Fields, keys: Keys) -> Fields:
    plain = _opened(event.inner("resource"), keys)
    if plain is None:
        raise Unreadable("None of the account's APIv3 keys opens it. Add the right one.")
    return Fields(json_object(plain))


def _exact(resource: Fields, name: str) -> str:
    """The text as it is, for each of its bytes counts; blank if there is none."""
    value: Any = resource.values.get(name)
    value = "" if value is None else value
    if not isinstance(value, str) or not value.isascii():
        raise Unreadable("%(field)s is not plain text.", field=resource.path + name)
    return value


def _payment(paid: Fields, *, counts_paid: bool) -> list[Notice] | Ignored:
    if paid.has("trade_state") and paid.text("trade_state") != "SUCCESS":
        return Ignored("not_paid_yet")
    # The global edition calls the platform's number of a payment `id`.
    ref = paid.text("transaction_id" if paid.has("transaction_id") else "id")
    passed = read_passback(paid.hint("attach", longest=1024))
    return [
        Notice(
            kind=Kind.PAYMENT,
            payment_ref=ref,
            effect_ref=ref,
            amount=_amount(paid, "total"),
            occurred_at=paid.instant("success_time"),
            order_ref=paid.hint("out_trade_no"),
            member_code=passed.get("member", ""),
            store_code=passed.get("store", "")
            or paid.inner("scene_info").hint("device_id", longest=20),
            method="wechatpayhk" if _wallet_currency(paid) == "HKD" else "wechatpay",
            clues=tuple(_clues(paid)),
            earns=_without_vouchers(paid) if counts_paid else None,
        )
    ]


def _refund(refund: Fields) -> list[Notice] | Ignored:
    status = "refund_status" if refund.has("refund_status") else "status"
    if refund.has(status) and refund.text(status) != "SUCCESS":
        return Ignored("refund_failed")
    return [
        Notice(
            kind=Kind.REFUND,
            payment_ref=refund.text("transaction_id"),
            effect_ref=refund.text("refund_id" if refund.has("refund_id") else "id"),
            amount=_amount(refund, "refund"),
            occurred_at=refund.instant("success_time"),
            order_ref=refund.hint("out_trade_no"),
            method="wechatpay",
        )
    ]


def _amount(fields: Fields, name: str) -> Money:
    """Whole minor units by ISO 4217; refunds on the mainland name no currency, for it is yuan."""
    amount = fields.inner("amount")
    currency = amount.text_or_blank("currency", longest=3) or "CNY"
    return positive(Money.from_minor(amount.whole_number(name), currency), f"amount.{name}")


def _wallet_currency(paid: Fields) -> str:
    """Of the payer's wallet, which is one of the mainland or one of Hong Kong."""
    return paid.inner("amount").hint("payer_currency", longest=3)


def _without_vouchers(paid: Fields) -> Money | None:
    """What the payer paid, if it is told, and not in the currency of their own wallet."""
    whole, amount = _amount(paid, "total"), paid.inner("amount")
    currency = _wallet_currency(paid) or whole.currency
    if not amount.has("payer_total") or currency != whole.currency:
        return None
    return part_that_earns(Money.from_minor(amount.whole_number("payer_total"), currency), whole)


def _clues(paid: Fields) -> Iterator[Clue]:
    """An openid names a person to one app only; a service provider's notice has one for each."""
    payer = paid.inner("payer")
    for prefix in ("", "sp_", "sub_"):
        app, openid = paid.hint(f"{prefix}appid"), payer.hint(f"{prefix}openid")
        if app and openid:
            yield Clue("wechat_openid", f"{app}:{openid}")


@lru_cache(maxsize=256)
def _platform_key(secret: str) -> _PlatformKey | None:
    """A platform certificate or public key; a line above it may say how the platform names it."""
    first, _newline, rest = secret.strip().partition("\n")
    name = first.strip()
    if _SERIAL.fullmatch(name) and (name.startswith(_KEY_ID) or "BEGIN" in rest):
        key = rsa_public_key(rest)
        return _PlatformKey(key, frozenset({name})) if key else None
    key = rsa_public_key(secret)
    if key is None:
        return None
    if "BEGIN CERTIFICATE" not in secret:
        return _PlatformKey(key, frozenset())
    number = load_pem_x509_certificate(secret.strip().encode()).serial_number
    whole_bytes = f"{number:0{(number.bit_length() + 7) // 8 * 2}X}"
    return _PlatformKey(key, frozenset({whole_bytes, f"{number:X}"}))


def _is_of_merchant(text: str) -> bool:
    """Whether it is a certificate made out to a merchant number, easily taken for the other."""
    if "BEGIN CERTIFICATE" not in text:
        return False
    try:
        subject = load_pem_x509_certificate(text.strip().encode()).subject
    except ValueError:
        return False
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return any(_MERCHANT_NUMBER.fullmatch(str(name.value)) for name in names)


PROVIDER = Provider(
    code="wechatpay",
    label=_("WeChat Pay"),
    secret_label=_("WeChat Pay public key, platform certificate, or APIv3 key"),
    secret_help=_(
        "Two are needed, one after the other: WeChat Pay's public key (with its PUB_KEY_ID_… on "
        "the line above it) or platform certificate, and the APIv3 key of 32 characters. While "
        "WeChat Pay changes from one to the next, keep both."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    check_secret=check_secret,
    describe_secret=describe_secret,
    clue_kinds={"wechat_openid": _("WeChat openid")},
    settings=(
        SettingField("mchid", _("Merchant number"), _("Notices for other merchants are refused.")),
        points_base_setting(PAID),
    ),
)
