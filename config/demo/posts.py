"""Deals in the form of their channel: signed posts as tills, Stripe and Alipay send them."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from config.demo.shopping import ALIPAY, STRIPE, TILL, Deal
from kit.money import Money
from kit.signatures import hmac_sha256
from payments.models import Account
from payments.providers import standard
from payments.providers.base import Inbound, Kind, Notice
from payments.services.accounts import forget_accounts, set_secrets

_NAMES: Final = {TILL: "POS", STRIPE: "Stripe", ALIPAY: "Alipay"}
_ALIPAY_SETTINGS: Final = {"app_id": "2021000000000001", "seller_id": "2088000000000001"}
_TYPES: Final = {
    Kind.PAYMENT: ("payment.succeeded", "paid_at", ""),
    Kind.REFUND: ("refund.succeeded", "occurred_at", "refund_ref"),
    Kind.CHARGEBACK: ("chargeback.created", "occurred_at", "chargeback_ref"),
    Kind.REVERSAL: ("chargeback.reversed", "occurred_at", "chargeback_ref"),
}


@dataclass(frozen=True, slots=True)
class Channels:
    """The accounts that money comes in by, and the keys of the other side."""

    accounts: Mapping[str, Account]
    till_secret: str
    stripe_secret: str
    alipay_key: rsa.RSAPrivateKey

    def post_of(self, deal: Deal) -> Inbound:
        """The deal as its channel would send it, signed at the moment of the deal."""
        makers = {TILL: self._till_post, STRIPE: self._stripe_post, ALIPAY: self._alipay_post}
        return makers[deal.channel](deal)

    def till_post(self, payload: Mapping[str, Any], *, message_id: str, at: datetime) -> Inbound:
        body = json.dumps(payload, ensure_ascii=False).encode()
        headers = standard.sign(body, secret=self.till_secret, message_id=message_id, at=at)
        return self._inbound(TILL, body, "application/json", headers)

    def _till_post(self, deal: Deal) -> Inbound:
        message_id = f"msg_{deal.kind}_{deal.effect_ref}"
        return self.till_post(payload_of(deal), message_id=message_id, at=deal.at)

    def _stripe_post(self, deal: Deal) -> Inbound:
        body = json.dumps(_stripe_event(deal)).encode()
        stamp = str(int(deal.at.timestamp()))
        signature = hmac_sha256(self.stripe_secret.encode(), stamp.encode(), body).hex()
        headers = {"stripe-signature": f"t={stamp},v1={signature}"}
        return self._inbound(STRIPE, body, "application/json", headers)

    def _alipay_post(self, deal: Deal) -> Inbound:
        form = _alipay_form(deal)
        content = "&".join(f"{name}={value}" for name, value in sorted(form.items()))
        signature = self.alipay_key.sign(content.encode(), PKCS1v15(), SHA256())
        signed = {**form, "sign": base64.b64encode(signature).decode(), "sign_type": "RSA2"}
        body = urlencode(signed).encode()
        return self._inbound(ALIPAY, body, "application/x-www-form-urlencoded", {})

    def _inbound(self, channel: str, body: bytes, kind: str, headers: dict[str, str]) -> Inbound:
        token = self.accounts[channel].token
        url = f"https://wuyin.example/callbacks/{channel}/{token}/"
        return Inbound("POST", url, {"content-type": kind, **headers}, body)


def open_channels(folder: Path) -> Channels:
    """Accounts with fresh keys. Alipay signs with a private key, which is kept in `folder`, so
    that more notices can be made by hand; the other secrets are the accounts' own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "alipay-private-key.pem"
    file.touch(mode=0o600)
    file.write_bytes(private)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    till = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    stripe = "whsec_" + secrets.token_hex(24)
    shared = {TILL: till, STRIPE: stripe, ALIPAY: public.decode()}
    accounts = {name: _open(name, secret) for name, secret in shared.items()}
    forget_accounts()
    return Channels(accounts, till_secret=till, stripe_secret=stripe, alipay_key=key)


def notice_of(deal: Deal) -> Notice:
    """The deal as a till's own books hold it."""
    return Notice(
        kind=deal.kind,
        payment_ref=deal.ref,
        effect_ref=deal.effect_ref,
        amount=Money.parse(deal.amount, deal.currency),
        occurred_at=deal.at,
        order_ref=deal.order_ref,
        member_code=deal.member_code,
        store_code=deal.store,
        method=deal.method,
        clues=deal.clues,
        lines=deal.lines,
    )


