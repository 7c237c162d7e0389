"""Rates fetched from where the settings say; off unless they say anything."""

from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from kit.outward import Outgoing, fetch
from members.models import Programme
from payments.services.reference_rates import (
    LARGEST,
    Entered,
    UnreadableRates,
    enter_reference_rates,
    read_reference_rates,
)


def is_on() -> bool:
    return bool(settings.EXCHANGE_RATES_URL)


def fetch_rates(*, now: datetime) -> Entered | None:
    """Fetch the reference rates and enter those that are new; None where it is off. Raises
    kit.addresses.CallFailed or UnreadableRates."""
    if not is_on():
        return None
    answer = fetch(Outgoing("GET", settings.EXCHANGE_RATES_URL), largest=LARGEST)
    if not answer.is_good:
        words = _("The address answered with status %(status)s.")
        raise UnreadableRates(words % {"status": answer.status})
    days = read_reference_rates(answer.body)
    return enter_reference_rates(days, into=Programme.current().currency, now=now)
