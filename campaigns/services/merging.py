"""Of what campaigns want to say to two members who are one person, what is said once."""

from django.db.models import Exists, OuterRef

from campaigns.models import Campaign, Message
from campaigns.rules.reasons import Withheld
from loyalty.services.coupons import cancel_unused
from members.models import Merge
from members.persons import own_rows

# A large payment is thanked for each time; the others speak to the person.
_ONCE = (Campaign.Trigger.TIER_REACHED, Campaign.Trigger.SILENCE)


def withhold_doubles(merge: Merge) -> int:
    """Withhold messages to the merged member that a campaign is about to send to the survivor as
    well, each with its coupon; call it when they are merged. Returns how many."""
    waiting = Message.objects.filter(state=Message.State.QUEUED)
    same = waiting.filter(member=merge.survivor, decision__campaign=OuterRef("decision__campaign"))
    doubles = waiting.filter(
        Exists(same),
        member__in=own_rows(merge.survivor).exclude(pk=merge.survivor_id),
        decision__campaign__trigger__in=_ONCE,
    )
    held = dict(
        doubles.order_by("pk")
        .select_for_update(of=("self",))
        .values_list("pk", "decision__coupon_id")
    )
    cancel_unused([coupon for coupon in held.values() if coupon], now=merge.merged_at)
    return Message.objects.filter(pk__in=held, state=Message.State.QUEUED).update(
        state=Message.State.WITHHELD, reason=Withheld.SAID_ALREADY, due_at=None, waiting_for=""
    )
