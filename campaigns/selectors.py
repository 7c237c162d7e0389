"""Reading about campaigns: what is due, what runs, who is silent."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from uuid import UUID

from django.db.models import (
    Exists,
    F,
    Func,
    Min,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Concat

from campaigns.conditions import registry_for
from campaigns.models import Campaign, Decision, Message, Reaction
from campaigns.rules.reasons import Withheld
from campaigns.rules.tickets import Correction
from kit.conditions import ConditionError, Group, parse, to_q
from kit.work import IS_DUE
from loyalty.models import Standing, Tier
from loyalty.refusals import IssueReason
from members.identity_kinds import EMAIL
from members.models import Consent, Event, Identity, Member
from payments.models import AmountConflict, Line, Transaction
from payments.selectors import category_tree

# Which campaigns look at which events.
TRIGGERS: Final = {
    Event.Kind.PAID.value: Campaign.Trigger.LARGE_TICKET,
    Event.Kind.TIER_CHANGED.value: Campaign.Trigger.TIER_REACHED,
    Event.Kind.SILENT.value: Campaign.Trigger.SILENCE,
}


_OF_MEMBER: Final = ("region", "home_store", "standing__tier")


def oldest_due_events(persons: Mapping[UUID, Sequence[UUID]], *, now: datetime) -> list[Event]:
    """The oldest due event of each person, with all that conditions ask about them.

    `persons`: whom the caller holds, with the members that they stand for.
    """
    members = [member for rows in persons.values() for member in rows]
    found = (
        Event.objects.filter(IS_DUE, member_id__in=members, due_at__lte=now)
        .order_by("member_id", "due_at", "id")
        .distinct("member_id")
        .select_related(*(f"member__{name}" for name in _OF_MEMBER))
        .defer("member__name")
    )
    oldest: dict[UUID, Event] = {}
    for event in sorted(found, key=lambda event: (event.due_at, event.pk)):
        # Whoever was merged since they were claimed is left for the next batch.
        if event.member.person_id in persons:
            oldest.setdefault(event.member.person_id, event)
    _find_survivors(event.member for event in oldest.values())
    return list(oldest.values())


def _find_survivors(members: Iterable[Member]) -> None:
    """Campaigns speak to whoever stands for a merged member; without merged ones it is free."""
    merged = [member for member in members if member.merged_into_id]
    if not merged:
        return
    rows = Member.objects.select_related(*_OF_MEMBER).defer("name")
    survivors = rows.in_bulk({member.merged_into_id for member in merged})
    for member in merged:
        if member.merged_into_id:
            member.merged_into = survivors[member.merged_into_id]


def running_campaigns(triggers: Collection[str]) -> list[Campaign]:
    return list(
        Campaign.objects.filter(state=Campaign.State.RUNNING, trigger__in=triggers)
        .select_related("tier", "coupon_type")
        .order_by("pk")
    )


def tree_of(campaign: Campaign) -> Group | None:
    """The condition, ready to judge by; None if staff changed a running campaign so that it can
    no longer be judged. That must not stop the others."""
    wanted = {
        Campaign.Trigger.LARGE_TICKET: campaign.amount and campaign.currency,
        Campaign.Trigger.SILENCE: campaign.silent_days,
    }
    if not wanted.get(Campaign.Trigger(campaign.trigger), True):
        return None
    try:
        return parse(campaign.condition, registry_for(campaign.trigger))
    except ConditionError:
        return None


def lowest_rank() -> int:
    """The rank in which everybody starts."""
    return Tier.objects.aggregate(lowest=Min("rank"))["lowest"] or 0


def corrections_of(payments: Iterable[str]) -> dict[str, list[Correction]]:
    """Refunds, chargebacks and reversals by the id of their payment, in the payment's currency."""
    rows = (
        Transaction.objects.filter(original__in=set(payments), currency=F("original__currency"))
        .exclude(waiting_for=AmountConflict.Kind.TWIN)  # Perhaps one that is counted already.
        .values_list(
            "original_id", "kind", "amount", "is_total", "is_outside", "pk", "confirms_id"
        )
    )
    found: defaultdict[str, list[Correction]] = defaultdict(list)
    for original_id, kind, amount, is_total, is_outside, pk, confirms in rows:
        correction = Correction(kind, amount, is_total, is_outside, pk, confirms)
        found[str(original_id)].append(correction)
    return found


def silence_key(campaign_id: int, last_paid_at: datetime) -> str:
    """What a silence is known by: it began with one payment and ends with the next."""
    return f"{campaign_id}:{last_paid_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"


def payments_of(payment_ids: Iterable[str]) -> dict[UUID, Transaction]:
    return Transaction.objects.select_related("store__region").in_bulk(list(set(payment_ids)))


