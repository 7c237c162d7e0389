"""What other systems are told of an event: ids, codes and amounts, nothing personal.

docs/guides/webhooks.md promises these names to receivers: add some, never rename or drop one.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from kit.money import Money, MoneyError
from members.models import Endpoint, Event

Details = Mapping[str, Any]
Telling = tuple[str, dict[str, Any]]
Type = Endpoint.Type

TEST: Final = "webhook.test"
_AMOUNTS: Final = frozenset({"amount", "discount"})


def telling(event: Event) -> Telling | None:
    """The type and content for receivers, without the member; None for what they do not hear."""
    found = _TELLINGS.get(event.kind)
    # The key of what a coupon's use led to is that of the use.
    return found({"use": event.key, **event.details}) if found else None


def _payment(details: Details) -> Telling | None:
    """Points that a payment, refund or dispute moved; of one without points nothing is told."""
    points = details.get("points") or 0
    if points == 0:
        return None
    names = ("points", "transaction", "payment_ref", "amount", "currency", "first_payment")
    kind = Type.POINTS_EARNED if points > 0 else Type.POINTS_REVERSED
    return kind, _picked(details, *names)


def _lapse(details: Details) -> Telling:
    return Type.POINTS_EXPIRED, {"points": -int(details.get("points") or 0)}


def _tier(details: Details) -> Telling:
    return Type.TIER_CHANGED, _picked(details, "before", "after", "cause")


def _merge(kind: Type) -> Callable[[Details], Telling]:
    """The survivor is the member who is told of; who was merged into them is named beside."""
    return lambda details: (
        kind,
        {"merged_member": details.get("member"), "merge": details.get("merge")},
    )


def _coupon(kind: Type, *names: str) -> Callable[[Details], Telling]:
    """`type` alone would read like the event's."""
    return lambda details: (
        kind,
        {"coupon_type": details.get("type"), **_picked(details, "coupon", *names)},
    )


def _copied(kind: Type, *names: str) -> Callable[[Details], Telling]:
    return lambda details: (kind, _picked(details, *names))


def _picked(details: Details, *names: str) -> dict[str, Any]:
    found = {name: details[name] for name in names if name in details}
    for name in _AMOUNTS & found.keys():
        found[name] = _in_places_of(str(details.get("currency")), found[name])
    return found


def _in_places_of(currency: str, figure: Any) -> Any:
    """`88.00`, not the `88.0000` of our column; what is no amount of money stays as it is."""
    try:
        return str(Money.parse(figure, currency).amount)
    except MoneyError:
        return figure


_TELLINGS: Final[dict[str, Callable[[Details], Telling | None]]] = {
    Event.Kind.JOINED: _copied(Type.MEMBER_JOINED),
    Event.Kind.PAID: _payment,
    Event.Kind.REFUNDED: _payment,
    Event.Kind.TIER_CHANGED: _tier,
    Event.Kind.POINTS_EXPIRED: _lapse,
    # The reason is free text, in which a name may stand.
    Event.Kind.POINTS_ADJUSTED: _copied(Type.POINTS_ADJUSTED, "points"),
    Event.Kind.COUPON_ISSUED: _coupon(Type.COUPON_ISSUED, "expires_at"),
    Event.Kind.COUPON_REDEEMED: _coupon(
        Type.COUPON_REDEEMED, "use", "store", "order_ref", "discount", "currency"
    ),
    Event.Kind.COUPON_RETURNED: _coupon(Type.COUPON_RETURNED, "use", "refund"),
    Event.Kind.CONSENT: _copied(Type.CONSENT_CHANGED, "channel", "purpose", "granted"),
    Event.Kind.LINKED: _copied(Type.PAYMENT_MATCHED, "transactions"),
    Event.Kind.MERGED: _merge(Type.MEMBER_MERGED),
    Event.Kind.UNMERGED: _merge(Type.MEMBER_UNMERGED),
}
