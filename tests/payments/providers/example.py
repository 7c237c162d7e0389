"""How tests play a payment platform: an account's keys, and genuine posts made with invented keys.

Each `test_<code>.py` beside this file ends its setting-up with `EXAMPLE = Example(...)`; hostile
inputs, books per platform and the kill test are run over all that are found.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from kit.money import Money
from payments.providers.base import Inbound, Keys

URL = "https://shop.example/callbacks/test/token/"


@dataclass(frozen=True, slots=True)
class Sale:
    """A payment as the platform's customer made it."""

    ref: str
    money: Money
    at: datetime
    member_code: str = ""
    order_ref: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """A refund, chargeback or reversal: `amount` of this one, `so_far` of all of its kind."""

    sale: Sale
    ref: str
    amount: Decimal
    so_far: Decimal
    at: datetime


@dataclass(frozen=True)
class Example:
    """keys: an account that takes these posts; the posts, None where the platform sends none.

    currencies:     two that the platform settles in, if it knows two
    signed_headers: the headers that its signature reads, for hostile tests
    form_is_loose:  its signature covers decoded form values, not bytes
    """

    code: str
    keys: Keys
    payment: Callable[[Sale], Inbound]
    refund: Callable[[Correction], Inbound] | None = None
    chargeback: Callable[[Correction], Inbound] | None = None
    reversal: Callable[[Correction], Inbound] | None = None
    currencies: tuple[str, ...] = ("HKD",)
    signed_headers: tuple[str, ...] = ()
    form_is_loose: bool = False
    more: dict[str, Any] = field(default_factory=dict)


@cache
def all_examples() -> dict[str, Example]:
    """Every platform that tests can play, by its code."""
    here = Path(__file__).parent
    names = sorted(path.stem for path in here.glob("test_*.py"))
    modules = [import_module(f"tests.payments.providers.{name}") for name in names]
    found = [getattr(module, "EXAMPLE", None) for module in modules]
    return {example.code: example for example in found if isinstance(example, Example)}
