"""From events to what campaigns judge: occasions, terms and facts, read for all at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from campaigns.models import Campaign
from campaigns.rules.deciding import Happening, Occasion, Silence, Terms, TierStep
from campaigns.rules.tickets import Correction, Ticket, kept_of
from campaigns.selectors import baskets_of, corrections_of, lowest_rank, payments_of
from kit.money import Money
from loyalty.conditions import Origin, payment_facts, standing_facts
from loyalty.models import Standing
from members.conditions import member_facts
from members.models import Event, Member, Programme
from members.persons import person_of
from payments.models import Rate, Transaction
from payments.selectors import brands_of
from payments.services.rates import rates_on


@dataclass(frozen=True, slots=True)
class Scene:
    """What judging needs besides the events themselves; read in a fixed number of queries."""

    programme: Programme
    zone: ZoneInfo
    payments: Mapping[UUID, Transaction]
    baskets: Mapping[UUID, frozenset[str]]
    brands: Mapping[UUID, frozenset[str]]
    corrections: Mapping[str, list[Correction]]
    rates: Mapping[tuple[str, date], Rate]
    lowest_rank: int

    def day_of(self, event: Event) -> date:
        return event.occurred_at.astimezone(self.zone).date()


def read_scene(events: Sequence[Event], campaigns: Iterable[Campaign]) -> Scene:
    programme = Programme.current()
    zone = ZoneInfo(programme.zone)
    paid = [event for event in events if event.kind == Event.Kind.PAID]
    foreign = {campaign.currency for campaign in campaigns} - {"", programme.currency}
    paid_ids = [event.details["transaction"] for event in paid]
    days = {event.occurred_at.astimezone(zone).date() for event in paid}
    return Scene(
        programme=programme,
        zone=zone,
        payments=payments_of(paid_ids) if paid else {},
        baskets=baskets_of(paid_ids) if paid else {},
        brands=brands_of(map(UUID, paid_ids)) if paid else {},
        corrections=corrections_of(paid_ids) if paid else {},
        rates=rates_on((currency, day) for currency in foreign for day in days),
        lowest_rank=lowest_rank(),
    )


def occasion_of(event: Event, scene: Scene) -> Occasion:
    return Occasion(
        occurred_at=_happened_at(event),
        may_message=event.details.get("may_message", True),
        happening=happening_of(event, scene),
    )


def _happened_at(event: Event) -> datetime:
    """A tier that last year's payment reached today is last year's news."""
    paid_at = event.details.get("paid_at")
    return datetime.fromisoformat(paid_at) if paid_at else event.occurred_at


def happening_of(event: Event, scene: Scene) -> Happening:
    return _HAPPENINGS[event.kind](event, scene)


def occurrence_of(event: Event) -> str:
    """What a campaign says yes to only once."""
    if event.kind == Event.Kind.PAID:
        return str(event.details["transaction"])
    if event.kind == Event.Kind.SILENT:
        return str(event.details["last_paid_at"])
    return f"{event.details['after']}:{event.pk}"


def terms_of(campaign: Campaign, event: Event, scene: Scene) -> Terms:
    if campaign.started_at is None:
        raise ValueError(f"Campaign {campaign.pk} runs but was never started.")
    threshold = _threshold(campaign)
    return Terms(
        started_at=campaign.started_at,
        freshness=timedelta(hours=campaign.freshness_hours),
        tier=campaign.tier.code if campaign.tier else None,
        threshold=threshold,
        reporting_threshold=threshold and _in_reporting(threshold, scene.day_of(event), scene),
    )


def facts_of(event: Event, scene: Scene) -> Mapping[str, Any]:
    """The facts of the fields that `campaigns.conditions` offers for the event's trigger."""
    member = person_of(event.member)
    standing = standing_of_loaded(member)
    facts = {
        **member_facts(member),
        **standing_facts(standing, currency=scene.programme.currency),
    }
    if event.kind == Event.Kind.PAID:
        facts |= _facts_of_payment(event, scene)
    return facts


def standing_of_loaded(member: Member) -> Standing | None:
    """The standing that was selected along with the member; no query."""
    standing: Standing | None = getattr(member, "standing", None)
    return standing


def payment_of(event: Event, scene: Scene) -> Transaction | None:
    """The payment that the event is about, if it is about one."""
    if event.kind != Event.Kind.PAID:
        return None
    return scene.payments[UUID(event.details["transaction"])]


def _facts_of_payment(event: Event, scene: Scene) -> Mapping[str, Any]:
    payment = scene.payments[UUID(event.details["transaction"])]
    zone = ZoneInfo(payment.store.region.zone) if payment.store else scene.zone
    return payment_facts(
        payment.money,
        shop_time=event.occurred_at.astimezone(zone),
        store=payment.store,
        method=payment.method,
        is_first_payment=bool(event.details["first_payment"]),
        categories=scene.baskets.get(payment.pk, ()),
        brands=scene.brands.get(payment.pk, frozenset()),
        origin=Origin(person_of(event.member).region.country_code, payment.payer_country),
    )


def _threshold(campaign: Campaign) -> Money | None:
    if campaign.amount is None:
        return None
    return Money(campaign.amount, campaign.currency)


def _in_reporting(threshold: Money, day: date, scene: Scene) -> Money | None:
    """The amount in the programme's currency at the rate of the payment's day, if there is one."""
    if threshold.currency == scene.programme.currency:
        return threshold
    rate = scene.rates.get((threshold.currency, day))
    return threshold.convert(rate.rate, scene.programme.currency) if rate else None


def _ticket(event: Event, scene: Scene) -> Ticket:
    paid = Money.parse(event.details["amount"], event.details["currency"])
    corrections = scene.corrections.get(event.details["transaction"], [])
    reporting = Decimal(event.details["reporting_amount"])
    return Ticket(
        paid=paid,
        kept=kept_of(paid, corrections),
        reporting=Money(reporting, scene.programme.currency),
    )


def _tier_step(event: Event, scene: Scene) -> TierStep:
    return TierStep(
        after=event.details["after"],
        rank_before=event.details["rank_before"],
        rank_after=event.details["rank_after"],
        lowest_rank=scene.lowest_rank,
    )


def _silence(event: Event, _scene: Scene) -> Silence:
    standing = standing_of_loaded(person_of(event.member))
    return Silence(
        last_paid_at=datetime.fromisoformat(event.details["last_paid_at"]),
        last_paid_now=standing.last_paid_at if standing else None,
    )


_HAPPENINGS: Final[Mapping[str, Callable[[Event, Scene], Happening]]] = {
    Event.Kind.PAID.value: _ticket,
    Event.Kind.TIER_CHANGED.value: _tier_step,
    Event.Kind.SILENT.value: _silence,
}