def baskets_of(payment_ids: Iterable[str]) -> dict[UUID, frozenset[str]]:
    """The codes of the categories in each payment's lines, those above them included."""
    lines = Line.objects.filter(
        transaction__in=set(payment_ids), product__category__isnull=False
    ).values_list("transaction_id", "product__category_id")
    tree = category_tree()
    baskets: defaultdict[UUID, set[str]] = defaultdict(set)
    for payment_id, category_id in lines:
        baskets[payment_id].update(tree.above(category_id))
    return {payment_id: frozenset(codes) for payment_id, codes in baskets.items()}


class _InstantAsText(Func):
    """The same text in the database as `silence_key` writes."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
    output_field = TextField()


def silent_members(
    campaign: Campaign, *, now: datetime, zone: tzinfo, since: datetime | None = None
) -> QuerySet[Any]:
    """Members whose silence the campaign may speak to, the longest first; `was_noticed` says that
    it tried before.

    `since`: only silences that were reached after it. Who never bought is not silent.
    """
    tree = tree_of(campaign)
    if tree is None:
        return Member.objects.annotate(was_noticed=Value(value=False)).none()
    span = timedelta(days=campaign.silent_days or 0)
    reached = Q(standing__last_paid_at__lte=now - span)
    if since is not None:
        reached &= Q(standing__last_paid_at__gt=since - span)
    fits: Q = to_q(tree, registry_for(campaign.trigger), now=now, zone=zone)
    key = _silence_key(campaign, OuterRef("standing__last_paid_at"))
    silences = Event.objects.filter(kind=Event.Kind.SILENT, key__startswith=key)
    own = silences.filter(member=OuterRef("pk"))
    absorbed = silences.filter(member__merged_into=OuterRef("pk"))
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    done = _has_done(campaign, today)
    return (
        Member.objects.filter(reached, fits)
        .exclude(Exists(own.filter(done)))
        .exclude(Exists(absorbed.filter(done)), standing__is_shared=True)
        .annotate(was_noticed=Exists(own))
        .order_by("standing__last_paid_at", "pk")
    )


def _silence_key(campaign: Campaign, last_paid_at: Combinable) -> Concat:
    return Concat(Value(f"{campaign.pk}:"), _InstantAsText(last_paid_at))


def _has_done(campaign: Campaign, today: datetime) -> Q:
    """What uses a silence up: a yes, for then there is a message or a reason why not; or a no for
    good. Any other no, such as a pause or coupons that ran out, is asked again on another day."""
    said = Decision.objects.filter(event=OuterRef("pk"))
    for_good = [{"campaign": campaign.pk, "reason": str(IssueReason.MEMBER_LIMIT)}]
    refused = Reaction.objects.filter(event=OuterRef("pk"), declined__contains=for_good)
    return (
        Q(due_at__isnull=False) | Q(occurred_at__gte=today) | Q(Exists(said)) | Q(Exists(refused))
    )


def withheld_from(campaign: Campaign) -> QuerySet[Message]:
    """Messages that found nobody to go to, whose members are silent still and can be reached."""
    person = Coalesce("member__merged_into_id", "member_id")
    paid = Standing.objects.filter(member=OuterRef("person")).values("last_paid_at")[:1]
    consents = Consent.objects.filter(
        member=OuterRef("person"),
        channel=OuterRef("channel"),
        purpose=Consent.Purpose.MARKETING,
    ).newest_first()
    mails = Identity.objects.filter(kind=EMAIL)
    return (
        Message.objects.filter(
            decision__campaign=campaign,
            state=Message.State.WITHHELD,
            reason__in=(Withheld.NO_CONSENT, Withheld.NO_ADDRESS),
        )
        .annotate(person=person, paid=paid, agrees=consents.values("is_granted")[:1])
        .filter(
            Exists(mails.filter(member=OuterRef("person")))
            | Exists(mails.filter(member__merged_into=OuterRef("person"))),
            agrees=True,
            decision__event__key__startswith=_silence_key(campaign, F("paid")),
        )
        .order_by("queued_at", "pk")
    )


def deliverable(now: datetime) -> QuerySet[Message]:
    return Message.objects.filter(IS_DUE, due_at__lte=now, state=Message.State.QUEUED)


def with_all_for_a_letter(messages: QuerySet[Message]) -> QuerySet[Message]:
    related: tuple[Any, ...] = (
        "decision__campaign__tier",
        "decision__coupon__type",
        "decision__event__member__merged_into__standing",
        "decision__event__member__standing",
        *(f"member__{name}" for name in _OF_MEMBER),
        *(f"member__merged_into__{name}" for name in _OF_MEMBER),
    )
    return messages.select_related(*related)
