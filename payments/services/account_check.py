"""Whether an account is well: what is wrong or right with it, in words, and what mends it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kit.addresses import is_public
from payments.inlet_recipe import SETTING as RECIPE
from payments.inlet_recipe import BadRecipe, load_recipe
from payments.models import Account, Callback, Query, Rejection
from payments.providers import all_providers
from payments.providers.base import Provider, Reason
from payments.services.accounts import callback_url, secrets_of
from payments.services.coverage import Coverage, coverages_of, needs_files
from payments.services.secrets import look_at
from payments.wording import error_in_words, refusal_in_words, waiting_in_words

_LOOKED_BACK: Final = timedelta(days=30)
_SOON: Final = timedelta(days=30)
_MOST_DAYS: Final = 5


class Level(StrEnum):
    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `remedy` says what to do, blank if nothing."""

    level: Level
    words: str
    remedy: str = ""


# What to do about a refusal, beside what payments/wording.py says of it.
_REMEDIES: Final[dict[str, Any]] = {
    Reason.BAD_SIGNATURE: gettext_lazy(
        "Compare the secret with the platform's page; copy it anew, without spaces. If it is the "
        "same, something on the way changes the post: a proxy must hand body, headers and address "
        "on untouched, and the address must be the one that the platform was given."
    ),
    Reason.MISSING_SIGNATURE: gettext_lazy(
        "It was no post of the platform, or signing is turned off there. A look at the address "
        "with a browser, or a health check, does no harm."
    ),
    Reason.WEAK_SIGNATURE: gettext_lazy(
        "Choose the newer way of signing at the platform (for Alipay: RSA2)."
    ),
    Reason.TOO_OLD: gettext_lazy(
        "Compare the server's clock with the right time, and let it be set by NTP. Single posts "
        "that were held up on the way do no harm: the platform sends them again."
    ),
    Reason.TOO_NEW: gettext_lazy("The server's clock is slow: let it be set by NTP."),
    Reason.OTHER_MERCHANT: gettext_lazy(
        "Compare the setting that is named with the platform's page, and test with live: a "
        "sandbox has numbers of its own."
    ),
    Reason.MALFORMED: gettext_lazy(
        "Check that this account's platform is the one that sends to its address."
    ),
    Reason.NO_SECRET: gettext_lazy("Add the secret below, under Secrets."),
    Reason.TOO_LARGE: gettext_lazy("No payment is that large: somebody else uses the address."),
    Reason.UNKNOWN_PAYMENT: gettext_lazy(
        "If it was a real one, check that channel, key and environment belong together."
    ),
}


def check_account(account: Account, *, now: datetime) -> list[Finding]:
    """Everything that can be told without calling anybody."""
    provider = all_providers().get(account.provider)
    coverage = coverages_of([account], now=now).get(account.pk)
    if provider is None and needs_files(account):
        return list(about_files(coverage))
    if provider is None:
        return [Finding(Level.BAD, _("This version knows no such platform."))]
    return [
        *_about_switch(account),
        *_about_secrets(account, provider, now),
        *_about_address(account),
        *_about_settings(account, provider),
        *_about_posts(account, now),
        *_about_queries(account, provider),
        *about_files(coverage),
    ]


def _about_switch(account: Account) -> Iterator[Finding]:
    if account.is_enabled:
        yield Finding(Level.GOOD, _("The account is enabled."))
    else:
        words = _("The account is not enabled: its address answers 404.")
        yield Finding(Level.BAD, words, _("Enable it on the account's page."))


def _about_secrets(account: Account, provider: Provider, now: datetime) -> Iterator[Finding]:
    secrets = secrets_of(account)
    if not secrets:
        words = _("There is no secret: every post is refused.")
        yield Finding(Level.BAD, words, str(provider.secret_help))
    for secret in secrets:
        seen = look_at(provider, secret)
        if seen.problem:
            words = _("%(secret)s cannot be used.") % {"secret": seen.words}
            yield Finding(Level.BAD, words, seen.problem)
        elif seen.expires_at is None:
            yield Finding(Level.GOOD, seen.words)
        else:
            yield _about_expiry(seen.words, seen.expires_at, now)


def _about_expiry(words: str, expires_at: datetime, now: datetime) -> Finding:
    named = {"secret": words, "day": date_format(expires_at, "DATE_FORMAT")}
    remedy = _("Get the new one from the platform and add it here; both may stand side by side.")
    if expires_at <= now:
        return Finding(Level.BAD, _("%(secret)s expired on %(day)s.") % named, remedy)
    if expires_at - now < _SOON:
        return Finding(Level.NOTE, _("%(secret)s expires on %(day)s.") % named, remedy)
    return Finding(Level.GOOD, _("%(secret)s is valid until %(day)s.") % named)


def _about_address(account: Account) -> Iterator[Finding]:
    address = callback_url(account)
    parts = urlsplit(address)
    remedy = _(
        "The operator sets PUBLIC_URL to the https address under which the internet sees us."
    )
    if _is_private(parts.hostname or ""):
        words = _("The platform cannot reach %(address)s: it is an address of this network.")
        yield Finding(Level.BAD, words % {"address": address}, remedy)
    elif parts.scheme != "https":
        words = _("%(address)s is not https: most platforms refuse it, and anybody may listen.")
        yield Finding(Level.BAD, words % {"address": address}, remedy)
    else:
        yield Finding(
            Level.GOOD, _("The address is public and https: %(address)s") % {"address": address}
        )


