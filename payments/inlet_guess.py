"""A first guess at what the fields of a sample mean, by their names. Staff look and decide."""

import re
from collections.abc import Iterable, Mapping, Sequence
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
_OF_LINES: Final = {
    "line_sku": (r"sku|(item|product|article)_?(id|no|code)", r"code|id|no"),
    "line_quantity": (r"(quantity|qty|count)",),
    "line_amount": (r"(line|item)?_?(total|amount|sum)",),
    "line_name": (r"name|title|description",),
}
_CLOCK: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?"
_TIMES: Final = {
    "iso": _CLOCK + r"(Z|[+-]\d\d:?\d\d)",
    "clock": _CLOCK,
    "seconds": r"\d{10}",
    "milliseconds": r"\d{13}",
}
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def guess(found: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Field of the recipe → pointer, for those that a name gives away; and how a time that was
    found is written, or it would be passed over for the moment of the post."""
    values = dict(found)
    named = [(pointer, _snake(pointer.rsplit("/", 1)[1])) for pointer in values]
    # What stands in a list belongs to its lines.
    guessed = _matching(_NAMES, [(p, name) for p, name in named if "/0/" not in p])
    written = str(values.get(guessed.get("time", ""), ""))
    for form, pattern in _TIMES.items():
        if re.fullmatch(pattern, written, re.ASCII):
            guessed["time_format"] = form
    return guessed


def guess_lines(pointer: str, names: Iterable[str]) -> dict[str, str]:
    """The same for the basket at `pointer`, whose lines have fields of these names."""
    guessed = _matching(_OF_LINES, [(name, _snake(name)) for name in names])
    if not {"line_sku", "line_amount"} <= guessed.keys():
        return {}
    return {"lines": pointer, **guessed}


def _matching(
    patterns_of: Mapping[str, tuple[str, ...]], named: Sequence[tuple[str, str]]
) -> dict[str, str]:
    guessed: dict[str, str] = {}
    for field, patterns in patterns_of.items():
        for pattern in patterns:
            match = next((given for given, name in named if re.fullmatch(pattern, name)), None)
            if match is not None:
                guessed.setdefault(field, match)
    return guessed


def _snake(name: str) -> str:
    return _CAMEL.sub("_", name).lower().replace("-", "_")
