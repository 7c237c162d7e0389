"""Starting and pausing a campaign."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.conditions import registry_for
from campaigns.models import Campaign, Message
from campaigns.services.texts import BadText, validate_text
from kit.conditions import ConditionError, validate
from kit.money import MoneyError, exponent
from kit.work import hold_keys, release
from members.models import Programme


class CampaignIncomplete(Exception):
    """The campaign cannot run as it is; `problems` are sentences that say what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def start_campaign(campaign: Campaign, *, include_silent: bool, now: datetime) -> None:
    """Let it run from now on; raises CampaignIncomplete, then nothing is changed.

    `include_silent`: whether members who fell silent before count as well. Messages that waited
    while it paused go out.
    """
    problems = missing_of(campaign)
    if problems:
        raise CampaignIncomplete(problems)
    with transaction.atomic():
        hold_keys([pause_key(campaign)])
        campaign.state = Campaign.State.RUNNING
        campaign.started_at = now
        campaign.includes_already_silent = include_silent
        campaign.save(update_fields=["state", "started_at", "includes_already_silent"])
        release(Message.objects.filter(waiting_for=pause_key(campaign)))


def pause_campaign(campaign: Campaign) -> None:
    """Nothing new is decided, and what is queued waits: a wrong text can still be mended."""
    with transaction.atomic():
        hold_keys([pause_key(campaign)])
        campaign.state = Campaign.State.PAUSED
        campaign.save(update_fields=["state"])
        Message.objects.filter(
            decision__campaign=campaign, state=Message.State.QUEUED, due_at__isnull=False
        ).update(waiting_for=pause_key(campaign))


def pause_key(campaign: Campaign) -> str:
    """What a message waits for while its campaign pauses."""
    return f"campaign:{campaign.pk}"


def missing_of(campaign: Campaign) -> list[str]:
    """What still keeps the campaign from running, one sentence each."""
    return [
        *_problems_of_trigger(campaign),
        *_problems_of_condition(campaign),
        *_problems_of_coupon(campaign),
        *_problems_of_texts(campaign),
    ]


def _problems_of_trigger(campaign: Campaign) -> list[str]:
    problems = []
    if campaign.trigger == Campaign.Trigger.LARGE_TICKET:
        if not campaign.amount or campaign.amount <= 0:
            problems.append(_("Enter the amount from which a payment counts."))
        if not _is_currency(campaign.currency):
            problems.append(_("Enter the currency of the amount, such as HKD."))
    if campaign.trigger == Campaign.Trigger.SILENCE and not campaign.silent_days:
        problems.append(_("Enter after how many days without a purchase a member is silent."))
    return problems


def _is_currency(code: str) -> bool:
    try:
        exponent(code)
    except MoneyError:
        return False
    return True


def _problems_of_condition(campaign: Campaign) -> list[str]:
    try:
        validate(campaign.condition, registry_for(campaign.trigger))
    except ConditionError as problem:
        return [str(problem.message)]
    return []


def _problems_of_coupon(campaign: Campaign) -> list[str]:
    if campaign.coupon_type is not None and not campaign.coupon_type.is_enabled:
        return [_("The coupon is switched off. Enable it or choose another.")]
    return []


def _problems_of_texts(campaign: Campaign) -> list[str]:
    texts = {text.language: text for text in campaign.texts.all()}
    main = Programme.current()
    problems = []
    if main.language not in texts:
        problems.append(
            _("Write the message in %(language)s, the programme's main language.")
            % {"language": main.get_language_display()}
        )
    for text in texts.values():
        for part in (text.subject, text.body):
            try:
                validate_text(part, has_coupon=campaign.coupon_type is not None)
            except BadText as problem:
                problems.append(f"{text.get_language_display()}: {problem}")
    return problems
