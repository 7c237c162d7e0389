"""The story of tests/flows/scenario.py as many platforms tell it, each in its own protocol."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from kit.money import Money
from payments.providers import all_providers
from payments.providers.base import Inbound
from tests.payments.providers.example import Correction, Example, Sale, all_examples, url_of

_TOLD_AS: Final = {
    "refund.succeeded": "refund",
    "chargeback.created": "chargeback",
    "chargeback.reversed": "reversal",
}


@dataclass(frozen=True)
class Told:
    """One effect as a platform tells it: where, the post, and the model's words for it."""

    code: str
    post: Inbound
    payload: dict[str, Any]

    @property
    def path(self) -> str:
        return "/" + url_of(self.code).split("/", 3)[3]

    def signed(self, at: datetime) -> Inbound:
        resign = all_examples()[self.code].resign
        return resign(self.post, at) if resign else self.post


def tellers() -> list[Example]:
    """The platforms that say by themselves that money came, and whose it was."""
    return [example for example in all_examples().values() if _names_the_member(example)]


def currency_of(example: Example) -> str:
    return "HKD" if "HKD" in example.currencies else example.currencies[0]


def tell(story: Sequence[dict[str, Any]], *, seed: int, at: datetime) -> list[Told]:
    """Each payment by one platform, with those of its corrections that this platform tells of."""
    chance, examples = random.Random(seed), tellers()
    payments = {p["data"]["payment_ref"]: p["data"] for p in story if _is_payment(p)}
    by_ref = {ref: chance.choice(examples) for ref in sorted(payments)}
    refunded: dict[str, Decimal] = {}
    told = []
    for payload in story:
        ref = payload["data"]["payment_ref"]
        example = by_ref[ref]
        sale = _sale(payments[ref], currency_of(example), at=at)
        if _is_payment(payload):
            told.append(Told(example.code, example.payment(sale), payload))
        elif make := getattr(example, _TOLD_AS[payload["type"]]):
            post = make(_correction(payload, sale, refunded, at=at))
            told.append(Told(example.code, post, payload))
    return told


def _names_the_member(example: Example) -> bool:
    if example.answer is not None:
        return False
    at = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
    sale = Sale("p1", Money(Decimal(90), currency_of(example)), at, member_code="M1")
    read: Callable[..., Any] = all_providers()[example.code].read
    found = read(example.payment(sale), example.keys)
    return isinstance(found, list) and found[0].member_code == "M1"


def _is_payment(payload: dict[str, Any]) -> bool:
    return bool(payload["type"] == "payment.succeeded")


def _sale(data: dict[str, Any], currency: str, *, at: datetime) -> Sale:
    money = Money(Decimal(data["amount"]), currency)
    return Sale(data["payment_ref"], money, at, member_code=data["member"])


def _correction(
    payload: dict[str, Any], sale: Sale, refunded: dict[str, Decimal], *, at: datetime
) -> Correction:
    """Who gives totals gives one that grows in the order of the story, told in any order."""
    data = payload["data"]
    ref = data.get("refund_ref") or data["chargeback_ref"]
    amount = Decimal(data["amount"])
    so_far = amount
    if "refund_ref" in data:
        refunded[sale.ref] = so_far = refunded.get(sale.ref, Decimal(0)) + amount
    return Correction(sale=sale, ref=ref, amount=amount, so_far=so_far, at=at)
