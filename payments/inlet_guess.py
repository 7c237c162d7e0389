"""A first guess at what the fields of a sample mean, by their names. Staff look and decide."""

import re
from collections.abc import Iterable
from typing import Any, Final

# Field of the recipe → patterns of the names that it often has, the surest first.
_NAMES: Final = {
    "delivery": (r"(event|delivery|message|notify)_?(id|no)",),
    "reference": (
        r"(payment|transaction|trade|txn|charge|bill|receipt)_?(id|no|number|ref|reference)",
        r"reference|ref",
        r"no|id",
    ),
    "amount": (r"(total|paid|payment|grand)_?(amount|total|fee)", r"amount|total", r"sum|value"),
    "currency": (r"(currency|ccy)(_?code)?",),
    "time": (
        r"(paid|payment|closed|created|trade|transaction)_?(at|time|date)",
        r"time|timestamp|date",
    ),
    "status": (r"(trade|payment|order)?_?(status|state)", r"event_?type|event|type"),
    "refund_reference": (r"refund_?(id|no|number|ref|reference)",),
    "refund_amount": (r"refund_?(amount|sum|fee|total)",),
    "order": (r"(out_?trade|merchant_?order|order)_?(id|no|number|ref)",),
    "member": (r"member_?(id|no|number|code)?", r"card|loyalty_?(id|card|no)"),
    "payer": (r"(customer|payer|buyer)?_?(phone|mobile)", r"(customer|payer|buyer)?_?email"),
    "store": (r"(store|shop|branch|outlet)_?(id|code|no)?",),
    "method": (r"(pay|payment)_?(type|method)", r"method|wallet"),
}
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def guess(found: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Field of the recipe → pointer, for those that a name gives away."""
    named = [(pointer, _snake(pointer.rsplit("/", 1)[1])) for pointer, _value in found]
    guessed: dict[str, str] = {}
    for field, patterns in _NAMES.items():
        for pattern in patterns:
            match = next((p for p, name in named if re.fullmatch(pattern, name)), None)
            if match is not None:
                guessed.setdefault(field, match)
    return guessed


def _snake(name: str) -> str:
    return _CAMEL.sub("_", name).lower().replace("-", "_")
