"""A first guess at what the fields of a sample mean, by their names and by where they stand. Staff
look and decide."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_NUMBER: Final = r"_?(id|uuid|no|num|number|ref|reference)"
_OWN: Final = r"payment|payment_?intent|pay|transaction|txn|trx|trans?|trade|charge|capture|psp"
_PAYMENT: Final = (rf"({_OWN}){_NUMBER}|payment_?intent",)
_REFERENCE: Final = (
    rf"(bill|receipt|sale|invoice|ticket|check|slip){_NUMBER}",
    r"reference|ref|reference_?(id|no|number)",
)
_ORDER: Final = (
    rf"((out|merchant)_?trade|(merchant_?|shop_?)?order){_NUMBER}|order",
    r"(merchant|client|external)_?(ref|reference)",
)
_AMOUNT: Final = (
    r"(total|paid|pay|payment|trade|grand)_?(amount|amt|total|fee|sum)|amount_?paid",
    r"amount|amt|total|(amount|total|money)_?(value|total|amount)",
    r"sum|value|price",
)
# Field of the recipe → patterns of the names that it often has, the surest first. A field goes by
# its own name and, as in `payment › id`, by that behind the name of what it belongs to.
_NAMES: Final = {
    "delivery": (rf"(event|delivery|message|msg|notify|notification|webhook){_NUMBER}",),
    "currency": (r"(currency|ccy)(_?code)?", r"\w+_(currency|ccy)(_?code)?"),
    "time": (
        rf"({_OWN}|paid|closed|completed|captured|created|success)_?(at|on|time|date)",
        r"created|time|timestamp|date",
    ),
    "status": (r"(trade|payment|order|transaction)?_?(status|state)", r"event_?type|event|type"),
    "refund_reference": (rf"refund{_NUMBER}",),
    "refund_amount": (r"refund_?(amount|amt|sum|fee|total)",),
    "order": _ORDER,
    "member": (r"member_?(id|no|number|code)?", r"card|loyalty_?(id|card|no|number)"),
    "payer": (r"(customer|payer|buyer)?_?(phone|mobile)", r"(customer|payer|buyer)?_?email"),
    "store": (r"(store|shop|branch|outlet)_?(id|code|no)?",),
    "method": (r"(pay|payment)_?(type|method|method_?type)", r"method|wallet"),
}
_OF_PAYMENTS: Final = frozenset({"currency", "time", "status"})
_OF_LINES: Final = {
    "line_sku": (r"sku|(item|product|article)_?(id|no|code)", r"code|id|no"),
    "line_quantity": (r"(quantity|qty|count)",),
    "line_amount": (r"(line|item)?_?(total|amount|sum)",),
    "line_name": (r"name|title|description",),
}
# What a post is wrapped in says nothing of what is inside.
_WRAPPER: Final = re.compile(
    r"data|object|resource|payload|content|body|results?|response|details?|info|attributes|params"
)
_MONEY: Final = re.compile(r"(\w+_)?(amount|money|total|totals|price)")
# These have amounts, times and numbers of their own.
_ASIDE: Final = re.compile(
    r"refunds?|fees?|tax|taxes|tip|discount|shipping|address|card|device|terminal|cashier|user"
    r"|customer|payer|buyer|member|merchant|seller|store|shop|branch|outlet"
)
_BARE: Final = frozenset({"id", "uuid", "no", "number"})
_SAYS_LITTLE: Final = _BARE | {"type", "ref", "reference"}
_OF_EVENT: Final = re.compile(
    r"(evt|event|msg|message|ntf|notif|notification|wh|whevt|hook|webhook|dlv|delivery)[_-].*",
    re.IGNORECASE,
)
_EVENT_TYPE: Final = re.compile(r"event|event_?type|type|topic")
_CLOCK: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?"
_TIMES: Final = {
    "iso": _CLOCK + r"(Z|[+-]\d\d:?\d\d)",
    "clock": _CLOCK,
    "seconds": r"\d{10}",
    "milliseconds": r"\d{13}",
}
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_STEPS: Final = re.compile(r"[/.\[\]]+")


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A value of the sample: what it stands in, from the outside, and what it is called."""

    pointer: str
    path: tuple[str, ...]
    name: str
    value: str

    @property
    def owner(self) -> str:
        return next((name for name in reversed(self.path) if not _WRAPPER.fullmatch(name)), "")

    @property
    def names(self) -> tuple[str, ...]:
        if not self.owner:
            return (self.name,)
        full = f"{self.owner}_{self.name}"
        return (full,) if self.name in _SAYS_LITTLE else (full, self.name)

    @property
    def is_aside(self) -> bool:
        return any(map(_ASIDE.fullmatch, self.path))

    @property
    def is_bare_number(self) -> bool:
        return self.name in _BARE and not self.owner