def _is_private(host: str) -> bool:
    if host in ("", "localhost") or host.endswith((".local", ".internal", ".lan")):
        return True
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return "." not in host


def _about_settings(account: Account, provider: Provider) -> Iterator[Finding]:
    for setting in provider.settings:
        given = account.settings.get(setting.name, "")
        named = {"setting": setting.label}
        if setting.is_required and not given:
            words = _("“%(setting)s” is missing.") % named
            yield Finding(Level.BAD, words, str(setting.help_text))
        elif not given and not setting.choices:
            words = _("“%(setting)s” is blank, so it is not checked.") % named
            yield Finding(Level.NOTE, words, str(setting.help_text))
    if provider.acknowledge_as is not None:
        yield _about_recipe(account)


def _about_recipe(account: Account) -> Finding:
    try:
        load_recipe(account.settings.get(RECIPE, ""))
    except BadRecipe:
        words = _("The fields are not set up yet: every post is refused and kept as a sample.")
        return Finding(Level.BAD, words, _("Press “Set up the fields”."))
    return Finding(Level.GOOD, _("The fields are set up and were tested with a sample."))


def _about_posts(account: Account, now: datetime) -> Iterator[Finding]:
    since = now - _LOOKED_BACK
    last = (
        Callback.objects.filter(account=account, received_at__gte=since)
        .order_by("-received_at")
        .values_list("received_at", flat=True)
        .first()
    )
    if last is None:
        words = _("No genuine post came in during the last 30 days.")
        remedy = _("Give the platform the address above, and send a test from its page.")
        yield Finding(Level.NOTE, words, remedy)
    else:
        yield Finding(Level.GOOD, _("The last genuine post came in at %(at)s.") % _at(last))
    refused = Rejection.objects.filter(account=account).order_by("-received_at").first()
    if refused is not None:
        is_newer = last is None or refused.received_at > last
        yield _about_refusal(refused, is_newer=is_newer)


def _about_refusal(refused: Rejection, *, is_newer: bool) -> Finding:
    words = _("The last refused post came in at %(at)s. %(reason)s") % {
        **_at(refused.received_at),
        "reason": refusal_in_words(refused.reason, refused.detail),
    }
    remedy = str(_REMEDIES.get(refused.reason, ""))
    return Finding(Level.BAD if is_newer else Level.NOTE, words, remedy if is_newer else "")


def _at(instant: datetime) -> dict[str, str]:
    return {"at": date_format(localtime(instant), "DATETIME_FORMAT")}


def _about_queries(account: Account, provider: Provider) -> Iterator[Finding]:
    if provider.ask is None:
        return
    rows = Query.objects.filter(account=account, due_at__isnull=False)
    parked = rows.exclude(waiting_for="").order_by("-asked_at").first()
    if parked is not None:
        words = _("Payment %(reference)s waits for an answer.") % {"reference": parked.reference}
        yield Finding(Level.BAD, words, waiting_in_words(parked.waiting_for))
    troubled = rows.filter(waiting_for="", outcome__startswith="trouble:").order_by("-asked_at")
    for query in troubled.exclude(outcome="trouble:not_final")[:1]:
        trouble = query.outcome.partition(":")[2]
        yield Finding(Level.BAD, _("The platform gave no answer."), _trouble(trouble, query.error))
    answered = Query.objects.filter(account=account, outcome="answered")
    last = answered.order_by("-asked_at").values_list("asked_at", flat=True).first()
    if last is not None:
        yield Finding(Level.GOOD, _("The platform answered a question at %(at)s.") % _at(last))


def about_files(found: Coverage | None) -> Iterator[Finding]:
    """Of an account whose refunds only its settlement files tell of; None: of any other."""
    if found is None:
        return
    remedy = _(
        "This platform does not report refunds by itself: import its settlement file, or book "
        "refunds by hand, or their points stay."
    )
    if found.gaps:
        words = _("No settlement file covers %(days)s.") % {"days": _some_days(found.gaps)}
        yield Finding(Level.NOTE, words, remedy)
    if found.since is not None:
        words = _("No settlement file covers the days since %(day)s.")
        yield Finding(Level.BAD, words % {"day": date_format(found.since, "DATE_FORMAT")}, remedy)
    elif found.covered_until is not None:
        words = _("Settlement files cover the days until %(day)s.")
        yield Finding(Level.GOOD, words % {"day": date_format(found.covered_until, "DATE_FORMAT")})


def _some_days(days: Sequence[date]) -> str:
    shown = [date_format(day, "DATE_FORMAT") for day in days[:_MOST_DAYS]]
    return ", ".join([*shown, "…"] if len(days) > _MOST_DAYS else shown)


def _trouble(trouble: str, error: str) -> str:
    return f"{waiting_in_words(f'platform:{trouble}')} {error_in_words(error)}".strip()