def payload_of(deal: Deal) -> dict[str, Any]:
    name, time_field, ref_field = _TYPES[deal.kind]
    amount = str(Money.parse(deal.amount, deal.currency).amount)
    fields = {
        "payment_ref": deal.ref,
        "amount": amount,
        "currency": deal.currency,
        time_field: deal.at.isoformat(),
        ref_field: deal.effect_ref,
        "order_ref": deal.order_ref,
        "member": deal.member_code,
        "store": deal.store,
        "method": deal.method,
        "customer": {clue.kind: clue.value for clue in deal.clues},
        "lines": [
            {"sku": line.sku, "quantity": str(line.quantity), "amount": str(line.amount)}
            for line in deal.lines
        ],
    }
    return {"type": name, "data": {key: value for key, value in fields.items() if key and value}}


def _open(provider: str, secret: str) -> Account:
    account = Account(provider=provider, name=_NAMES[provider])
    if provider == ALIPAY:
        account.settings = dict(_ALIPAY_SETTINGS)
    set_secrets(account, [secret])
    account.save()
    return account


def _stripe_event(deal: Deal) -> dict[str, Any]:
    makers = {
        Kind.PAYMENT: ("payment_intent.succeeded", _intent),
        Kind.REFUND: ("refund.created", _stripe_refund),
        Kind.CHARGEBACK: ("charge.dispute.funds_withdrawn", _dispute),
        Kind.REVERSAL: ("charge.dispute.funds_reinstated", _dispute),
    }
    name, make = makers[deal.kind]
    created = int(deal.at.timestamp())
    return {
        "id": f"evt_{deal.kind}_{deal.effect_ref}",
        "object": "event",
        "type": name,
        "created": created,
        "livemode": False,
        "data": {"object": {"created": created, **make(deal)}},
    }


def _minor(deal: Deal) -> int:
    return int(deal.amount * 100)


def _intent(deal: Deal) -> dict[str, Any]:
    signs = {clue.kind: clue.value for clue in deal.clues}
    card = {"fingerprint": signs.get("stripe_card"), "brand": "visa"}
    charge = {"id": f"ch_{deal.ref[3:]}", "payment_method_details": {"type": "card", "card": card}}
    tags = {"member_id": deal.member_code, "order_id": deal.order_ref, "store": deal.store}
    return {
        "id": deal.ref,
        "object": "payment_intent",
        "amount": _minor(deal),
        "amount_received": _minor(deal),
        "currency": deal.currency.lower(),
        "customer": signs.get("stripe_customer"),
        "latest_charge": charge,
        "metadata": {name: value for name, value in tags.items() if value},
        "payment_method_types": ["card"],
        "status": "succeeded",
    }


def _stripe_refund(deal: Deal) -> dict[str, Any]:
    return {
        **_of_charge(deal, "refund"),
        "balance_transaction": f"txn_{deal.effect_ref[3:]}",
        "status": "succeeded",
    }


def _dispute(deal: Deal) -> dict[str, Any]:
    return _of_charge(deal, "dispute")


def _of_charge(deal: Deal, kind: str) -> dict[str, Any]:
    return {
        "id": deal.effect_ref,
        "object": kind,
        "amount": _minor(deal),
        "currency": deal.currency.lower(),
        "charge": f"ch_{deal.ref[3:]}",
        "payment_intent": deal.ref,
    }


def _alipay_form(deal: Deal) -> dict[str, str]:
    at = deal.at.astimezone(ZoneInfo("Asia/Shanghai"))
    form = {
        **_ALIPAY_SETTINGS,
        "charset": "utf-8",
        "gmt_payment": f"{at:%Y-%m-%d %H:%M:%S}",
        "notify_id": f"{deal.kind}{deal.ref}",
        "notify_time": f"{at + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}",
        "notify_type": "trade_status_sync",
        "out_trade_no": f"A{deal.ref[-9:]}",
        "passback_params": urlencode({"member": deal.member_code, "store": deal.store}),
        "total_amount": str(deal.amount),
        "trade_no": deal.ref,
        "trade_status": "TRADE_SUCCESS",
        "trans_currency": deal.currency,
    }
    if deal.clues:
        form["buyer_id"] = deal.clues[0].value
    if deal.kind is Kind.REFUND:
        form |= {
            "gmt_refund": f"{at:%Y-%m-%d %H:%M:%S}.000",
            "out_biz_no": deal.effect_ref,
            "refund_fee": str(deal.amount),
        }
    return form
