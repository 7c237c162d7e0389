"""Facts of a payment as JSON and back, so that a refund years later judges by the same facts."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kit.money import Money


def freeze(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _freeze(value) for name, value in facts.items()}


def thaw(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _thaw(value) for name, value in stored.items()}


def _freeze(value: Any) -> Any:
    match value:
        case Money():
            return {"money": [str(value.amount), value.currency]}
        case datetime():
            return {"at": value.isoformat()}
        case date():
            return {"on": value.isoformat()}
        case Decimal():
            return {"decimal": str(value)}
        case frozenset() | set():
            return {"set": sorted(value)}
        case _:
            return value


def _thaw(value: Any) -> Any:
    match value:
        case {"money": [amount, currency]}:
            return Money(Decimal(amount), currency)
        case {"at": text}:
            return datetime.fromisoformat(text)
        case {"on": text}:
            return date.fromisoformat(text)
        case {"decimal": text}:
            return Decimal(text)
        case {"set": values}:
            return frozenset(values)
        case _:
            return value
