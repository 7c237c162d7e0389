"""Deliver: each queued message is sent once, or a reason is kept why not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import F, QuerySet

from campaigns.channels import CHANNELS
from campaigns.channels.letters import Fate, Letter, Outcome
from campaigns.models import Campaign, Message
from campaigns.rules.deciding import decline_happening
from campaigns.rules.reasons import OFFER_IS_OFF, Decline, Failure, Withheld
from campaigns.rules.retrying import next_try
from campaigns.rules.variables import StrayBraces, VariableMissing
from campaigns.selectors import deliverable, with_all_for_a_letter
from campaigns.services.occasions import Scene, happening_of, payment_of, read_scene, terms_of
from campaigns.services.running import pause_key
from campaigns.services.texts import Written, text_for, write_message
from kit.drain import Outbox, drain_outward
from kit.masking import mask_name
from kit.work import hold_keys, note_failure
from loyalty.services.coupons import cancel_unused
from members.persons import person_of
from members.services.consents import agreed_emails_of, members_with_consent
from members.services.links import unsubscribe_url

# A server that is slow is given up by its time-out long before.
STUCK_AFTER: Final = timedelta(minutes=10)
# Not REPAIR: what is retried by the dozen must not hold what may have been sent already.
DOUBT: Final = "doubt"


def deliver_messages(now: datetime, limit: int) -> int:
    """One batch of due messages; returns how many were looked at."""
    park_stuck_messages(now)
    return drain_outward(_OUTBOX, now=now, limit=limit)


def park_stuck_messages(now: datetime) -> int:
    """Messages whose sender died: perhaps sent, so staff decide. Nothing resends them."""
    stuck = Message.objects.filter(state=Message.State.SENDING, sending_at__lt=now - STUCK_AFTER)
    return stuck.update(
        state=Message.State.UNKNOWN,
        reason=Failure.IN_DOUBT,
        due_at=F("sending_at"),
        waiting_for=DOUBT,
    )


def send_again(messages: QuerySet[Message], *, now: datetime) -> int:
    """Staff want these sent, which were in doubt, though they may have been sent before."""
    return messages.filter(state=Message.State.UNKNOWN).update(
        state=Message.State.QUEUED,
        queued_at=now,
        due_at=now,
        attempts=0,
        waiting_for="",
        reason="",
        error="",
    )


def confirm_sent(messages: QuerySet[Message]) -> int:
    """Staff found out that these, which were in doubt, did go out."""
    return messages.filter(state=Message.State.UNKNOWN).update(
        state=Message.State.SENT, sent_at=F("sending_at"), due_at=None, waiting_for="", reason=""
    )


class _Withhold(Exception):
    """The message must not go out."""

    def __init__(self, reason: str, note: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.note = note


def _find(limit: int, now: datetime) -> Sequence[UUID]:
    due = deliverable(now).order_by("due_at", "id").values_list("pk", flat=True)
    return list(due[:limit])


def _claim(message_id: UUID, now: datetime) -> Letter | None:
    """Look once more at everything that may have changed since the campaign said yes."""
    locked = deliverable(now).select_for_update(of=("self",), skip_locked=True, no_key=True)
    message = with_all_for_a_letter(locked).filter(pk=message_id).first()
    if message is None or _is_paused(message):
        return None
    message.member = person_of(message.member)  # To whom it goes; the row keeps its own.
    try:
        letter = _letter(message, now=now)
    except _Withhold as withheld:
        state = Message.State.WITHHELD
        _settle(message_id, state=state, reason=withheld.reason, note=withheld.note)
        coupon = message.decision.coupon_id
        if coupon is not None and withheld.reason in OFFER_IS_OFF:
            cancel_unused([coupon], now=now)
        return None
    Message.objects.filter(pk=message_id).update(
        state=Message.State.SENDING,
        sending_at=now,
        due_at=None,
        attempts=F("attempts") + 1,
        subject=_without_name(letter.subject, message.member.name),
        body=letter.text,
        reason="",
    )
    return letter


def _without_name(subject: str, name: str) -> str:
    """The subject is kept in the open, so no name is in it; the text is sealed."""
    plain = " ".join(name.split())
    return subject.replace(plain, mask_name(plain)) if plain else subject


def _is_paused(message: Message) -> bool:
    """Whether the campaign pauses; then the message waits until it goes on."""
    campaign = message.decision.campaign
    if campaign.state == Campaign.State.RUNNING:
        return False
    key = pause_key(campaign)
    hold_keys([key])  # Who starts the campaign holds it too: no message is left behind.
    campaign.refresh_from_db(fields=["state"])
    if campaign.state == Campaign.State.RUNNING:
        return False
    Message.objects.filter(pk=message.pk).update(waiting_for=key)
    return True


def _letter(message: Message, *, now: datetime) -> Letter:
    member = message.member
    decision = message.decision
    scene = read_scene([decision.event], [decision.campaign])
    _check_occasion(message, scene, now=now)
    if decision.coupon is not None and decision.coupon.cancelled_at is not None:
        raise _Withhold(Withheld.COUPON_CANCELLED)
    if decision.coupon is not None and decision.coupon.expires_at <= now:
        raise _Withhold(Withheld.COUPON_EXPIRED)
    if member.pk not in members_with_consent([member.pk], channel=message.channel):
        raise _Withhold(Withheld.NO_CONSENT)
    address = agreed_emails_of([member.pk], channel=message.channel).get(member.pk)
    if not address:
        raise _Withhold(Withheld.NO_ADDRESS)
    return _addressed(message, _write(message, scene), address)


def _check_occasion(message: Message, scene: Scene, *, now: datetime) -> None:
    """What was bought or given back since ends a message; its age and other terms do not."""
    event, campaign = message.decision.event, message.decision.campaign
    reason = decline_happening(terms_of(campaign, event, scene), happening_of(event, scene))
    if reason in (Decline.REFUNDED, Decline.BOUGHT_MEANWHILE):
        raise _Withhold(reason)


def _write(message: Message, scene: Scene) -> Written:
    text = text_for(message.decision.campaign, message.language, main=scene.programme.language)
    if text is None:
        raise _Withhold(Withheld.NO_TEXT)
    payment = payment_of(message.decision.event, scene)
    store = payment.store if payment else None
    try:
        return write_message(message, text, programme=scene.programme, store=store)
    except (VariableMissing, StrayBraces) as problem:
        raise _Withhold(Withheld.RENDER_ERROR, str(problem)) from problem


def _settle(message_id: UUID, *, state: str, reason: str, note: str) -> None:
    """The message has come to its end."""
    Message.objects.filter(pk=message_id).update(
        state=state, reason=reason, error=note, due_at=None, waiting_for=""
    )


def _record(message_id: UUID, outcome: Outcome, now: datetime) -> None:
    """What came of it. It may have been parked meanwhile, if the server took long: we know now."""
    message = Message.objects.select_for_update().get(pk=message_id)
    if message.state not in (Message.State.SENDING, Message.State.UNKNOWN):
        return
    match outcome.fate:
        case Fate.SENT:
            _settle(message_id, state=Message.State.SENT, reason="", note="")
            Message.objects.filter(pk=message_id).update(sent_at=now)
        case Fate.REFUSED:
            state = Message.State.FAILED
            _settle(message_id, state=state, reason=outcome.reason, note=outcome.note)
        case Fate.DELAYED:
            _try_later(message, outcome, now=now)
        case Fate.IN_DOUBT:
            _keep_waiting(
                message, outcome, state=Message.State.UNKNOWN, due_at=now, waiting_for=DOUBT
            )


def _try_later(message: Message, outcome: Outcome, *, now: datetime) -> None:
    again = next_try(attempts=message.attempts, queued_at=message.queued_at, now=now)
    if again is None:
        state = Message.State.FAILED
        _settle(message.pk, state=state, reason=Failure.GAVE_UP, note=outcome.note)
        return
    _keep_waiting(message, outcome, state=Message.State.QUEUED, due_at=again)


def _keep_waiting(
    message: Message, outcome: Outcome, *, state: str, due_at: datetime, waiting_for: str = ""
) -> None:
    Message.objects.filter(pk=message.pk).update(
        state=state,
        reason=outcome.reason,
        error=outcome.note,
        due_at=due_at,
        waiting_for=waiting_for,
    )


def _park(message_id: UUID, error: str, tries: int) -> None:
    note_failure(Message.objects.filter(pk=message_id), error, tries=tries)


def _addressed(message: Message, written: Written, address: str) -> Letter:
    return Letter(
        message_id=message.pk,
        channel=message.channel,
        address=address,
        language=written.language,
        subject=written.subject,
        text=written.text,
        html=written.html,
        unsubscribe_url=unsubscribe_url(message.member, message.pk),
    )


def _call(letter: Letter) -> Outcome:
    return CHANNELS[letter.channel](letter)


_OUTBOX: Final[Outbox[UUID, Letter, Outcome]] = Outbox(
    name="deliver", find=_find, claim=_claim, call=_call, record=_record, park=_park
)