def guess(found: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Field of the recipe → pointer, for those that a name gives away; and how a time that was
    found is written, or it would be passed over for the moment of the post."""
    # What stands in a list belongs to its lines.
    leaves = [_leaf(pointer, value) for pointer, value in found if "/0/" not in pointer]
    main = [leaf for leaf in leaves if not leaf.is_aside]
    amount = _first(main, _AMOUNT)
    home = _home(amount)
    near = sorted(main, key=lambda leaf: leaf.path[: len(home)] != home)
    picked = {"amount": amount}
    for field, patterns in _NAMES.items():
        picked[field] = _first(near if field in _OF_PAYMENTS else leaves, patterns)
    of_events = [leaf for leaf in main if _is_of_event(leaf, main, home)]
    picked["delivery"] = picked["delivery"] or next(iter(of_events), None)
    own = [leaf for leaf in near if leaf not in of_events]
    picked["reference"] = _reference(own, home) or picked["order"] or _first_bare(own)
    guessed = {field: leaf.pointer for field, leaf in picked.items() if leaf is not None}
    return guessed | _manners(picked)


def guess_lines(pointer: str, names: Iterable[str]) -> dict[str, str]:
    """The same for the basket at `pointer`, whose lines have fields of these names."""
    leaves = [_Leaf(name, (), _snake(name), "") for name in names]
    found = {field: _first(leaves, patterns) for field, patterns in _OF_LINES.items()}
    guessed = {field: leaf.pointer for field, leaf in found.items() if leaf is not None}
    if not {"line_sku", "line_amount"} <= guessed.keys():
        return {}
    return {"lines": pointer, **guessed}


def _reference(own: Sequence[_Leaf], home: tuple[str, ...]) -> _Leaf | None:
    """The payment's own number: by its name, or the one beside the amount or around it. The number
    outside of everything is rather that of the event, where the amount stands further inside."""
    around = [
        leaf
        for leaf in own
        if leaf.is_bare_number and leaf.path == home[: len(leaf.path)] and (leaf.path or not home)
    ]
    nearest = max(around, key=lambda leaf: len(leaf.path), default=None)
    return _first(own, _PAYMENT) or nearest or _first(own, _REFERENCE)


def _first_bare(own: Sequence[_Leaf]) -> _Leaf | None:
    return next((leaf for leaf in own if leaf.is_bare_number), None)


def _is_of_event(leaf: _Leaf, others: Sequence[_Leaf], home: tuple[str, ...]) -> bool:
    """Whether a bare number is that of the event that tells of the payment."""
    if not leaf.is_bare_number:
        return False
    has_event_type = any(
        _EVENT_TYPE.fullmatch(other.name) and "." in other.value
        for other in others
        if other.path == leaf.path
    )
    is_envelope = not leaf.path and bool(home) and _WRAPPER.fullmatch(home[0]) is not None
    return bool(_OF_EVENT.fullmatch(leaf.value)) or has_event_type or is_envelope


def _manners(picked: Mapping[str, _Leaf | None]) -> dict[str, str]:
    """How what was found is written, where that is not the usual way."""
    manners: dict[str, str] = {}
    time, payer = picked["time"], picked["payer"]
    for form, pattern in _TIMES.items():
        if time is not None and re.fullmatch(pattern, time.value, re.ASCII):
            manners["time_format"] = form
    if payer is not None and "email" in payer.name:
        manners["payer_kind"] = "email"
    return manners


def _home(amount: _Leaf | None) -> tuple[str, ...]:
    """What the amount stands in, beside its own currency: `data` of `data › amount › value`."""
    path = amount.path if amount is not None else ()
    while path and _MONEY.fullmatch(path[-1]):
        path = path[:-1]
    return path


def _first(leaves: Sequence[_Leaf], patterns: Iterable[str]) -> _Leaf | None:
    for pattern in patterns:
        for leaf in leaves:
            if any(re.fullmatch(pattern, name) for name in leaf.names):
                return leaf
    return None


def _leaf(pointer: str, value: Any) -> _Leaf:
    """Some forms write `payment[id]` or `payment.id`."""
    steps = [_snake(step) for step in _STEPS.split(pointer.replace("~1", "/")) if step]
    return _Leaf(pointer, tuple(steps[:-1]), steps[-1] if steps else "", str(value))


def _snake(name: str) -> str:
    return _CAMEL.sub("_", name).lower().replace("-", "_")
